/* version.h: rows of versions, with in front of each what listings ask first, so that a walk over a whole organization unpacks only
 * what it may want.
 *
 *	u8 1, u8 is_removed, u8 status, 5 × u16 gaps, i64 recorded_at, i64 updated_at, then the packed VersionRow */
#ifndef STORE_LMDB_VERSION_H
#define STORE_LMDB_VERSION_H

#include "embedded.h"

struct vw_lmdb_version {
	bool is_removed;
	uint8_t status;   /* 0: not judged */
	uint16_t gaps[5]; /* open findings by severity, from info */
	int64_t recorded_at, updated_at;
	struct vw_bytes row; /* packed */
};

/* False for bytes that are none. `row` is borrowed from them. */
bool vw_lmdb_version_open(struct vw_bytes stored, struct vw_lmdb_version *out);
/* In the arena. */
int vw_lmdb_version_pack(const vw_version_row *row, struct vw_arena *arena, struct vw_bytes *out,
			 struct vw_error *err);
int vw_lmdb_version_row(const struct vw_lmdb_version *version, struct vw_arena *arena, vw_version_row **out,
			struct vw_error *err);
/* Severity of the worst open finding, 0 for none: what is gone has none. */
int vw_lmdb_version_worst(const struct vw_lmdb_version *version);
/* Adds what the row counts for, times `sign`. */
void vw_lmdb_version_count(const struct vw_lmdb_version *version, int sign, struct vw_lmdb_counters *to);

/* The filter of a listing. */
struct vw_lmdb_filter {
	const struct vw_version_query *query;
	uint8_t agent[VW_LMDB_ID]; /* of query->agent_id */
};
/* VW_EINVAL for an agent's id that is none. */
int vw_lmdb_filter_open(const struct vw_version_query *query, struct vw_lmdb_filter *out, struct vw_error *err);
/* What can be said without the row. */
bool vw_lmdb_filter_may_want(const struct vw_lmdb_filter *filter, struct vw_bytes key,
			     const struct vw_lmdb_version *version);
/* True if anything is asked of the row itself. */
bool vw_lmdb_filter_needs_row(const struct vw_lmdb_filter *filter);
bool vw_lmdb_filter_wants(const struct vw_lmdb_filter *filter, const vw_version_row *row);

/* A page in another order than that of the keys: the best `limit` + 1 of a walk over all. Keys, in the arena, in order. */
struct vw_lmdb_best {
	struct vw_arena *arena;
	size_t limit;
	bool descending;
	bool has_after; /* only what comes behind this one is wanted */
	int64_t after_value;
	struct vw_bytes after_key;
	struct vw_lmdb_candidate *items;
	size_t count, size;
	bool is_cut; /* items[limit] is the last that may still be wanted */
};
struct vw_lmdb_candidate {
	int64_t value;
	size_t len;
	uint8_t key[VW_KEY_MAX];
};
int vw_lmdb_best_begin(struct vw_lmdb_best *best, struct vw_error *err);
void vw_lmdb_best_add(struct vw_lmdb_best *best, int64_t value, struct vw_bytes key);
/* Sorts and cuts to `limit`; true if there was more. */
bool vw_lmdb_best_end(struct vw_lmdb_best *best);

#endif
