/* judge.c: judging again what is stored, with no request: after a change of policy, or when asked to. */
#include "internal.h"

#include "base/digest.h"
#include "proto/message.h"

#define JUDGED_PER_COMMIT 200

struct again {
	struct sync *sync;
	struct vw_txn *txn;
	struct vw_arena *arena; /* of one commit's changes */
	struct changes changes;
	uint64_t skip; /* versions judged by the commits before */
	uint64_t at;
};

static int judge_again(const vw_version_index *index, struct vw_arena *scratch, void *arg, struct vw_error *err)
{
	struct again *again = arg;
	vw_entry *old;
	vw_record *record;
	vw_compliance *compliance;
	uint8_t judged[VW_SHA256_SIZE];
	(void)scratch;
	if (again->at++ < again->skip)
		return 0;
	int code = vw_store_entry(again->txn, again->arena, index->sequence, &old, err);
	if (code == 0)
		code = vw_store_record(again->arena, old->version, &record, err);
	if (code == 0)
		code = sync_record_judge(again->sync, again->arena, record, &compliance, judged, err);
	if (code < 0)
		return code;
	if (sync_same_sha256(&index->compliance_sha256, judged))
		return 0;
	vw_entry *entry = sync_entry(again->sync, again->arena);
	vw_version_recorded *v = vw_message_new(again->arena, &verifywise__v1__version_recorded__descriptor);
	if (!entry || !v)
		return vw_error_set(err, VW_ENOMEM, "no memory for a ledger entry");
	*v = *old->version;
	v->compliance = compliance;
	v->n_changed = 0;
	v->n_events = 0;
	entry->access = old->access;
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry->version = v;
	again->changes.items[again->changes.count++] = (struct change){entry, record};
	return again->changes.count == JUDGED_PER_COMMIT; /* 1 stops the walk: time to commit */
}

/* One commit's worth. 1 when there may be more. */
static int judge_some(struct again *again, struct vw_error *err)
{
	vw_arena_reset(again->arena);
	again->changes.items = vw_arena_array(again->arena, JUDGED_PER_COMMIT + 1, sizeof(struct change));
	again->changes.count = 0;
	again->at = 0;
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
	return again->changes.count == JUDGED_PER_COMMIT;
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
