/* upkeep.c: what time alone brings: deadlines, silence, age, and what is asked again. */
#include "session.h"

#include "base/limits.h"

#include <string.h>

#define TICK_MS      1000
#define SEEN_MS      60000 /* between two writes that only say when an agent was seen */
#define AGE_GRACE_MS 60000 /* beyond its age: an agent ends its stream itself */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A message that is long on its way is no silence: its bytes are heard. By the connection's address, since it may be gone. */
bool vw_stream_is_heard(const struct vw_stream *stream)
{
	const struct vw_session_server *server = stream->server;
	int64_t since = server->now - 3 * server->settings.heartbeat_ms;
	if (stream->heard_at >= since)
		return true;
	for (struct vw_line *line = server->lines; line; line = line->next) {
		if (strcmp(line->link->address, stream->address) == 0 &&
		    atomic_load_explicit(&line->link->heard_at, memory_order_relaxed) >= since)
			return true;
	}
	return false;
}

/* Its stage has lasted too long. */
static void on_deadline(struct vw_stream *stream)
{
	switch (stream->stage) {
	case VW_STAGE_HELLO:
		vw_stream_end(stream, NULL, GRPC_STATUS_DEADLINE_EXCEEDED, "no_hello", true);
		break;
	case VW_STAGE_JOINING:
		vw_stream_reject(stream, VW_REJECTION_OVERLOADED, NULL, 0);
		break;
	case VW_STAGE_LEAVING:
		vw_stream_reconnect(stream, stream->reason, true);
		break;
	default: /* VW_STAGE_ENDING */
		vw_stream_cancel(stream, stream->reason);
		break;
	}
}

static void watch_open(struct vw_stream *stream)
{
	struct vw_session_server *server = stream->server;
	int64_t silence = 3 * server->settings.heartbeat_ms;
	if (stream->not_after <= server->time)
		vw_stream_reject(stream, VW_REJECTION_EXPIRED, NULL, 0);
	else if (stream->reading && !vw_stream_is_heard(stream))
		vw_stream_cancel(stream, "silent");
	else if (stream->writing && server->now - stream->write_since > silence)
		vw_stream_cancel(stream, "not_reading");
	else if (server->now - stream->welcomed_at > server->settings.max_age_ms + AGE_GRACE_MS)
		vw_stream_leave(stream, "age");
}

/* What could not be asked when it was wanted. */
static void ask_again(struct vw_stream *stream)
{
	struct vw_session_server *server = stream->server;
	struct vw_peer *peer = stream->peer;
	int64_t seen = least(SEEN_MS, 2 * server->settings.heartbeat_ms);
	if (peer->current != stream)
		return;
	if (peer->look_wanted)
		vw_ask_look(server, peer);
	if (peer->commands_wanted)
		vw_ask_commands(server, peer);
	if (peer->tenant->look_wanted)
		vw_ask_tenant(server, peer->tenant);
	if (peer->presence_wanted || server->now - peer->presence_at >= seen)
		vw_presence_touch(stream);
}

static void tend(struct vw_stream *stream)
{
	if (stream->deadline > 0 && stream->server->now >= stream->deadline) {
		stream->deadline = 0;
		on_deadline(stream);
	}
	if (stream->stage == VW_STAGE_OPEN)
		watch_open(stream);
	if (stream->stage == VW_STAGE_OPEN)
		ask_again(stream);
	stream->controls = 0;
	vw_stream_pump(stream);
}

int64_t vw_upkeep(struct vw_session_server *server)
{
	int64_t tick = least(TICK_MS, server->settings.heartbeat_ms / 4 + 1);
	int64_t due = server->swept_at + tick - server->now;
	if (due > 0)
		return due;
	server->swept_at = server->now;
	for (struct vw_stream *stream = server->streams, *next; stream; stream = next) {
		next = stream->next;
		tend(stream);
	}
	return tick;
}

void vw_upkeep_unpark(struct vw_session_server *server)
{
	for (size_t i = 0; i < sizeof(server->tenants) / sizeof(server->tenants[0]); i++) {
		for (struct vw_tenant *tenant = server->tenants[i], *next; tenant; tenant = next) {
			next = tenant->next;
			vw_stream_unpark(server, tenant);
		}
	}
}
