/* transaction.h: what is asked of PostgreSQL, in as few round trips as can be.
 *
 * Statements are queued and sent together (libpq's pipeline mode); their results come in the same order. Every transaction begins with app.current_org, in
 * the same round trip: row-level security stands behind every statement. The first failure sticks: later calls do nothing, and vw_pg_end() returns it.
 *
 *	struct vw_pg_tx tx;
 *	vw_pg_begin(&tx, pg, organization, VW_PG_WRITE, err);
 *	vw_pg_query(&tx, "SELECT ... FOR UPDATE", vw_pg_with(&tx, ...));
 *	const PGresult *r = vw_pg_result(&tx);
 *	vw_pg_do(&tx, "UPDATE ...", &params);
 *	vw_pg_commit(&tx);
 *	return vw_pg_end(&tx); */
#ifndef STORE_PG_TRANSACTION_H
#define STORE_PG_TRANSACTION_H

#include "params.h"
#include "pool.h"
#include "store/store.h"

#define VW_PG_QUEUE 48 /* statements between two round trips */

enum vw_pg_mode {
	VW_PG_READ,        /* one round trip, nothing to commit */
	VW_PG_WRITE,       /* committed by vw_pg_commit() */
	VW_PG_WRITE_AGAIN, /* the same, of what can be done twice: then no mark is needed */
	VW_PG_WRITE_LOOSE, /* the same, and the commit does not wait for the disk */
};

struct vw_pg_tx {
	struct vw_pg_pool *pool;
	struct vw_pg_lease lease;
	struct vw_arena *arena; /* of its parameters and its own needs; ends with it */
	struct vw_error *err;
	int32_t organization;
	enum vw_pg_mode mode;
	int code;
	bool taken;                 /* has a connection */
	uint8_t kinds[VW_PG_QUEUE]; /* of what is queued: what its result is for */
	int queued, read;           /* since the last round trip */
	bool sent, committed;
	PGresult *result; /* the last that was given out */
	uint8_t mark[16]; /* of VW_PG_WRITE */
};

/* `organization` NONE: app.current_org stays empty, for functions that need none. */
#define VW_PG_NO_ORGANIZATION (-1)
void vw_pg_begin(struct vw_pg_tx *tx, struct vw_pg_pool *pool, int32_t organization, enum vw_pg_mode mode,
		 struct vw_error *err);
/* The same, with the organization that `sql` gives for its one parameter, a text: of a public id. */
void vw_pg_begin_lookup(struct vw_pg_tx *tx, struct vw_pg_pool *pool, const char *sql, const char *param,
			enum vw_pg_mode mode, struct vw_error *err);

/* $1 is the organization, more can be added. */
void vw_pg_params(struct vw_pg_tx *tx, struct vw_pg_params *out);
/* Queues a statement whose result vw_pg_result() gives, or of which only the failure counts. `params` is borrowed for the call. */
void vw_pg_query(struct vw_pg_tx *tx, const char *sql, const struct vw_pg_params *params);
void vw_pg_do(struct vw_pg_tx *tx, const char *sql, const struct vw_pg_params *params);
/* The next result, valid until the next call; NULL after a failure. */
const PGresult *vw_pg_result(struct vw_pg_tx *tx);
/* Rows that the statement of the last result changed. */
int64_t vw_pg_affected(const PGresult *result);
/* Sets a failure of our own, unless there is one already. Returns the code. */
int vw_pg_refuse(struct vw_pg_tx *tx, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Tells all replicas, once this is committed. `agent_id` may be NULL. */
void vw_pg_notify(struct vw_pg_tx *tx, enum vw_change_kind kind, int32_t organization, const char *agent_id);
/* A connection can break between the commit and its answer. Then the transaction's mark, a row of table commits that is written with it, is looked for: success and
 * VW_EAGAIN are both the truth, and VW_EAGAIN says so where the database stays away for too long to tell. Of what can be done again, a lost answer is VW_EAGAIN. */
int vw_pg_commit(struct vw_pg_tx *tx);
/* The same for a kind of change that may be lost with a crash: it is told behind the commit and does not hold up others, which telling in a transaction does. */
int vw_pg_commit_and_tell(struct vw_pg_tx *tx, enum vw_change_kind kind, const char *agent_id);
/* Rolls back what was not committed and gives the connection back. */
int vw_pg_end(struct vw_pg_tx *tx);

#endif
