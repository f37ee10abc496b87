/* record.c: facts about versions into ledger entries: normalise, judge, compare with what is stored. */
#include "internal.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"
#include "normalize/normalize.h"
#include "proto/message.h"

#include <string.h>

/* Of a page in one commit. Its facts come in an arena of their own; what is made of them would be several times as much. */
#define BYTES_PER_COMMIT (8 * VW_MIB)

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

void sync_add_reason(struct version_facts *facts, const char *code, const char *text)
{
	for (size_t i = 0; i < facts->reason_count; i++)
		if (strcmp(facts->reasons[i].code, code) == 0)
			return;
	if (facts->reason_count < sizeof(facts->reasons) / sizeof(facts->reasons[0]))
		facts->reasons[facts->reason_count++] = (struct vw_reason_text){code, text};
}

void sync_add_flaws(struct version_facts *facts, unsigned flaws)
{
	if (flaws & VW_FLAW_CUT)
		sync_add_reason(facts, VW_REASON_VALUE_TOO_LARGE,
				"a value is larger than the agent takes and was left out");
	if (flaws & VW_FLAW_UNREADABLE)
		sync_add_reason(facts, VW_REASON_RESPONSE_INVALID,
				"a value in the server's answer is not of its type");
}

/* The registered model as far as the last record knows it, so that what it says of the version does not seem to have changed. */
static vw_registered_model *remembered_model(struct vw_arena *arena, const vw_record *record)
{
	vw_registered_model *model = vw_message_new(arena, &verifywise__v1__registered_model__descriptor);
	const vw_identity *identity = record->identity;
	if (!model || !identity)
		return model;
	for (size_t i = 0; i < record->n_provenance; i++) {
		const vw_provenance *p = record->provenance[i];
		if (p->field && strcmp(p->field, "identity.description") == 0 && p->from &&
		    strcmp(p->from, "model:description") == 0)
			model->description = identity->description;
	}
	model->name = record->model_name;
	model->tags = identity->tags;
	model->n_tags = identity->n_tags;
	model->aliases = identity->aliases;
	model->n_aliases = identity->n_aliases;
	return model;
}

/* Neither listed nor to be had when asked for. */
static int model_unseen(struct vw_txn *txn, struct vw_arena *arena, struct version_facts *facts,
			struct before *before, vw_registered_model **out, struct vw_error *err)
{
	sync_add_reason(facts, VW_REASON_MODEL_FETCH_FAILED, "the registered model could not be read");
	if (!before->index || is_new_life(before->index, facts->version))
		return 0;
	int code = load_record(txn, arena, before, err);
	if (code == 0)
		*out = remembered_model(arena, before->record);
	return code;
}

static void experiment_reason(struct version_facts *facts)
{
	if (facts->experiment_code == VW_EFORBIDDEN)
		sync_add_reason(facts, VW_REASON_EXPERIMENT_FORBIDDEN,
				"this credential may not read the run's experiment");
	else if (facts->experiment_code == VW_ENOTFOUND)
		sync_add_reason(facts, VW_REASON_EXPERIMENT_NOT_FOUND,
				"the run's experiment does not exist any more");
	else
		sync_add_reason(facts, VW_REASON_EXPERIMENT_FETCH_FAILED,
				"the server failed when asked for the run's experiment");
}

static int load_sources(struct sync *sync, struct vw_txn *txn, struct vw_arena *arena, struct version_facts *facts,
			struct before *before, struct vw_normalize_input *in, struct vw_error *err)
{
	vw_registered_model *model = NULL;
	vw_experiment *experiment;
	int code = vw_store_model(txn, arena, sync->workspace, facts->version->name, &model, err);
	if (code == VW_ENOTFOUND)
		code = model_unseen(txn, arena, facts, before, &model, err);
	if (code < 0)
		return code;
	if (model) {
		in->model = model;
		add_aliases(arena, facts->version, model);
		sync_add_flaws(facts, model->flaws);
	}
	if (!facts->run || !facts->run->experiment_id)
		return 0;
	code = vw_store_experiment(txn, arena, sync->workspace, facts->run->experiment_id, &experiment, err);
	if (code == VW_ENOTFOUND) {
		experiment_reason(facts);
		return 0;
	}
	if (code < 0)
		return code;
	in->experiment = experiment;
	sync_add_flaws(facts, experiment->flaws);
	return 0;
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
	int code = load_sources(sync, txn, arena, facts, before, &in, err);
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
		vw_entry *gone = sync_removal_entry(sync, txn, arena, arena, before.index, "mlflow", err);
		if (!gone)
			return err->code;
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

static void add_counts(vw_sync_counts *total, const vw_sync_counts *some)
{
	total->created += some->created;
	total->updated += some->updated;
	total->unchanged += some->unchanged;
	total->removed += some->removed;
	total->incomplete += some->incomplete;
	total->reevaluated += some->reevaluated;
	total->skipped += some->skipped;
}

/* A page on its way into the ledger. */
struct recording {
	struct sync *sync;
	struct vw_arena *arena; /* of one commit */
	const struct version_facts *facts;
	size_t count;
	size_t at; /* how many of them are done */
	struct changes changes;
	vw_sync_counts counts; /* of one commit */
};

static int compare_some(struct recording *r, struct vw_txn *txn, struct vw_error *err)
{
	int code = 0;
	while (r->at < r->count && code == 0 && vw_arena_used(r->arena) < BYTES_PER_COMMIT) {
		struct version_facts one = r->facts[r->at++];
		code = compare_version(r->sync, txn, r->arena, &one, &r->changes, &r->counts, err);
		if (code < 0 && vw_error_disposition(code) == VW_DO_SKIP) {
			struct vw_error why = *err;
			r->counts.skipped++;
			code = record_failure(r->sync, r->arena, &one, &why, &r->changes);
		}
	}
	return code;
}

static int record_some(struct recording *r, struct vw_error *err)
{
	struct vw_txn *txn;
	verifywise__v1__sync_counts__init(&r->counts);
	r->changes.count = 0;
	vw_arena_reset(r->arena);
	int code = vw_txn_begin_read(vw_store_kv(r->sync->cx->store), &txn, err);
	if (code < 0)
		return code;
	code = compare_some(r, txn, err);
	vw_txn_end(txn);
	if (code == 0)
		code = sync_commit(r->sync, r->arena, &r->changes, err);
	if (code == 0)
		add_counts(&r->sync->result->counts, &r->counts);
	return code;
}

int sync_record_versions(struct sync *sync, struct vw_arena *arena, const struct version_facts *facts, size_t count,
			 struct vw_error *err)
{
	struct vw_arena *work VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct recording r = {.sync = sync, .arena = work, .facts = facts, .count = count};
	const vw_sync_counts *total = &sync->result->counts;
	int code = 0;
	/* at most a removal and a record of each */
	r.changes.items = vw_arena_array(arena, 2 * count + 1, sizeof(struct change));
	if (!work || !r.changes.items)
		return vw_error_set(err, VW_ENOMEM, "no memory for a page of model versions");
	while (r.at < count && code == 0)
		code = record_some(&r, err);
	sync->pages_done++;
	int64_t done = total->created + total->updated + total->unchanged + total->reevaluated;
	bool whole = sync->options->depth == VW_DEPTH_FULL && sync->expected >= done;
	sync_progress(sync, "versions", done, whole ? sync->expected : -1);
	return code;
}
