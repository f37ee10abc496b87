/* kv_private.h: what the files of kv share: they, and no others, name LMDB. */
#ifndef STORAGE_KV_PRIVATE_H
#define STORAGE_KV_PRIVATE_H

#include "storage/kv.h"

#include "folder.h"
#include "kv_gate.h"

#include <lmdb.h>

#define VW_TABLES_MAX 32            /* named tables of one store, ours included */
#define VW_NO_TABLE   ((MDB_dbi)-1) /* a table that a reader does not find: it is empty */

struct vw_kv {
	MDB_env *env;
	struct vw_folder folder;
	const char *tables[VW_TABLES_MAX + 1]; /* the names, borrowed; the last is ours, then NULL */
	MDB_dbi handles[VW_TABLES_MAX];
	int table_count; /* without ours */
	enum vw_kv_mode mode;
	unsigned page_size;      /* bytes */
	struct vw_gate gate;     /* the map must not move under a view */
	int64_t grow_patience;   /* milliseconds that growing waits for views to end */
	bool dead;               /* the map could not be made again; changes while no view is open */
	_Atomic(uint8_t *) map;  /* where the file's first page is in memory; NULL while not known */
	_Atomic(unsigned) reads; /* values read, for letting go of the map's pages */
	unsigned reads_resident; /* so many between two times of letting go */
};

struct vw_txn {
	struct vw_kv *kv;
	MDB_txn *txn;
	struct vw_kv_gate_view view; /* unless `write` */
	bool write;
	bool changed; /* something was written */
	bool map_full;
	void (*on_commit)(void *arg);
	void *on_commit_arg;
	struct vw_error first; /* the failure that sticks; code 0 while there is none */
};

/* Says what LMDB's `rc` means, in which of our codes, and what to do. */
int vw_kv_error(const struct vw_kv *kv, int rc, const char *doing, struct vw_error *err);

/* The failure that sticks, again. */
int vw_txn_stuck(const struct vw_txn *txn, struct vw_error *err);
/* The same, set here and now from LMDB's `rc`. */
int vw_txn_fail(struct vw_txn *txn, int rc, const char *doing, struct vw_error *err);

/* A table of our own, behind the caller's, holds the number of the transaction that wrote last. So a snapshot says itself which
 * one it is, and a meta page whose number was changed is found out. */
#define VW_TABLE_COMMIT "commit"
/* Writes that number; for the end of a transaction that changed something. */
int vw_txn_sign(struct vw_txn *txn, struct vw_error *err);
/* VW_ECORRUPT if what a transaction begins with was not written by the one it says. */
int vw_txn_check(struct vw_txn *txn, struct vw_error *err);

/* True if `stored` is a value with its checksum as it was put under `key`. */
bool vw_value_sound(struct vw_bytes key, struct vw_bytes stored);
/* Takes the checksum off. VW_ECORRUPT names table and key, and sticks. */
int vw_value_open(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes stored, struct vw_bytes *out,
		  struct vw_error *err);

/* Looks where the map is, for those who then only write. */
int vw_kv_find_map(struct vw_kv *kv, struct vw_error *err);

MDB_dbi vw_table_handle(const struct vw_txn *txn, int table);

#endif
