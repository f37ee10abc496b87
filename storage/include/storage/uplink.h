/* uplink.h: what the agent keeps about its controller, in the same store as its ledger.
 *
 *	"uplink"    one UplinkState: the send cursor, the newest receipt, the join sequence
 *	"commands"  command id -> HeldCommand: a command is done once, however often it is delivered
 *	"secrets"   name -> HeldSecret, sealed
 *
 * Reading functions take a transaction of either kind; writing ones run inside vw_kv_write(). Results are in the arena. */
#ifndef STORAGE_UPLINK_H
#define STORAGE_UPLINK_H

#include "storage/store.h"

/* Zeroed message when never written. */
int vw_store_uplink(struct vw_txn *txn, struct vw_arena *arena, vw_uplink_state **out, struct vw_error *err);
int vw_store_put_uplink(struct vw_txn *txn, struct vw_arena *arena, const vw_uplink_state *state,
			struct vw_error *err);

/* Entries from sequence `from` on, as stored (ChainedEntry, borrowed payloads copied to the arena): at most `max_entries`, and as many as
 * fit in `max_bytes` of payload, but always one if there is one. */
int vw_store_chained_entries(struct vw_txn *txn, struct vw_arena *arena, uint64_t from, size_t max_entries,
			     size_t max_bytes, vw_chained_entry ***out, size_t *out_count, struct vw_error *err);

/* VW_ENOTFOUND when it never came. */
int vw_store_command(struct vw_txn *txn, struct vw_arena *arena, const char *id, vw_held_command **out,
		     struct vw_error *err);
/* Adds or replaces. Keeps the newest VW_MAX_HELD_COMMANDS finished ones, and all that are not finished. */
int vw_store_put_command(struct vw_txn *txn, struct vw_arena *arena, const vw_held_command *command,
			 struct vw_error *err);
/* All, oldest first. */
int vw_store_commands(struct vw_txn *txn, struct vw_arena *arena, vw_held_command ***out, size_t *out_count,
		      struct vw_error *err);

int vw_store_secrets(struct vw_txn *txn, struct vw_arena *arena, vw_held_secret ***out, size_t *out_count,
		     struct vw_error *err);
/* Replaces them all. */
int vw_store_put_secrets(struct vw_txn *txn, struct vw_arena *arena, const vw_held_secret *const *secrets,
			 size_t count, struct vw_error *err);

/* From now on the chain belongs to `organization` and `agent_id`: appends the EpochStarted entry, which is the first that is chained under the
 * new owner, with the epoch raised by one, and writes the identity. The store's own identity and owner (vw_store_identity) change with the
 * commit. VW_EINVAL if the owner is the same already. */
int vw_store_begin_epoch(struct vw_txn *txn, struct vw_store *store, struct vw_arena *arena, const char *organization,
			 const char *agent_id, uint64_t *out_sequence, struct vw_error *err);

#endif
