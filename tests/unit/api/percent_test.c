/* Percent-encoding and queries. */
#include "cmocka_all.h"
#include "percent.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>

static int open_arena(void **state)
{
	*state = vw_arena_open(0);
	return 0;
}

static int close_arena(void **state)
{
	vw_arena_close(*state);
	return 0;
}

static void decodes(void **state)
{
	struct vw_arena *arena = *state;
	assert_string_equal(percent_decode(arena, "abc", 3, false), "abc");
	assert_string_equal(percent_decode(arena, "a%2Fb%20c", 9, false), "a/b c");
	assert_string_equal(percent_decode(arena, "a+b", 3, true), "a b");
	assert_string_equal(percent_decode(arena, "a+b", 3, false), "a+b");
	assert_string_equal(percent_decode(arena, "%2B%2b", 6, true), "++");
	assert_string_equal(percent_decode(arena, "%C3%BC", 6, false), "\xC3\xBC");
	assert_string_equal(percent_decode(arena, "", 0, false), "");
	assert_string_equal(percent_decode(arena, "ab%", 2, false), "ab");
}

static void refuses_what_cannot_be_decoded(void **state)
{
	static const char *const bad[] = {"%", "%2", "%zz", "%2x", "a%", "%00", "%ff", "%C3", "%C0%AF", "%ED%A0%80"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(percent_decode(*state, bad[i], strlen(bad[i]), false));
}

static size_t parse(void **state, const char *text, struct api_parameter *out)
{
	struct vw_error err = VW_ERROR_INIT;
	size_t count = 99;
	assert_int_equal(query_parse(*state, text, out, &count, &err), 0);
	return count;
}

static void reads_queries(void **state)
{
	struct api_parameter p[API_PARAMETERS];
	assert_int_equal(parse(state, NULL, p), 0);
	assert_int_equal(parse(state, "", p), 0);
	assert_int_equal(parse(state, "&&", p), 0);
	assert_int_equal(parse(state, "a=1&b=two%20words&c&d=&e==", p), 5);
	assert_string_equal(p[0].name, "a");
	assert_string_equal(p[0].value, "1");
	assert_string_equal(p[1].value, "two words");
	assert_string_equal(p[2].name, "c");
	assert_string_equal(p[2].value, "");
	assert_string_equal(p[3].value, "");
	assert_string_equal(p[4].value, "=");
	assert_int_equal(parse(state, "%61=%26", p), 1);
	assert_string_equal(p[0].name, "a");
	assert_string_equal(p[0].value, "&");
}

static void refuse(void **state, const char *text, const char *says)
{
	struct vw_error err = VW_ERROR_INIT;
	struct api_parameter p[API_PARAMETERS];
	size_t count;
	assert_int_equal(query_parse(*state, text, p, &count, &err), VW_EINVAL);
	if (!strstr(err.message, says))
		fail_msg("%s", err.message);
}

static void refuses_queries(void **state)
{
	char long_one[VW_MAX_QUERY + 8] = "a=", many[API_PARAMETERS * 8 + 8] = "";
	refuse(state, "a=%zz", "percent-encoded");
	refuse(state, "a=1&%=2", "percent-encoded");
	refuse(state, "a=1&a=2", "twice");
	refuse(state, "a=1&%61=2", "twice");
	refuse(state, "=1", "without a name");
	memset(long_one + 2, 'x', VW_MAX_QUERY);
	struct api_parameter p[API_PARAMETERS];
	assert_int_equal(parse(state, long_one, p), 1);
	long_one[2 + VW_MAX_QUERY] = 'x';
	refuse(state, long_one, "VW_MAX_QUERY");
	for (int i = 0; i < API_PARAMETERS + 1; i++)
		snprintf(many + strlen(many), 8, "p%d=&", i);
	refuse(state, many, "more than");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(decodes, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(refuses_what_cannot_be_decoded, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(reads_queries, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(refuses_queries, open_arena, close_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
