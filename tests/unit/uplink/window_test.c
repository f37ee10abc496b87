/* The window's arithmetic: what was sent, what is acknowledged, what there is room for. */
#include "cmocka_all.h"

#include "window.h"

static struct vw_window of(uint64_t limit)
{
	struct vw_window window;
	vw_window_init(&window, limit);
	return window;
}

static void test_room_shrinks_and_comes_back(void **state)
{
	struct vw_window w = of(1000);
	(void)state;
	assert_int_equal(vw_window_room(&w), 1000);
	vw_window_sent(&w, 10, 400);
	vw_window_sent(&w, 20, 500);
	assert_int_equal(vw_window_room(&w), 100);
	vw_window_acknowledged(&w, 9);
	assert_int_equal(vw_window_room(&w), 100);
	vw_window_acknowledged(&w, 10);
	assert_int_equal(vw_window_room(&w), 500);
	vw_window_acknowledged(&w, 1000);
	assert_int_equal(vw_window_room(&w), 1000);
	assert_int_equal(w.count, 0);
}

static void test_full_is_full(void **state)
{
	struct vw_window w = of(1000);
	(void)state;
	vw_window_sent(&w, 1, 5000); /* one entry may be larger than the window */
	assert_int_equal(vw_window_room(&w), 0);
	vw_window_acknowledged(&w, 1);
	assert_int_equal(vw_window_room(&w), 1000);
}

static void test_an_empty_window_has_room_for_one_entry(void **state)
{
	struct vw_window w = of(0);
	(void)state;
	assert_int_equal(vw_window_room(&w), 1);
	vw_window_sent(&w, 1, 100);
	assert_int_equal(vw_window_room(&w), 0);
}

/* More batches than there are places: bytes are never lost, credit only comes later. */
static void test_many_small_batches(void **state)
{
	struct vw_window w = of(1000000);
	(void)state;
	for (uint64_t i = 1; i <= 10 * VW_WINDOW_BATCHES; i++)
		vw_window_sent(&w, i, 10);
	assert_int_equal(w.used, 10 * 10 * VW_WINDOW_BATCHES);
	vw_window_acknowledged(&w, VW_WINDOW_BATCHES - 1);
	assert_int_equal(w.used, 10 * 9 * VW_WINDOW_BATCHES + 10);
	assert_int_equal(w.count, 1);
	vw_window_acknowledged(&w, 10 * VW_WINDOW_BATCHES - 1);
	assert_int_equal(w.count, 1);
	vw_window_acknowledged(&w, 10 * VW_WINDOW_BATCHES);
	assert_int_equal(w.used, 0);
}

static void test_the_ring_goes_round(void **state)
{
	struct vw_window w = of(100);
	(void)state;
	for (uint64_t i = 1; i <= 1000; i++) {
		vw_window_sent(&w, i, 60);
		assert_int_equal(vw_window_room(&w), 40);
		vw_window_acknowledged(&w, i);
		assert_int_equal(vw_window_room(&w), 100);
	}
}

/* Sent again from an earlier entry on: a cumulative acknowledgement of the later one counts for all of it. */
static void test_sent_again(void **state)
{
	struct vw_window w = of(1000);
	(void)state;
	vw_window_sent(&w, 100, 10);
	vw_window_sent(&w, 50, 20);
	vw_window_sent(&w, 60, 30);
	vw_window_acknowledged(&w, 60);
	assert_int_equal(w.used, 60);
	vw_window_acknowledged(&w, 100);
	assert_int_equal(w.used, 0);
}

static void test_clear_forgets_all_but_the_limit(void **state)
{
	struct vw_window w = of(1000);
	(void)state;
	vw_window_sent(&w, 1, 700);
	vw_window_clear(&w);
	assert_int_equal(vw_window_room(&w), 1000);
	vw_window_acknowledged(&w, 1);
	assert_int_equal(w.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_room_shrinks_and_comes_back),
	    cmocka_unit_test(test_full_is_full),
	    cmocka_unit_test(test_an_empty_window_has_room_for_one_entry),
	    cmocka_unit_test(test_many_small_batches),
	    cmocka_unit_test(test_the_ring_goes_round),
	    cmocka_unit_test(test_sent_again),
	    cmocka_unit_test(test_clear_forgets_all_but_the_limit),
	};
	return cmocka_run_group_tests_name("uplink_window", tests, NULL, NULL);
}
