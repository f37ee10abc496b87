#include "ask.h"

#include "base/text.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 8000
#define NAME_COLUMNS 26
#define OBJECT_DEPTH 4

int ask_begin(struct asking *asking, const struct vw_cli_invocation *in, const char *path)
{
	memset(asking, 0, sizeof(*asking));
	asking->in = in;
	vw_buffer_init(&asking->path, PATH_MAX_LEN);
	vw_buffer_puts(&asking->path, path);
	int code = config_open(in, &asking->config);
	if (code != VW_CLI_EXIT_OK)
		return ask_end(asking, code);
	if (client_open(asking->config, &asking->client, &asking->err) < 0)
		return ask_end(asking, vw_cli_report(in->program, &asking->err));
	return VW_CLI_EXIT_OK;
}

int ask_end(struct asking *asking, int code)
{
	json_decref(asking->body);
	json_decref(asking->data);
	client_close(asking->client);
	vw_controller_config_close(asking->config);
	vw_buffer_reset(&asking->path);
	return code;
}

void ask_organization(struct asking *asking)
{
	client_query(&asking->path, "organization", vw_cli_value(asking->in, "organization"));
}

int ask_for(struct asking *asking, const char *method)
{
	json_decref(asking->data);
	asking->data = NULL;
	int code = vw_buffer_error(&asking->path) ? vw_error_set(&asking->err, VW_EINVAL, "too long a name")
						  : client_call(asking->client, method, vw_buffer_text(&asking->path),
								asking->body, &asking->data, &asking->err);
	return code < 0 ? vw_cli_report(asking->in->program, &asking->err) : VW_CLI_EXIT_OK;
}

int ask_set(struct asking *asking, const char *field, const char *text)
{
	if (!asking->body)
		asking->body = json_object();
	if (!text || json_object_set_new(asking->body, field, json_string(text)) == 0)
		return 0;
	return vw_error_set(&asking->err, VW_EUSAGE, "%s is no UTF-8 text", field);
}

int ask_file_failed(struct asking *asking, int code)
{
	if (code == VW_ENOTFOUND || code == VW_EINVAL || code == VW_EIO || code == VW_ELIMIT)
		asking->err.code = code = VW_ECONFIG;
	return code;
}

/* ---- printing ---- */

static const json_t *field_at(const json_t *row, const char *path)
{
	char name[64];
	while (row && *path) {
		size_t len = strcspn(path, ".");
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		row = json_object_get(row, name);
		path += len + (path[len] == '.');
	}
	return row;
}

/* As text for people; NULL for what is not there. */
static const char *text_of(const json_t *value, char *out, size_t size)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_integer(value))
		snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(out, size, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(out, size, "%s", json_is_true(value) ? "yes" : "no");
	else
		return NULL;
	return out;
}

static void add_rows(struct vw_cli_table *table, const json_t *items, const struct column *columns, size_t count)
{
	size_t i;
	const json_t *row;
	json_array_foreach(items, i, row)
	{
		char scratch[VW_CLI_TABLE_COLUMNS][64];
		const char *cells[VW_CLI_TABLE_COLUMNS] = {NULL};
		enum vw_cli_tone tones[VW_CLI_TABLE_COLUMNS] = {VW_CLI_PLAIN};
		for (size_t c = 0; c < count && c < VW_CLI_TABLE_COLUMNS; c++) {
			cells[c] = text_of(field_at(row, columns[c].path), scratch[c], sizeof(scratch[c]));
			if (strcmp(columns[c].path, "status") == 0 && cells[c])
				tones[c] = vw_cli_tone_of_status(cells[c]);
		}
		vw_cli_table_add(table, cells, tones);
	}
}

static void print_json(const json_t *data)
{
	json_dumpf(data, stdout, JSON_INDENT(2));
	putchar('\n');
}

/* Asks for the page behind this one. False when this was the last, or after a failure that was reported. */
static bool next_page(struct asking *asking, size_t base_len, int *code)
{
	const char *cursor = json_string_value(json_object_get(asking->data, "next"));
	char *kept = cursor ? strdup(cursor) : NULL;
	if (!kept)
		return false;
	asking->path.len = base_len;
	asking->path.data[base_len] = 0;
	client_query(&asking->path, "cursor", kept);
	free(kept);
	*code = ask_for(asking, "GET");
	return *code == VW_CLI_EXIT_OK;
}

/* A listing on its way out. */
struct output {
	enum { TABLE, JSON, NDJSON } format;
	struct vw_cli_table table;
	const struct column *columns;
	size_t count;
	bool begun; /* an item was printed */
};

/* One a line; in JSON within the one object that all pages become. */
static void print_items(struct output *out, const json_t *items)
{
	size_t i;
	const json_t *row;
	json_array_foreach(items, i, row)
	{
		if (out->format == JSON)
			fputs(out->begun ? ",\n" : "\n", stdout);
		json_dumpf(row, stdout, JSON_COMPACT);
		if (out->format == NDJSON)
			putchar('\n');
		out->begun = true;
	}
}

static void print_page(struct output *out, const json_t *data)
{
	const json_t *items = json_object_get(data, "items");
	if (out->format == TABLE)
		add_rows(&out->table, items, out->columns, out->count);
	else
		print_items(out, items);
}

static void begin_output(struct output *out, const char *format, const char *const *headings, size_t flexible)
{
	out->format = strcmp(format, "json") == 0 ? JSON : strcmp(format, "ndjson") == 0 ? NDJSON : TABLE;
	if (out->format == TABLE)
		vw_cli_table_begin(&out->table, headings, out->count, flexible, vw_cli_colours("auto"));
	else if (out->format == JSON)
		fputs("{\"items\": [", stdout);
}

/* What was there before a failure in the middle is shown, but never as the whole. */
static void end_output(struct output *out, int code)
{
	if (out->format == TABLE)
		vw_cli_table_end(&out->table);
	else if (out->format == JSON && code == VW_CLI_EXIT_OK)
		fputs("\n], \"next\": null}\n", stdout);
}

int ask_print_list(struct asking *asking, const struct column *columns, size_t count, size_t flexible)
{
	const char *headings[VW_CLI_TABLE_COLUMNS] = {NULL};
	struct output out = {.columns = columns, .count = count};
	size_t base_len = asking->path.len;
	int code = ask_for(asking, "GET");
	if (code != VW_CLI_EXIT_OK)
		return code;
	for (size_t c = 0; c < count && c < VW_CLI_TABLE_COLUMNS; c++)
		headings[c] = columns[c].heading;
	begin_output(&out, vw_cli_value(asking->in, "format"), headings, flexible);
	do
		print_page(&out, asking->data);
	while (next_page(asking, base_len, &code));
	end_output(&out, code);
	return code;
}

/* ---- one object ---- */

static void print_field(const char *name, const json_t *value, int depth);

static void print_within(const char *prefix, const char *name, const json_t *value, int depth)
{
	char whole[128];
	snprintf(whole, sizeof(whole), "%s%s%s", prefix, prefix[0] ? "." : "", name);
	print_field(whole, value, depth);
}

/* Names of what is inside have dots in them. */
static void print_fields(const char *prefix, const json_t *value, int depth)
{
	const char *name;
	json_t *inner;
	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, name, inner)
		{
			print_within(prefix, name, inner, depth);
		}
		return;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		char number[24];
		snprintf(number, sizeof(number), "%zu", i);
		print_within(prefix, number, json_array_get(value, i), depth);
	}
}

static void print_field(const char *name, const json_t *value, int depth)
{
	char scratch[64];
	struct vw_buffer line;
	if (json_is_object(value) || json_is_array(value)) {
		if (depth < OBJECT_DEPTH)
			print_fields(name, value, depth + 1);
		return;
	}
	const char *text = text_of(value, scratch, sizeof(scratch));
	if (!text)
		return;
	vw_buffer_init(&line, 0);
	vw_text_append_safe(&line, name);
	while (line.len < NAME_COLUMNS)
		vw_buffer_putc(&line, ' ');
	vw_buffer_putc(&line, ' ');
	vw_text_append_safe(&line, text);
	puts(vw_buffer_text(&line));
	vw_buffer_reset(&line);
}

int ask_print_object(struct asking *asking)
{
	if (strcmp(vw_cli_value(asking->in, "format"), "json") == 0)
		print_json(asking->data);
	else
		print_fields("", asking->data, 0);
	return VW_CLI_EXIT_OK;
}
