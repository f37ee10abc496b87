/* source.h: everything a sync works with, opened in the right order from a configuration. */
#ifndef COMMANDS_SOURCE_H
#define COMMANDS_SOURCE_H

#include "command.h"
#include "compliance/policy.h"
#include "sync/sync.h"

/* What a controller's command would put in place of what lies in the state; borrowed. */
struct trial {
	struct vw_config_given files;
	bool has_secrets;
	vw_held_secret *const *secrets;
	size_t secret_count;
};

struct source {
	struct vw_arena *arena;
	struct vw_credentials *credentials;
	struct vw_mlflow *client;
	struct vw_masker *masker;
	struct vw_mapping *mapping;
	struct vw_policy *policy;
	struct vw_scope scope;
	struct vw_sync_context context;
	struct vw_mlflow_settings settings;
	char label[VW_CREDENTIAL_LABEL];
};

/* With `ask` false there is no client: for judging again what is stored. VW_ECONFIG says what is missing. */
int source_open(const struct session *session, bool ask, struct source *out, struct vw_error *err);
void source_close(struct source *source);
/* The policy in force: the configured file or the built-in one; or what is tried. */
int policy_open(const struct session *session, struct vw_policy **out, struct vw_error *err);

#endif
