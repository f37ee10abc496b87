/* pool.h: work is done in order for each flow and side by side for several, urgent work before batches; while the store is away nothing is lost and
 * not all threads try. What the tasks do is this file's. */
#include "pool.h"

#include "base/clock.h"

#include "cmocka_all.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLOWS 8

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int running, most_running;
	int done[10000], count;
	int runs_of_urgent_before; /* batches that were done when the first urgent task was */
	bool away;
	int tried;
	int ms;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- In place of task.c: a task's number is its `window` ---- */

struct vw_task *vw_task_run(struct vw_work *work, struct vw_task *tasks)
{
	(void)work;
	pthread_mutex_lock(&seen.lock);
	seen.running++;
	seen.tried++;
	if (seen.running > seen.most_running)
		seen.most_running = seen.running;
	bool away = seen.away && tasks->kind == VW_TASK_BATCH;
	int ms = seen.ms;
	pthread_mutex_unlock(&seen.lock);
	if (ms > 0)
		usleep((useconds_t)ms * 1000);
	pthread_mutex_lock(&seen.lock);
	seen.running--;
	pthread_mutex_unlock(&seen.lock);
	return away ? tasks : NULL;
}

void vw_task_free(struct vw_task *task)
{
	free(task);
}

static void finished(struct vw_task *tasks, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&seen.lock);
	while (tasks) {
		struct vw_task *next = (struct vw_task *)tasks->item.next;
		if (tasks->kind == VW_TASK_LOOK)
			seen.runs_of_urgent_before = seen.count;
		else
			seen.done[seen.count++] = (int)tasks->window;
		free(tasks);
		tasks = next;
	}
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
}

/* ---- */

static struct vw_pool *pool;
static struct vw_group group;
static struct vw_flow flows[FLOWS];

static void push(int flow, int number, enum vw_task_kind kind)
{
	struct vw_task *task = calloc(1, sizeof(*task));
	task->kind = kind;
	task->window = (uint64_t)number;
	task->item.bytes = 600000; /* so that each is a run of its own */
	vw_pool_push(pool, kind == VW_TASK_LOOK, &group, &flows[flow], task);
}

static void wait_for(int count)
{
	pthread_mutex_lock(&seen.lock);
	while (seen.count < count)
		pthread_cond_wait(&seen.changed, &seen.lock);
	pthread_mutex_unlock(&seen.lock);
}

static int begin(void **state)
{
	static struct vw_session_settings session;
	struct vw_pool_settings settings = {.workers = 2, .session = &session, .finished = finished};
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	memset(flows, 0, sizeof(flows));
	memset(&group, 0, sizeof(group));
	seen.count = seen.tried = seen.running = seen.most_running = 0;
	seen.away = false;
	seen.ms = 0;
	seen.runs_of_urgent_before = -1;
	return vw_pool_open(&settings, &pool, &err);
}

static int end(void **state)
{
	(void)state;
	vw_pool_close(pool);
	return 0;
}

static void a_flow_is_in_order(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		push(0, i, VW_TASK_BATCH);
	wait_for(1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(seen.done[i], i);
	assert_int_equal(seen.most_running, 1);
}

/* Both threads stay, also when one of them once found nothing that it could take. */
static void flows_are_side_by_side(void **state)
{
	(void)state;
	seen.ms = 5;
	for (int i = 0; i < 20; i++)
		push(0, 1000 + i, VW_TASK_BATCH);
	wait_for(5);
	for (int i = 0; i < 20; i++)
		push(1, 2000 + i, VW_TASK_BATCH);
	wait_for(40);
	assert_int_equal(seen.most_running, 2);
	int last[2] = {999, 1999};
	for (int i = 0; i < 40; i++) {
		int *before = &last[seen.done[i] >= 2000];
		assert_int_equal(seen.done[i], *before + 1);
		*before = seen.done[i];
	}
}

static void urgent_work_does_not_wait(void **state)
{
	(void)state;
	seen.ms = 20;
	for (int flow = 0; flow < 4; flow++) {
		for (int i = 0; i < 10; i++)
			push(flow, i, VW_TASK_BATCH);
	}
	wait_for(1);
	push(5, 0, VW_TASK_LOOK);
	wait_for(40);
	assert_in_range(seen.runs_of_urgent_before, 1, 20);
}

static void a_store_that_is_away_is_tried_by_one(void **state)
{
	(void)state;
	seen.away = true;
	for (int flow = 0; flow < FLOWS; flow++) {
		for (int i = 0; i < 5; i++)
			push(flow, flow * 10 + i, VW_TASK_BATCH);
	}
	usleep(600000);
	assert_true(vw_pool_stuck_since(pool) > 0);
	pthread_mutex_lock(&seen.lock);
	assert_int_equal(seen.count, 0);
	assert_in_range(seen.tried, 2, 12); /* 50 ms, 100 ms, 200 ms, ... */
	seen.away = false;
	pthread_mutex_unlock(&seen.lock);
	wait_for(FLOWS * 5);
	assert_int_equal(vw_pool_stuck_since(pool), 0);
	int next[FLOWS] = {0};
	for (int i = 0; i < FLOWS * 5; i++)
		assert_int_equal(seen.done[i] % 10, next[seen.done[i] / 10]++);
}

static void what_cannot_be_done_is_handed_back(void **state)
{
	(void)state;
	seen.away = true;
	for (int i = 0; i < 50; i++)
		push(i % FLOWS, i, VW_TASK_BATCH);
	usleep(100000);
	vw_pool_give_up(pool);
	wait_for(50);
}

static void it_ends_with_work_left(void **state)
{
	(void)state;
	seen.away = true;
	for (int i = 0; i < 50; i++)
		push(i % FLOWS, i, VW_TASK_BATCH);
	int64_t begun = vw_clock_monotonic();
	vw_pool_close(pool);
	assert_true(vw_clock_monotonic() - begun < 2000);
	begin(state);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    T(a_flow_is_in_order),
	    T(flows_are_side_by_side),
	    T(urgent_work_does_not_wait),
	    T(a_store_that_is_away_is_tried_by_one),
	    T(what_cannot_be_done_is_handed_back),
	    T(it_ends_with_work_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
