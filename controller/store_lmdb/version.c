/* version.c: versions listed and found.
 *
 * Rows are in order of model, version number, workspace and agent, so a page by name costs no more than the rows it passes over. Every
 * other order walks all rows of the organization, and looks at the header of each: some tenths of a second at 100,000 versions. */
#include "version.h"

#include "page.h"

#include "base/limits.h"
#include "proto/message.h"

#include <string.h>

static int not_a_row(struct vw_error *err)
{
	return vw_error_set(err, VW_ECORRUPT, "a version's row is none");
}

static int get_row(struct vw_txn *txn, struct vw_arena *arena, struct vw_bytes key, vw_version_row **out,
		   struct vw_error *err)
{
	struct vw_lmdb_version version;
	struct vw_bytes value;
	int rc = vw_kv_get(txn, VW_LMDB_VERSIONS, key, &value, err);
	if (rc == VW_ENOTFOUND)
		return vw_lmdb_not_found("such version", err);
	if (rc < 0)
		return rc;
	return vw_lmdb_version_open(value, &version) ? vw_lmdb_version_row(&version, arena, out, err)
						     : not_a_row(err);
}

static int version_get(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
		       const struct vw_version_key *version, vw_version_row **out, struct vw_error *err)
{
	struct vw_lmdb_key key;
	struct vw_txn *txn;
	if (!vw_lmdb_key_version(organization, version, &key))
		return vw_lmdb_not_found("such version", err);
	int rc = vw_txn_begin_read(vw_lmdb_of(base)->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = get_row(txn, arena, vw_lmdb_bytes(&key), out, err);
	vw_txn_end(txn);
	return rc;
}

/* ---- A listing ---- */

struct listing {
	struct vw_txn *txn;
	struct vw_lmdb_filter filter;
	const struct vw_version_query *query;
	size_t limit;
	struct vw_arena *scratch; /* for rows that are only looked at */
	struct vw_lmdb_rows rows;
	struct vw_bytes after; /* in order of keys: not this one */
	struct vw_lmdb_best best;
	struct vw_lmdb_key last;
	int64_t last_value;
	bool more;
};

static void begin_listing(const struct vw_version_query *q, int32_t organization, struct vw_listing *out)
{
	vw_listing_begin(out, "versions", organization);
	const char *texts[] = {q->agent_id, q->workspace, q->model, q->text, q->stage, q->owner, q->risk};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		vw_listing_add_text(out, texts[i]);
	vw_listing_add_number(out, q->status ? (int64_t)*q->status : -1);
	vw_listing_add_number(out, q->severity ? (int64_t)*q->severity : -1);
	vw_listing_add_number(out, q->with_removed);
	vw_listing_add_number(out, q->order);
	vw_listing_add_number(out, q->descending);
}

/* 1 and, if it had to be looked at, the row; 0 when it is not wanted. */
static int is_wanted(struct listing *l, struct vw_bytes key, const struct vw_lmdb_version *version,
		     struct vw_error *err)
{
	vw_version_row *row;
	if (!vw_lmdb_filter_may_want(&l->filter, key, version))
		return 0;
	if (!vw_lmdb_filter_needs_row(&l->filter))
		return 1;
	vw_arena_reset(l->scratch);
	int rc = vw_lmdb_version_row(version, l->scratch, &row, err);
	return rc < 0 ? rc : vw_lmdb_filter_wants(&l->filter, row);
}

static void keep_key(struct listing *l, struct vw_bytes key)
{
	l->last.len = key.len;
	memcpy(l->last.bytes, key.data, key.len);
}

/* ---- In the order of keys ---- */

static int next_by_name(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct listing *l = arg;
	struct vw_lmdb_version version;
	vw_version_row *row;
	if (key.len == l->after.len && memcmp(key.data, l->after.data, key.len) == 0)
		return 0;
	if (!vw_lmdb_version_open(value, &version))
		return not_a_row(err);
	int rc = is_wanted(l, key, &version, err);
	if (rc <= 0)
		return rc;
	if (l->rows.count == l->limit) {
		l->more = true;
		return 1;
	}
	rc = vw_lmdb_version_row(&version, l->rows.arena, &row, err);
	if (rc < 0)
		return rc;
	keep_key(l, key);
	return vw_lmdb_rows_add(&l->rows, row, err);
}

/* ---- In another order ---- */

static int64_t value_of(const struct listing *l, const struct vw_lmdb_version *version)
{
	switch (l->query->order) {
	case VW_BY_RECORDED:
		return version->recorded_at;
	case VW_BY_UPDATED:
		return version->updated_at;
	case VW_BY_SEVERITY:
		return vw_lmdb_version_worst(version);
	case VW_BY_NAME:
	default:
		return 0;
	}
}

static int next_in_order(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct listing *l = arg;
	struct vw_lmdb_version version;
	if (!vw_lmdb_version_open(value, &version))
		return not_a_row(err);
	int rc = is_wanted(l, key, &version, err);
	if (rc > 0)
		vw_lmdb_best_add(&l->best, value_of(l, &version), key);
	return rc < 0 ? rc : 0;
}

static int collect(struct listing *l, struct vw_error *err)
{
	l->more = vw_lmdb_best_end(&l->best);
	for (size_t i = 0; i < l->best.count; i++) {
		const struct vw_lmdb_candidate *c = &l->best.items[i];
		vw_version_row *row;
		int rc = get_row(l->txn, l->rows.arena, (struct vw_bytes){c->key, c->len}, &row, err);
		if (rc == 0)
			rc = vw_lmdb_rows_add(&l->rows, row, err);
		if (rc < 0)
			return rc;
		l->last_value = c->value;
		keep_key(l, (struct vw_bytes){c->key, c->len});
	}
	return 0;
}

/* ---- Both ---- */

/* A place is the value in that order and the key behind the organization. */
static int open_place(struct listing *l, int32_t organization, struct vw_bytes place, struct vw_lmdb_key *after,
		      struct vw_error *err)
{
	const uint8_t *bytes = place.data;
	if (place.len == 0)
		return 0;
	if (place.len <= 8 || place.len - 8 > VW_KEY_MAX - VW_LMDB_ORGANIZATION)
		return vw_error_set(err, VW_EINVAL, "the cursor is none");
	uint64_t value = 0;
	for (size_t i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	vw_lmdb_key_organization(organization, after);
	memcpy(after->bytes + after->len, bytes + 8, place.len - 8);
	after->len += place.len - 8;
	l->after = l->best.after_key = vw_lmdb_bytes(after);
	l->best.has_after = true;
	l->best.after_value = (int64_t)value;
	return 0;
}

static char *print_place(const struct listing *l, const struct vw_listing *listing)
{
	uint8_t place[8 + VW_KEY_MAX];
	size_t len = l->last.len - VW_LMDB_ORGANIZATION;
	for (size_t i = 0; i < 8; i++)
		place[i] = (uint8_t)((uint64_t)l->last_value >> (56 - 8 * i));
	memcpy(place + 8, l->last.bytes + VW_LMDB_ORGANIZATION, len);
	return vw_page_print(listing, (struct vw_bytes){place, 8 + len}, l->rows.arena);
}

static int walk(struct listing *l, int32_t organization, struct vw_error *err)
{
	struct vw_lmdb_key prefix;
	if (l->query->model)
		vw_lmdb_key_model(organization, l->query->model, &prefix);
	else
		vw_lmdb_key_organization(organization, &prefix);
	if (l->query->order == VW_BY_NAME)
		return vw_lmdb_walk(l->txn, VW_LMDB_VERSIONS, vw_lmdb_bytes(&prefix), l->after, l->query->descending,
				    next_by_name, l, err);
	l->best.limit = l->limit;
	l->best.descending = l->query->descending;
	l->best.arena = l->rows.arena;
	int rc = vw_lmdb_best_begin(&l->best, err);
	if (rc == 0)
		rc = vw_lmdb_walk(l->txn, VW_LMDB_VERSIONS, vw_lmdb_bytes(&prefix), (struct vw_bytes){NULL, 0}, false,
				  next_in_order, l, err);
	return rc < 0 ? rc : collect(l, err);
}

static int list(struct vw_lmdb_store *store, int32_t organization, struct listing *l, struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *scratch = vw_arena_open(0);
	l->scratch = scratch;
	if (!scratch)
		return vw_lmdb_no_memory(err);
	int rc = vw_txn_begin_read(store->kv, &l->txn, err);
	if (rc < 0)
		return rc;
	rc = walk(l, organization, err);
	vw_txn_end(l->txn);
	return rc;
}

static int version_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
			const struct vw_version_query *query, const struct vw_page *page, vw_version_row ***out,
			size_t *out_count, char **out_cursor, struct vw_error *err)
{
	struct listing l = {.query = query, .limit = page->limit, .rows.arena = arena};
	struct vw_listing listing;
	struct vw_lmdb_key after;
	struct vw_bytes place;
	begin_listing(query, organization, &listing);
	int rc = vw_page_read(&listing, page, arena, &place, err);
	if (rc == 0)
		rc = vw_lmdb_filter_open(query, &l.filter, err);
	if (rc == 0)
		rc = open_place(&l, organization, place, &after, err);
	if (rc == 0)
		rc = list(vw_lmdb_of(base), organization, &l, err);
	if (rc < 0)
		return rc;
	char *cursor = l.more ? print_place(&l, &listing) : NULL;
	if (l.more && !cursor)
		return vw_lmdb_no_memory(err);
	*out = (vw_version_row **)l.rows.items;
	*out_count = l.rows.count;
	*out_cursor = cursor;
	return 0;
}

/* ---- History ---- */

struct history {
	uint64_t *sequences;
	size_t count, limit;
	uint64_t before; /* 0: from the newest */
	bool more;
};

static int next_entry(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct history *h = arg;
	uint64_t sequence = vw_lmdb_key_sequence(key);
	(void)value;
	(void)err;
	if (sequence == h->before)
		return 0;
	if (h->count == h->limit) {
		h->more = true;
		return 1;
	}
	h->sequences[h->count++] = sequence;
	return 0;
}

static int walk_history(struct vw_lmdb_store *store, const struct vw_lmdb_key *version, struct history *h,
			struct vw_error *err)
{
	struct vw_lmdb_key from;
	struct vw_txn *txn;
	vw_lmdb_key_history(vw_lmdb_bytes(version), h->before ? h->before : UINT64_MAX, &from);
	int rc = vw_txn_begin_read(store->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_walk(txn, VW_LMDB_HISTORY, vw_lmdb_bytes(version), vw_lmdb_bytes(&from), true, next_entry, h,
			  err);
	vw_txn_end(txn);
	return rc;
}

static int version_history(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
			   const struct vw_version_key *version, const struct vw_page *page, uint64_t **out,
			   size_t *out_count, char **out_cursor, struct vw_error *err)
{
	struct history h = {.limit = page->limit};
	struct vw_listing listing;
	struct vw_lmdb_key key;
	struct vw_bytes place;
	vw_listing_begin(&listing, "history", organization);
	const char *texts[] = {version->agent_id, version->workspace, version->model, version->version};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		vw_listing_add_text(&listing, texts[i]);
	int rc = vw_page_read(&listing, page, arena, &place, err);
	if (rc == 0 && place.len != 0 && place.len != 8)
		rc = vw_error_set(err, VW_EINVAL, "the cursor is none");
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < place.len; i++)
		h.before = h.before << 8 | ((const uint8_t *)place.data)[i];
	h.sequences = vw_arena_array(arena, page->limit, sizeof(*h.sequences));
	if (!h.sequences)
		return vw_lmdb_no_memory(err);
	if (vw_lmdb_key_version(organization, version, &key))
		rc = walk_history(vw_lmdb_of(base), &key, &h, err);
	if (rc < 0)
		return rc;
	uint8_t last[8];
	for (size_t i = 0; h.more && i < sizeof(last); i++)
		last[i] = (uint8_t)(h.sequences[h.count - 1] >> (56 - 8 * i));
	char *cursor = h.more ? vw_page_print(&listing, (struct vw_bytes){last, sizeof(last)}, arena) : NULL;
	if (h.more && !cursor)
		return vw_lmdb_no_memory(err);
	*out = h.sequences;
	*out_count = h.count;
	*out_cursor = cursor;
	return 0;
}

void vw_lmdb_version_ops(struct vw_fleet_ops *ops)
{
	ops->version_get = version_get;
	ops->version_list = version_list;
	ops->version_history = version_history;
}
