#include "settings.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

#define SECTIONS 4
static const char *const section_names[SECTIONS] = {"mlflow", "scope", "schedule", "log"};

static const cyaml_schema_value_t text_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

/* The schema, made from the tables; the file's scalars are all read as text, so that one place converts them. */
struct schema {
	cyaml_schema_field_t fields[SECTIONS + 1][SETTING_COUNT + LIST_COUNT + SECTIONS + 1];
	cyaml_schema_value_t top;
};

static cyaml_schema_field_t scalar_field(size_t i)
{
	return (cyaml_schema_field_t){
	    .key = settings[i].key,
	    .data_offset = (uint32_t)(offsetof(struct settings_file, values) + i * sizeof(char *)),
	    .value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char, 0, CYAML_UNLIMITED)}};
}

static cyaml_schema_field_t list_field(size_t i)
{
	return (cyaml_schema_field_t){
	    .key = list_settings[i].key,
	    .data_offset = (uint32_t)(offsetof(struct settings_file, lists) + i * sizeof(char **)),
	    .count_offset = (uint32_t)(offsetof(struct settings_file, list_counts) + i * sizeof(unsigned)),
	    .count_size = sizeof(unsigned),
	    .value = {CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char *, &text_entry, 0, 10000)}};
}

static void add_fields(struct schema *schema, size_t at, const char *section)
{
	size_t n = 0;
	cyaml_schema_field_t *fields = schema->fields[at];
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (section == settings[i].section ||
		    (section && settings[i].section && strcmp(section, settings[i].section) == 0))
			fields[n++] = scalar_field(i);
	for (size_t i = 0; i < LIST_COUNT; i++)
		if (section == list_settings[i].section ||
		    (section && list_settings[i].section && strcmp(section, list_settings[i].section) == 0))
			fields[n++] = list_field(i);
	for (size_t i = 0; !section && i < SECTIONS; i++)
		fields[n++] = (cyaml_schema_field_t){
		    .key = section_names[i],
		    .data_offset = 0, /* all sections write into the one structure, each at offsets of its own */
		    .value = {.type = CYAML_MAPPING,
			      .flags = CYAML_FLAG_OPTIONAL,
			      .data_size = sizeof(struct settings_file),
			      .mapping = {.fields = schema->fields[1 + i]}}};
	fields[n] = (cyaml_schema_field_t)CYAML_FIELD_END;
}

static const cyaml_schema_value_t *schema_get(void)
{
	static struct schema schema;
	if (schema.top.type == CYAML_MAPPING)
		return &schema.top;
	add_fields(&schema, 0, NULL);
	for (size_t i = 0; i < SECTIONS; i++)
		add_fields(&schema, 1 + i, section_names[i]);
	schema.top = (cyaml_schema_value_t){.type = CYAML_MAPPING,
					    .flags = CYAML_FLAG_POINTER,
					    .data_size = sizeof(struct settings_file),
					    .mapping = {.fields = schema.fields[0]}};
	return &schema.top;
}

int settings_file_read(const char *path, struct settings_file **out, char **out_text, struct vw_error *err)
{
	struct vw_buffer text;
	cyaml_data_t *data = NULL;
	vw_buffer_init(&text, VW_MAX_CONFIG_FILE);
	int code = vw_file_read(path, VW_MAX_CONFIG_FILE, &text, err);
	if (code == 0)
		code = vw_yaml_load(text.data ? text.data : "", text.len, path, schema_get(), &data, err);
	if (code < 0) {
		vw_buffer_reset(&text);
		return code;
	}
	*out = data;
	*out_text = text.data;
	return 0;
}

void settings_file_free(struct settings_file *file)
{
	if (file)
		vw_yaml_free(schema_get(), file);
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

unsigned settings_file_line(const char *text, const char *key)
{
	unsigned line = 1;
	for (const char *at = text; *at; line++) {
		size_t len = strcspn(at, "\n");
		if (line_has(at, len, key))
			return line;
		at += len + (at[len] == '\n');
	}
	return 0;
}
