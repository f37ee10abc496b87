/* Reading JSON: jansson behind caps, and getters that coerce. */
#include "base/json.h"

#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Jansson recurses for each level and has a far higher cap of its own, so depth is judged before it runs. */
static bool too_deep(const char *bytes, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (bytes[i] == '\\')
				i++;
			else if (bytes[i] == '"')
				in_string = false;
			continue;
		}
		if (bytes[i] == '"')
			in_string = true;
		else if (bytes[i] == '{' || bytes[i] == '[')
			depth++;
		else if ((bytes[i] == '}' || bytes[i] == ']') && depth > 0)
			depth--;
		if (depth > VW_MAX_JSON_DEPTH)
			return true;
	}
	return false;
}

int vw_json_parse(const char *bytes, size_t len, const char *what, json_t **out_root, struct vw_error *err)
{
	json_error_t error;

	if (len > VW_MAX_RESPONSE)
		return vw_error_set(err, VW_ELIMIT, "%s: more than %zu bytes of JSON (VW_MAX_RESPONSE)", what,
				    VW_MAX_RESPONSE);
	if (too_deep(bytes, len))
		return vw_error_set(err, VW_ELIMIT, "%s: JSON nested more than %d levels (VW_MAX_JSON_DEPTH)", what,
				    VW_MAX_JSON_DEPTH);
	json_t *root = json_loadb(bytes ? bytes : "", len, JSON_REJECT_DUPLICATES, &error);
	if (root) {
		*out_root = root;
		return 0;
	}
	if (json_error_code(&error) == json_error_out_of_memory)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory for the JSON", what);
	/* what stands "near" is the server's text and may be a secret */
	char *near = strstr(error.text, " near '");
	if (near)
		*near = '\0';
	return vw_error_set(err, VW_EINVAL, "%s: not JSON as expected: line %d, column %d: %s", what, error.line,
			    error.column, error.text);
}

void vw_json_cleanup(json_t **root)
{
	json_decref(*root);
	*root = NULL;
}

char *vw_json_text(struct vw_arena *arena, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	char number[VW_DOUBLE_TEXT];

	if (json_is_string(value))
		return vw_arena_strndup(arena, json_string_value(value), json_string_length(value));
	if (json_is_integer(value))
		return vw_arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (json_is_real(value))
		return vw_arena_strdup(arena, vw_double_format(json_real_value(value), number));
	return NULL;
}

static bool whole_number(double value, int64_t *out)
{
	/* both bounds are exact doubles; 2^63 itself is one too many */
	if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0) || (double)(int64_t)value != value)
		return false;
	*out = (int64_t)value;
	return true;
}

bool vw_json_int64(const json_t *object, const char *key, int64_t *out)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_integer(value)) {
		*out = json_integer_value(value);
		return true;
	}
	if (json_is_real(value))
		return whole_number(json_real_value(value), out);
	if (json_is_string(value))
		return vw_text_int64(json_string_value(value), out);
	return false;
}

static bool number_word(const char *text, double *out)
{
	if (strcmp(text, "NaN") == 0)
		*out = (double)NAN;
	else if (strcmp(text, "Infinity") == 0)
		*out = (double)INFINITY;
	else if (strcmp(text, "-Infinity") == 0)
		*out = (double)-INFINITY;
	else
		return false;
	return true;
}

bool vw_json_double(const json_t *object, const char *key, double *out)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_number(value)) {
		*out = json_number_value(value);
		return true;
	}
	if (!json_is_string(value))
		return false;
	return number_word(json_string_value(value), out) || vw_text_double(json_string_value(value), out);
}

const json_t *vw_json_array(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return json_is_array(value) ? value : NULL;
}

const json_t *vw_json_object(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return json_is_object(value) ? value : NULL;
}
