/* server.c: the loop: one thread that runs all streams, and what its owner may ask of it. */
#include "session.h"

#include "process.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

#define FRONT_THREADS 2
#define FILES_BESIDE  512   /* descriptors for everything but connections: store, HTTPS, log */
#define DRAIN_MS      10000 /* for streams to end by themselves */
#define CLOSE_MS      1000  /* and then for their connections */
#define SHUT_AGAIN_MS 500
#define SCRATCH       (16 * VW_MIB)

/* The settings with their defaults. */
static int take_settings(struct vw_session_server *server, const struct vw_session_settings *settings,
			 struct vw_error *err)
{
	struct vw_session_settings *own = &server->settings;
	*own = *settings;
	server->listen = strdup(settings->listen);
	server->replica = strdup(settings->replica);
	server->minimum_version = settings->minimum_version ? strdup(settings->minimum_version) : NULL;
	if (!server->listen || !server->replica || (settings->minimum_version && !server->minimum_version))
		return vw_error_set(err, VW_ENOMEM, "no memory for sessions");
	own->listen = server->listen;
	own->replica = server->replica;
	own->minimum_version = server->minimum_version;
	own->workers = own->workers > 0 ? own->workers : 8;
	own->max_sessions = own->max_sessions > 0 ? own->max_sessions : VW_MAX_SESSIONS;
	own->heartbeat_ms = own->heartbeat_ms > 0 ? own->heartbeat_ms : 30000;
	own->max_age_ms = own->max_age_ms > 0 ? own->max_age_ms : 3600000;
	own->clock_skew_ms = own->clock_skew_ms > 0 ? own->clock_skew_ms : 300000;
	return 0;
}

/* "host:port" with host in brackets or not; the host is cut off in place. */
static int split_listen(struct vw_session_server *server, int *out_port, struct vw_error *err)
{
	char *colon = strrchr(server->listen, ':'), *end = NULL;
	long port = colon ? strtol(colon + 1, &end, 10) : -1;
	if (!colon || colon == server->listen || end == colon + 1 || *end || port < 0 || port > 65535)
		return vw_error_set(err, VW_ECONFIG, "%s is no address with a port to listen on", server->listen);
	*colon = 0;
	*out_port = (int)port;
	return 0;
}

static int make_tables(struct vw_session_server *server, struct vw_error *err)
{
	int wanted = server->settings.max_sessions, sessions;
	int rc = vw_process_files(&server->max_files, err);
	if (rc < 0)
		return rc;
	sessions = server->max_files - FILES_BESIDE;
	sessions = sessions < 1 ? 1 : sessions > wanted ? wanted : sessions;
	if (sessions < wanted)
		vw_log(VW_LOG_WARN, "few_open_files", VW_LOG_I("sessions_wanted", wanted),
		       VW_LOG_I("sessions", sessions), VW_LOG_S("remedy", "raise LimitNOFILE= or ulimit -n"));
	server->settings.max_sessions = sessions;
	server->peer_buckets = 1024;
	while (server->peer_buckets < (size_t)sessions)
		server->peer_buckets *= 2;
	server->peers = calloc(server->peer_buckets, sizeof(struct vw_peer *));
	server->scratch = vw_arena_open(SCRATCH);
	if (!server->peers || !server->scratch)
		return vw_error_set(err, VW_ENOMEM, "no memory for sessions");
	return 0;
}

/* ---- What the folder's files ask ---- */

bool vw_server_push(struct vw_session_server *server, bool urgent, struct vw_task *task)
{
	if (!task)
		return false;
	struct vw_tenant *tenant = task->tenant;
	struct vw_flow *flow = &tenant->flow;
	task->server_time = server->time;
	tenant->users++;
	if (task->peer) {
		task->peer->task_count++;
		task->stream->task_count++;
		flow = urgent ? &task->peer->urgent : &task->peer->bulk;
	}
	vw_pool_push(server->pool, urgent, urgent ? &tenant->urgent : &tenant->bulk, flow, task);
	return true;
}

void vw_server_notice(struct vw_session_server *server, const struct vw_stream *stream, enum vw_log_level level,
		      const char *event, const char *reason)
{
	uint32_t suppressed;
	const struct vw_peer *peer = stream->peer;
	if (!vw_log_enabled(level) || !vw_notice(&server->notices, peer->agent_id, server->now, &suppressed))
		return;
	struct vw_log_attr attrs[7] = {VW_LOG_I("organization", peer->tenant->organization),
				       VW_LOG_S("agent", peer->agent_id), VW_LOG_S("session", stream->session_id),
				       VW_LOG_S("address", stream->address)};
	int count = 4;
	if (reason)
		attrs[count++] = VW_LOG_S("reason", reason);
	if (stream->welcomed_at > 0)
		attrs[count++] = VW_LOG_I("seconds", (server->now - stream->welcomed_at) / 1000);
	if (suppressed > 0)
		attrs[count++] = VW_LOG_I("suppressed", suppressed);
	vw_log_write(level, event, attrs, count);
}

/* ---- The loop ---- */

static void finished(struct vw_task *tasks, void *arg)
{
	struct vw_session_server *server = arg;
	vw_inbox_put_tasks(server->inbox, tasks);
}

static void opened(void *arg)
{
	struct vw_session_server *server = arg;
	vw_inbox_ring(server->inbox);
}

static void closed(struct vw_link *link, void *arg)
{
	struct vw_session_server *server = arg;
	vw_inbox_put_closed(server->inbox, link);
}

static void open_line(struct vw_link *link, int plain, void *arg)
{
	vw_line_open(arg, link, plain);
}

/* Behind what came of the inbox: a link that is closed was given before that. */
static void take_links(struct vw_session_server *server, struct vw_link *closed_links)
{
	if (server->front)
		vw_front_take(server->front, open_line, server);
	for (struct vw_link *link = closed_links, *next; link; link = next) {
		next = link->next_closed;
		vw_line_closed(link);
	}
}

static void take_inbox(struct vw_session_server *server)
{
	struct vw_inbox_content content;
	vw_inbox_take(server->inbox, &content);
	for (struct vw_task *task = content.tasks, *next; task; task = next) {
		next = (struct vw_task *)task->item.next;
		vw_answers_take(server, task);
	}
	for (size_t i = 0; i < content.change_count; i++)
		vw_answers_change(server, &content.changes[i]);
	free(content.changes);
	if (content.lost)
		vw_answers_change(server, &(struct vw_change){.kind = VW_CHANGE_LOST});
	take_links(server, content.closed);
}

static void dispatch(struct vw_session_server *server, struct vw_tag *tag, bool ok)
{
	switch (tag->kind) {
	case VW_TAG_WAKE:
		take_inbox(server);
		break;
	case VW_TAG_ARRIVAL:
	case VW_TAG_LINE_SHUT:
		vw_line_event(tag, ok);
		break;
	case VW_TAG_REFUSED:
		vw_refuse_event(tag);
		break;
	default:
		vw_stream_event(tag, ok);
		break;
	}
}

static void begin_drain(struct vw_session_server *server)
{
	server->draining = true;
	server->drain_until = server->now + DRAIN_MS;
	vw_front_deafen(server->front);
	for (struct vw_stream *stream = server->streams, *next; stream; stream = next) {
		next = stream->next;
		vw_stream_leave(stream, "stopping");
		vw_stream_pump(stream);
	}
}

static void cut_off(struct vw_session_server *server)
{
	vw_pool_give_up(server->pool);
	for (struct vw_stream *stream = server->streams, *next; stream; stream = next) {
		next = stream->next;
		vw_stream_cancel(stream, "stopping");
		vw_stream_pump(stream);
	}
}

/* Once, once more without streams, and now and then: to go through all of them at each event takes the square of their number. */
static void shut_all(struct vw_session_server *server)
{
	server->shut_last = !server->streams;
	server->shut_again_at = server->now + SHUT_AGAIN_MS;
	if (server->streams)
		cut_off(server);
	for (struct vw_line *line = server->lines; line; line = line->next)
		vw_line_shut(line);
}

/* Connections end when their streams have, or when there is no more time for them: then those go first that do not take what is for them. */
static void go_on_draining(struct vw_session_server *server)
{
	bool is_last = !server->streams;
	if (!is_last && server->now < server->drain_until)
		return;
	if ((is_last && !server->shut_last) || server->now >= server->shut_again_at)
		shut_all(server);
	if (server->now < server->drain_until + CLOSE_MS)
		return;
	vw_front_close(server->front);
	server->front = NULL;
}

/* In ms, until the loop has to look again. */
static int64_t turn(struct vw_session_server *server)
{
	if (atomic_load(&server->stop) && !server->draining)
		begin_drain(server);
	if (server->draining)
		go_on_draining(server);
	return vw_upkeep(server);
}

static bool is_over(const struct vw_session_server *server)
{
	return server->draining && !server->streams && !server->lines;
}

static void *run(void *arg)
{
	struct vw_session_server *server = arg;
	server->now = vw_clock_monotonic();
	server->time = vw_clock_now();
	while (!is_over(server)) {
		gpr_timespec until =
		    gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(turn(server), GPR_TIMESPAN));
		grpc_event event = grpc_completion_queue_next(server->queue, until, NULL);
		server->now = vw_clock_monotonic();
		server->time = vw_clock_now();
		if (event.type == GRPC_OP_COMPLETE)
			dispatch(server, event.tag, event.success != 0);
	}
	return NULL;
}

/* ---- Start and stop ---- */

/* Refusals that are still under way, and what the workers sent last. */
static void empty_queue(struct vw_session_server *server)
{
	grpc_event event;
	if (!server->queue)
		return;
	grpc_completion_queue_shutdown(server->queue);
	do {
		event = grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
		if (event.type == GRPC_OP_COMPLETE && ((struct vw_tag *)event.tag)->kind != VW_TAG_WAKE)
			dispatch(server, event.tag, event.success != 0);
	} while (event.type != GRPC_QUEUE_SHUTDOWN);
	grpc_completion_queue_destroy(server->queue);
}

static void close_server(struct vw_session_server *server)
{
	server->draining = true;
	vw_front_close(server->front);
	server->front = NULL;
	vw_pool_close(server->pool);
	if (server->inbox)
		take_inbox(server);
	vw_inbox_close(server->inbox);
	empty_queue(server);
	if (server->quota)
		grpc_resource_quota_unref(server->quota);
	if (server->plain)
		grpc_server_credentials_release(server->plain);
	vw_arena_close(server->scratch);
	free(server->peers);
	free(server->listen);
	free(server->replica);
	free(server->minimum_version);
	free(server);
	grpc_shutdown_blocking(); /* its threads are gone before anything else is */
}

/* How many there may be: what each may send ahead depends on it. */
static void count_agents(struct vw_session_server *server)
{
	struct vw_fleet_counts counts;
	struct vw_error err = VW_ERROR_INIT;
	if (vw_fleet_count(server->settings.store, 0, &counts, &err) == 0)
		server->agents = counts.agents;
}

static int open_server(struct vw_session_server *server, const struct vw_session_settings *settings,
		       struct vw_error *err)
{
	struct vw_pool_settings pool = {
	    .session = &server->settings, .tally = &server->tally, .finished = finished, .arg = server};
	struct vw_front_settings front = {.authority = settings->authority,
					  .threads = FRONT_THREADS,
					  .tally = &server->tally,
					  .opened = opened,
					  .closed = closed,
					  .arg = server};
	int rc = take_settings(server, settings, err);
	if (rc == 0)
		rc = split_listen(server, &front.port, err);
	if (rc == 0)
		rc = make_tables(server, err);
	if (rc < 0)
		return rc;
	pool.workers = server->settings.workers;
	/* and some more, whose handshake is not over, or whose stream is not there yet or not any more */
	front.max_links = server->settings.max_sessions + server->settings.max_sessions / 8 + 64;
	front.max_files = server->max_files - 64;
	front.host = server->listen;
	count_agents(server);
	server->quota = vw_line_quota(server->settings.max_sessions);
	server->plain = grpc_insecure_server_credentials_create();
	server->queue = grpc_completion_queue_create_for_next(NULL);
	server->wake_tag = (struct vw_tag){VW_TAG_WAKE, server};
	rc = vw_inbox_open(server->queue, &server->wake_tag, &server->inbox, err);
	if (rc == 0)
		rc = vw_pool_open(&pool, &server->pool, err);
	if (rc == 0)
		rc = vw_front_open(&front, &server->front, err);
	if (rc == 0 && pthread_create(&server->thread, NULL, run, server) != 0)
		rc = vw_error_set(err, VW_EAGAIN, "cannot start the thread of sessions");
	return rc;
}

int vw_session_server_start(const struct vw_session_settings *settings, struct vw_session_server **out,
			    struct vw_error *err)
{
	struct vw_session_server *server = calloc(1, sizeof(*server));
	if (!server)
		return vw_error_set(err, VW_ENOMEM, "no memory for sessions");
	vw_process_log();
	grpc_init();
	int rc = open_server(server, settings, err);
	if (rc < 0) {
		close_server(server);
		return rc;
	}
	*out = server;
	return 0;
}

int vw_session_server_port(const struct vw_session_server *server)
{
	return vw_front_port(server->front);
}

int vw_session_server_reload(struct vw_session_server *server, struct vw_error *err)
{
	return vw_front_reload(server->front, err);
}

void vw_session_server_change(struct vw_session_server *server, const struct vw_change *change)
{
	if (change->kind != VW_CHANGE_RECORDS) /* the most of them, and nothing to a stream */
		vw_inbox_put_change(server->inbox, change);
}

void vw_session_server_stop(struct vw_session_server *server)
{
	struct vw_error err = VW_ERROR_INIT;
	if (!server)
		return;
	atomic_store(&server->stop, true);
	vw_inbox_wake(server->inbox);
	pthread_join(server->thread, NULL);
	if (vw_fleet_presence_clear(server->settings.store, server->replica, &err) < 0)
		vw_log(VW_LOG_WARN, "session_store_failed", VW_LOG_S("error", err.message));
	close_server(server);
}

static int64_t read_counter(const atomic_llong *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void vw_session_server_count(const struct vw_session_server *server, struct vw_session_counts *out)
{
	const struct vw_tally *tally = &server->tally;
	*out = (struct vw_session_counts){
	    .sessions = read_counter(&tally->sessions),
	    .sessions_opened = read_counter(&tally->sessions_opened),
	    .rejected = read_counter(&tally->rejected),
	    .batches = read_counter(&tally->batches),
	    .entries = read_counter(&tally->entries),
	    .bytes = read_counter(&tally->bytes),
	    .duplicates = read_counter(&tally->duplicates),
	    .gaps = read_counter(&tally->gaps),
	    .forks = read_counter(&tally->forks),
	    .queued_bytes = read_counter(&tally->queued_bytes),
	    .stored_batches = read_counter(&tally->stored_batches),
	    .store_retries = read_counter(&tally->store_retries),
	    .commands_sent = read_counter(&tally->commands_sent),
	    .revoked_open = read_counter(&tally->revoked_open),
	    .ingest_us = read_counter(&tally->ingest_us),
	    .turned_away = read_counter(&tally->turned_away),
	};
	int64_t stuck_since = vw_pool_stuck_since(server->pool);
	out->stuck_ms = stuck_since > 0 ? vw_clock_monotonic() - stuck_since + 1 : 0;
	for (int i = 0; i < VW_REJECTIONS; i++)
		out->rejections[i] = read_counter(&tally->rejections[i]);
}
