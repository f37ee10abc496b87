/* libcyaml behind a look of our own at the events, and messages that say where. */
#include "base/yaml.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define MAX_DEPTH  64 /* levels of the document; ours need far less */
#define MAX_FRAMES 16 /* levels of libcyaml's backtrace that are shown */

/* ---- What libcyaml does not refuse, and the place of what libyaml refuses ---- */

static int refuse(const yaml_mark_t *mark, const char *name, const char *why, struct vw_error *err)
{
	return vw_error_set(err, VW_ECONFIG, "%s:%zu:%zu: %s", name, mark->line + 1, mark->column + 1, why);
}

static int check_event(const yaml_event_t *event, const char *name, int *depth, int *documents, struct vw_error *err)
{
	const char *why = NULL;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		why = "aliases are not allowed here";
		break;
	case YAML_DOCUMENT_START_EVENT:
		if (++*documents > 1)
			why = "a second document begins here, only one is allowed";
		break;
	case YAML_SCALAR_EVENT:
		if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
			why = "a text holds a zero byte";
		break;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		if (++*depth > MAX_DEPTH)
			why = "too many levels";
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		--*depth;
		break;
	default:
		break;
	}
	return why ? refuse(&event->start_mark, name, why, err) : 0;
}

static int check_events(yaml_parser_t *parser, const char *name, int *documents, struct vw_error *err)
{
	int depth = 0, code = 0;
	yaml_event_type_t type;

	do {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event))
			return refuse(&parser->problem_mark, name, parser->problem ? parser->problem : "not YAML",
				      err);
		type = event.type;
		code = check_event(&event, name, &depth, documents, err);
		yaml_event_delete(&event);
	} while (!code && type != YAML_STREAM_END_EVENT);
	return code;
}

static int check(const char *bytes, size_t len, const char *name, int *documents, struct vw_error *err)
{
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser))
		return vw_error_set(err, VW_ENOMEM, "%s: no memory to read it", name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
	int code = check_events(&parser, name, documents, err);
	yaml_parser_delete(&parser);
	return code;
}

/* ---- libcyaml's log as one line ---- */

/* What libcyaml said: the cause, then a backtrace from the innermost level outwards. */
struct report {
	char cause[256];
	char frames[MAX_FRAMES][64]; /* "severity", "[3]" */
	int count;
	unsigned line; /* of the innermost level */
};

static void add_frame(struct report *report, const char *text)
{
	char field[sizeof(report->frames[0])];
	unsigned entry, line = 0;
	const char *place = strstr(text, "(line: ");

	if (place && report->line == 0 && sscanf(place, "(line: %u", &line) == 1)
		report->line = line;
	if (report->count == MAX_FRAMES)
		return;
	/* entries are counted from 1 once they have begun */
	if (sscanf(text, " in sequence entry '%u'", &entry) == 1 && entry > 0)
		snprintf(report->frames[report->count++], sizeof(field), "[%u]", entry - 1);
	else if (sscanf(text, " in mapping field '%62[^']'", field) == 1)
		snprintf(report->frames[report->count++], sizeof(field), "%s", field);
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

static int explain(const struct report *report, cyaml_err_t code, const char *name, struct vw_error *err)
{
	char path[MAX_FRAMES * sizeof(report->frames[0])] = "";

	for (int i = report->count - 1; i >= 0; i--) {
		if (path[0] && report->frames[i][0] != '[')
			strcat(path, ".");
		strcat(path, report->frames[i]);
	}
	if (code == CYAML_ERR_OOM)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory to read it", name);
	return vw_error_set(err, VW_ECONFIG, "%s:%u: %s%s%s", name, report->line, path, path[0] ? ": " : "",
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
	struct report report = {.line = 0};
	cyaml_config_t config = configuration(&report);
	cyaml_data_t *data = NULL;
	int documents = 0;

	int code = check(bytes, len, name, &documents, err);
	if (code)
		return code;
	if (documents == 0) { /* all comments: libcyaml would give no structure at all */
		bytes = "{}";
		len = 2;
	}
	cyaml_err_t failed = cyaml_load_data((const uint8_t *)bytes, len, &config, schema, &data, NULL);
	if (failed)
		return explain(&report, failed, name, err);
	*out_data = data;
	return 0;
}

void vw_yaml_free(const cyaml_schema_value_t *schema, cyaml_data_t *data)
{
	struct report report = {.line = 0};
	cyaml_config_t config = configuration(&report);

	cyaml_free(&config, schema, data, 0);
}
