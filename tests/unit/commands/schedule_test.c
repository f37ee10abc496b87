#include "schedule.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define START  (7 * HOUR + 123)

static const char agent[] = "0221122c-6b5e-40b0-aeb5-ce89961343e6";

static void begins_with_a_full_sync_at_once(void **state)
{
	(void)state;
	struct schedule s;
	schedule_init(&s, agent, 5 * MINUTE, 6 * HOUR, START);
	assert_int_equal(schedule_due(&s), START);
	assert_int_equal(schedule_depth(&s, START), VW_DEPTH_FULL);
}

/* A simulated day in which every sync takes a second. */
static void keeps_both_intervals(void **state)
{
	(void)state;
	struct schedule s;
	int64_t now = START, last_quick = START, last_full = START;
	int quick = 0, full = 0;
	schedule_init(&s, agent, 5 * MINUTE, 6 * HOUR, now);
	for (;;) {
		now = schedule_due(&s) > now ? schedule_due(&s) : now;
		if (now > START + 24 * HOUR)
			break;
		enum vw_depth depth = schedule_depth(&s, now);
		/* nothing waits longer than its interval and the syncs themselves */
		assert_true(now - last_quick <= 5 * MINUTE + 2 * SECOND);
		assert_true(now - last_full <= 6 * HOUR + 2 * SECOND);
		now += SECOND;
		schedule_done(&s, depth, false, now, 0);
		last_quick = now;
		last_full = depth == VW_DEPTH_FULL ? now : last_full;
		full += depth == VW_DEPTH_FULL;
		quick += depth == VW_DEPTH_QUICK;
	}
	assert_in_range(full, 5, 5);
	assert_in_range(quick, 284, 289);
}

static void missed_times_are_made_up_for_once(void **state)
{
	(void)state;
	struct schedule s;
	schedule_init(&s, agent, MINUTE, HOUR, START);
	schedule_done(&s, VW_DEPTH_FULL, false, START, 0);
	int64_t first = s.next_quick;
	/* this one took ten and a half intervals */
	int64_t end = first + 10 * MINUTE + 30 * SECOND;
	schedule_done(&s, VW_DEPTH_QUICK, false, end, 0);
	assert_int_equal(s.next_quick, first + 11 * MINUTE);
}

/* A fleet that starts together does not go on together. */
static void agents_are_splayed(void **state)
{
	(void)state;
	enum { AGENTS = 600, SLICES = 10 };
	int slices[SLICES] = {0};
	for (int i = 0; i < AGENTS; i++) {
		char id[40];
		struct schedule s, again;
		snprintf(id, sizeof(id), "agent-%d", i);
		schedule_init(&s, id, 5 * MINUTE, 6 * HOUR, START);
		schedule_init(&again, id, 5 * MINUTE, 6 * HOUR, START);
		schedule_done(&s, VW_DEPTH_FULL, false, START, 0);
		schedule_done(&again, VW_DEPTH_FULL, false, START, 0.9);
		assert_int_equal(schedule_due(&s), schedule_due(&again));
		int64_t after = schedule_due(&s) - START;
		assert_in_range(after, 1, 5 * MINUTE);
		slices[(after - 1) * SLICES / (5 * MINUTE)]++;
	}
	for (int i = 0; i < SLICES; i++)
		assert_in_range(slices[i], AGENTS / SLICES / 2, AGENTS / SLICES * 2);
}

static void failures_back_off(void **state)
{
	(void)state;
	struct schedule s;
	int64_t now = START;
	const int64_t delays[] = {5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE};
	schedule_init(&s, agent, 5 * MINUTE, 6 * HOUR, now);
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		schedule_done(&s, VW_DEPTH_FULL, true, now, 0);
		assert_int_equal(schedule_due(&s), now + delays[i]);
		now = schedule_due(&s);
		/* what failed is done again, as deeply */
		assert_int_equal(schedule_depth(&s, now), VW_DEPTH_FULL);
	}
	assert_int_equal(s.failures, 5);
	schedule_done(&s, VW_DEPTH_FULL, false, now, 0);
	assert_int_equal(s.failures, 0);
	assert_in_range(schedule_due(&s) - now, 1, 5 * MINUTE);
	assert_int_equal(schedule_depth(&s, schedule_due(&s)), VW_DEPTH_QUICK);
}

static void a_retry_has_jitter(void **state)
{
	(void)state;
	struct schedule s;
	schedule_init(&s, agent, 4 * MINUTE, 6 * HOUR, START);
	schedule_done(&s, VW_DEPTH_FULL, true, START, 0.5);
	assert_int_equal(schedule_due(&s), START + 4 * MINUTE + 30 * SECOND);
	schedule_init(&s, agent, 4 * MINUTE, 6 * HOUR, START);
	schedule_done(&s, VW_DEPTH_FULL, true, START, 0.999999);
	assert_in_range(schedule_due(&s), START + 4 * MINUTE + 59 * SECOND, START + 5 * MINUTE);
}

/* An operator who asks for one sync a day is not asked more often by failures, and a year's interval does not overflow. */
static void a_long_interval_is_never_shortened(void **state)
{
	(void)state;
	struct schedule s;
	const int64_t year = 365 * 24 * HOUR;
	schedule_init(&s, agent, year, year, START);
	for (int i = 0; i < 100; i++)
		schedule_done(&s, VW_DEPTH_FULL, true, START, 0);
	assert_int_equal(schedule_due(&s), START + year);
}

static void a_quick_failure_meets_a_full_sync(void **state)
{
	(void)state;
	struct schedule s;
	schedule_init(&s, agent, MINUTE, 3 * MINUTE, START);
	schedule_done(&s, VW_DEPTH_FULL, false, START, 0);
	int64_t now = START + 30 * MINUTE;
	schedule_done(&s, VW_DEPTH_QUICK, true, now, 0);
	assert_int_equal(schedule_due(&s), now + MINUTE);
	assert_int_equal(schedule_depth(&s, now + MINUTE), VW_DEPTH_FULL);
}

static void a_change_is_for_now(void **state)
{
	(void)state;
	struct schedule s;
	schedule_init(&s, agent, 5 * MINUTE, 6 * HOUR, START);
	schedule_done(&s, VW_DEPTH_FULL, false, START, 0);
	int64_t now = START + 10 * SECOND;
	schedule_change(&s, MINUTE, HOUR, VW_DEPTH_QUICK, now);
	assert_int_equal(schedule_due(&s), now);
	assert_int_equal(schedule_depth(&s, now), VW_DEPTH_QUICK);
	schedule_done(&s, VW_DEPTH_QUICK, false, now, 0);
	assert_in_range(schedule_due(&s) - now, 1, MINUTE);
	assert_in_range(s.next_full - now, 1, HOUR);
	schedule_change(&s, MINUTE, HOUR, VW_DEPTH_FULL, now);
	assert_int_equal(schedule_depth(&s, now), VW_DEPTH_FULL);
}

/* A full sync that is owed stays owed, and back-off ends: the cause may be mended. */
static void a_change_forgets_failures_but_not_debts(void **state)
{
	(void)state;
	struct schedule s;
	schedule_init(&s, agent, 5 * MINUTE, 6 * HOUR, START);
	schedule_done(&s, VW_DEPTH_FULL, true, START, 0);
	schedule_change(&s, 5 * MINUTE, 6 * HOUR, VW_DEPTH_QUICK, START + SECOND);
	assert_int_equal(schedule_due(&s), START + SECOND);
	assert_int_equal(schedule_depth(&s, START + SECOND), VW_DEPTH_FULL);
	assert_int_equal(s.failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(begins_with_a_full_sync_at_once),
	    cmocka_unit_test(keeps_both_intervals),
	    cmocka_unit_test(missed_times_are_made_up_for_once),
	    cmocka_unit_test(agents_are_splayed),
	    cmocka_unit_test(failures_back_off),
	    cmocka_unit_test(a_retry_has_jitter),
	    cmocka_unit_test(a_long_interval_is_never_shortened),
	    cmocka_unit_test(a_quick_failure_meets_a_full_sync),
	    cmocka_unit_test(a_change_is_for_now),
	    cmocka_unit_test(a_change_forgets_failures_but_not_debts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
