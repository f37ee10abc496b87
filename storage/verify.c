#include "store_private.h"

#include "base/digest.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct verify {
	struct vw_txn *txn;
	struct vw_arena *arena;
	struct vw_ledger_owner owner; /* so far; its texts are the two below */
	char organization[VW_LEDGER_ORGANIZATION_MAX];
	char agent[VW_LEDGER_AGENT_MAX];
	struct vw_ledger_check *out;
	uint64_t total;
	uint64_t indexed;         /* versions whose index names the entry that was seen */
	uint64_t marked_removed;  /* of these, with removed_at */
	uint64_t removals_newest; /* removals behind the version's newest record */
	void (*progress)(uint64_t done, uint64_t total, void *arg);
	void *arg;
};

/* Findings are not failures: 1 ends the walk, and `out` says where. */
static int bad(struct verify *v, uint64_t sequence, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int bad(struct verify *v, uint64_t sequence, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(v->out->reason, sizeof(v->out->reason), fmt, ap);
	va_end(ap);
	v->out->first_bad = sequence;
	return 1;
}

/* A damaged value of this entry is a finding; a machine without memory is a failure. */
static int bad_or_failed(struct verify *v, uint64_t sequence, int rc, const struct vw_error *inner,
			 struct vw_error *err)
{
	if (rc == VW_ECORRUPT || rc == VW_ELIMIT || rc == VW_EINVAL || rc == VW_ENOTFOUND)
		return bad(v, sequence, "%.250s", inner->message);
	return vw_error_set(err, rc, "%s", inner->message);
}

/* Apart from removed_at, which a later entry sets. */
static bool same_index(struct vw_arena *arena, const vw_version_index *stored, const vw_version_index *made)
{
	vw_version_index a = *stored, b = *made;
	size_t a_len = 0, b_len = 0;
	a.has_removed_at = 0;
	VW_SET(&b, sequence, stored->sequence);
	const uint8_t *a_bytes = vw_message_pack(arena, &a.base, &a_len);
	const uint8_t *b_bytes = vw_message_pack(arena, &b.base, &b_len);
	return a_bytes && b_bytes && a_len == b_len && memcmp(a_bytes, b_bytes, a_len) == 0;
}

/* That the index is the one which this entry makes. */
static int check_index(struct verify *v, uint64_t sequence, const vw_version_index *index,
		       const struct vw_version_change *change)
{
	if (index->sequence < sequence)
		return bad(v, sequence, "the version's index points to entry %" PRIu64 ", which is older",
			   index->sequence);
	if (index->sequence > sequence)
		return 0;
	if (!same_index(v->arena, index, &change->index))
		return bad(v, sequence, "the version's index says other than the entry");
	v->indexed++;
	v->marked_removed += (uint64_t)index->has_removed_at;
	return 0;
}

static int check_version(struct verify *v, uint64_t sequence, const vw_entry *entry, struct vw_error *err)
{
	const vw_version_recorded *body = entry->version;
	struct vw_error inner = VW_ERROR_INIT;
	struct vw_version_change change;
	uint8_t sha256[VW_SHA256_SIZE];
	vw_version_index *index;
	vw_record *record;
	int rc = vw_store_record(v->arena, body, &record, &inner);
	if (rc < 0)
		return bad_or_failed(v, sequence, rc, &inner, err);
	vw_sha256_of(body->record.data, body->record.len, sha256);
	if (body->record_sha256.len != sizeof(sha256) ||
	    memcmp(body->record_sha256.data, sha256, sizeof(sha256)) != 0)
		return bad(v, sequence, "the record does not have the hash that the entry names");
	rc = vw_version_recorded_change(entry, record, &change, &inner);
	if (rc == 0)
		rc = vw_store_version(v->txn, v->arena, record->workspace, record->model_name, record->version_number,
				      &index, &inner);
	if (rc < 0)
		return bad_or_failed(v, sequence, rc, &inner, err);
	return check_index(v, sequence, index, &change);
}

static int check_removal(struct verify *v, uint64_t sequence, const vw_entry *entry, struct vw_error *err)
{
	const vw_version_removed *body = entry->removal;
	struct vw_error inner = VW_ERROR_INIT;
	vw_version_index *index;
	int rc = vw_store_version(v->txn, v->arena, body->workspace, body->model_name, body->version_number, &index,
				  &inner);
	if (rc < 0)
		return bad_or_failed(v, sequence, rc, &inner, err);
	if (index->sequence > sequence)
		return 0; /* created again since */
	if (!index->has_removed_at || index->removed_at != entry->recorded_at)
		return bad(v, sequence, "the version's index does not say that it was removed");
	v->removals_newest++;
	return 0;
}

static int check_body(struct verify *v, uint64_t sequence, const vw_entry *entry, struct vw_error *err)
{
	struct vw_error inner = VW_ERROR_INIT;
	struct vw_bytes nothing;
	struct vw_key key;
	unsigned kind = vw_ledger_kind_of(entry);
	if (kind == 0)
		return bad(v, sequence, "the entry has no body");
	vw_key_kind(kind, sequence, &key);
	int rc = vw_kv_get(v->txn, VW_TABLE_KINDS, vw_key_bytes(&key), &nothing, &inner);
	if (rc == VW_ENOTFOUND)
		return bad(v, sequence, "the entry is not in the list of its kind");
	if (rc < 0)
		return bad_or_failed(v, sequence, rc, &inner, err);
	if (kind == VW_LEDGER_VERSION)
		return check_version(v, sequence, entry, err);
	return kind == VW_LEDGER_REMOVAL ? check_removal(v, sequence, entry, err) : 0;
}

static void set_owner(struct verify *v, const char *organization, const char *agent, uint64_t epoch)
{
	snprintf(v->organization, sizeof(v->organization), "%s", organization);
	snprintf(v->agent, sizeof(v->agent), "%s", agent);
	v->owner = (struct vw_ledger_owner){v->organization, v->agent, epoch};
}

/* Moves the owner if the entry says so; what it says wrongly is in `out_fault`. */
static void follow_owner(struct verify *v, const vw_entry *entry, const char **out_fault)
{
	const vw_epoch_started *epoch;
	int says = vw_ledger_epoch_of(entry, &epoch);
	if (says < 0)
		*out_fault = "the entry does not say whose the ledger is from here on";
	else if (says == 1 && epoch->epoch != v->owner.epoch + 1)
		*out_fault = "the entry begins an epoch that is not the next one";
	else if (says == 1)
		set_owner(v, epoch->organization, epoch->agent_id, epoch->epoch);
}

static int check_entry(struct verify *v, struct vw_bytes key, struct vw_bytes stored, struct vw_error *err)
{
	struct vw_ledger_head *head = &v->out->head;
	struct vw_error inner = VW_ERROR_INIT;
	uint64_t sequence, expected = head->sequence + 1;
	uint8_t computed[VW_LEDGER_HASH];
	struct vw_bytes payload;
	const uint8_t *hash;
	const char *fault = NULL;
	void *entry;
	if (!vw_key_read_sequence(key, &sequence) || sequence != expected)
		return bad(v, expected, "the entry is missing");
	if (!vw_ledger_open_value(stored, &payload, &hash))
		return bad(v, sequence, "what is stored is not a chained entry");
	int rc = vw_message_unpack(v->arena, &verifywise__v1__entry__descriptor, payload.data, payload.len, "payload",
				   &entry, &inner);
	if (rc == 0)
		follow_owner(v, entry, &fault);
	vw_ledger_hash(&v->owner, sequence, head->hash, payload.data, payload.len, computed);
	if (memcmp(computed, hash, sizeof(computed)) != 0)
		return bad(v, sequence, "its hash is not the one of this payload behind the entry before");
	if (rc < 0)
		return bad_or_failed(v, sequence, rc, &inner, err);
	if (fault)
		return bad(v, sequence, "%s", fault);
	rc = check_body(v, sequence, entry, err);
	if (rc != 0)
		return rc;
	head->sequence = sequence;
	memcpy(head->hash, computed, sizeof(computed));
	v->out->entries++;
	return 0;
}

/* From the first entry to the last, or to the first bad one. */
static int check_chain(struct verify *v, struct vw_error *err)
{
	struct vw_error inner = VW_ERROR_INIT;
	struct vw_cursor *cursor;
	struct vw_bytes key, stored;
	int rc = vw_cursor_open(v->txn, VW_TABLE_LEDGER, (struct vw_bytes){NULL, 0}, false, &cursor, err);
	if (rc < 0)
		return rc;
	while ((rc = vw_cursor_next(cursor, &key, &stored, &inner)) == 1) {
		rc = check_entry(v, key, stored, err);
		vw_arena_reset(v->arena);
		if (rc != 0)
			break;
		if (v->progress)
			v->progress(v->out->entries, v->total, v->arg);
	}
	if (inner.code != 0)
		rc = bad_or_failed(v, v->out->head.sequence + 1, inner.code, &inner, err);
	vw_cursor_close(cursor);
	return rc;
}

/* Each entry was found in the indexes; what remains is that the indexes hold no more than that. */
static int check_indexes(struct verify *v, struct vw_error *err)
{
	uint64_t entries = v->out->entries, behind = v->out->head.sequence + 1, kinds, versions;
	int rc = vw_kv_count(v->txn, VW_TABLE_KINDS, &kinds, err);
	if (rc == 0)
		rc = vw_kv_count(v->txn, VW_TABLE_VERSIONS, &versions, err);
	if (rc < 0)
		return rc;
	if (v->total != entries)
		return bad(v, behind, "the ledger should have %" PRIu64 " entries and has %" PRIu64, v->total,
			   entries);
	if (kinds != entries)
		return bad(v, behind, "the list of kinds has %" PRIu64 " lines for %" PRIu64 " entries", kinds,
			   entries);
	if (versions != v->indexed)
		return bad(v, behind, "%" PRIu64 " versions are indexed, entries were found for %" PRIu64, versions,
			   v->indexed);
	if (v->marked_removed != v->removals_newest)
		return bad(v, behind, "%" PRIu64 " versions are marked as removed, entries say so of %" PRIu64,
			   v->marked_removed, v->removals_newest);
	return 0;
}

static int check_owner(struct verify *v, const struct vw_ledger_owner *now)
{
	if (strcmp(v->organization, now->organization) == 0 && strcmp(v->agent, now->agent) == 0 &&
	    v->owner.epoch == now->epoch)
		return 0;
	return bad(v, v->out->head.sequence + 1,
		   "by its entries the ledger belongs to organization '%s', agent %s, epoch %" PRIu64
		   "; by the state's identity to '%.32s', %.64s, %" PRIu64,
		   v->organization, v->agent, v->owner.epoch, now->organization, now->agent, now->epoch);
}

static int verify(struct verify *v, struct vw_arena *identity_arena, struct vw_error *err)
{
	vw_agent_identity *id;
	int rc = vw_store_identity_now(v->txn, identity_arena, &id, err);
	if (rc == 0)
		rc = vw_kv_count(v->txn, VW_TABLE_LEDGER, &v->total, err);
	if (rc < 0)
		return rc;
	struct vw_ledger_owner now = vw_owner_of(id);
	set_owner(v, "", id->genesis_agent_id ? id->genesis_agent_id : id->agent_id, VW_LEDGER_EPOCH_FIRST);
	rc = check_chain(v, err);
	if (rc == 0)
		rc = check_owner(v, &now);
	if (rc == 0)
		rc = check_indexes(v, err);
	return rc < 0 ? rc : 0;
}

int vw_store_verify(struct vw_store *store, struct vw_ledger_check *out,
		    void (*progress)(uint64_t done, uint64_t total, void *arg), void *arg, struct vw_error *err)
{
	struct vw_ledger_check check = {0};
	struct verify v = {.out = &check, .progress = progress, .arg = arg};
	int rc = vw_txn_begin_read(store->kv, &v.txn, err);
	if (rc < 0)
		return rc;
	struct vw_arena *identity_arena = vw_arena_open(0);
	v.arena = vw_arena_open(0);
	rc = v.arena && identity_arena ? verify(&v, identity_arena, err)
				       : vw_error_set(err, VW_ENOMEM, "no memory to verify the ledger");
	vw_arena_close(identity_arena);
	vw_arena_close(v.arena);
	vw_txn_end(v.txn);
	if (rc == 0)
		*out = check;
	return rc;
}
