#include "fleet/codec.h"

#include "proto/message.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <string.h>

grpc_byte_buffer *vw_codec_write(const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	grpc_slice slice = grpc_slice_malloc(len);
	protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

/* All bytes in one piece: those of the buffer itself when it has one slice, else a copy in the arena. */
static int collect(grpc_byte_buffer_reader *reader, size_t len, struct vw_arena *arena, const uint8_t **out,
		   const char *what, struct vw_error *err)
{
	grpc_slice *slice;
	if (!grpc_byte_buffer_reader_peek(reader, &slice)) {
		*out = NULL;
		return 0;
	}
	if (GRPC_SLICE_LENGTH(*slice) == len) {
		*out = GRPC_SLICE_START_PTR(*slice);
		return 0;
	}
	uint8_t *copy = vw_arena_alloc(arena, len);
	if (!copy)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory for %zu bytes", what, len);
	size_t at = 0;
	do {
		memcpy(copy + at, GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
		at += GRPC_SLICE_LENGTH(*slice);
	} while (grpc_byte_buffer_reader_peek(reader, &slice));
	*out = copy;
	return 0;
}

int vw_codec_read(grpc_byte_buffer *buffer, size_t cap, const ProtobufCMessageDescriptor *type, const char *what,
		  struct vw_arena *arena, void **out_message, struct vw_error *err)
{
	grpc_byte_buffer_reader reader;
	const uint8_t *bytes = NULL;
	size_t len = grpc_byte_buffer_length(buffer);
	if (len > cap)
		return vw_error_set(err, VW_ELIMIT, "%s: %zu bytes; at most %zu are read", what, len, cap);
	/* gRPC has undone the compression that it was told of; what is compressed still was meant for someone else */
	if (buffer->type != GRPC_BB_RAW || buffer->data.raw.compression != GRPC_COMPRESS_NONE)
		return vw_error_set(err, VW_EINVAL, "%s: compressed", what);
	if (!grpc_byte_buffer_reader_init(&reader, buffer))
		return vw_error_set(err, VW_EINVAL, "%s: cannot be read", what);
	int rc = collect(&reader, len, arena, &bytes, what, err);
	if (rc == 0)
		rc = vw_message_unpack(arena, type, bytes, len, what, out_message, err);
	grpc_byte_buffer_reader_destroy(&reader);
	/* nothing of ours is damaged: these bytes are a peer's */
	return rc == VW_ECORRUPT ? vw_error_set(err, VW_EINVAL, "%s", err ? err->message : "") : rc;
}
