/* A message of a peer as gRPC hands it over, in pieces: the first byte says how long the pieces are. What is read does not depend on that.
 * It goes out again, too. */
#include "fleet/codec.h"

#include "proto/message.h"
#include "proto/model.h"

#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <stdlib.h>

#define PIECES 16 /* at most; the last one is as long as what is left */
#define CAP    65536

static grpc_byte_buffer *pieces_of(const uint8_t *data, size_t size, size_t length)
{
	grpc_slice slices[PIECES];
	size_t count = 0;
	while (size > 0) {
		size_t len = count < PIECES - 1 && length > 0 && length < size ? length : size;
		slices[count++] = grpc_slice_from_copied_buffer((const char *)data, len);
		data += len;
		size -= len;
	}
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(slices, count);
	while (count > 0)
		grpc_slice_unref(slices[--count]);
	return buffer;
}

static int read_buffer(grpc_byte_buffer *buffer, struct vw_arena *arena, void **out)
{
	struct vw_error err = VW_ERROR_INIT;
	int rc = vw_codec_read(buffer, CAP, &verifywise__v1__agent_message__descriptor, "fuzz", arena, out, &err);
	grpc_byte_buffer_destroy(buffer);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_begun;
	void *message, *whole, *again;
	if (!is_begun)
		grpc_init();
	is_begun = true;
	if (size == 0)
		return 0;
	struct vw_arena *arena = vw_arena_open(0);
	int rc = read_buffer(pieces_of(data + 1, size - 1, data[0]), arena, &message);
	if (read_buffer(pieces_of(data + 1, size - 1, 0), arena, &whole) != rc)
		abort();
	if (rc == 0)
		read_buffer(vw_codec_write(message), arena, &again); /* whether it reads the same: message_fuzz.c */
	vw_arena_close(arena);
	return 0;
}
