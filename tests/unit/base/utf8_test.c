#include "base/text.h"

#include "cmocka_all.h"

#include <string.h>

static void knows_well_formed_text(void **state)
{
	(void)state;
	static const char *const good[] = {"",     "abc",          "\u00FC",     "\u20AC",          "\U0001F916",
					   "\x7F", "\uD7FF\uE000", "\U0010FFFF", "\xF0\x90\x80\x80"};
	static const char *const bad[] = {
	    "\x80",
	    "\xC3",
	    "\xC3(",
	    "\xC0\xAF",
	    "\xC1\xBF",
	    "\xE0\x80\xAF",
	    "\xE2\x82",
	    "\xED\xA0\x80",
	    "\xED\xBF\xBF",
	    "\xF0\x80\x80\xAF",
	    "\xF0\x9F\xA4",
	    "\xF4\x90\x80\x80",
	    "\xF5\x80\x80\x80",
	    "\xF8\x88\x80\x80\x80",
	    "\xFE",
	    "\xFF",
	    "a\xE2\x28\xA1",
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(vw_utf8_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vw_utf8_valid(bad[i], strlen(bad[i])));
	assert_true(vw_utf8_valid("a\0b", 3));
	assert_false(vw_utf8_valid("\u20AC", 2)); /* cut */
}

/* Every code point there is, written by the book. */
static void decodes_each_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		char b[4];
		size_t n;
		if (c < 0x80) {
			b[0] = (char)c;
			n = 1;
		} else if (c < 0x800) {
			b[0] = (char)(0xC0 | c >> 6);
			n = 2;
		} else if (c < 0x10000) {
			b[0] = (char)(0xE0 | c >> 12);
			n = 3;
		} else {
			b[0] = (char)(0xF0 | c >> 18);
			n = 4;
		}
		for (size_t i = 1; i < n; i++)
			b[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3F));
		uint32_t out = 0;
		bool surrogate = c >= 0xD800 && c <= 0xDFFF;
		assert_int_equal(vw_utf8_decode(b, n, &out), surrogate ? 0 : n);
		assert_int_equal(out, surrogate ? 0 : c);
		assert_int_equal(vw_utf8_decode(b, n - 1, &out), 0);
	}
}

static void assert_safe(const char *text, const char *expected)
{
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	vw_text_append_safe(&buf, text);
	assert_string_equal(vw_buffer_text(&buf), expected);
	vw_buffer_reset(&buf);
}

static void assert_csv(const char *text, bool last, const char *expected)
{
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	vw_text_append_csv(&buf, text, last);
	assert_string_equal(vw_buffer_text(&buf), expected);
	vw_buffer_reset(&buf);
}

static void quotes_cells_of_csv(void **state)
{
	(void)state;
	assert_csv(NULL, false, "\"\",");
	assert_csv("a \"b\", c\nd", true, "\"a \"\"b\"\", c\nd\"\r\n");
	assert_csv("=1+1", false, "\"'=1+1\",");
	assert_csv("+1", false, "\"'+1\",");
	assert_csv("-1", false, "\"'-1\",");
	assert_csv("@SUM(A1)", false, "\"'@SUM(A1)\",");
	assert_csv("\t=1", false, "\"'\t=1\",");
	assert_csv("\n=1", false, "\"'\n=1\",");
	assert_csv("\uFF1D1", false, "\"'\uFF1D1\",");
	assert_csv("a=1", false, "\"a=1\",");
	assert_csv("\x1b[31m\xC2\x9B", false, "\"\\u{1b}[31m\\u{9b}\",");
	assert_csv("\xFFx", false, "\"\uFFFDx\",");
}

static void makes_text_safe(void **state)
{
	(void)state;
	assert_safe("", "");
	assert_safe("plain \u00FC \U0001F916", "plain \u00FC \U0001F916");
	assert_safe("a\nb\tc\x1b[31m\x7F", "a\\u{0a}b\\u{09}c\\u{1b}[31m\\u{7f}");
	assert_safe("\xC2\x85\xC2\x9B", "\\u{85}\\u{9b}");
	assert_safe("\u202A\u202E\u2066\u2069\u061C", "\\u{202a}\\u{202e}\\u{2066}\\u{2069}\\u{61c}");
	assert_safe("\u200B\u200F\uFEFF\u2028", "\\u{200b}\\u{200f}\\u{feff}\\u{2028}");
	assert_safe("\u2010\u2027\u202F\u2065\u206A\u00A0", "\u2010\u2027\u202F\u2065\u206A\u00A0");
	assert_safe("\xFF\xC3(\xE2\x82", "\\xff\\xc3(\\xe2\\x82");
	assert_safe("\xC2\x1b", "\\xc2\\u{1b}");
	assert_safe("back\\slash", "back\\slash");
}

static void counts_columns(void **state)
{
	(void)state;
	assert_int_equal(vw_text_columns(""), 0);
	assert_int_equal(vw_text_columns("abc"), 3);
	assert_int_equal(vw_text_columns("\u00FCber"), 4);
	assert_int_equal(vw_text_columns("u\u0308ber"), 4);
	assert_int_equal(vw_text_columns("\u65E5\u672C\u8A9E"), 6);
	assert_int_equal(vw_text_columns("\uD55C\uAE00"), 4);
	assert_int_equal(vw_text_columns("\u1112\u1161\u11AB"), 2); /* the same syllable in parts */
	assert_int_equal(vw_text_columns("\U0001F916"), 2);
	assert_int_equal(vw_text_columns("\uFF21"), 2);
	assert_int_equal(vw_text_columns("\u2026\u2014\u2588\u00AD"), 4);
	assert_int_equal(vw_text_columns("\u0416\u03B1\u05D0"), 3);
	assert_int_equal(vw_text_columns("\xFF"), 1);
}

static void assert_cell(const char *text, size_t columns, const char *expected)
{
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	vw_text_append_cell(&buf, text, columns);
	assert_string_equal(vw_buffer_text(&buf), expected);
	assert_int_equal(vw_text_columns(vw_buffer_text(&buf)), columns);
	vw_buffer_reset(&buf);
}

static void fills_cells(void **state)
{
	(void)state;
	assert_cell("", 3, "   ");
	assert_cell("abc", 5, "abc  ");
	assert_cell("abc", 3, "abc");
	assert_cell("abcd", 3, "ab\u2026");
	assert_cell("abc", 1, "\u2026");
	assert_cell("abc", 0, "");
	assert_cell("a", 1, "a");
	assert_cell("\u65E5\u672C", 4, "\u65E5\u672C");
	assert_cell("\u65E5\u672C\u8A9E", 4, "\u65E5\u2026 ");
	assert_cell("\u65E5\u672C\u8A9E", 5, "\u65E5\u672C\u2026");
	assert_cell("\u65E5", 1, "\u2026");
	assert_cell("abcu\u0308", 4, "abcu\u0308");
	assert_cell("abu\u0308de", 4, "abu\u0308\u2026");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(knows_well_formed_text), cmocka_unit_test(decodes_each_code_point),
	    cmocka_unit_test(quotes_cells_of_csv),    cmocka_unit_test(makes_text_safe),
	    cmocka_unit_test(counts_columns),         cmocka_unit_test(fills_cells),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
