#include "join.h"

#include "proto/message.h"

#include <inttypes.h>
#include <string.h>

#define REASON_PREFIX "REJECTION_REASON_"

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for a decision about an agent");
}

/* ---- Names of reasons ---- */

/* "FORKED"; "" for a number that is none. */
static const char *reason_name(vw_rejection_reason reason)
{
	const ProtobufCEnumValue *value =
	    protobuf_c_enum_descriptor_get_value(&verifywise__v1__rejection_reason__descriptor, (int)reason);
	return value ? value->name + strlen(REASON_PREFIX) : "";
}

/* Why it is in quarantine: the first word of the reason. An operator's own words are no name: then it is kept out as a revoked one is. */
static vw_rejection_reason reason_of_quarantine(const char *text)
{
	static const vw_rejection_reason reasons[] = {VW_REJECTION_FORKED, VW_REJECTION_ROLLED_BACK,
						      VW_REJECTION_DUPLICATE_INSTANCE};
	size_t len = text ? strcspn(text, ": ") : 0;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const char *name = reason_name(reasons[i]);
		if (strlen(name) == len && memcmp(name, text, len) == 0)
			return reasons[i];
	}
	return VW_REJECTION_REVOKED;
}

/* ---- Status ---- */

void vw_agent_apply_status(vw_agent *agent, vw_agent_status status, const char *reason, const char *by, int64_t at)
{
	if (status == VW_AGENT_ACTIVE && agent->status != VW_AGENT_ACTIVE) {
		agent->has_join_sequence = 0;
		agent->has_pending_join_sequence = 0;
	}
	VW_SET(agent, status, status);
	VW_SET(agent, status_at, at);
	agent->status_reason = (char *)(uintptr_t)reason;
	agent->status_by = (char *)(uintptr_t)by;
}

static const char *action_of(vw_rejection_reason reason)
{
	if (reason == VW_REJECTION_FORKED)
		return "fork_seen";
	return reason == VW_REJECTION_ROLLED_BACK ? "rollback_seen" : "clone_seen";
}

int vw_agent_quarantine(vw_agent *agent, vw_rejection_reason reason, const char *text, int64_t at,
			struct vw_arena *arena, vw_controller_event **out, struct vw_error *err)
{
	vw_controller_event *event = vw_message_new(arena, &verifywise__v1__controller_event__descriptor);
	char *full = vw_arena_printf(arena, "%s: %s", reason_name(reason), text);
	if (!event || !full)
		return no_memory(err);
	vw_agent_apply_status(agent, VW_AGENT_QUARANTINED, full, "controller", at);
	VW_SET(event, organization, agent->organization);
	VW_SET(event, at, at);
	event->actor = vw_arena_strdup(arena, "controller");
	event->action = vw_arena_strdup(arena, action_of(reason));
	event->object = vw_arena_strdup(arena, agent->agent_id);
	event->text = full;
	*out = event;
	return vw_arena_failed(arena) ? no_memory(err) : 0;
}

/* ---- The chain ---- */

int vw_agent_chain(const vw_agent *agent, struct vw_chain *out, struct vw_error *err)
{
	struct vw_chain chain;
	if (agent->sequence == 0) {
		vw_chain_begin(out, agent->genesis_agent_id ? agent->genesis_agent_id : agent->agent_id);
		return 0;
	}
	const char *organization = agent->chain_organization ? agent->chain_organization : "";
	if (strlen(organization) >= sizeof(chain.organization) || !agent->chain_agent_id ||
	    !vw_agent_id_valid(agent->chain_agent_id) || agent->chain_sha256.len != VW_LEDGER_HASH)
		return vw_error_set(err, VW_ECORRUPT, "agent %s: what is stored of its chain is none",
				    agent->agent_id);
	memset(&chain, 0, sizeof(chain));
	memcpy(chain.organization, organization, strlen(organization));
	memcpy(chain.agent_id, agent->chain_agent_id, VW_AGENT_ID_MAX - 1);
	chain.epoch = agent->epoch;
	chain.head.sequence = agent->sequence;
	memcpy(chain.head.hash, agent->chain_sha256.data, VW_LEDGER_HASH);
	*out = chain;
	return 0;
}

void vw_agent_set_chain(vw_agent *agent, const struct vw_chain *chain, int64_t at)
{
	agent->chain_organization = (char *)(uintptr_t)chain->organization;
	agent->chain_agent_id = (char *)(uintptr_t)chain->agent_id;
	VW_SET(agent, epoch, chain->epoch);
	VW_SET(agent, sequence, chain->head.sequence);
	VW_SET_BYTES(agent, chain_sha256, (uintptr_t)chain->head.hash, sizeof(chain->head.hash));
	VW_SET(agent, stored_at, at);
}

/* ---- A stream begins ---- */

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* Before the agent's own words count: may this organization, this agent, this certificate come in? */
static int judge_standing(const struct vw_join_view *view, const struct vw_join *join)
{
	const vw_agent *agent = view->agent;
	if (view->organization && view->organization->disabled)
		return VW_REJECTION_TENANT_DISABLED;
	if (!view->organization || !agent)
		return VW_REJECTION_UNKNOWN_AGENT;
	if (agent->status == VW_AGENT_REVOKED)
		return VW_REJECTION_REVOKED;
	if (agent->status == VW_AGENT_QUARANTINED)
		return (int)reason_of_quarantine(agent->status_reason);
	if (!same(join->serial, agent->serial) && !same(join->serial, agent->pending_serial))
		return VW_REJECTION_REVOKED;
	return 0;
}

static bool hash_is_whole(uint64_t sequence, const ProtobufCBinaryData *hash)
{
	return sequence == 0 || hash->len == VW_LEDGER_HASH;
}

static bool hello_is_whole(const vw_hello *hello)
{
	return hello->genesis_agent_id && vw_agent_id_valid(hello->genesis_agent_id) &&
	       hash_is_whole(hello->last_sequence, &hello->last_chain_sha256) &&
	       hash_is_whole(hello->acknowledged_sequence, &hello->acknowledged_chain_sha256);
}

/* A number given out twice, or one of an earlier time, is a second process with this identity. */
static int judge_join_sequence(const vw_agent *agent, const vw_hello *hello, const char **out_text)
{
	bool is_known = (agent->has_join_sequence && hello->join_sequence == agent->join_sequence) ||
			(agent->has_pending_join_sequence && hello->join_sequence == agent->pending_join_sequence);
	if (is_known || (!agent->has_join_sequence && !agent->has_pending_join_sequence))
		return 0;
	*out_text = "it showed a join sequence that was neither its last nor its next one: a copy of it has been "
		    "connected";
	return VW_REJECTION_DUPLICATE_INSTANCE;
}

static int judge_ledger(const struct vw_join_view *view, const vw_hello *hello, const char **out_text)
{
	const vw_agent *agent = view->agent;
	if (hello->last_sequence < agent->sequence || hello->last_sequence < hello->acknowledged_sequence) {
		*out_text = "its ledger ends before what was acknowledged to it: a restored snapshot";
		return VW_REJECTION_ROLLED_BACK;
	}
	/* beyond what is stored there is nothing to compare with: the entries that come will tell */
	bool differs = hello->acknowledged_sequence > 0 && hello->acknowledged_sequence <= agent->sequence &&
		       (!view->acknowledged ||
			memcmp(view->acknowledged, hello->acknowledged_chain_sha256.data, VW_LEDGER_HASH) != 0);
	if (agent->sequence > 0 && hello->last_sequence == agent->sequence)
		differs |= agent->chain_sha256.len != VW_LEDGER_HASH ||
			   memcmp(agent->chain_sha256.data, hello->last_chain_sha256.data, VW_LEDGER_HASH) != 0;
	if (!differs)
		return 0;
	*out_text = "its ledger holds another entry than the one that is stored under the same number";
	return VW_REJECTION_FORKED;
}

/* A serial's first use makes it the one in use; the join sequence shown is the last, and the next one is given. */
static void let_in(vw_agent *agent, const struct vw_join *join)
{
	const vw_hello *hello = join->hello;
	if (same(join->serial, agent->pending_serial)) {
		agent->serial = agent->pending_serial;
		agent->has_serial_not_after = agent->has_pending_not_after;
		agent->serial_not_after = agent->pending_not_after;
		agent->pending_serial = NULL;
		agent->has_pending_not_after = 0;
		agent->pending_not_after = 0;
	}
	VW_SET(agent, join_sequence, hello->join_sequence);
	VW_SET(agent, pending_join_sequence, hello->join_sequence + 1);
	if (agent->sequence == 0)
		agent->genesis_agent_id = hello->genesis_agent_id;
}

int vw_join_decide(const struct vw_join_view *view, const struct vw_join *join, struct vw_arena *arena,
		   struct vw_join_verdict *out, struct vw_error *err)
{
	const char *text = NULL;
	struct vw_join_verdict verdict = {.rejection = judge_standing(view, join)};
	if (view->agent)
		verdict.agent = *view->agent;
	if (verdict.rejection == 0 && !hello_is_whole(join->hello))
		verdict.rejection = VW_REJECTION_MALFORMED;
	if (verdict.rejection == 0)
		verdict.rejection = judge_join_sequence(view->agent, join->hello, &text);
	if (verdict.rejection == 0)
		verdict.rejection = judge_ledger(view, join->hello, &text);
	if (verdict.rejection == 0)
		let_in(&verdict.agent, join);
	verdict.changed = verdict.rejection == 0 || text;
	int rc = text ? vw_agent_quarantine(&verdict.agent, (vw_rejection_reason)verdict.rejection, text, join->now,
					    arena, &verdict.event, err)
		      : 0;
	if (rc == 0)
		*out = verdict;
	return rc;
}

/* ---- Enrolment ---- */

static bool token_is_good(const vw_enrollment_token *token, const vw_agent *agent, int64_t now)
{
	return token && token->organization == agent->organization && !token->has_revoked_at &&
	       (!token->has_expires_at || token->expires_at > now) && token->uses < token->uses_allowed;
}

static bool same_key(const vw_agent *a, const vw_agent *b)
{
	return a->enrollment_key.len > 0 && a->enrollment_key.len == b->enrollment_key.len &&
	       memcmp(a->enrollment_key.data, b->enrollment_key.data, a->enrollment_key.len) == 0;
}

int vw_enroll_decide(vw_enrollment_token *token, const vw_agent *existing, const vw_agent *agent, int64_t now,
		     vw_agent *out, struct vw_error *err)
{
	if (!token_is_good(token, agent, now))
		return vw_error_set(err, VW_EAUTH, "the token is not valid");
	if (existing && !same_key(existing, agent))
		return vw_error_set(err, VW_EBUSY, "agent %s is enrolled with another key", agent->agent_id);
	vw_agent result = existing ? *existing : *agent;
	if (existing) {
		result.hostname = agent->hostname;
		result.has_enrolled_at = agent->has_enrolled_at;
		result.enrolled_at = agent->enrolled_at;
		result.enrollment_token = agent->enrollment_token;
		result.has_sealing_key = agent->has_sealing_key;
		result.sealing_key = agent->sealing_key;
		result.pending_serial = agent->pending_serial;
		result.has_pending_not_after = agent->has_pending_not_after;
		result.pending_not_after = agent->pending_not_after;
		if (existing->status == VW_AGENT_REVOKED && agent->status == VW_AGENT_ACTIVE)
			vw_agent_apply_status(&result, VW_AGENT_ACTIVE, "enrolled again", "controller", now);
	}
	VW_SET(token, uses, token->uses + 1);
	*out = result;
	return 0;
}
