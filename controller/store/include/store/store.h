/* store.h: what the controller keeps: organizations, agents, ledgers, commands. One interface, two stores behind it.
 *
 *	lmdb:<folder>                    embedded, nothing to install, one process
 *	postgresql://user@host/database  any number of replicas
 *
 * Every function may be called from any thread. All that concerns a tenant takes its organization first, and no function gives out or changes
 * anything of another one: with PostgreSQL row-level security stands behind that (S4.5). Messages come back in the caller's arena; what is
 * handed in is borrowed for the call. A write has been made durable when its function returns 0.
 *
 * Errors: VW_ENOTFOUND, VW_EBUSY (it exists already), VW_EINVAL (a value that cannot be stored), VW_ELIMIT, VW_EAGAIN (the database is away, or the
 * transaction must be run again: nothing was changed), VW_EFULL, VW_ECORRUPT, VW_ECONFIG (no such database, wrong schema). */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/chain.h"
#include "proto/model.h"

#include <stdbool.h>
#include <stdint.h>

struct vw_fleet_store;

/* `migrate`: bring an older schema forward (PostgreSQL: as the owner role); otherwise one that is not of this version is VW_ECONFIG. */
struct vw_fleet_store_settings {
	const char *url;
	bool create; /* an empty store is set up; LMDB only for a new folder, PostgreSQL for an empty schema */
	bool migrate;
	int connections; /* of PostgreSQL's pool [8] */
	bool verifywise; /* also project into VerifyWise's mlflow_model_records */
	const char *
	    app_role; /* PostgreSQL: the role without ownership that works under row-level security; NULL: the one that connects */
};
int vw_fleet_store_open(const struct vw_fleet_store_settings *settings, struct vw_fleet_store **out,
			struct vw_error *err);
void vw_fleet_store_close(struct vw_fleet_store *store); /* NULL is fine */
/* "lmdb", "postgresql". Static storage. */
const char *vw_fleet_store_kind(const struct vw_fleet_store *store);
/* A question that reaches the disk or the server: for readiness. */
int vw_fleet_store_ping(struct vw_fleet_store *store, struct vw_error *err);

/* ---- Organizations and who may do what ---- */

/* `organization` 0: the store gives the next id. VW_EBUSY if the id or name is there. */
int vw_fleet_organization_create(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
				 const char *name, vw_organization **out, struct vw_error *err);
int vw_fleet_organization_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			      vw_organization **out, struct vw_error *err);
int vw_fleet_organization_disable(struct vw_fleet_store *store, int32_t organization, bool disabled,
				  struct vw_error *err);
/* By id, those above `after`, at most `limit`. */
int vw_fleet_organization_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t after, size_t limit,
			       vw_organization ***out, size_t *out_count, struct vw_error *err);

int vw_fleet_token_create(struct vw_fleet_store *store, const vw_enrollment_token *token, struct vw_error *err);
int vw_fleet_token_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			vw_enrollment_token ***out, size_t *out_count, struct vw_error *err);
int vw_fleet_token_revoke(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
			  struct vw_error *err);
/* The token with this public id, of whichever organization: enrolment does not know it yet. */
int vw_fleet_token_get(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id,
		       vw_enrollment_token **out, struct vw_error *err);

int vw_fleet_user_create(struct vw_fleet_store *store, const vw_user *user, struct vw_error *err);
int vw_fleet_user_get(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id, vw_user **out,
		      struct vw_error *err);
/* `organization` 0: those of every organization and of none. */
int vw_fleet_user_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, vw_user ***out,
		       size_t *out_count, struct vw_error *err);
int vw_fleet_user_revoke(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
			 struct vw_error *err);

/* ---- Agents ---- */

/* Takes one use of the token and adds the agent, or, if one with this id and the same enrolment key is there, gives it the new pending serial
 * (and makes a revoked one active again only if `agent->status` says so). What was asked before with the same token and keys takes no second use
 * (vw_enrollment_is_again). VW_EAUTH: the token is unknown, used up, expired or revoked as of `now`, or the
 * organization is disabled; VW_EBUSY: the id is another one's. An id is one of its organization: the same in two is two agents. One transaction. */
int vw_fleet_agent_enroll(struct vw_fleet_store *store, const char *token_public_id, int64_t now,
			  const vw_agent *agent, struct vw_error *err);

/* The rules of enrolment and renewal, pure: stores follow them in their transactions, and enrolment asks them before it does any work. */

/* The agent asks again because it did not hear the answer: the same keys, the same token, and the certificate was never shown. `there` may be NULL. */
bool vw_enrollment_is_again(const vw_agent *there, const vw_agent *again, const char *token_public_id);
/* Neither revoked nor expired, and with a use left; of one who asks again that use was taken already. `token` may be NULL. */
bool vw_enrollment_token_is_good(const vw_enrollment_token *token, int64_t now, bool again);
/* The join sequence is one of those that the agent may hold now; an earlier one is a clone's. */
bool vw_agent_may_show(const vw_agent *agent, uint64_t join_sequence);

int vw_fleet_agent_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, vw_agent **out, struct vw_error *err);

struct vw_agent_query {
	const char *after;             /* agent id: those behind it; NULL: from the first */
	size_t limit;                  /* at most VW_MAX_PAGE */
	const char *text;              /* part of id, hostname or source, case ignored; NULL: all */
	const vw_agent_status *status; /* NULL: all */
	const bool *connected;         /* NULL: all */
};
/* By agent id. Presences are parallel; one that never connected is an empty message. */
int vw_fleet_agent_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const struct vw_agent_query *query, vw_agent ***out, vw_agent_presence ***out_presences,
			size_t *out_count, struct vw_error *err);
/* VW_ENOTFOUND. Active again is a status like the others. */
int vw_fleet_agent_set_status(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			      vw_agent_status status, const char *reason, const char *by, int64_t at,
			      struct vw_error *err);
/* A certificate was issued; it is used from the first stream on that shows it. */
int vw_fleet_agent_set_pending_serial(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
				      const char *serial, int64_t not_after, struct vw_error *err);

/* A stream begins. In one transaction: looks at the organization, the agent and the serial, activates a pending serial, compares join sequences and
 * gives the next one, and compares what the agent says of its ledger with what is stored. *out_rejection is 0 or a vw_rejection_reason (then nothing was
 * changed, but a clone, rollback or fork is put down as status QUARANTINED with its reason). */
struct vw_join {
	const char *serial;
	const vw_hello *hello;
	int64_t now;
};
int vw_fleet_agent_join(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const char *agent_id, const struct vw_join *join, vw_agent **out, int *out_rejection,
			struct vw_error *err);

/* Replaces it; not durable before the next write that is. */
int vw_fleet_presence_put(struct vw_fleet_store *store, const vw_agent_presence *presence, struct vw_error *err);
int vw_fleet_presence_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const char *agent_id, vw_agent_presence **out, struct vw_error *err);
/* At start, and when a replica is known to be gone: none of its agents is connected. */
int vw_fleet_presence_clear(struct vw_fleet_store *store, const char *replica, struct vw_error *err);

/* ---- Ingest ---- */

enum vw_ingest_outcome {
	VW_INGEST_STORED, /* all of it is durable, what had been there already included */
	VW_INGEST_GAP,    /* it begins behind what is stored; nothing was */
	VW_INGEST_FORK, /* it holds another entry under a stored sequence; kept in quarantine, the agent's status says so */
	VW_INGEST_REFUSED /* an entry that is none, or breaks the chain; entries before it are stored. Or the agent is not active, or
			     its organization is disabled; then nothing is */
};
struct vw_ingest_result {
	enum vw_ingest_outcome outcome;
	struct vw_chain chain; /* as stored now: the acknowledgement is of its head */
	size_t stored;         /* new entries */
	size_t duplicates;
	char reason[256]; /* of FORK and REFUSED */
};
/* One agent's batch, verified against what is stored (sequence and chain of each entry) and stored with everything that is read off it, in one
 * transaction. */
struct vw_ingest_batch {
	int32_t organization;
	const char *agent_id;
	const char *session_id;
	const vw_entry_batch *batch;
	int64_t now;
};
int vw_fleet_ingest(struct vw_fleet_store *store, struct vw_arena *arena, const struct vw_ingest_batch *batch,
		    struct vw_ingest_result *out, struct vw_error *err);

/* ---- What was ingested ---- */

/* A page of a listing: rows behind `cursor`, at most `limit` (1 to VW_MAX_PAGE; VW_EINVAL otherwise). `cursor` is what the last page gave as *out_cursor, opaque text; NULL: the first page.
 * *out_cursor is NULL with the last page. VW_EINVAL: no cursor of this listing. */
struct vw_page {
	const char *cursor;
	size_t limit;
};

/* By name: of the model, bytewise, then by version number, workspace, agent. By severity: of the worst open gap. */
enum vw_version_order { VW_BY_NAME, VW_BY_RECORDED, VW_BY_UPDATED, VW_BY_SEVERITY };
struct vw_version_query {
	const char *agent_id;  /* NULL: all; so for each that follows */
	const char *workspace; /* exactly */
	const char *model;     /* exactly */
	const char *
	    text; /* words, each found in model name or description (as far as the row has it), case ignored (of ASCII) */
	const char *stage, *owner, *risk;
	const vw_compliance_status *status;
	const vw_severity *severity; /* with an open gap of at least this */
	bool with_removed;
	enum vw_version_order order;
	bool descending;
};
int vw_fleet_version_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const struct vw_version_query *query, const struct vw_page *page, vw_version_row ***out,
			  size_t *out_count, char **out_cursor, struct vw_error *err);

struct vw_version_key {
	const char *agent_id, *workspace, *model, *version;
};
/* The newest state of one version, its row. The record itself is in the entry row->sequence; so it is with one that was removed, whose row is its last one
 * with removed_at. */
int vw_fleet_version_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			 const struct vw_version_key *key, vw_version_row **out, struct vw_error *err);
/* Sequences of all entries about one version, newest first. */
int vw_fleet_version_history(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			     const struct vw_version_key *key, const struct vw_page *page, uint64_t **out,
			     size_t *out_count, char **out_cursor, struct vw_error *err);

struct vw_gap_query {
	const char *agent_id, *model;
	const char *rule;
	const vw_severity *severity; /* at least */
	const char *framework;       /* has a clause of it */
};
int vw_fleet_gap_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const struct vw_gap_query *query, const struct vw_page *page, vw_gap_row ***out,
		      size_t *out_count, char **out_cursor, struct vw_error *err);

struct vw_event_query {
	const char *agent_id, *model, *field;
	int64_t since; /* recorded at; 0: all */
};
/* Newest first. */
int vw_fleet_event_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const struct vw_event_query *query, const struct vw_page *page, vw_event_row ***out,
			size_t *out_count, char **out_cursor, struct vw_error *err);

/* One agent's ledger as it was sent, from a sequence on: at most `limit` entries and VW_MAX_BATCH_BYTES of payload, but one if there is one. */
int vw_fleet_ledger_read(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			 const char *agent_id, uint64_t from, size_t limit, vw_chained_entry ***out,
			 size_t *out_count, struct vw_error *err);
int vw_fleet_quarantine_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			     const char *agent_id, vw_quarantined_entry ***out, size_t *out_count,
			     struct vw_error *err);

/* Counts for metrics and overview: of one organization, or of all with 0. */
struct vw_fleet_counts {
	int64_t organizations, agents, agents_connected, versions, versions_with_gaps, entries;
	int64_t gaps[5]; /* open, by severity from info */
};
int vw_fleet_count(struct vw_fleet_store *store, int32_t organization, struct vw_fleet_counts *out,
		   struct vw_error *err);

/* ---- Commands, desired files, secrets ---- */

/* VW_ELIMIT: VW_MAX_OPEN_COMMANDS. `command->command->content` of set_policy and set_configuration also becomes what the agent is desired to have (empty:
 * nothing), set_secrets does not store the secrets a second time. */
int vw_fleet_command_create(struct vw_fleet_store *store, const vw_stored_command *command, struct vw_error *err);
int vw_fleet_command_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *id,
			 vw_stored_command **out, struct vw_error *err);
/* Newest first; `agent_id` NULL: of all. */
int vw_fleet_command_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const char *agent_id, const struct vw_page *page, vw_stored_command ***out,
			  size_t *out_count, char **out_cursor, struct vw_error *err);
/* Those of one agent that are not finished, oldest first. What has expired before it was delivered is finished as EXPIRED here. */
int vw_fleet_command_open(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const char *agent_id, int64_t now, vw_stored_command ***out, size_t *out_count,
			  struct vw_error *err);
/* The agent's word; a finished command stays as it is. A policy or configuration that the agent could not or would not take over is no longer desired.
 * VW_ENOTFOUND: no such command of this agent. */
int vw_fleet_command_update(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			    const vw_command_update *update, struct vw_error *err);

/* A policy or configuration, by its SHA-256. */
int vw_fleet_file_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const uint8_t sha256[32], vw_stored_file **out, struct vw_error *err);

/* One name of one agent; its version must be one more than what is there (or 1): VW_EBUSY otherwise. VW_ELIMIT: VW_MAX_SECRETS, VW_MAX_SEALED. */
int vw_fleet_secret_put(struct vw_fleet_store *store, const vw_stored_secret *secret, struct vw_error *err);
int vw_fleet_secret_delete(struct vw_fleet_store *store, int32_t organization, const char *agent_id, const char *name,
			   struct vw_error *err);
int vw_fleet_secret_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			 const char *agent_id, vw_stored_secret ***out, size_t *out_count, struct vw_error *err);

/* ---- The controller's own trail ---- */

int vw_fleet_event_put(struct vw_fleet_store *store, const vw_controller_event *event, struct vw_error *err);
/* Newest first; `organization` 0: all. */
int vw_fleet_event_log(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const struct vw_page *page, vw_controller_event ***out, size_t *out_count, char **out_cursor,
		       struct vw_error *err);

/* ---- What changes, told to all replicas ---- */

enum vw_change_kind {
	VW_CHANGE_AGENT,        /* status, serial or organization: look whether its stream may go on */
	VW_CHANGE_COMMAND,      /* a command waits for this agent, or one of its commands moved */
	VW_CHANGE_RECORDS,      /* entries of this agent were stored */
	VW_CHANGE_PRESENCE,     /* it came or went */
	VW_CHANGE_ORGANIZATION, /* disabled or enabled; agent_id is "" */
	VW_CHANGE_LOST          /* changes may have been missed: look at everything again */
};
struct vw_change {
	enum vw_change_kind kind;
	int32_t organization;
	char agent_id[VW_AGENT_ID_MAX];
};
/* `each` is called from a thread of the store, soon after a change on any replica committed; it must not block nor call the store. One watcher; NULL ends it. */
void vw_fleet_watch(struct vw_fleet_store *store, void (*each)(const struct vw_change *change, void *arg), void *arg);

#endif
