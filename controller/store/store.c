/* store.c: which store it is, and the way to it. */
#include "backend.h"

#include <string.h>

int vw_fleet_store_open(const struct vw_fleet_store_settings *settings, struct vw_fleet_store **out,
			struct vw_error *err)
{
	if (strncmp(settings->url, "lmdb:", 5) == 0)
		return vw_store_lmdb_open(settings, settings->url + 5, out, err);
	if (strncmp(settings->url, "postgresql://", 13) == 0 || strncmp(settings->url, "postgres://", 11) == 0)
		return vw_store_pg_open(settings, out, err);
	return vw_error_set(err, VW_ECONFIG, "store: %.40s names no store; say lmdb:FOLDER or postgresql://...",
			    settings->url);
}

void vw_fleet_store_close(struct vw_fleet_store *store)
{
	if (store)
		store->ops->close(store);
}

const char *vw_fleet_store_kind(const struct vw_fleet_store *store)
{
	return store->ops->kind;
}

int vw_fleet_store_ping(struct vw_fleet_store *store, struct vw_error *err)
{
	return store->ops->ping(store, err);
}

int vw_fleet_organization_create(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
				 const char *name, vw_organization **out, struct vw_error *err)
{
	return store->ops->organization_create(store, arena, organization, name, out, err);
}

int vw_fleet_organization_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			      vw_organization **out, struct vw_error *err)
{
	return store->ops->organization_get(store, arena, organization, out, err);
}

int vw_fleet_organization_disable(struct vw_fleet_store *store, int32_t organization, bool disabled,
				  struct vw_error *err)
{
	return store->ops->organization_disable(store, organization, disabled, err);
}

int vw_fleet_organization_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t after, size_t limit,
			       vw_organization ***out, size_t *out_count, struct vw_error *err)
{
	return store->ops->organization_list(store, arena, after, limit, out, out_count, err);
}

int vw_fleet_token_create(struct vw_fleet_store *store, const vw_enrollment_token *token, struct vw_error *err)
{
	return store->ops->token_create(store, token, err);
}

int vw_fleet_token_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			vw_enrollment_token ***out, size_t *out_count, struct vw_error *err)
{
	return store->ops->token_list(store, arena, organization, out, out_count, err);
}

int vw_fleet_token_revoke(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
			  struct vw_error *err)
{
	return store->ops->token_revoke(store, organization, public_id, at, err);
}

int vw_fleet_token_get(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id,
		       vw_enrollment_token **out, struct vw_error *err)
{
	return store->ops->token_get(store, arena, public_id, out, err);
}

int vw_fleet_user_create(struct vw_fleet_store *store, const vw_user *user, struct vw_error *err)
{
	return store->ops->user_create(store, user, err);
}

int vw_fleet_user_get(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id, vw_user **out,
		      struct vw_error *err)
{
	return store->ops->user_get(store, arena, public_id, out, err);
}

int vw_fleet_user_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, vw_user ***out,
		       size_t *out_count, struct vw_error *err)
{
	return store->ops->user_list(store, arena, organization, out, out_count, err);
}

int vw_fleet_user_revoke(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
			 struct vw_error *err)
{
	return store->ops->user_revoke(store, organization, public_id, at, err);
}

int vw_fleet_agent_enroll(struct vw_fleet_store *store, const char *token_public_id, int64_t now,
			  const vw_agent *agent, struct vw_error *err)
{
	return store->ops->agent_enroll(store, token_public_id, now, agent, err);
}

int vw_fleet_agent_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, vw_agent **out, struct vw_error *err)
{
	return store->ops->agent_get(store, arena, organization, agent_id, out, err);
}

int vw_fleet_agent_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const struct vw_agent_query *query, vw_agent ***out, vw_agent_presence ***out_presences,
			size_t *out_count, struct vw_error *err)
{
	return store->ops->agent_list(store, arena, organization, query, out, out_presences, out_count, err);
}

int vw_fleet_agent_set_status(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			      vw_agent_status status, const char *reason, const char *by, int64_t at,
			      struct vw_error *err)
{
	return store->ops->agent_set_status(store, organization, agent_id, status, reason, by, at, err);
}

int vw_fleet_agent_set_pending_serial(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
				      const char *serial, int64_t not_after, struct vw_error *err)
{
	return store->ops->agent_set_pending_serial(store, organization, agent_id, serial, not_after, err);
}

int vw_fleet_agent_join(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const char *agent_id, const struct vw_join *join, vw_agent **out, int *out_rejection,
			struct vw_error *err)
{
	return store->ops->agent_join(store, arena, organization, agent_id, join, out, out_rejection, err);
}

int vw_fleet_presence_put(struct vw_fleet_store *store, const vw_agent_presence *presence, struct vw_error *err)
{
	return store->ops->presence_put(store, presence, err);
}

int vw_fleet_presence_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const char *agent_id, vw_agent_presence **out, struct vw_error *err)
{
	return store->ops->presence_get(store, arena, organization, agent_id, out, err);
}

int vw_fleet_presence_clear(struct vw_fleet_store *store, const char *replica, struct vw_error *err)
{
	return store->ops->presence_clear(store, replica, err);
}

int vw_fleet_ingest(struct vw_fleet_store *store, struct vw_arena *arena, const struct vw_ingest_batch *batch,
		    struct vw_ingest_result *out, struct vw_error *err)
{
	return store->ops->ingest(store, arena, batch, out, err);
}

int vw_fleet_version_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const struct vw_version_query *query, const struct vw_page *page, vw_version_row ***out,
			  size_t *out_count, char **out_cursor, struct vw_error *err)
{
	return store->ops->version_list(store, arena, organization, query, page, out, out_count, out_cursor, err);
}

int vw_fleet_version_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			 const struct vw_version_key *key, vw_version_row **out, struct vw_error *err)
{
	return store->ops->version_get(store, arena, organization, key, out, err);
}

int vw_fleet_version_history(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			     const struct vw_version_key *key, const struct vw_page *page, uint64_t **out,
			     size_t *out_count, char **out_cursor, struct vw_error *err)
{
	return store->ops->version_history(store, arena, organization, key, page, out, out_count, out_cursor, err);
}

int vw_fleet_gap_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const struct vw_gap_query *query, const struct vw_page *page, vw_gap_row ***out,
		      size_t *out_count, char **out_cursor, struct vw_error *err)
{
	return store->ops->gap_list(store, arena, organization, query, page, out, out_count, out_cursor, err);
}

int vw_fleet_event_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const struct vw_event_query *query, const struct vw_page *page, vw_event_row ***out,
			size_t *out_count, char **out_cursor, struct vw_error *err)
{
	return store->ops->event_list(store, arena, organization, query, page, out, out_count, out_cursor, err);
}

int vw_fleet_ledger_read(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			 const char *agent_id, uint64_t from, size_t limit, vw_chained_entry ***out,
			 size_t *out_count, struct vw_error *err)
{
	return store->ops->ledger_read(store, arena, organization, agent_id, from, limit, out, out_count, err);
}

int vw_fleet_quarantine_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			     const char *agent_id, vw_quarantined_entry ***out, size_t *out_count,
			     struct vw_error *err)
{
	return store->ops->quarantine_list(store, arena, organization, agent_id, out, out_count, err);
}

int vw_fleet_count(struct vw_fleet_store *store, int32_t organization, struct vw_fleet_counts *out,
		   struct vw_error *err)
{
	return store->ops->count(store, organization, out, err);
}

int vw_fleet_command_create(struct vw_fleet_store *store, const vw_stored_command *command, struct vw_error *err)
{
	return store->ops->command_create(store, command, err);
}

int vw_fleet_command_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *id,
			 vw_stored_command **out, struct vw_error *err)
{
	return store->ops->command_get(store, arena, organization, id, out, err);
}

int vw_fleet_command_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const char *agent_id, const struct vw_page *page, vw_stored_command ***out,
			  size_t *out_count, char **out_cursor, struct vw_error *err)
{
	return store->ops->command_list(store, arena, organization, agent_id, page, out, out_count, out_cursor, err);
}

int vw_fleet_command_open(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const char *agent_id, int64_t now, vw_stored_command ***out, size_t *out_count,
			  struct vw_error *err)
{
	return store->ops->command_open(store, arena, organization, agent_id, now, out, out_count, err);
}

int vw_fleet_command_update(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			    const vw_command_update *update, struct vw_error *err)
{
	return store->ops->command_update(store, organization, agent_id, update, err);
}

int vw_fleet_file_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const uint8_t sha256[32], vw_stored_file **out, struct vw_error *err)
{
	return store->ops->file_get(store, arena, organization, sha256, out, err);
}

int vw_fleet_secret_put(struct vw_fleet_store *store, const vw_stored_secret *secret, struct vw_error *err)
{
	return store->ops->secret_put(store, secret, err);
}

int vw_fleet_secret_delete(struct vw_fleet_store *store, int32_t organization, const char *agent_id, const char *name,
			   struct vw_error *err)
{
	return store->ops->secret_delete(store, organization, agent_id, name, err);
}

int vw_fleet_secret_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			 const char *agent_id, vw_stored_secret ***out, size_t *out_count, struct vw_error *err)
{
	return store->ops->secret_list(store, arena, organization, agent_id, out, out_count, err);
}

int vw_fleet_event_put(struct vw_fleet_store *store, const vw_controller_event *event, struct vw_error *err)
{
	return store->ops->event_put(store, event, err);
}

int vw_fleet_event_log(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const struct vw_page *page, vw_controller_event ***out, size_t *out_count, char **out_cursor,
		       struct vw_error *err)
{
	return store->ops->event_log(store, arena, organization, page, out, out_count, out_cursor, err);
}

void vw_fleet_watch(struct vw_fleet_store *store, void (*each)(const struct vw_change *change, void *arg), void *arg)
{
	store->ops->watch(store, each, arg);
}
