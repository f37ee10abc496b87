/* routes.h: the functions behind routes.c's table, by what they are about. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "visit.h"

/* tenants.c */
int api_organization_list(struct visit *v, struct vw_error *err);
int api_organization_create(struct visit *v, struct vw_error *err);
int api_organization_get(struct visit *v, struct vw_error *err);
int api_organization_disable(struct visit *v, struct vw_error *err);
int api_organization_enable(struct visit *v, struct vw_error *err);
int api_token_list(struct visit *v, struct vw_error *err);
int api_token_create(struct visit *v, struct vw_error *err);
int api_token_revoke(struct visit *v, struct vw_error *err);
int api_user_list(struct visit *v, struct vw_error *err);
int api_user_create(struct visit *v, struct vw_error *err);
int api_user_revoke(struct visit *v, struct vw_error *err);
int api_trail(struct visit *v, struct vw_error *err);

/* agents.c */
int api_agent_list(struct visit *v, struct vw_error *err);
int api_agent_get(struct visit *v, struct vw_error *err);
int api_agent_revoke(struct visit *v, struct vw_error *err);
int api_agent_activate(struct visit *v, struct vw_error *err);
int api_agent_quarantine(struct visit *v, struct vw_error *err);

/* secrets.c */
int api_secret_list(struct visit *v, struct vw_error *err);
int api_secret_put(struct visit *v, struct vw_error *err);
int api_secret_delete(struct visit *v, struct vw_error *err);

/* commands.c */
int api_command_create(struct visit *v, struct vw_error *err);
int api_command_create_for_all(struct visit *v, struct vw_error *err);
int api_command_list(struct visit *v, struct vw_error *err);
int api_command_list_of_agent(struct visit *v, struct vw_error *err);
int api_command_get(struct visit *v, struct vw_error *err);
/* Makes and stores a command of this kind for the agent; its id in the arena. */
int api_command_store(struct visit *v, const char *agent_id, vw_command *command, struct vw_error *err);

/* records.c */
int api_record_list(struct visit *v, struct vw_error *err);
int api_record_get(struct visit *v, struct vw_error *err);
int api_record_history(struct visit *v, struct vw_error *err);

/* export.c */
int api_record_export(struct visit *v, struct vw_error *err);

/* inventory.c */
int api_overview(struct visit *v, struct vw_error *err);
int api_gap_list(struct visit *v, struct vw_error *err);
int api_event_list(struct visit *v, struct vw_error *err);
int api_changes(struct visit *v, struct vw_error *err);

/* ledgers.c */
int api_ledger_read(struct visit *v, struct vw_error *err);
int api_ledger_verify(struct visit *v, struct vw_error *err);

/* evidence.c */
int api_ledger_export(struct visit *v, struct vw_error *err);
int api_ledger_export_all(struct visit *v, struct vw_error *err);

/* system.c */
int api_enroll_authorities(struct visit *v, struct vw_error *err);
int api_enroll_enroll(struct visit *v, struct vw_error *err);
int api_enroll_renew(struct visit *v, struct vw_error *err);
int api_health(struct visit *v, struct vw_error *err);
int api_ready(struct visit *v, struct vw_error *err);
int api_metrics(struct visit *v, struct vw_error *err);
int api_openapi(struct visit *v, struct vw_error *err);

#endif
