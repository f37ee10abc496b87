/* entry.c: entries of the ledger, read, walked through and appended. */
#include "store_private.h"

#include "base/limits.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int not_an_entry(uint64_t sequence, struct vw_error *err)
{
	return vw_error_set(err, VW_ECORRUPT, "ledger entry %" PRIu64 " is not a chained entry", sequence);
}

static int missing(uint64_t sequence, struct vw_error *err)
{
	return vw_error_set(err, VW_ECORRUPT, "ledger entry %" PRIu64 " is missing", sequence);
}

int vw_store_head(struct vw_txn *txn, struct vw_ledger_head *out, struct vw_error *err)
{
	struct vw_cursor *cursor;
	struct vw_bytes key, value, payload;
	struct vw_ledger_head head = {0};
	const uint8_t *hash;
	int rc = vw_cursor_open(txn, VW_TABLE_LEDGER, (struct vw_bytes){NULL, 0}, true, &cursor, err);
	if (rc < 0)
		return rc;
	rc = vw_cursor_next(cursor, &key, &value, err);
	if (rc == 1) {
		if (vw_key_read_sequence(key, &head.sequence) && vw_ledger_open_value(value, &payload, &hash))
			memcpy(head.hash, hash, sizeof(head.hash));
		else
			rc = not_an_entry(head.sequence, err);
	}
	vw_cursor_close(cursor);
	if (rc < 0)
		return rc;
	*out = head;
	return 0;
}

/* VW_ENOTFOUND behind the end; in front of it, it would be a hole. */
static int absent(struct vw_txn *txn, uint64_t sequence, struct vw_error *err)
{
	struct vw_ledger_head head;
	int rc = vw_store_head(txn, &head, err);
	if (rc < 0)
		return rc;
	if (sequence > 0 && sequence <= head.sequence)
		return missing(sequence, err);
	return vw_error_set(err, VW_ENOTFOUND, "the ledger has no entry %" PRIu64 "; its last is %" PRIu64, sequence,
			    head.sequence);
}

int vw_store_entry_bytes(struct vw_txn *txn, uint64_t sequence, struct vw_bytes *out_payload,
			 const uint8_t **out_hash, struct vw_error *err)
{
	struct vw_key key;
	struct vw_bytes stored;
	vw_key_sequence(sequence, &key);
	int rc = vw_kv_get(txn, VW_TABLE_LEDGER, vw_key_bytes(&key), &stored, err);
	if (rc == VW_ENOTFOUND)
		return absent(txn, sequence, err);
	if (rc < 0)
		return rc;
	return vw_ledger_open_value(stored, out_payload, out_hash) ? 0 : not_an_entry(sequence, err);
}

static int unpack_entry(struct vw_arena *arena, uint64_t sequence, struct vw_bytes payload, vw_entry **out,
			struct vw_error *err)
{
	void *entry;
	char what[48];
	snprintf(what, sizeof(what), "ledger entry %" PRIu64, sequence);
	int rc = vw_message_unpack(arena, &verifywise__v1__entry__descriptor, payload.data, payload.len, what, &entry,
				   err);
	if (rc < 0)
		return rc;
	if (vw_ledger_kind_of(entry) == 0)
		return vw_error_set(err, VW_ECORRUPT, "%s has no body", what);
	*out = entry;
	return 0;
}

int vw_store_entry(struct vw_txn *txn, struct vw_arena *arena, uint64_t sequence, vw_entry **out,
		   struct vw_error *err)
{
	struct vw_bytes payload;
	const uint8_t *hash;
	int rc = vw_store_entry_bytes(txn, sequence, &payload, &hash, err);
	return rc < 0 ? rc : unpack_entry(arena, sequence, payload, out, err);
}

int vw_store_record(struct vw_arena *arena, const vw_version_recorded *entry, vw_record **out, struct vw_error *err)
{
	void *record;
	if (!entry->has_record || entry->record.len > VW_MAX_RECORD)
		return vw_error_set(err, VW_ECORRUPT, "the entry holds no record of a sensible size");
	int rc = vw_message_unpack(arena, &verifywise__v1__record__descriptor, entry->record.data, entry->record.len,
				   "record", &record, err);
	if (rc == 0)
		*out = record;
	return rc;
}

/* ---- Walks ---- */

struct walk {
	struct vw_txn *txn;
	unsigned kinds;
	bool backwards;
	uint64_t before; /* the sequence before this one; 0 at the start */
	vw_each_entry each;
	void *arg;
};

static int walk_entry(struct vw_bytes key, struct vw_bytes value, struct vw_arena *arena, void *arg,
		      struct vw_error *err)
{
	struct walk *w = arg;
	uint64_t sequence;
	struct vw_bytes payload;
	const uint8_t *hash;
	vw_entry *entry;
	if (!vw_key_read_sequence(key, &sequence))
		return not_an_entry(w->before, err);
	uint64_t expected = w->backwards ? w->before - 1 : w->before + 1;
	if (w->before != 0 && sequence != expected)
		return missing(expected, err);
	w->before = sequence;
	if (!vw_ledger_open_value(value, &payload, &hash))
		return not_an_entry(sequence, err);
	int rc = unpack_entry(arena, sequence, payload, &entry, err);
	if (rc < 0 || !(vw_ledger_kind_of(entry) & w->kinds))
		return rc;
	return w->each(sequence, entry, arena, w->arg, err);
}

static int walk_kind(struct vw_bytes key, struct vw_bytes value, struct vw_arena *arena, void *arg,
		     struct vw_error *err)
{
	struct walk *w = arg;
	unsigned kind;
	uint64_t sequence;
	vw_entry *entry;
	(void)value;
	if (!vw_key_read_kind(key, &kind, &sequence))
		return vw_error_set(err, VW_ECORRUPT, "the list of kinds has a key that is none");
	if (kind != w->kinds)
		return 1; /* the next kind begins */
	int rc = vw_store_entry(w->txn, arena, sequence, &entry, err);
	if (rc == VW_ENOTFOUND || (rc == 0 && vw_ledger_kind_of(entry) != kind))
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %" PRIu64 " is not of the kind listed", sequence);
	return rc < 0 ? rc : w->each(sequence, entry, arena, w->arg, err);
}

int vw_store_each_entry(struct vw_txn *txn, unsigned kinds, uint64_t from, bool backwards, vw_each_entry each,
			void *arg, struct vw_error *err)
{
	struct walk w = {.txn = txn, .kinds = kinds, .backwards = backwards, .each = each, .arg = arg};
	struct vw_key key;
	uint64_t start = backwards && from == 0 ? UINT64_MAX : from;
	bool one_kind = (kinds & (kinds - 1)) == 0;
	if (one_kind)
		vw_key_kind(kinds, start, &key);
	else
		vw_key_sequence(start, &key);
	return vw_store_each_pair(txn, one_kind ? VW_TABLE_KINDS : VW_TABLE_LEDGER, vw_key_bytes(&key), backwards,
				  one_kind ? walk_kind : walk_entry, &w, err);
}

/* ---- Appending ---- */

static int check_entry(const vw_entry *entry, const vw_record *record, struct vw_error *err)
{
	const vw_epoch_started *epoch;
	switch (vw_ledger_kind_of(entry)) {
	case VW_LEDGER_VERSION:
		if (!record || !entry->version->has_record || !entry->version->has_record_sha256)
			return vw_error_set(err, VW_EINVAL, "a recorded version needs its record and its hash");
		if (entry->version->record.len > VW_MAX_RECORD)
			return vw_error_set(
			    err, VW_ELIMIT, "model '%.256s' version %.64s: a record of %zu bytes (VW_MAX_RECORD)",
			    record->model_name ? record->model_name : "",
			    record->version_number ? record->version_number : "", entry->version->record.len);
		return 0;
	case VW_LEDGER_AUDIT:
		if (vw_ledger_epoch_of(entry, &epoch) != 0)
			return vw_error_set(err, VW_EINVAL, "an epoch begins by vw_store_begin_epoch() alone");
		return 0;
	case VW_LEDGER_REMOVAL:
		return 0;
	default:
		return vw_error_set(err, VW_EINVAL, "a ledger entry needs a body");
	}
}

static int pack_entry(struct vw_arena *arena, const vw_entry *entry, struct vw_bytes *out, struct vw_error *err)
{
	out->data = vw_message_pack(arena, &entry->base, &out->len);
	if (!out->data)
		return vw_error_set(err, VW_ENOMEM, "no memory to pack a ledger entry");
	if (out->len > VW_MAX_ENTRY)
		return vw_error_set(err, VW_ELIMIT, "a ledger entry of %zu bytes (VW_MAX_ENTRY)", out->len);
	return 0;
}

int vw_store_chain(struct vw_txn *txn, struct vw_arena *arena, struct vw_bytes payload, unsigned kind,
		   uint64_t *out_sequence, struct vw_error *err)
{
	vw_agent_identity *identity;
	struct vw_ledger_head head;
	uint8_t hash[VW_LEDGER_HASH];
	struct vw_key key;
	Verifywise__V1__ChainedEntry chained = VERIFYWISE__V1__CHAINED_ENTRY__INIT;
	size_t len;
	int rc = vw_store_identity_now(txn, arena, &identity, err);
	if (rc == 0)
		rc = vw_store_head(txn, &head, err);
	if (rc < 0)
		return rc;
	struct vw_ledger_owner owner = vw_owner_of(identity);
	uint64_t sequence = head.sequence + 1;
	vw_ledger_hash(&owner, sequence, head.hash, payload.data, payload.len, hash);
	VW_SET_BYTES(&chained, payload, payload.data, payload.len);
	VW_SET_BYTES(&chained, chain_sha256, hash, sizeof(hash));
	const uint8_t *bytes = vw_message_pack(arena, &chained.base, &len);
	if (!bytes)
		return vw_error_set(err, VW_ENOMEM, "no memory to pack a ledger entry");
	vw_key_sequence(sequence, &key);
	rc = vw_kv_append(txn, VW_TABLE_LEDGER, vw_key_bytes(&key), (struct vw_bytes){bytes, len}, err);
	if (rc < 0)
		return rc;
	vw_key_kind(kind, sequence, &key);
	*out_sequence = sequence;
	return vw_kv_put(txn, VW_TABLE_KINDS, vw_key_bytes(&key), (struct vw_bytes){"", 0}, err);
}

int vw_store_append(struct vw_txn *txn, struct vw_store *store, struct vw_arena *arena, const vw_entry *entry,
		    const vw_record *record, uint64_t *out_sequence, struct vw_error *err)
{
	struct vw_version_change change = {0};
	struct vw_bytes payload;
	uint64_t sequence = 0;
	unsigned kind = vw_ledger_kind_of(entry);
	(void)store; /* whose chain it is, the transaction says */
	int rc = check_entry(entry, record, err);
	if (rc == 0)
		rc = pack_entry(arena, entry, &payload, err);
	if (rc == 0 && kind == VW_LEDGER_VERSION)
		rc = vw_version_recorded_change(entry, record, &change, err);
	if (rc == 0 && kind == VW_LEDGER_REMOVAL)
		rc = vw_version_removed_change(txn, arena, entry, &change, err);
	if (rc == 0)
		rc = vw_store_chain(txn, arena, payload, kind, &sequence, err);
	if (rc == 0 && kind != VW_LEDGER_AUDIT)
		rc = vw_version_put(txn, arena, sequence, &change, err);
	if (rc == 0 && out_sequence)
		*out_sequence = sequence;
	return rc;
}
