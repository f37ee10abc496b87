/* message.h: rejections say what they are, and texts of peers are UTF-8 of bounded length. */
#include "message.h"

#include "base/limits.h"
#include "fleet/codec.h"

#include "cmocka_all.h"

#include <string.h>

static struct vw_arena *arena;

static vw_controller_message *read_back(grpc_byte_buffer *buffer)
{
	struct vw_error err = VW_ERROR_INIT;
	void *message = NULL;
	assert_non_null(buffer);
	assert_int_equal(vw_codec_read(buffer, VW_MAX_FLEET_CONTROL, &verifywise__v1__controller_message__descriptor,
				       "message", arena, &message, &err),
			 0);
	grpc_byte_buffer_destroy(buffer);
	return message;
}

static void a_rejection_is_typed(void **state)
{
	(void)state;
	vw_controller_message *message = read_back(vw_message_rejection(VW_REJECTION_CLOCK_SKEW, "by far", 77, 5000));
	assert_int_equal(message->body_case, VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_REJECTION);
	assert_int_equal(message->rejection->reason, VW_REJECTION_CLOCK_SKEW);
	assert_string_equal(message->rejection->text, "by far");
	assert_int_equal(message->rejection->server_time, 77);
	assert_int_equal(message->rejection->retry_after_ms, 5000);
	message = read_back(vw_message_rejection(VW_REJECTION_REVOKED, NULL, 77, 0));
	assert_string_equal(message->rejection->text, vw_rejection_text(VW_REJECTION_REVOKED));
	assert_false(message->rejection->has_retry_after_ms);
}

static void each_reason_has_words(void **state)
{
	(void)state;
	for (int reason = VW_REJECTION_UNKNOWN_AGENT; reason <= VW_REJECTION_OVERLOADED; reason++) {
		assert_string_not_equal(vw_rejection_text(reason), "refused");
		assert_string_not_equal(vw_rejection_name(reason), "unknown");
		assert_int_not_equal(vw_rejection_status(reason), GRPC_STATUS_OK);
	}
	assert_string_equal(vw_rejection_text(0), "refused");
	assert_string_equal(vw_rejection_text(99), "refused");
	assert_string_equal(vw_rejection_name(VW_REJECTION_TENANT_DISABLED), "tenant_disabled");
}

static void the_others_are_what_they_are(void **state)
{
	(void)state;
	assert_int_equal(read_back(vw_message_reconnect(9, "age"))->reconnect->after_ms, 9);
	assert_int_equal(read_back(vw_message_resume(41))->resume->sequence, 41);
}

static void texts_are_looked_at(void **state)
{
	char good[] = "policy", bad[] = "\xff", host[] = "h\xc3\xb6st", cut[] = "cut \xc3",
	     surrogate[] = "\xed\xa0\x80";
	char *words[] = {good, bad};
	vw_secret_held held = VERIFYWISE__V1__SECRET_HELD__INIT, *secrets[] = {&held};
	vw_hello hello = VERIFYWISE__V1__HELLO__INIT;
	vw_agent_message message = VERIFYWISE__V1__AGENT_MESSAGE__INIT;
	(void)state;
	message.body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_HELLO;
	message.hello = &hello;
	hello.hostname = host;
	hello.capabilities = words;
	hello.n_capabilities = 1;
	hello.secrets = secrets;
	hello.n_secrets = 1;
	assert_true(vw_message_texts_valid(&message.base, 6));
	assert_false(vw_message_texts_valid(&message.base, 5)); /* "policy" */
	hello.n_capabilities = 2;
	assert_false(vw_message_texts_valid(&message.base, 100));
	hello.n_capabilities = 1;
	held.name = cut;
	assert_false(vw_message_texts_valid(&message.base, 100));
	held.name = NULL;
	hello.hostname = surrogate;
	assert_false(vw_message_texts_valid(&message.base, 100));
}

static int begin(void **state)
{
	(void)state;
	arena = vw_arena_open(0);
	return arena ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	vw_arena_close(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_rejection_is_typed),
	    cmocka_unit_test(each_reason_has_words),
	    cmocka_unit_test(the_others_are_what_they_are),
	    cmocka_unit_test(texts_are_looked_at),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
