/* How protobuf-c lays out a message. */
#include "descriptor.h"

#include "proto/model.h"

#include <string.h>

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);
	return len >= tail && strcmp(name + len - tail, suffix) == 0;
}

bool field_is_map(const ProtobufCFieldDescriptor *field)
{
	return field->label == PROTOBUF_C_LABEL_REPEATED && field->type == PROTOBUF_C_TYPE_MESSAGE &&
	       field->descriptor == &verifywise__v1__key_value__descriptor;
}

bool field_is_time(const ProtobufCFieldDescriptor *field)
{
	return field->type == PROTOBUF_C_TYPE_INT64 &&
	       (has_suffix(field->name, "_at") || has_suffix(field->name, "_not_after") ||
		strcmp(field->name, "at") == 0 || strcmp(field->name, "since") == 0 ||
		strcmp(field->name, "timestamp") == 0);
}

bool field_is_digest(const ProtobufCFieldDescriptor *field)
{
	return field->type == PROTOBUF_C_TYPE_BYTES &&
	       (has_suffix(field->name, "_sha256") || strcmp(field->name, "sha256") == 0);
}

bool field_is_choice(const ProtobufCFieldDescriptor *field)
{
	return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(int64_t);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return sizeof(int32_t); /* 32-bit numbers and enums */
	}
}

static const void *member(const ProtobufCMessage *message, size_t offset)
{
	return (const char *)message + offset;
}

size_t field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const void *quantifier = member(message, field->quantifier_offset);

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)quantifier;
	if (field_is_choice(field) && *(const uint32_t *)quantifier != field->id)
		return 0;
	if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(const void *const *)member(message, field->offset) != NULL;
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL && !field_is_choice(field))
		return *(const protobuf_c_boolean *)quantifier != 0;
	return 1;
}

const void *field_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t index)
{
	const void *value = member(message, field->offset);

	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return value;
	return *(const char *const *)value + index * value_size(field->type);
}

const char *value_text(const void *value)
{
	return *(const char *const *)value;
}

const ProtobufCMessage *value_message(const void *value)
{
	return *(const ProtobufCMessage *const *)value;
}

const ProtobufCBinaryData *value_bytes(const void *value)
{
	return value;
}

bool value_int64(const ProtobufCFieldDescriptor *field, const void *value, int64_t *out)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		*out = *(const int64_t *)value;
		return true;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		*out = *(const int64_t *)value;
		return *out >= 0;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		*out = *(const int32_t *)value;
		return true;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		*out = *(const uint32_t *)value;
		return true;
	case PROTOBUF_C_TYPE_BOOL:
		*out = *(const protobuf_c_boolean *)value != 0;
		return true;
	default:
		return false;
	}
}

bool value_double(const ProtobufCFieldDescriptor *field, const void *value, double *out)
{
	if (field->type == PROTOBUF_C_TYPE_DOUBLE)
		*out = *(const double *)value;
	else if (field->type == PROTOBUF_C_TYPE_FLOAT)
		*out = (double)*(const float *)value;
	else
		return false;
	return true;
}
