/* backend.h: the table of functions that a store is. What each does is said in store/store.h; the names are the same. */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "store/store.h"

struct vw_fleet_ops {
	const char *kind;
	void (*close)(struct vw_fleet_store *store);
	int (*ping)(struct vw_fleet_store *store, struct vw_error *err);
	int (*organization_create)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
				   const char *name, vw_organization **out, struct vw_error *err);
	int (*organization_get)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
				vw_organization **out, struct vw_error *err);
	int (*organization_disable)(struct vw_fleet_store *store, int32_t organization, bool disabled,
				    struct vw_error *err);
	int (*organization_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t after, size_t limit,
				 vw_organization ***out, size_t *out_count, struct vw_error *err);
	int (*token_create)(struct vw_fleet_store *store, const vw_enrollment_token *token, struct vw_error *err);
	int (*token_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  vw_enrollment_token ***out, size_t *out_count, struct vw_error *err);
	int (*token_revoke)(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
			    struct vw_error *err);
	int (*token_get)(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id,
			 vw_enrollment_token **out, struct vw_error *err);
	int (*user_create)(struct vw_fleet_store *store, const vw_user *user, struct vw_error *err);
	int (*user_get)(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id, vw_user **out,
			struct vw_error *err);
	int (*user_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, vw_user ***out,
			 size_t *out_count, struct vw_error *err);
	int (*user_revoke)(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
			   struct vw_error *err);
	int (*agent_enroll)(struct vw_fleet_store *store, const char *token_public_id, int64_t now,
			    const vw_agent *agent, struct vw_error *err);
	int (*agent_get)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			 const char *agent_id, vw_agent **out, struct vw_error *err);
	int (*agent_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const struct vw_agent_query *query, vw_agent ***out, vw_agent_presence ***out_presences,
			  size_t *out_count, struct vw_error *err);
	int (*agent_set_status)(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
				vw_agent_status status, const char *reason, const char *by, int64_t at,
				struct vw_error *err);
	int (*agent_set_pending_serial)(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
					const char *serial, int64_t not_after, struct vw_error *err);
	int (*agent_join)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const char *agent_id, const struct vw_join *join, vw_agent **out, int *out_rejection,
			  struct vw_error *err);
	int (*presence_put)(struct vw_fleet_store *store, const vw_agent_presence *presence, struct vw_error *err);
	int (*presence_get)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			    const char *agent_id, vw_agent_presence **out, struct vw_error *err);
	int (*presence_clear)(struct vw_fleet_store *store, const char *replica, struct vw_error *err);
	int (*ingest)(struct vw_fleet_store *store, struct vw_arena *arena, const struct vw_ingest_batch *batch,
		      struct vw_ingest_result *out, struct vw_error *err);
	int (*version_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			    const struct vw_version_query *query, const struct vw_page *page, vw_version_row ***out,
			    size_t *out_count, char **out_cursor, struct vw_error *err);
	int (*version_get)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			   const struct vw_version_key *key, vw_version_row **out, struct vw_error *err);
	int (*version_history)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			       const struct vw_version_key *key, const struct vw_page *page, uint64_t **out,
			       size_t *out_count, char **out_cursor, struct vw_error *err);
	int (*gap_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const struct vw_gap_query *query, const struct vw_page *page, vw_gap_row ***out,
			size_t *out_count, char **out_cursor, struct vw_error *err);
	int (*event_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const struct vw_event_query *query, const struct vw_page *page, vw_event_row ***out,
			  size_t *out_count, char **out_cursor, struct vw_error *err);
	int (*ledger_read)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			   const char *agent_id, uint64_t from, size_t limit, vw_chained_entry ***out,
			   size_t *out_count, struct vw_error *err);
	int (*quarantine_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			       const char *agent_id, vw_quarantined_entry ***out, size_t *out_count,
			       struct vw_error *err);
	int (*count)(struct vw_fleet_store *store, int32_t organization, struct vw_fleet_counts *out,
		     struct vw_error *err);
	int (*command_create)(struct vw_fleet_store *store, const vw_stored_command *command, struct vw_error *err);
	int (*command_get)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *id,
			   vw_stored_command **out, struct vw_error *err);
	int (*command_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			    const char *agent_id, const struct vw_page *page, vw_stored_command ***out,
			    size_t *out_count, char **out_cursor, struct vw_error *err);
	int (*command_open)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			    const char *agent_id, int64_t now, vw_stored_command ***out, size_t *out_count,
			    struct vw_error *err);
	int (*command_update)(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			      const vw_command_update *update, struct vw_error *err);
	int (*file_get)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			const uint8_t sha256[32], vw_stored_file **out, struct vw_error *err);
	int (*secret_put)(struct vw_fleet_store *store, const vw_stored_secret *secret, struct vw_error *err);
	int (*secret_delete)(struct vw_fleet_store *store, int32_t organization, const char *agent_id,
			     const char *name, struct vw_error *err);
	int (*secret_list)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			   const char *agent_id, vw_stored_secret ***out, size_t *out_count, struct vw_error *err);
	int (*event_put)(struct vw_fleet_store *store, const vw_controller_event *event, struct vw_error *err);
	int (*event_log)(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			 const struct vw_page *page, vw_controller_event ***out, size_t *out_count, char **out_cursor,
			 struct vw_error *err);
	void (*watch)(struct vw_fleet_store *store, void (*each)(const struct vw_change *change, void *arg),
		      void *arg);
};

/* The first member of every store. */
struct vw_fleet_store {
	const struct vw_fleet_ops *ops;
};

int vw_store_lmdb_open(const struct vw_fleet_store_settings *settings, const char *folder,
		       struct vw_fleet_store **out, struct vw_error *err);
int vw_store_pg_open(const struct vw_fleet_store_settings *settings, struct vw_fleet_store **out,
		     struct vw_error *err);

#endif
