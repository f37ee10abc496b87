/* command_list.c: commands found and listed, newest first. */
#include "embedded.h"

#include "page.h"

#include "base/limits.h"

#include <string.h>

static int command_get(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization, const char *id,
		       vw_stored_command **out, struct vw_error *err)
{
	struct vw_lmdb_key key;
	struct vw_txn *txn;
	if (!vw_lmdb_key_command(organization, id, &key))
		return vw_lmdb_not_found("such command", err);
	int rc = vw_txn_begin_read(vw_lmdb_of(base)->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_command(txn, arena, &key, out, err);
	vw_txn_end(txn);
	return rc;
}

struct listing {
	struct vw_txn *txn;
	int32_t organization;
	size_t limit;
	struct vw_lmdb_rows rows;
	bool of_one; /* agent */
	uint8_t agent[VW_LMDB_ID];
	struct vw_lmdb_key prefix, after, last;
	bool more;
};

static int next_command(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct listing *l = arg;
	struct vw_lmdb_key command_key;
	vw_stored_command *command;
	if (key.len == l->after.len && memcmp(key.data, l->after.bytes, key.len) == 0)
		return 0;
	if (l->of_one && (value.len != VW_LMDB_ID || memcmp(value.data, l->agent, VW_LMDB_ID) != 0))
		return 0;
	if (l->rows.count == l->limit) {
		l->more = true;
		return 1;
	}
	if (!vw_lmdb_key_command_of(key, l->organization, &command_key))
		return vw_error_set(err, VW_ECORRUPT, "the index of commands leads nowhere");
	int rc = vw_lmdb_command(l->txn, l->rows.arena, &command_key, &command, err);
	if (rc < 0)
		return rc;
	l->last.len = key.len;
	memcpy(l->last.bytes, key.data, key.len);
	return vw_lmdb_rows_add(&l->rows, command, err);
}

static int list(struct vw_lmdb_store *store, struct listing *l, struct vw_error *err)
{
	int rc = vw_txn_begin_read(store->kv, &l->txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_walk(l->txn, VW_LMDB_INDEX, vw_lmdb_bytes(&l->prefix), vw_lmdb_bytes(&l->after), true,
			  next_command, l, err);
	vw_txn_end(l->txn);
	return rc;
}

/* A place is the key behind the prefix. */
static int open_place(struct listing *l, struct vw_bytes place, struct vw_error *err)
{
	vw_lmdb_key_command_orders(l->organization, &l->prefix);
	l->after.len = 0;
	if (place.len == 0)
		return 0;
	if (place.len > VW_KEY_MAX - l->prefix.len)
		return vw_error_set(err, VW_EINVAL, "the cursor is none");
	l->after = l->prefix;
	memcpy(l->after.bytes + l->after.len, place.data, place.len);
	l->after.len += place.len;
	return 0;
}

static int command_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
			const char *agent_id, const struct vw_page *page, vw_stored_command ***out, size_t *out_count,
			char **out_cursor, struct vw_error *err)
{
	struct listing l = {
	    .organization = organization, .limit = page->limit, .rows.arena = arena, .of_one = agent_id};
	struct vw_listing listing;
	struct vw_bytes place;
	vw_listing_begin(&listing, "commands", organization);
	vw_listing_add_text(&listing, agent_id);
	int rc = vw_page_read(&listing, page, arena, &place, err);
	if (rc == 0 && agent_id && !vw_lmdb_id(agent_id, l.agent))
		rc = vw_error_set(err, VW_EINVAL, "what is asked for is no agent's id");
	if (rc == 0)
		rc = open_place(&l, place, err);
	if (rc == 0)
		rc = list(vw_lmdb_of(base), &l, err);
	if (rc < 0)
		return rc;
	struct vw_bytes last = {l.last.bytes + l.prefix.len, l.last.len - l.prefix.len};
	char *cursor = l.more ? vw_page_print(&listing, last, arena) : NULL;
	if (l.more && !cursor)
		return vw_lmdb_no_memory(err);
	*out = (vw_stored_command **)l.rows.items;
	*out_count = l.rows.count;
	*out_cursor = cursor;
	return 0;
}

void vw_lmdb_command_list_ops(struct vw_fleet_ops *ops)
{
	ops->command_get = command_get;
	ops->command_list = command_list;
}
