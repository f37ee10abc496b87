/* record.c: facts about versions into ledger entries: normalise, judge, compare with what is stored. */
#include "internal.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"
#include "normalize/normalize.h"
#include "proto/message.h"

#include <string.h>

/* What is known of a version before this cycle; all NULL at first sight. */
struct before {
	vw_version_index *index;
	vw_entry *entry;
	vw_record *record;
};

static int load_before(struct sync *sync, struct vw_txn *txn, struct vw_arena *arena, const vw_model_version *version,
		       struct before *out, struct vw_error *err)
{
	int code = vw_store_version(txn, arena, sync->workspace, version->name, version->version, &out->index, err);
	return code == VW_ENOTFOUND ? 0 : code;
}

/* The stored record itself, which only a version that changed or could not be seen needs. */
static int load_record(struct vw_txn *txn, struct vw_arena *arena, struct before *before, struct vw_error *err)
{
	if (!before->index || before->record)
		return 0;
	int code = vw_store_entry(txn, arena, before->index->sequence, &before->entry, err);
	if (code < 0)
		return code;
	if (!before->entry->version)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %llu should hold a record of %s version %s",
				    (unsigned long long)before->index->sequence, before->index->model_name,
				    before->index->version_number);
	return vw_store_record(arena, before->entry->version, &before->record, err);
}

/* The same name and number, but removed meanwhile or created at another time: a new life. */
static bool is_new_life(const vw_version_index *index, const vw_model_version *version)
{
	return index->has_removed_at || (index->has_created_at && version->has_creation_timestamp &&
					 index->created_at != version->creation_timestamp);
}

static void add_aliases(struct vw_arena *arena, vw_model_version *version, const vw_registered_model *model)
{
	size_t count = 0;
	/* model-versions/search never gives aliases; the registered model has them */
	version->aliases = vw_arena_array(arena, model->n_aliases + 1, sizeof(char *));
	if (!version->aliases)
		return;
	for (size_t i = 0; i < model->n_aliases; i++)
		if (model->aliases[i]->version && strcmp(model->aliases[i]->version, version->version) == 0)
			version->aliases[count++] = model->aliases[i]->alias;
	version->n_aliases = count;
	vw_texts_sort(version->aliases, &version->n_aliases);
}

static int load_sources(struct sync *sync, struct vw_txn *txn, struct vw_arena *arena, struct version_facts *facts,
			struct vw_normalize_input *in, struct vw_error *err)
{
	vw_registered_model *model;
	vw_experiment *experiment;
	int code = vw_store_model(txn, arena, sync->workspace, facts->version->name, &model, err);
	if (code < 0 && code != VW_ENOTFOUND)
		return code;
	if (code == 0) {
		in->model = model;
		add_aliases(arena, facts->version, model);
	}
	if (!facts->run || !facts->run->experiment_id)
		return 0;
	code = vw_store_experiment(txn, arena, sync->workspace, facts->run->experiment_id, &experiment, err);
	if (code == VW_ENOTFOUND) {
		if (facts->reason_count < sizeof(facts->reasons) / sizeof(facts->reasons[0]))
			facts->reasons[facts->reason_count++] = (struct vw_reason_text){
			    VW_REASON_EXPERIMENT_FORBIDDEN, "this credential may not read the run's experiment"};
		return 0;
	}
	if (code == 0)
		in->experiment = experiment;
	return code;
}

static bool needs_previous(const struct version_facts *facts)
{
	for (size_t i = 0; i < facts->reason_count; i++)
		if (strcmp(facts->reasons[i].code, VW_REASON_RUN_DELETED) != 0)
			return true;
	return false;
}

static int normalize(struct sync *sync, struct vw_txn *txn, struct vw_arena *arena, struct version_facts *facts,
		     struct before *before, vw_record **out, struct vw_error *err)
{
	struct vw_normalize_input in = {.workspace = sync->workspace,
					.version = facts->version,
					.run = facts->run,
					.logged_model = facts->logged_model};
	int code = load_sources(sync, txn, arena, facts, &in, err);
	if (code < 0)
		return code;
	if (needs_previous(facts) && before->index && !is_new_life(before->index, facts->version)) {
		code = load_record(txn, arena, before, err);
		if (code < 0)
			return code;
		in.previous = before->record;
		in.previous_at = before->index->recorded_at;
	}
	in.reasons = facts->reasons;
	in.reason_count = facts->reason_count;
	code = vw_normalize(arena, &in, sync->cx->mapping, out, err);
	if (code != VW_ELIMIT)
		return code;
	struct vw_reason_text too_large = {VW_REASON_VALUE_TOO_LARGE,
					   "the run's data is larger than a record may be and was left out"};
	in.run = NULL;
	in.logged_model = NULL;
	in.previous = NULL;
	in.reasons = &too_large;
	in.reason_count = 1;
	return vw_normalize(arena, &in, sync->cx->mapping, out, err);
}

int sync_record_judge(struct sync *sync, struct vw_arena *arena, const vw_record *record, vw_compliance **out,
		      uint8_t out_sha256[32], struct vw_error *err)
{
	int code = vw_policy_evaluate(sync->cx->policy, record, sync->started_at, arena, out, err);
	if (code < 0)
		return code;
	return vw_message_sha256(&(*out)->base, out_sha256);
}

bool sync_same_sha256(const ProtobufCBinaryData *a, const uint8_t b[32])
{
	return a->len == 32 && memcmp(a->data, b, 32) == 0;
}

/* The entry that says what this version is now. */
static int build_entry(struct sync *sync, struct vw_arena *arena, const struct before *before, bool new_life,
		       const vw_record *record, vw_compliance *compliance, const uint8_t *bytes, size_t len,
		       const uint8_t sha256[32], vw_entry **out, struct vw_error *err)
{
	vw_entry *entry = sync_entry(sync, arena);
	vw_version_recorded *v = vw_message_new(arena, &verifywise__v1__version_recorded__descriptor);
	if (!entry || !v)
		return vw_error_set(err, VW_ENOMEM, "no memory for a ledger entry");
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry->version = v;
	VW_SET_BYTES(v, record, bytes, len);
	VW_SET_BYTES(v, record_sha256, vw_arena_memdup(arena, sha256, 32), 32);
	v->compliance = compliance;
	VW_SET(v, first_seen_at, before->index && !new_life ? before->index->first_seen_at : sync->started_at);
	VW_SET(v, life, before->index ? before->index->life + (new_life ? 1 : 0) : 1);

	const vw_record *old = new_life ? NULL : before->record;
	int code = vw_deployment_events(arena, old, record, &v->events, &v->n_events, err);
	if (code == 0 && old)
		code = vw_message_diff(arena, &old->base, &record->base, NULL, &v->changed, &v->n_changed);
	*out = entry;
	return code;
}

/* Appends to `changes` what one version's facts mean; nothing for a version as it was. */
static int compare_version(struct sync *sync, struct vw_txn *txn, struct vw_arena *arena, struct version_facts *facts,
			   struct changes *changes, vw_sync_counts *counts, struct vw_error *err)
{
	struct before before = {0};
	vw_record *record;
	vw_compliance *compliance;
	uint8_t sha256[32], judged[32];
	size_t len;
	int code = load_before(sync, txn, arena, facts->version, &before, err);
	if (code == 0)
		code = normalize(sync, txn, arena, facts, &before, &record, err);
	if (code == 0)
		code = sync_record_judge(sync, arena, record, &compliance, judged, err);
	if (code < 0)
		return code;
	uint8_t *bytes = vw_message_pack(arena, &record->base, &len);
	if (!bytes)
		return vw_error_set(err, VW_ENOMEM, "no memory for a record");
	vw_sha256_of(bytes, len, sha256);
	bool new_life = before.index && is_new_life(before.index, facts->version);
	bool partial = record->completeness && record->completeness->state &&
		       strcmp(record->completeness->state, "partial") == 0;
	counts->incomplete += partial;
	bool same = before.index && !new_life && sync_same_sha256(&before.index->record_sha256, sha256);
	if (same && sync_same_sha256(&before.index->compliance_sha256, judged)) {
		counts->unchanged++;
		return 0;
	}
	code = load_record(txn, arena, &before, err);
	if (code < 0)
		return code;
	if (new_life && !before.index->has_removed_at) {
		/* deleted and made anew between two cycles: nobody saw it gone, but it was */
		vw_entry *gone = sync_removal_entry(sync, txn, arena, before.index, "mlflow", err);
		if (!gone)
			return err ? err->code : VW_ENOMEM;
		changes->items[changes->count++] = (struct change){gone, NULL};
		counts->removed++;
	}
	vw_entry *entry = NULL;
	code = build_entry(sync, arena, &before, new_life, record, compliance, bytes, len, sha256, &entry, err);
	if (code < 0)
		return code;
	changes->items[changes->count++] = (struct change){entry, record};
	if (same)
		counts->reevaluated++;
	else if (!before.index || new_life)
		counts->created++;
	else
		counts->updated++;
	return 0;
}

/* A version that cannot even be recorded leaves an entry of its own, so that an auditor sees the hole (S12.2). */
static int record_failure(struct sync *sync, struct vw_arena *arena, const struct version_facts *facts,
			  const struct vw_error *why, struct changes *changes)
{
	char *subject = vw_arena_printf(arena, "%s version %s", facts->version->name, facts->version->version);
	vw_entry *entry = sync_audit_entry(sync, arena, VW_AUDIT_INCOMPLETE, subject, why->message);
	if (!entry)
		return VW_ENOMEM;
	changes->items[changes->count++] = (struct change){entry, NULL};
	return 0;
}

int sync_record_versions(struct sync *sync, struct vw_arena *arena, const struct version_facts *facts, size_t count,
			 struct vw_error *err)
{
	struct vw_txn *txn;
	vw_sync_counts counts = VERIFYWISE__V1__SYNC_COUNTS__INIT;
	struct changes changes = {vw_arena_array(arena, 2 * count + 1, sizeof(struct change)), 0};
	if (!changes.items)
		return vw_error_set(err, VW_ENOMEM, "no memory for a page of model versions");
	int code = vw_txn_begin_read(vw_store_kv(sync->cx->store), &txn, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < count && code == 0; i++) {
		struct version_facts one = facts[i];
		code = compare_version(sync, txn, arena, &one, &changes, &counts, err);
		if (code < 0 && vw_error_disposition(code) == VW_DO_SKIP) {
			struct vw_error why = *err;
			counts.skipped++;
			code = record_failure(sync, arena, &one, &why, &changes);
		}
	}
	vw_txn_end(txn);
	if (code == 0)
		code = sync_commit(sync, arena, &changes, err);
	if (code < 0)
		return code;
	vw_sync_counts *total = &sync->result->counts;
	total->created += counts.created;
	total->updated += counts.updated;
	total->unchanged += counts.unchanged;
	total->removed += counts.removed;
	total->incomplete += counts.incomplete;
	total->reevaluated += counts.reevaluated;
	total->skipped += counts.skipped;
	sync_progress(sync, "versions", total->created + total->updated + total->unchanged + total->reevaluated, -1);
	return 0;
}
