/* daemon_reload.c: another configuration, policy or credential, and what the controller may ask for. */
#include "daemon.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

/* ---- reload ---- */

static bool look_at_uplink(void *arg, struct vw_uplink_status *out)
{
	return remote_status(arg, out);
}

int daemon_open_health(struct daemon *d, const char *listen, struct health **out, struct vw_error *err)
{
	return health_open(listen, &d->facts, look_at_uplink, d->remote, out, err);
}

static bool same_address(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void refuse(struct daemon *d, const struct vw_error *err)
{
	vw_log(VW_LOG_WARN, "reload_refused", VW_LOG_S("error", vw_code_name(err->code)),
	       VW_LOG_S("reason", err->message), VW_LOG_S("effect", "the old configuration stays in force"));
	d->facts.reloads_refused++;
	d->facts.reload_refused = true;
	daemon_publish(d);
}

static void take_over(struct daemon *d, struct setup *next)
{
	const struct vw_config *config = next->session.config;
	bool changed = memcmp(config->sha256, daemon_config(d)->sha256, sizeof(config->sha256)) != 0;
	setup_close(d->setup);
	d->setup = next;
	daemon_watch(d);
	vw_log_setup(config->log_level, config->log_format);
	schedule_change(&d->schedule, config->quick_interval_ms, config->full_interval_ms,
			changed ? VW_DEPTH_FULL : VW_DEPTH_QUICK, vw_clock_monotonic());
	vw_log(VW_LOG_INFO, "reloaded", VW_LOG_S("config", config->path ? config->path : "none"),
	       VW_LOG_S("changed", changed ? "yes" : "no"), VW_LOG_S("policy", vw_policy_id(next->source.policy)),
	       VW_LOG_S("credential", next->source.label));
	d->facts.reloads++;
	d->facts.reload_refused = false;
	daemon_publish(d);
}

/* What is kept last, and may fail. */
struct keep {
	int (*call)(void *arg, struct vw_error *err); /* NULL: nothing */
	void *arg;
};

/* Everything read anew and taken over, or nothing. The new health server listens before the old one goes. */
static int reload_now(struct daemon *d, const struct trial *trial, const struct keep *keep, struct vw_error *err)
{
	struct setup *next = NULL;
	struct health *health = NULL;
	int code = setup_renew(d->in, d->setup, trial, &next, err);
	if (code < 0)
		return code;
	const char *listen = next->session.config->listen;
	bool moves = !same_address(listen, daemon_config(d)->listen);
	if (moves && listen)
		code = daemon_open_health(d, listen, &health, err);
	if (code == 0 && keep->call)
		code = keep->call(keep->arg, err);
	if (code < 0) {
		health_close(health);
		setup_close(next);
		return code;
	}
	if (moves) {
		health_close(d->health);
		d->health = health;
	}
	take_over(d, next);
	return 0;
}

/* The uplink's own settings may be others now: its stream begins anew. */
void daemon_reload(struct daemon *d)
{
	struct vw_error err = VW_ERROR_INIT;
	const struct keep nothing = {NULL, NULL};
	vw_cli_notify_reloading(&d->notifier);
	if (reload_now(d, NULL, &nothing, &err) < 0)
		refuse(d, &err);
	else
		remote_restart(d->remote, daemon_config(d));
	vw_cli_notify_state(&d->notifier, "READY=1", NULL);
}

/* ---- what the controller may ask for ---- */

static int host_sync(void *arg, enum vw_depth depth, const char *model, struct vw_sync_result *out,
		     struct vw_error *err)
{
	return daemon_sync(arg, depth, model, out, err);
}

static int host_reevaluate(void *arg, struct vw_sync_result *out, struct vw_error *err)
{
	struct daemon *d = arg;
	int code = vw_sync_reevaluate(&d->setup->source.context, out, err);
	daemon_count(d, true);
	daemon_publish(d);
	return code;
}

static int host_reload(void *arg, const struct trial *trial, int (*call)(void *keep_arg, struct vw_error *err),
		       void *keep_arg, struct vw_error *err)
{
	const struct keep keep = {call, keep_arg};
	return reload_now(arg, trial, &keep, err);
}

/* A pause is no lack of progress, also when it is over. */
static void host_pause(void *arg)
{
	struct daemon *d = arg;
	if (!remote_paused(d->remote))
		d->facts.alive_mono = vw_clock_monotonic();
	daemon_publish(d);
}

static int host_diagnose(void *arg, struct vw_buffer *out, struct vw_error *err)
{
	const struct daemon *d = arg;
	struct vw_uplink_status status;
	bool live = remote_status(d->remote, &status);
	return diagnose_write(&d->setup->session, live ? &status : NULL, out, err);
}

struct remote_host daemon_host(struct daemon *d)
{
	return (struct remote_host){d, host_sync, host_reevaluate, host_reload, host_pause, host_diagnose};
}
