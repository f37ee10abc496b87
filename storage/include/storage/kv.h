/* kv.h: LMDB, and the only place that names it.
 *
 * A store is one folder with one LMDB environment, opened once per process and locked against a second one. Tables are
 * named when it is opened. A transaction's first failure sticks: later calls do nothing and return it, so that a long
 * step is checked once, at vw_txn_commit(). A map that is full aborts the transaction with VW_EFULL after the map was
 * made larger; the caller runs its step again (vw_kv_write() does all of that).
 *
 * Every value carries the first 8 bytes of its SHA-256 (over the key's length as a big-endian u16, key and value) and is checked
 * when read: a flipped bit is VW_ECORRUPT naming table and key, never a wrong answer. LMDB itself trusts its pages, so their
 * structure is checked when the store is opened (storage/pages.h). What breaks under a running process, a disk that cannot be
 * read any more, ends it with a message and VW_EXIT_DAMAGED.
 *
 * Any number of threads may use a store: views beside one another and beside the one that writes; writers come one after the other, in
 * the order in which they asked. A transaction and its cursors belong to the thread that began it, to the end. A view keeps the map as it
 * is: when that has to grow, views that begin wait, and the map waits for those that are open, ten seconds at most; then the write is
 * VW_EFULL, and may be tried again. So hold a view briefly. A thread may hold a view while it writes, but what it writes is VW_EFULL at
 * once where the map would have to grow. A step does not call vw_kv_write(). */
#ifndef STORAGE_KV_H
#define STORAGE_KV_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vw_kv;
struct vw_txn;
struct vw_cursor;

struct vw_bytes {
	const void *data;
	size_t len;
};

/* The process' exit code when the map under it became unreadable; the codes of commands agree. */
#define VW_EXIT_DAMAGED 5

#define VW_KEY_MAX 511 /* bytes, LMDB's own limit (MDB_MAXKEYSIZE) */

enum vw_kv_mode {
	VW_KV_READ, /* existing store, shared with a writer; nothing is created */
	VW_KV_WRITE /* created if missing; one process at a time */
};

/* Opens `dir` (which exists) with `tables` (NULL-terminated list of names, which lives as long as the store; tables are referred to
 * by index). One that is missing is made, or, for a reader, empty. One store of a folder per process, and none across fork(): LMDB's rule.
 * VW_ENOTFOUND: no store there and mode is READ. VW_EBUSY: another writer. VW_ECORRUPT: not a store, torn, or behind what was
 * committed. VW_ECONFIG: on a network file system. VW_EIO: a read-only or failing disk. VW_EFULL: no room to begin with. */
int vw_kv_open(const char *dir, const char *const *tables, enum vw_kv_mode mode, struct vw_kv **out,
	       struct vw_error *err);
void vw_kv_close(struct vw_kv *kv); /* NULL is fine */

/* About how much of the map may stay in this process's memory once it was read: 4 MiB unless told otherwise. More makes many small
 * reads several times faster. Right after opening, before other threads use the store. */
void vw_kv_set_resident(struct vw_kv *kv, size_t bytes);

/* Waits for its turn, runs `step` in a write transaction and commits it with fsync. When the map was full it is grown and `step`
 * runs again from the start, so it must not have effects beyond the transaction. A negative result of `step` aborts. */
int vw_kv_write(struct vw_kv *kv, int (*step)(struct vw_txn *txn, void *arg, struct vw_error *err), void *arg,
		struct vw_error *err);

/* In a step: calls `done` once, right after the transaction was committed and before another one begins; not when it fails or runs again.
 * One for each transaction, the last given. */
void vw_txn_on_commit(struct vw_txn *txn, void (*done)(void *arg), void *arg);

/* A consistent view. Close it before waiting for anything: an open view keeps old pages from being reused. */
int vw_txn_begin_read(struct vw_kv *kv, struct vw_txn **out, struct vw_error *err);
void vw_txn_end(struct vw_txn *txn); /* NULL is fine */
/* Lets go of the map's pages that were read so far; they are read again when they are needed. For the end of work before a long pause. */
void vw_txn_spare(struct vw_txn *txn);

/* Values point into the map: valid until the transaction ends or, in a write transaction, until its next put or del.
 * VW_ENOTFOUND leaves the transaction usable. */
int vw_kv_get(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes *out, struct vw_error *err);
int vw_kv_put(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes value, struct vw_error *err);
/* As put, for a key that is not there yet, which is then not looked for twice. VW_ECORRUPT when it is. */
int vw_kv_add(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes value, struct vw_error *err);
/* As add, for a key that is higher than all in the table. */
int vw_kv_append(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_bytes value, struct vw_error *err);
int vw_kv_delete(struct vw_txn *txn, int table, struct vw_bytes key, struct vw_error *err); /* absent is fine */
int vw_kv_count(struct vw_txn *txn, int table, uint64_t *out, struct vw_error *err);

/* Ordered walk: starts at the first key not below `from` (empty: the first of all); backwards, at the last key not above `from`
 * (empty: the last of all). 1 and a pair while there is one, 0 at the end, negative on failure. In a write transaction, close it
 * before the step returns. */
int vw_cursor_open(struct vw_txn *txn, int table, struct vw_bytes from, bool backwards, struct vw_cursor **out,
		   struct vw_error *err);
int vw_cursor_next(struct vw_cursor *cursor, struct vw_bytes *out_key, struct vw_bytes *out_value,
		   struct vw_error *err);
void vw_cursor_close(struct vw_cursor *cursor);

/* For status and benchmarks. */
struct vw_kv_stat {
	uint64_t file_bytes; /* bytes on disk */
	uint64_t used_bytes; /* of pages in use */
	uint64_t map_bytes;
	uint64_t last_txn; /* id of the last committed write transaction: unchanged means nothing was written */
};
int vw_kv_stat(struct vw_kv *kv, struct vw_kv_stat *out, struct vw_error *err);

/* LMDB's version, for `version`. Static storage. */
const char *vw_kv_version(void);

#endif
