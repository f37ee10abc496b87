/* Reading and writing JSON. */
#include "base/json.h"
#include "base/limits.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, json_t **root, struct vw_error *err)
{
	return vw_json_parse(text, strlen(text), "runs/search", root, err);
}

static json_t *parsed(const char *text)
{
	json_t *root = NULL;
	struct vw_error err = VW_ERROR_INIT;
	if (parse(text, &root, &err))
		fail_msg("%s", err.message);
	return root;
}

static void refused(const char *text, int code, const char *part)
{
	json_t *root = (json_t *)0x1;
	struct vw_error err = VW_ERROR_INIT;

	assert_int_equal(parse(text, &root, &err), code);
	assert_ptr_equal(root, (json_t *)0x1); /* untouched on failure */
	if (!strstr(err.message, part) || strncmp(err.message, "runs/search: ", 13) != 0)
		fail_msg("'%s' lacks '%s'", err.message, part);
}

static void test_parse_refuses(void **state)
{
	(void)state;
	refused("", VW_EINVAL, "line 1");
	refused("{\"a\":1,\n\"a\":2}", VW_EINVAL, "duplicate");
	refused("{\"a\":1}\n x", VW_EINVAL, "line 2, column 2");
	refused("{\"a\":\"\\u0000\"}", VW_EINVAL, "\\u0000");
	refused("{\"a\\u0000b\":1}", VW_EINVAL, "NUL");
	refused("{\"a\":\"\xff\"}", VW_EINVAL, "unable to decode byte 0xff");
	refused("{\"a\":NaN}", VW_EINVAL, "line 1");
	refused("{\"a\":99999999999999999999}", VW_EINVAL, "integer");
	refused("{\"a\":1e999}", VW_EINVAL, "real");
	refused("<html>gateway error</html>", VW_EINVAL, "line 1");
	refused("7", VW_EINVAL, "'[' or '{'");
	refused("{\"a\":[1,2", VW_EINVAL, "line 1");
}

static void test_parse_does_not_quote_input(void **state)
{
	json_t *root = NULL;
	struct vw_error err = VW_ERROR_INIT;

	(void)state;
	assert_int_equal(parse("{\"token\": s3cr3t}", &root, &err), VW_EINVAL);
	assert_null(strstr(err.message, "s3cr3t"));
}

static char *nested(int levels, const char *inside)
{
	char *text = calloc(1, (size_t)levels * 2 + strlen(inside) + 1);
	memset(text, '[', (size_t)levels);
	strcat(text, inside);
	memset(text + strlen(text), ']', (size_t)levels);
	return text;
}

static void test_parse_depth(void **state)
{
	(void)state;
	char *fits = nested(VW_MAX_JSON_DEPTH, "");
	char *deep = nested(VW_MAX_JSON_DEPTH + 1, "");
	char *brackets = nested(1, "\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\",\"}]\"");

	json_decref(parsed(fits));
	json_decref(parsed(brackets)); /* brackets in texts are no levels */
	refused(deep, VW_ELIMIT, "VW_MAX_JSON_DEPTH");
	free(fits);
	free(deep);
	free(brackets);

	/* a text that pretends to end, then nests: must not get past the check */
	char *hidden = nested(100000, "");
	refused(hidden, VW_ELIMIT, "VW_MAX_JSON_DEPTH");
	free(hidden);
}

static void test_parse_size(void **state)
{
	json_t *root = NULL;
	struct vw_error err = VW_ERROR_INIT;
	size_t len = VW_MAX_RESPONSE + 1;
	char *bytes = malloc(len);

	(void)state;
	memset(bytes, ' ', len);
	bytes[0] = '[';
	bytes[len - 2] = ']';
	assert_int_equal(vw_json_parse(bytes, len, "x", &root, &err), VW_ELIMIT);
	assert_non_null(strstr(err.message, "VW_MAX_RESPONSE"));
	assert_int_equal(vw_json_parse(bytes, len - 1, "x", &root, &err), 0);
	vw_json_cleanup(&root);
	assert_null(root);
	free(bytes);
}

static void test_text(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	VW_AUTO(vw_json_cleanup)
	json_t *root = parsed("{\"s\":\"caf\\u00e9\",\"e\":\"\",\"i\":-12,\"r\":0.1,\"b\":true,\"n\":null,\"o\":{}}");

	assert_string_equal(vw_json_text(arena, root, "s"), "caf\xc3\xa9");
	assert_string_equal(vw_json_text(arena, root, "e"), "");
	assert_string_equal(vw_json_text(arena, root, "i"), "-12");
	assert_string_equal(vw_json_text(arena, root, "r"), "0.1");
	assert_null(vw_json_text(arena, root, "b"));
	assert_null(vw_json_text(arena, root, "n"));
	assert_null(vw_json_text(arena, root, "o"));
	assert_null(vw_json_text(arena, root, "absent"));
	assert_null(vw_json_text(arena, NULL, "s"));
	assert_null(vw_json_text(arena, json_object_get(root, "s"), "s"));
}

static void check_int64(const char *value, bool good, int64_t expected)
{
	char text[128];
	int64_t out = 77;

	snprintf(text, sizeof(text), "{\"v\":%s}", value);
	VW_AUTO(vw_json_cleanup) json_t *root = parsed(text);
	assert_int_equal(vw_json_int64(root, "v", &out), good);
	assert_int_equal(out, good ? expected : 77);
}

static void test_int64(void **state)
{
	(void)state;
	check_int64("12", true, 12);
	check_int64("9223372036854775807", true, INT64_MAX);
	check_int64("-9223372036854775808", true, INT64_MIN);
	check_int64("\"1600000000000\"", true, 1600000000000);
	check_int64("\"-5\"", true, -5);
	check_int64("\"9223372036854775808\"", false, 0);
	check_int64("\"12x\"", false, 0);
	check_int64("\"\"", false, 0);
	check_int64("1e3", true, 1000);
	check_int64("-9.2233720368547758e18", true, INT64_MIN);
	check_int64("9223372036854775808.0", false, 0);
	check_int64("1.5", false, 0);
	check_int64("1e300", false, 0);
	check_int64("true", false, 0);
	check_int64("null", false, 0);
	check_int64("[1]", false, 0);
}

static void check_double(const char *value, bool good, double expected)
{
	char text[128];
	double out = 77;

	snprintf(text, sizeof(text), "{\"v\":%s}", value);
	VW_AUTO(vw_json_cleanup) json_t *root = parsed(text);
	assert_int_equal(vw_json_double(root, "v", &out), good);
	if (!good)
		expected = 77;
	assert_true(isnan(expected) ? isnan(out) : out == expected);
}

/* S5.3: metrics that are no finite number are kept. */
static void test_double(void **state)
{
	(void)state;
	check_double("0.93", true, 0.93);
	check_double("3", true, 3);
	check_double("\"NaN\"", true, NAN);
	check_double("\"Infinity\"", true, INFINITY);
	check_double("\"-Infinity\"", true, -INFINITY);
	check_double("\"0.5\"", true, 0.5);
	check_double("\"much\"", false, 0);
	check_double("\"\"", false, 0);
	check_double("false", false, 0);
	check_double("null", false, 0);
}

static void test_members(void **state)
{
	(void)state;
	VW_AUTO(vw_json_cleanup) json_t *root = parsed("{\"a\":[1],\"o\":{\"x\":1},\"s\":\"\"}");

	assert_int_equal(json_array_size(vw_json_array(root, "a")), 1);
	assert_null(vw_json_array(root, "o"));
	assert_null(vw_json_array(root, "absent"));
	assert_int_equal(json_object_size(vw_json_object(root, "o")), 1);
	assert_null(vw_json_object(root, "a"));
	assert_null(vw_json_object(NULL, "o"));
}

/* ---- Writing ---- */

static void write_sample(struct vw_json_writer *w)
{
	vw_json_begin_object(w);
	vw_json_key(w, "a\"b");
	vw_json_put_text(w, "x");
	vw_json_key(w, "list");
	vw_json_begin_array(w);
	vw_json_put_int64(w, INT64_MIN);
	vw_json_put_uint64(w, UINT64_MAX);
	vw_json_begin_object(w);
	vw_json_end_object(w);
	vw_json_begin_array(w);
	vw_json_end_array(w);
	vw_json_put_bool(w, true);
	vw_json_put_null(w);
	vw_json_end_array(w);
	vw_json_key(w, "t");
	vw_json_put_time(w, 1772366400000);
	vw_json_key(w, "no");
	vw_json_put_time(w, 0);
	vw_json_end_object(w);
}

static void test_write_compact(void **state)
{
	struct vw_buffer buf;
	struct vw_json_writer w;

	(void)state;
	vw_buffer_init(&buf, 0);
	vw_json_writer_init(&w, &buf, false);
	write_sample(&w);
	assert_string_equal(vw_buffer_text(&buf),
			    "{\"a\\\"b\":\"x\",\"list\":[-9223372036854775808,18446744073709551615,{},[],true,null],"
			    "\"t\":\"2026-03-01T12:00:00.000Z\",\"no\":null}");
	vw_buffer_reset(&buf);
}

static void test_write_pretty(void **state)
{
	struct vw_buffer buf;
	struct vw_json_writer w;

	(void)state;
	vw_buffer_init(&buf, 0);
	vw_json_writer_init(&w, &buf, true);
	write_sample(&w);
	assert_string_equal(vw_buffer_text(&buf), "{\n"
						  "  \"a\\\"b\": \"x\",\n"
						  "  \"list\": [\n"
						  "    -9223372036854775808,\n"
						  "    18446744073709551615,\n"
						  "    {},\n"
						  "    [],\n"
						  "    true,\n"
						  "    null\n"
						  "  ],\n"
						  "  \"t\": \"2026-03-01T12:00:00.000Z\",\n"
						  "  \"no\": null\n"
						  "}");
	vw_buffer_reset(&buf);
}

static void check_written(const char *text, const char *expected)
{
	struct vw_buffer buf;
	struct vw_json_writer w;

	vw_buffer_init(&buf, 0);
	vw_json_writer_init(&w, &buf, false);
	vw_json_put_text(&w, text);
	assert_string_equal(vw_buffer_text(&buf), expected);
	vw_buffer_reset(&buf);
}

static void test_write_text(void **state)
{
	(void)state;
	check_written(NULL, "null");
	check_written("", "\"\"");
	check_written("a\\b/\"\n\r\t\x01\x1f\x7f", "\"a\\\\b/\\\"\\n\\r\\t\\u0001\\u001f\\u007f\"");
	check_written("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	check_written("\xc2\x9b", "\"\\u009b\"");
	/* lone continuation, overlong, surrogate, cut short, above U+10FFFF */
	check_written("a\x80z", "\"a\xef\xbf\xbdz\"");
	check_written("\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	check_written("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check_written("x\xe2\x82", "\"x\xef\xbf\xbd\xef\xbf\xbd\"");
	check_written("\xe2\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\\\"\"");
	check_written("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void check_number(double value, const char *expected)
{
	struct vw_buffer buf;
	struct vw_json_writer w;

	vw_buffer_init(&buf, 0);
	vw_json_writer_init(&w, &buf, false);
	vw_json_put_double(&w, value);
	assert_string_equal(vw_buffer_text(&buf), expected);
	vw_buffer_reset(&buf);
}

static void test_write_double(void **state)
{
	(void)state;
	check_number(0.93, "0.93");
	check_number(0.1, "0.1");
	check_number(0.1 + 0.2, "0.30000000000000004");
	check_number(1.0 / 3, "0.3333333333333333");
	check_number(5, "5");
	check_number(-0.0, "-0");
	check_number(1e20, "1e+20");
	check_number(DBL_MAX, "1.7976931348623157e+308");
	check_number(NAN, "\"NaN\"");
	check_number(INFINITY, "\"Infinity\"");
	check_number(-INFINITY, "\"-Infinity\"");
}

/* Whatever is written reads back as the same number. */
static void test_write_double_round_trip(void **state)
{
	char text[VW_DOUBLE_TEXT];
	uint64_t bits = 88172645463325252u;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		double value;
		bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		double back = strtod(vw_double_format(value, text), NULL);
		assert_memory_equal(&back, &value, sizeof(value));
	}
}

static void test_write_over_cap(void **state)
{
	struct vw_buffer buf;
	struct vw_json_writer w;

	(void)state;
	vw_buffer_init(&buf, 16);
	vw_json_writer_init(&w, &buf, true);
	write_sample(&w);
	assert_int_equal(vw_buffer_error(&buf), VW_ELIMIT);
	vw_buffer_reset(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_refuses),
	    cmocka_unit_test(test_parse_does_not_quote_input),
	    cmocka_unit_test(test_parse_depth),
	    cmocka_unit_test(test_parse_size),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_int64),
	    cmocka_unit_test(test_double),
	    cmocka_unit_test(test_members),
	    cmocka_unit_test(test_write_compact),
	    cmocka_unit_test(test_write_pretty),
	    cmocka_unit_test(test_write_text),
	    cmocka_unit_test(test_write_double),
	    cmocka_unit_test(test_write_double_round_trip),
	    cmocka_unit_test(test_write_over_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
