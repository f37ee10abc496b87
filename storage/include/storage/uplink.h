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

#define VW_STORE_COMMAND_ID_MAX  128 /* bytes; a UUID, or "desired:" and a hash */
#define VW_STORE_SECRET_NAME_MAX 128 /* bytes */

/* Zeroed message when never written. */
int vw_store_uplink(struct vw_txn *txn, struct vw_arena *arena, vw_uplink_state **out, struct vw_error *err);
int vw_store_put_uplink(struct vw_txn *txn, struct vw_arena *arena, const vw_uplink_state *state,
			struct vw_error *err);

/* Entries from sequence `from` on, as stored (ChainedEntry, borrowed payloads copied to the arena): at most `max_entries`, and as many as
 * fit in `max_bytes` of payload, but always one if there is one. None behind the end is no failure. VW_EINVAL: from 0. */
int vw_store_chained_entries(struct vw_txn *txn, struct vw_arena *arena, uint64_t from, size_t max_entries,
			     size_t max_bytes, vw_chained_entry ***out, size_t *out_count, struct vw_error *err);

/* VW_ENOTFOUND when it never came. */
int vw_store_command(struct vw_txn *txn, struct vw_arena *arena, const char *id, vw_held_command **out,
		     struct vw_error *err);
/* Adds or replaces. Keeps the newest VW_MAX_HELD_COMMANDS finished ones (done, failed, refused, expired, unsupported), without their
 * content and secrets, and all that are not finished. VW_ELIMIT, before anything is written: VW_MAX_OPEN_COMMANDS are not finished,
 * or it is larger than VW_MAX_FLEET_CONTROL, its result than VW_MAX_COMMAND_RESULT. VW_EINVAL: no id, or too long a one. */
int vw_store_put_command(struct vw_txn *txn, struct vw_arena *arena, const vw_held_command *command,
			 struct vw_error *err);
/* All, oldest first. */
int vw_store_commands(struct vw_txn *txn, struct vw_arena *arena, vw_held_command ***out, size_t *out_count,
		      struct vw_error *err);

int vw_store_secrets(struct vw_txn *txn, struct vw_arena *arena, vw_held_secret ***out, size_t *out_count,
		     struct vw_error *err);
/* Replaces them all. Before anything is written: VW_ELIMIT (VW_MAX_SECRETS, VW_MAX_SEALED), VW_EINVAL (a name missing, too long, twice). */
int vw_store_put_secrets(struct vw_txn *txn, struct vw_arena *arena, const vw_held_secret *const *secrets,
			 size_t count, struct vw_error *err);

/* From now on the chain belongs to `organization` and `agent_id`: appends the EpochStarted entry, which is the first that is chained under the
 * new owner, with the epoch raised by one, and writes the identity. The store's own identity and owner (vw_store_identity) change with the
 * commit; entries that are appended in this transaction have the new owner already. VW_EINVAL if the owner is the same already, if the
 * organization is neither empty nor a number, or the agent's id no UUID in lower case. `out_sequence` may be NULL. */
int vw_store_begin_epoch(struct vw_txn *txn, struct vw_store *store, struct vw_arena *arena, const char *organization,
			 const char *agent_id, uint64_t *out_sequence, struct vw_error *err);

#endif
