/* join.h: whether an agent's stream may begin, and what its row says of its ledger. Pure; both stores ask inside their transaction. */
#ifndef STORE_JOIN_H
#define STORE_JOIN_H

#include "fleet/chain.h"
#include "store/store.h"

/* What is stored; each pointer NULL when there is no such thing. */
struct vw_join_facts {
	const vw_organization *organization;
	vw_agent *agent;
	const uint8_t *hash; /* h(hello->acknowledged_sequence), VW_LEDGER_HASH bytes */
};

struct vw_join_answer {
	int rejection;      /* 0 or a vw_rejection_reason */
	bool is_quarantine; /* a clone, rollback or fork was seen: the agent's row has to be written, and the event */
	bool is_activation; /* a pending serial is in use from now on: streams under the former one end */
	const char *action; /* of the event, static: "clone_seen", "rollback_seen", "fork_seen" */
	char reason
	    [256]; /* what an operator reads: status_reason of a quarantine, with the rejection's name in front */
};

/* Without a rejection, or with a quarantine, the agent's row was changed and has to be written; what it points to is borrowed from `join`,
 * from itself, and from *out, all of which have to outlive that. */
void vw_join_decide(const struct vw_join_facts *facts, const struct vw_join *join, struct vw_join_answer *out);

/* Puts the agent under quarantine; `reason` begins with the rejection's name ("forked: ..."), which is what later joins are told. */
void vw_join_quarantine(vw_agent *agent, const char *reason, int64_t now);
/* "controller" says what it saw. All borrowed. */
void vw_join_event(const vw_agent *agent, const char *action, const char *reason, int64_t now,
		   vw_controller_event *out);

/* What an operator's word does to the row. Active again: the next join sequence is taken as it comes, once. All borrowed. */
void vw_agent_put_status(vw_agent *agent, vw_agent_status status, const char *reason, const char *by, int64_t at);

/* NULL, or why an agent's entries are not taken. */
const char *vw_agent_refused(const vw_organization *organization, const vw_agent *agent);

/* Where its chain stands, from the row and to it. With nothing stored, it begins under genesis_agent_id. */
void vw_agent_chain(const vw_agent *agent, struct vw_chain *out);
/* Borrows from `chain`. */
void vw_agent_put_chain(vw_agent *agent, const struct vw_chain *chain, int64_t stored_at);

#endif
