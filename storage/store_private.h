/* store_private.h: what the files of the store share. */
#ifndef STORAGE_STORE_PRIVATE_H
#define STORAGE_STORE_PRIVATE_H

#include "storage/store.h"

#include "keys.h"

enum vw_table {
	VW_TABLE_META,
	VW_TABLE_LEDGER,
	VW_TABLE_KINDS,
	VW_TABLE_VERSIONS,
	VW_TABLE_MODELS,
	VW_TABLE_EXPERIMENTS,
	VW_TABLE_UPLINK,
	VW_TABLE_COMMANDS,
	VW_TABLE_SECRETS
};

struct vw_store {
	struct vw_kv *kv;
	struct vw_arena *arena; /* of the identities; used while opening and by the one who writes */
	_Atomic(const vw_agent_identity *) identity;
	const vw_agent_identity *next_identity; /* of the transaction that is about to be committed */
};

struct vw_ledger_owner vw_owner_of(const vw_agent_identity *identity);
/* Writes a new one. */
int vw_store_make_identity(struct vw_txn *txn, struct vw_arena *arena, struct vw_error *err);

/* Appends a payload under the owner whom this transaction sees: the entry, its hash, and its place in the list of kinds. */
int vw_store_chain(struct vw_txn *txn, struct vw_arena *arena, struct vw_bytes payload, unsigned kind,
		   uint64_t *out_sequence, struct vw_error *err);

/* Reads a message. VW_ENOTFOUND as it comes from the table; `what` names the object in messages. */
int vw_store_get_message(struct vw_txn *txn, struct vw_arena *arena, int table, const struct vw_key *key,
			 const ProtobufCMessageDescriptor *type, const char *what, void **out, struct vw_error *err);
int vw_store_put_message(struct vw_txn *txn, struct vw_arena *arena, int table, const struct vw_key *key,
			 const ProtobufCMessage *message, struct vw_error *err);

/* One message of a walk: as vw_each_version and the like, for any of them. */
typedef int (*vw_each_pair)(struct vw_bytes key, struct vw_bytes value, struct vw_arena *arena, void *arg,
			    struct vw_error *err);
/* Goes through a table and resets the arena after each pair. */
int vw_store_each_pair(struct vw_txn *txn, int table, struct vw_bytes from, bool backwards, vw_each_pair each,
		       void *arg, struct vw_error *err);
/* All of a table in the arena, in the order of its keys. */
int vw_store_all_messages(struct vw_txn *txn, struct vw_arena *arena, int table,
			  const ProtobufCMessageDescriptor *type, const char *what, void ***out, size_t *out_count,
			  struct vw_error *err);

/* What an entry does to the index of its version. Built and checked before anything is written. */
struct vw_version_change {
	struct vw_key key;
	vw_version_index index;
	uint8_t compliance_sha256[32];
	uint32_t gaps[VW_SEVERITIES];
};
int vw_version_recorded_change(const vw_entry *entry, const vw_record *record, struct vw_version_change *out,
			       struct vw_error *err);
int vw_version_removed_change(struct vw_txn *txn, struct vw_arena *arena, const vw_entry *entry,
			      struct vw_version_change *out, struct vw_error *err);
int vw_version_put(struct vw_txn *txn, struct vw_arena *arena, uint64_t sequence, struct vw_version_change *change,
		   struct vw_error *err);

#endif
