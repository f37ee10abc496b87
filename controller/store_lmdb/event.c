/* event.c: deployment events, newest first (S10.5): a walk backwards, which a time or a full page ends. A filter that leaves out most makes
 * it a walk over all since that time. */
#include "embedded.h"

#include "page.h"

#include "base/limits.h"
#include "proto/message.h"

#include <string.h>

struct listing {
	const struct vw_event_query *query;
	size_t limit;
	struct vw_lmdb_rows rows;
	struct vw_arena *scratch;
	uint8_t agent[VW_LMDB_ID];
	struct vw_lmdb_key after; /* empty: from the newest */
	struct vw_lmdb_key last;
	bool more;
};

static bool is_text(const char *wanted, const char *text)
{
	return !wanted || (text && strcmp(wanted, text) == 0);
}

static int unpack(struct vw_arena *arena, struct vw_bytes value, vw_event_row **out, struct vw_error *err)
{
	void *row;
	int rc = vw_message_unpack(arena, &verifywise__v1__event_row__descriptor, value.data, value.len, "event",
				   &row, err);
	if (rc == 0)
		*out = row;
	return rc;
}

/* 1, 0 or negative. Only what the key does not say is asked of the row. */
static int is_wanted(struct listing *l, struct vw_bytes key, struct vw_bytes value, struct vw_error *err)
{
	const struct vw_event_query *q = l->query;
	const size_t agent_at = VW_LMDB_ORGANIZATION + 8;
	vw_event_row *row = NULL;
	if (q->agent_id && (key.len < agent_at + VW_LMDB_ID ||
			    memcmp((const uint8_t *)key.data + agent_at, l->agent, VW_LMDB_ID) != 0))
		return 0;
	if (!q->model && !q->field)
		return 1;
	vw_arena_reset(l->scratch);
	int rc = unpack(l->scratch, value, &row, err);
	return rc < 0 ? rc : is_text(q->model, row->model_name) && is_text(q->field, row->field);
}

static int next_event(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct listing *l = arg;
	vw_event_row *row = NULL;
	if (key.len == l->after.len && memcmp(key.data, l->after.bytes, key.len) == 0)
		return 0;
	if (l->query->since && vw_lmdb_key_event_at(key) < l->query->since)
		return 1;
	int rc = is_wanted(l, key, value, err);
	if (rc <= 0)
		return rc;
	if (l->rows.count == l->limit) {
		l->more = true;
		return 1;
	}
	rc = unpack(l->rows.arena, value, &row, err);
	if (rc < 0)
		return rc;
	l->last.len = key.len;
	memcpy(l->last.bytes, key.data, key.len);
	return vw_lmdb_rows_add(&l->rows, row, err);
}

static void begin_listing(const struct vw_event_query *q, int32_t organization, struct vw_listing *out)
{
	vw_listing_begin(out, "events", organization);
	vw_listing_add_text(out, q->agent_id);
	vw_listing_add_text(out, q->model);
	vw_listing_add_text(out, q->field);
	vw_listing_add_number(out, q->since);
}

static int list(struct vw_lmdb_store *store, int32_t organization, struct vw_bytes place, struct listing *l,
		struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *scratch = vw_arena_open(0);
	struct vw_lmdb_key prefix;
	struct vw_txn *txn;
	l->scratch = scratch;
	if (!scratch)
		return vw_lmdb_no_memory(err);
	vw_lmdb_key_organization(organization, &prefix);
	if (place.len > 0) {
		l->after = prefix;
		memcpy(l->after.bytes + prefix.len, place.data, place.len);
		l->after.len += place.len;
	}
	int rc = vw_txn_begin_read(store->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_walk(txn, VW_LMDB_EVENTS, vw_lmdb_bytes(&prefix), vw_lmdb_bytes(&l->after), true, next_event, l,
			  err);
	vw_txn_end(txn);
	return rc;
}

static int event_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
		      const struct vw_event_query *query, const struct vw_page *page, vw_event_row ***out,
		      size_t *out_count, char **out_cursor, struct vw_error *err)
{
	struct listing l = {.query = query, .limit = page->limit, .rows.arena = arena};
	struct vw_listing listing;
	struct vw_bytes place;
	begin_listing(query, organization, &listing);
	int rc = vw_page_read(&listing, page, arena, &place, err);
	if (rc == 0 && place.len > VW_KEY_MAX - VW_LMDB_ORGANIZATION)
		rc = vw_error_set(err, VW_EINVAL, "the cursor is none");
	if (rc == 0 && query->agent_id && !vw_lmdb_id(query->agent_id, l.agent))
		rc = vw_error_set(err, VW_EINVAL, "what is asked for is no agent's id");
	if (rc == 0)
		rc = list(vw_lmdb_of(base), organization, place, &l, err);
	if (rc < 0)
		return rc;
	struct vw_bytes last = {l.last.bytes + VW_LMDB_ORGANIZATION, l.last.len - VW_LMDB_ORGANIZATION};
	char *cursor = l.more ? vw_page_print(&listing, last, arena) : NULL;
	if (l.more && !cursor)
		return vw_lmdb_no_memory(err);
	*out = (vw_event_row **)l.rows.items;
	*out_count = l.rows.count;
	*out_cursor = cursor;
	return 0;
}

void vw_lmdb_event_ops(struct vw_fleet_ops *ops)
{
	ops->event_list = event_list;
}
