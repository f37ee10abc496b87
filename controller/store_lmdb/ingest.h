/* ingest.h: what a batch puts into the tables, made ready in its caller's thread: keys built, messages packed. The writer then only
 * compares, puts and counts. */
#ifndef STORE_LMDB_INGEST_H
#define STORE_LMDB_INGEST_H

#include "embedded.h"
#include "plan.h"

/* A version's new row, or its removal. */
struct vw_lmdb_row_change {
	struct vw_bytes key, value;
	bool is_removal;
	int64_t removed_at;
};
struct vw_lmdb_pair {
	struct vw_bytes key, value;
};
struct vw_lmdb_prepared {
	struct vw_arena *arena;
	const struct vw_ingest_batch *batch;
	struct vw_lmdb_pair *entries;
	struct vw_lmdb_row_change *rows;
	struct vw_lmdb_pair *history; /* as many as rows */
	struct vw_lmdb_rows events;   /* of struct vw_lmdb_pair */
	size_t entry_count, row_count;
};
/* Room for all of the batch's entries; everything in the arena. */
int vw_lmdb_prepare_begin(struct vw_lmdb_prepared *prepared, const struct vw_ingest_batch *batch,
			  struct vw_arena *arena, struct vw_error *err);
/* A vw_plan_each; the entry and its projection are not needed any more behind it, but for what is of the batch itself. */
int vw_lmdb_prepare(const struct vw_plan_entry *entry, void *prepared, struct vw_error *err);
/* Counts what it changes. */
int vw_lmdb_put_prepared(struct vw_lmdb_tx *tx, struct vw_arena *arena, const struct vw_lmdb_prepared *prepared,
			 struct vw_lmdb_counters *counters, struct vw_error *err);

#endif
