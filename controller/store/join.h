/* join.h: what is decided about an agent: whether its stream may begin, whether it may enroll, and what that changes. Pure: both stores
 * read in their transaction, ask here, and write what came out, so that they cannot disagree. */
#ifndef STORE_JOIN_H
#define STORE_JOIN_H

#include "store/store.h"

/* What a store has read; `organization`, `agent` and `acknowledged` are NULL when there is none. */
struct vw_join_view {
	const vw_organization *organization;
	const vw_agent *agent;
	const uint8_t *acknowledged; /* h(hello->acknowledged_sequence), VW_LEDGER_HASH bytes */
};

struct vw_join_verdict {
	int rejection;              /* 0 or a vw_rejection_reason */
	vw_agent agent;             /* as it is to be stored, borrowing from what was read and from the join */
	bool changed;               /* `agent` is to be stored: a stream that begins, or a quarantine */
	vw_controller_event *event; /* of a quarantine: to be put down with it; in the arena; NULL: none */
};

/* The order of its questions is the order of what an operator wants to hear first. VW_ENOMEM. */
int vw_join_decide(const struct vw_join_view *view, const struct vw_join *join, struct vw_arena *arena,
		   struct vw_join_verdict *out, struct vw_error *err);

/* Puts the agent into quarantine: status_reason is the rejection's name and the text. The event says so; both are in the arena. VW_ENOMEM. */
int vw_agent_quarantine(vw_agent *agent, vw_rejection_reason reason, const char *text, int64_t at,
			struct vw_arena *arena, vw_controller_event **out, struct vw_error *err);
/* An operator's word. One that is active again is taken once with whatever join sequence it shows. Borrows the texts. */
void vw_agent_apply_status(vw_agent *agent, vw_agent_status status, const char *reason, const char *by, int64_t at);

/* VW_EAUTH (the token, always in the same words) or VW_EBUSY (another one's id). `token` and `existing` may be NULL. *out is the agent as it is to be
 * stored, borrowing from both; the token has been used once. */
int vw_enroll_decide(vw_enrollment_token *token, const vw_agent *existing, const vw_agent *agent, int64_t now,
		     vw_agent *out, struct vw_error *err);

/* Where the agent's chain stands. VW_ECORRUPT: it holds no such thing. */
int vw_agent_chain(const vw_agent *agent, struct vw_chain *out, struct vw_error *err);
/* The agent with its chain moved there; borrows from `chain`. */
void vw_agent_set_chain(vw_agent *agent, const struct vw_chain *chain, int64_t at);

#endif
