#include "join.h"

#include "proto/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- What a row says ---- */

void vw_agent_chain(const vw_agent *agent, struct vw_chain *out)
{
	if (agent->sequence == 0) {
		vw_chain_begin(out, agent->genesis_agent_id ? agent->genesis_agent_id : agent->agent_id);
		return;
	}
	*out = (struct vw_chain){.epoch = agent->epoch, .head.sequence = agent->sequence};
	snprintf(out->organization, sizeof(out->organization), "%s",
		 agent->chain_organization ? agent->chain_organization : "");
	snprintf(out->agent_id, sizeof(out->agent_id), "%s", agent->chain_agent_id ? agent->chain_agent_id : "");
	if (agent->chain_sha256.len == VW_LEDGER_HASH)
		memcpy(out->head.hash, agent->chain_sha256.data, VW_LEDGER_HASH);
}

void vw_agent_put_chain(vw_agent *agent, const struct vw_chain *chain, int64_t stored_at)
{
	agent->chain_organization = (char *)chain->organization;
	agent->chain_agent_id = (char *)chain->agent_id;
	VW_SET(agent, epoch, chain->epoch);
	VW_SET(agent, sequence, chain->head.sequence);
	VW_SET_BYTES(agent, chain_sha256, chain->head.hash, VW_LEDGER_HASH);
	VW_SET(agent, stored_at, stored_at);
}

void vw_agent_put_status(vw_agent *agent, vw_agent_status status, const char *reason, const char *by, int64_t at)
{
	if (status == VW_AGENT_ACTIVE && agent->status != VW_AGENT_ACTIVE) {
		agent->has_join_sequence = 0;
		agent->has_pending_join_sequence = 0;
	}
	VW_SET(agent, status, status);
	agent->status_reason = (char *)reason;
	agent->status_by = (char *)by;
	VW_SET(agent, status_at, at);
}

const char *vw_agent_refused(const vw_organization *organization, const vw_agent *agent)
{
	if (!organization || organization->disabled)
		return "the organization is disabled";
	if (agent->status == VW_AGENT_REVOKED)
		return "the agent is revoked";
	return agent->status == VW_AGENT_ACTIVE ? NULL
						: "the agent is quarantined until an operator has looked at it";
}

void vw_join_quarantine(vw_agent *agent, const char *reason, int64_t now)
{
	vw_agent_put_status(agent, VW_AGENT_QUARANTINED, reason, "controller", now);
}

void vw_join_event(const vw_agent *agent, const char *action, const char *reason, int64_t now,
		   vw_controller_event *out)
{
	verifywise__v1__controller_event__init(out);
	VW_SET(out, organization, agent->organization);
	VW_SET(out, at, now);
	out->actor = (char *)"controller";
	out->action = (char *)action;
	out->object = agent->agent_id;
	out->text = (char *)reason;
}

/* ---- Enrolment ---- */

static bool is_same(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len > 0 && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

bool vw_enrollment_is_again(const vw_agent *there, const vw_agent *again, const char *token_public_id)
{
	return there && there->status == VW_AGENT_ACTIVE && there->pending_serial && *there->pending_serial &&
	       there->enrollment_token && strcmp(there->enrollment_token, token_public_id) == 0 &&
	       is_same(&there->enrollment_key, &again->enrollment_key) &&
	       is_same(&there->sealing_key, &again->sealing_key);
}

bool vw_enrollment_token_is_good(const vw_enrollment_token *token, int64_t now, bool again)
{
	return token && !token->has_revoked_at && (!token->has_expires_at || token->expires_at > now) &&
	       (again || token->uses < token->uses_allowed);
}

/* ---- May it begin? ---- */

static const char *name_of(vw_rejection_reason reason)
{
	return vw_enum_name(&verifywise__v1__rejection_reason__descriptor, (int)reason);
}

static void reject(struct vw_join_answer *out, vw_rejection_reason reason, const char *text)
{
	out->rejection = (int)reason;
	snprintf(out->reason, sizeof(out->reason), "%s", text);
}

/* Something is seen that must not be: an operator has to look at it. */
static void quarantine(struct vw_join_answer *out, vw_rejection_reason reason, const char *action, const char *text)
{
	out->rejection = (int)reason;
	out->is_quarantine = true;
	out->action = action;
	snprintf(out->reason, sizeof(out->reason), "%s: %s", name_of(reason), text);
}

/* What an agent in quarantine is told: what it was put there for, which its reason begins with. */
static vw_rejection_reason quarantined_for(const vw_agent *agent)
{
	static const vw_rejection_reason reasons[] = {VW_REJECTION_FORKED, VW_REJECTION_ROLLED_BACK};
	const char *said = agent->status_reason ? agent->status_reason : "";
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const char *name = name_of(reasons[i]);
		if (strncmp(said, name, strlen(name)) == 0)
			return reasons[i];
	}
	return VW_REJECTION_DUPLICATE_INSTANCE;
}

static bool is_serial(const char *a, const char *b)
{
	return a && *a && b && strcmp(a, b) == 0;
}

static void ask_standing(const struct vw_join_facts *facts, const struct vw_join *join, struct vw_join_answer *out)
{
	const vw_agent *agent = facts->agent;
	if (facts->organization && facts->organization->disabled)
		reject(out, VW_REJECTION_TENANT_DISABLED, "the organization is disabled");
	else if (!facts->organization || !agent)
		reject(out, VW_REJECTION_UNKNOWN_AGENT, "there is no such agent");
	else if (agent->status == VW_AGENT_REVOKED)
		reject(out, VW_REJECTION_REVOKED, "the agent is revoked");
	else if (agent->status != VW_AGENT_ACTIVE)
		reject(out, quarantined_for(agent), "the agent is quarantined until an operator has looked at it");
	else if (!is_serial(agent->serial, join->serial) && !is_serial(agent->pending_serial, join->serial))
		reject(out, VW_REJECTION_REVOKED, "the certificate was replaced by a newer one");
}

/* A clone shows a number that was given out before; each is good until a later one was shown. One that is later than all that is known here was given out
 * too: this store is an older copy of itself. With none, an operator let the agent in again. */
bool vw_agent_may_show(const vw_agent *agent, uint64_t join_sequence)
{
	return !agent->has_join_sequence || join_sequence >= agent->join_sequence;
}

static void ask_instance(const vw_agent *agent, const vw_hello *hello, struct vw_join_answer *out)
{
	if (hello->join_sequence == UINT64_MAX)
		reject(out, VW_REJECTION_MALFORMED, "the join sequence cannot be counted on");
	else if (!vw_agent_may_show(agent, hello->join_sequence))
		quarantine(
		    out, VW_REJECTION_DUPLICATE_INSTANCE, "clone_seen",
		    "the agent shows a join sequence of another time: a copy of it runs elsewhere, or an older "
		    "state of it was put back");
}

static bool is_hash(const ProtobufCBinaryData *shown, const uint8_t *stored)
{
	return stored && shown->len == VW_LEDGER_HASH && memcmp(shown->data, stored, VW_LEDGER_HASH) == 0;
}

static void ask_ledger(const vw_agent *agent, const uint8_t *stored, const vw_hello *hello,
		       struct vw_join_answer *out)
{
	char text[160];
	if (hello->last_sequence < agent->sequence) {
		snprintf(text, sizeof(text),
			 "its ledger ends with entry %" PRIu64 ", but %" PRIu64
			 " is stored: an older state was put back",
			 hello->last_sequence, agent->sequence);
		quarantine(out, VW_REJECTION_ROLLED_BACK, "rollback_seen", text);
		return;
	}
	/* a receipt for more than is stored: the store itself is an older copy, and is filled again */
	uint64_t receipt = hello->acknowledged_sequence <= agent->sequence ? hello->acknowledged_sequence : 0;
	const uint8_t *head = agent->chain_sha256.len == VW_LEDGER_HASH ? agent->chain_sha256.data : NULL;
	bool receipt_differs = receipt > 0 && !is_hash(&hello->acknowledged_chain_sha256, stored);
	bool head_differs = agent->sequence > 0 && hello->last_sequence == agent->sequence &&
			    !is_hash(&hello->last_chain_sha256, head);
	if (!receipt_differs && !head_differs)
		return;
	snprintf(text, sizeof(text), "its entry %" PRIu64 " has another hash than the one that is stored",
		 receipt_differs ? receipt : agent->sequence);
	quarantine(out, VW_REJECTION_FORKED, "fork_seen", text);
}

static void ask_genesis(const vw_agent *agent, const vw_hello *hello, struct vw_join_answer *out)
{
	if (agent->sequence == 0 && hello->genesis_agent_id && !vw_agent_id_valid(hello->genesis_agent_id))
		reject(out, VW_REJECTION_MALFORMED, "genesis_agent_id is no UUID in lower case");
}

/* ---- What it changes ---- */

static void admit(vw_agent *agent, const struct vw_join *join, struct vw_join_answer *out)
{
	if (!is_serial(agent->serial, join->serial)) {
		out->is_activation = true;
		agent->serial = agent->pending_serial;
		agent->has_serial_not_after = agent->has_pending_not_after;
		agent->serial_not_after = agent->pending_not_after;
		agent->pending_serial = NULL;
		agent->has_pending_not_after = 0;
		agent->pending_not_after = 0;
	}
	VW_SET(agent, join_sequence, join->hello->join_sequence);
	VW_SET(agent, pending_join_sequence, join->hello->join_sequence + 1);
	if (agent->sequence == 0 && join->hello->genesis_agent_id)
		agent->genesis_agent_id = join->hello->genesis_agent_id;
}

void vw_join_decide(const struct vw_join_facts *facts, const struct vw_join *join, struct vw_join_answer *out)
{
	*out = (struct vw_join_answer){0};
	ask_standing(facts, join, out);
	if (out->rejection == 0)
		ask_genesis(facts->agent, join->hello, out);
	if (out->rejection == 0)
		ask_instance(facts->agent, join->hello, out);
	if (out->rejection == 0)
		ask_ledger(facts->agent, facts->hash, join->hello, out);
	if (out->rejection == 0)
		admit(facts->agent, join, out);
	if (out->is_quarantine)
		vw_join_quarantine(facts->agent, out->reason, join->now);
}
