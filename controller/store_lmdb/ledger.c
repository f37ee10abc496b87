/* ledger.c: entries as they were received, and those in quarantine. */
#include "embedded.h"

#include "base/limits.h"
#include "proto/message.h"
#include "storage/ledger.h"

#include <inttypes.h>
#include <string.h>

static int not_an_entry(const char *agent_id, struct vw_error *err)
{
	return vw_error_set(err, VW_ECORRUPT, "a stored ledger entry of agent %s is none", agent_id);
}

static int find(struct vw_txn *txn, int32_t organization, const char *agent_id, uint64_t sequence,
		struct vw_bytes *out_payload, const uint8_t **out_hash, struct vw_error *err)
{
	struct vw_lmdb_key key;
	struct vw_bytes value;
	if (!vw_lmdb_key_entry(organization, agent_id, sequence, &key))
		return vw_lmdb_not_found("such agent", err);
	int rc = vw_kv_get(txn, VW_LMDB_LEDGER, vw_lmdb_bytes(&key), &value, err);
	if (rc == VW_ENOTFOUND)
		return vw_lmdb_not_found("such ledger entry", err);
	if (rc < 0)
		return rc;
	return vw_ledger_open_value(value, out_payload, out_hash) ? 0 : not_an_entry(agent_id, err);
}

int vw_lmdb_entry_hash(struct vw_txn *txn, int32_t organization, const char *agent_id, uint64_t sequence,
		       uint8_t out[32], struct vw_error *err)
{
	struct vw_bytes payload;
	const uint8_t *hash;
	int rc = find(txn, organization, agent_id, sequence, &payload, &hash, err);
	if (rc == 0)
		memcpy(out, hash, VW_LEDGER_HASH);
	return rc;
}

int vw_lmdb_entry(struct vw_txn *txn, struct vw_arena *arena, int32_t organization, const char *agent_id,
		  uint64_t sequence, vw_entry **out, struct vw_error *err)
{
	struct vw_bytes payload;
	const uint8_t *hash;
	void *entry;
	int rc = find(txn, organization, agent_id, sequence, &payload, &hash, err);
	if (rc == 0)
		rc = vw_message_unpack(arena, &verifywise__v1__entry__descriptor, payload.data, payload.len,
				       "ledger entry", &entry, err);
	if (rc == 0)
		*out = entry;
	return rc;
}

/* ---- Reading on ---- */

struct reading {
	struct vw_lmdb_rows rows;
	const char *agent_id;
	size_t limit, bytes;
};

static vw_chained_entry *copy(struct vw_arena *arena, struct vw_bytes payload, const uint8_t *hash)
{
	vw_chained_entry *entry = vw_message_new(arena, &verifywise__v1__chained_entry__descriptor);
	uint8_t *bytes = vw_arena_memdup(arena, payload.data, payload.len);
	uint8_t *copied = vw_arena_memdup(arena, hash, VW_LEDGER_HASH);
	if (!entry || !bytes || !copied)
		return NULL;
	VW_SET_BYTES(entry, payload, bytes, payload.len);
	VW_SET_BYTES(entry, chain_sha256, copied, VW_LEDGER_HASH);
	return entry;
}

static int next_entry(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct reading *r = arg;
	struct vw_bytes payload;
	const uint8_t *hash;
	(void)key;
	if (!vw_ledger_open_value(value, &payload, &hash))
		return not_an_entry(r->agent_id, err);
	if (r->rows.count == r->limit || (r->rows.count > 0 && r->bytes + payload.len > VW_MAX_BATCH_BYTES))
		return 1;
	r->bytes += payload.len;
	vw_chained_entry *entry = copy(r->rows.arena, payload, hash);
	return entry ? vw_lmdb_rows_add(&r->rows, entry, err) : vw_lmdb_no_memory(err);
}

static int ledger_read(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, uint64_t from, size_t limit, vw_chained_entry ***out, size_t *out_count,
		       struct vw_error *err)
{
	struct reading r = {.rows.arena = arena, .agent_id = agent_id, .limit = limit};
	struct vw_lmdb_key prefix, first;
	struct vw_txn *txn;
	if (!vw_lmdb_key_agent(organization, agent_id, &prefix) ||
	    !vw_lmdb_key_entry(organization, agent_id, from, &first))
		return vw_lmdb_not_found("such agent", err);
	int rc = vw_txn_begin_read(vw_lmdb_of(base)->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_walk(txn, VW_LMDB_LEDGER, vw_lmdb_bytes(&prefix), vw_lmdb_bytes(&first), false, next_entry, &r,
			  err);
	vw_txn_end(txn);
	if (rc < 0)
		return rc;
	*out = (vw_chained_entry **)r.rows.items;
	*out_count = r.rows.count;
	return 0;
}

static int quarantine_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
			   const char *agent_id, vw_quarantined_entry ***out, size_t *out_count, struct vw_error *err)
{
	struct vw_lmdb_rows rows = {.arena = arena};
	struct vw_lmdb_key prefix;
	if (!vw_lmdb_key_agent(organization, agent_id, &prefix))
		return vw_lmdb_not_found("such agent", err);
	int rc = vw_lmdb_list(vw_lmdb_of(base), VW_LMDB_QUARANTINE, &prefix,
			      &verifywise__v1__quarantined_entry__descriptor, &rows, err);
	if (rc < 0)
		return rc;
	*out = (vw_quarantined_entry **)rows.items;
	*out_count = rows.count;
	return 0;
}

void vw_lmdb_ledger_ops(struct vw_fleet_ops *ops)
{
	ops->ledger_read = ledger_read;
	ops->quarantine_list = quarantine_list;
}
