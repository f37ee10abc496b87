/* When to try again, with a simulated clock and given random numbers. */
#include "cmocka_all.h"

#include "retry.h"

#include <limits.h>

static void test_delays_double_up_to_the_cap(void **state)
{
	struct vw_retry retry = {0};
	int64_t cap = VW_RETRY_BASE_MS;
	(void)state;
	for (int i = 0; i < 20; i++) {
		int64_t delay = vw_retry_after_failure(&retry, 0.5);
		assert_int_equal(delay, cap / 2);
		cap = cap * 2 < VW_RETRY_CAP_MS ? cap * 2 : VW_RETRY_CAP_MS;
	}
	assert_int_equal(cap, VW_RETRY_CAP_MS);
	assert_int_equal(retry.failures, 20);
}

static void test_jitter_is_full(void **state)
{
	struct vw_retry retry = {.failures = 30};
	(void)state;
	assert_int_equal(vw_retry_after_failure(&retry, 0.0), VW_RETRY_MIN_MS);
	int64_t most = vw_retry_after_failure(&retry, 0.999999);
	assert_true(most < VW_RETRY_CAP_MS && most > VW_RETRY_CAP_MS - 1000);
}

static void test_reset_begins_anew(void **state)
{
	struct vw_retry retry = {.failures = 9};
	(void)state;
	vw_retry_reset(&retry);
	assert_true(vw_retry_after_failure(&retry, 0.999999) < VW_RETRY_BASE_MS);
}

static void test_failures_without_end_do_not_overflow(void **state)
{
	struct vw_retry retry = {.failures = UINT_MAX};
	(void)state;
	assert_int_equal(vw_retry_after_failure(&retry, 0.5), VW_RETRY_CAP_MS / 2);
	assert_int_equal(retry.failures, UINT_MAX);
}

static void test_a_refusal_waits_for_minutes(void **state)
{
	(void)state;
	assert_int_equal(vw_retry_after_refusal(0.0), VW_RETRY_SLOW_MIN_MS);
	int64_t most = vw_retry_after_refusal(0.999999);
	assert_true(most > VW_RETRY_SLOW_MAX_MS - 1000 && most < VW_RETRY_SLOW_MAX_MS);
}

static void test_what_a_peer_asks_for_is_bounded(void **state)
{
	(void)state;
	assert_int_equal(vw_retry_after_request(1000, 0.0), 1000);
	assert_int_equal(vw_retry_after_request(1000, 0.5), 1250);
	assert_int_equal(vw_retry_after_request(INT64_MAX, 0.0), VW_RETRY_ASKED_MAX_MS);
	assert_int_equal(vw_retry_after_request(-5, 0.9), 0);
	assert_int_equal(vw_retry_after_request(0, 0.9), 0);
}

/* A fleet that lost its controller: how many of 1000 agents come in each second, over ten minutes of an outage. After the first seconds never many at once. */
static void test_no_storm(void **state)
{
	enum { AGENTS = 1000, SECONDS = 600 };
	static int arrivals[SECONDS];
	uint32_t seed = 7;
	(void)state;
	for (int agent = 0; agent < AGENTS; agent++) {
		struct vw_retry retry = {0};
		int64_t now = 0;
		while (now < SECONDS * 1000) {
			seed = seed * 1664525 + 1013904223;
			now += vw_retry_after_failure(&retry, seed / 4294967296.0);
			if (now < SECONDS * 1000)
				arrivals[now / 1000]++;
		}
	}
	for (int second = 60; second < SECONDS; second++)
		assert_true(arrivals[second] < 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_delays_double_up_to_the_cap),
	    cmocka_unit_test(test_jitter_is_full),
	    cmocka_unit_test(test_reset_begins_anew),
	    cmocka_unit_test(test_failures_without_end_do_not_overflow),
	    cmocka_unit_test(test_a_refusal_waits_for_minutes),
	    cmocka_unit_test(test_what_a_peer_asks_for_is_bounded),
	    cmocka_unit_test(test_no_storm),
	};
	return cmocka_run_group_tests_name("uplink_retry", tests, NULL, NULL);
}
