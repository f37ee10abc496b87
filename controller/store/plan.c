#include "plan.h"

#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void end_with(struct vw_plan *plan, enum vw_ingest_outcome outcome, const char *reason)
{
	plan->outcome = outcome;
	snprintf(plan->reason, sizeof(plan->reason), "%s", reason);
}

/* True when there is something to look at entry by entry. */
static bool look_at_batch(const struct vw_chain *stored, const vw_entry_batch *batch, struct vw_plan *plan)
{
	uint64_t first = batch->first_sequence;
	if (batch->n_entries == 0)
		return false;
	if (batch->n_entries > VW_MAX_BATCH_ENTRIES)
		end_with(plan, VW_INGEST_REFUSED, "the batch has more entries than VW_MAX_BATCH_ENTRIES");
	else if (first == 0 || first > UINT64_MAX - batch->n_entries)
		end_with(plan, VW_INGEST_REFUSED, "the batch begins with no sequence number");
	else if (first > stored->head.sequence + 1)
		end_with(plan, VW_INGEST_GAP, "entries are missing in front of the batch");
	return plan->outcome == VW_INGEST_STORED;
}

/* An entry that came before: the same one is passed over, another one ends the batch. */
static int compare(uint64_t sequence, const vw_chained_entry *entry, vw_stored_hash hash, void *arg,
		   struct vw_plan *plan, struct vw_error *err)
{
	uint8_t stored[VW_LEDGER_HASH];
	int rc = hash(sequence, stored, arg, err);
	if (rc < 0)
		return rc;
	if (entry->chain_sha256.len != sizeof(stored) || entry->payload.len > VW_MAX_ENTRY) {
		end_with(plan, VW_INGEST_REFUSED, "an entry that is none, under a sequence that is stored");
		return 0;
	}
	if (memcmp(entry->chain_sha256.data, stored, sizeof(stored)) == 0) {
		plan->duplicates++;
		return 0;
	}
	plan->outcome = VW_INGEST_FORK;
	plan->fork_sequence = sequence;
	plan->fork = entry;
	snprintf(plan->reason, sizeof(plan->reason),
		 "entry %" PRIu64 " is stored already, with another hash than the one sent", sequence);
	return 0;
}

/* The entry's own fault, or ours. */
static bool is_refusal(int code, const struct vw_arena *arena)
{
	return code == VW_EINVAL || code == VW_ECORRUPT || code == VW_EFORBIDDEN ||
	       (code == VW_ELIMIT && !vw_arena_failed(arena));
}

static int add(const struct vw_ingest_batch *batch, uint64_t sequence, const vw_chained_entry *chained,
	       struct vw_arena *arena, struct vw_plan *plan, struct vw_error *err)
{
	struct vw_error said = VW_ERROR_INIT;
	struct vw_plan_entry *entry = &plan->entries[plan->count];
	char organization[VW_CHAIN_ORGANIZATION_MAX];
	vw_entry *unpacked;
	snprintf(organization, sizeof(organization), "%" PRId32, batch->organization);
	int rc = vw_chain_follow(&plan->chain, chained, organization, batch->agent_id, arena, &unpacked, &said);
	if (rc < 0 && is_refusal(rc, arena)) {
		end_with(plan, VW_INGEST_REFUSED, said.message);
		return 0;
	}
	if (rc < 0)
		return vw_error_set(err, rc, "%s", said.message);
	*entry = (struct vw_plan_entry){.sequence = sequence, .chained = chained, .entry = unpacked};
	rc = vw_project(batch->organization, batch->agent_id, sequence, unpacked, arena, &entry->projection, err);
	if (rc < 0 && rc != VW_EINVAL)
		return rc;
	plan->count++;
	return 0;
}

int vw_plan_make(const struct vw_chain *stored, const struct vw_ingest_batch *batch, vw_stored_hash hash, void *arg,
		 struct vw_arena *arena, struct vw_plan *out, struct vw_error *err)
{
	const vw_entry_batch *entries = batch->batch;
	struct vw_plan plan = {.outcome = VW_INGEST_STORED, .chain = *stored};
	int rc = 0;
	if (look_at_batch(stored, entries, &plan)) {
		plan.entries = vw_arena_array(arena, entries->n_entries, sizeof(*plan.entries));
		if (!plan.entries)
			return vw_error_set(err, VW_ENOMEM, "no memory for a batch of ledger entries");
	}
	for (size_t i = 0; rc == 0 && plan.outcome == VW_INGEST_STORED && i < entries->n_entries; i++) {
		uint64_t sequence = entries->first_sequence + i;
		rc = sequence <= stored->head.sequence ? compare(sequence, entries->entries[i], hash, arg, &plan, err)
						       : add(batch, sequence, entries->entries[i], arena, &plan, err);
	}
	if (rc == 0)
		*out = plan;
	return rc;
}
