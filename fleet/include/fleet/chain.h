/* chain.h: following a ledger entry by entry, as its receiver must.
 *
 * The owner under which an entry is chained changes with an EpochStarted entry (storage/ledger.h). Pure but for the arena. */
#ifndef FLEET_CHAIN_H
#define FLEET_CHAIN_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/spiffe.h"
#include "proto/model.h"
#include "storage/ledger.h"

#define VW_CHAIN_ORGANIZATION_MAX 16 /* decimal or empty, with the terminating zero */

/* Where a chain stands: the newest entry and its owner. */
struct vw_chain {
	char organization[VW_CHAIN_ORGANIZATION_MAX]; /* "" before enrolment */
	char agent_id[VW_AGENT_ID_MAX];
	uint64_t epoch;
	struct vw_ledger_head head;
};

/* Before the first entry: organization "", epoch 1. */
void vw_chain_begin(struct vw_chain *chain, const char *genesis_agent_id);

/* Checks that `entry` is the next one: unpacks its payload into the arena (*out_entry), moves the owner if it says so, computes h(n) and
 * compares. On success `chain` is moved. VW_EINVAL (payload no Entry, over VW_MAX_ENTRY, no 32 bytes of hash), VW_ECORRUPT (another hash);
 * an EpochStarted entry must raise the epoch by one and name `organization` and `agent_id`, whoever the sender was proven to be; VW_EFORBIDDEN
 * otherwise. It may name another agent of the organization only before the chain is the sender's: an agent that was given a new id has the
 * epochs of its former ones in its ledger. */
int vw_chain_follow(struct vw_chain *chain, const vw_chained_entry *entry, const char *organization,
		    const char *agent_id, struct vw_arena *arena, vw_entry **out_entry, struct vw_error *err);

#endif
