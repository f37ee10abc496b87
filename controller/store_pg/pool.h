/* pool.h: a bounded number of connections, for whichever thread needs one. A connection that died is replaced when it is asked for; while the database is
 * away, callers are told so at once and not one after the other. */
#ifndef STORE_PG_POOL_H
#define STORE_PG_POOL_H

#include "base/arena.h"
#include "connection.h"

struct vw_pg_pool;

/* One connection while somebody has it; the arena is for its parameters. */
struct vw_pg_lease {
	PGconn *connection;
	struct vw_arena *arena;
	int slot;
};

/* Borrows the texts while it is open. Nothing is connected yet. */
int vw_pg_pool_open(const char *url, const char *role, int size, struct vw_pg_pool **out, struct vw_error *err);
/* All leases were given back. NULL is fine. */
void vw_pg_pool_close(struct vw_pg_pool *pool);

/* VW_EAGAIN: the database is away, or all connections stay in use (10 s). In pipeline mode. */
int vw_pg_pool_take(struct vw_pg_pool *pool, struct vw_pg_lease *out, struct vw_error *err);
/* `usable` false: it is closed. */
void vw_pg_pool_give(struct vw_pg_pool *pool, struct vw_pg_lease *lease, bool usable);

/* One more, outside the pool and not in pipeline mode; the caller's. */
int vw_pg_pool_connect(struct vw_pg_pool *pool, PGconn **out, struct vw_error *err);

#endif
