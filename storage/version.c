/* version.c: the index of versions: where the newest entry of each is, and what is known without opening it. */
#include "store_private.h"

#include "proto/message.h"

#include <string.h>

static void count_findings(const vw_compliance *compliance, struct vw_version_change *out)
{
	vw_version_index *index = &out->index;
	index->has_status = compliance->has_status;
	index->status = compliance->status;
	memset(out->gaps, 0, sizeof(out->gaps));
	for (size_t i = 0; i < compliance->n_findings; i++) {
		const vw_finding *f = compliance->findings[i];
		if (f->state == VW_FINDING_UNKNOWN)
			VW_SET(index, unknown, index->unknown + 1);
		if (f->state != VW_FINDING_GAP || f->severity < VW_SEVERITY_INFO ||
		    f->severity > VW_SEVERITY_CRITICAL)
			continue;
		out->gaps[f->severity - VW_SEVERITY_INFO]++;
		index->gaps = out->gaps;
		index->n_gaps = VW_SEVERITIES;
	}
}

int vw_version_recorded_change(const vw_entry *entry, const vw_record *record, struct vw_version_change *out,
			       struct vw_error *err)
{
	const vw_version_recorded *v = entry->version;
	vw_version_index *index = &out->index;
	int rc = vw_key_version(record->workspace, record->model_name, record->version_number, &out->key, err);
	if (rc < 0)
		return rc;
	verifywise__v1__version_index__init(index);
	index->workspace = record->workspace;
	index->model_name = record->model_name;
	index->version_number = record->version_number;
	VW_SET_BYTES(index, record_sha256, v->record_sha256.data, v->record_sha256.len);
	if (v->compliance) {
		if (vw_message_sha256(&v->compliance->base, out->compliance_sha256) < 0)
			return vw_error_set(err, VW_ENOMEM, "no memory to hash the findings");
		VW_SET_BYTES(index, compliance_sha256, out->compliance_sha256, sizeof(out->compliance_sha256));
		count_findings(v->compliance, out);
	}
	if (record->completeness && record->completeness->state &&
	    strcmp(record->completeness->state, "partial") == 0)
		VW_SET(index, partial, true);
	index->has_first_seen_at = v->has_first_seen_at;
	index->first_seen_at = v->first_seen_at;
	index->has_recorded_at = entry->has_recorded_at;
	index->recorded_at = entry->recorded_at;
	index->has_life = v->has_life;
	index->life = v->life;
	if (record->lifecycle) {
		index->has_created_at = record->lifecycle->has_created_at;
		index->created_at = record->lifecycle->created_at;
	}
	return 0;
}

int vw_version_removed_change(struct vw_txn *txn, struct vw_arena *arena, const vw_entry *entry,
			      struct vw_version_change *out, struct vw_error *err)
{
	const vw_version_removed *r = entry->removal;
	vw_version_index *index;
	int rc = vw_store_version(txn, arena, r->workspace, r->model_name, r->version_number, &index, err);
	if (rc == VW_ENOTFOUND || (rc == 0 && index->has_removed_at))
		return vw_error_set(err, VW_EINVAL, "model '%.256s' version %.64s is not there to be removed",
				    r->model_name, r->version_number);
	if (rc < 0)
		return rc;
	rc = vw_key_version(r->workspace, r->model_name, r->version_number, &out->key, err);
	out->index = *index;
	VW_SET(&out->index, removed_at, entry->recorded_at);
	return rc;
}

int vw_version_put(struct vw_txn *txn, struct vw_arena *arena, uint64_t sequence, struct vw_version_change *change,
		   struct vw_error *err)
{
	/* of a removal, it stays with the last record */
	if (!change->index.has_removed_at)
		VW_SET(&change->index, sequence, sequence);
	return vw_store_put_message(txn, arena, VW_TABLE_VERSIONS, &change->key, &change->index.base, err);
}

int vw_store_version(struct vw_txn *txn, struct vw_arena *arena, const char *workspace, const char *model,
		     const char *version, vw_version_index **out, struct vw_error *err)
{
	struct vw_key key;
	void *index;
	int rc = vw_key_version(workspace, model, version, &key, err);
	if (rc < 0)
		return rc;
	rc = vw_store_get_message(txn, arena, VW_TABLE_VERSIONS, &key, &verifywise__v1__version_index__descriptor,
				  "version index", &index, err);
	if (rc == VW_ENOTFOUND)
		return vw_error_set(err, VW_ENOTFOUND, "model '%.256s' has no version %.64s here", model, version);
	if (rc == 0)
		*out = index;
	return rc;
}

struct walk {
	bool with_removed;
	vw_each_version each;
	void *arg;
};

static int walk_version(struct vw_bytes key, struct vw_bytes value, struct vw_arena *arena, void *arg,
			struct vw_error *err)
{
	const struct walk *w = arg;
	void *unpacked;
	(void)key;
	int rc = vw_message_unpack(arena, &verifywise__v1__version_index__descriptor, value.data, value.len,
				   "version index", &unpacked, err);
	if (rc < 0)
		return rc;
	const vw_version_index *index = unpacked;
	if (!index->model_name || !index->version_number)
		return vw_error_set(err, VW_ECORRUPT, "an index names no version");
	if (index->has_removed_at && !w->with_removed)
		return 0;
	return w->each(index, arena, w->arg, err);
}

int vw_store_each_version(struct vw_txn *txn, bool with_removed, vw_each_version each, void *arg,
			  struct vw_error *err)
{
	struct walk w = {.with_removed = with_removed, .each = each, .arg = arg};
	return vw_store_each_pair(txn, VW_TABLE_VERSIONS, (struct vw_bytes){NULL, 0}, false, walk_version, &w, err);
}
