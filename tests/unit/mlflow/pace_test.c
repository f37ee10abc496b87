/* The token bucket and the waits between tries. */
#include "cmocka_all.h"

#include "pace.h"

#include <stdbool.h>

static void a_burst_then_the_rate(void **state)
{
	(void)state;
	struct vw_bucket bucket;
	vw_bucket_init(&bucket, 10, 3, 1000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(vw_bucket_take(&bucket, 1000), 0);
	int64_t wait = vw_bucket_take(&bucket, 1000);
	assert_true(wait >= 100 && wait <= 101);
	assert_true(vw_bucket_take(&bucket, 1050) > 0);
	assert_int_equal(vw_bucket_take(&bucket, 1000 + wait), 0);
	assert_true(vw_bucket_take(&bucket, 1000 + wait) > 0);
}

static void no_more_than_the_burst_is_saved_up(void **state)
{
	(void)state;
	struct vw_bucket bucket;
	vw_bucket_init(&bucket, 100, 2, 0);
	assert_int_equal(vw_bucket_take(&bucket, 1000000), 0);
	assert_int_equal(vw_bucket_take(&bucket, 1000000), 0);
	assert_true(vw_bucket_take(&bucket, 1000000) > 0);
}

static void a_slow_rate(void **state)
{
	(void)state;
	struct vw_bucket bucket;
	vw_bucket_init(&bucket, 0.5, 1, 0);
	assert_int_equal(vw_bucket_take(&bucket, 0), 0);
	int64_t wait = vw_bucket_take(&bucket, 0);
	assert_true(wait >= 2000 && wait <= 2001);
}

static void backoff_doubles_with_jitter_up_to_its_cap(void **state)
{
	(void)state;
	static const int64_t longest[] = {250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
	bool varied = false;
	for (int tries = 1; tries <= 10; tries++) {
		int64_t first = vw_backoff_ms(tries, 0);
		for (int i = 0; i < 50; i++) {
			int64_t wait = vw_backoff_ms(tries, 0);
			assert_true(wait >= longest[tries - 1] / 2 && wait <= longest[tries - 1]);
			varied = varied || wait != first;
		}
	}
	assert_true(varied);
	assert_true(vw_backoff_ms(1000, 0) <= 30000);
}

static void retry_after_is_the_least(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		int64_t wait = vw_backoff_ms(1, 5000);
		assert_true(wait >= 5000 && wait <= 5100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_burst_then_the_rate), cmocka_unit_test(no_more_than_the_burst_is_saved_up),
	    cmocka_unit_test(a_slow_rate), cmocka_unit_test(backoff_doubles_with_jitter_up_to_its_cap),
	    cmocka_unit_test(retry_after_is_the_least)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
