/* presence.h: who is connected: kept in memory, since it changes with every heartbeat, and written along with the next commit. */
#ifndef STORE_LMDB_PRESENCE_H
#define STORE_LMDB_PRESENCE_H

#include "embedded.h"

struct vw_lmdb_presences;

/* With what was written before. */
int vw_lmdb_presences_open(struct vw_kv *kv, struct vw_lmdb_presences **out, struct vw_error *err);
void vw_lmdb_presences_close(struct vw_lmdb_presences *presences); /* NULL is fine */

/* An empty message when it never connected. */
int vw_lmdb_presence(struct vw_lmdb_presences *presences, struct vw_arena *arena, int32_t organization,
		     const char *agent_id, vw_agent_presence **out, struct vw_error *err);
/* Agents that are connected; organization 0: of all. */
int64_t vw_lmdb_presences_connected(struct vw_lmdb_presences *presences, int32_t organization);

/* For the writer: how many are not written yet; writes some of them; says how that ended. */
size_t vw_lmdb_presences_waiting(struct vw_lmdb_presences *presences);
int vw_lmdb_presences_write(struct vw_lmdb_presences *presences, struct vw_lmdb_tx *tx, struct vw_error *err);
void vw_lmdb_presences_written(struct vw_lmdb_presences *presences, bool committed);
/* Takes at most `most` changes that nobody was told of yet. */
size_t vw_lmdb_presences_changes(struct vw_lmdb_presences *presences, struct vw_change *out, size_t most);

#endif
