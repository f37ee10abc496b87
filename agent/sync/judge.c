/* judge.c: judging again what is stored, with no request: after a change of policy, or when asked to. */
#include "internal.h"

#include "base/digest.h"
#include "base/limits.h"
#include "proto/message.h"

/* Each commit walks the index from its start again; so few commits, but what one holds stays in memory: 10 KB for each. */
#define JUDGED_PER_COMMIT 1000
#define BYTES_PER_COMMIT  (16 * VW_MIB) /* or fewer, where records are large */

struct again {
	struct sync *sync;
	struct vw_txn *txn;
	struct vw_arena *arena; /* of one commit's changes */
	struct changes changes;
	uint64_t skip; /* versions judged by the commits before */
	uint64_t at;
	bool full; /* time to commit */
};

struct judged {
	vw_entry *old;
	vw_record *record;
	vw_compliance *compliance;
	uint8_t sha256[VW_SHA256_SIZE];
};

static int judge(struct again *again, const vw_version_index *index, struct vw_arena *arena, struct judged *out,
		 struct vw_error *err)
{
	int code = vw_store_entry(again->txn, arena, index->sequence, &out->old, err);
	if (code == 0 && !out->old->version)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %llu should hold a record",
				    (unsigned long long)index->sequence);
	if (code == 0)
		code = vw_store_record(arena, out->old->version, &out->record, err);
	if (code == 0)
		code = sync_record_judge(again->sync, arena, out->record, &out->compliance, out->sha256, err);
	return code;
}

static int add_change(struct again *again, const struct judged *judged, struct vw_error *err)
{
	const vw_entry *old = judged->old;
	vw_entry *entry = sync_entry(again->sync, again->arena);
	vw_version_recorded *v = vw_message_new(again->arena, &verifywise__v1__version_recorded__descriptor);
	if (!entry || !v)
		return vw_error_set(err, VW_ENOMEM, "no memory for a ledger entry");
	*v = *old->version;
	v->compliance = judged->compliance;
	v->n_changed = 0;
	v->n_events = 0;
	entry->access = old->access;
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry->version = v;
	again->changes.items[again->changes.count++] = (struct change){entry, judged->record};
	again->full = again->changes.count == JUDGED_PER_COMMIT || vw_arena_used(again->arena) > BYTES_PER_COMMIT;
	return again->full; /* stops the walk */
}

/* In the scratch arena first: many may be judged as before, and only what changes has to stay until the commit. */
static int judge_again(const vw_version_index *index, struct vw_arena *scratch, void *arg, struct vw_error *err)
{
	struct again *again = arg;
	const volatile sig_atomic_t *cancel = again->sync->cx->cancel;
	struct judged judged;
	if (again->at++ < again->skip)
		return 0;
	if (cancel && *cancel)
		return vw_error_set(err, VW_ECANCELLED, "cancelled");
	int code = judge(again, index, scratch, &judged, err);
	if (code < 0 || sync_same_sha256(&index->compliance_sha256, judged.sha256))
		return code;
	code = judge(again, index, again->arena, &judged, err);
	return code == 0 ? add_change(again, &judged, err) : code;
}

/* One commit's worth. 1 when there may be more. */
static int judge_some(struct again *again, struct vw_error *err)
{
	vw_arena_reset(again->arena);
	again->changes.items = vw_arena_array(again->arena, JUDGED_PER_COMMIT + 1, sizeof(struct change));
	again->changes.count = 0;
	again->at = 0;
	again->full = false;
	if (!again->changes.items)
		return vw_error_set(err, VW_ENOMEM, "no memory for judging again");
	int code = vw_txn_begin_read(vw_store_kv(again->sync->cx->store), &again->txn, err);
	if (code < 0)
		return code;
	code = vw_store_each_version(again->txn, false, judge_again, again, err);
	vw_txn_end(again->txn);
	if (code == 0)
		code = sync_commit(again->sync, again->arena, &again->changes, err);
	if (code < 0)
		return code;
	again->skip = again->at;
	again->sync->result->counts.reevaluated += (int64_t)again->changes.count;
	sync_progress(again->sync, "evaluating", (int64_t)again->at, -1);
	return again->full;
}

int sync_judge_stored(struct sync *sync, struct vw_error *err)
{
	struct again again = {.sync = sync, .arena = vw_arena_open(0)};
	int code = 1;
	if (!again.arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for judging again");
	while (code == 1)
		code = judge_some(&again, err);
	vw_arena_close(again.arena);
	sync->all_judged = code == 0;
	return code;
}
