#include "base/clock.h"

#include "cmocka_all.h"

#include <time.h>

static void assert_format(int64_t ms, const char *expected)
{
	char out[VW_TIME_TEXT];
	assert_ptr_equal(vw_clock_format(ms, out), out);
	assert_string_equal(out, expected);
}

static void formats_times(void **state)
{
	(void)state;
	assert_format(0, "1970-01-01T00:00:00.000Z");
	assert_format(-1, "1969-12-31T23:59:59.999Z");
	assert_format(1772366400000, "2026-03-01T12:00:00.000Z");
	assert_format(1709210096789, "2024-02-29T12:34:56.789Z");
	assert_format(951782400000, "2000-02-29T00:00:00.000Z");
	assert_format(-2203891200000, "1900-03-01T00:00:00.000Z");
	assert_format(INT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
	assert_format(INT64_C(253402300800000), "invalid-time");
	assert_format(INT64_C(-62135596800000), "0001-01-01T00:00:00.000Z");
	assert_format(INT64_C(-62135596800001), "invalid-time");
	assert_format(INT64_MAX, "invalid-time");
	assert_format(INT64_MIN, "invalid-time");
}

/* Every day of four centuries and more, against the C library. */
static void agrees_with_gmtime(void **state)
{
	(void)state;
	for (int64_t day = -150000; day < 150000; day += 1) {
		time_t t = (time_t)(day * 86400);
		struct tm tm;
		char expected[80], out[VW_TIME_TEXT];
		int64_t back;
		gmtime_r(&t, &tm);
		strftime(expected, sizeof(expected), "%Y-%m-%d", &tm);
		assert_string_equal(vw_clock_format_date(day * 86400000 + 4567, out), expected);
		assert_true(vw_clock_parse_date(expected, &back));
		assert_int_equal(back, day * 86400000);
	}
}

static void formats_dates(void **state)
{
	(void)state;
	char out[VW_TIME_TEXT];
	assert_string_equal(vw_clock_format_date(1772366400000, out), "2026-03-01");
	assert_string_equal(vw_clock_format_date(INT64_MAX, out), "invalid-time");
}

static void refuses_bad_dates(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",
	    "2026-3-01",
	    "2026-02-30",
	    "2025-02-29",
	    "1900-02-29",
	    "2026-13-01",
	    "2026-00-10",
	    "2026-01-00",
	    "2026-01-32",
	    "2026-04-31",
	    "0000-01-01",
	    "2026/01/01",
	    "2026-01-1x",
	    " 2026-01-01",
	    "20260101",
	    "2026-01-01 ",
	    "+026-01-01",
	    "-001-01-01",
	    "2026-01-01T00:00:00Z",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t out = 42;
		assert_false(vw_clock_parse_date(bad[i], &out));
		assert_int_equal(out, 42);
	}
	assert_false(vw_clock_parse_date(NULL, &(int64_t){0}));
}

static void parses_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
	    {"0", 0},
	    {"90s", 90000},
	    {"15m", 900000},
	    {"6h", 21600000},
	    {"7d", 604800000},
	    {"30", 30000},
	    {"007", 7000},
	    {"1d", 86400000},
	    {"3650d", INT64_C(315360000000)},
	    {"1s", 1000},
	    {"87600h", INT64_C(315360000000)},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t out;
		assert_true(vw_clock_parse_duration(good[i].text, &out));
		assert_int_equal(out, good[i].ms);
	}
	static const char *const bad[] = {"",
					  "s",
					  "-1s",
					  "+1s",
					  " 1s",
					  "1 s",
					  "1s ",
					  "1ms",
					  "1.5h",
					  "1w",
					  "3651d",
					  "1h30m",
					  "99999999999999999999s",
					  "1e3"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t out = 42;
		assert_false(vw_clock_parse_duration(bad[i], &out));
		assert_int_equal(out, 42);
	}
	assert_false(vw_clock_parse_duration(NULL, &(int64_t){0}));
}

static void formats_ages(void **state)
{
	(void)state;
	const int64_t day = 86400000, now = 20000 * day;
	static const struct {
		int64_t seconds_ago;
		const char *text;
	} cases[] = {
	    {0, "now"},
	    {1, "1 second ago"},
	    {59, "59 seconds ago"},
	    {60, "1 minute ago"},
	    {3 * 60 + 59, "3 minutes ago"},
	    {3600, "1 hour ago"},
	    {86399, "23 hours ago"},
	    {86400, "1 day ago"},
	    {2 * 86400, "2 days ago"},
	    {59 * 86400, "59 days ago"},
	    {60 * 86400, "2 months ago"},
	    {3 * 365 * 86400, "3 years ago"},
	    {-5 * 3600, "in 5 hours"},
	    {-1, "in 1 second"},
	};
	char out[VW_TIME_TEXT];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(vw_clock_format_age(now - cases[i].seconds_ago * 1000, now, out), cases[i].text);
	assert_string_equal(vw_clock_format_age(now - 999, now, out), "now");
	assert_string_equal(vw_clock_format_age(INT64_MIN, INT64_MAX, out), "584942417 years ago");
	assert_string_equal(vw_clock_format_age(INT64_MAX, INT64_MIN, out), "in 584942417 years");
}

static void freezes(void **state)
{
	(void)state;
	vw_clock_freeze(1234);
	assert_int_equal(vw_clock_now(), 1234);
	vw_clock_freeze(0);
	assert_int_equal(vw_clock_now(), 0);
	int64_t before = vw_clock_monotonic();
	vw_clock_freeze(-5);
	assert_true(vw_clock_now() / 1000 - time(NULL) <= 1);
	assert_true(vw_clock_now() > 1700000000000);
	assert_true(vw_clock_monotonic() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(formats_times),    cmocka_unit_test(agrees_with_gmtime),
	    cmocka_unit_test(formats_dates),    cmocka_unit_test(refuses_bad_dates),
	    cmocka_unit_test(parses_durations), cmocka_unit_test(formats_ages),
	    cmocka_unit_test(freezes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
