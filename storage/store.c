#include "store_private.h"

#include "base/file.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SCHEMA "schema"
#define KEY_SYNC   "sync"

static const char *const table_names[] = {
    [VW_TABLE_META] = "meta",         [VW_TABLE_LEDGER] = "ledger",     [VW_TABLE_KINDS] = "kinds",
    [VW_TABLE_VERSIONS] = "versions", [VW_TABLE_MODELS] = "models",     [VW_TABLE_EXPERIMENTS] = "experiments",
    [VW_TABLE_UPLINK] = "uplink",     [VW_TABLE_COMMANDS] = "commands", [VW_TABLE_SECRETS] = "secrets",
    [VW_TABLE_SECRETS + 1] = NULL};

/* Schema 2 has three tables more. They were made when the file was opened, and begin empty. */
static int add_uplink(struct vw_txn *txn, struct vw_error *err)
{
	(void)txn;
	(void)err;
	return 0;
}

/* From schema n to n + 1; NULL where there never was an agent that wrote n. */
static int (*const migrations[VW_STORE_SCHEMA])(struct vw_txn *txn, struct vw_error *err) = {NULL, add_uplink};

int vw_store_get_message(struct vw_txn *txn, struct vw_arena *arena, int table, const struct vw_key *key,
			 const ProtobufCMessageDescriptor *type, const char *what, void **out, struct vw_error *err)
{
	struct vw_bytes value;
	int rc = vw_kv_get(txn, table, vw_key_bytes(key), &value, err);
	if (rc < 0)
		return rc;
	return vw_message_unpack(arena, type, value.data, value.len, what, out, err);
}

int vw_store_put_message(struct vw_txn *txn, struct vw_arena *arena, int table, const struct vw_key *key,
			 const ProtobufCMessage *message, struct vw_error *err)
{
	size_t len;
	const uint8_t *bytes = vw_message_pack(arena, message, &len);
	if (!bytes)
		return vw_error_set(err, VW_ENOMEM, "no memory to pack a %s", message->descriptor->short_name);
	return vw_kv_put(txn, table, vw_key_bytes(key), (struct vw_bytes){bytes, len}, err);
}

int vw_store_each_pair(struct vw_txn *txn, int table, struct vw_bytes from, bool backwards, vw_each_pair each,
		       void *arg, struct vw_error *err)
{
	struct vw_cursor *cursor = NULL;
	struct vw_bytes key, value;
	struct vw_arena *arena = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory to read the store");
	int rc = vw_cursor_open(txn, table, from, backwards, &cursor, err);
	while (rc == 0 && (rc = vw_cursor_next(cursor, &key, &value, err)) == 1) {
		rc = each(key, value, arena, arg, err);
		vw_arena_reset(arena);
	}
	vw_cursor_close(cursor);
	vw_arena_close(arena);
	return rc > 0 ? 0 : rc;
}

int vw_store_all_messages(struct vw_txn *txn, struct vw_arena *arena, int table,
			  const ProtobufCMessageDescriptor *type, const char *what, void ***out, size_t *out_count,
			  struct vw_error *err)
{
	struct vw_cursor *cursor;
	struct vw_bytes key, value;
	uint64_t room;
	size_t count = 0;
	int rc = vw_kv_count(txn, table, &room, err);
	if (rc < 0)
		return rc;
	void **all = vw_arena_array(arena, room + 1, sizeof(*all));
	if (!all)
		return vw_error_set(err, VW_ENOMEM, "no memory for %" PRIu64 " messages", room);
	rc = vw_cursor_open(txn, table, (struct vw_bytes){NULL, 0}, false, &cursor, err);
	if (rc < 0)
		return rc;
	while (rc == 0 && count < room && (rc = vw_cursor_next(cursor, &key, &value, err)) == 1)
		rc = vw_message_unpack(arena, type, value.data, value.len, what, &all[count++], err);
	vw_cursor_close(cursor);
	if (rc < 0)
		return rc;
	*out = all;
	*out_count = count;
	return 0;
}

/* ---- Schema ---- */

static int put_schema(struct vw_txn *txn, struct vw_error *err)
{
	struct vw_key key, number;
	vw_key_text(KEY_SCHEMA, &key);
	vw_key_sequence(VW_STORE_SCHEMA, &number);
	return vw_kv_put(txn, VW_TABLE_META, vw_key_bytes(&key), vw_key_bytes(&number), err);
}

/* VW_ENOTFOUND in a store just made. */
static int get_schema(struct vw_txn *txn, uint64_t *out, struct vw_error *err)
{
	struct vw_key key;
	struct vw_bytes value;
	uint64_t meta = 0, entries = 0;
	vw_key_text(KEY_SCHEMA, &key);
	int rc = vw_kv_get(txn, VW_TABLE_META, vw_key_bytes(&key), &value, err);
	if (rc == 0 && !vw_key_read_sequence(value, out))
		return vw_error_set(err, VW_ECORRUPT, "the state's schema version is not a number");
	if (rc != VW_ENOTFOUND)
		return rc;
	if (vw_kv_count(txn, VW_TABLE_META, &meta, err) == 0)
		vw_kv_count(txn, VW_TABLE_LEDGER, &entries, err);
	return meta + entries == 0
		   ? VW_ENOTFOUND
		   : vw_error_set(err, VW_ECORRUPT, "the state has no schema version: not written by vw-agent?");
}

static int refuse_schema(uint64_t schema, struct vw_error *err)
{
	if (schema > VW_STORE_SCHEMA)
		return vw_error_set(err, VW_ECONFIG,
				    "the state was made by a newer vw-agent (schema %" PRIu64
				    ", this one knows %d); run that version or a later one",
				    schema, VW_STORE_SCHEMA);
	return vw_error_set(err, VW_ECONFIG,
			    "the state has schema %" PRIu64
			    ", which no vw-agent is known to have written and this one "
			    "(schema %d) cannot migrate; was it damaged, or made by something else?",
			    schema, VW_STORE_SCHEMA);
}

static int migrate(struct vw_txn *txn, uint64_t from, struct vw_error *err)
{
	if (from > VW_STORE_SCHEMA)
		return refuse_schema(from, err);
	for (uint64_t schema = from; schema < VW_STORE_SCHEMA; schema++) {
		if (!migrations[schema])
			return refuse_schema(from, err);
		int rc = migrations[schema](txn, err);
		if (rc < 0)
			return rc;
	}
	return from == VW_STORE_SCHEMA ? 0 : put_schema(txn, err);
}

/* ---- Opening ---- */

static int load_identity(struct vw_txn *txn, struct vw_store *store, struct vw_error *err)
{
	vw_agent_identity *identity;
	int rc = vw_store_identity_now(txn, store->arena, &identity, err);
	if (rc == 0)
		store->identity = identity;
	return rc;
}

/* A step of vw_kv_write(): makes, migrates or just reads. */
static int prepare(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct vw_store *store = arg;
	uint64_t schema;
	vw_arena_reset(store->arena);
	int rc = get_schema(txn, &schema, err);
	if (rc == VW_ENOTFOUND) {
		rc = vw_store_make_identity(txn, store->arena, err);
		if (rc == 0)
			rc = put_schema(txn, err);
	} else if (rc == 0) {
		rc = migrate(txn, schema, err);
	}
	return rc < 0 ? rc : load_identity(txn, store, err);
}

static int load(struct vw_txn *txn, struct vw_store *store, struct vw_error *err)
{
	uint64_t schema;
	int rc = get_schema(txn, &schema, err);
	if (rc == VW_ENOTFOUND)
		return vw_error_set(err, VW_ENOTFOUND, "there is no state yet: run vw-agent sync");
	if (rc < 0)
		return rc;
	if (schema < VW_STORE_SCHEMA && migrations[schema])
		return vw_error_set(err, VW_ECONFIG,
				    "the state was made by an older vw-agent (schema %" PRIu64
				    "); run vw-agent sync once to bring it forward",
				    schema);
	if (schema != VW_STORE_SCHEMA)
		return refuse_schema(schema, err);
	return load_identity(txn, store, err);
}

static int read_existing(struct vw_store *store, struct vw_error *err)
{
	struct vw_txn *view;
	int rc = vw_txn_begin_read(store->kv, &view, err);
	if (rc < 0)
		return rc;
	rc = load(view, store, err);
	vw_txn_end(view);
	return rc;
}

int vw_store_open(const char *dir, enum vw_kv_mode mode, struct vw_store **out, struct vw_error *err)
{
	int rc = mode == VW_KV_WRITE ? vw_dir_make_private(dir, err) : 0;
	if (rc < 0)
		return rc;
	struct vw_store *store = calloc(1, sizeof(*store));
	if (!store)
		return vw_error_set(err, VW_ENOMEM, "no memory for the store");
	store->arena = vw_arena_open(0);
	if (!store->arena)
		rc = vw_error_set(err, VW_ENOMEM, "no memory for the store");
	if (rc == 0)
		rc = vw_kv_open(dir, table_names, mode, &store->kv, err);
	if (rc == 0) {
		rc = mode == VW_KV_WRITE ? vw_kv_write(store->kv, prepare, store, err) : read_existing(store, err);
		rc = rc < 0 ? vw_error_context(err, rc, "%s", dir) : 0;
	}
	if (rc < 0) {
		vw_store_close(store);
		return rc;
	}
	*out = store;
	return 0;
}

void vw_store_close(struct vw_store *store)
{
	if (!store)
		return;
	vw_kv_close(store->kv);
	vw_arena_close(store->arena);
	free(store);
}

struct vw_kv *vw_store_kv(struct vw_store *store)
{
	return store->kv;
}

/* ---- Sync state ---- */

int vw_store_sync_state(struct vw_txn *txn, struct vw_arena *arena, vw_sync_state **out, struct vw_error *err)
{
	struct vw_key key;
	void *state;
	vw_key_text(KEY_SYNC, &key);
	int rc = vw_store_get_message(txn, arena, VW_TABLE_META, &key, &verifywise__v1__sync_state__descriptor,
				      "sync state", &state, err);
	if (rc == VW_ENOTFOUND) {
		state = vw_message_new(arena, &verifywise__v1__sync_state__descriptor);
		rc = state ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for the sync state");
	}
	if (rc == 0)
		*out = state;
	return rc;
}

int vw_store_put_sync_state(struct vw_txn *txn, struct vw_arena *arena, const vw_sync_state *state,
			    struct vw_error *err)
{
	struct vw_key key;
	vw_key_text(KEY_SYNC, &key);
	return vw_store_put_message(txn, arena, VW_TABLE_META, &key, &state->base, err);
}
