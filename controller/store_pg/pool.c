#include "pool.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_S      10  /* for a connection to be given back */
#define DOWN_MS     250 /* after a failed attempt the next one waits that long, and twice as long each time */
#define DOWN_MAX_MS 4000

struct slot {
	PGconn *connection; /* NULL: not connected */
	struct vw_arena *arena;
	bool busy;
};

struct vw_pg_pool {
	const char *url, *role;
	pthread_mutex_t mutex;
	pthread_cond_t given;
	struct slot *slots;
	int size;
	int64_t down_until; /* monotonic; 0: it answered last */
	int64_t down_ms;
	char down_text[256];
};

int vw_pg_pool_open(const char *url, const char *role, int size, struct vw_pg_pool **out, struct vw_error *err)
{
	pthread_condattr_t attr;
	struct vw_pg_pool *pool = calloc(1, sizeof(*pool));
	struct slot *slots = calloc((size_t)size, sizeof(*slots));
	if (!pool || !slots) {
		free(pool);
		free(slots);
		return vw_error_set(err, VW_ENOMEM, "no memory for connections to postgresql");
	}
	pool->url = url;
	pool->role = role;
	pool->slots = slots;
	pool->size = size;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->given, &attr);
	pthread_condattr_destroy(&attr);
	*out = pool;
	return 0;
}

void vw_pg_pool_close(struct vw_pg_pool *pool)
{
	if (!pool)
		return;
	for (int i = 0; i < pool->size; i++) {
		PQfinish(pool->slots[i].connection);
		vw_arena_close(pool->slots[i].arena);
	}
	pthread_cond_destroy(&pool->given);
	pthread_mutex_destroy(&pool->mutex);
	free(pool->slots);
	free(pool);
}

/* ---- Which slot ---- */

/* A connected one if there is one; -1: all are in use. */
static int find_free(const struct vw_pg_pool *pool)
{
	int found = -1;
	for (int i = 0; i < pool->size; i++) {
		if (pool->slots[i].busy)
			continue;
		if (pool->slots[i].connection)
			return i;
		if (found < 0)
			found = i;
	}
	return found;
}

static int wait_for_slot(struct vw_pg_pool *pool, int *out, struct vw_error *err)
{
	struct timespec until;
	int slot, waited = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAIT_S;
	while ((slot = find_free(pool)) < 0 && waited == 0)
		waited = pthread_cond_timedwait(&pool->given, &pool->mutex, &until);
	if (slot < 0)
		return vw_error_set(err, VW_EAGAIN, "all %d connections to postgresql are in use", pool->size);
	*out = slot;
	return 0;
}

/* ---- Connecting ---- */

static void note_outcome(struct vw_pg_pool *pool, int rc, const struct vw_error *said)
{
	pthread_mutex_lock(&pool->mutex);
	if (rc == 0) {
		pool->down_until = 0;
		pool->down_ms = 0;
	} else {
		pool->down_ms = pool->down_ms == 0 ? DOWN_MS : pool->down_ms * 2;
		if (pool->down_ms > DOWN_MAX_MS)
			pool->down_ms = DOWN_MAX_MS;
		pool->down_until = vw_clock_monotonic() + pool->down_ms;
		snprintf(pool->down_text, sizeof(pool->down_text), "%.*s", (int)sizeof(pool->down_text) - 1,
			 said->message);
	}
	pthread_mutex_unlock(&pool->mutex);
}

/* The slot is ours. Whatever the reason, to those who ask it is a fault that may pass. */
static int connect_slot(struct vw_pg_pool *pool, struct slot *slot, struct vw_error *err)
{
	struct vw_error said = VW_ERROR_INIT;
	PGconn *connection;
	if (slot->connection && vw_pg_is_alive(slot->connection))
		return 0;
	PQfinish(slot->connection);
	slot->connection = NULL;
	int rc = vw_pg_connect(pool->url, pool->role, &connection, &said);
	if (rc == 0 && !PQenterPipelineMode(connection)) {
		rc = vw_error_set(&said, VW_EIO, "postgresql: no pipeline mode");
		PQfinish(connection);
	}
	note_outcome(pool, rc, &said);
	if (rc < 0)
		return vw_error_set(err, rc == VW_ENOMEM ? rc : VW_EAGAIN, "%s", said.message);
	slot->connection = connection;
	return 0;
}

int vw_pg_pool_take(struct vw_pg_pool *pool, struct vw_pg_lease *out, struct vw_error *err)
{
	int slot = -1;
	pthread_mutex_lock(&pool->mutex);
	int rc = wait_for_slot(pool, &slot, err);
	if (rc == 0 && !pool->slots[slot].connection && vw_clock_monotonic() < pool->down_until)
		rc = vw_error_set(err, VW_EAGAIN, "%s", pool->down_text);
	if (rc == 0)
		pool->slots[slot].busy = true;
	pthread_mutex_unlock(&pool->mutex);
	if (rc < 0)
		return rc;
	struct slot *s = &pool->slots[slot];
	if (!s->arena)
		s->arena = vw_arena_open(0);
	struct vw_pg_lease lease = {.arena = s->arena, .slot = slot};
	rc = s->arena ? connect_slot(pool, s, err) : vw_error_set(err, VW_ENOMEM, "no memory for parameters");
	if (rc < 0) {
		vw_pg_pool_give(pool, &lease, false);
		return rc;
	}
	lease.connection = s->connection;
	*out = lease;
	return 0;
}

void vw_pg_pool_give(struct vw_pg_pool *pool, struct vw_pg_lease *lease, bool usable)
{
	struct slot *slot = &pool->slots[lease->slot];
	if (!usable) {
		PQfinish(slot->connection);
		slot->connection = NULL;
	}
	if (slot->arena)
		vw_arena_reset(slot->arena);
	pthread_mutex_lock(&pool->mutex);
	slot->busy = false;
	pthread_cond_signal(&pool->given);
	pthread_mutex_unlock(&pool->mutex);
}

int vw_pg_pool_connect(struct vw_pg_pool *pool, PGconn **out, struct vw_error *err)
{
	return vw_pg_connect(pool->url, pool->role, out, err);
}
