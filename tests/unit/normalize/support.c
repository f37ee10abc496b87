#include "support.h"

#include "base/text.h"

#include <string.h>

json_t *load_json(const char *name)
{
	char path[1024];
	json_error_t error;
	snprintf(path, sizeof(path), "%s/%s", VW_TEST_DATA, name);
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return root;
}

/* ---- Messages out of JSON ---- */

static void *at(ProtobufCMessage *message, unsigned offset)
{
	return (char *)message + offset;
}

static double number_of(const json_t *value)
{
	double number;
	if (json_is_string(value)) {
		assert_true(vw_text_double(json_string_value(value), &number));
		return number;
	}
	return json_number_value(value);
}

static void set_one(struct vw_arena *arena, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
		    const json_t *value)
{
	void *place = at(message, field->offset);
	if (json_is_null(value))
		return;
	if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
		*(protobuf_c_boolean *)at(message, field->quantifier_offset) = 1;
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		assert_true(json_is_string(value));
		*(char **)place = vw_arena_strdup(arena, json_string_value(value));
		return;
	case PROTOBUF_C_TYPE_INT64:
		*(int64_t *)place = json_integer_value(value);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)place = number_of(value);
		return;
	default:
		*(void **)place = message_of(arena, field->descriptor, value);
	}
}

static vw_key_value *key_value(struct vw_arena *arena, const char *key, const json_t *value)
{
	vw_key_value *entry = vw_message_new(arena, &verifywise__v1__key_value__descriptor);
	entry->key = vw_arena_strdup(arena, key);
	entry->value = vw_arena_strdup(arena, json_string_value(value));
	return entry;
}

static void *element_of(struct vw_arena *arena, const ProtobufCFieldDescriptor *field, const json_t *value)
{
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return vw_arena_strdup(arena, json_string_value(value));
	if (field->descriptor == &verifywise__v1__key_value__descriptor)
		return key_value(arena, json_string_value(json_array_get(value, 0)), json_array_get(value, 1));
	return message_of(arena, field->descriptor, value);
}

static void set_list(struct vw_arena *arena, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
		     const json_t *value)
{
	size_t size = json_is_object(value) ? json_object_size(value) : json_array_size(value);
	void **list = vw_arena_array(arena, size + 1, sizeof(*list));
	size_t count = 0, index;
	const char *key;
	json_t *element;
	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, element) list[count++] = key_value(arena, key, element);
	} else {
		json_array_foreach(value, index, element) list[count++] = element_of(arena, field, element);
	}
	*(void ***)at(message, field->offset) = list;
	*(size_t *)at(message, field->quantifier_offset) = count;
}

void *message_of(struct vw_arena *arena, const ProtobufCMessageDescriptor *type, const json_t *members)
{
	ProtobufCMessage *message = vw_message_new(arena, type);
	const char *key;
	json_t *value;
	if (!members)
		return NULL;
	json_object_foreach((json_t *)members, key, value)
	{
		const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, key);
		if (!field)
			fail_msg("%s has no field '%s'", type->name, key);
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			set_list(arena, message, field, value);
		else
			set_one(arena, message, field, value);
	}
	return message;
}

/* ---- Inputs ---- */

static void mask_all(struct vw_arena *arena, struct vw_normalize_input *in)
{
	struct vw_masker *masker = NULL;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_masker_open(NULL, &masker, &err), 0);
	assert_int_equal(vw_mask_version(masker, arena, (vw_model_version *)in->version), 0);
	if (in->model)
		assert_int_equal(vw_mask_model(masker, arena, (vw_registered_model *)in->model), 0);
	if (in->run)
		assert_int_equal(vw_mask_run(masker, arena, (vw_run *)in->run), 0);
	if (in->experiment)
		assert_int_equal(vw_mask_experiment(masker, arena, (vw_experiment *)in->experiment), 0);
	if (in->logged_model)
		assert_int_equal(vw_mask_logged_model(masker, arena, (vw_logged_model *)in->logged_model), 0);
	vw_masker_close(masker);
}

static void set_reasons(struct vw_arena *arena, struct vw_normalize_input *in, const json_t *reasons)
{
	struct vw_reason_text *list = vw_arena_array(arena, json_object_size(reasons) + 1, sizeof(*list));
	const char *code;
	json_t *text;
	json_object_foreach((json_t *)reasons, code, text) list[in->reason_count++] =
	    (struct vw_reason_text){vw_arena_strdup(arena, code), vw_arena_strdup(arena, json_string_value(text))};
	in->reasons = list;
}

struct vw_normalize_input *input_of(struct vw_arena *arena, const json_t *members)
{
	struct vw_normalize_input *in = vw_arena_alloc(arena, sizeof(*in));
	json_t *version = json_object_get(members, "version");
	vw_model_version *v = version ? message_of(arena, &verifywise__v1__model_version__descriptor, version)
				      : vw_message_new(arena, &verifywise__v1__model_version__descriptor);
	v->name = v->name ? v->name : vw_arena_strdup(arena, "churn");
	v->version = v->version ? v->version : vw_arena_strdup(arena, "3");
	in->version = v;
	in->model =
	    message_of(arena, &verifywise__v1__registered_model__descriptor, json_object_get(members, "model"));
	in->run = message_of(arena, &verifywise__v1__run__descriptor, json_object_get(members, "run"));
	in->experiment =
	    message_of(arena, &verifywise__v1__experiment__descriptor, json_object_get(members, "experiment"));
	in->logged_model =
	    message_of(arena, &verifywise__v1__logged_model__descriptor, json_object_get(members, "logged_model"));
	in->workspace = vw_json_text(arena, members, "workspace");
	in->previous_at = json_integer_value(json_object_get(members, "previous_at"));
	set_reasons(arena, in, json_object_get(members, "reasons"));
	if (json_is_true(json_object_get(members, "mask")))
		mask_all(arena, in);
	return in;
}

vw_record *normalize_or_fail(struct vw_arena *arena, const struct vw_normalize_input *input,
			     const struct vw_mapping *mapping)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_record *record = NULL;
	if (vw_normalize(arena, input, mapping, &record, &err) != 0)
		fail_msg("vw_normalize: %s", err.message);
	return record;
}

static struct vw_mapping *mapping_of(struct vw_arena *arena, const json_t *members)
{
	struct vw_mapping *mapping = vw_mapping_open(arena);
	struct vw_error err = VW_ERROR_INIT;
	const char *field;
	json_t *spellings, *spelling;
	size_t i;
	assert_non_null(mapping);
	json_object_foreach(json_object_get(members, "add_tags"), field, spellings)
	{
		json_array_foreach(spellings, i, spelling)
		    assert_int_equal(vw_mapping_add_tag(mapping, field, json_string_value(spelling), &err), 0);
	}
	return mapping;
}

vw_record *record_of(struct vw_arena *arena, const json_t *members)
{
	struct vw_normalize_input *in = input_of(arena, members);
	struct vw_mapping *mapping = mapping_of(arena, members);
	const json_t *previous = json_object_get(members, "previous");
	if (previous)
		in->previous = record_of(arena, previous);
	vw_record *record = normalize_or_fail(arena, in, mapping);
	/* the same input gives the same bytes, and a second pass with the result as what was before changes nothing */
	assert_true(same_message(&record->base, &normalize_or_fail(arena, in, mapping)->base));
	if (previous) {
		in->previous = record;
		in->previous_at += 1000;
		assert_true(same_message(&record->base, &normalize_or_fail(arena, in, mapping)->base));
	}
	return record;
}

/* ---- JSON out of records ---- */

json_t *json_of_message(const ProtobufCMessage *message)
{
	struct vw_buffer out;
	struct vw_json_writer writer;
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&writer, &out, false);
	vw_message_json(&writer, message);
	json_t *root = json_loads(vw_buffer_text(&out), 0, NULL);
	assert_non_null(root);
	vw_buffer_reset(&out);
	return root;
}

json_t *json_of_record(const vw_record *record)
{
	json_t *root = json_of_message(&record->base);
	json_t *provenance = json_object();
	json_t *warnings = json_array();
	for (size_t i = 0; i < record->n_provenance; i++) {
		const vw_provenance *p = record->provenance[i];
		json_object_set_new(provenance, p->field,
				    p->raw ? json_pack("[ss]", p->from, p->raw) : json_string(p->from));
	}
	for (size_t i = 0; i < record->n_warnings; i++) {
		const vw_warning *w = record->warnings[i];
		assert_true(strlen(w->text) > 0);
		json_array_append_new(warnings, json_sprintf("%s %s", w->code, w->field));
	}
	json_object_set_new(root, "provenance", provenance);
	json_object_set_new(root, "warnings", warnings);
	return root;
}

bool same_message(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	uint8_t x[32], y[32];
	assert_int_equal(vw_message_sha256(a, x), 0);
	assert_int_equal(vw_message_sha256(b, y), 0);
	return memcmp(x, y, sizeof(x)) == 0;
}

void assert_holds(const char *what, const json_t *wanted, const json_t *given)
{
	char path[512];
	const char *key;
	json_t *value;
	size_t i;
	if (json_is_object(wanted) && json_is_object(given)) {
		json_object_foreach((json_t *)wanted, key, value)
		{
			snprintf(path, sizeof(path), "%s.%s", what, key);
			if (!json_object_get(given, key))
				fail_msg("%s is not there", path);
			assert_holds(path, value, json_object_get(given, key));
		}
		return;
	}
	if (json_is_array(wanted) && json_is_array(given) && json_array_size(wanted) == json_array_size(given)) {
		json_array_foreach(wanted, i, value)
		{
			snprintf(path, sizeof(path), "%s[%zu]", what, i);
			assert_holds(path, value, json_array_get(given, i));
		}
		return;
	}
	bool numbers = json_is_number(wanted) && json_is_number(given);
	if (numbers ? json_number_value(wanted) != json_number_value(given) : !json_equal(wanted, given))
		fail_msg("%s\n  wanted: %s\n  given:  %s", what, json_dumps(wanted, JSON_ENCODE_ANY),
			 json_dumps(given, JSON_ENCODE_ANY));
}

bool has_warning(const vw_record *record, const char *code, const char *field)
{
	for (size_t i = 0; i < record->n_warnings; i++) {
		if (strcmp(record->warnings[i]->code, code) == 0 && strcmp(record->warnings[i]->field, field) == 0)
			return true;
	}
	return false;
}
