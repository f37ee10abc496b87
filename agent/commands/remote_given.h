/* remote_given.h: what the controller gave: a policy, settings, credentials. */
#ifndef COMMANDS_REMOTE_GIVEN_H
#define COMMANDS_REMOTE_GIVEN_H

#include "remote.h"

/* Tried, kept and taken over, or nothing; `arena` for the call. */
int remote_take_policy(const struct remote_host *host, const char *state_dir, const vw_command *command,
		       struct vw_arena *arena, struct vw_error *err);
int remote_take_configuration(const struct remote_host *host, const char *state_dir, const vw_command *command,
			      struct vw_arena *arena, struct vw_error *err);
/* Credentials that an operator sealed to this agent: they lie sealed in the store and are opened in memory only (S4.2, S11.1). Each that is new or gone gets
 * an audit entry with its fingerprint. */
int remote_take_secrets(const struct remote_host *host, struct vw_store *store, const char *state_dir,
			const vw_command *command, struct vw_arena *arena, struct vw_error *err);

/* The state names the files that are in force, whatever happened to them: a crash, a backup put back, a file deleted, a refusal in the local configuration. */
int remote_settle(const struct vw_config *config, struct vw_store *store, struct vw_arena *arena,
		  struct vw_error *err);

#endif
