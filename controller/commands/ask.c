#include "ask.h"

#include "base/text.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 8000

const char *const formats_list[] = {"table", "json", "ndjson", NULL};
const char *const formats_object[] = {"text", "json", NULL};

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
	else if (json_is_array(value))
		snprintf(out, size, "%zu", json_array_size(value));
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

static void print_lines(const json_t *items)
{
	size_t i;
	const json_t *row;
	json_array_foreach(items, i, row)
	{
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
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

int ask_print_list(struct asking *asking, const struct column *columns, size_t count, size_t flexible)
{
	const char *headings[VW_CLI_TABLE_COLUMNS] = {NULL};
	const char *format = vw_cli_value(asking->in, "format");
	struct vw_cli_table table;
	size_t base_len = asking->path.len;
	int code = ask_for(asking, "GET");
	if (code != VW_CLI_EXIT_OK)
		return code;
	if (strcmp(format, "json") == 0) {
		print_json(asking->data);
		return code;
	}
	for (size_t c = 0; c < count && c < VW_CLI_TABLE_COLUMNS; c++)
		headings[c] = columns[c].heading;
	bool lines = strcmp(format, "ndjson") == 0;
	vw_cli_table_begin(&table, headings, count, flexible, vw_cli_colours("auto"));
	do {
		const json_t *items = json_object_get(asking->data, "items");
		if (lines)
			print_lines(items);
		else
			add_rows(&table, items, columns, count);
	} while (next_page(asking, base_len, &code));
	if (lines)
		vw_cli_table_drop(&table);
	else
		vw_cli_table_end(&table);
	return code;
}

int ask_print_object(struct asking *asking)
{
	const char *name;
	json_t *value;
	struct vw_buffer line;
	if (strcmp(vw_cli_value(asking->in, "format"), "json") == 0) {
		print_json(asking->data);
		return VW_CLI_EXIT_OK;
	}
	vw_buffer_init(&line, 0);
	json_object_foreach(asking->data, name, value)
	{
		char scratch[64];
		const char *text = json_is_array(value) ? NULL : text_of(value, scratch, sizeof(scratch));
		if (!text)
			continue;
		vw_buffer_clear(&line);
		vw_text_append_safe(&line, text);
		printf("%-26s %s\n", name, vw_buffer_text(&line));
	}
	vw_buffer_reset(&line);
	return VW_CLI_EXIT_OK;
}
