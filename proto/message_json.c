/* Any message as JSON, in the conventions of record.proto. */
#include "base/digest.h"
#include "descriptor.h"
#include "proto/message.h"
#include "proto/model.h"

#include <stdlib.h>
#include <string.h>

static void put_bytes(struct vw_json_writer *w, const ProtobufCBinaryData *bytes, bool as_hex)
{
	size_t size = as_hex ? 2 * bytes->len + 1 : 4 * ((bytes->len + 2) / 3) + 1;
	char *text = malloc(size);

	if (!text) {
		w->out->error = VW_ENOMEM;
		return;
	}
	if (as_hex)
		vw_hex_encode(bytes->data, bytes->len, text);
	else
		vw_base64_encode(bytes->data, bytes->len, text);
	vw_json_put_text(w, text);
	free(text);
}

static void put_number(struct vw_json_writer *w, const ProtobufCFieldDescriptor *field, const void *value)
{
	int64_t whole;
	double real;

	if (field->type == PROTOBUF_C_TYPE_BOOL)
		vw_json_put_bool(w, *(const protobuf_c_boolean *)value != 0);
	else if (value_double(field, value, &real))
		vw_json_put_double(w, real);
	else if (!value_int64(field, value, &whole))
		vw_json_put_uint64(w, *(const uint64_t *)value);
	else if (field_is_time(field))
		vw_json_put_time(w, whole);
	else if (field->type == PROTOBUF_C_TYPE_ENUM)
		vw_json_put_text(w, vw_enum_name(field->descriptor, (int)whole));
	else
		vw_json_put_int64(w, whole);
}

static void put_value(struct vw_json_writer *w, const ProtobufCFieldDescriptor *field, const void *value)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		vw_json_put_text(w, value_text(value));
		return;
	case PROTOBUF_C_TYPE_BYTES:
		put_bytes(w, value_bytes(value), field_is_digest(field));
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		vw_message_json(w, value_message(value));
		return;
	default:
		put_number(w, field, value);
	}
}

static void put_map(struct vw_json_writer *w, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	size_t count = field_count(message, field);

	vw_json_begin_object(w);
	for (size_t i = 0; i < count; i++) {
		const vw_key_value *entry = (const vw_key_value *)value_message(field_value(message, field, i));
		vw_json_key(w, entry->key ? entry->key : "");
		vw_json_put_text(w, entry->value);
	}
	vw_json_end_object(w);
}

static void put_list(struct vw_json_writer *w, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	size_t count = field_count(message, field);

	vw_json_begin_array(w);
	for (size_t i = 0; i < count; i++)
		put_value(w, field, field_value(message, field, i));
	vw_json_end_array(w);
}

static void put_field(struct vw_json_writer *w, const ProtobufCMessage *message,
		      const ProtobufCFieldDescriptor *field)
{
	bool missing = field_count(message, field) == 0;

	if (missing && field_is_choice(field))
		return;
	vw_json_key(w, field->name);
	if (field_is_map(field))
		put_map(w, message, field);
	else if (field->label == PROTOBUF_C_LABEL_REPEATED)
		put_list(w, message, field);
	else if (missing)
		vw_json_put_null(w);
	else
		put_value(w, field, field_value(message, field, 0));
}

static bool is_named(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

void vw_message_json_fields_but(struct vw_json_writer *w, const ProtobufCMessage *message, const char *const *hidden)
{
	for (unsigned i = 0; i < message->descriptor->n_fields; i++)
		if (!is_named(hidden, message->descriptor->fields[i].name))
			put_field(w, message, &message->descriptor->fields[i]);
}

void vw_message_json_fields(struct vw_json_writer *w, const ProtobufCMessage *message)
{
	static const char *const none[] = {NULL};
	vw_message_json_fields_but(w, message, none);
}

void vw_message_json(struct vw_json_writer *w, const ProtobufCMessage *message)
{
	if (!message) {
		vw_json_put_null(w);
		return;
	}
	vw_json_begin_object(w);
	vw_message_json_fields(w, message);
	vw_json_end_object(w);
}
