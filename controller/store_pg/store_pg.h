/* store_pg.h: the PostgreSQL store's own parts. Each vw_pg_<name> of a table of functions does what store/store.h says of vw_fleet_<name>. */
#ifndef STORE_PG_STORE_PG_H
#define STORE_PG_STORE_PG_H

#include "backend.h"
#include "page.h"
#include "pool.h"
#include "row.h"
#include "transaction.h"

struct vw_pg_watch;

struct vw_pg_store {
	struct vw_fleet_store base; /* first */
	char *url, *role;           /* role NULL: the one that connects */
	struct vw_pg_pool *pool;
	struct vw_pg_watch *watch; /* NULL: nobody watches */
	bool verifywise;
};
static inline struct vw_pg_store *vw_pg_of(struct vw_fleet_store *store)
{
	return (struct vw_pg_store *)store;
}

/* ---- Shared by its files ---- */

/* At most VW_MAX_PAGE. */
int64_t vw_pg_limit(size_t limit);

/* Listings (page.h). A place is big-endian numbers and 16 bytes of uuids, `place_len` in all: zeros with the first page. VW_EINVAL. */
int vw_pg_page_read(const struct vw_listing *listing, const struct vw_page *page, size_t place_len,
		    struct vw_arena *arena, uint8_t *out_place, bool *out_first, struct vw_error *err);
int64_t vw_pg_place_int(const uint8_t *place);
/* The next result as a page: it was asked for one row more than page->limit, and its column `place` is where each row stands. */
struct vw_pg_page {
	void **rows;
	size_t count;
	char *cursor;
};
int vw_pg_page_rows(struct vw_pg_tx *tx, const ProtobufCMessageDescriptor *type, const struct vw_listing *listing,
		    const struct vw_page *page, struct vw_arena *arena, struct vw_pg_page *out);

/* The agent's row, locked to the transaction's end; queued, read by vw_pg_agent_read(). */
void vw_pg_agent_ask(struct vw_pg_tx *tx, const char *agent_id, bool lock);
/* VW_ENOTFOUND. */
int vw_pg_agent_read(struct vw_pg_tx *tx, const char *agent_id, struct vw_arena *arena, vw_agent **out);
/* The whole row. */
void vw_pg_agent_update(struct vw_pg_tx *tx, const vw_agent *agent);
void vw_pg_event_queue(struct vw_pg_tx *tx, const vw_controller_event *event);
/* $2 of the parameters. */
void vw_pg_agent_params(struct vw_pg_tx *tx, const char *agent_id, struct vw_pg_params *out);

#define VW_PG_KEY 16 /* bytes of a version_key */
void vw_pg_version_key(const char *workspace, const char *model, const char *version, uint8_t out[VW_PG_KEY]);
/* A version number as a bigint that sorts as the number does. */
int64_t vw_pg_version_order(const char *version);

/* ---- The table of functions ---- */

int vw_pg_organization_create(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			      const char *name, vw_organization **out, struct vw_error *err);
int vw_pg_organization_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			   vw_organization **out, struct vw_error *err);
int vw_pg_organization_disable(struct vw_fleet_store *store, int32_t organization, bool disabled,
			       struct vw_error *err);
int vw_pg_organization_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t after, size_t limit,
			    vw_organization ***out, size_t *out_count, struct vw_error *err);
int vw_pg_token_create(struct vw_fleet_store *store, const vw_enrollment_token *token, struct vw_error *err);
int vw_pg_token_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		     vw_enrollment_token ***out, size_t *out_count, struct vw_error *err);
int vw_pg_token_revoke(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
		       struct vw_error *err);
int vw_pg_token_get(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id,
		    vw_enrollment_token **out, struct vw_error *err);
int vw_pg_user_create(struct vw_fleet_store *store, const vw_user *user, struct vw_error *err);
int vw_pg_user_get(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id, vw_user **out,
		   struct vw_error *err);
int vw_pg_user_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, vw_user ***out,
		    size_t *out_count, struct vw_error *err);
int vw_pg_user_revoke(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
		      struct vw_error *err);
int vw_pg_agent_enroll(struct vw_fleet_store *store, const char *token_public_id, int64_t now, const vw_agent *agent,
		       struct vw_error *err);
int vw_pg_agent_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *agent_id,
		    vw_agent **out, struct vw_error *err);
int vw_pg_agent_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		     const struct vw_agent_query *query, vw_agent ***out, vw_agent_presence ***out_presences,
		     size_t *out_count, struct vw_error *err);
int vw_pg_agent_set_status(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			   vw_agent_status status, const char *reason, const char *by, int64_t at,
			   struct vw_error *err);
int vw_pg_agent_set_pending_serial(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
				   const char *serial, int64_t not_after, struct vw_error *err);
int vw_pg_agent_join(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *agent_id,
		     const struct vw_join *join, vw_agent **out, int *out_rejection, struct vw_error *err);
int vw_pg_presence_put(struct vw_fleet_store *store, const vw_agent_presence *presence, struct vw_error *err);
int vw_pg_presence_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, vw_agent_presence **out, struct vw_error *err);
int vw_pg_presence_clear(struct vw_fleet_store *store, const char *replica, struct vw_error *err);
int vw_pg_ingest(struct vw_fleet_store *store, struct vw_arena *arena, const struct vw_ingest_batch *batch,
		 struct vw_ingest_result *out, struct vw_error *err);
int vw_pg_version_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const struct vw_version_query *query, const struct vw_page *page, vw_version_row ***out,
		       size_t *out_count, char **out_cursor, struct vw_error *err);
int vw_pg_version_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const struct vw_version_key *key, vw_version_row **out, struct vw_error *err);
int vw_pg_version_history(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const struct vw_version_key *key, const struct vw_page *page, uint64_t **out,
			  size_t *out_count, char **out_cursor, struct vw_error *err);
int vw_pg_gap_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		   const struct vw_gap_query *query, const struct vw_page *page, vw_gap_row ***out, size_t *out_count,
		   char **out_cursor, struct vw_error *err);
int vw_pg_event_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		     const struct vw_event_query *query, const struct vw_page *page, vw_event_row ***out,
		     size_t *out_count, char **out_cursor, struct vw_error *err);
int vw_pg_ledger_read(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const char *agent_id, uint64_t from, size_t limit, vw_chained_entry ***out, size_t *out_count,
		      struct vw_error *err);
int vw_pg_quarantine_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const char *agent_id, vw_quarantined_entry ***out, size_t *out_count, struct vw_error *err);
int vw_pg_count(struct vw_fleet_store *store, int32_t organization, struct vw_fleet_counts *out,
		struct vw_error *err);
int vw_pg_command_create(struct vw_fleet_store *store, const vw_stored_command *command, struct vw_error *err);
int vw_pg_command_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *id,
		      vw_stored_command **out, struct vw_error *err);
int vw_pg_command_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, const struct vw_page *page, vw_stored_command ***out, size_t *out_count,
		       char **out_cursor, struct vw_error *err);
int vw_pg_command_open(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, int64_t now, vw_stored_command ***out, size_t *out_count,
		       struct vw_error *err);
int vw_pg_command_update(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			 const vw_command_update *update, struct vw_error *err);
int vw_pg_file_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		   const uint8_t sha256[32], vw_stored_file **out, struct vw_error *err);
int vw_pg_secret_put(struct vw_fleet_store *store, const vw_stored_secret *secret, struct vw_error *err);
int vw_pg_secret_delete(struct vw_fleet_store *store, int32_t organization, const char *agent_id, const char *name,
			struct vw_error *err);
int vw_pg_secret_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const char *agent_id, vw_stored_secret ***out, size_t *out_count, struct vw_error *err);
int vw_pg_event_put(struct vw_fleet_store *store, const vw_controller_event *event, struct vw_error *err);
int vw_pg_event_log(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		    const struct vw_page *page, vw_controller_event ***out, size_t *out_count, char **out_cursor,
		    struct vw_error *err);
void vw_pg_watch(struct vw_fleet_store *store, void (*each)(const struct vw_change *change, void *arg), void *arg);

#endif
