/* Numbers and truth values, looked at once more: libcyaml is lenient with them. */
#include "base/text.h"
#include "yaml_event.h"

#include <string.h>
#include <yaml.h>

enum { MAX_LEVELS = 66 }; /* yaml_check() has refused deeper documents */

/* Where the walk is: each level's schema and, in a mapping, the field whose value comes next. */
struct walk {
	const cyaml_schema_value_t *levels[MAX_LEVELS]; /* NULL where the schema says nothing */
	const cyaml_schema_field_t *fields[MAX_LEVELS];
	int depth;
};

static bool is_whole_number(const char *text)
{
	int64_t value;
	const char *digits = text + (*text == '-');

	return vw_text_int64(text, &value) && (digits[0] != '0' || digits[1] == '\0');
}

static bool is_truth_value(const char *text)
{
	static const char *const words[] = {"true", "yes", "on", "enable", "1", "false", "no", "off", "disable", "0"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (vw_text_equal_nocase(text, words[i]))
			return true;
	return false;
}

static bool is_null(const cyaml_schema_value_t *schema, const char *text)
{
	if (!(schema->flags & (CYAML_FLAG_POINTER_NULL | CYAML_FLAG_POINTER_NULL_STR)))
		return false;
	return !*text || strcmp(text, "~") == 0 || vw_text_equal_nocase(text, "null");
}

/* What is wrong with a scalar, or NULL. */
static const char *scalar_fault(const cyaml_schema_value_t *schema, const char *text)
{
	double real;

	if (!schema || is_null(schema, text))
		return NULL;
	switch (schema->type) {
	case CYAML_INT:
	case CYAML_UINT:
		return is_whole_number(text) ? NULL : "not a whole number";
	case CYAML_FLOAT:
		return vw_text_double(text, &real) ? NULL : "not a number";
	case CYAML_BOOL:
		return is_truth_value(text) ? NULL : "neither true nor false";
	default:
		return NULL;
	}
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_value_t *schema, const char *key)
{
	for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key; field++)
		if (strcmp(field->key, key) == 0)
			return field;
	return NULL;
}

static bool is_key(const struct walk *walk)
{
	const cyaml_schema_value_t *level = walk->levels[walk->depth];
	return walk->depth > 0 && level && level->type == CYAML_MAPPING && !walk->fields[walk->depth];
}

/* The schema of the value that the walk has come to. */
static const cyaml_schema_value_t *take_schema(struct walk *walk)
{
	const cyaml_schema_value_t *level = walk->levels[walk->depth];
	const cyaml_schema_field_t *field = walk->fields[walk->depth];

	walk->fields[walk->depth] = NULL;
	if (walk->depth == 0 || !level)
		return level;
	if (level->type == CYAML_MAPPING)
		return field ? &field->value : NULL;
	return level->type == CYAML_SEQUENCE || level->type == CYAML_SEQUENCE_FIXED ? level->sequence.entry : NULL;
}

static void enter(struct walk *walk)
{
	const cyaml_schema_value_t *schema = take_schema(walk);

	walk->depth++;
	walk->levels[walk->depth] = schema;
	walk->fields[walk->depth] = NULL;
}

static int check_scalar(struct walk *walk, const yaml_event_t *event, const char *name, struct vw_error *err)
{
	const char *text = (const char *)event->data.scalar.value;

	if (is_key(walk)) {
		walk->fields[walk->depth] = find_field(walk->levels[walk->depth], text);
		return 0;
	}
	const cyaml_schema_field_t *field = walk->fields[walk->depth];
	const char *fault = scalar_fault(take_schema(walk), text);
	if (!fault)
		return 0;
	return vw_error_set(err, VW_ECONFIG, "%s:%zu: %s%s%s: %s", name, event->start_mark.line + 1,
			    field ? field->key : "", field ? ": " : "", fault, text);
}

static int check_event(struct walk *walk, const yaml_event_t *event, const char *name, struct vw_error *err)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return check_scalar(walk, event, name, err);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		enter(walk);
		return 0;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		walk->depth--;
		return 0;
	default:
		return 0;
	}
}

int yaml_check_scalars(const char *bytes, size_t len, const char *name, const cyaml_schema_value_t *schema,
		       struct vw_error *err)
{
	struct walk walk = {.levels = {schema}};
	yaml_event_type_t type = YAML_NO_EVENT;
	yaml_parser_t parser;
	int code = 0;

	if (!yaml_parser_initialize(&parser))
		return vw_error_set(err, VW_ENOMEM, "%s: no memory to read it", name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
	while (!code && type != YAML_STREAM_END_EVENT) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			code = vw_error_set(err, VW_ENOMEM, "%s: no memory to read it", name);
			break;
		}
		type = event.type;
		code = check_event(&walk, &event, name, err);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return code;
}
