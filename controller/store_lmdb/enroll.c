/* enroll.c: an agent comes with a token. */
#include "embedded.h"

#include "base/limits.h"
#include "proto/message.h"

#include <string.h>

struct enrolment {
	struct vw_arena *arena;
	const char *token;
	int64_t now;
	const vw_agent *agent;
};

static bool is_same(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* The token if the agent may come with it, by one of its uses or by one that it has taken. */
static int find_token(struct vw_lmdb_tx *tx, const struct enrolment *e, bool again, vw_enrollment_token **out,
		      struct vw_error *err)
{
	*out = NULL;
	int rc = vw_lmdb_find_token(tx->txn, e->arena, e->agent->organization, e->token, out, err);
	if (rc < 0 && rc != VW_ENOTFOUND)
		return rc;
	return vw_enrollment_token_is_good(*out, e->now, again)
		   ? 0
		   : vw_error_set(err, VW_EAUTH, "the token is not valid");
}

static int add_agent(struct vw_lmdb_tx *tx, const struct enrolment *e, struct vw_error *err)
{
	const struct vw_lmdb_counters one = {.agents = 1};
	vw_agent agent = *e->agent;
	VW_SET(&agent, enrolled_at, e->now);
	VW_SET(&agent, status, VW_AGENT_ACTIVE);
	VW_SET(&agent, status_at, e->now);
	agent.enrollment_token = (char *)e->token;
	/* what only its ledger and its streams may say */
	agent.serial = agent.genesis_agent_id = agent.chain_organization = agent.chain_agent_id = NULL;
	agent.has_serial_not_after = agent.has_chain_sha256 = agent.has_stored_at = 0;
	agent.has_pending_join_sequence = agent.has_epoch = 0;
	agent.has_desired_policy_sha256 = agent.has_desired_config_sha256 = 0;
	VW_SET(&agent, join_sequence, 0);
	VW_SET(&agent, sequence, 0);
	int rc = vw_lmdb_put_agent(tx, &agent, err);
	return rc < 0 ? rc : vw_lmdb_count(tx, agent.organization, &one, err);
}

/* The same agent again: with another certificate, perhaps after its configuration was lost. */
static int renew_agent(struct vw_lmdb_tx *tx, const struct enrolment *e, vw_agent *there, struct vw_error *err)
{
	const vw_agent *agent = e->agent;
	there->pending_serial = agent->pending_serial;
	VW_SET(there, pending_not_after, agent->pending_not_after);
	there->hostname = agent->hostname;
	there->enrollment_token = (char *)e->token;
	VW_SET_BYTES(there, sealing_key, agent->sealing_key.data, agent->sealing_key.len);
	if (there->status == VW_AGENT_REVOKED && agent->status == VW_AGENT_ACTIVE) {
		VW_SET(there, status, VW_AGENT_ACTIVE);
		VW_SET(there, status_at, e->now);
		there->status_reason = there->status_by = NULL;
		vw_lmdb_change(tx, VW_CHANGE_AGENT, there->organization, there->agent_id);
	}
	return vw_lmdb_put_agent(tx, there, err);
}

static int enroll_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct enrolment *e = arg;
	const vw_agent *agent = e->agent;
	vw_enrollment_token *token;
	vw_organization *organization;
	vw_agent *there = NULL;
	int rc = vw_lmdb_organization(tx->txn, e->arena, agent->organization, &organization, err);
	if (rc == VW_ENOTFOUND || (rc == 0 && organization->disabled))
		return vw_error_set(err, VW_EAUTH, "the token is not valid");
	if (rc == 0)
		rc = vw_lmdb_agent(tx->txn, e->arena, agent->organization, agent->agent_id, &there, err);
	if (rc < 0 && rc != VW_ENOTFOUND)
		return rc;
	bool again = vw_enrollment_is_again(there, agent, e->token);
	rc = find_token(tx, e, again, &token, err);
	if (rc < 0)
		return rc;
	if (there && !is_same(&there->enrollment_key, &agent->enrollment_key))
		return vw_error_set(err, VW_EBUSY, "an agent with this id and another key is enrolled");
	rc = again ? 0 : vw_lmdb_use_token(tx, token, err);
	if (rc < 0)
		return rc;
	return there ? renew_agent(tx, e, there, err) : add_agent(tx, e, err);
}

static int agent_enroll(struct vw_fleet_store *base, const char *token_public_id, int64_t now, const vw_agent *agent,
			struct vw_error *err)
{
	uint8_t id[VW_LMDB_ID];
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct enrolment e = {.arena = arena, .token = token_public_id, .now = now, .agent = agent};
	if (!vw_lmdb_id(agent->agent_id, id) || agent->enrollment_key.len == 0 || !agent->pending_serial ||
	    !*agent->pending_serial)
		return vw_error_set(err, VW_EINVAL,
				    "an agent needs an id (UUID in lower case), an enrolment key and a certificate");
	return arena ? vw_lmdb_write(vw_lmdb_of(base), enroll_step, &e, err) : vw_lmdb_no_memory(err);
}

void vw_lmdb_enroll_ops(struct vw_fleet_ops *ops)
{
	ops->agent_enroll = agent_enroll;
}
