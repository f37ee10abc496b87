#include "kv_private.h"

#include <stdlib.h>
#include <string.h>

struct vw_cursor {
	struct vw_txn *txn;
	MDB_cursor *cursor;
	int table;
	bool backwards;
	bool started;
	size_t from_len;
	uint8_t from[VW_KEY_MAX];
};

int vw_cursor_open(struct vw_txn *txn, int table, struct vw_bytes from, bool backwards, struct vw_cursor **out,
		   struct vw_error *err)
{
	if (txn->first.code)
		return vw_txn_stuck(txn, err);
	if (from.len > VW_KEY_MAX)
		return vw_txn_fail(txn, MDB_BAD_VALSIZE, "reading", err);
	struct vw_cursor *cursor = calloc(1, sizeof(*cursor));
	if (!cursor)
		return vw_error_set(err, VW_ENOMEM, "no memory for a cursor");
	MDB_dbi handle = vw_table_handle(txn, table);
	int rc = handle == VW_NO_TABLE ? 0 : mdb_cursor_open(txn->txn, handle, &cursor->cursor);
	if (rc != 0) {
		free(cursor);
		return vw_txn_fail(txn, rc, "reading", err);
	}
	cursor->txn = txn;
	cursor->table = table;
	cursor->backwards = backwards;
	cursor->from_len = from.len;
	if (from.len > 0)
		memcpy(cursor->from, from.data, from.len);
	*out = cursor;
	return 0;
}

static int first(struct vw_cursor *c, MDB_val *key, MDB_val *value)
{
	if (c->from_len == 0)
		return mdb_cursor_get(c->cursor, key, value, c->backwards ? MDB_LAST : MDB_FIRST);
	*key = (MDB_val){c->from_len, c->from};
	int rc = mdb_cursor_get(c->cursor, key, value, MDB_SET_RANGE);
	if (!c->backwards)
		return rc;
	if (rc == MDB_NOTFOUND)
		return mdb_cursor_get(c->cursor, key, value, MDB_LAST);
	if (rc == 0 && (key->mv_size != c->from_len || memcmp(key->mv_data, c->from, c->from_len) != 0))
		return mdb_cursor_get(c->cursor, key, value, MDB_PREV);
	return rc;
}

int vw_cursor_next(struct vw_cursor *cursor, struct vw_bytes *out_key, struct vw_bytes *out_value,
		   struct vw_error *err)
{
	struct vw_txn *txn = cursor->txn;
	MDB_val key, value;
	if (txn->first.code)
		return vw_txn_stuck(txn, err);
	if (!cursor->cursor)
		return 0;
	int rc = cursor->started
		     ? mdb_cursor_get(cursor->cursor, &key, &value, cursor->backwards ? MDB_PREV : MDB_NEXT)
		     : first(cursor, &key, &value);
	cursor->started = true;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return vw_txn_fail(txn, rc, "reading", err);
	struct vw_bytes k = {key.mv_data, key.mv_size}, stored = {value.mv_data, value.mv_size}, v;
	rc = vw_value_open(txn, cursor->table, k, stored, &v, err);
	if (rc < 0)
		return rc;
	*out_key = k;
	*out_value = v;
	return 1;
}

void vw_cursor_close(struct vw_cursor *cursor)
{
	if (!cursor)
		return;
	if (cursor->cursor)
		mdb_cursor_close(cursor->cursor);
	free(cursor);
}
