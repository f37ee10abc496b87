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
	struct vw_lmdb_pair *entries; /* one for each of the plan */
	struct vw_lmdb_row_change *rows;
	struct vw_lmdb_pair *history; /* as many as rows */
	struct vw_lmdb_pair *events;
	size_t entry_count, row_count, event_count;
};
/* Everything in the arena. */
int vw_lmdb_prepare(const struct vw_ingest_batch *batch, const struct vw_plan *plan, struct vw_arena *arena,
		    struct vw_lmdb_prepared *out, struct vw_error *err);
/* Counts what it changes. */
int vw_lmdb_put_prepared(struct vw_lmdb_tx *tx, struct vw_arena *arena, const struct vw_lmdb_prepared *prepared,
			 struct vw_lmdb_counters *counters, struct vw_error *err);

#endif
