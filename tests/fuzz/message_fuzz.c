/* Each message that crosses the wire, picked by the first byte: unpacked, packed and unpacked again, and shown as JSON. */
#include "base/json.h"
#include "proto/message.h"
#include "proto/model.h"

#include <stdlib.h>
#include <string.h>

static const ProtobufCMessageDescriptor *type_of(uint8_t byte)
{
	switch (byte) {
	case 'a':
		return &verifywise__v1__agent_message__descriptor;
	case 'c':
		return &verifywise__v1__controller_message__descriptor;
	case 'e':
		return &verifywise__v1__enroll_request__descriptor;
	case 'r':
		return &verifywise__v1__renew_request__descriptor;
	case 'b':
		return &verifywise__v1__renew_body__descriptor;
	case 'i':
		return &verifywise__v1__enroll_response__descriptor;
	default:
		return NULL;
	}
}

static void show(const ProtobufCMessage *message)
{
	struct vw_json_writer w;
	struct vw_buffer text;
	vw_buffer_init(&text, 0);
	vw_json_writer_init(&w, &text, 0);
	vw_message_json(&w, message);
	vw_buffer_reset(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const ProtobufCMessageDescriptor *type = size ? type_of(data[0]) : NULL;
	struct vw_arena *arena = type ? vw_arena_open(0) : NULL;
	struct vw_error err = VW_ERROR_INIT;
	void *message, *again;
	size_t len, second_len;
	if (arena && vw_message_unpack(arena, type, data + 1, size - 1, "fuzz", &message, &err) == 0) {
		show(message);
		/* a newer minor version's fields are kept, so nothing gets lost on the way through */
		const uint8_t *packed = vw_message_pack(arena, message, &len);
		if (!packed)
			abort();
		/* protobuf-c takes a field number 0 in two bytes, and not in the one in which it writes it */
		if (vw_message_unpack(arena, type, packed, len, "fuzz", &again, &err) == 0) {
			const uint8_t *second = vw_message_pack(arena, again, &second_len);
			if (!second || second_len != len || memcmp(packed, second, len) != 0)
				abort();
		}
	}
	vw_arena_close(arena);
	return 0;
}
