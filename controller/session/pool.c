#include "pool.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define URGENT_THREADS   16 /* a store commits together what many wait for: ten thousand agents come back in seconds */
#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS   5000
#define WORKER_ARENA     (128 * VW_MIB) /* the largest message twice, and what is read off it */

struct vw_pool {
	struct vw_pool_settings settings;
	pthread_mutex_t lock;
	pthread_cond_t wake_urgent,
	    wake; /* of those that do only urgent work, of all others; on the monotonic clock */
	struct vw_fair urgent, bulk;
	bool stop, giving_up;
	int64_t backoff_ms; /* 0: the store takes batches */
	int64_t paused_until, stuck_since;
	bool probing; /* a thread tries whether it does again */
	int thread_count;
	struct worker *threads;
};

struct worker {
	struct vw_pool *pool;
	pthread_t thread;
	bool urgent_only;
	struct vw_work work;
};

/* ---- What is next ---- */

/* In ms from now: 0: there is some, -1: wait for a push. */
static int64_t bulk_in(const struct vw_pool *pool, int64_t now)
{
	if (!vw_fair_ready(&pool->bulk))
		return -1;
	if (pool->backoff_ms == 0 || pool->giving_up)
		return 0;
	if (pool->probing)
		return -1;
	return pool->paused_until > now ? pool->paused_until - now : 0;
}

static void wait_for(struct worker *worker, int64_t ms)
{
	struct vw_pool *pool = worker->pool;
	struct timespec until;
	if (ms < 0) {
		pthread_cond_wait(worker->urgent_only ? &pool->wake_urgent : &pool->wake, &pool->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&pool->wake, &pool->lock, &until);
}

/* The next run of tasks; NULL at the end. Called with the lock held. */
static struct vw_task *take(struct worker *worker, struct vw_fair **out_queue, struct vw_flow **out_flow)
{
	struct vw_pool *pool = worker->pool;
	while (!pool->stop) {
		*out_queue = &pool->urgent;
		struct vw_item *items = vw_fair_pop(&pool->urgent, 0, out_flow);
		if (items)
			return (struct vw_task *)items;
		int64_t ms = worker->urgent_only ? -1 : bulk_in(pool, vw_clock_monotonic());
		if (ms == 0) {
			*out_queue = &pool->bulk;
			pool->probing = pool->backoff_ms > 0;
			return (struct vw_task *)vw_fair_pop(&pool->bulk, VW_MAX_BATCH_BYTES, out_flow);
		}
		wait_for(worker, ms);
	}
	return NULL;
}

/* What the store said about batches decides when the next are tried. */
static void note_outcome(struct vw_pool *pool, bool away)
{
	int64_t now = vw_clock_monotonic();
	uint32_t random;
	pool->probing = false;
	if (!away) {
		if (pool->backoff_ms > 0)
			pthread_cond_broadcast(&pool->wake);
		pool->backoff_ms = 0;
		pool->stuck_since = 0;
		return;
	}
	if (pool->stuck_since == 0)
		pool->stuck_since = now;
	pool->backoff_ms = pool->backoff_ms == 0 ? BACKOFF_FIRST_MS : 2 * pool->backoff_ms;
	if (pool->backoff_ms > BACKOFF_MAX_MS)
		pool->backoff_ms = BACKOFF_MAX_MS;
	vw_random_bytes(&random, sizeof(random));
	pool->paused_until = now + pool->backoff_ms / 2 + (int64_t)random % (pool->backoff_ms / 2 + 1);
}

/* ---- The threads ---- */

/* Cuts the list before `again`. */
static struct vw_task *done_ones(struct vw_task *tasks, const struct vw_task *again)
{
	struct vw_task *last = tasks;
	if (tasks == again)
		return NULL;
	while (last->item.next != (again ? &again->item : NULL))
		last = (struct vw_task *)last->item.next;
	last->item.next = NULL;
	return tasks;
}

/* Under one lock, the flow first: what is handed back stays in order, and behind its last task its owner may be gone. */
static void hand_back(struct vw_pool *pool, struct vw_fair *queue, struct vw_flow *flow, struct vw_task *tasks,
		      struct vw_task *again)
{
	struct vw_task *done = done_ones(tasks, again);
	vw_fair_done(queue, flow, again ? &again->item : NULL);
	if (queue == &pool->bulk)
		note_outcome(pool, again);
	if (done)
		pool->settings.finished(done, pool->settings.arg);
	if (vw_fair_ready(&pool->urgent) || vw_fair_ready(&pool->bulk))
		pthread_cond_signal(&pool->wake);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct vw_pool *pool = worker->pool;
	struct vw_fair *queue;
	struct vw_flow *flow;
	struct vw_task *tasks;
	pthread_mutex_lock(&pool->lock);
	while ((tasks = take(worker, &queue, &flow))) {
		bool undone = pool->giving_up;
		pthread_mutex_unlock(&pool->lock);
		struct vw_task *again = undone ? NULL : vw_task_run(&worker->work, tasks);
		pthread_mutex_lock(&pool->lock);
		hand_back(pool, queue, flow, tasks, again);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static int open_worker(struct vw_pool *pool, struct worker *worker, struct vw_error *err)
{
	worker->pool = pool;
	worker->work = (struct vw_work){
	    .settings = pool->settings.session, .tally = pool->settings.tally, .arena = vw_arena_open(WORKER_ARENA)};
	if (!worker->work.arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a thread of sessions");
	if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
		vw_arena_close(worker->work.arena);
		return vw_error_set(err, VW_EAGAIN, "cannot start a thread for sessions");
	}
	pool->thread_count++;
	return 0;
}

static void init_locks(struct vw_pool *pool)
{
	pthread_condattr_t attributes;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->wake, &attributes);
	pthread_cond_init(&pool->wake_urgent, &attributes);
	pthread_condattr_destroy(&attributes);
}

int vw_pool_open(const struct vw_pool_settings *settings, struct vw_pool **out, struct vw_error *err)
{
	struct vw_pool *pool = calloc(1, sizeof(*pool));
	int rc = 0, count = settings->workers + URGENT_THREADS;
	if (pool)
		pool->threads = calloc((size_t)count, sizeof(*pool->threads));
	if (!pool || !pool->threads) {
		free(pool);
		return vw_error_set(err, VW_ENOMEM, "no memory for the threads of sessions");
	}
	pool->settings = *settings;
	vw_fair_init(&pool->urgent, VW_FAIR_LEAST);
	vw_fair_init(&pool->bulk, VW_MAX_BATCH_BYTES);
	init_locks(pool);
	for (int i = 0; i < count && rc == 0; i++) {
		pool->threads[i].urgent_only = i < URGENT_THREADS;
		rc = open_worker(pool, &pool->threads[i], err);
	}
	if (rc < 0) {
		vw_pool_close(pool);
		return rc;
	}
	*out = pool;
	return 0;
}

static void drop(struct vw_fair *queue)
{
	struct vw_item *item;
	while ((item = vw_fair_drop(queue))) {
		while (item) {
			struct vw_item *next = item->next;
			vw_task_free((struct vw_task *)item);
			item = next;
		}
	}
}

void vw_pool_close(struct vw_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_cond_broadcast(&pool->wake_urgent);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->thread_count; i++) {
		pthread_join(pool->threads[i].thread, NULL);
		vw_arena_close(pool->threads[i].work.arena);
	}
	drop(&pool->urgent);
	drop(&pool->bulk);
	pthread_cond_destroy(&pool->wake);
	pthread_cond_destroy(&pool->wake_urgent);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}

void vw_pool_push(struct vw_pool *pool, bool urgent, struct vw_group *group, struct vw_flow *flow,
		  struct vw_task *task)
{
	pthread_mutex_lock(&pool->lock);
	vw_fair_push(urgent ? &pool->urgent : &pool->bulk, group, flow, &task->item);
	if (urgent)
		pthread_cond_signal(&pool->wake_urgent);
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}

void vw_pool_give_up(struct vw_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->giving_up = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}

int64_t vw_pool_stuck_since(struct vw_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	int64_t since = pool->stuck_since;
	pthread_mutex_unlock(&pool->lock);
	return since;
}
