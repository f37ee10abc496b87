/* store.c: opened, closed, counted. */
#include "embedded.h"

#include "presence.h"

#include "base/file.h"
#include "base/limits.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESIDENT (64 * VW_MIB) /* of the map, in memory: what lists and ingest look at again and again */
#define SCHEMA   1             /* raised by each change of the tables; another one on disk is refused */

static const char *const tables[] = {"organizations", "bearers", "agents",   "presence", "ledger",  "versions",
				     "history",       "events",  "commands", "files",    "secrets", "trail",
				     "quarantine",    "index",   "meta",     NULL};

/* ---- Numbers in meta ---- */

static void put_number(uint8_t out[8], uint64_t number)
{
	for (size_t i = 0; i < 8; i++)
		out[i] = (uint8_t)(number >> (56 - 8 * i));
}

static uint64_t get_number(const uint8_t bytes[8])
{
	uint64_t number = 0;
	for (size_t i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

bool vw_lmdb_counters_open(struct vw_bytes stored, struct vw_lmdb_counters *out)
{
	const uint8_t *bytes = stored.data;
	if (stored.len != VW_LMDB_COUNTERS)
		return false;
	int64_t numbers[VW_LMDB_COUNTERS / 8];
	for (size_t i = 0; i < VW_LMDB_COUNTERS / 8; i++)
		numbers[i] = (int64_t)get_number(bytes + 8 * i);
	*out = (struct vw_lmdb_counters){numbers[0],
					 numbers[1],
					 numbers[2],
					 numbers[3],
					 {numbers[4], numbers[5], numbers[6], numbers[7], numbers[8]}};
	return true;
}

int vw_lmdb_counters(struct vw_txn *txn, int32_t organization, struct vw_lmdb_counters *out, struct vw_error *err)
{
	struct vw_lmdb_key key;
	struct vw_bytes value;
	vw_lmdb_key_counters(organization, &key);
	int rc = vw_kv_get(txn, VW_LMDB_META, vw_lmdb_bytes(&key), &value, err);
	if (rc == VW_ENOTFOUND) {
		*out = (struct vw_lmdb_counters){0};
		return 0;
	}
	if (rc < 0)
		return rc;
	return vw_lmdb_counters_open(value, out)
		   ? 0
		   : vw_error_set(err, VW_ECORRUPT, "the counters of organization %d are none", organization);
}

static void add(struct vw_lmdb_counters *to, const struct vw_lmdb_counters *delta)
{
	to->agents += delta->agents;
	to->versions += delta->versions;
	to->with_gaps += delta->with_gaps;
	to->entries += delta->entries;
	for (size_t i = 0; i < 5; i++)
		to->gaps[i] += delta->gaps[i];
}

int vw_lmdb_count(struct vw_lmdb_tx *tx, int32_t organization, const struct vw_lmdb_counters *delta,
		  struct vw_error *err)
{
	struct vw_lmdb_counters c;
	struct vw_lmdb_key key;
	uint8_t bytes[VW_LMDB_COUNTERS];
	int rc = vw_lmdb_counters(tx->txn, organization, &c, err);
	if (rc < 0)
		return rc;
	add(&c, delta);
	const int64_t numbers[] = {c.agents,  c.versions, c.with_gaps, c.entries, c.gaps[0],
				   c.gaps[1], c.gaps[2],  c.gaps[3],   c.gaps[4]};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		put_number(bytes + 8 * i, (uint64_t)numbers[i]);
	vw_lmdb_key_counters(organization, &key);
	return vw_lmdb_put_bytes(tx, VW_LMDB_META, &key, (struct vw_bytes){bytes, sizeof(bytes)}, err);
}

/* ---- Counting ---- */

static int add_organization(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct vw_lmdb_counters one;
	(void)key;
	if (!vw_lmdb_counters_open(value, &one))
		return vw_error_set(err, VW_ECORRUPT, "the counters of an organization are none");
	add(arg, &one);
	return 0;
}

static int count_in(struct vw_txn *txn, int32_t organization, struct vw_lmdb_counters *out,
		    int64_t *out_organizations, struct vw_error *err)
{
	struct vw_lmdb_key key;
	uint64_t all;
	if (organization == 0) {
		vw_lmdb_key_counters(0, &key);
		int rc = vw_kv_count(txn, VW_LMDB_ORGANIZATIONS, &all, err);
		if (rc < 0)
			return rc;
		*out_organizations = (int64_t)all;
		return vw_lmdb_walk(txn, VW_LMDB_META, (struct vw_bytes){key.bytes, 1}, (struct vw_bytes){NULL, 0},
				    false, add_organization, out, err);
	}
	vw_lmdb_key_organization(organization, &key);
	int has = vw_lmdb_has(txn, VW_LMDB_ORGANIZATIONS, &key, err);
	*out_organizations = has;
	return has < 0 ? has : vw_lmdb_counters(txn, organization, out, err);
}

static int count(struct vw_fleet_store *base, int32_t organization, struct vw_fleet_counts *out, struct vw_error *err)
{
	struct vw_lmdb_store *store = vw_lmdb_of(base);
	struct vw_lmdb_counters c = {0};
	struct vw_txn *txn;
	int64_t organizations = 0;
	int rc = vw_txn_begin_read(store->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = count_in(txn, organization, &c, &organizations, err);
	vw_txn_end(txn);
	if (rc < 0)
		return rc;
	*out =
	    (struct vw_fleet_counts){.organizations = organizations,
				     .agents = c.agents,
				     .agents_connected = vw_lmdb_presences_connected(store->presences, organization),
				     .versions = c.versions,
				     .versions_with_gaps = c.with_gaps,
				     .entries = c.entries};
	memcpy(out->gaps, c.gaps, sizeof(out->gaps));
	return 0;
}

/* ---- Opening and closing ---- */

static int ping(struct vw_fleet_store *base, struct vw_error *err)
{
	struct vw_lmdb_key key;
	struct vw_txn *txn;
	vw_lmdb_key_schema(&key);
	int rc = vw_txn_begin_read(vw_lmdb_of(base)->kv, &txn, err);
	if (rc < 0)
		return rc;
	int has = vw_lmdb_has(txn, VW_LMDB_META, &key, err);
	vw_txn_end(txn);
	return has < 0 ? has : 0;
}

static void close_store(struct vw_fleet_store *base)
{
	struct vw_lmdb_store *store = vw_lmdb_of(base);
	vw_lmdb_writer_stop(store->writer);
	vw_lmdb_presences_close(store->presences);
	vw_kv_close(store->kv);
	free(store);
}

static void fill_ops(struct vw_fleet_ops *ops)
{
	ops->kind = "lmdb";
	ops->close = close_store;
	ops->ping = ping;
	ops->count = count;
	ops->watch = vw_lmdb_watch;
	vw_lmdb_organization_ops(ops);
	vw_lmdb_bearer_ops(ops);
	vw_lmdb_agent_ops(ops);
	vw_lmdb_enroll_ops(ops);
	vw_lmdb_presence_ops(ops);
	vw_lmdb_ingest_ops(ops);
	vw_lmdb_version_ops(ops);
	vw_lmdb_gap_ops(ops);
	vw_lmdb_event_ops(ops);
	vw_lmdb_ledger_ops(ops);
	vw_lmdb_command_ops(ops);
	vw_lmdb_command_list_ops(ops);
	vw_lmdb_secret_ops(ops);
	vw_lmdb_trail_ops(ops);
}

static int put_schema(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct vw_lmdb_key key;
	uint8_t number[8];
	(void)arg;
	put_number(number, SCHEMA);
	vw_lmdb_key_schema(&key);
	return vw_lmdb_put_bytes(tx, VW_LMDB_META, &key, (struct vw_bytes){number, sizeof(number)}, err);
}

static int read_schema(struct vw_kv *kv, uint64_t *out, struct vw_error *err)
{
	struct vw_lmdb_key key;
	struct vw_bytes value;
	struct vw_txn *txn;
	vw_lmdb_key_schema(&key);
	int rc = vw_txn_begin_read(kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = vw_kv_get(txn, VW_LMDB_META, vw_lmdb_bytes(&key), &value, err);
	if (rc == 0 && value.len != 8)
		rc = vw_error_set(err, VW_ECORRUPT, "the schema's number is none");
	if (rc == 0)
		*out = get_number(value.data);
	vw_txn_end(txn);
	return rc;
}

/* A store that was never set up to the end is as good as none. */
static int check_schema(struct vw_lmdb_store *store, const char *folder, bool create, struct vw_error *err)
{
	uint64_t schema;
	int rc = read_schema(store->kv, &schema, err);
	if (rc == VW_ENOTFOUND && create)
		return vw_lmdb_write(store, put_schema, NULL, err);
	if (rc == VW_ENOTFOUND)
		return vw_error_set(err, VW_ECONFIG, "%s holds no store of the controller's; run vw-controller init",
				    folder);
	if (rc < 0)
		return rc;
	if (create)
		return vw_error_set(err, VW_EBUSY, "there is a store in %s already", folder);
	if (schema != SCHEMA)
		return vw_error_set(err, VW_ECONFIG, "%s was written by another version of this program", folder);
	return 0;
}

static int check_folder(const char *folder, bool create, struct vw_error *err)
{
	char data[PATH_MAX];
	if (snprintf(data, sizeof(data), "%s/data.mdb", folder) >= (int)sizeof(data) || !*folder)
		return vw_error_set(err, VW_ECONFIG, "store: lmdb:FOLDER needs the path of a folder");
	if (create)
		return vw_dir_make_private(folder, err);
	if (access(data, F_OK) != 0)
		return vw_error_set(err, VW_ECONFIG, "there is no store in %s yet; run vw-controller init", folder);
	return 0;
}

int vw_store_lmdb_open(const struct vw_fleet_store_settings *settings, const char *folder,
		       struct vw_fleet_store **out, struct vw_error *err)
{
	if (settings->verifywise)
		return vw_error_set(err, VW_ECONFIG,
				    "store: VerifyWise's own tables are in PostgreSQL; lmdb:%s cannot write them",
				    folder);
	int rc = check_folder(folder, settings->create, err);
	if (rc < 0)
		return rc;
	struct vw_lmdb_store *store = calloc(1, sizeof(*store));
	if (!store)
		return vw_lmdb_no_memory(err);
	fill_ops(&store->ops);
	store->base.ops = &store->ops;
	rc = vw_kv_open(folder, tables, VW_KV_WRITE, &store->kv, err);
	if (rc == 0)
		vw_kv_set_resident(store->kv, RESIDENT);
	if (rc == 0)
		rc = vw_lmdb_presences_open(store->kv, &store->presences, err);
	if (rc == 0)
		rc = vw_lmdb_writer_start(store, &store->writer, err);
	if (rc == 0)
		rc = check_schema(store, folder, settings->create, err);
	if (rc < 0) {
		close_store(&store->base);
		return rc;
	}
	*out = &store->base;
	return 0;
}
