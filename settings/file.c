/* file.c: a YAML text against a schema made from the table; its scalars are all read as text, so that one place converts them. */
#include "internal.h"

#include "base/yaml.h"

#include <string.h>

#define MAX_LIST 10000 /* entries of one list */

/* What libcyaml fills, one for each row. */
struct slot {
	char *text;
	char **list;
	unsigned count;
};

static const cyaml_schema_value_t list_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static bool same_section(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* The first row of its section: each section is one field at the top. */
static bool begins_section(const struct vw_settings_table *table, size_t row)
{
	const char *section = table->settings[row].section;
	if (!section)
		return false;
	for (size_t i = 0; i < row; i++)
		if (same_section(table->settings[i].section, section))
			return false;
	return true;
}

static cyaml_schema_field_t field_of(const struct vw_settings_table *table, size_t row)
{
	cyaml_schema_field_t field = {.key = table->settings[row].key};
	size_t at = row * sizeof(struct slot);
	if (table->settings[row].type == VW_SETTING_LIST) {
		field.data_offset = (uint32_t)(at + offsetof(struct slot, list));
		field.count_offset = (uint32_t)(at + offsetof(struct slot, count));
		field.count_size = sizeof(unsigned);
		field.value = (cyaml_schema_value_t){
		    CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char *, &list_entry, 0, MAX_LIST)};
		return field;
	}
	field.data_offset = (uint32_t)(at + offsetof(struct slot, text));
	field.value = (cyaml_schema_value_t){
	    CYAML_VALUE_STRING(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char, 0, CYAML_UNLIMITED)};
	return field;
}

/* The keys of a section; NULL is the top, which has the sections too. NULL without memory. */
static const cyaml_schema_field_t *fields_of(const struct vw_settings *settings, const char *section)
{
	const struct vw_settings_table *table = settings->table;
	const cyaml_schema_field_t end = CYAML_FIELD_END;
	size_t n = 0;
	cyaml_schema_field_t *fields = vw_arena_array(settings->arena, 2 * table->count + 1, sizeof(*fields));
	if (!fields)
		return NULL;
	for (size_t i = 0; i < table->count; i++) {
		if (same_section(table->settings[i].section, section))
			fields[n++] = field_of(table, i);
		if (section || !begins_section(table, i))
			continue;
		/* all sections write into the one array, each at offsets of its own */
		const cyaml_schema_field_t *inner = fields_of(settings, table->settings[i].section);
		fields[n++] = (cyaml_schema_field_t){
		    .key = table->settings[i].section,
		    .value = {.type = CYAML_MAPPING,
			      .flags = CYAML_FLAG_OPTIONAL,
			      .data_size = (uint32_t)(table->count * sizeof(struct slot)),
			      .mapping = {.fields = inner}},
		};
		if (!inner)
			return NULL;
	}
	fields[n] = end;
	return fields;
}

static const char *const *copy_list(struct vw_arena *arena, const struct slot *slot)
{
	const char **list = vw_arena_array(arena, (size_t)slot->count + 1, sizeof(*list));
	for (unsigned i = 0; list && i < slot->count; i++)
		list[i] = vw_arena_strdup(arena, slot->list[i]);
	return list;
}

/* An empty text, or a list without entries, is as good as none. */
static void take(const struct vw_settings *settings, const struct slot *slots, struct said *out)
{
	for (size_t i = 0; i < settings->table->count; i++) {
		out[i] = (struct said){NULL, NULL};
		if (slots[i].text && slots[i].text[0])
			out[i].text = vw_arena_strdup(settings->arena, slots[i].text);
		if (slots[i].count > 0)
			out[i].list = copy_list(settings->arena, &slots[i]);
	}
}

int settings_parse(const struct vw_settings *settings, const char *text, size_t len, const char *name,
		   struct said *out, struct vw_error *err)
{
	cyaml_data_t *data = NULL;
	cyaml_schema_value_t top = {.type = CYAML_MAPPING,
				    .flags = CYAML_FLAG_POINTER,
				    .data_size = (uint32_t)(settings->table->count * sizeof(struct slot)),
				    .mapping = {.fields = fields_of(settings, NULL)}};
	if (!top.mapping.fields)
		return vw_error_set(err, VW_ENOMEM, "no memory for the configuration");
	int code = vw_yaml_load(text, len, name, &top, &data, err);
	if (code < 0)
		return code;
	take(settings, data, out);
	vw_yaml_free(&top, data);
	if (vw_arena_failed(settings->arena))
		return vw_error_set(err, VW_ENOMEM, "no memory for the configuration");
	return 0;
}

/* "level:" at the line's begin, or within it as in "log: {level: info}". */
static bool line_has(const char *line, size_t len, const char *key)
{
	size_t key_len = strlen(key);
	for (size_t i = 0; i + key_len < len; i++) {
		bool begins = i == 0 || strchr(" \t{,", line[i - 1]);
		if (line[i] == '#' && begins)
			return false; /* a comment */
		if (begins && strncmp(line + i, key, key_len) == 0 && line[i + key_len] == ':')
			return true;
	}
	return false;
}

/* Section and key may stand on one line. */
unsigned settings_line(const char *text, const struct vw_setting *row)
{
	unsigned line = 1;
	bool inside = !row->section;
	for (const char *at = text; *at; line++) {
		size_t len = strcspn(at, "\n");
		inside = inside || line_has(at, len, row->section);
		if (inside && line_has(at, len, row->key))
			return line;
		at += len + (at[len] == '\n');
	}
	return 0;
}
