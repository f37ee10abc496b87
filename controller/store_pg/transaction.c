#include "transaction.h"

#include "base/clock.h"
#include "base/digest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RESOLVE_MS 8000 /* how long a lost commit is asked after */
#define RETRY_MS   50

/* What the result of a queued statement is for. */
enum kind { CHECKED, WANTED, COMMITTED };

/* ---- Queue and results ---- */

static int fail(struct vw_pg_tx *tx, const PGresult *result)
{
	tx->code = vw_pg_fail(tx->lease.connection, result, tx->err);
	return tx->code;
}

int vw_pg_refuse(struct vw_pg_tx *tx, int code, const char *fmt, ...)
{
	char text[VW_ERROR_MESSAGE_MAX];
	va_list ap;
	if (tx->code < 0)
		return tx->code;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tx->code = vw_error_set(tx->err, code, "%s", text);
	return tx->code;
}

/* The next result; moves over the end of a round trip. */
static PGresult *next(struct vw_pg_tx *tx, enum kind *out_kind)
{
	PGconn *connection = tx->lease.connection;
	if (!tx->sent && !PQpipelineSync(connection)) {
		fail(tx, NULL);
		return NULL;
	}
	tx->sent = true;
	PGresult *result = PQgetResult(connection);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
		fail(tx, result);
		PQclear(result);
		return NULL;
	}
	PQclear(PQgetResult(connection)); /* NULL: the end of this statement */
	*out_kind = tx->kinds[tx->read++];
	if (tx->read == tx->queued) {
		PQclear(PQgetResult(connection)); /* PGRES_PIPELINE_SYNC */
		tx->read = tx->queued = 0;
		tx->sent = false;
	}
	return result;
}

/* Up to the next one that somebody wants; NULL: none is left, or a failure. */
static PGresult *advance(struct vw_pg_tx *tx)
{
	while (tx->code == 0 && tx->queued > 0) {
		enum kind kind;
		PGresult *result = next(tx, &kind);
		if (!result)
			return NULL;
		if (kind == WANTED)
			return result;
		tx->committed |= kind == COMMITTED;
		PQclear(result);
	}
	return NULL;
}

static void queue(struct vw_pg_tx *tx, const char *sql, const struct vw_pg_params *params, enum kind kind)
{
	while (tx->code == 0 && tx->sent) {
		PGresult *unread = advance(tx);
		assert(!unread);
		PQclear(unread);
	}
	if (tx->code < 0)
		return;
	if (tx->queued == VW_PG_QUEUE || (params && params->failed)) {
		vw_pg_refuse(tx, vw_arena_failed(tx->arena) ? VW_ENOMEM : VW_ELIMIT,
			     "postgresql: the statement has too many parts or too large ones");
		return;
	}
	int ok = PQsendQueryParams(tx->lease.connection, sql, params ? params->count : 0,
				   params ? params->types : NULL, params ? params->values : NULL,
				   params ? params->lengths : NULL, params ? params->formats : NULL, 1);
	if (ok)
		tx->kinds[tx->queued++] = (uint8_t)kind;
	else
		fail(tx, NULL);
}

void vw_pg_query(struct vw_pg_tx *tx, const char *sql, const struct vw_pg_params *params)
{
	queue(tx, sql, params, WANTED);
}

void vw_pg_do(struct vw_pg_tx *tx, const char *sql, const struct vw_pg_params *params)
{
	queue(tx, sql, params, CHECKED);
}

const PGresult *vw_pg_result(struct vw_pg_tx *tx)
{
	PQclear(tx->result);
	tx->result = advance(tx);
	return tx->result;
}

int64_t vw_pg_affected(const PGresult *result)
{
	return result ? strtoll(PQcmdTuples((PGresult *)result), NULL, 10) : 0;
}

/* ---- Begin ---- */

static void begin(struct vw_pg_tx *tx, struct vw_pg_pool *pool, enum vw_pg_mode mode, struct vw_error *err)
{
	*tx = (struct vw_pg_tx){.pool = pool, .err = err, .mode = mode};
	tx->code = vw_pg_pool_take(pool, &tx->lease, err);
	tx->taken = tx->code == 0;
	tx->arena = tx->lease.arena;
	if (mode == VW_PG_READ)
		return;
	vw_pg_do(tx, "BEGIN", NULL);
	if (mode == VW_PG_WRITE_LOOSE)
		vw_pg_do(tx, "SET LOCAL synchronous_commit = off", NULL);
}

void vw_pg_begin(struct vw_pg_tx *tx, struct vw_pg_pool *pool, int32_t organization, enum vw_pg_mode mode,
		 struct vw_error *err)
{
	struct vw_pg_params p;
	begin(tx, pool, mode, err);
	tx->organization = organization;
	if (tx->code < 0 || organization == VW_PG_NO_ORGANIZATION)
		return;
	vw_pg_params(tx, &p);
	vw_pg_do(tx, "SELECT set_config('app.current_org', $1::text, true)", &p);
}

void vw_pg_begin_lookup(struct vw_pg_tx *tx, struct vw_pg_pool *pool, const char *sql, const char *param,
			enum vw_pg_mode mode, struct vw_error *err)
{
	struct vw_pg_params p;
	begin(tx, pool, mode, err);
	tx->organization = VW_PG_NO_ORGANIZATION;
	if (tx->code < 0)
		return;
	vw_pg_params(tx, &p);
	p.count = 0;
	vw_pg_text(&p, param);
	vw_pg_do(tx, sql, &p);
}

void vw_pg_params(struct vw_pg_tx *tx, struct vw_pg_params *out)
{
	vw_pg_params_init(out, tx->arena, tx->organization);
}

/* ---- Telling others ---- */

void vw_pg_notify(struct vw_pg_tx *tx, enum vw_change_kind kind, int32_t organization, const char *agent_id)
{
	struct vw_pg_params p;
	char payload[64];
	if (tx->code < 0)
		return;
	snprintf(payload, sizeof(payload), "%d %" PRId32 " %s", (int)kind, organization, agent_id ? agent_id : "");
	vw_pg_params(tx, &p);
	p.count = 0;
	vw_pg_text(&p, payload);
	vw_pg_do(tx, "SELECT pg_notify('verifywise_fleet', $1)", &p);
}

/* ---- End ---- */

/* Reads away what is under way. False: the connection is gone. */
static bool drain(struct vw_pg_tx *tx)
{
	PGconn *connection = tx->lease.connection;
	int empty = 0;
	if (tx->queued == 0)
		return PQstatus(connection) == CONNECTION_OK;
	if (!tx->sent && !PQpipelineSync(connection))
		return false;
	tx->sent = true;
	while (PQstatus(connection) == CONNECTION_OK && empty < 2) {
		PGresult *result = PQgetResult(connection);
		bool end = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
		empty = result ? 0 : empty + 1;
		PQclear(result);
		if (end) {
			tx->queued = tx->read = 0;
			tx->sent = false;
			return true;
		}
	}
	return false;
}

/* Written with the transaction, for ask_outcome(); old ones go. */
#define MARK_MS     ((int64_t)60 * 60 * 1000)
#define CLEAR_MARKS "DELETE FROM commits WHERE organization_id = $1 AND at < $2"
#define PUT_MARK    "INSERT INTO commits (organization_id, id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"

static void queue_mark(struct vw_pg_tx *tx)
{
	struct vw_pg_params p;
	int64_t now = vw_clock_now();
	if (tx->code < 0 || tx->mode != VW_PG_WRITE)
		return;
	vw_random_bytes(tx->mark, sizeof(tx->mark));
	vw_pg_params(tx, &p);
	vw_pg_int8(&p, now - MARK_MS);
	vw_pg_do(tx, CLEAR_MARKS, &p);
	vw_pg_params(tx, &p);
	vw_pg_uuid(&p, tx->mark);
	vw_pg_int8(&p, now);
	vw_pg_do(tx, PUT_MARK, &p);
}

/* 1: committed, 0: not, negative: nobody could say. The mark is put once more: that waits for a transaction that is still under way, fails if it was
 * committed, and if not keeps it from being so later. */
static int put_mark_again(struct vw_pg_tx *tx)
{
	struct vw_error unused = VW_ERROR_INIT;
	struct vw_pg_tx again;
	struct vw_pg_params p;
	vw_pg_begin(&again, tx->pool, tx->organization, VW_PG_WRITE_AGAIN, &unused);
	vw_pg_params(&again, &p);
	vw_pg_uuid(&p, tx->mark);
	vw_pg_int8(&p, vw_clock_now());
	vw_pg_query(&again, PUT_MARK, &p);
	int64_t put = vw_pg_affected(vw_pg_result(&again));
	vw_pg_commit(&again);
	int rc = vw_pg_end(&again);
	return rc < 0 ? rc : put == 0;
}

static int ask_outcome(struct vw_pg_tx *tx)
{
	static const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
	int outcome = VW_EAGAIN;
	/* our own connection is of no use any more, and there may be but one */
	vw_pg_pool_give(tx->pool, &tx->lease, false);
	tx->taken = false;
	for (int64_t until = vw_clock_monotonic() + RESOLVE_MS; outcome < 0 && vw_clock_monotonic() < until;) {
		outcome = put_mark_again(tx);
		if (outcome < 0)
			nanosleep(&pause, NULL);
	}
	return outcome;
}

/* The connection broke between our COMMIT and its answer. */
static void resolve(struct vw_pg_tx *tx)
{
	int committed = ask_outcome(tx);
	if (committed == 1)
		tx->code = 0;
	else if (committed == 0)
		tx->code = vw_error_set(tx->err, VW_EAGAIN, "postgresql: the connection broke; nothing was stored");
	else
		tx->code = vw_error_set(tx->err, VW_EAGAIN,
					"postgresql: the connection broke while this was being stored; "
					"whether it was cannot be said until the database is back");
}

static int commit(struct vw_pg_tx *tx, const enum vw_change_kind *tell, const char *agent_id)
{
	queue_mark(tx);
	queue(tx, "COMMIT", NULL, COMMITTED);
	if (tx->code < 0)
		return tx->code;
	if (tell) {
		vw_pg_do(tx, "SELECT set_config('synchronous_commit', 'off', true)", NULL);
		vw_pg_notify(tx, *tell, tx->organization, agent_id);
	}
	while (tx->code == 0 && tx->queued > 0)
		PQclear(advance(tx));
	if (tx->committed)
		tx->code = 0; /* whatever became of what was to be told */
	else if (tx->code < 0 && !drain(tx) && tx->mode == VW_PG_WRITE)
		resolve(tx);
	return tx->code;
}

int vw_pg_commit(struct vw_pg_tx *tx)
{
	return commit(tx, NULL, NULL);
}

int vw_pg_commit_and_tell(struct vw_pg_tx *tx, enum vw_change_kind kind, const char *agent_id)
{
	return commit(tx, &kind, agent_id);
}

int vw_pg_end(struct vw_pg_tx *tx)
{
	PQclear(tx->result);
	tx->result = NULL;
	if (!tx->taken)
		return tx->code;
	bool usable = drain(tx);
	if (usable && PQtransactionStatus(tx->lease.connection) != PQTRANS_IDLE) {
		usable = PQsendQueryParams(tx->lease.connection, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0);
		tx->queued = usable;
		usable = usable && drain(tx) && PQtransactionStatus(tx->lease.connection) == PQTRANS_IDLE;
	}
	vw_pg_pool_give(tx->pool, &tx->lease, usable);
	tx->taken = false;
	return tx->code;
}
