/* store.h: what the agent keeps between runs (S3.3, S10), over kv.h.
 *
 *	identity, sync state, schema version     "meta"
 *	ledger entries and their hashes          "ledger"    u64 sequence
 *	the same, by kind, for quick views       "kinds"     u8 kind, u64 sequence
 *	where the newest entry of a version is   "versions"  key of model (below), u64 version
 *	registered models and experiments        "models", "experiments"
 *	what concerns the controller             storage/uplink.h
 *
 * A record is stored once, inside its ledger entry; "versions" points to it. Names may be longer than a key of LMDB: a
 * model's key is workspace, 0, the name's first 255 bytes, 0, and 8 bytes of SHA-256 of (workspace, 0, name), so that keys are unique and still sort by name. */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "storage/kv.h"
#include "storage/ledger.h"

#include "base/arena.h"
#include "base/error.h"
#include "proto/model.h"

#include <stdbool.h>

#define VW_STORE_SCHEMA 2 /* raised by each migration; a newer one on disk is refused */

/* Bytes of a workspace's name: what a key has room for. MLflow allows 63 characters. */
#define VW_STORE_WORKSPACE_MAX 238

struct vw_store;

/* Opens or makes the state folder (mode 0700, files 0600). On first use writes an identity (random agent id, epoch 1). With WRITE, an
 * older schema is migrated forward in one transaction; a newer one, or one from which no migration leads here, is VW_ECONFIG. Errors
 * as vw_kv_open(). */
int vw_store_open(const char *dir, enum vw_kv_mode mode, struct vw_store **out, struct vw_error *err);
void vw_store_close(struct vw_store *store);
struct vw_kv *vw_store_kv(struct vw_store *store);

/* Borrowed, lives as long as the store; as it was when the store was opened, or a new epoch last committed (storage/uplink.h). */
const vw_agent_identity *vw_store_identity(const struct vw_store *store);
struct vw_ledger_owner vw_store_owner(const struct vw_store *store);
/* As this transaction sees it, in the arena: of the very ledger that is read beside it. */
int vw_store_identity_now(struct vw_txn *txn, struct vw_arena *arena, vw_agent_identity **out, struct vw_error *err);

/* ---- Reading; all results are in the arena ---- */

int vw_store_head(struct vw_txn *txn, struct vw_ledger_head *out, struct vw_error *err);
/* VW_ENOTFOUND when there is no such sequence. VW_ECORRUPT names it. */
int vw_store_entry(struct vw_txn *txn, struct vw_arena *arena, uint64_t sequence, vw_entry **out,
		   struct vw_error *err);
/* The packed Entry and its h(n), borrowed from the map until the transaction ends. */
int vw_store_entry_bytes(struct vw_txn *txn, uint64_t sequence, struct vw_bytes *out_payload,
			 const uint8_t **out_hash, struct vw_error *err);
/* VW_ENOTFOUND when the version was never seen. A removed one is found, with removed_at set. VW_EINVAL names a version number that is
 * no decimal uint64, in the shortest form MLflow gives it. */
int vw_store_version(struct vw_txn *txn, struct vw_arena *arena, const char *workspace, const char *model,
		     const char *version, vw_version_index **out, struct vw_error *err);
/* The record inside an entry. */
int vw_store_record(struct vw_arena *arena, const vw_version_recorded *entry, vw_record **out, struct vw_error *err);
/* VW_ENOTFOUND when there is none. */
int vw_store_model(struct vw_txn *txn, struct vw_arena *arena, const char *workspace, const char *name,
		   vw_registered_model **out, struct vw_error *err);
int vw_store_experiment(struct vw_txn *txn, struct vw_arena *arena, const char *workspace, const char *id,
			vw_experiment **out, struct vw_error *err);
/* Zeroed message when never written. */
int vw_store_sync_state(struct vw_txn *txn, struct vw_arena *arena, vw_sync_state **out, struct vw_error *err);

/* Walks. `each` returns 0 to go on, 1 to stop (the walk then returns 0), negative to fail. The arena given to `each` is reset after each call. */
typedef int (*vw_each_version)(const vw_version_index *index, struct vw_arena *arena, void *arg,
			       struct vw_error *err);
typedef int (*vw_each_model)(const char *workspace, const vw_registered_model *model, struct vw_arena *arena,
			     void *arg, struct vw_error *err);
typedef int (*vw_each_entry)(uint64_t sequence, const vw_entry *entry, struct vw_arena *arena, void *arg,
			     struct vw_error *err);
/* In order of workspace, model name, version number. */
int vw_store_each_version(struct vw_txn *txn, bool with_removed, vw_each_version each, void *arg,
			  struct vw_error *err);
int vw_store_each_model(struct vw_txn *txn, vw_each_model each, void *arg, struct vw_error *err);
/* Entries whose kind is in `kinds` (bits of vw_ledger_kind), from sequence `from` upwards; backwards, from `from` down, where 0 is the
 * newest. One kind alone is found by its index, without touching the others. A hole in the sequence is VW_ECORRUPT. */
int vw_store_each_entry(struct vw_txn *txn, unsigned kinds, uint64_t from, bool backwards, vw_each_entry each,
			void *arg, struct vw_error *err);

/* ---- Writing, inside vw_kv_write() ---- */

/* Appends an entry: sequence, hash, kind. A VersionRecorded or VersionRemoved body also moves its version's index. `record`, needed
 * for VersionRecorded only, gives workspace, name, version and creation time. What is wrong with the entry itself is said before
 * anything is written, and leaves the transaction usable: VW_EINVAL (a body without what it needs, a version number that is none, a
 * removal of what is not there), VW_ELIMIT (VW_MAX_ENTRY). */
int vw_store_append(struct vw_txn *txn, struct vw_store *store, struct vw_arena *arena, const vw_entry *entry,
		    const vw_record *record, uint64_t *out_sequence, struct vw_error *err);
/* Writes only if the content's hash differs from what is there; *out_changed tells (may be NULL). */
int vw_store_put_model(struct vw_txn *txn, struct vw_arena *arena, const char *workspace,
		       const vw_registered_model *model, bool *out_changed, struct vw_error *err);
int vw_store_put_experiment(struct vw_txn *txn, struct vw_arena *arena, const char *workspace,
			    const vw_experiment *experiment, bool *out_changed, struct vw_error *err);
int vw_store_delete_model(struct vw_txn *txn, const char *workspace, const char *name, struct vw_error *err);
int vw_store_put_sync_state(struct vw_txn *txn, struct vw_arena *arena, const vw_sync_state *state,
			    struct vw_error *err);

/* ---- Checking ---- */

struct vw_ledger_check {
	uint64_t entries;   /* checked */
	uint64_t first_bad; /* sequence; 0: none. An index that leads nowhere counts as the entry behind the last */
	char reason[256];   /* what is wrong with it */
	struct vw_ledger_head head;
};
/* Reads every entry from the first and computes the chain anew, from the first owner to the one that the identity names; also that the sequence has no hole, that every payload is an Entry whose record has
 * the hash it names, and that "versions" and "kinds" point where they should. 0 and first_bad == 0 is a sound ledger. Negative only when it could not be read at all. */
int vw_store_verify(struct vw_store *store, struct vw_ledger_check *out,
		    void (*progress)(uint64_t done, uint64_t total, void *arg), void *arg, struct vw_error *err);

#endif
