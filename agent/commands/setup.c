#include "setup.h"

#include <stdlib.h>
#include <string.h>

int setup_open(const struct session *session, struct setup **out, struct vw_error *err)
{
	struct setup *setup = calloc(1, sizeof(*setup));
	if (!setup)
		return vw_error_set(err, VW_ENOMEM, "no memory for a configuration");
	setup->session = *session;
	int code = source_open(&setup->session, true, &setup->source, err);
	setup->session.trial = NULL;
	if (code < 0) {
		free(setup);
		return code;
	}
	*out = setup;
	return 0;
}

/* The state is bound to its folder and to the server that it was filled from. */
static int check_fixed(const struct vw_config *old, const struct vw_config *new, struct vw_error *err)
{
	if (strcmp(old->state_dir, new->state_dir) != 0)
		return vw_error_set(err, VW_ECONFIG,
				    "state_dir cannot change from %s to %s while running; restart instead",
				    old->state_dir, new->state_dir);
	if (new->mlflow.tracking_uri && strcmp(old->mlflow.tracking_uri, new->mlflow.tracking_uri) != 0)
		return vw_error_set(
		    err, VW_ECONFIG,
		    "mlflow.tracking_uri cannot change from %s to %s while running; for the same server under "
		    "a new address stop the agent and run vw-agent sync --accept-source once, for another server "
		    "use another state folder",
		    old->mlflow.tracking_uri, new->mlflow.tracking_uri);
	return 0;
}

int setup_renew(const struct vw_cli_invocation *in, const struct setup *old, const struct trial *trial,
		struct setup **out, struct vw_error *err)
{
	struct session session = {.store = old->session.store, .trial = trial};
	int code = config_try(in, trial ? &trial->files : NULL, &session.config, err);
	if (code < 0)
		return code;
	code = check_fixed(old->session.config, session.config, err);
	if (code == 0)
		code = setup_open(&session, out, err);
	if (code < 0)
		vw_config_close(session.config);
	return code;
}

int setup_refresh(struct setup *setup, struct vw_error *err)
{
	struct source *source = &setup->source;
	int code = vw_credentials_refresh(source->credentials, err);
	vw_credentials_label(source->credentials, vw_store_identity(setup->session.store)->fingerprint_key.data,
			     source->label);
	return code;
}

void setup_close(struct setup *setup)
{
	if (!setup)
		return;
	source_close(&setup->source);
	vw_config_close(setup->session.config);
	free(setup);
}
