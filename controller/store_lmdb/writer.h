/* writer.h: the one thread that writes.
 *
 * A commit waits for the disk, and that takes as long for one row as for thousands. So whoever writes hands in a step and waits; the thread takes all
 * steps that have come together meanwhile into one transaction, commits it once, and wakes everybody. A step that fails before it wrote
 * anything does not concern the others. One that fails later, or a transaction that fails as a whole, takes it back, and then each step gets
 * a transaction of its own. */
#ifndef STORE_LMDB_WRITER_H
#define STORE_LMDB_WRITER_H

#include "storage/kv.h"
#include "store/store.h"

#include <stdbool.h>

struct vw_lmdb_store;
struct vw_lmdb_writer;

#define VW_LMDB_STEP_CHANGES 2 /* that one step can tell of */

/* What a step writes with. */
struct vw_lmdb_tx {
	struct vw_txn *txn; /* for reading */
	bool wrote;
	struct vw_change changes[VW_LMDB_STEP_CHANGES];
	size_t change_count;
};
/* The watcher is told once this is committed. */
void vw_lmdb_change(struct vw_lmdb_tx *tx, enum vw_change_kind kind, int32_t organization, const char *agent_id);

/* It may run several times, each time on an untouched store; what it leaves in `arg` counts when vw_lmdb_write() returned 0. It runs in the writer's
 * thread while the caller waits, so it may use the caller's arena. */
typedef int (*vw_lmdb_step)(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err);

/* Returns once it is durable, or why it is not. */
int vw_lmdb_write(struct vw_lmdb_store *store, vw_lmdb_step step, void *arg, struct vw_error *err);

int vw_lmdb_writer_start(struct vw_lmdb_store *store, struct vw_lmdb_writer **out, struct vw_error *err);
/* Writes what is left of the presences. NULL is fine. */
void vw_lmdb_writer_stop(struct vw_lmdb_writer *writer);
/* There is a presence to tell of. */
void vw_lmdb_writer_wake(struct vw_lmdb_writer *writer);
void vw_lmdb_watch(struct vw_fleet_store *store, void (*each)(const struct vw_change *change, void *arg), void *arg);

#endif
