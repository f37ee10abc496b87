#include "fields.h"

#include "base/json.h"
#include "base/limits.h"
#include "mlflow/client.h"
#include "proto/message.h"

#include <string.h>

char *vw_fields_text(struct vw_fields *in, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	if (!value || json_is_null(value))
		return NULL;
	if (json_is_string(value) && json_string_length(value) > VW_MAX_VALUE) {
		in->flaws |= VW_FLAW_CUT;
		return NULL;
	}
	if (!json_is_string(value) && !json_is_number(value)) {
		in->flaws |= VW_FLAW_UNREADABLE;
		return NULL;
	}
	return vw_json_text(in->arena, object, key);
}

/* How many of an array's entries are looked at. */
static size_t usable_entries(struct vw_fields *in, const json_t *object, const char *key)
{
	const json_t *array = json_object_get(object, key);
	if (!array || json_is_null(array))
		return 0;
	if (!json_is_array(array)) {
		in->flaws |= VW_FLAW_UNREADABLE;
		return 0;
	}
	if (json_array_size(array) > VW_MAX_ENTRIES) {
		in->flaws |= VW_FLAW_CUT;
		return VW_MAX_ENTRIES;
	}
	return json_array_size(array);
}

/* An entry's first field is its key. A map's value that the server left out is empty; one that was not taken is no value. */
static bool entry_complete(ProtobufCMessage *message, unsigned flaws)
{
	static char empty[] = "";
	const ProtobufCFieldDescriptor *first = &message->descriptor->fields[0];
	if (!*(char **)(void *)((char *)message + first->offset))
		return false;
	if (message->descriptor == &verifywise__v1__metric__descriptor)
		return ((const vw_metric *)(const void *)message)->has_value;
	if (message->descriptor != &verifywise__v1__key_value__descriptor)
		return true;
	vw_key_value *entry = (vw_key_value *)(void *)message;
	if (!entry->value && flaws == 0)
		entry->value = empty;
	return entry->value;
}

void vw_fields_list(struct vw_fields *in, const json_t *object, const char *key,
		    const ProtobufCMessageDescriptor *type, vw_fields_fill fill, size_t *out_count, void *out_list)
{
	size_t count = usable_entries(in, object, key);
	const json_t *array = json_object_get(object, key);
	ProtobufCMessage **list = count ? vw_arena_array(in->arena, count, sizeof(*list)) : NULL;
	size_t kept = 0;

	for (size_t i = 0; list && i < count; i++) {
		struct vw_fields entry = {in->arena, 0};
		ProtobufCMessage *message = vw_message_new(in->arena, type);
		if (!message)
			break;
		(fill ? fill : vw_fields_read)(&entry, json_array_get(array, i), message);
		if (entry_complete(message, entry.flaws))
			list[kept++] = message;
		else if (entry.flaws == 0)
			entry.flaws = VW_FLAW_UNREADABLE;
		in->flaws |= entry.flaws;
	}
	*out_count = kept;
	memcpy(out_list, &list, sizeof(void *));
}

void vw_fields_texts(struct vw_fields *in, const json_t *object, const char *key, const char *inner,
		     size_t *out_count, char ***out_list)
{
	size_t count = usable_entries(in, object, key);
	const json_t *array = json_object_get(object, key);
	char **list = count ? vw_arena_array(in->arena, count, sizeof(*list)) : NULL;
	size_t kept = 0;

	for (size_t i = 0; list && i < count; i++) {
		const json_t *value = json_array_get(array, i);
		if (inner)
			value = json_object_get(value, inner);
		size_t len = json_string_length(value);
		if (!json_is_string(value))
			in->flaws |= VW_FLAW_UNREADABLE;
		else if (len > VW_MAX_VALUE)
			in->flaws |= VW_FLAW_CUT;
		else if ((list[kept] = vw_arena_strndup(in->arena, json_string_value(value), len)))
			kept++;
	}
	*out_count = kept;
	*out_list = list;
}

/* ---- a message's fields by its descriptor ---- */

static void read_number(struct vw_fields *in, const json_t *object, const ProtobufCFieldDescriptor *field,
			void *member, protobuf_c_boolean *has)
{
	bool good = field->type == PROTOBUF_C_TYPE_DOUBLE ? vw_json_double(object, field->name, member)
							  : vw_json_int64(object, field->name, member);
	if (good)
		*has = 1;
	else
		in->flaws |= VW_FLAW_UNREADABLE;
}

static void read_list(struct vw_fields *in, const json_t *object, const ProtobufCFieldDescriptor *field, void *member,
		      size_t *count)
{
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		vw_fields_list(in, object, field->name, field->descriptor, NULL, count, member);
	else
		vw_fields_texts(in, object, field->name, NULL, count, member);
}

void vw_fields_read(struct vw_fields *in, const json_t *object, ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;

	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		const json_t *value = json_object_get(object, field->name);
		void *member = (char *)message + field->offset;
		void *quantifier = (char *)message + field->quantifier_offset;
		if (!value || json_is_null(value))
			continue;
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			read_list(in, object, field, member, quantifier);
		else if (field->type == PROTOBUF_C_TYPE_STRING)
			*(char **)member = vw_fields_text(in, object, field->name);
		else if (field->type == PROTOBUF_C_TYPE_INT64 || field->type == PROTOBUF_C_TYPE_DOUBLE)
			read_number(in, object, field, member, quantifier);
	}
}
