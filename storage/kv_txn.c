#include "kv_private.h"

#include "base/limits.h"
#include "damage.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int vw_txn_stuck(const struct vw_txn *txn, struct vw_error *err)
{
	if (err)
		*err = txn->first;
	return txn->first.code;
}

int vw_txn_fail(struct vw_txn *txn, int rc, const char *doing, struct vw_error *err)
{
	txn->map_full |= rc == MDB_MAP_FULL;
	vw_kv_error(txn->kv, rc, doing, &txn->first);
	return vw_txn_stuck(txn, err);
}

static uint64_t map_size(const struct vw_kv *kv)
{
	MDB_envinfo info;
	mdb_env_info(kv->env, &info);
	return info.me_mapsize;
}

/* Doubles the map, while nobody looks at it. */
static int double_map(struct vw_kv *kv, struct vw_error *err)
{
	kv->map = NULL;
	int rc = mdb_env_set_mapsize(kv->env, 2 * map_size(kv));
	if (rc == 0)
		return 0;
	kv->dead = true; /* the old map is gone */
	return vw_kv_error(kv, rc, "growing the map", err);
}

/* Makes the map larger than `too_small`. */
static int grow_map(struct vw_kv *kv, uint64_t too_small, struct vw_error *err)
{
	if (too_small > VW_STORE_MAP_MAX / 2)
		return vw_error_set(err, VW_EFULL, "%s has reached its largest size (VW_STORE_MAP_MAX)",
				    kv->folder.data_path);
	if (!vw_kv_gate_clear(&kv->gate, kv->grow_patience))
		return vw_error_set(err, VW_EFULL, "%s cannot grow while it is being read in this process",
				    kv->folder.data_path);
	int rc = map_size(kv) > too_small ? 0 : double_map(kv, err); /* another thread may have done it */
	vw_kv_gate_open(&kv->gate);
	return rc;
}

static int begin_lmdb(struct vw_kv *kv, bool write, MDB_txn **out)
{
	unsigned flags = write ? 0 : MDB_RDONLY;
	if (kv->dead)
		return ENOMEM; /* there was no room to map it */
	int cleared, rc = mdb_txn_begin(kv->env, NULL, flags, out);
	if (rc == MDB_READERS_FULL && mdb_reader_check(kv->env, &cleared) == 0)
		rc = mdb_txn_begin(kv->env, NULL, flags, out);
	return rc;
}

static int begin_writing(struct vw_kv *kv, struct vw_txn *txn, struct vw_error *err)
{
	int rc = begin_lmdb(kv, true, &txn->txn);
	return rc == 0 ? 0 : vw_kv_error(kv, rc, "beginning a transaction", err);
}

/* What it looks at may have grown in another process, beyond our map. */
static int begin_view(struct vw_kv *kv, struct vw_txn *txn, struct vw_error *err)
{
	for (;;) {
		vw_kv_gate_enter(&kv->gate, &txn->view);
		int rc = begin_lmdb(kv, false, &txn->txn);
		uint64_t size = rc == MDB_MAP_RESIZED ? map_size(kv) : 0;
		if (rc != 0)
			vw_kv_gate_leave(&kv->gate, &txn->view);
		if (rc != MDB_MAP_RESIZED)
			return rc == 0 ? 0 : vw_kv_error(kv, rc, "beginning a transaction", err);
		rc = grow_map(kv, size, err);
		if (rc < 0)
			return rc;
	}
}

static int begin(struct vw_kv *kv, bool write, struct vw_txn **out, struct vw_error *err)
{
	struct vw_txn *txn = calloc(1, sizeof(*txn));
	if (!txn)
		return vw_error_set(err, VW_ENOMEM, "no memory for a transaction");
	txn->kv = kv;
	txn->write = write;
	int rc = write ? begin_writing(kv, txn, err) : begin_view(kv, txn, err);
	if (rc < 0) {
		free(txn);
		return rc;
	}
	*out = txn;
	return 0;
}

/* True if the file's first page is in memory there. */
static bool is_map(const struct vw_kv *kv, uint8_t *at)
{
	uint8_t there[128];
	unsigned char resident;
	int fd;
	mdb_env_get_fd(kv->env, &fd);
	return mincore(at, kv->page_size, &resident) == 0 && pread(fd, there, sizeof(there), 0) == sizeof(there) &&
	       memcmp(at, there, sizeof(there)) == 0;
}

/* LMDB does not say where its map is, but a page says its own number (its first field). That is not simply believed: memory would
 * be let go that is not ours to let go. Only in a view: what a write transaction sees may be copies elsewhere. */
static void find_map(struct vw_txn *txn)
{
	struct vw_kv *kv = txn->kv;
	MDB_val key = {3, (char *)"txn"}, value;
	MDB_envinfo info;
	uint64_t number;
	MDB_dbi commits = kv->handles[kv->table_count];
	if (kv->map || commits == 0 || kv->page_size != (unsigned)sysconf(_SC_PAGESIZE) ||
	    mdb_get(txn->txn, commits, &key, &value) != 0)
		return;
	uint8_t *page = (uint8_t *)value.mv_data - (uintptr_t)value.mv_data % kv->page_size;
	memcpy(&number, page, sizeof(number));
	if (mdb_env_info(kv->env, &info) == 0 && number <= info.me_last_pgno &&
	    is_map(kv, page - number * kv->page_size))
		kv->map = page - number * kv->page_size;
}

int vw_txn_begin_read(struct vw_kv *kv, struct vw_txn **out, struct vw_error *err)
{
	int rc = begin(kv, false, out, err);
	if (rc == 0)
		find_map(*out);
	return rc;
}

int vw_kv_find_map(struct vw_kv *kv, struct vw_error *err)
{
	struct vw_txn *view;
	int rc = vw_txn_begin_read(kv, &view, err);
	if (rc == 0)
		vw_txn_end(view);
	return rc;
}

void vw_txn_end(struct vw_txn *txn)
{
	if (!txn)
		return;
	mdb_txn_abort(txn->txn);
	vw_kv_gate_leave(&txn->kv->gate, &txn->view);
	free(txn);
}

static void number_bytes(uint64_t number, uint8_t out[8])
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(number >> (56 - 8 * i));
}

int vw_txn_sign(struct vw_txn *txn, struct vw_error *err)
{
	uint8_t number[8];
	number_bytes(mdb_txn_id(txn->txn), number);
	return vw_kv_put(txn, txn->kv->table_count, (struct vw_bytes){"txn", 3}, (struct vw_bytes){number, 8}, err);
}

int vw_txn_check(struct vw_txn *txn, struct vw_error *err)
{
	const struct vw_kv *kv = txn->kv;
	uint64_t last = mdb_txn_id(txn->txn) - txn->write;
	struct vw_bytes value;
	uint8_t number[8];
	number_bytes(last, number);
	int rc = vw_kv_get(txn, kv->table_count, (struct vw_bytes){"txn", 3}, &value, err);
	if (rc == VW_ENOTFOUND || (rc == 0 && (value.len != 8 || memcmp(value.data, number, 8) != 0)))
		return vw_damage_error(err, kv->folder.data_path,
				       "its newest pages are not those of transaction %" PRIu64, last);
	return rc;
}

void vw_txn_on_commit(struct vw_txn *txn, void (*done)(void *arg), void *arg)
{
	txn->on_commit = done;
	txn->on_commit_arg = arg;
}

/* Ends the transaction in any case. */
static int commit(struct vw_txn *txn, struct vw_error *err)
{
	struct vw_kv *kv = txn->kv;
	MDB_envinfo info;
	int rc = mdb_txn_commit(txn->txn);
	txn->txn = NULL;
	if (rc != 0)
		return vw_txn_fail(txn, rc, "committing", err);
	mdb_env_info(kv->env, &info);
	if (info.me_last_txnid > kv->folder.last_commit)
		vw_folder_mark(&kv->folder, info.me_last_txnid);
	if (txn->on_commit)
		txn->on_commit(txn->on_commit_arg);
	return 0;
}

typedef int (*step_fn)(struct vw_txn *txn, void *arg, struct vw_error *err);

static int write_once(struct vw_kv *kv, step_fn step, void *arg, bool *out_map_full, struct vw_error *err)
{
	struct vw_txn *txn;
	*out_map_full = false;
	int rc = begin(kv, true, &txn, err);
	if (rc < 0)
		return rc;
	rc = step(txn, arg, err);
	if (rc >= 0 && txn->changed)
		vw_txn_sign(txn, err);
	if (txn->first.code != 0 && (rc >= 0 || txn->map_full))
		rc = vw_txn_stuck(txn, err);
	if (rc >= 0) {
		int committed = commit(txn, err);
		rc = committed < 0 ? committed : rc;
	}
	*out_map_full = txn->map_full;
	mdb_txn_abort(txn->txn); /* NULL is fine: it was committed */
	free(txn);
	return rc;
}

/* Until it fits. */
static int write_in_turn(struct vw_kv *kv, step_fn step, void *arg, struct vw_error *err)
{
	bool map_full;
	int rc = write_once(kv, step, arg, &map_full, err);
	while (rc < 0 && map_full) {
		rc = grow_map(kv, map_size(kv), err);
		if (rc == 0)
			rc = vw_kv_find_map(kv, err);
		if (rc < 0)
			return rc;
		rc = write_once(kv, step, arg, &map_full, err);
	}
	return rc;
}

int vw_kv_write(struct vw_kv *kv, step_fn step, void *arg, struct vw_error *err)
{
	assert(kv->mode == VW_KV_WRITE);
	vw_kv_gate_take_turn(&kv->gate);
	int rc = write_in_turn(kv, step, arg, err);
	vw_kv_gate_pass_turn(&kv->gate);
	return rc;
}
