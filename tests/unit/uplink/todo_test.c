/* Commands that wait, progress at most once a second, and ids that are to be told. */
#include "cmocka_all.h"

#include "todo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_oldest_first_and_each_once(void **state)
{
	static struct vw_todo todo;
	(void)state;
	assert_null(vw_todo_waiting(&todo));
	assert_true(vw_todo_add(&todo, "a"));
	assert_true(vw_todo_add(&todo, "b"));
	assert_true(vw_todo_add(&todo, "a"));
	assert_int_equal(todo.count, 2);
	assert_string_equal(vw_todo_waiting(&todo)->id, "a");
	vw_todo_waiting(&todo)->begun = true;
	assert_string_equal(vw_todo_waiting(&todo)->id, "b");
	vw_todo_remove(&todo, "a");
	vw_todo_remove(&todo, "nobody");
	assert_int_equal(todo.count, 1);
	assert_null(vw_todo_find(&todo, "a"));
	assert_string_equal(vw_todo_waiting(&todo)->id, "b");
}

static void test_a_cap(void **state)
{
	static struct vw_todo todo;
	char id[32], longest[VW_STORE_COMMAND_ID_MAX + 2];
	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(vw_todo_add(&todo, longest));
	assert_true(vw_todo_add(&todo, longest + 1));
	for (int i = 1; i < VW_MAX_OPEN_COMMANDS; i++) {
		snprintf(id, sizeof(id), "%d", i);
		assert_true(vw_todo_add(&todo, id));
	}
	assert_false(vw_todo_add(&todo, "one more"));
	assert_true(vw_todo_add(&todo, "7"));
}

static void test_progress_once_a_second(void **state)
{
	static struct vw_todo todo;
	int64_t due = INT64_MAX;
	(void)state;
	vw_todo_add(&todo, "a");
	assert_null(vw_todo_report(&todo, 5000, &due));
	struct vw_todo_item *item = vw_todo_find(&todo, "a");
	item->progress = true;
	assert_ptr_equal(vw_todo_report(&todo, 5000, &due), item);
	item->progress = true;
	item->reported_at = 5000;
	assert_null(vw_todo_report(&todo, 5000 + VW_PROGRESS_INTERVAL_MS - 1, &due));
	assert_int_equal(due, 5000 + VW_PROGRESS_INTERVAL_MS);
	assert_ptr_equal(vw_todo_report(&todo, 5000 + VW_PROGRESS_INTERVAL_MS, &due), item);
}

static void test_the_outbox_tells_each_once_in_order(void **state)
{
	struct vw_outbox outbox = {0};
	char *id;
	(void)state;
	assert_null(vw_outbox_take(&outbox));
	assert_true(vw_outbox_add(&outbox, "a"));
	assert_true(vw_outbox_add(&outbox, "b"));
	assert_true(vw_outbox_add(&outbox, "a"));
	assert_int_equal(outbox.count, 2);
	id = vw_outbox_take(&outbox);
	assert_string_equal(id, "a");
	free(id);
	assert_true(vw_outbox_add(&outbox, "a"));
	id = vw_outbox_take(&outbox);
	assert_string_equal(id, "b");
	free(id);
	vw_outbox_reset(&outbox);
	assert_null(vw_outbox_take(&outbox));
}

static void test_the_outbox_has_a_cap(void **state)
{
	struct vw_outbox outbox = {0};
	char id[32];
	(void)state;
	for (int i = 0; i < VW_OUTBOX_MAX; i++) {
		snprintf(id, sizeof(id), "%d", i);
		assert_true(vw_outbox_add(&outbox, id));
	}
	assert_false(vw_outbox_add(&outbox, "one more"));
	vw_outbox_reset(&outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_oldest_first_and_each_once),
	    cmocka_unit_test(test_a_cap),
	    cmocka_unit_test(test_progress_once_a_second),
	    cmocka_unit_test(test_the_outbox_tells_each_once_in_order),
	    cmocka_unit_test(test_the_outbox_has_a_cap),
	};
	return cmocka_run_group_tests_name("uplink_todo", tests, NULL, NULL);
}
