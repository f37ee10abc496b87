/* daemon.c: `run`: stays, syncs on a schedule, answers SIGHUP, and says how it is doing. */
#include "daemon.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LONGEST_WAIT_MS 3600000

static volatile sig_atomic_t reload_wanted;

static void on_hangup(int number)
{
	if (!vw_cli_pass_on(number))
		reload_wanted = 1;
}

static void catch_hangup(void)
{
	struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	sigaction(SIGHUP, &action, NULL);
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
		int64_t left =
		    remote_paused(d->remote) ? LONGEST_WAIT_MS : schedule_due(&d->schedule) - vw_clock_monotonic();
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
	daemon_count(d, true);
	return 0;
}

static int begin(struct daemon *d, const struct session *session, struct vw_error *err)
{
	d->store = session->store;
	int code = setup_open(session, &d->setup, err);
	if (code < 0)
		return code;
	daemon_watch(d);
	const struct vw_config *config = daemon_config(d);
	code = recall(d, err);
	if (code < 0)
		return code;
	schedule_init(&d->schedule, d->facts.agent_id, config->quick_interval_ms, config->full_interval_ms,
		      vw_clock_monotonic());
	const struct remote_host host = daemon_host(d);
	code = remote_open(config, d->store, &host, &d->remote, err);
	if (code == 0 && config->listen)
		code = daemon_open_health(d, config->listen, &d->health, err);
	if (code < 0)
		return code;
	daemon_publish(d);
	vw_log(VW_LOG_INFO, "started", VW_LOG_S("version", VW_AGENT_VERSION), VW_LOG_S("agent_id", d->facts.agent_id),
	       VW_LOG_S("config", config->path ? config->path : "none"),
	       VW_LOG_S("tracking_uri", config->mlflow.tracking_uri), VW_LOG_S("credential", d->setup->source.label),
	       VW_LOG_S("listen", config->listen ? config->listen : "off"),
	       VW_LOG_I("quick_ms", config->quick_interval_ms), VW_LOG_I("full_ms", config->full_interval_ms));
	vw_cli_notify_state(&d->notifier, "READY=1", "first sync");
	return 0;
}

static void cycle(struct daemon *d)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_sync_result result;
	daemon_sync(d, schedule_depth(&d->schedule, vw_clock_monotonic()), NULL, &result, &err);
}

static void work(struct daemon *d)
{
	while (!vw_cli_cancelled) {
		wait_for_work(d);
		if (vw_cli_cancelled)
			break;
		if (reload_wanted) {
			reload_wanted = 0;
			daemon_reload(d);
		}
		remote_work(d->remote);
		bool due = !remote_paused(d->remote) && schedule_due(&d->schedule) <= vw_clock_monotonic();
		if (due && !vw_cli_cancelled)
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
	health_close(d.health);
	remote_close(d.remote);
	if (d.setup)
		session.config = NULL; /* the setup's by now, and perhaps another one's */
	setup_close(d.setup);
	session_close(&session);
	vw_cli_notify_close(&d.notifier);
	return code;
}
