/* peek.h: which member a message has, wherever its bytes are cut; never beyond them. */
#include "peek.h"

#include "base/error.h"
#include "base/limits.h"
#include "proto/model.h"

#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

/* In every way to cut it into two slices, and with an empty one between. */
static int peek(const void *bytes, size_t len)
{
	int first = 0;
	for (size_t cut = 0; cut <= len; cut++) {
		grpc_slice slices[3] = {grpc_slice_from_copied_buffer(bytes, cut), grpc_empty_slice(),
					grpc_slice_from_copied_buffer((const char *)bytes + cut, len - cut)};
		int body = vw_peek_body(slices, 3);
		if (cut == 0)
			first = body;
		assert_int_equal(body, first);
		for (int i = 0; i < 3; i++)
			grpc_slice_unref(slices[i]);
	}
	return first;
}

static void each_member_is_seen(void **state)
{
	(void)state;
	for (int body = 1; body <= 7; body++) {
		char bytes[] = {(char)(body << 3 | 2), 0};
		assert_int_equal(peek(bytes, 2), body);
	}
}

static void a_packed_message_is_seen(void **state)
{
	vw_agent_message message = VERIFYWISE__V1__AGENT_MESSAGE__INIT;
	vw_heartbeat heartbeat = VERIFYWISE__V1__HEARTBEAT__INIT;
	uint8_t bytes[64];
	(void)state;
	heartbeat.has_sent_at = 1;
	heartbeat.sent_at = 1700000000000;
	message.body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_HEARTBEAT;
	message.heartbeat = &heartbeat;
	size_t len = verifywise__v1__agent_message__pack(&message, bytes);
	assert_int_equal(peek(bytes, len), 4);
}

static void the_last_member_counts(void **state)
{
	(void)state;
	assert_int_equal(peek("\x0a\x00\x12\x01x", 5), 2);
	assert_int_equal(peek("\x12\x01x\x0a\x00", 5), 1);
}

static void unknown_fields_pass(void **state)
{
	(void)state;
	assert_int_equal(peek("", 0), 0);
	assert_int_equal(peek("\x42\x01x", 3), 0);            /* 8 */
	assert_int_equal(peek("\x40\x96\x01\x12\x00", 5), 2); /* 8: a number */
	assert_int_equal(peek("\x41"
			      "abcdefgh"
			      "\x12\x00",
			      11),
			 2); /* 8: 64 bits */
	assert_int_equal(peek("\x45"
			      "abcd"
			      "\x12\x00",
			      7),
			 2);                                   /* 8: 32 bits */
	assert_int_equal(peek("\xc2\x3e\x01x\x12\x00", 6), 2); /* 1000 */
	assert_int_equal(peek("\x10\x05", 2), 0);              /* 2, but no message */
}

static void garbage_is_refused(void **state)
{
	(void)state;
	assert_int_equal(peek("\x12", 1), VW_EINVAL);      /* no length */
	assert_int_equal(peek("\x12\x05x", 3), VW_EINVAL); /* longer than what is there */
	assert_int_equal(peek("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", 12), VW_EINVAL);
	assert_int_equal(peek("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11), VW_EINVAL); /* 65 bits */
	assert_int_equal(peek("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12), VW_EINVAL);
	assert_int_equal(peek("\x02\x00", 2), VW_EINVAL); /* field 0 */
	assert_int_equal(peek("\x0b\x0c", 2), VW_EINVAL); /* a group */
	assert_int_equal(peek("\x0e", 1), VW_EINVAL);     /* no such type */
	assert_int_equal(peek("\x41x", 2), VW_EINVAL);
	assert_int_equal(peek("\x45x", 2), VW_EINVAL);
	assert_int_equal(peek("\xfa\xff\xff\xff\xff\x01\x00", 7), VW_EINVAL); /* a number beyond 29 bits */
	assert_int_equal(peek("GET / HTTP/1.1\r\n", 16), VW_EINVAL);
}

/* Two bytes each: 18 MiB of them would keep the loop busy for long. */
static void fields_are_counted(void **state)
{
	char bytes[2 * (VW_MAX_MESSAGE_FIELDS + 1)];
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i += 2)
		memcpy(bytes + i, "\x12", 2);
	assert_int_equal(peek(bytes, sizeof(bytes) - 2), 2);
	assert_int_equal(peek(bytes, sizeof(bytes)), VW_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_member_is_seen),    cmocka_unit_test(a_packed_message_is_seen),
	    cmocka_unit_test(the_last_member_counts), cmocka_unit_test(unknown_fields_pass),
	    cmocka_unit_test(garbage_is_refused),     cmocka_unit_test(fields_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
