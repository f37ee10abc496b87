#include "base/error.h"

#include "base/text.h"

#include "cmocka_all.h"

#include <string.h>

static void sets_and_returns(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_error_set(&err, VW_EIO, "cannot open %s: %d", "x", 3), VW_EIO);
	assert_int_equal(err.code, VW_EIO);
	assert_string_equal(err.message, "cannot open x: 3");
	assert_int_equal(vw_error_set(&err, VW_EINVAL, "other"), VW_EINVAL);
	assert_string_equal(err.message, "other");
	assert_int_equal(vw_error_set(NULL, VW_EFULL, "nobody listens"), VW_EFULL);
	assert_int_equal(vw_error_context(NULL, VW_EFULL, "nobody listens"), VW_EFULL);
}

static void puts_context_in_front(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	vw_error_set(&err, VW_ENOTFOUND, "no such run");
	assert_int_equal(vw_error_context(&err, VW_EIO, "version %d", 7), VW_ENOTFOUND);
	assert_string_equal(err.message, "version 7: no such run");
	/* nothing was said yet */
	err = (struct vw_error)VW_ERROR_INIT;
	assert_int_equal(vw_error_context(&err, VW_EIO, "version 7"), VW_EIO);
	assert_int_equal(err.code, VW_EIO);
	assert_string_equal(err.message, "version 7");
}

static void may_use_its_own_message(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	vw_error_set(&err, VW_EIO, "disk");
	vw_error_set(&err, VW_EIO, "<%s>", err.message);
	assert_string_equal(err.message, "<disk>");
}

static void cuts_at_a_character(void **state)
{
	(void)state;
	char text[2000];
	struct vw_error err = VW_ERROR_INIT;
	for (size_t lead = 0; lead < 8; lead++) {
		memset(text, 'a', lead);
		text[lead] = '\0';
		while (strlen(text) < 1500)
			strcat(text, "\U0001F916");
		vw_error_set(&err, VW_EIO, "%s", text);
		assert_true(vw_utf8_valid(err.message, strlen(err.message)));
		assert_in_range(strlen(err.message), VW_ERROR_MESSAGE_MAX - 4, VW_ERROR_MESSAGE_MAX - 1);
		assert_memory_equal(err.message, text, strlen(err.message));
		vw_error_context(&err, VW_EIO, "%s", "\u00FC");
		assert_true(vw_utf8_valid(err.message, strlen(err.message)));
		assert_memory_equal(err.message, "\u00FC: ", 4);
	}
}

static void ill_formed_text_becomes_valid(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	vw_error_set(&err, VW_EIO, "a%sb", "\xFF\xC3(\xE2\x82");
	assert_string_equal(err.message, "a?"
					 "?(?"
					 "?b"); /* in pieces: no trigraph */
	vw_error_set(&err, VW_EIO, "%s", "\xE2\x82");
	assert_string_equal(err.message, "??");
}

/* S12: what is wrong with one object does not end a cycle. */
static void dispositions(void **state)
{
	(void)state;
	static const int retry[] = {VW_EAGAIN, VW_ETIMEOUT};
	static const int skip[] = {VW_EINVAL, VW_ELIMIT, VW_ENOTFOUND, VW_EFORBIDDEN, VW_EUNSUPPORTED};
	static const int fatal[] = {VW_EAUTH, VW_ECANCELLED, VW_ENOMEM, VW_EIO, VW_EFULL, VW_ECORRUPT,
				    VW_EBUSY, VW_ECONFIG,    VW_EUSAGE, -1000,  5};
	for (size_t i = 0; i < sizeof(retry) / sizeof(retry[0]); i++)
		assert_int_equal(vw_error_disposition(retry[i]), VW_DO_RETRY);
	for (size_t i = 0; i < sizeof(skip) / sizeof(skip[0]); i++)
		assert_int_equal(vw_error_disposition(skip[i]), VW_DO_SKIP);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		assert_int_equal(vw_error_disposition(fatal[i]), VW_DO_FATAL);
}

static void each_code_has_its_name(void **state)
{
	(void)state;
	for (int a = VW_EUSAGE; a <= VW_OK; a++) {
		assert_true(vw_code_name(a)[0]);
		for (int b = VW_EUSAGE; b < a; b++)
			assert_string_not_equal(vw_code_name(a), vw_code_name(b));
	}
	assert_string_equal(vw_code_name(VW_OK), "ok");
	assert_string_equal(vw_code_name(VW_ELIMIT), "limit");
	assert_string_equal(vw_code_name(VW_EFORBIDDEN), "forbidden");
	assert_string_equal(vw_code_name(VW_ECORRUPT), "corrupt");
	assert_string_equal(vw_code_name(VW_EUSAGE), "usage");
	assert_string_equal(vw_code_name(VW_EUSAGE - 1), "unknown");
	assert_string_equal(vw_code_name(1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sets_and_returns),
	    cmocka_unit_test(puts_context_in_front),
	    cmocka_unit_test(may_use_its_own_message),
	    cmocka_unit_test(cuts_at_a_character),
	    cmocka_unit_test(ill_formed_text_becomes_valid),
	    cmocka_unit_test(dispositions),
	    cmocka_unit_test(each_code_has_its_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
