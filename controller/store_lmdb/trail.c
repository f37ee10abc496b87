/* trail.c: what operators and the controller itself did (S3.5). */
#include "embedded.h"

#include "base/clock.h"
#include "page.h"
#include "proto/message.h"

#include <string.h>

static uint64_t id_of(struct vw_bytes key)
{
	uint64_t id = 0;
	for (size_t i = 0; key.len >= 8 && i < 8; i++)
		id = id << 8 | ((const uint8_t *)key.data)[key.len - 8 + i];
	return id;
}

static int take_id(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	(void)value;
	(void)err;
	*(uint64_t *)arg = id_of(key);
	return 1;
}

int vw_lmdb_put_trail(struct vw_lmdb_tx *tx, const vw_controller_event *event, struct vw_error *err)
{
	vw_controller_event row = *event;
	struct vw_lmdb_key key, order;
	uint64_t last = 0;
	int rc = vw_lmdb_walk(tx->txn, VW_LMDB_TRAIL, (struct vw_bytes){NULL, 0}, (struct vw_bytes){NULL, 0}, true,
			      take_id, &last, err);
	if (rc < 0)
		return rc;
	VW_SET(&row, id, last + 1);
	VW_SET(&row, organization, event->organization);
	if (!event->has_at)
		VW_SET(&row, at, vw_clock_now());
	vw_lmdb_key_trail(row.id, &key);
	vw_lmdb_key_trail_order(row.organization, row.id, &order);
	rc = vw_lmdb_put(tx, VW_LMDB_TRAIL, &key, &row.base, err);
	return rc < 0 ? rc : vw_lmdb_put_bytes(tx, VW_LMDB_INDEX, &order, (struct vw_bytes){"", 0}, err);
}

static int put_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	return vw_lmdb_put_trail(tx, arg, err);
}

static int event_put(struct vw_fleet_store *base, const vw_controller_event *event, struct vw_error *err)
{
	if (event->organization < 0 || !event->action)
		return vw_error_set(err, VW_EINVAL, "an event of the trail needs an action");
	return vw_lmdb_write(vw_lmdb_of(base), put_step, (void *)event, err);
}

/* ---- Reading, newest first ---- */

struct log {
	struct vw_txn *txn;
	size_t limit;
	struct vw_lmdb_rows rows;
	uint64_t before; /* 0: from the newest */
	uint64_t last;
	bool more;
};

static int next_event(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct log *l = arg;
	struct vw_lmdb_key row;
	void *event;
	uint64_t id = id_of(key);
	(void)value;
	if (id == l->before)
		return 0;
	if (l->rows.count == l->limit) {
		l->more = true;
		return 1;
	}
	vw_lmdb_key_trail(id, &row);
	l->last = id;
	int rc = vw_lmdb_get(l->txn, l->rows.arena, VW_LMDB_TRAIL, &row,
			     &verifywise__v1__controller_event__descriptor, "event of the trail", &event, err);
	return rc < 0 ? rc : vw_lmdb_rows_add(&l->rows, event, err);
}

static int walk(struct vw_lmdb_store *store, int32_t organization, struct log *l, struct vw_error *err)
{
	struct vw_lmdb_key prefix = {.len = 0}, from;
	enum vw_lmdb_table table = organization ? VW_LMDB_INDEX : VW_LMDB_TRAIL;
	uint64_t id = l->before ? l->before : UINT64_MAX;
	vw_lmdb_key_trail(id, &from);
	if (organization) {
		vw_lmdb_key_trail_order(organization, id, &from);
		prefix = from;
		prefix.len -= 8;
	}
	int rc = vw_txn_begin_read(store->kv, &l->txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_walk(l->txn, table, vw_lmdb_bytes(&prefix), vw_lmdb_bytes(&from), true, next_event, l, err);
	vw_txn_end(l->txn);
	return rc;
}

static int event_log(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
		     const struct vw_page *page, vw_controller_event ***out, size_t *out_count, char **out_cursor,
		     struct vw_error *err)
{
	struct log l = {.limit = page->limit, .rows.arena = arena};
	struct vw_listing listing;
	struct vw_lmdb_key last;
	struct vw_bytes place;
	vw_listing_begin(&listing, "trail", organization);
	int rc = vw_page_read(&listing, page, arena, &place, err);
	if (rc == 0 && place.len != 0 && place.len != 8)
		rc = vw_error_set(err, VW_EINVAL, "the cursor is none");
	if (rc < 0)
		return rc;
	l.before = id_of(place);
	rc = walk(vw_lmdb_of(base), organization, &l, err);
	if (rc < 0)
		return rc;
	vw_lmdb_key_trail(l.last, &last);
	char *cursor = l.more ? vw_page_print(&listing, vw_lmdb_bytes(&last), arena) : NULL;
	if (l.more && !cursor)
		return vw_lmdb_no_memory(err);
	*out = (vw_controller_event **)l.rows.items;
	*out_count = l.rows.count;
	*out_cursor = cursor;
	return 0;
}

void vw_lmdb_trail_ops(struct vw_fleet_ops *ops)
{
	ops->event_put = event_put;
	ops->event_log = event_log;
}
