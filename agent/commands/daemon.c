/* daemon.c: `run`: stays, syncs on a schedule, answers SIGHUP, and says how it is doing. */
#include "command.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "cli/notify.h"
#include "health.h"
#include "remote.h"
#include "schedule.h"
#include "setup.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LONGEST_WAIT_MS 3600000

struct daemon {
	const struct vw_cli_invocation *in;
	struct vw_store *store;
	struct setup *setup;
	struct schedule schedule;
	struct vw_cli_notifier notifier;
	struct health *health; /* NULL: off */
	struct health_facts facts;
	struct remote *remote; /* the uplink; NULL: not enrolled */
	bool paused;           /* by the controller */
	bool counted;          /* the census is of what is stored */
	int64_t listed_models; /* by the last sync */
};

static volatile sig_atomic_t reload_wanted;

static void on_hangup(int number)
{
	(void)number;
	reload_wanted = 1;
}

static void catch_hangup(void)
{
	struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	sigaction(SIGHUP, &action, NULL);
}

static const struct vw_config *config_of(const struct daemon *d)
{
	return d->setup->session.config;
}

/* ---- what is told to the outside ---- */

static int64_t wall_of(int64_t monotonic)
{
	return vw_clock_now() + monotonic - vw_clock_monotonic();
}

static void publish(struct daemon *d)
{
	d->facts.stale_ms = 3 * config_of(d)->quick_interval_ms;
	d->facts.failures = d->schedule.failures;
	d->facts.next_due_at = d->facts.running ? 0 : wall_of(schedule_due(&d->schedule));
	health_publish(d->health, &d->facts);
	remote_tell(d->remote, &d->facts, d->setup->source.label, d->paused);
}

/* A census that fails leaves the old numbers; the next sync tries again, and says what is wrong with the store itself. */
static void count(struct daemon *d, bool changed)
{
	struct vw_error err = VW_ERROR_INIT;
	int code;
	if (changed)
		d->counted = false;
	if (d->counted) {
		code = census_sizes(d->store, &d->facts.census, &err);
	} else {
		code = census_take(d->store, &d->facts.census, &err);
		d->counted = code == 0;
	}
	if (code < 0 && code != VW_ECANCELLED)
		vw_log(VW_LOG_WARN, "count_failed", VW_LOG_S("error", vw_code_name(code)),
		       VW_LOG_S("reason", err.message));
}

static void tell_status(const struct daemon *d)
{
	char text[256], at[VW_TIME_TEXT];
	const struct census *c = &d->facts.census;
	int64_t versions = 0;
	for (int i = 0; i < CENSUS_STATUSES; i++)
		versions += c->versions[i];
	snprintf(text, sizeof(text), "%lld versions of %lld models; last sync %s%s%s", (long long)versions,
		 (long long)c->models,
		 d->facts.last.finished_at ? health_outcome_name(d->facts.last.outcome) : "not yet",
		 d->facts.last.finished_at ? " at " : "",
		 d->facts.last.finished_at ? vw_clock_format(d->facts.last.finished_at, at) : "");
	vw_cli_notify_status(&d->notifier, text);
}

static void log_sync(enum vw_depth depth, const struct vw_sync_result *r)
{
	const vw_sync_counts *c = &r->counts;
	enum vw_log_level level = VW_LOG_INFO;
	if (r->outcome == VW_SYNC_FAILED)
		level = VW_LOG_ERROR;
	else if (r->outcome == VW_SYNC_SUSPECT)
		level = VW_LOG_WARN;
	vw_log(level, "sync_finished", VW_LOG_S("depth", health_depth_name(depth)),
	       VW_LOG_S("outcome", health_outcome_name(r->outcome)), VW_LOG_S("sync_id", r->sync_id),
	       VW_LOG_S("error", r->reason.code < 0 ? vw_code_name(r->reason.code) : "none"),
	       VW_LOG_S("reason", r->reason.message), VW_LOG_I("models", c->models),
	       VW_LOG_I("versions", c->versions), VW_LOG_I("created", c->created), VW_LOG_I("updated", c->updated),
	       VW_LOG_I("unchanged", c->unchanged), VW_LOG_I("removed", c->removed),
	       VW_LOG_I("incomplete", c->incomplete), VW_LOG_I("skipped", c->skipped),
	       VW_LOG_I("reevaluated", c->reevaluated), VW_LOG_I("requests", c->requests),
	       VW_LOG_I("retries", c->retries), VW_LOG_I("bytes_received", c->bytes_received),
	       VW_LOG_I("duration_ms", r->duration_ms));
}

/* ---- one cycle ---- */

static void take_result(struct daemon *d, enum vw_depth depth, int code, const struct vw_sync_result *r)
{
	struct health_facts *f = &d->facts;
	int64_t now = vw_clock_now();
	f->running = false;
	f->last.finished_at = now;
	f->last.depth = depth;
	f->last.outcome = r->outcome;
	f->last.code = code < 0 ? code : r->reason.code;
	f->duration_ms[depth] = r->duration_ms;
	f->syncs[depth][r->outcome]++;
	f->requests += (uint64_t)r->counts.requests;
	f->retries += (uint64_t)r->counts.retries;
	f->bytes_received += (uint64_t)r->counts.bytes_received;
	if (r->outcome != VW_SYNC_OK)
		return;
	f->success_at[depth] = now;
	f->alive_mono = vw_clock_monotonic();
	f->ready = f->ready || depth == VW_DEPTH_FULL;
}

/* From 0 to 1. */
static double random_part(void)
{
	uint32_t bits;
	vw_random_bytes(&bits, sizeof(bits));
	return (double)bits / 4294967296.0;
}

static bool changed_something(struct daemon *d, const vw_sync_counts *c)
{
	bool models = c->models != d->listed_models;
	d->listed_models = c->models;
	return models || c->created || c->updated || c->removed || c->reevaluated;
}

/* One cycle; `model` NULL: all of them. Negative: it failed, and `result` says how far it came. */
static int sync_now(struct daemon *d, enum vw_depth depth, const char *model, struct vw_sync_result *result,
		    struct vw_error *err)
{
	struct vw_sync_options options = {
	    .depth = depth, .model = model, .connections = config_of(d)->mlflow.connections};
	if (setup_refresh(d->setup, err) < 0)
		vw_log(VW_LOG_WARN, "credential_kept", VW_LOG_S("reason", err->message),
		       VW_LOG_S("effect", "the one that was read before is used"));
	d->facts.running = true;
	publish(d);
	vw_log(VW_LOG_DEBUG, "sync_started", VW_LOG_S("depth", health_depth_name(depth)));
	int code = vw_sync_run(&d->setup->source.context, &options, result, err);
	if (code < 0)
		result->reason = *err;
	log_sync(depth, result);
	take_result(d, depth, code, result);
	if (!model) /* one model is no cycle of the schedule */
		schedule_done(&d->schedule, depth, result->outcome == VW_SYNC_FAILED, vw_clock_monotonic(),
			      random_part());
	count(d, changed_something(d, &result->counts));
	publish(d);
	tell_status(d);
	return code;
}

static void cycle(struct daemon *d)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_sync_result result;
	sync_now(d, schedule_depth(&d->schedule, vw_clock_monotonic()), NULL, &result, &err);
}

static void tick(void *arg)
{
	struct daemon *d = arg;
	vw_cli_notify_alive(&d->notifier);
}

static void progress(const struct vw_progress *done, void *arg)
{
	struct daemon *d = arg;
	tick(d);
	remote_progress(d->remote, done);
}

/* Signs of life while a sync runs: when a step is done, and while it waits for the server. */
static void watch(struct daemon *d)
{
	struct source *source = &d->setup->source;
	source->context.progress = progress;
	source->context.progress_arg = d;
	vw_mlflow_on_tick(source->client, tick, d);
}

/* ---- reload ---- */

/* The new health server listens before the old one goes, unless the address is the same. */
static int move_health(struct daemon *d, const char *listen, struct vw_error *err)
{
	const char *old = config_of(d)->listen;
	struct health *health = NULL;
	if (old && listen && strcmp(old, listen) == 0)
		return 0;
	int code = listen ? health_open(listen, &d->facts, &health, err) : 0;
	if (code < 0)
		return code;
	health_close(d->health);
	d->health = health;
	return 0;
}

static void refuse(struct daemon *d, const struct vw_error *err)
{
	vw_log(VW_LOG_WARN, "reload_refused", VW_LOG_S("error", vw_code_name(err->code)),
	       VW_LOG_S("reason", err->message), VW_LOG_S("effect", "the old configuration stays in force"));
	d->facts.reloads_refused++;
	d->facts.reload_refused = true;
	publish(d);
}

static void take_over(struct daemon *d, struct setup *next)
{
	const struct vw_config *config = next->session.config;
	bool changed = memcmp(config->sha256, config_of(d)->sha256, sizeof(config->sha256)) != 0;
	setup_close(d->setup);
	d->setup = next;
	watch(d);
	vw_log_setup(config->log_level, config->log_format);
	schedule_change(&d->schedule, config->quick_interval_ms, config->full_interval_ms,
			changed ? VW_DEPTH_FULL : VW_DEPTH_QUICK, vw_clock_monotonic());
	vw_log(VW_LOG_INFO, "reloaded", VW_LOG_S("config", config->path ? config->path : "none"),
	       VW_LOG_S("changed", changed ? "yes" : "no"), VW_LOG_S("policy", vw_policy_id(next->source.policy)),
	       VW_LOG_S("credential", next->source.label));
	d->facts.reloads++;
	d->facts.reload_refused = false;
	publish(d);
}

/* Everything read anew and taken over, or nothing. */
static int reload_now(struct daemon *d, struct vw_error *err)
{
	struct setup *next = NULL;
	int code = setup_renew(d->in, d->setup, &next, err);
	if (code == 0)
		code = move_health(d, next->session.config->listen, err);
	if (code < 0) {
		setup_close(next);
		return code;
	}
	take_over(d, next);
	return 0;
}

static int open_remote(struct daemon *d, struct vw_error *err);

/* The uplink's own settings may be others now: its stream begins anew. */
static void reload(struct daemon *d)
{
	struct vw_error err = VW_ERROR_INIT;
	reload_wanted = 0;
	vw_cli_notify_reloading(&d->notifier);
	if (reload_now(d, &err) < 0) {
		refuse(d, &err);
	} else if (d->remote) {
		remote_close(d->remote);
		if (open_remote(d, &err) < 0)
			vw_log(VW_LOG_ERROR, "uplink_failed", VW_LOG_S("reason", err.message));
	}
	vw_cli_notify_state(&d->notifier, "READY=1", NULL);
}

/* ---- what the controller may ask for ---- */

static int host_sync(void *arg, enum vw_depth depth, const char *model, struct vw_sync_result *out,
		     struct vw_error *err)
{
	return sync_now(arg, depth, model, out, err);
}

static int host_reevaluate(void *arg, struct vw_sync_result *out, struct vw_error *err)
{
	struct daemon *d = arg;
	int code = vw_sync_reevaluate(&d->setup->source.context, out, err);
	count(d, true);
	publish(d);
	return code;
}

static int host_reload(void *arg, struct vw_error *err)
{
	return reload_now(arg, err);
}

static void host_pause(void *arg, bool paused)
{
	struct daemon *d = arg;
	d->paused = paused;
	publish(d);
}

static int host_diagnose(void *arg, struct vw_buffer *out, struct vw_error *err)
{
	const struct daemon *d = arg;
	return diagnose_write(&d->setup->session, out, err);
}

static int open_remote(struct daemon *d, struct vw_error *err)
{
	const struct remote_host host = {d, host_sync, host_reevaluate, host_reload, host_pause, host_diagnose};
	int code = remote_open(config_of(d), d->store, &host, &d->remote, err);
	d->paused = remote_paused(d->remote);
	return code;
}

/* ---- waiting ---- */

/* Until a sync is due or a signal came. Signals are let in only while this sleeps, so that none is missed before it does. */
static void wait_for_work(struct daemon *d)
{
	sigset_t ours, before;
	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, &before);
	while (!vw_cli_cancelled && !reload_wanted) {
		struct pollfd command = {.fd = remote_fd(d->remote), .events = POLLIN};
		int64_t left = d->paused ? LONGEST_WAIT_MS : schedule_due(&d->schedule) - vw_clock_monotonic();
		if (left <= 0)
			break;
		if (left > LONGEST_WAIT_MS)
			left = LONGEST_WAIT_MS;
		vw_cli_notify_alive(&d->notifier);
		if (d->notifier.watchdog_ms && left > d->notifier.watchdog_ms)
			left = d->notifier.watchdog_ms;
		struct timespec time = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
		int ready = ppoll(&command, 1, &time, &before);
		if (ready > 0 || (ready < 0 && errno != EINTR))
			break;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* ---- life ---- */

/* What is known from an earlier life of the process. */
static int recall(struct daemon *d, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_txn *txn;
	vw_sync_state *state;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory");
	int code = vw_txn_begin_read(vw_store_kv(d->store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_sync_state(txn, arena, &state, err);
	vw_txn_end(txn);
	if (code < 0)
		return code;
	d->facts.ready = state->has_last_full_finished_at;
	d->facts.success_at[VW_DEPTH_FULL] = state->last_full_finished_at;
	d->facts.alive_mono = vw_clock_monotonic();
	d->facts.started_at = vw_clock_now();
	d->facts.duration_ms[VW_DEPTH_QUICK] = d->facts.duration_ms[VW_DEPTH_FULL] = -1;
	snprintf(d->facts.agent_id, sizeof(d->facts.agent_id), "%s", vw_store_identity(d->store)->agent_id);
	count(d, true);
	return 0;
}

static int begin(struct daemon *d, const struct session *session, struct vw_error *err)
{
	d->store = session->store;
	int code = setup_open(session, &d->setup, err);
	if (code < 0)
		return code;
	watch(d);
	const struct vw_config *config = config_of(d);
	code = recall(d, err);
	if (code == 0 && config->listen)
		code = health_open(config->listen, &d->facts, &d->health, err);
	if (code < 0)
		return code;
	schedule_init(&d->schedule, d->facts.agent_id, config->quick_interval_ms, config->full_interval_ms,
		      vw_clock_monotonic());
	code = open_remote(d, err);
	if (code < 0)
		return code;
	publish(d);
	vw_log(VW_LOG_INFO, "started", VW_LOG_S("version", VW_AGENT_VERSION), VW_LOG_S("agent_id", d->facts.agent_id),
	       VW_LOG_S("config", config->path ? config->path : "none"),
	       VW_LOG_S("tracking_uri", config->mlflow.tracking_uri), VW_LOG_S("credential", d->setup->source.label),
	       VW_LOG_S("listen", config->listen ? config->listen : "off"),
	       VW_LOG_I("quick_ms", config->quick_interval_ms), VW_LOG_I("full_ms", config->full_interval_ms));
	vw_cli_notify_state(&d->notifier, "READY=1", "first sync");
	return 0;
}

static void work(struct daemon *d)
{
	while (!vw_cli_cancelled) {
		wait_for_work(d);
		if (vw_cli_cancelled)
			break;
		if (reload_wanted)
			reload(d);
		remote_work(d->remote);
		if (!d->paused && !vw_cli_cancelled && schedule_due(&d->schedule) <= vw_clock_monotonic())
			cycle(d);
	}
	vw_cli_notify_state(&d->notifier, "STOPPING=1", NULL);
	vw_log(VW_LOG_INFO, "stopped", VW_LOG_I("signal", vw_cli_cancelled));
}

int run_daemon(struct vw_cli_invocation *in)
{
	struct vw_error err = VW_ERROR_INIT;
	struct session session;
	struct daemon d = {.in = in};
	catch_hangup();
	vw_cli_notify_open(&d.notifier);
	int code = session_open(in, VW_KV_WRITE, &session);
	if (code != EXIT_OK)
		return code;
	code = begin(&d, &session, &err);
	if (code == 0)
		work(&d);
	else
		code = vw_cli_cancelled ? EXIT_OK : report_error(&err);
	remote_close(d.remote);
	health_close(d.health);
	if (d.setup)
		session.config = NULL; /* the setup's by now, and perhaps another one's */
	setup_close(d.setup);
	session_close(&session);
	vw_cli_notify_close(&d.notifier);
	return code;
}
