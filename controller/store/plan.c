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

/* One batch on its way. */
struct walk {
	const struct vw_ingest_batch *batch;
	char organization[VW_CHAIN_ORGANIZATION_MAX];
	vw_stored_hash hash;
	void *hash_arg;
	struct vw_arena *arena;
	vw_plan_each each;
	void *arg;
	struct vw_plan plan;
};

static int follow(struct walk *w, uint64_t sequence, const vw_chained_entry *chained, struct vw_error *err)
{
	struct vw_error said = VW_ERROR_INIT;
	struct vw_plan_entry entry = {.sequence = sequence, .chained = chained};
	const struct vw_ingest_batch *b = w->batch;
	vw_entry *unpacked;
	int rc = vw_chain_follow(&w->plan.chain, chained, w->organization, b->agent_id, w->arena, &unpacked, &said);
	if (rc < 0 && is_refusal(rc, w->arena)) {
		end_with(&w->plan, VW_INGEST_REFUSED, said.message);
		return 0;
	}
	if (rc < 0)
		return vw_error_set(err, rc, "%s", said.message);
	entry.entry = unpacked;
	rc = vw_project(b->organization, b->agent_id, sequence, unpacked, w->arena, &entry.projection, err);
	if (rc < 0 && rc != VW_EINVAL)
		return rc;
	w->plan.count++;
	return w->each(&entry, w->arg, err);
}

static int walk(struct walk *w, const struct vw_chain *stored, struct vw_error *err)
{
	const vw_entry_batch *batch = w->batch->batch;
	int rc = 0;
	w->plan = (struct vw_plan){.outcome = VW_INGEST_STORED, .chain = *stored};
	snprintf(w->organization, sizeof(w->organization), "%" PRId32, w->batch->organization);
	if (!look_at_batch(stored, batch, &w->plan))
		return 0;
	for (size_t i = 0; rc == 0 && w->plan.outcome == VW_INGEST_STORED && i < batch->n_entries; i++) {
		uint64_t sequence = batch->first_sequence + i;
		rc = sequence <= stored->head.sequence
			 ? compare(sequence, batch->entries[i], w->hash, w->hash_arg, &w->plan, err)
			 : follow(w, sequence, batch->entries[i], err);
	}
	return rc;
}

/* ---- In both forms ---- */

struct list {
	struct vw_plan_entry *entries;
	size_t count;
};

static int keep(const struct vw_plan_entry *entry, void *arg, struct vw_error *err)
{
	struct list *list = arg;
	(void)err;
	list->entries[list->count++] = *entry;
	return 0;
}

int vw_plan_make(const struct vw_chain *stored, const struct vw_ingest_batch *batch, vw_stored_hash hash, void *arg,
		 struct vw_arena *arena, struct vw_plan *out, struct vw_error *err)
{
	struct list list = {.entries = vw_arena_array(arena, batch->batch->n_entries, sizeof(*list.entries))};
	struct walk w = {.batch = batch, .hash = hash, .hash_arg = arg, .arena = arena, .each = keep, .arg = &list};
	if (!list.entries)
		return vw_error_set(err, VW_ENOMEM, "no memory for a batch of ledger entries");
	int rc = walk(&w, stored, err);
	if (rc < 0)
		return rc;
	*out = w.plan;
	out->entries = list.entries;
	return 0;
}

struct visit {
	struct vw_arena *scratch;
	vw_plan_each each;
	void *arg;
};

static int visit_and_forget(const struct vw_plan_entry *entry, void *arg, struct vw_error *err)
{
	const struct visit *visit = arg;
	int rc = visit->each(entry, visit->arg, err);
	vw_arena_reset(visit->scratch);
	return rc;
}

int vw_plan_walk(const struct vw_chain *stored, const struct vw_ingest_batch *batch, vw_stored_hash hash,
		 void *hash_arg, struct vw_arena *scratch, vw_plan_each each, void *arg, struct vw_plan *out,
		 struct vw_error *err)
{
	struct visit visit = {.scratch = scratch, .each = each, .arg = arg};
	struct walk w = {.batch = batch,
			 .hash = hash,
			 .hash_arg = hash_arg,
			 .arena = scratch,
			 .each = visit_and_forget,
			 .arg = &visit};
	int rc = walk(&w, stored, err);
	if (rc == 0)
		*out = w.plan;
	return rc;
}
