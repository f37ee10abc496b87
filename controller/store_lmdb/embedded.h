/* embedded.h: the embedded store: one folder, one process, nothing to install. What its files share.
 *
 *	organizations  organization                      Organization
 *	bearers        kind, organization, public id     EnrollmentToken, User
 *	agents         organization, agent               Agent
 *	presence       organization, agent               AgentPresence
 *	ledger         organization, agent, sequence     ChainedEntry, as received
 *	versions       organization, model, number, …    a header and VersionRow (version.h)
 *	history        a version's key, sequence         nothing
 *	events         organization, time, agent, …      EventRow
 *	commands       organization, id                  StoredCommand
 *	files          organization, SHA-256             the file
 *	secrets        organization, agent, name         StoredSecret
 *	trail          id                                ControllerEvent
 *	quarantine     organization, agent, sequence, …  QuarantinedEntry
 *	index          names, public ids, orders         what they lead to
 *	meta           schema, counters of each organization
 *
 * Open findings have no table: they are in the ledger entries of the versions that have any, and a version's row says which do.
 *
 * Writes go to one thread (writer.h), which commits what many callers wait for in one transaction. Reads are views of their own, in the
 * caller's thread. */
#ifndef STORE_LMDB_EMBEDDED_H
#define STORE_LMDB_EMBEDDED_H

#include "backend.h"
#include "keys.h"
#include "writer.h"

#include "storage/kv.h"

enum vw_lmdb_table {
	VW_LMDB_ORGANIZATIONS,
	VW_LMDB_BEARERS,
	VW_LMDB_AGENTS,
	VW_LMDB_PRESENCE,
	VW_LMDB_LEDGER,
	VW_LMDB_VERSIONS,
	VW_LMDB_HISTORY,
	VW_LMDB_EVENTS,
	VW_LMDB_COMMANDS,
	VW_LMDB_FILES,
	VW_LMDB_SECRETS,
	VW_LMDB_TRAIL,
	VW_LMDB_QUARANTINE,
	VW_LMDB_INDEX,
	VW_LMDB_META
};

struct vw_lmdb_presences;

struct vw_lmdb_store {
	struct vw_fleet_store base;
	struct vw_fleet_ops ops;
	struct vw_kv *kv;
	struct vw_lmdb_presences *presences;
	struct vw_lmdb_writer *writer;
};

static inline struct vw_lmdb_store *vw_lmdb_of(struct vw_fleet_store *store)
{
	return (struct vw_lmdb_store *)store;
}

/* Each file puts its own functions into the table. */
void vw_lmdb_organization_ops(struct vw_fleet_ops *ops);
void vw_lmdb_bearer_ops(struct vw_fleet_ops *ops);
void vw_lmdb_agent_ops(struct vw_fleet_ops *ops);
void vw_lmdb_enroll_ops(struct vw_fleet_ops *ops);
void vw_lmdb_presence_ops(struct vw_fleet_ops *ops);
void vw_lmdb_ingest_ops(struct vw_fleet_ops *ops);
void vw_lmdb_version_ops(struct vw_fleet_ops *ops);
void vw_lmdb_gap_ops(struct vw_fleet_ops *ops);
void vw_lmdb_event_ops(struct vw_fleet_ops *ops);
void vw_lmdb_ledger_ops(struct vw_fleet_ops *ops);
void vw_lmdb_command_ops(struct vw_fleet_ops *ops);
void vw_lmdb_command_list_ops(struct vw_fleet_ops *ops);
void vw_lmdb_secret_ops(struct vw_fleet_ops *ops);
void vw_lmdb_trail_ops(struct vw_fleet_ops *ops);

/* ---- Messages in tables ---- */

int vw_lmdb_not_found(const char *what, struct vw_error *err); /* "there is no " and `what` */
int vw_lmdb_no_memory(struct vw_error *err);

/* VW_ENOTFOUND as above; bytes that are no such message are VW_ECORRUPT. In the arena. */
int vw_lmdb_get(struct vw_txn *txn, struct vw_arena *arena, enum vw_lmdb_table table, const struct vw_lmdb_key *key,
		const ProtobufCMessageDescriptor *type, const char *what, void **out, struct vw_error *err);
/* The same in a view of its own. */
int vw_lmdb_read(struct vw_lmdb_store *store, struct vw_arena *arena, enum vw_lmdb_table table,
		 const struct vw_lmdb_key *key, const ProtobufCMessageDescriptor *type, const char *what, void **out,
		 struct vw_error *err);
/* 1 or 0, or negative. */
int vw_lmdb_has(struct vw_txn *txn, enum vw_lmdb_table table, const struct vw_lmdb_key *key, struct vw_error *err);
int vw_lmdb_put(struct vw_lmdb_tx *tx, enum vw_lmdb_table table, const struct vw_lmdb_key *key,
		const ProtobufCMessage *message, struct vw_error *err);
int vw_lmdb_put_bytes(struct vw_lmdb_tx *tx, enum vw_lmdb_table table, const struct vw_lmdb_key *key,
		      struct vw_bytes value, struct vw_error *err);
int vw_lmdb_delete(struct vw_lmdb_tx *tx, enum vw_lmdb_table table, const struct vw_lmdb_key *key,
		   struct vw_error *err);

/* Every pair whose key begins with `prefix`, from `from` on, if that is there it too; empty: from the prefix' own end. `each` gives 0 to
 * go on, 1 to stop, negative to fail. */
typedef int (*vw_lmdb_each)(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err);
int vw_lmdb_walk(struct vw_txn *txn, enum vw_lmdb_table table, struct vw_bytes prefix, struct vw_bytes from,
		 bool backwards, vw_lmdb_each each, void *arg, struct vw_error *err);

/* A list that grows in an arena. */
struct vw_lmdb_rows {
	struct vw_arena *arena;
	void **items;
	size_t count, size;
};
int vw_lmdb_rows_add(struct vw_lmdb_rows *rows, void *item, struct vw_error *err);
/* All messages below a prefix, in the order of their keys. */
int vw_lmdb_list(struct vw_lmdb_store *store, enum vw_lmdb_table table, const struct vw_lmdb_key *prefix,
		 const ProtobufCMessageDescriptor *type, struct vw_lmdb_rows *rows, struct vw_error *err);

/* ---- Rows that several files read and write ---- */

int vw_lmdb_organization(struct vw_txn *txn, struct vw_arena *arena, int32_t organization, vw_organization **out,
			 struct vw_error *err);
int vw_lmdb_agent(struct vw_txn *txn, struct vw_arena *arena, int32_t organization, const char *agent_id,
		  vw_agent **out, struct vw_error *err);
int vw_lmdb_put_agent(struct vw_lmdb_tx *tx, const vw_agent *agent, struct vw_error *err);
/* VW_ENOTFOUND: unknown, or of another organization. */
int vw_lmdb_find_token(struct vw_txn *txn, struct vw_arena *arena, int32_t organization, const char *public_id,
		       vw_enrollment_token **out, struct vw_error *err);
int vw_lmdb_use_token(struct vw_lmdb_tx *tx, vw_enrollment_token *token, struct vw_error *err);
/* Gives it the next id. */
int vw_lmdb_put_trail(struct vw_lmdb_tx *tx, const vw_controller_event *event, struct vw_error *err);
/* h(sequence) as it is stored. VW_ENOTFOUND. */
int vw_lmdb_entry_hash(struct vw_txn *txn, int32_t organization, const char *agent_id, uint64_t sequence,
		       uint8_t out[32], struct vw_error *err);
/* An entry of the ledger, unpacked. */
int vw_lmdb_entry(struct vw_txn *txn, struct vw_arena *arena, int32_t organization, const char *agent_id,
		  uint64_t sequence, vw_entry **out, struct vw_error *err);

int vw_lmdb_command(struct vw_txn *txn, struct vw_arena *arena, const struct vw_lmdb_key *key,
		    vw_stored_command **out, struct vw_error *err);

/* What is counted of each organization, so that asking opens no row. */
struct vw_lmdb_counters {
	int64_t agents, versions, with_gaps, entries;
	int64_t gaps[5];
};
#define VW_LMDB_COUNTERS (9 * 8) /* bytes of them in meta */
bool vw_lmdb_counters_open(struct vw_bytes stored, struct vw_lmdb_counters *out);
/* Zeroed when nothing was counted yet. */
int vw_lmdb_counters(struct vw_txn *txn, int32_t organization, struct vw_lmdb_counters *out, struct vw_error *err);
/* Adds `delta` to them. */
int vw_lmdb_count(struct vw_lmdb_tx *tx, int32_t organization, const struct vw_lmdb_counters *delta,
		  struct vw_error *err);

#endif
