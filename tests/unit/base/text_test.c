#include "base/text.h"

#include "cmocka_all.h"

#include <math.h>
#include <string.h>

static void compares_without_case(void **state)
{
	(void)state;
	assert_true(vw_text_equal_nocase("High", "hIGH"));
	assert_true(vw_text_equal_nocase("", ""));
	assert_true(vw_text_equal_nocase(NULL, NULL));
	assert_false(vw_text_equal_nocase(NULL, ""));
	assert_false(vw_text_equal_nocase("", NULL));
	assert_false(vw_text_equal_nocase("high", "highe"));
	assert_false(vw_text_equal_nocase("highe", "high"));
	assert_false(vw_text_equal_nocase("a_b", "a-b"));
	assert_false(vw_text_equal_nocase("@", "`"));
	assert_false(vw_text_equal_nocase("\xC3\x84", "\xC3\xA4")); /* ASCII alone */
}

static void compares_keys(void **state)
{
	(void)state;
	assert_true(vw_key_equal("Risk Category", "risk_category"));
	assert_true(vw_key_equal("risk-category", "risk.category"));
	assert_true(vw_key_equal(NULL, NULL));
	assert_false(vw_key_equal(NULL, ""));
	assert_false(vw_key_equal("riskcategory", "risk_category"));
	assert_false(vw_key_equal("risk_category", "risk_category2"));
	assert_false(vw_key_equal("risk_category2", "risk_category"));
	assert_false(vw_key_equal("risk/category", "risk_category"));
	assert_true(vw_key_has_prefix("Data-Sensitivity", "data_"));
	assert_true(vw_key_has_prefix("data", "data"));
	assert_true(vw_key_has_prefix("data", ""));
	assert_false(vw_key_has_prefix("dat", "data"));
	assert_false(vw_key_has_prefix(NULL, "data"));
	assert_false(vw_key_has_prefix("data", NULL));
}

static void finds_words(void **state)
{
	(void)state;
	assert_true(vw_key_contains_word("High-Risk", "risk"));
	assert_true(vw_key_contains_word("this is HIGH_RISK, truly", "high risk"));
	assert_true(vw_key_contains_word("risk", "risk"));
	assert_true(vw_key_contains_word("brisk risk", "risk"));
	assert_true(vw_key_contains_word("(risk)", "risk"));
	assert_false(vw_key_contains_word("brisk", "risk"));
	assert_false(vw_key_contains_word("risks", "risk"));
	assert_false(vw_key_contains_word("risk2", "risk"));
	assert_false(vw_key_contains_word("\u00FCrisk", "risk"));
	assert_false(vw_key_contains_word("ris", "risk"));
	assert_false(vw_key_contains_word("", "risk"));
	assert_false(vw_key_contains_word("risk", ""));
	assert_false(vw_key_contains_word(NULL, "risk"));
	assert_false(vw_key_contains_word("risk", NULL));
}

static void knows_blank(void **state)
{
	(void)state;
	assert_true(vw_text_blank(NULL));
	assert_true(vw_text_blank(""));
	assert_true(vw_text_blank(" \t\r\n\v\f"));
	assert_true(vw_text_blank("\u00A0\u3000\u2003\u2028"));
	assert_false(vw_text_blank(" x "));
	assert_false(vw_text_blank("\xFF"));
	assert_false(vw_text_blank("\xC2"));
}

static void trims(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	assert_null(vw_text_trim(arena, NULL));
	assert_null(vw_text_trim(arena, ""));
	assert_null(vw_text_trim(arena, "\u00A0 \n"));
	assert_string_equal(vw_text_trim(arena, "x"), "x");
	assert_string_equal(vw_text_trim(arena, "\u3000 a  b\u00A0c \n\u00A0"), "a  b\u00A0c");
	assert_string_equal(vw_text_trim(arena, " \xFF\xC2 "), "\xFF\xC2");
}

static void reads_integers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t value;
	} good[] = {{"0", 0},
		    {"-12", -12},
		    {"007", 7},
		    {"-0", 0},
		    {"9223372036854775807", INT64_MAX},
		    {"-9223372036854775808", INT64_MIN}};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t out = 42;
		assert_true(vw_text_int64(good[i].text, &out));
		assert_int_equal(out, good[i].value);
	}
	static const char *const bad[] = {"",
					  "-",
					  "+1",
					  " 1",
					  "1 ",
					  "1.0",
					  "1e3",
					  "0x1",
					  "--1",
					  "1-",
					  "9223372036854775808",
					  "-9223372036854775809",
					  "99999999999999999999"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t out = 42;
		assert_false(vw_text_int64(bad[i], &out));
		assert_int_equal(out, 42);
	}
	assert_false(vw_text_int64(NULL, &(int64_t){0}));
}

static void reads_doubles(void **state)
{
	(void)state;
	double out;
	assert_true(vw_text_double("0.93", &out) && out == 0.93);
	assert_true(vw_text_double("-1e-3", &out) && out == -1e-3);
	assert_true(vw_text_double("7", &out) && out == 7);
	assert_true(vw_text_double("nan", &out) && isnan(out));
	assert_true(vw_text_double("-inf", &out) && isinf(out) && out < 0);
	static const char *const bad[] = {"", " 1", "1 ", "\n1", "1,5", "1.5.2", "x", "-", "1e", "0.5%"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		out = 42;
		assert_false(vw_text_double(bad[i], &out));
		assert_true(out == 42);
	}
	assert_false(vw_text_double(NULL, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(compares_without_case),
	    cmocka_unit_test(compares_keys),
	    cmocka_unit_test(finds_words),
	    cmocka_unit_test(knows_blank),
	    cmocka_unit_test(trims),
	    cmocka_unit_test(reads_integers),
	    cmocka_unit_test(reads_doubles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
