/* plan.h: what is to be done with an agent's batch, before anything is written. Both stores ask it inside their transaction. */
#ifndef STORE_PLAN_H
#define STORE_PLAN_H

#include "project.h"
#include "store/store.h"

struct vw_plan_entry {
	uint64_t sequence;
	const vw_chained_entry *chained;
	const vw_entry *entry;
	struct vw_projection projection;
};

struct vw_plan {
	enum vw_ingest_outcome outcome;
	struct vw_plan_entry *entries; /* to be stored, in order; in the arena */
	size_t count;
	size_t duplicates;
	uint64_t fork_sequence; /* of FORK: the entry that is to be kept in quarantine */
	const vw_chained_entry *fork;
	struct vw_chain chain; /* after the entries */
	char reason[256];
};

/* h(sequence) as it is stored, for entries that come again. */
typedef int (*vw_stored_hash)(uint64_t sequence, uint8_t out[VW_LEDGER_HASH], void *arg, struct vw_error *err);

/* Negative only for what is not the batch's fault. */
int vw_plan_make(const struct vw_chain *stored, const struct vw_ingest_batch *batch, vw_stored_hash hash, void *arg,
		 struct vw_arena *arena, struct vw_plan *out, struct vw_error *err);

/* The same entry by entry, for whoever needs each only once: `each` gets it, the plan's list stays empty, and `scratch`, where the entry and what was read off
 * it are, is reset behind it. */
typedef int (*vw_plan_each)(const struct vw_plan_entry *entry, void *arg, struct vw_error *err);
int vw_plan_walk(const struct vw_chain *stored, const struct vw_ingest_batch *batch, vw_stored_hash hash,
		 void *hash_arg, struct vw_arena *scratch, vw_plan_each each, void *arg, struct vw_plan *out,
		 struct vw_error *err);

#endif
