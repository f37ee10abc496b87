/* Where values end, and that no end is found where there is none. */
#include "cmocka_all.h"

#include "scan.h"

#include <string.h>

static bool whole(const char *text)
{
	struct vw_scan scan = {text, strlen(text), 0};
	struct vw_span span;
	return vw_scan_value(&scan, &span) && vw_scan_at_end(&scan);
}

static void takes_values_whole(void **state)
{
	(void)state;
	static const char *const values[] = {
	    "{}",   "[]",     " 12 ",   "\"\"", "\"a\\\"b\"", "\"\\\\\"", "{\"a\":[1,{\"b\":\"]}\"}]}",
	    "true", "-1.5e3", "[\"{\"]"};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_true(whole(values[i]));
}

static void refuses_what_does_not_end(void **state)
{
	(void)state;
	static const char *const values[] = {"",        "  ",         "{",        "[1,2", "\"abc",
					     "\"abc\\", "{\"a\":\"}", "[\"\\\"]", ",",    "]"};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_false(whole(values[i]));
}

static void stops_at_the_length_given(void **state)
{
	(void)state;
	struct vw_scan scan = {"[1]", 2, 0};
	struct vw_span span;
	assert_false(vw_scan_value(&scan, &span));
	scan = (struct vw_scan){"\"a\\\"", 3, 0};
	assert_false(vw_scan_value(&scan, &span));
}

static void counts_nodes(void **state)
{
	(void)state;
	const char *text = "{\"a\":[1,2,3],\"b\":{}}";
	struct vw_scan scan = {text, strlen(text), 0};
	struct vw_span span;
	assert_true(vw_scan_value(&scan, &span));
	assert_true(span.nodes >= 6); /* the object, a list with three numbers, an object */
	assert_int_equal(span.len, strlen(text));
}

static void depth_has_a_cap(void **state)
{
	(void)state;
	char text[80];
	memset(text, '[', 40);
	memset(text + 40, ']', 40);
	struct vw_scan scan = {text, sizeof(text), 0};
	struct vw_span span;
	assert_false(vw_scan_value(&scan, &span));
	scan = (struct vw_scan){text + 8, 64, 0}; /* 32 of each */
	assert_true(vw_scan_value(&scan, &span));
}

static void reads_keys(void **state)
{
	(void)state;
	const char *text = " \"runs\" : 1";
	struct vw_scan scan = {text, strlen(text), 0};
	struct vw_span key;
	assert_true(vw_scan_key(&scan, &key));
	assert_true(vw_span_is(&key, "runs"));
	assert_false(vw_span_is(&key, "run"));
	scan = (struct vw_scan){"\"runs\"", 6, 0};
	assert_false(vw_scan_key(&scan, &key));
	scan = (struct vw_scan){"runs:1", 6, 0};
	assert_false(vw_scan_key(&scan, &key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_values_whole),        cmocka_unit_test(refuses_what_does_not_end),
	    cmocka_unit_test(stops_at_the_length_given), cmocka_unit_test(counts_nodes),
	    cmocka_unit_test(depth_has_a_cap),           cmocka_unit_test(reads_keys)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
