#include "store_pg.h"

#include "join.h"
#include "proto/message.h"

#include <string.h>

#define FIELDS                                                                                                       \
	"status hostname enrolled_at enrollment_token enrollment_key sealing_key serial serial_not_after "           \
	"pending_serial pending_not_after join_sequence pending_join_sequence status_reason status_at status_by "    \
	"genesis_agent_id chain_organization chain_agent_id epoch sequence chain_sha256 stored_at "                  \
	"desired_policy_sha256 desired_config_sha256"

void vw_pg_agent_params(struct vw_pg_tx *tx, const char *agent_id, struct vw_pg_params *out)
{
	vw_pg_params(tx, out);
	vw_pg_text(out, agent_id);
	/* an id that is none would be an error to the server */
	if (!agent_id || !vw_agent_id_valid(agent_id))
		vw_pg_refuse(tx, VW_ENOTFOUND, "agent %.40s is not there", agent_id ? agent_id : "");
}

void vw_pg_agent_ask(struct vw_pg_tx *tx, const char *agent_id, bool lock)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, agent_id, &p);
	vw_pg_query(tx,
		    lock ? "SELECT organization_id AS organization, * FROM agents"
			   " WHERE organization_id = $1 AND agent_id = $2::uuid FOR UPDATE"
			 : "SELECT organization_id AS organization, * FROM agents"
			   " WHERE organization_id = $1 AND agent_id = $2::uuid",
		    &p);
}

int vw_pg_agent_read(struct vw_pg_tx *tx, const char *agent_id, struct vw_arena *arena, vw_agent **out)
{
	void *row = NULL;
	if (vw_pg_one_if(tx, &verifywise__v1__agent__descriptor, arena, &row) == 0 && !row)
		vw_pg_refuse(tx, VW_ENOTFOUND, "agent %s is not there", agent_id);
	if (tx->code == 0)
		*out = row;
	return tx->code;
}

void vw_pg_agent_update(struct vw_pg_tx *tx, const vw_agent *agent)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, agent->agent_id, &p);
	vw_pg_fields(&p, &agent->base, FIELDS);
	vw_pg_do(tx,
		 "UPDATE agents SET status = $3, hostname = $4, enrolled_at = $5, enrollment_token = $6,"
		 " enrollment_key = $7, sealing_key = $8, serial = $9, serial_not_after = $10, pending_serial = $11,"
		 " pending_not_after = $12, join_sequence = $13, pending_join_sequence = $14, status_reason = $15,"
		 " status_at = $16, status_by = $17, genesis_agent_id = $18::uuid, chain_organization = $19,"
		 " chain_agent_id = $20::uuid, epoch = $21, sequence = $22, chain_sha256 = $23, stored_at = $24,"
		 " desired_policy_sha256 = $25, desired_config_sha256 = $26"
		 " WHERE organization_id = $1 AND agent_id = $2::uuid",
		 &p);
}

/* ---- Enrolment ---- */

static bool same_key(const vw_agent *a, const vw_agent *b)
{
	return a->enrollment_key.len > 0 && a->enrollment_key.len == b->enrollment_key.len &&
	       memcmp(a->enrollment_key.data, b->enrollment_key.data, a->enrollment_key.len) == 0;
}

/* A new agent; what only its ledger and its streams may say is not taken from the request. */
static void enroll_first(vw_agent *agent, const char *token, int64_t now)
{
	vw_agent first = VERIFYWISE__V1__AGENT__INIT;
	VW_SET(&first, organization, agent->organization);
	first.agent_id = agent->agent_id;
	first.hostname = agent->hostname;
	first.enrollment_token = (char *)token;
	VW_SET_BYTES(&first, enrollment_key, agent->enrollment_key.data, agent->enrollment_key.len);
	VW_SET_BYTES(&first, sealing_key, agent->sealing_key.data, agent->sealing_key.len);
	first.pending_serial = agent->pending_serial;
	VW_SET(&first, pending_not_after, agent->pending_not_after);
	VW_SET(&first, enrolled_at, now);
	VW_SET(&first, status, VW_AGENT_ACTIVE);
	VW_SET(&first, status_at, now);
	VW_SET(&first, join_sequence, 0);
	VW_SET(&first, sequence, 0);
	*agent = first;
}

/* The same agent again: with another certificate, perhaps after its configuration was lost. True: a revoked one is active again. */
static bool enroll_again(vw_agent *agent, const vw_agent *again, const char *token, int64_t now)
{
	agent->hostname = again->hostname;
	agent->enrollment_token = (char *)token;
	VW_SET_BYTES(agent, sealing_key, again->sealing_key.data, again->sealing_key.len);
	agent->pending_serial = again->pending_serial;
	VW_SET(agent, pending_not_after, again->pending_not_after);
	if (agent->status != VW_AGENT_REVOKED || again->status != VW_AGENT_ACTIVE)
		return false;
	VW_SET(agent, status, VW_AGENT_ACTIVE);
	VW_SET(agent, status_at, now);
	agent->status_reason = agent->status_by = NULL;
	return true;
}

static void insert(struct vw_pg_tx *tx, const vw_agent *agent)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, agent->agent_id, &p);
	vw_pg_fields(&p, &agent->base, FIELDS);
	vw_pg_query(tx,
		    "INSERT INTO agents VALUES ($1, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
		    " $15, $16, $17, $18::uuid, $19, $20::uuid, $21, $22, $23, $24, $25, $26) ON CONFLICT DO NOTHING",
		    &p);
	if (vw_pg_affected(vw_pg_result(tx)) == 0)
		vw_pg_refuse(tx, VW_EAGAIN, "agent %s is being enrolled by another request", agent->agent_id);
}

static void ask_organization(struct vw_pg_tx *tx)
{
	struct vw_pg_params p;
	vw_pg_params(tx, &p);
	vw_pg_query(tx, "SELECT organization_id AS id, * FROM organizations WHERE organization_id = $1", &p);
}

static void ask_token(struct vw_pg_tx *tx, const char *public_id)
{
	struct vw_pg_params p;
	vw_pg_params(tx, &p);
	vw_pg_text(&p, public_id);
	vw_pg_query(tx,
		    "SELECT organization_id AS organization, * FROM enrollment_tokens"
		    " WHERE organization_id = $1 AND public_id = $2 FOR UPDATE",
		    &p);
}

static void put_uses(struct vw_pg_tx *tx, const vw_enrollment_token *token)
{
	struct vw_pg_params p;
	vw_pg_params(tx, &p);
	vw_pg_fields(&p, &token->base, "public_id uses");
	vw_pg_do(tx, "UPDATE enrollment_tokens SET uses = $3 WHERE organization_id = $1 AND public_id = $2", &p);
}

static void put(struct vw_pg_tx *tx, vw_agent *existing, const vw_agent *agent, const char *token, int64_t now)
{
	vw_agent first = *agent;
	if (!existing) {
		enroll_first(&first, token, now);
		insert(tx, &first);
		return;
	}
	if (enroll_again(existing, agent, token, now))
		vw_pg_notify(tx, VW_CHANGE_AGENT, agent->organization, agent->agent_id);
	vw_pg_agent_update(tx, existing);
}

int vw_pg_agent_enroll(struct vw_fleet_store *store, const char *token_public_id, int64_t now, const vw_agent *agent,
		       struct vw_error *err)
{
	struct vw_pg_tx tx;
	void *organization = NULL, *token = NULL, *existing = NULL;
	if (!agent->agent_id || !vw_agent_id_valid(agent->agent_id) || agent->enrollment_key.len == 0 ||
	    !agent->pending_serial || !*agent->pending_serial)
		return vw_error_set(err, VW_EINVAL,
				    "an agent needs an id (UUID in lower case), an enrolment key and a certificate");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, agent->organization, VW_PG_WRITE, err);
	ask_organization(&tx);
	ask_token(&tx, token_public_id);
	vw_pg_agent_ask(&tx, agent->agent_id, true);
	vw_pg_one_if(&tx, &verifywise__v1__organization__descriptor, tx.arena, &organization);
	vw_pg_one_if(&tx, &verifywise__v1__enrollment_token__descriptor, tx.arena, &token);
	vw_pg_one_if(&tx, &verifywise__v1__agent__descriptor, tx.arena, &existing);
	bool again = vw_enrollment_is_again(existing, agent, token_public_id);
	if (tx.code == 0 && (!organization || ((vw_organization *)organization)->disabled ||
			     !vw_enrollment_token_is_good(token, now, again)))
		vw_pg_refuse(&tx, VW_EAUTH, "the token is not valid");
	if (tx.code == 0 && existing && !same_key(existing, agent))
		vw_pg_refuse(&tx, VW_EBUSY, "an agent with this id and another key is enrolled");
	if (tx.code == 0 && !again) {
		VW_SET((vw_enrollment_token *)token, uses, ((vw_enrollment_token *)token)->uses + 1);
		put_uses(&tx, token);
	}
	if (tx.code == 0) {
		put(&tx, existing, agent, token_public_id, now);
		vw_pg_commit(&tx);
	}
	return vw_pg_end(&tx);
}

/* ---- One agent ---- */

int vw_pg_agent_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *agent_id,
		    vw_agent **out, struct vw_error *err)
{
	struct vw_pg_tx tx;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_agent_ask(&tx, agent_id, false);
	vw_pg_agent_read(&tx, agent_id, arena, out);
	return vw_pg_end(&tx);
}

int vw_pg_agent_set_status(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			   vw_agent_status status, const char *reason, const char *by, int64_t at,
			   struct vw_error *err)
{
	struct vw_pg_tx tx;
	vw_agent *agent;
	if (status < VW_AGENT_ACTIVE || status > VW_AGENT_QUARANTINED)
		return vw_error_set(err, VW_EINVAL, "%d is no status of an agent", (int)status);
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE_AGAIN, err);
	vw_pg_agent_ask(&tx, agent_id, true);
	if (vw_pg_agent_read(&tx, agent_id, tx.arena, &agent) == 0) {
		vw_agent_put_status(agent, status, reason, by, at);
		vw_pg_agent_update(&tx, agent);
	}
	vw_pg_notify(&tx, VW_CHANGE_AGENT, organization, agent_id);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

int vw_pg_agent_set_pending_serial(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
				   const char *serial, int64_t not_after, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	if (!serial || !*serial)
		return vw_error_set(err, VW_EINVAL, "a certificate without a serial number");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE_AGAIN, err);
	vw_pg_agent_params(&tx, agent_id, &p);
	vw_pg_text(&p, serial);
	vw_pg_int8(&p, not_after);
	vw_pg_query(&tx,
		    "UPDATE agents SET pending_serial = $3, pending_not_after = $4"
		    " WHERE organization_id = $1 AND agent_id = $2::uuid",
		    &p);
	if (vw_pg_affected(vw_pg_result(&tx)) == 0)
		vw_pg_refuse(&tx, VW_ENOTFOUND, "agent %s is not there", agent_id);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

/* ---- A stream begins ---- */

static void ask_hash(struct vw_pg_tx *tx, const char *agent_id, uint64_t sequence)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, agent_id, &p);
	vw_pg_int8(&p, (int64_t)sequence);
	vw_pg_query(tx,
		    "SELECT chain_sha256 FROM ledger"
		    " WHERE organization_id = $1 AND agent_id = $2::uuid AND sequence = $3",
		    &p);
}

static int read_facts(struct vw_pg_tx *tx, struct vw_arena *arena, struct vw_join_facts *out)
{
	void *organization = NULL, *agent = NULL, *entry = NULL;
	vw_pg_one_if(tx, &verifywise__v1__organization__descriptor, arena, &organization);
	vw_pg_one_if(tx, &verifywise__v1__agent__descriptor, arena, &agent);
	vw_pg_one_if(tx, &verifywise__v1__chained_entry__descriptor, arena, &entry);
	const vw_chained_entry *stored = entry;
	bool is_hash = stored && stored->chain_sha256.len == VW_LEDGER_HASH;
	*out = (struct vw_join_facts){organization, agent, is_hash ? stored->chain_sha256.data : NULL};
	return tx->code;
}

static void write_answer(struct vw_pg_tx *tx, const vw_agent *agent, const struct vw_join_answer *answer, int64_t now)
{
	vw_pg_agent_update(tx, agent);
	if (answer->is_quarantine) {
		vw_controller_event event;
		vw_join_event(agent, answer->action, answer->reason, now, &event);
		vw_pg_event_queue(tx, &event);
	}
	if (answer->is_quarantine || answer->is_activation)
		vw_pg_notify(tx, VW_CHANGE_AGENT, tx->organization, agent->agent_id);
	vw_pg_commit(tx);
}

int vw_pg_agent_join(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *agent_id,
		     const struct vw_join *join, vw_agent **out, int *out_rejection, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_join_facts facts;
	bool is_id = agent_id && vw_agent_id_valid(agent_id); /* what is none is no agent's */
	struct vw_join_answer *answer = vw_arena_alloc(arena, sizeof(*answer));
	if (!answer)
		return vw_error_set(err, VW_ENOMEM, "no memory for an agent");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE_AGAIN, err);
	ask_organization(&tx);
	if (is_id) {
		vw_pg_agent_ask(&tx, agent_id, true);
		ask_hash(&tx, agent_id, join->hello->acknowledged_sequence);
	}
	if (read_facts(&tx, arena, &facts) == 0) {
		vw_join_decide(&facts, join, answer);
		if (answer->rejection == 0 || answer->is_quarantine)
			write_answer(&tx, facts.agent, answer, join->now);
	}
	if (tx.code == 0) {
		*out = answer->rejection == 0 ? facts.agent : NULL;
		*out_rejection = answer->rejection;
	}
	return vw_pg_end(&tx);
}
