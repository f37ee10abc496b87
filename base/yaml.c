/* libcyaml, and messages that say where. */
#include "base/yaml.h"

#include "yaml_event.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FRAMES = 16, MAX_FRAME = 64 };

static const char unexpected_key[] = "Unexpected key: ";
static const char repeated_key[] = "Mapping field already seen: ";

/* What libcyaml said: the cause, then a backtrace from the innermost level outwards. */
struct report {
	char cause[256];
	struct yaml_place place; /* of the innermost level */
	bool innermost_named;    /* frames[0] is the innermost level itself, not one around it */
	int count;
	char frames[MAX_FRAMES][MAX_FRAME]; /* "severity", "[3]" */
};

/* The number behind `before` in libcyaml's text; 0 where there is none. */
static unsigned number_after(const char *text, const char *before)
{
	const char *at = strstr(text, before);
	return at ? (unsigned)strtoul(at + strlen(before), NULL, 10) : 0;
}

static void add_frame(struct report *report, const char *text)
{
	char field[MAX_FRAME];
	int before = report->count;
	bool innermost = report->place.line == 0;

	if (innermost && strstr(text, "(line: ")) {
		report->place.line = number_after(text, "(line: ");
		report->place.column = number_after(text, "column: ");
	}
	if (report->count == MAX_FRAMES)
		return;
	/* entries are counted from 1 once they have begun */
	unsigned entry = number_after(text, "in sequence entry '");
	if (entry > 0)
		snprintf(report->frames[report->count++], MAX_FRAME, "[%u]", entry - 1);
	else if (sscanf(text, " in mapping field '%63[^']'", field) == 1)
		memcpy(report->frames[report->count++], field, MAX_FRAME);
	if (innermost)
		report->innermost_named = report->count > before;
}

__attribute__((format(printf, 3, 0))) static void collect(cyaml_log_t level, void *context, const char *fmt,
							  va_list args)
{
	struct report *report = context;
	char line[512];

	(void)level;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "  in ", 5) == 0)
		add_frame(report, line);
	else if (!report->cause[0] && !strstr(line, "Backtrace:"))
		snprintf(report->cause, sizeof(report->cause), "%.255s",
			 strncmp(line, "Load: ", 6) == 0 ? line + 6 : line);
}

/* True where the innermost name is not the culprit: what is wrong is the mapping or the list around it. */
static bool blames_parent(const struct report *report, cyaml_err_t code)
{
	switch (code) {
	case CYAML_ERR_MAPPING_FIELD_MISSING:
	case CYAML_ERR_SEQUENCE_ENTRIES_MIN:
	case CYAML_ERR_SEQUENCE_ENTRIES_MAX:
		return true;
	default:
		return strncmp(report->cause, repeated_key, strlen(repeated_key)) == 0;
	}
}

/* "rules[3].severity: ", or nothing. */
static void describe_path(const struct report *report, cyaml_err_t code, char *out, size_t size)
{
	int first = report->innermost_named && blames_parent(report, code) ? 1 : 0;
	size_t len = 0;

	out[0] = '\0';
	for (int i = report->count - 1; i >= first; i--) {
		const char *frame = report->frames[i];
		len += (size_t)snprintf(out + len, size - len, "%s%s%s", len && frame[0] != '[' ? "." : "", frame,
					i == first ? ": " : "");
	}
}

/* libcyaml's place is that of a value; for a key it means the value before it. */
static unsigned find_line(const struct report *report, const char *bytes, size_t len)
{
	if (strncmp(report->cause, unexpected_key, strlen(unexpected_key)) == 0)
		return yaml_key_line(bytes, len, &report->place, report->cause + strlen(unexpected_key));
	if (strncmp(report->cause, repeated_key, strlen(repeated_key)) == 0)
		return yaml_key_line(bytes, len, &report->place, report->cause + strlen(repeated_key));
	return report->place.line;
}

static int explain(const struct report *report, cyaml_err_t code, const char *bytes, size_t len, const char *name,
		   struct vw_error *err)
{
	char path[MAX_FRAMES * (MAX_FRAME + 3)], place[16] = "";
	unsigned line = find_line(report, bytes, len);

	if (code == CYAML_ERR_OOM)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory to read it", name);
	if (line) /* of the document itself nothing is told */
		snprintf(place, sizeof(place), ":%u", line);
	describe_path(report, code, path, sizeof(path));
	return vw_error_set(err, VW_ECONFIG, "%s%s: %s%s", name, place, path,
			    report->cause[0] ? report->cause : cyaml_strerror(code));
}

static cyaml_config_t configuration(struct report *report)
{
	return (cyaml_config_t){
	    .log_fn = collect,
	    .log_ctx = report,
	    .log_level = CYAML_LOG_WARNING,
	    .mem_fn = cyaml_mem,
	    .flags = CYAML_CFG_NO_ALIAS,
	};
}

int vw_yaml_load(const char *bytes, size_t len, const char *name, const cyaml_schema_value_t *schema,
		 cyaml_data_t **out_data, struct vw_error *err)
{
	struct report report = {.count = 0};
	cyaml_config_t config = configuration(&report);
	cyaml_data_t *data = NULL;
	int documents = 0;

	int code = yaml_check(bytes, len, name, &documents, err);
	if (code)
		return code;
	if (documents == 0) { /* libcyaml would succeed and give nothing at all */
		bytes = "{}";
		len = 2;
	}
	cyaml_err_t failed = cyaml_load_data((const uint8_t *)bytes, len, &config, schema, &data, NULL);
	if (failed)
		return explain(&report, failed, bytes, len, name, err);
	code = yaml_check_scalars(bytes, len, name, schema, err);
	if (code) {
		cyaml_free(&config, schema, data, 0);
		return code;
	}
	*out_data = data;
	return 0;
}

void vw_yaml_free(const cyaml_schema_value_t *schema, cyaml_data_t *data)
{
	struct report report = {.count = 0};
	cyaml_config_t config = configuration(&report);

	cyaml_free(&config, schema, data, 0);
}
