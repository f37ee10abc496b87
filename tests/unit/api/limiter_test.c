/* Token buckets by a clock of the test's own. */
#include "cmocka_all.h"
#include "limiter.h"

#include <stdio.h>

static struct vw_api_limiter *make(double per_second, int burst)
{
	struct vw_api_limiter *limiter;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(limiter_open(per_second, burst, &limiter, &err), 0);
	return limiter;
}

static void lets_a_burst_through(void **state)
{
	struct vw_api_limiter *limiter = make(10, 3);
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(limiter_take(limiter, "a", 1000), 0);
	assert_int_equal(limiter_take(limiter, "a", 1000), 1);
	assert_int_equal(limiter_take(limiter, "b", 1000), 0); /* another one's bucket */
	assert_int_equal(limiter_take(limiter, "a", 1099), 1);
	assert_int_equal(limiter_take(limiter, "a", 1100), 0); /* one more after 100 ms */
	assert_int_equal(limiter_take(limiter, "a", 1100), 1);
	limiter_close(limiter);
}

static void fills_to_the_burst_and_no_more(void **state)
{
	struct vw_api_limiter *limiter = make(1000, 2);
	int passed = 0;
	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(limiter_take(limiter, "a", 1), 0);
	for (int i = 0; i < 10; i++)
		passed += limiter_take(limiter, "a", 1000000) == 0;
	assert_int_equal(passed, 2);
	limiter_close(limiter);
}

static void says_how_long_to_wait(void **state)
{
	struct vw_api_limiter *limiter = make(0.1, 1);
	(void)state;
	assert_int_equal(limiter_take(limiter, "a", 1000), 0);
	assert_int_equal(limiter_take(limiter, "a", 1000), 10);
	assert_int_equal(limiter_take(limiter, "a", 6000), 5);
	assert_int_equal(limiter_take(limiter, "a", 11000), 0);
	limiter_close(limiter);
}

/* Whatever number of others asks, one that keeps asking stays limited: its bucket is the younger of two. */
static void is_not_flushed_by_others(void **state)
{
	struct vw_api_limiter *limiter = make(0.1, 5);
	char key[32];
	int passed = 0;
	(void)state;
	for (int64_t now = 1; now <= 2000; now++) {
		passed += limiter_take(limiter, "a", now) == 0;
		snprintf(key, sizeof(key), "other %d", (int)now);
		limiter_take(limiter, key, now);
	}
	assert_in_range(passed, 5, 7);
	limiter_close(limiter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lets_a_burst_through),
	    cmocka_unit_test(fills_to_the_burst_and_no_more),
	    cmocka_unit_test(says_how_long_to_wait),
	    cmocka_unit_test(is_not_flushed_by_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
