/* prepare.c: a batch's rows, made ready and put. */
#include "ingest.h"

#include "version.h"

#include "proto/message.h"

#include <string.h>

static int keep(struct vw_arena *arena, const struct vw_lmdb_key *key, struct vw_bytes *out, struct vw_error *err)
{
	void *bytes = vw_arena_memdup(arena, key->bytes, key->len);
	if (!bytes)
		return vw_lmdb_no_memory(err);
	*out = (struct vw_bytes){bytes, key->len};
	return 0;
}

static int pack(struct vw_arena *arena, const ProtobufCMessage *message, struct vw_bytes *out, struct vw_error *err)
{
	out->data = vw_message_pack(arena, message, &out->len);
	return out->data ? 0 : vw_lmdb_no_memory(err);
}

static int prepare_entry(const struct vw_plan_entry *entry, struct vw_lmdb_prepared *p, struct vw_error *err)
{
	struct vw_lmdb_pair *out = &p->entries[p->entry_count++];
	struct vw_lmdb_key key;
	vw_chained_entry chained =
	    VERIFYWISE__V1__CHAINED_ENTRY__INIT; /* without what a newer agent may have added */
	if (!vw_lmdb_key_entry(p->batch->organization, p->batch->agent_id, entry->sequence, &key))
		return vw_lmdb_not_found("such agent", err);
	chained.has_payload = chained.has_chain_sha256 = 1;
	chained.payload = entry->chained->payload;
	chained.chain_sha256 = entry->chained->chain_sha256;
	int rc = keep(p->arena, &key, &out->key, err);
	return rc < 0 ? rc : pack(p->arena, &chained.base, &out->value, err);
}

static int prepare_row(const struct vw_projection *projection, struct vw_lmdb_prepared *p, struct vw_error *err)
{
	const vw_version_row *row = projection->row;
	const struct vw_version_key version = {row->agent_id, row->workspace, row->model_name, row->version_number};
	struct vw_lmdb_row_change *change = &p->rows[p->row_count];
	struct vw_lmdb_pair *history = &p->history[p->row_count++];
	struct vw_lmdb_key key, history_key;
	if (!vw_lmdb_key_version(row->organization, &version, &key))
		return vw_error_set(err, VW_EINVAL, "a version that has no key");
	vw_lmdb_key_history(vw_lmdb_bytes(&key), row->sequence, &history_key);
	*change = (struct vw_lmdb_row_change){.is_removal = projection->is_removal, .removed_at = row->removed_at};
	*history = (struct vw_lmdb_pair){.value = {"", 0}};
	int rc = keep(p->arena, &key, &change->key, err);
	if (rc == 0)
		rc = keep(p->arena, &history_key, &history->key, err);
	if (rc == 0 && !projection->is_removal)
		rc = vw_lmdb_version_pack(row, p->arena, &change->value, err);
	return rc;
}

static int prepare_event(const vw_event_row *row, struct vw_lmdb_prepared *p, struct vw_error *err)
{
	struct vw_lmdb_pair *event = vw_arena_alloc(p->arena, sizeof(*event));
	struct vw_lmdb_key key;
	if (!event)
		return vw_lmdb_no_memory(err);
	if (!vw_lmdb_key_event(row, &key))
		return vw_lmdb_not_found("such agent", err);
	int rc = keep(p->arena, &key, &event->key, err);
	if (rc == 0)
		rc = pack(p->arena, &row->base, &event->value, err);
	return rc < 0 ? rc : vw_lmdb_rows_add(&p->events, event, err);
}

int vw_lmdb_prepare_begin(struct vw_lmdb_prepared *prepared, const struct vw_ingest_batch *batch,
			  struct vw_arena *arena, struct vw_error *err)
{
	size_t count = batch->batch->n_entries;
	*prepared = (struct vw_lmdb_prepared){.arena = arena,
					      .batch = batch,
					      .entries = vw_arena_array(arena, count, sizeof(*prepared->entries)),
					      .rows = vw_arena_array(arena, count, sizeof(*prepared->rows)),
					      .history = vw_arena_array(arena, count, sizeof(*prepared->history)),
					      .events.arena = arena};
	return vw_arena_failed(arena) ? vw_lmdb_no_memory(err) : 0;
}

int vw_lmdb_prepare(const struct vw_plan_entry *entry, void *prepared, struct vw_error *err)
{
	struct vw_lmdb_prepared *p = prepared;
	int rc = prepare_entry(entry, p, err);
	if (rc == 0 && entry->projection.row)
		rc = prepare_row(&entry->projection, p, err);
	for (size_t i = 0; rc == 0 && i < entry->projection.event_count; i++)
		rc = prepare_event(entry->projection.events[i], p, err);
	return rc;
}

/* ---- In the writer's thread ---- */

/* What has the sequence in its key was never there before. */
static int add(struct vw_lmdb_tx *tx, enum vw_lmdb_table table, const struct vw_lmdb_pair *pair, struct vw_error *err)
{
	tx->wrote = true;
	return vw_kv_add(tx->txn, (int)table, pair->key, pair->value, err);
}

static int remove_row(struct vw_arena *arena, const struct vw_lmdb_version *there, int64_t removed_at,
		      struct vw_bytes *out, struct vw_error *err)
{
	vw_version_row *row;
	int rc = vw_lmdb_version_row(there, arena, &row, err);
	if (rc < 0)
		return rc;
	VW_SET(row, removed_at, removed_at);
	return vw_lmdb_version_pack(row, arena, out, err);
}

static int put_row(struct vw_lmdb_tx *tx, struct vw_arena *arena, const struct vw_lmdb_row_change *change,
		   struct vw_lmdb_counters *counters, struct vw_error *err)
{
	struct vw_lmdb_version there, now;
	struct vw_bytes stored, value = change->value;
	int rc = vw_kv_get(tx->txn, VW_LMDB_VERSIONS, change->key, &stored, err);
	if (rc < 0 && rc != VW_ENOTFOUND)
		return rc;
	bool is_there = rc == 0;
	if (is_there && !vw_lmdb_version_open(stored, &there))
		return vw_error_set(err, VW_ECORRUPT, "a version's row is none");
	if (change->is_removal && (!is_there || there.is_removed))
		return 0;
	if (is_there)
		vw_lmdb_version_count(&there, -1, counters);
	if (change->is_removal) {
		rc = remove_row(arena, &there, change->removed_at, &value, err);
		if (rc < 0)
			return rc;
	}
	if (vw_lmdb_version_open(value, &now))
		vw_lmdb_version_count(&now, 1, counters);
	tx->wrote = true;
	return is_there ? vw_kv_put(tx->txn, VW_LMDB_VERSIONS, change->key, value, err)
			: vw_kv_add(tx->txn, VW_LMDB_VERSIONS, change->key, value, err);
}

int vw_lmdb_put_prepared(struct vw_lmdb_tx *tx, struct vw_arena *arena, const struct vw_lmdb_prepared *prepared,
			 struct vw_lmdb_counters *counters, struct vw_error *err)
{
	int rc = 0;
	/* table by table: neighbours are on the same pages */
	for (size_t i = 0; rc == 0 && i < prepared->entry_count; i++)
		rc = add(tx, VW_LMDB_LEDGER, &prepared->entries[i], err);
	for (size_t i = 0; rc == 0 && i < prepared->row_count; i++)
		rc = put_row(tx, arena, &prepared->rows[i], counters, err);
	for (size_t i = 0; rc == 0 && i < prepared->row_count; i++)
		rc = add(tx, VW_LMDB_HISTORY, &prepared->history[i], err);
	for (size_t i = 0; rc == 0 && i < prepared->events.count; i++)
		rc = add(tx, VW_LMDB_EVENTS, prepared->events.items[i], err);
	counters->entries += (int64_t)prepared->entry_count;
	return rc;
}
