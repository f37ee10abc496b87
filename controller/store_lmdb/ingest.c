/* ingest.c: an agent's batch, verified in its caller's thread, stored by the writer.
 *
 * Verification is by far the larger part, and needs nothing but where the agent's chain stands. So it is done in a view, by as many threads as there are,
 * and the writer compares whether the chain still stands there. If not, another batch of the same agent was faster, and this one is looked
 * at again. */
#include "ingest.h"

#include "join.h"

#include "proto/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TRIES 1000 /* batches of one agent that may overtake this one */

struct ingest {
	const struct vw_ingest_batch *batch;
	struct vw_arena *arena;
	struct vw_chain base; /* where the plan begins */
	struct vw_plan plan;
	struct vw_lmdb_prepared prepared;
	const char *refused; /* why nothing of it is taken */
	bool stale;
};

/* ---- In the caller's thread ---- */

struct hashes {
	struct vw_txn *txn;
	const struct vw_ingest_batch *batch;
};

static int stored_hash(uint64_t sequence, uint8_t out[VW_LEDGER_HASH], void *arg, struct vw_error *err)
{
	const struct hashes *h = arg;
	int rc = vw_lmdb_entry_hash(h->txn, h->batch->organization, h->batch->agent_id, sequence, out, err);
	if (rc == VW_ENOTFOUND)
		return vw_error_set(err, VW_ECORRUPT, "entry %" PRIu64 " of agent %s is missing in the store",
				    sequence, h->batch->agent_id);
	return rc;
}

static int look_at_agent(struct vw_txn *txn, const struct ingest *i, vw_agent **out, const char **out_refused,
			 struct vw_error *err)
{
	vw_organization *organization = NULL;
	int rc = vw_lmdb_agent(txn, i->arena, i->batch->organization, i->batch->agent_id, out, err);
	if (rc == 0)
		rc = vw_lmdb_organization(txn, i->arena, i->batch->organization, &organization, err);
	if (rc == 0)
		*out_refused = vw_agent_refused(organization, *out);
	return rc;
}

static int make_plan(struct vw_txn *txn, struct ingest *i, struct vw_arena *scratch, struct vw_error *err)
{
	struct hashes hashes = {.txn = txn, .batch = i->batch};
	vw_agent *agent;
	int rc = look_at_agent(txn, i, &agent, &i->refused, err);
	if (rc < 0)
		return rc;
	vw_agent_chain(agent, &i->base);
	if (i->refused)
		return 0;
	rc = vw_lmdb_prepare_begin(&i->prepared, i->batch, i->arena, err);
	return rc < 0 ? rc
		      : vw_plan_walk(&i->base, i->batch, stored_hash, &hashes, scratch, vw_lmdb_prepare, &i->prepared,
				     &i->plan, err);
}

static int prepare(struct vw_lmdb_store *store, struct ingest *i, struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *scratch = vw_arena_open(0);
	struct vw_txn *txn;
	i->plan = (struct vw_plan){0};
	if (!scratch)
		return vw_lmdb_no_memory(err);
	int rc = vw_txn_begin_read(store->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = make_plan(txn, i, scratch, err);
	vw_txn_end(txn);
	return rc;
}

/* ---- In the writer's thread ---- */

static int put_fork(struct vw_lmdb_tx *tx, const struct ingest *i, vw_agent *agent, struct vw_error *err)
{
	const struct vw_ingest_batch *b = i->batch;
	vw_quarantined_entry entry = VERIFYWISE__V1__QUARANTINED_ENTRY__INIT;
	vw_controller_event event;
	struct vw_lmdb_key key;
	VW_SET(&entry, organization, b->organization);
	entry.agent_id = (char *)b->agent_id;
	VW_SET(&entry, sequence, i->plan.fork_sequence);
	entry.has_payload = entry.has_chain_sha256 = 1;
	entry.payload = i->plan.fork->payload;
	entry.chain_sha256 = i->plan.fork->chain_sha256;
	VW_SET(&entry, received_at, b->now);
	entry.session_id = (char *)b->session_id;
	char *reason = vw_arena_printf(i->arena, "forked: %s", i->plan.reason);
	if (!reason)
		return vw_lmdb_no_memory(err);
	if (!vw_lmdb_key_quarantine(b->organization, b->agent_id, i->plan.fork_sequence, entry.chain_sha256.data,
				    &key))
		return vw_lmdb_not_found("such agent", err);
	vw_join_quarantine(agent, reason, b->now);
	vw_join_event(agent, "fork_seen", reason, b->now, &event);
	vw_lmdb_change(tx, VW_CHANGE_AGENT, b->organization, b->agent_id);
	int rc = vw_lmdb_put(tx, VW_LMDB_QUARANTINE, &key, &entry.base, err);
	return rc < 0 ? rc : vw_lmdb_put_trail(tx, &event, err);
}

static bool stands_there(const vw_agent *agent, const struct vw_chain *base)
{
	struct vw_chain now;
	vw_agent_chain(agent, &now);
	return now.head.sequence == base->head.sequence &&
	       memcmp(now.head.hash, base->head.hash, sizeof(now.head.hash)) == 0 &&
	       strcmp(now.agent_id, base->agent_id) == 0;
}

static int put_entries(struct vw_lmdb_tx *tx, const struct ingest *i, vw_agent *agent, struct vw_error *err)
{
	struct vw_lmdb_counters counters = {0};
	int rc = vw_lmdb_put_prepared(tx, i->arena, &i->prepared, &counters, err);
	if (rc == 0)
		rc = vw_lmdb_count(tx, i->batch->organization, &counters, err);
	vw_agent_put_chain(agent, &i->plan.chain, i->batch->now);
	vw_lmdb_change(tx, VW_CHANGE_RECORDS, i->batch->organization, i->batch->agent_id);
	return rc;
}

static int ingest_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct ingest *i = arg;
	vw_agent *agent;
	int rc = look_at_agent(tx->txn, i, &agent, &i->refused, err);
	if (rc < 0 || i->refused)
		return rc;
	i->stale = !stands_there(agent, &i->base);
	if (i->stale)
		return 0;
	if (i->plan.count > 0)
		rc = put_entries(tx, i, agent, err);
	if (rc == 0 && i->plan.outcome == VW_INGEST_FORK)
		rc = put_fork(tx, i, agent, err);
	return rc < 0 ? rc : vw_lmdb_put_agent(tx, agent, err);
}

/* ---- Both ---- */

static void say(const struct ingest *i, struct vw_ingest_result *out)
{
	*out = (struct vw_ingest_result){.outcome = i->plan.outcome,
					 .chain = i->plan.chain,
					 .stored = i->plan.count,
					 .duplicates = i->plan.duplicates};
	if (i->refused)
		*out = (struct vw_ingest_result){.outcome = VW_INGEST_REFUSED, .chain = i->base};
	snprintf(out->reason, sizeof(out->reason), "%s", i->refused ? i->refused : i->plan.reason);
}

static int ingest_once(struct vw_lmdb_store *store, struct ingest *i, struct vw_error *err)
{
	i->stale = false;
	int rc = prepare(store, i, err);
	if (rc < 0 || i->refused || (i->plan.count == 0 && i->plan.outcome != VW_INGEST_FORK))
		return rc;
	return vw_lmdb_write(store, ingest_step, i, err);
}

static int ingest(struct vw_fleet_store *base, struct vw_arena *arena, const struct vw_ingest_batch *batch,
		  struct vw_ingest_result *out, struct vw_error *err)
{
	struct ingest i = {.batch = batch, .arena = arena, .stale = true};
	int rc = 0;
	for (int tries = 0; rc == 0 && i.stale && tries < TRIES; tries++)
		rc = ingest_once(vw_lmdb_of(base), &i, err);
	if (rc == 0 && i.stale)
		rc = vw_error_set(err, VW_EAGAIN, "other batches of agent %s are stored faster than this one",
				  batch->agent_id);
	if (rc == 0)
		say(&i, out);
	return rc;
}

void vw_lmdb_ingest_ops(struct vw_fleet_ops *ops)
{
	ops->ingest = ingest;
}
