/* setup.h: one configuration with everything that was opened from it, so that a reload can make the next one beside it. */
#ifndef COMMANDS_SETUP_H
#define COMMANDS_SETUP_H

#include "source.h"

struct setup {
	struct session session; /* its store is borrowed */
	struct source source;
};

/* Takes the session's configuration over, on success only. */
int setup_open(const struct session *session, struct setup **out, struct vw_error *err);
/* Reads the configuration, policy and credentials anew, with `trial` (may be NULL) in place of what the controller gave. VW_ECONFIG for what cannot be taken over while running as well. */
int setup_renew(const struct vw_cli_invocation *in, const struct setup *old, const struct trial *trial,
		struct setup **out, struct vw_error *err);
/* Reads files of credentials that changed, so that what is asked next is asked, and recorded (S4.4), under the new one. Negative if one
 * cannot be read: the old one stays. */
int setup_refresh(struct setup *setup, struct vw_error *err);
/* Closes all but the store. NULL is fine. */
void setup_close(struct setup *setup);

#endif
