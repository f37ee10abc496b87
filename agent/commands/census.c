#include "census.h"

#include "command.h"

static int count_model(const char *workspace, const vw_registered_model *model, struct vw_arena *arena, void *arg,
		       struct vw_error *err)
{
	struct census *census = arg;
	(void)workspace, (void)model, (void)arena, (void)err;
	census->models++;
	return 0;
}

static enum census_status status_of(const vw_version_index *index)
{
	if (!index->has_status)
		return CENSUS_UNKNOWN;
	if (index->status == VW_COMPLIANCE_COMPLIANT)
		return CENSUS_COMPLIANT;
	return index->status == VW_COMPLIANCE_GAPS ? CENSUS_GAPS : CENSUS_UNKNOWN;
}

static int count_version(const vw_version_index *index, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct census *census = arg;
	(void)arena;
	if (vw_cli_cancelled)
		return vw_error_set(err, VW_ECANCELLED, "cancelled");
	census->versions[status_of(index)]++;
	census->incomplete += index->partial;
	census->unknown += index->unknown;
	for (size_t i = 0; i < index->n_gaps && i < VW_SEVERITIES; i++)
		census->gaps[i] += index->gaps[i];
	return 0;
}

int census_sizes(struct vw_store *store, struct census *out, struct vw_error *err)
{
	struct vw_txn *txn;
	struct vw_ledger_head head;
	struct vw_kv_stat stat;
	int code = vw_kv_stat(vw_store_kv(store), &stat, err);
	if (code == 0)
		code = vw_txn_begin_read(vw_store_kv(store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_head(txn, &head, err);
	vw_txn_end(txn);
	if (code < 0)
		return code;
	out->sequence = head.sequence;
	out->file_bytes = stat.file_bytes;
	out->used_bytes = stat.used_bytes;
	return 0;
}

int census_take(struct vw_store *store, struct census *out, struct vw_error *err)
{
	struct census census = {0};
	struct vw_txn *txn;
	int code = census_sizes(store, &census, err);
	if (code == 0)
		code = vw_txn_begin_read(vw_store_kv(store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_each_model(txn, count_model, &census, err);
	if (code == 0)
		code = vw_store_each_version(txn, false, count_version, &census, err);
	vw_txn_end(txn);
	if (code == 0)
		*out = census;
	return code;
}
