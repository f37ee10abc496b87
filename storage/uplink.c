/* uplink.c: how far the controller has the ledger, what is sent to it, and the secrets it gave. */
#include "storage/uplink.h"

#include "store_private.h"

#include "base/limits.h"
#include "proto/message.h"

#include <inttypes.h>
#include <string.h>

#define KEY_STATE "state"

/* ---- Cursor and receipt ---- */

int vw_store_uplink(struct vw_txn *txn, struct vw_arena *arena, vw_uplink_state **out, struct vw_error *err)
{
	struct vw_key key;
	void *state;
	vw_key_text(KEY_STATE, &key);
	int rc = vw_store_get_message(txn, arena, VW_TABLE_UPLINK, &key, &verifywise__v1__uplink_state__descriptor,
				      "uplink state", &state, err);
	if (rc == VW_ENOTFOUND) {
		state = vw_message_new(arena, &verifywise__v1__uplink_state__descriptor);
		rc = state ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for the uplink state");
	}
	if (rc == 0)
		*out = state;
	return rc;
}

int vw_store_put_uplink(struct vw_txn *txn, struct vw_arena *arena, const vw_uplink_state *state,
			struct vw_error *err)
{
	struct vw_key key;
	vw_key_text(KEY_STATE, &key);
	return vw_store_put_message(txn, arena, VW_TABLE_UPLINK, &key, &state->base, err);
}

/* ---- Entries to be sent ---- */

/* What is in the arena so far. */
struct chained {
	struct vw_arena *arena;
	vw_chained_entry **entries;
	size_t count, max_entries;
	size_t bytes, max_bytes; /* of payload */
	uint64_t next;           /* the sequence that has to follow */
};

/* 1: there is no room for this one. */
static int take_entry(struct chained *c, struct vw_bytes key, struct vw_bytes stored, struct vw_error *err)
{
	uint64_t sequence;
	struct vw_bytes payload;
	const uint8_t *hash;
	if (!vw_key_read_sequence(key, &sequence) || sequence != c->next)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %" PRIu64 " is missing", c->next);
	if (!vw_ledger_open_value(stored, &payload, &hash))
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %" PRIu64 " is not a chained entry", sequence);
	if (c->count > 0 && (c->bytes > c->max_bytes || payload.len > c->max_bytes - c->bytes))
		return 1;
	vw_chained_entry *entry = vw_message_new(c->arena, &verifywise__v1__chained_entry__descriptor);
	void *copy = vw_arena_memdup(c->arena, payload.data, payload.len);
	void *hash_copy = vw_arena_memdup(c->arena, hash, VW_LEDGER_HASH);
	if (!entry || !copy || !hash_copy)
		return vw_error_set(err, VW_ENOMEM, "no memory for ledger entry %" PRIu64, sequence);
	VW_SET_BYTES(entry, payload, copy, payload.len);
	VW_SET_BYTES(entry, chain_sha256, hash_copy, VW_LEDGER_HASH);
	c->entries[c->count++] = entry;
	c->bytes += payload.len;
	c->next++;
	return 0;
}

int vw_store_chained_entries(struct vw_txn *txn, struct vw_arena *arena, uint64_t from, size_t max_entries,
			     size_t max_bytes, vw_chained_entry ***out, size_t *out_count, struct vw_error *err)
{
	struct chained c = {.arena = arena, .max_entries = max_entries, .max_bytes = max_bytes, .next = from};
	struct vw_cursor *cursor;
	struct vw_bytes key, stored;
	struct vw_key first;
	if (from == 0)
		return vw_error_set(err, VW_EINVAL, "ledger entries count from 1; 0 was asked for");
	c.entries = vw_arena_array(arena, max_entries ? max_entries : 1, sizeof(vw_chained_entry *));
	if (!c.entries)
		return vw_error_set(err, VW_ENOMEM, "no memory for %zu ledger entries", max_entries);
	vw_key_sequence(from, &first);
	int rc = vw_cursor_open(txn, VW_TABLE_LEDGER, vw_key_bytes(&first), false, &cursor, err);
	if (rc < 0)
		return rc;
	while (rc == 0 && c.count < c.max_entries && (rc = vw_cursor_next(cursor, &key, &stored, err)) == 1)
		rc = take_entry(&c, key, stored, err);
	vw_cursor_close(cursor);
	if (rc < 0)
		return rc;
	*out = c.entries;
	*out_count = c.count;
	return 0;
}

/* ---- Secrets ---- */

static int check_secrets(const vw_held_secret *const *secrets, size_t count, struct vw_error *err)
{
	if (count > VW_MAX_SECRETS)
		return vw_error_set(err, VW_ELIMIT, "%zu secrets (VW_MAX_SECRETS)", count);
	for (size_t i = 0; i < count; i++) {
		const vw_sealed_secret *secret = secrets[i]->secret;
		const char *name = secret ? secret->name : NULL;
		size_t len = name ? strnlen(name, VW_STORE_SECRET_NAME_MAX + 1) : 0;
		if (len == 0 || len > VW_STORE_SECRET_NAME_MAX)
			return vw_error_set(err, VW_EINVAL, "a secret needs a name of 1 to %d bytes",
					    VW_STORE_SECRET_NAME_MAX);
		if (secret->sealed.len > VW_MAX_SEALED)
			return vw_error_set(err, VW_ELIMIT, "secret '%s': %zu bytes (VW_MAX_SEALED)", name,
					    secret->sealed.len);
		for (size_t j = 0; j < i; j++)
			if (strcmp(secrets[j]->secret->name, name) == 0)
				return vw_error_set(err, VW_EINVAL, "secret '%s' is there twice", name);
	}
	return 0;
}

int vw_store_secrets(struct vw_txn *txn, struct vw_arena *arena, vw_held_secret ***out, size_t *out_count,
		     struct vw_error *err)
{
	return vw_store_all_messages(txn, arena, VW_TABLE_SECRETS, &verifywise__v1__held_secret__descriptor,
				     "held secret", (void ***)out, out_count, err);
}

int vw_store_put_secrets(struct vw_txn *txn, struct vw_arena *arena, const vw_held_secret *const *secrets,
			 size_t count, struct vw_error *err)
{
	vw_held_secret **before;
	size_t before_count;
	struct vw_key key;
	int rc = check_secrets(secrets, count, err);
	if (rc == 0)
		rc = vw_store_secrets(txn, arena, &before, &before_count, err);
	for (size_t i = 0; rc == 0 && i < before_count; i++) {
		if (!before[i]->secret || !before[i]->secret->name)
			return vw_error_set(err, VW_ECORRUPT, "a held secret has no name");
		vw_key_text(before[i]->secret->name, &key);
		rc = vw_kv_delete(txn, VW_TABLE_SECRETS, vw_key_bytes(&key), err);
	}
	for (size_t i = 0; rc == 0 && i < count; i++) {
		vw_key_text(secrets[i]->secret->name, &key);
		rc = vw_store_put_message(txn, arena, VW_TABLE_SECRETS, &key, &secrets[i]->base, err);
	}
	return rc;
}
