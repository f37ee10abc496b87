/* table.c: messages in tables. */
#include "embedded.h"

#include "proto/message.h"

#include <string.h>

int vw_lmdb_not_found(const char *what, struct vw_error *err)
{
	return vw_error_set(err, VW_ENOTFOUND, "there is no %s", what);
}

int vw_lmdb_no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for the store");
}

int vw_lmdb_get(struct vw_txn *txn, struct vw_arena *arena, enum vw_lmdb_table table, const struct vw_lmdb_key *key,
		const ProtobufCMessageDescriptor *type, const char *what, void **out, struct vw_error *err)
{
	struct vw_bytes value;
	int rc = vw_kv_get(txn, (int)table, vw_lmdb_bytes(key), &value, err);
	if (rc == VW_ENOTFOUND)
		return vw_lmdb_not_found(what, err);
	return rc < 0 ? rc : vw_message_unpack(arena, type, value.data, value.len, what, out, err);
}

int vw_lmdb_read(struct vw_lmdb_store *store, struct vw_arena *arena, enum vw_lmdb_table table,
		 const struct vw_lmdb_key *key, const ProtobufCMessageDescriptor *type, const char *what, void **out,
		 struct vw_error *err)
{
	struct vw_txn *txn;
	int rc = vw_txn_begin_read(store->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_get(txn, arena, table, key, type, what, out, err);
	vw_txn_end(txn);
	return rc;
}

int vw_lmdb_has(struct vw_txn *txn, enum vw_lmdb_table table, const struct vw_lmdb_key *key, struct vw_error *err)
{
	struct vw_bytes value;
	int rc = vw_kv_get(txn, (int)table, vw_lmdb_bytes(key), &value, err);
	if (rc == VW_ENOTFOUND)
		return 0;
	return rc < 0 ? rc : 1;
}

int vw_lmdb_put_bytes(struct vw_lmdb_tx *tx, enum vw_lmdb_table table, const struct vw_lmdb_key *key,
		      struct vw_bytes value, struct vw_error *err)
{
	tx->wrote = true;
	return vw_kv_put(tx->txn, (int)table, vw_lmdb_bytes(key), value, err);
}

int vw_lmdb_put(struct vw_lmdb_tx *tx, enum vw_lmdb_table table, const struct vw_lmdb_key *key,
		const ProtobufCMessage *message, struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	size_t len;
	const uint8_t *bytes = arena ? vw_message_pack(arena, message, &len) : NULL;
	if (!bytes)
		return vw_lmdb_no_memory(err);
	return vw_lmdb_put_bytes(tx, table, key, (struct vw_bytes){bytes, len}, err);
}

int vw_lmdb_delete(struct vw_lmdb_tx *tx, enum vw_lmdb_table table, const struct vw_lmdb_key *key,
		   struct vw_error *err)
{
	tx->wrote = true;
	return vw_kv_delete(tx->txn, (int)table, vw_lmdb_bytes(key), err);
}

/* ---- Walks ---- */

/* Backwards and without a place to begin: the highest key that can have the prefix. */
static struct vw_bytes end_of(struct vw_bytes prefix, struct vw_lmdb_key *out)
{
	if (prefix.len == 0)
		return prefix;
	memcpy(out->bytes, prefix.data, prefix.len);
	memset(out->bytes + prefix.len, 0xff, sizeof(out->bytes) - prefix.len);
	out->len = sizeof(out->bytes);
	return vw_lmdb_bytes(out);
}

int vw_lmdb_walk(struct vw_txn *txn, enum vw_lmdb_table table, struct vw_bytes prefix, struct vw_bytes from,
		 bool backwards, vw_lmdb_each each, void *arg, struct vw_error *err)
{
	struct vw_lmdb_key highest;
	struct vw_cursor *cursor;
	struct vw_bytes key, value;
	if (from.len == 0)
		from = backwards ? end_of(prefix, &highest) : prefix;
	int rc = vw_cursor_open(txn, (int)table, from, backwards, &cursor, err);
	if (rc < 0)
		return rc;
	while ((rc = vw_cursor_next(cursor, &key, &value, err)) == 1) {
		if (!vw_lmdb_has_prefix(key, prefix))
			break;
		rc = each(key, value, arg, err);
		if (rc != 0)
			break;
	}
	vw_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

int vw_lmdb_rows_add(struct vw_lmdb_rows *rows, void *item, struct vw_error *err)
{
	if (rows->count == rows->size) {
		size_t size = rows->size ? 2 * rows->size : 16;
		void **larger = vw_arena_array(rows->arena, size, sizeof(*larger));
		if (!larger)
			return vw_lmdb_no_memory(err);
		if (rows->count > 0)
			memcpy(larger, rows->items, rows->count * sizeof(*larger));
		rows->items = larger;
		rows->size = size;
	}
	rows->items[rows->count++] = item;
	return 0;
}

struct listing {
	struct vw_lmdb_rows *rows;
	const ProtobufCMessageDescriptor *type;
};

static int list_one(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct listing *l = arg;
	void *message;
	(void)key;
	int rc =
	    vw_message_unpack(l->rows->arena, l->type, value.data, value.len, l->type->short_name, &message, err);
	return rc < 0 ? rc : vw_lmdb_rows_add(l->rows, message, err);
}

int vw_lmdb_list(struct vw_lmdb_store *store, enum vw_lmdb_table table, const struct vw_lmdb_key *prefix,
		 const ProtobufCMessageDescriptor *type, struct vw_lmdb_rows *rows, struct vw_error *err)
{
	struct listing l = {.rows = rows, .type = type};
	struct vw_txn *txn;
	int rc = vw_txn_begin_read(store->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_walk(txn, table, vw_lmdb_bytes(prefix), (struct vw_bytes){NULL, 0}, false, list_one, &l, err);
	vw_txn_end(txn);
	return rc;
}
