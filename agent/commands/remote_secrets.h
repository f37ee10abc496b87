/* remote_secrets.h: credentials that an operator handed over, sealed to this agent. They lie sealed in the state, and are opened in memory only (S4.2, S11.1). */
#ifndef COMMANDS_REMOTE_SECRETS_H
#define COMMANDS_REMOTE_SECRETS_H

#include "storage/uplink.h"

/* Opens each to see that it can be, names it by its fingerprint, and stores the set in place of the old one, with an audit entry for each that is new or gone. */
int remote_secrets_take(struct vw_store *store, const char *state_dir, const vw_command *command,
			struct vw_arena *arena, struct vw_error *err);

#endif
