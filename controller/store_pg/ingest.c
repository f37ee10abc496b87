/* ingest.c: an agent's batch in two round trips: what is stored, with the agent's row locked; then everything that is new, and the commit. */
#include "ingest.h"

#include "join.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- What is stored ---- */

static void ask_stored(struct vw_pg_tx *tx, const struct vw_ingest_batch *batch)
{
	struct vw_pg_params p;
	uint64_t first = batch->batch->first_sequence;
	vw_pg_agent_params(tx, batch->agent_id, &p);
	vw_pg_query(tx, "SELECT organization_id AS id, * FROM organizations WHERE organization_id = $1", &p);
	vw_pg_agent_ask(tx, batch->agent_id, true);
	vw_pg_agent_params(tx, batch->agent_id, &p);
	vw_pg_int8(&p, first > INT64_MAX ? INT64_MAX : (int64_t)first);
	vw_pg_int8(&p, (int64_t)batch->batch->n_entries);
	vw_pg_query(tx,
		    "SELECT sequence, chain_sha256 FROM ledger WHERE organization_id = $1 AND agent_id = $2::uuid"
		    " AND sequence >= $3 ORDER BY sequence LIMIT $4",
		    &p);
}

static int stored_hash(uint64_t sequence, uint8_t out[VW_LEDGER_HASH], void *arg, struct vw_error *err)
{
	const PGresult *result = arg;
	uint64_t first = PQntuples(result) > 0 ? (uint64_t)vw_pg_int(result, 0, 0) : 0;
	int row = sequence >= first && sequence - first < (uint64_t)PQntuples(result) ? (int)(sequence - first) : -1;
	if (row < 0 || (uint64_t)vw_pg_int(result, row, 0) != sequence ||
	    PQgetlength(result, row, 1) != VW_LEDGER_HASH)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %" PRIu64 " is missing", sequence);
	memcpy(out, PQgetvalue(result, row, 1), VW_LEDGER_HASH);
	return 0;
}

/* ---- What is new ---- */

static void put_chain(struct vw_pg_tx *tx, vw_agent *agent, const struct vw_chain *chain, int64_t now)
{
	struct vw_pg_params p;
	vw_agent_put_chain(agent, chain, now);
	vw_pg_agent_params(tx, agent->agent_id, &p);
	vw_pg_fields(&p, &agent->base, "chain_organization chain_agent_id epoch sequence chain_sha256 stored_at");
	vw_pg_do(tx,
		 "UPDATE agents SET chain_organization = $3, chain_agent_id = $4::uuid, epoch = $5, sequence = $6,"
		 " chain_sha256 = $7, stored_at = $8 WHERE organization_id = $1 AND agent_id = $2::uuid",
		 &p);
}

static void put_quarantined(struct vw_pg_tx *tx, const struct vw_ingest_batch *batch, const struct vw_plan *plan)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, batch->agent_id, &p);
	vw_pg_int8(&p, (int64_t)plan->fork_sequence);
	vw_pg_bytes(&p, plan->fork->chain_sha256.len ? (const void *)plan->fork->chain_sha256.data : "",
		    plan->fork->chain_sha256.len);
	vw_pg_bytes(&p, plan->fork->payload.len ? (const void *)plan->fork->payload.data : "",
		    plan->fork->payload.len);
	vw_pg_int8(&p, batch->now);
	vw_pg_text(&p, batch->session_id);
	vw_pg_do(tx,
		 "INSERT INTO quarantined_entries (organization_id, agent_id, sequence, chain_sha256, payload, "
		 "received_at,"
		 " session_id) VALUES ($1, $2::uuid, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
		 &p);
}

/* The other entry is kept, and nothing of this agent is taken until an operator has looked at it. */
static void put_fork(struct vw_pg_tx *tx, const struct vw_ingest_batch *batch, const struct vw_plan *plan,
		     vw_agent *agent)
{
	vw_controller_event event;
	char reason[sizeof(plan->reason) + 16];
	snprintf(reason, sizeof(reason), "forked: %s", plan->reason);
	vw_join_quarantine(agent, reason, batch->now);
	put_quarantined(tx, batch, plan);
	vw_pg_agent_update(tx, agent);
	vw_join_event(agent, "fork_seen", reason, batch->now, &event);
	vw_pg_event_queue(tx, &event);
	vw_pg_notify(tx, VW_CHANGE_AGENT, batch->organization, batch->agent_id);
}

static void store(struct vw_pg_tx *tx, const struct vw_pg_store *pg, const struct vw_ingest_batch *batch,
		  const struct vw_plan *plan, vw_agent *agent)
{
	if (plan->count > 0) {
		struct vw_pg_changes changes;
		vw_pg_changes_gather(tx, plan, batch->agent_id, batch->now, &changes);
		vw_pg_changes_write(tx, &changes);
		if (pg->verifywise)
			vw_pg_verifywise_write(tx, &changes);
		put_chain(tx, agent, &plan->chain, batch->now);
	}
	if (plan->outcome == VW_INGEST_FORK)
		put_fork(tx, batch, plan, agent);
	if (plan->count > 0)
		vw_pg_commit_and_tell(tx, VW_CHANGE_RECORDS, batch->agent_id);
	else if (plan->outcome == VW_INGEST_FORK)
		vw_pg_commit(tx);
}

/* ---- The whole ---- */

static int make_plan(struct vw_pg_tx *tx, struct vw_arena *arena, const struct vw_ingest_batch *batch,
		     vw_agent **out_agent, struct vw_plan *out)
{
	struct vw_chain chain;
	void *organization = NULL;
	vw_pg_one_if(tx, &verifywise__v1__organization__descriptor, arena, &organization);
	vw_pg_agent_read(tx, batch->agent_id, arena, out_agent);
	const PGresult *hashes = vw_pg_result(tx);
	if (tx->code < 0)
		return tx->code;
	vw_agent_chain(*out_agent, &chain);
	const char *refused = vw_agent_refused(organization, *out_agent);
	if (refused) {
		*out = (struct vw_plan){.outcome = VW_INGEST_REFUSED, .chain = chain};
		snprintf(out->reason, sizeof(out->reason), "%s", refused);
		return 0;
	}
	tx->code = vw_plan_make(&chain, batch, stored_hash, (void *)hashes, arena, out, tx->err);
	return tx->code;
}

int vw_pg_ingest(struct vw_fleet_store *store_, struct vw_arena *arena, const struct vw_ingest_batch *batch,
		 struct vw_ingest_result *out, struct vw_error *err)
{
	struct vw_pg_store *pg = vw_pg_of(store_);
	struct vw_pg_tx tx;
	struct vw_plan plan;
	vw_agent *agent;
	vw_pg_begin(&tx, pg->pool, batch->organization, VW_PG_WRITE_AGAIN, err);
	ask_stored(&tx, batch);
	if (make_plan(&tx, arena, batch, &agent, &plan) == 0)
		store(&tx, pg, batch, &plan, agent);
	if (tx.code == 0) {
		*out = (struct vw_ingest_result){.outcome = plan.outcome,
						 .chain = plan.chain,
						 .stored = plan.count,
						 .duplicates = plan.duplicates};
		memcpy(out->reason, plan.reason, sizeof(out->reason));
	}
	return vw_pg_end(&tx);
}
