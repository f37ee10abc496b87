/* daemon.h: what the daemon's files share: daemon.c lives and waits, daemon_cycle.c syncs and tells, daemon_reload.c takes over what is new. */
#ifndef COMMANDS_DAEMON_H
#define COMMANDS_DAEMON_H

#include "cli/notify.h"
#include "health.h"
#include "remote.h"
#include "schedule.h"
#include "setup.h"

struct daemon {
	const struct vw_cli_invocation *in;
	struct vw_store *store;
	struct setup *setup;
	struct schedule schedule;
	struct vw_cli_notifier notifier;
	struct health *health; /* NULL: off */
	struct health_facts facts;
	struct remote *remote; /* the controller's side; NULL: not enrolled */
	bool counted;          /* the census is of what is stored */
	int64_t listed_models; /* by the last sync */
};

static inline const struct vw_config *daemon_config(const struct daemon *d)
{
	return d->setup->session.config;
}

/* ---- daemon_cycle.c ---- */

/* Health, metrics and the controller get the facts as they are now. */
void daemon_publish(struct daemon *d);
/* The census, as far as `changed` makes it necessary. */
void daemon_count(struct daemon *d, bool changed);
/* The current setup's syncs give signs of life. */
void daemon_watch(struct daemon *d);
/* One cycle; `model` NULL: all of them. Negative: it failed, and `result` says how far it came. */
int daemon_sync(struct daemon *d, enum vw_depth depth, const char *model, struct vw_sync_result *result,
		struct vw_error *err);

/* ---- daemon_reload.c ---- */

/* SIGHUP: everything read anew and taken over, or nothing; the uplink begins anew. */
void daemon_reload(struct daemon *d);
/* Health and metrics, of the daemon and its uplink; the uplink must be open already, so that no answer says that there is none. */
int daemon_open_health(struct daemon *d, const char *listen, struct health **out, struct vw_error *err);
/* What a command may ask for. */
struct remote_host daemon_host(struct daemon *d);

#endif
