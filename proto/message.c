/* Messages made, packed and unpacked. */
#include "proto/message.h"

#include "base/digest.h"
#include "base/limits.h"
#include "descriptor.h"

#include <stdlib.h>

void *vw_message_new(struct vw_arena *arena, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *message = vw_arena_alloc(arena, type->sizeof_message);

	if (message)
		protobuf_c_message_init(type, message);
	return message;
}

uint8_t *vw_message_pack(struct vw_arena *arena, const ProtobufCMessage *message, size_t *out_len)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = vw_arena_alloc(arena, len ? len : 1);

	if (bytes)
		*out_len = protobuf_c_message_pack(message, bytes);
	return bytes;
}

int vw_message_sha256(const ProtobufCMessage *message, uint8_t out[32])
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = malloc(len ? len : 1);

	if (!bytes)
		return VW_ENOMEM;
	protobuf_c_message_pack(message, bytes);
	vw_sha256_of(bytes, len, out);
	free(bytes);
	return 0;
}

/* The first repeated field with too many elements, or NULL. Recursion ends with the schema, which has no cycles. */
static const ProtobufCFieldDescriptor *overfull_field(const ProtobufCMessage *message)
{
	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		size_t count = field_count(message, field);
		if (count > VW_MAX_ENTRIES)
			return field;
		for (size_t j = 0; field->type == PROTOBUF_C_TYPE_MESSAGE && j < count; j++) {
			const ProtobufCFieldDescriptor *inner =
			    overfull_field(value_message(field_value(message, field, j)));
			if (inner)
				return inner;
		}
	}
	return NULL;
}

int vw_message_unpack(struct vw_arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
		      size_t len, const char *what, void **out_message, struct vw_error *err)
{
	ProtobufCMessage *message = protobuf_c_message_unpack(type, vw_arena_allocator(arena), len, bytes);

	if (!message && vw_arena_failed(arena))
		return vw_error_set(err, VW_ELIMIT, "%s: no room to unpack %zu bytes (VW_MAX_ARENA)", what, len);
	if (!message)
		return vw_error_set(err, VW_ECORRUPT, "%s: %zu bytes are not a packed %s", what, len,
				    type->short_name);
	const ProtobufCFieldDescriptor *overfull = overfull_field(message);
	if (overfull)
		return vw_error_set(err, VW_ELIMIT, "%s: more than %d elements in '%s' (VW_MAX_ENTRIES)", what,
				    VW_MAX_ENTRIES, overfull->name);
	*out_message = message;
	return 0;
}
