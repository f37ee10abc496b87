/* keys.h: the keys of the embedded store's tables, each built here and nowhere else.
 *
 * Numbers are big-endian, so that the order of keys is that of numbers; every key of a tenant's row begins with its organization (u32), so
 * that a tenant is one range of each table. Ids of agents and commands are their 16 bytes. A builder that is given an id that is none
 * answers false: there is no such row. */
#ifndef STORE_LMDB_KEYS_H
#define STORE_LMDB_KEYS_H

#include "storage/kv.h"
#include "store/store.h"

#include <stdbool.h>

struct vw_lmdb_key {
	size_t len;
	uint8_t bytes[VW_KEY_MAX];
};

static inline struct vw_bytes vw_lmdb_bytes(const struct vw_lmdb_key *key)
{
	return (struct vw_bytes){key->bytes, key->len};
}

#define VW_LMDB_ORGANIZATION 4  /* bytes of an organization in front of a key */
#define VW_LMDB_ID           16 /* bytes of a UUID */

enum vw_lmdb_bearer { VW_LMDB_TOKEN = 't', VW_LMDB_USER = 'u' };

void vw_lmdb_key_organization(int32_t organization, struct vw_lmdb_key *out); /* also the range of a tenant */
void vw_lmdb_key_name(const char *name, struct vw_lmdb_key *out);             /* an organization's, in the index */
/* public id -> what it is and whose */
bool vw_lmdb_key_bearer(enum vw_lmdb_bearer kind, int32_t organization, const char *public_id,
			struct vw_lmdb_key *out);
void vw_lmdb_key_bearers(enum vw_lmdb_bearer kind, int32_t organization, struct vw_lmdb_key *out);
bool vw_lmdb_key_bearer_index(enum vw_lmdb_bearer kind, const char *public_id, struct vw_lmdb_key *out);

bool vw_lmdb_key_agent(int32_t organization, const char *agent_id, struct vw_lmdb_key *out);
bool vw_lmdb_key_entry(int32_t organization, const char *agent_id, uint64_t sequence, struct vw_lmdb_key *out);
uint64_t vw_lmdb_key_sequence(struct vw_bytes key); /* of such a key, or of one of history; 0: it is none */
bool vw_lmdb_key_quarantine(int32_t organization, const char *agent_id, uint64_t sequence, const uint8_t hash[32],
			    struct vw_lmdb_key *out);

/* organization, name's first bytes, 0, version (u64), workspace's first bytes, 0, 8 bytes of SHA-256 over (workspace, 0, name), agent: so that rows are in order of
 * model, version number, workspace and agent; models whose names are longer than what a key has room for are in order of their hashes. */
bool vw_lmdb_key_version(int32_t organization, const struct vw_version_key *version, struct vw_lmdb_key *out);
/* All versions of one model, or of more, if its name is longer than a key's part. */
void vw_lmdb_key_model(int32_t organization, const char *model, struct vw_lmdb_key *out);
/* The agent's 16 bytes in a version's key; NULL: it is none. */
const uint8_t *vw_lmdb_key_version_agent(struct vw_bytes key);
/* A version's key, then the sequence: the whole history of one version is its prefix. */
void vw_lmdb_key_history(struct vw_bytes version, uint64_t sequence, struct vw_lmdb_key *out);

/* organization, recorded_at, agent, sequence, part: newest last. */
bool vw_lmdb_key_event(const vw_event_row *event, struct vw_lmdb_key *out);
void vw_lmdb_key_event_time(int32_t organization, int64_t recorded_at, struct vw_lmdb_key *out);
int64_t vw_lmdb_key_event_at(struct vw_bytes key);

bool vw_lmdb_key_command(int32_t organization, const char *id, struct vw_lmdb_key *out);
/* organization, issued_at, id: newest last. Its value is the agent. */
bool vw_lmdb_key_command_order(const vw_stored_command *command, struct vw_lmdb_key *out);
void vw_lmdb_key_command_orders(int32_t organization, struct vw_lmdb_key *out);
/* organization, agent, issued_at, id: oldest first; there while the command is not finished. */
bool vw_lmdb_key_command_open(const vw_stored_command *command, struct vw_lmdb_key *out);
bool vw_lmdb_key_commands_open(int32_t organization, const char *agent_id, struct vw_lmdb_key *out);
/* The command's key from one of both. */
bool vw_lmdb_key_command_of(struct vw_bytes index, int32_t organization, struct vw_lmdb_key *out);

void vw_lmdb_key_file(int32_t organization, const uint8_t sha256[32], struct vw_lmdb_key *out);
bool vw_lmdb_key_secret(int32_t organization, const char *agent_id, const char *name, struct vw_lmdb_key *out);

void vw_lmdb_key_trail(uint64_t id, struct vw_lmdb_key *out);
void vw_lmdb_key_trail_order(int32_t organization, uint64_t id, struct vw_lmdb_key *out);
void vw_lmdb_key_counters(int32_t organization, struct vw_lmdb_key *out);
void vw_lmdb_key_schema(struct vw_lmdb_key *out);

/* A UUID's 16 bytes; false when it is none in its canonical form. */
bool vw_lmdb_id(const char *text, uint8_t out[VW_LMDB_ID]);
bool vw_lmdb_has_prefix(struct vw_bytes key, struct vw_bytes prefix);

#endif
