#include "census.h"

#include "command.h"

#include <string.h>

static int count_model(const char *workspace, const vw_registered_model *model, struct vw_arena *arena, void *arg,
		       struct vw_error *err)
{
	struct census *census = arg;
	(void)workspace, (void)model, (void)arena, (void)err;
	census->models++;
	return 0;
}

static void count_findings(const vw_compliance *compliance, struct census *census)
{
	for (size_t i = 0; i < compliance->n_findings; i++) {
		const vw_finding *finding = compliance->findings[i];
		if (finding->state == VW_FINDING_UNKNOWN)
			census->unknown++;
		if (finding->state == VW_FINDING_GAP && finding->severity >= VW_SEVERITY_INFO &&
		    finding->severity <= VW_SEVERITY_CRITICAL)
			census->gaps[finding->severity - VW_SEVERITY_INFO]++;
	}
}

static enum census_status status_of(const vw_compliance *compliance)
{
	if (!compliance || !compliance->has_status)
		return CENSUS_UNKNOWN;
	if (compliance->status == VW_COMPLIANCE_COMPLIANT)
		return CENSUS_COMPLIANT;
	return compliance->status == VW_COMPLIANCE_GAPS ? CENSUS_GAPS : CENSUS_UNKNOWN;
}

struct walk {
	struct vw_txn *txn;
	struct census *census;
};

static int count_version(const vw_version_index *index, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct walk *walk = arg;
	vw_entry *entry;
	vw_record *record;
	if (cancelled)
		return vw_error_set(err, VW_ECANCELLED, "cancelled");
	int code = vw_store_entry(walk->txn, arena, index->sequence, &entry, err);
	if (code < 0)
		return code;
	if (!entry->version)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %llu should hold a record",
				    (unsigned long long)index->sequence);
	code = vw_store_record(arena, entry->version, &record, err);
	if (code < 0)
		return code;
	const vw_completeness *completeness = record->completeness;
	walk->census->incomplete +=
	    completeness && completeness->state && strcmp(completeness->state, "partial") == 0;
	walk->census->versions[status_of(entry->version->compliance)]++;
	if (entry->version->compliance)
		count_findings(entry->version->compliance, walk->census);
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
	struct walk walk = {.census = &census};
	int code = census_sizes(store, &census, err);
	if (code == 0)
		code = vw_txn_begin_read(vw_store_kv(store), &walk.txn, err);
	if (code < 0)
		return code;
	code = vw_store_each_model(walk.txn, count_model, &census, err);
	if (code == 0)
		code = vw_store_each_version(walk.txn, false, count_version, &walk, err);
	vw_txn_end(walk.txn);
	if (code == 0)
		*out = census;
	return code;
}
