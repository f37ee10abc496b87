/* Bounded patterns and globs. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vw_pattern *opened(const char *text)
{
	struct vw_pattern *p = NULL;
	struct vw_error err = VW_ERROR_INIT;
	if (vw_pattern_open(text, &p, &err))
		fail_msg("%s", err.message);
	return p;
}

static void check_match(const char *pattern, const char *text, int expected)
{
	struct vw_pattern *p = opened(pattern);
	assert_int_equal(vw_pattern_match(p, text), expected);
	vw_pattern_close(p);
}

static void test_match(void **state)
{
	(void)state;
	check_match("^(high|limited)$", "high", 1);
	check_match("^(high|limited)$", "higher", 0);
	check_match("a.c", "xxabcxx", 1);
	check_match("(?i)gdpr", "The GDPR applies", 1);
	check_match("^.$", "\xc3\xa9", 1); /* one character, two bytes */
	check_match("", "", 1);
	check_match("\\bPII\\b", "has PII.", 1);
	check_match("(a)(b)(c)", "abc", 1); /* more groups than we keep */
	check_match("b",
		    "a\xff"
		    "b",
		    1); /* ill-formed text is still looked at */
	check_match("^x.y$", "x\xffy", 0);
}

static void refused(const char *text, int code, const char *part)
{
	struct vw_pattern *p = NULL;
	struct vw_error err = VW_ERROR_INIT;

	if (vw_pattern_open(text, &p, &err) != code)
		fail_msg("not refused: %s", text);
	assert_null(p);
	if (!strstr(err.message, part))
		fail_msg("%s: '%s' lacks '%s'", text, err.message, part);
	assert_int_equal(vw_pattern_open(text, &p, NULL), code);
}

static void test_refuses(void **state)
{
	(void)state;
	refused("a(", VW_ECONFIG, "offset 2: missing closing parenthesis");
	refused("[z-a]", VW_ECONFIG, "out of order");
	refused("\xff", VW_ECONFIG, "UTF-8");
	refused("ab(?=c)", VW_ECONFIG, "offset 2: a look-around");
	refused("(?!c)", VW_ECONFIG, "look-around");
	refused("(?<=c)d", VW_ECONFIG, "look-around");
	refused("(?<!c)d", VW_ECONFIG, "look-around");
	refused("(?*c)", VW_ECONFIG, "look-around");
	refused("(*pla:c)", VW_ECONFIG, "verb");
	refused("(*LIMIT_MATCH=4000000000)a", VW_ECONFIG, "verb");
	refused("a(*ACCEPT)", VW_ECONFIG, "verb");
	refused("(a|(?R))", VW_ECONFIG, "recursion");
	refused("(a(?1))", VW_ECONFIG, "recursion");
	refused("(a)(?-1)", VW_ECONFIG, "recursion");
	refused("(?+1)(a)", VW_ECONFIG, "recursion");
	refused("(?<n>a)(?&n)", VW_ECONFIG, "recursion");
	refused("(?P<n>a)(?P>n)", VW_ECONFIG, "recursion");
	refused("(a)\\g<1>", VW_ECONFIG, "recursion");
	refused("(a)\\g'1'", VW_ECONFIG, "recursion");
	refused("(a)(?C1)", VW_ECONFIG, "callout");
	refused("(a)?(?(1)b|c)", VW_ECONFIG, "condition");
	refused("(a)\\1", VW_ECONFIG, "back-reference");
	refused("(a)\\g{-1}", VW_ECONFIG, "back-reference");
	refused("(?<n>a)\\k<n>", VW_ECONFIG, "back-reference");
	refused("(?P<n>a)(?P=n)", VW_ECONFIG, "back-reference");
	refused("a\\C", VW_ECONFIG, "\\C");
	refused("(?#[)a(?=c)", VW_ECONFIG, "comment");
	refused("(?x)a#[\n(?=c)", VW_ECONFIG, "comment");
	refused("(?i-x:a)", VW_ECONFIG, "comment");
	/* what hides the group from a careless look */
	refused("\\\\(?=c)", VW_ECONFIG, "look-around");
	refused("[]](?=c)", VW_ECONFIG, "look-around");
	refused("[^]](?=c)", VW_ECONFIG, "look-around");
	refused("[[:alpha:]](?=c)", VW_ECONFIG, "look-around");
	refused("[a[:](?=c)", VW_ECONFIG, "look-around");
	refused("\\Q[\\E(?=c)", VW_ECONFIG, "look-around");
	refused("[\\Q]\\E](?=c)", VW_ECONFIG, "look-around");
	refused("\\[(?=c)]", VW_ECONFIG, "look-around");
}

static void test_allows_the_same_characters_elsewhere(void **state)
{
	(void)state;
	check_match("\\(\\?=", "(?=", 1);
	check_match("[(*]", "*", 1);
	check_match("[(?=]+", "(?=", 1);
	check_match("\\Q(?=\\E", "(?=", 1);
	check_match("(?:a|b)c", "bc", 1);
	check_match("(?<name>a)", "a", 1);
	check_match("(?-i)a", "a", 1);
	check_match("(?i)x", "X", 1);
	check_match("(?:x)", "x", 1);
	check_match("(?>a+)b", "aab", 1);
}

static void test_length(void **state)
{
	char text[VW_MAX_PATTERN + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[VW_MAX_PATTERN + 1] = '\0';
	refused(text, VW_ELIMIT, "VW_MAX_PATTERN");
	text[VW_MAX_PATTERN] = '\0';
	vw_pattern_close(opened(text));
	vw_pattern_close(NULL);
}

/* A hostile value makes a match fail, never slow. */
static void test_limits(void **state)
{
	char text[5000];
	struct vw_pattern *p = opened("^(a+)+$");

	(void)state;
	memset(text, 'a', sizeof(text));
	strcpy(text + sizeof(text) - 2, "!");
	int64_t before = vw_clock_monotonic();
	assert_int_equal(vw_pattern_match(p, text), VW_ELIMIT);
	assert_in_range(vw_clock_monotonic() - before, 0, 5000);
	vw_pattern_close(p);
}

/* Nor does a long run of one item, or a start at each of many characters: PCRE2's limits see neither. */
static void test_cost(void **state)
{
	static const char *const patterns[] = {"[a-z]+@x", "a[^b]*c", "(?i)a+\\s*=.*;"};
	size_t len = 90000;
	char *text = malloc(len + 16);

	(void)state;
	memset(text, 'a', len);
	strcpy(text + len, "!=@xbc\n;");
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		struct vw_pattern *p = opened(patterns[i]);
		int64_t before = vw_clock_monotonic();
		assert_int_equal(vw_pattern_match(p, text), VW_ELIMIT);
		assert_in_range(vw_clock_monotonic() - before, 0, 5000);
		/* the next call starts anew */
		assert_int_equal(vw_pattern_match(p, "aaa"), 0);
		vw_pattern_close(p);
	}
	free(text);
}

static void test_cost_of_prose(void **state)
{
	static const char words[] = "The model was trained on the anonymised set; ask eve@example.org about it. ";
	struct vw_pattern *p = opened("[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+");
	struct vw_buffer text, out;

	(void)state;
	vw_buffer_init(&text, 0);
	vw_buffer_init(&out, 0);
	for (int i = 0; i < 1700; i++)
		vw_buffer_puts(&text, words);
	assert_true(text.len > 125000);
	assert_int_equal(vw_pattern_mask(p, vw_buffer_text(&text), "***", &out), 1700);
	vw_buffer_reset(&text);
	vw_buffer_reset(&out);
	vw_pattern_close(p);
}

static void check_mask(const char *pattern, const char *text, int count, const char *expected)
{
	struct vw_pattern *p = opened(pattern);
	struct vw_buffer out;

	vw_buffer_init(&out, 0);
	vw_buffer_puts(&out, "before|");
	assert_int_equal(vw_pattern_mask(p, text, "***", &out), count);
	assert_string_equal(vw_buffer_text(&out) + strlen("before|"), expected);
	assert_memory_equal(vw_buffer_text(&out), "before|", strlen("before|"));
	vw_buffer_reset(&out);
	vw_pattern_close(p);
}

static void test_mask(void **state)
{
	(void)state;
	check_mask("[a-z]+@[a-z.]+", "write to eve@example.org or bob@example.org.", 2, "write to *** or ***");
	check_mask("secret", "nothing here", 0, "nothing here");
	check_mask("x", "xx", 2, "******");
	check_mask("x*", "axxb", 1, "a***b"); /* empty matches hide nothing */
	check_mask(".+", "", 0, "");
	check_mask("key=\\K\\w+", "key=abc key=def", 2, "key=*** key=***");
	check_mask("e",
		   "\xc3\xa9"
		   "e\xff"
		   "e",
		   2, "\xc3\xa9***\xff***");
}

static void test_mask_limit(void **state)
{
	char text[5002] = "visible ";

	(void)state;
	memset(text + 8, 'a', 4990);
	text[4998] = '!';
	check_mask("visible|(a+)+$", text, VW_ELIMIT, "***");
}

static void test_mask_limit_with_empty_mask(void **state)
{
	char text[5002] = "visible ";
	struct vw_pattern *p = opened("visible|(a+)+$");
	struct vw_buffer out;

	(void)state;
	memset(text + 8, 'a', 4990);
	text[4998] = '!';
	vw_buffer_init(&out, 0);
	assert_int_equal(vw_pattern_mask(p, text, "", &out), VW_ELIMIT);
	assert_string_equal(vw_buffer_text(&out), "");
	vw_buffer_reset(&out);
	vw_pattern_close(p);
}

static void test_glob(void **state)
{
	(void)state;
	assert_true(vw_glob_match("churn-*", "churn-eu"));
	assert_true(vw_glob_match("*", ""));
	assert_true(vw_glob_match("*", "a/.b"));
	assert_true(vw_glob_match("team/*", "team/a/b"));
	assert_true(vw_glob_match("?x[0-9]", ".x7"));
	assert_true(vw_glob_match("a\\*", "a*"));
	assert_false(vw_glob_match("a\\*", "ab"));
	assert_false(vw_glob_match("churn-*", "Churn-eu"));
	assert_false(vw_glob_match("", "a"));
	assert_false(vw_glob_match("[", "a"));
}

static void test_glob_is_quick(void **state)
{
	char text[VW_MAX_NAME + 1];

	(void)state;
	memset(text, 'a', VW_MAX_NAME);
	text[VW_MAX_NAME] = '\0';
	int64_t before = vw_clock_monotonic();
	assert_false(vw_glob_match("*a*a*a*a*a*a*a*a*a*a*a*b", text));
	assert_in_range(vw_clock_monotonic() - before, 0, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_match),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_allows_the_same_characters_elsewhere),
	    cmocka_unit_test(test_length),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_cost),
	    cmocka_unit_test(test_cost_of_prose),
	    cmocka_unit_test(test_mask),
	    cmocka_unit_test(test_mask_limit),
	    cmocka_unit_test(test_mask_limit_with_empty_mask),
	    cmocka_unit_test(test_glob),
	    cmocka_unit_test(test_glob_is_quick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
