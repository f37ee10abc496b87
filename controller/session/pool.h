/* pool.h: the threads that may wait for the store.
 *
 * Two queues: urgent work (may a stream begin, may it go on, which commands wait) is done before batches by every thread, and some do nothing
 * else, so that a revocation never waits behind a full queue. When the store is away, batches are tried again one at a time, later and later. */
#ifndef SESSION_POOL_H
#define SESSION_POOL_H

#include "task.h"

struct vw_pool;

struct vw_pool_settings {
	int workers;
	const struct vw_session_settings *session;
	struct vw_tally *tally;
	void (*finished)(struct vw_task *tasks,
			 void *arg); /* linked, in order; from a worker's thread; must not wait */
	void *arg;
};
int vw_pool_open(const struct vw_pool_settings *settings, struct vw_pool **out, struct vw_error *err);
/* Waits for what the threads are doing; what they had not begun is freed. NULL is fine. */
void vw_pool_close(struct vw_pool *pool);

void vw_pool_push(struct vw_pool *pool, bool urgent, struct vw_group *group, struct vw_flow *flow,
		  struct vw_task *task);
/* What waits is handed back undone, from now on. */
void vw_pool_give_up(struct vw_pool *pool);
/* Since when the store has not taken batches, monotonic; 0: it takes them. */
int64_t vw_pool_stuck_since(struct vw_pool *pool);

#endif
