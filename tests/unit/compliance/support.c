#include "support.h"

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

/* ---- Records ---- */

static void *member(ProtobufCMessage *message, size_t offset)
{
	return (char *)message + offset;
}

static vw_key_value *make_key_value(struct vw_arena *arena, const char *key, const json_t *value)
{
	vw_key_value *entry = vw_message_new(arena, &verifywise__v1__key_value__descriptor);
	entry->key = vw_arena_strdup(arena, key);
	entry->value = vw_arena_strdup(arena, json_string_value(value));
	return entry;
}

static vw_metric *make_metric(struct vw_arena *arena, const char *key, const json_t *value)
{
	vw_metric *metric = vw_message_new(arena, &verifywise__v1__metric__descriptor);
	metric->key = vw_arena_strdup(arena, key);
	/* JSON has no NaN */
	VW_SET(metric, value,
	       json_is_string(value) ? strtod(json_string_value(value), NULL) : json_number_value(value));
	return metric;
}

/* A message with the text members that the object gives. */
static ProtobufCMessage *make_message(struct vw_arena *arena, const ProtobufCMessageDescriptor *type,
				      const json_t *members)
{
	ProtobufCMessage *message = vw_message_new(arena, type);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)members, key, value)
	{
		const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, key);
		assert_non_null(field);
		if (field)
			*(char **)member(message, field->offset) = vw_arena_strdup(arena, json_string_value(value));
	}
	return message;
}

static void *make_element(struct vw_arena *arena, const ProtobufCFieldDescriptor *field, const char *key,
			  const json_t *value)
{
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return vw_arena_strdup(arena, json_string_value(value));
	if (field->descriptor == &verifywise__v1__key_value__descriptor)
		return make_key_value(arena, key, value);
	if (field->descriptor == &verifywise__v1__metric__descriptor)
		return make_metric(arena, key, value);
	return make_message(arena, field->descriptor, value);
}

static void set_repeated(struct vw_arena *arena, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			 const json_t *values)
{
	size_t count = json_is_array(values) ? json_array_size(values) : json_object_size(values), i = 0;
	void **elements = vw_arena_array(arena, count, sizeof(void *));
	const char *key;
	json_t *value;

	if (json_is_array(values)) {
		json_array_foreach((json_t *)values, i, value) elements[i] = make_element(arena, field, NULL, value);
	} else {
		json_object_foreach((json_t *)values, key, value) elements[i++] =
		    make_element(arena, field, key, value);
	}
	*(void ***)member(message, field->offset) = elements;
	*(size_t *)member(message, field->quantifier_offset) = count;
}

static void set_field(struct vw_arena *arena, ProtobufCMessage *message, const char *path, const json_t *value)
{
	char name[64];
	size_t len = strcspn(path, ".");

	snprintf(name, sizeof(name), "%.*s", (int)len, path);
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
	if (!field)
		fail_msg("no field '%s'", path);
	void *place = member(message, field->offset);
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		set_repeated(arena, message, field, value);
	} else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		ProtobufCMessage **inner = place;
		if (!*inner)
			*inner = vw_message_new(arena, field->descriptor);
		if (path[len])
			set_field(arena, *inner, path + len + 1, value);
	} else if (field->type == PROTOBUF_C_TYPE_STRING) {
		*(char **)place = vw_arena_strdup(arena, json_string_value(value));
	} else {
		*(int64_t *)place = json_integer_value(value);
		*(protobuf_c_boolean *)member(message, field->quantifier_offset) = 1;
	}
}

static vw_completeness *completeness_of(struct vw_arena *arena, vw_record *record)
{
	if (!record->completeness) {
		record->completeness = vw_message_new(arena, &verifywise__v1__completeness__descriptor);
		record->completeness->state = (char *)"complete";
	}
	return record->completeness;
}

static void set_reasons(struct vw_arena *arena, vw_record *record, const json_t *reasons)
{
	vw_completeness *completeness = completeness_of(arena, record);
	const char *code;
	json_t *text;

	completeness->reasons = vw_arena_array(arena, json_object_size(reasons), sizeof(vw_reason *));
	json_object_foreach((json_t *)reasons, code, text)
	{
		vw_reason *reason = vw_message_new(arena, &verifywise__v1__reason__descriptor);
		reason->code = vw_arena_strdup(arena, code);
		reason->text = vw_arena_strdup(arena, json_string_value(text));
		completeness->reasons[completeness->n_reasons++] = reason;
		if (strcmp(code, "run_deleted") != 0)
			completeness->state = (char *)"partial";
	}
}

static void set_provenance(struct vw_arena *arena, vw_record *record, const json_t *sources)
{
	const char *field;
	json_t *from;

	record->provenance = vw_arena_array(arena, json_object_size(sources), sizeof(vw_provenance *));
	json_object_foreach((json_t *)sources, field, from)
	{
		vw_provenance *provenance = vw_message_new(arena, &verifywise__v1__provenance__descriptor);
		provenance->field = vw_arena_strdup(arena, field);
		provenance->from = vw_arena_strdup(arena, json_string_value(from));
		record->provenance[record->n_provenance++] = provenance;
	}
}

vw_record *make_record(struct vw_arena *arena, const json_t *fields)
{
	vw_record *record = vw_message_new(arena, &verifywise__v1__record__descriptor);
	const char *path;
	json_t *value;

	record->model_name = (char *)"churn";
	record->version_number = (char *)"3";
	json_object_foreach((json_t *)fields, path, value)
	{
		if (strcmp(path, "reasons") == 0)
			set_reasons(arena, record, value);
		else if (strcmp(path, "provenance") == 0)
			set_provenance(arena, record, value);
		else if (strcmp(path, "stale") == 0 || strcmp(path, "stale_since_at") == 0)
			set_field(arena, &completeness_of(arena, record)->base, path, value);
		else
			set_field(arena, &record->base, path, value);
	}
	assert_false(vw_arena_failed(arena));
	return record;
}

vw_record *make_record_text(struct vw_arena *arena, const char *json)
{
	json_error_t error;
	json_t *fields = json_loads(json, JSON_REJECT_DUPLICATES, &error);

	if (!fields)
		fail_msg("%s: %s", json, error.text);
	vw_record *record = make_record(arena, fields);
	json_decref(fields);
	return record;
}

/* ---- Policies and findings ---- */

struct vw_policy *load_policy(const char *yaml)
{
	struct vw_policy *policy = NULL;
	struct vw_error err = VW_ERROR_INIT;

	if (vw_policy_load(yaml, strlen(yaml), "test.yaml", &policy, &err))
		fail_msg("%s\n%s", err.message, yaml);
	return policy;
}

vw_compliance *evaluate(const struct vw_policy *policy, const vw_record *record, int64_t now_ms,
			struct vw_arena *arena)
{
	vw_compliance *compliance = NULL;
	struct vw_error err = VW_ERROR_INIT;

	assert_int_equal(vw_policy_evaluate(policy, record, now_ms, arena, &compliance, &err), 0);
	return compliance;
}

const vw_finding *finding_of(const vw_compliance *compliance, const char *rule)
{
	for (size_t i = 0; i < compliance->n_findings; i++)
		if (strcmp(compliance->findings[i]->rule, rule) == 0)
			return compliance->findings[i];
	fail_msg("no finding of the rule '%s'", rule);
	return NULL;
}

const char *state_name(const vw_finding *finding)
{
	return vw_enum_name(&verifywise__v1__finding_state__descriptor, (int)finding->state);
}

const char *status_name(const vw_compliance *compliance)
{
	return vw_enum_name(&verifywise__v1__compliance_status__descriptor, (int)compliance->status);
}

const char *evidence_of(const vw_finding *finding, const char *field)
{
	for (size_t i = 0; i < finding->n_evidence; i++)
		if (strcmp(finding->evidence[i]->key, field) == 0)
			return finding->evidence[i]->value ? finding->evidence[i]->value : "(missing)";
	return "(none)";
}

void assert_contains(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("'%s' does not contain '%s'", text ? text : "(null)", part);
}
