/* codec.h: messages in gRPC's buffers, whatever pieces they come in. */
#include "fixture.h"

#include "fleet/codec.h"
#include "proto/message.h"
#include "proto/model.h"

#include <grpc/grpc.h>

static struct vw_error err;

static vw_agent_message *hello(const char *hostname)
{
	vw_agent_message *message = vw_message_new(arena, &verifywise__v1__agent_message__descriptor);
	message->body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_HELLO;
	message->hello = vw_message_new(arena, &verifywise__v1__hello__descriptor);
	message->hello->hostname = vw_arena_strdup(arena, hostname);
	return message;
}

static int read_hello(grpc_byte_buffer *buffer, size_t cap, void **out)
{
	return vw_codec_read(buffer, cap, &verifywise__v1__agent_message__descriptor, "message", arena, out, &err);
}

static void test_written_and_read(void **state)
{
	void *read;
	(void)state;
	grpc_byte_buffer *buffer = vw_codec_write(&hello("here")->base);
	size_t len = grpc_byte_buffer_length(buffer);
	assert_ok(read_hello(buffer, len, &read), err);
	/* the message has its own bytes */
	grpc_byte_buffer_destroy(buffer);
	assert_string_equal(((vw_agent_message *)read)->hello->hostname, "here");
}

static void test_an_empty_message(void **state)
{
	vw_agent_message empty = VERIFYWISE__V1__AGENT_MESSAGE__INIT;
	void *read;
	(void)state;
	grpc_byte_buffer *buffer = vw_codec_write(&empty.base);
	assert_int_equal(grpc_byte_buffer_length(buffer), 0);
	assert_ok(read_hello(buffer, 10, &read), err);
	assert_int_equal(((vw_agent_message *)read)->body_case, VERIFYWISE__V1__AGENT_MESSAGE__BODY__NOT_SET);
	grpc_byte_buffer_destroy(buffer);
	buffer = grpc_raw_byte_buffer_create(NULL, 0);
	assert_ok(read_hello(buffer, 10, &read), err);
	grpc_byte_buffer_destroy(buffer);
}

/* A buffer of these bytes in slices of `step`, with an empty one between. */
static grpc_byte_buffer *in_pieces(const uint8_t *bytes, size_t len, size_t step)
{
	grpc_slice slices[64];
	size_t count = 0;
	for (size_t at = 0; at < len && count < 62; at += step) {
		slices[count++] =
		    grpc_slice_from_copied_buffer((const char *)bytes + at, len - at < step ? len - at : step);
		slices[count++] = grpc_empty_slice();
	}
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(slices, count);
	for (size_t i = 0; i < count; i++)
		grpc_slice_unref(slices[i]);
	return buffer;
}

static void test_in_pieces(void **state)
{
	size_t len;
	uint8_t *packed = vw_message_pack(arena, &hello("a host with a name of some length")->base, &len);
	(void)state;
	for (size_t step = 2; step <= len; step++) {
		void *read;
		grpc_byte_buffer *buffer = in_pieces(packed, len, step);
		assert_int_equal(grpc_byte_buffer_length(buffer), len);
		assert_ok(read_hello(buffer, len, &read), err);
		assert_string_equal(((vw_agent_message *)read)->hello->hostname, "a host with a name of some length");
		assert_fails(read_hello(buffer, len - 1, &read), VW_ELIMIT, err, "at most");
		grpc_byte_buffer_destroy(buffer);
	}
}

static void test_what_is_refused(void **state)
{
	void *read = NULL;
	(void)state;
	grpc_slice slice = grpc_slice_from_static_string("\xff\xff");
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
	assert_fails(read_hello(buffer, 10, &read), VW_EINVAL, err, "not a packed AgentMessage");
	assert_int_equal(read_hello(buffer, 10, &read), VW_EINVAL);
	grpc_byte_buffer_destroy(buffer);
	buffer = grpc_raw_compressed_byte_buffer_create(&slice, 1, GRPC_COMPRESS_GZIP);
	assert_fails(read_hello(buffer, 10, &read), VW_EINVAL, err, "compressed");
	grpc_byte_buffer_destroy(buffer);
	assert_null(read);
	/* no memory for the pieces, or for the message */
	size_t len;
	struct vw_arena *small = vw_arena_open(16), *own = arena;
	uint8_t *packed = vw_message_pack(arena, &hello("a host with a name of some length")->base, &len);
	for (size_t step = 10; step <= len; step += len - 10) {
		buffer = in_pieces(packed, len, step);
		arena = small;
		assert_int_not_equal(read_hello(buffer, len, &read), 0);
		arena = own;
		grpc_byte_buffer_destroy(buffer);
	}
	vw_arena_close(small);
}

static int enter(void **state)
{
	grpc_init();
	return enter_folder(state);
}

static int leave(void **state)
{
	grpc_shutdown();
	return leave_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_written_and_read),
	    cmocka_unit_test(test_an_empty_message),
	    cmocka_unit_test(test_in_pieces),
	    cmocka_unit_test(test_what_is_refused),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
