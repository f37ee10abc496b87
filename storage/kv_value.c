#include "kv_private.h"

#include "base/digest.h"
#include "base/limits.h"
#include "damage.h"
#include "pages.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#define SUM 8 /* bytes of checksum in front of each value */

static int value_fail(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_error *err)
{
	char text[80];
	vw_damage_error(&txn->first, txn->kv->folder.data_path, "table %s, key %s: the value is not what was written",
			txn->kv->tables[table], vw_damage_key(key, text, sizeof(text)));
	return vw_txn_stuck(txn, err);
}

static void sum_of(struct vw_bytes key, struct vw_bytes value, uint8_t out[SUM])
{
	struct vw_sha256 sha;
	uint8_t digest[VW_SHA256_SIZE];
	const uint8_t length[2] = {(uint8_t)(key.len >> 8), (uint8_t)key.len};
	vw_sha256_init(&sha);
	vw_sha256_update(&sha, length, sizeof(length));
	vw_sha256_update(&sha, key.data, key.len);
	vw_sha256_update(&sha, value.data, value.len);
	vw_sha256_final(&sha, digest);
	memcpy(out, digest, SUM);
}

bool vw_value_sound(struct vw_bytes key, struct vw_bytes stored)
{
	uint8_t sum[SUM];
	if (stored.len < SUM)
		return false;
	sum_of(key, (struct vw_bytes){(const uint8_t *)stored.data + SUM, stored.len - SUM}, sum);
	return memcmp(sum, stored.data, SUM) == 0;
}

static struct vw_bytes bytes_of(const MDB_val *v)
{
	return (struct vw_bytes){v->mv_data, v->mv_size};
}

static MDB_val val_of(struct vw_bytes b)
{
	return (MDB_val){b.len, (void *)b.data};
}

/* Pages of the map that were looked at stay resident, and the kernel brings their neighbours along: after a walk the whole file would
 * count as this process's memory. They are let go now and then; what still points at them reads them again from the page cache. */
static void let_go(struct vw_kv *kv)
{
	MDB_envinfo info;
	if (!kv->map || mdb_env_info(kv->env, &info) != 0)
		return;
	size_t used = (info.me_last_pgno + 1) * kv->page_size; /* by now perhaps more than is mapped here */
	madvise(kv->map, used < info.me_mapsize ? used : info.me_mapsize, MADV_DONTNEED);
}

void vw_txn_spare(struct vw_txn *txn)
{
	let_go(txn->kv);
}

int vw_value_open(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes stored, struct vw_bytes *out,
		  struct vw_error *err)
{
	if (++txn->kv->reads % txn->kv->reads_resident == 0)
		let_go(txn->kv);
	if (!vw_value_sound(key, stored))
		return value_fail(txn, table, key, err);
	*out = (struct vw_bytes){(const uint8_t *)stored.data + SUM, stored.len - SUM};
	return 0;
}

MDB_dbi vw_table_handle(const struct vw_txn *txn, int table)
{
	assert(table >= 0 && table <= txn->kv->table_count);
	return txn->kv->handles[table];
}

int vw_kv_get(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes *out, struct vw_error *err)
{
	if (txn->first.code)
		return vw_txn_stuck(txn, err);
	MDB_val k = val_of(key), v;
	MDB_dbi handle = vw_table_handle(txn, table);
	int rc = handle == VW_NO_TABLE ? MDB_NOTFOUND : mdb_get(txn->txn, handle, &k, &v);
	if (rc == MDB_NOTFOUND)
		return vw_error_set(err, VW_ENOTFOUND, "not in table %s", txn->kv->tables[table]);
	if (rc != 0)
		return vw_txn_fail(txn, rc, "reading", err);
	return vw_value_open(txn, table, key, bytes_of(&v), out, err);
}

/* Takes an old value away whose place cannot be used again. A large value's pages are freed by what the header in front of them
 * says, which nothing else checks; and were it shortened in place, that header would no longer be its size. */
static int clear_large(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_error *err)
{
	int fd;
	MDB_val k = val_of(key), old;
	int rc = mdb_get(txn->txn, vw_table_handle(txn, table), &k, &old);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return vw_txn_fail(txn, rc, "reading", err);
	mdb_env_get_fd(txn->kv->env, &fd);
	switch (vw_pages_large(fd, txn->kv->page_size, key.len, bytes_of(&old))) {
	case VW_PAGES_SMALL:
		return 0;
	case VW_PAGES_LARGE:
		rc = mdb_del(txn->txn, vw_table_handle(txn, table), &k, NULL);
		txn->changed = true;
		return rc == 0 ? 0 : vw_txn_fail(txn, rc, "deleting", err);
	default:
		return value_fail(txn, table, key, err);
	}
}

static int put(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes value, unsigned flags,
	       struct vw_error *err)
{
	if (value.len > VW_MAX_ENTRY + VW_KIB) {
		vw_error_set(&txn->first, VW_ELIMIT, "a value of %zu bytes is larger than VW_MAX_ENTRY", value.len);
		return vw_txn_stuck(txn, err);
	}
	MDB_val k = val_of(key), v = {value.len + SUM, NULL};
	int rc = mdb_put(txn->txn, vw_table_handle(txn, table), &k, &v, MDB_RESERVE | flags);
	if (rc == MDB_KEYEXIST) {
		char text[80];
		vw_damage_error(&txn->first, txn->kv->folder.data_path, "table %s already %s key %s",
				txn->kv->tables[table], flags & MDB_APPEND ? "goes beyond" : "has",
				vw_damage_key(key, text, sizeof(text)));
		return vw_txn_stuck(txn, err);
	}
	if (rc != 0)
		return vw_txn_fail(txn, rc, "writing", err);
	txn->changed = true;
	sum_of(key, value, v.mv_data);
	if (value.len > 0)
		memcpy((uint8_t *)v.mv_data + SUM, value.data, value.len);
	return 0;
}

int vw_kv_put(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes value, struct vw_error *err)
{
	if (txn->first.code)
		return vw_txn_stuck(txn, err);
	int rc = clear_large(txn, table, key, err);
	return rc < 0 ? rc : put(txn, table, key, value, 0, err);
}

int vw_kv_add(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes value, struct vw_error *err)
{
	if (txn->first.code)
		return vw_txn_stuck(txn, err);
	return put(txn, table, key, value, MDB_NOOVERWRITE, err);
}

int vw_kv_append(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes value, struct vw_error *err)
{
	if (txn->first.code)
		return vw_txn_stuck(txn, err);
	return put(txn, table, key, value, MDB_APPEND, err);
}

int vw_kv_delete(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_error *err)
{
	if (txn->first.code)
		return vw_txn_stuck(txn, err);
	int rc = clear_large(txn, table, key, err);
	if (rc < 0)
		return rc;
	MDB_val k = val_of(key);
	rc = mdb_del(txn->txn, vw_table_handle(txn, table), &k, NULL);
	txn->changed |= rc == 0;
	return rc == 0 || rc == MDB_NOTFOUND ? 0 : vw_txn_fail(txn, rc, "deleting", err);
}

int vw_kv_count(struct vw_txn *txn, int table, uint64_t *out, struct vw_error *err)
{
	MDB_stat st = {0};
	if (txn->first.code)
		return vw_txn_stuck(txn, err);
	MDB_dbi handle = vw_table_handle(txn, table);
	int rc = handle == VW_NO_TABLE ? 0 : mdb_stat(txn->txn, handle, &st);
	if (rc != 0)
		return vw_txn_fail(txn, rc, "counting", err);
	*out = st.ms_entries;
	return 0;
}
