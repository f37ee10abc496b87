/* serve.c: `serve`: both listeners, the control socket, and the loop that waits for signals. */
#include "client.h"

#include "api/api.h"
#include "api/listener.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/notify.h"
#include "session/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define LOOK_INTERVAL_MS 60000 /* between looks at our own certificate */

struct server {
	const struct vw_cli_invocation *in;
	struct vw_controller_config *config;
	char folder[4096];
	struct vw_authority *authority;
	bool renewed; /* the authority's server certificate, and not every listener has it yet */
	struct vw_fleet_store *store;
	struct vw_enroller enroller;
	struct vw_secret *jwt_secret;
	struct vw_session_server *sessions;
	struct vw_api *api;
	struct vw_listener *https, *http, *control;
	struct vw_cli_notifier notifier;
};

static volatile sig_atomic_t reload_wanted;

static void on_hangup(int number)
{
	(void)number;
	reload_wanted = 1;
}

/* ---- beginning ---- */

static int open_authority(struct server *s, struct vw_error *err)
{
	struct vw_authority_settings settings = authority_settings(s->config, s->folder, sizeof(s->folder));
	return vw_authority_open(&settings, &s->authority, err);
}

/* What cannot be renewed now is used as long as it is valid: the folder may be another host's to write. */
static void refresh_authority(struct server *s)
{
	struct vw_error err = VW_ERROR_INIT;
	int code = vw_authority_refresh(s->authority, &err);
	if (code > 0) {
		vw_log(VW_LOG_INFO, "server_certificate_issued", VW_LOG_S("folder", s->folder));
		s->renewed = true;
	}
	if (code < 0)
		vw_log(VW_LOG_ERROR, "server_certificate_kept", VW_LOG_S("reason", err.message));
}

static int open_store(struct server *s, struct vw_error *err)
{
	const struct vw_controller_config *c = s->config;
	struct vw_fleet_store_settings settings = {.url = c->store_url,
						   .connections = c->store_connections,
						   .verifywise = c->verifywise,
						   .app_role = c->app_role};
	int64_t until = vw_clock_monotonic() + STORE_WAIT_MS;
	int code = vw_fleet_store_open(&settings, &s->store, err);
	/* a command that uses the embedded store at this moment is done soon */
	while (code == VW_EBUSY && vw_clock_monotonic() < until && !vw_cli_cancelled) {
		usleep(STORE_STEP_US);
		code = vw_fleet_store_open(&settings, &s->store, err);
	}
	if (code == VW_EBUSY)
		err->code = code = VW_EAGAIN;
	if (code == 0)
		code = vw_fleet_presence_clear(s->store, c->replica, err);
	return code;
}

static int read_jwt_secret(struct server *s, struct vw_error *err)
{
	bool open_to_others = false;
	if (!s->config->jwt_secret_file)
		return 0;
	int code = vw_secret_read_file(s->config->jwt_secret_file, &s->jwt_secret, &open_to_others, err);
	if (code == 0 && open_to_others)
		vw_log(VW_LOG_WARN, "secret_exposed", VW_LOG_S("file", s->config->jwt_secret_file),
		       VW_LOG_S("remedy", "chmod 600"));
	return code;
}

static int open_sessions(struct server *s, struct vw_error *err)
{
	const struct vw_controller_config *c = s->config;
	struct vw_session_settings settings = {.store = s->store,
					       .authority = s->authority,
					       .listen = c->sessions_listen,
					       .replica = c->replica,
					       .workers = c->workers,
					       .max_sessions = c->maximum_sessions,
					       .heartbeat_ms = c->heartbeat_ms,
					       .max_age_ms = c->max_age_ms,
					       .clock_skew_ms = c->clock_skew_ms,
					       .minimum_version = c->minimum_agent};
	return vw_session_server_start(&settings, &s->sessions, err);
}

static int open_api(struct server *s, struct vw_error *err)
{
	const struct vw_controller_config *c = s->config;
	struct vw_api_settings settings = {.store = s->store,
					   .authority = s->authority,
					   .sessions = s->sessions,
					   .enroller = &s->enroller,
					   .jwt_secret = s->jwt_secret,
					   .requests_per_second = c->requests_per_second,
					   .burst = c->burst,
					   .replica = c->replica};
	s->enroller = (struct vw_enroller){s->store, s->authority, c->sessions_endpoint};
	return vw_api_open(&settings, &s->api, err);
}

static int open_https(struct server *s, struct vw_listener **out, struct vw_error *err)
{
	struct vw_listener_settings settings = {.api = s->api,
						.listen = s->config->https_listen,
						.authority = s->authority,
						.connections = s->config->https_connections,
						.timeout_ms = 30000};
	return vw_listener_start(&settings, out, err);
}

/* The command line's way in. Without it the controller works, and is operated over HTTPS. */
static int open_control(struct server *s, struct vw_error *err)
{
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)], listen[sizeof(socket) + 8];
	struct vw_listener_settings settings = {
	    .api = s->api, .listen = listen, .connections = 50, .timeout_ms = 30000};
	int code = control_socket_path(s->config, socket, sizeof(socket))
		       ? 0
		       : vw_error_set(err, VW_ECONFIG, "data_dir is too long a name for a socket");
	snprintf(listen, sizeof(listen), "unix:%s", socket);
	if (code == 0)
		code = vw_listener_start(&settings, &s->control, err);
	if (code == VW_EBUSY)
		return err->code = VW_EAGAIN;
	if (code < 0)
		vw_log(VW_LOG_WARN, "no_control_socket", VW_LOG_S("reason", err->message));
	return 0;
}

static int open_local(struct server *s, struct vw_error *err)
{
	struct vw_listener_settings settings = {
	    .api = s->api, .listen = s->config->http_listen, .connections = 50, .timeout_ms = 30000};
	if (s->config->http_listen) {
		int code = vw_listener_start(&settings, &s->http, err);
		if (code < 0)
			return code;
	}
	return open_control(s, err);
}

/* From a thread of the store. */
static void on_change(const struct vw_change *change, void *arg)
{
	struct server *s = arg;
	vw_session_server_change(s->sessions, change);
	vw_api_change(s->api, change);
}

static int begin(struct server *s, struct vw_error *err)
{
	int code = open_authority(s, err);
	if (code == 0)
		code = open_store(s, err);
	if (code < 0)
		return code;
	refresh_authority(s);
	s->renewed = false; /* nobody has the one before */
	code = read_jwt_secret(s, err);
	if (code == 0)
		code = open_sessions(s, err);
	if (code == 0)
		code = open_api(s, err);
	if (code < 0)
		return code;
	vw_fleet_watch(s->store, on_change, s);
	code = open_https(s, &s->https, err);
	return code < 0 ? code : open_local(s, err);
}

static void end(struct server *s)
{
	if (s->store)
		vw_fleet_watch(s->store, NULL, NULL); /* before those whom it tells are gone */
	vw_listener_stop(s->control);
	vw_listener_stop(s->http);
	vw_listener_stop(s->https);
	if (s->sessions)
		vw_session_server_stop(s->sessions);
	if (s->store) {
		struct vw_error err;
		if (vw_fleet_presence_clear(s->store, s->config->replica, &err) < 0)
			vw_log(VW_LOG_WARN, "presence_kept", VW_LOG_S("reason", err.message));
	}
	vw_api_close(s->api);
	vw_fleet_store_close(s->store);
	vw_authority_close(s->authority);
	vw_secret_close(s->jwt_secret);
}

/* ---- while it runs ---- */

/* New connections on both listeners get the new certificate. What failed is tried again with the next look. */
static void renew_own(struct server *s)
{
	struct vw_error err = VW_ERROR_INIT;
	refresh_authority(s);
	if (!s->renewed)
		return;
	int code = vw_session_server_reload(s->sessions, &err);
	if (code == 0)
		code = vw_listener_renew(s->https, &err);
	if (code < 0)
		vw_log(VW_LOG_ERROR, "server_certificate_kept", VW_LOG_S("reason", err.message));
	s->renewed = code < 0;
}

/* What can change while it runs: how much is logged. Everything is checked, and what cannot change is said. */
static void reload(struct server *s)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_controller_config *next = NULL;
	reload_wanted = 0;
	vw_cli_notify_reloading(&s->notifier);
	int code = vw_controller_config_load(vw_cli_value(s->in, "config"), vw_cli_value(s->in, "data"), &next, &err);
	if (code < 0) {
		vw_log(VW_LOG_WARN, "reload_refused", VW_LOG_S("reason", err.message),
		       VW_LOG_S("effect", "the old configuration stays in force"));
	} else {
		bool changed = memcmp(next->sha256, s->config->sha256, sizeof(next->sha256)) != 0;
		vw_log_setup(next->log_level, next->log_format);
		vw_log(VW_LOG_INFO, "reloaded", VW_LOG_S("config", next->path ? next->path : "none"),
		       VW_LOG_S("restart_needed", changed ? "yes" : "no"));
	}
	vw_controller_config_close(next);
	renew_own(s);
	vw_cli_notify_state(&s->notifier, "READY=1", NULL);
}

static void work(struct server *s)
{
	sigset_t ours, before;
	int64_t look_at = vw_clock_monotonic() + LOOK_INTERVAL_MS;
	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &ours, &before);
	while (!vw_cli_cancelled) {
		struct timespec time = {.tv_sec = 1};
		vw_cli_notify_alive(&s->notifier);
		ppoll(NULL, 0, &time, &before);
		if (reload_wanted)
			reload(s);
		if (vw_clock_monotonic() >= look_at) {
			renew_own(s);
			look_at = vw_clock_monotonic() + LOOK_INTERVAL_MS;
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Signals go to the main thread: those that the libraries start are begun with them blocked. */
static int begin_quietly(struct server *s, struct vw_error *err)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = begin(s, err);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

int run_serve(struct vw_cli_invocation *in)
{
	struct vw_error err = VW_ERROR_INIT;
	struct server s = {.in = in};
	struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	int code = config_open(in, &s.config);
	if (code != VW_CLI_EXIT_OK)
		return code;
	vw_log_setup(s.config->log_level, s.config->log_format);
	vw_cli_notify_open(&s.notifier);
	if (begin_quietly(&s, &err) < 0) {
		code = vw_cli_report(in->program, &err);
	} else {
		vw_log(VW_LOG_INFO, "started", VW_LOG_S("version", CONTROLLER_VERSION),
		       VW_LOG_S("replica", s.config->replica), VW_LOG_S("store", vw_fleet_store_kind(s.store)),
		       VW_LOG_S("sessions", s.config->sessions_listen),
		       VW_LOG_I("sessions_port", vw_session_server_port(s.sessions)),
		       VW_LOG_S("https", s.config->https_listen), VW_LOG_I("https_port", vw_listener_port(s.https)));
		vw_cli_notify_state(&s.notifier, "READY=1", NULL);
		work(&s);
		vw_cli_notify_state(&s.notifier, "STOPPING=1", NULL);
		vw_log(VW_LOG_INFO, "stopping", VW_LOG_I("signal", vw_cli_cancelled));
	}
	end(&s);
	vw_controller_config_close(s.config);
	vw_cli_notify_close(&s.notifier);
	return code;
}
