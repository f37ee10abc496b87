/* answers.c: what the workers' answers and the store's changes do to streams. */
#include "session.h"

#include "message.h"

#include "base/limits.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define KNOWN_COMMANDS 256 /* of one stream; older ones may be sent again: doing one twice is doing it once */

static bool is_live(const struct vw_stream *stream)
{
	return stream->stage < VW_STAGE_ENDING;
}

/* ---- A stream begins ---- */

/* Takes the buffer and the list. */
static void send_welcome(struct vw_stream *stream, struct vw_task *task)
{
	struct vw_outgoing *welcome = calloc(1, sizeof(*welcome));
	if (!welcome) {
		vw_stream_reject(stream, VW_REJECTION_OVERLOADED, NULL, 0);
		return;
	}
	welcome->buffer = task->answer;
	welcome->next = task->commands;
	task->answer = NULL;
	task->commands = NULL;
	vw_stream_send(stream, welcome);
}

static void open_stream(struct vw_stream *stream, struct vw_task *task)
{
	struct vw_session_server *server = stream->server;
	struct vw_peer *peer = stream->peer;
	struct vw_stream *older = peer->current;
	stream->stage = VW_STAGE_OPEN;
	stream->deadline = 0;
	stream->welcomed_at = server->now;
	peer->current = stream;
	peer->presence_at = server->now;
	vw_tally_add(&server->tally.sessions_opened, 1);
	send_welcome(stream, task);
	vw_server_notice(server, stream, VW_LOG_INFO, "session_opened", NULL);
	if (older && older != stream) {
		vw_stream_reconnect(older, "replaced", false);
		vw_stream_pump(older);
	}
	vw_ask_commands(server, peer);
}

static void on_join(struct vw_stream *stream, struct vw_task *task)
{
	stream->presence = task->presence;
	stream->presence_len = task->presence_len;
	task->presence = NULL;
	if (stream->stage == VW_STAGE_JOINING && task->rejection != 0)
		vw_stream_reject(stream, task->rejection, task->text, task->retry_after_ms);
	else if (stream->stage == VW_STAGE_JOINING && task->answer)
		open_stream(stream, task);
	else if (stream->stage == VW_STAGE_JOINING)
		vw_stream_reject(stream, VW_REJECTION_OVERLOADED, NULL, 0);
	/* the store was told that it is connected, but it is not any more */
	else if (stream->presence && stream->stage == VW_STAGE_GONE && !stream->peer->current)
		vw_presence_write(stream);
}

/* ---- While it is open ---- */

static void replace(grpc_byte_buffer **place, struct vw_task *task)
{
	if (*place)
		grpc_byte_buffer_destroy(*place);
	*place = task->answer;
	task->answer = NULL;
}

static void on_batch(struct vw_stream *stream, struct vw_task *task)
{
	if (!is_live(stream))
		return;
	if (task->answer)
		replace(task->is_resume ? &stream->resume : &stream->acknowledgement, task);
	if (task->rejection != 0)
		vw_stream_reject(stream, task->rejection, task->text, task->retry_after_ms);
}

static bool note_known(struct vw_stream *stream, const char *id)
{
	for (size_t i = 0; i < stream->known_count; i++) {
		if (strcmp(stream->known[i], id) == 0)
			return false;
	}
	if (stream->known_count == KNOWN_COMMANDS) {
		stream->known_count /= 2;
		memmove(stream->known, stream->known + stream->known_count,
			stream->known_count * sizeof(*stream->known));
	}
	void *known = realloc(stream->known, (stream->known_count + 1) * sizeof(*stream->known));
	if (!known)
		return false;
	stream->known = known;
	memcpy(stream->known[stream->known_count++], id, sizeof(*stream->known));
	return true;
}

static void send_commands(struct vw_stream *stream, struct vw_task *task)
{
	while (task->commands) {
		struct vw_outgoing *command = task->commands;
		task->commands = command->next;
		command->next = NULL;
		if (!note_known(stream, command->command_id)) {
			vw_outgoing_free(command);
			continue;
		}
		vw_tally_add(&stream->server->tally.commands_sent, 1);
		vw_stream_send(stream, command);
	}
}

static void on_commands(struct vw_stream *stream, struct vw_task *task)
{
	struct vw_peer *peer = stream->peer;
	peer->fetching = false;
	if (stream->stage == VW_STAGE_OPEN)
		send_commands(stream, task);
	if (task->code != 0)
		peer->commands_wanted = true; /* upkeep asks again */
	else if (peer->commands_wanted || peer->current != stream)
		vw_ask_commands(stream->server, peer);
}

static void on_look(struct vw_stream *stream, struct vw_task *task)
{
	struct vw_session_server *server = stream->server;
	struct vw_peer *peer = stream->peer;
	peer->looking = false;
	if (task->rejection != 0 && is_live(stream)) {
		vw_tally_add(&server->tally.revoked_open, 1);
		vw_stream_reject(stream, task->rejection, task->text, 0);
	} else if (task->moved && is_live(stream)) {
		vw_stream_reconnect(stream, "moved", true);
	}
	if (task->code != 0)
		peer->look_wanted = true; /* upkeep asks again */
	else if (peer->look_wanted || (peer->current && peer->current != stream))
		vw_ask_look(server, peer);
}

static void on_presence(struct vw_stream *stream, struct vw_task *task)
{
	struct vw_peer *peer = stream->peer;
	if (!task->connected)
		return;
	peer->writing_presence = false;
	if (task->code != 0)
		peer->presence_wanted = true;
}

static void end_tenant(struct vw_session_server *server, struct vw_tenant *tenant, const struct vw_task *task)
{
	for (struct vw_peer *peer = tenant->peers, *next_peer; peer; peer = next_peer) {
		next_peer = peer->next_of_tenant;
		for (struct vw_stream *stream = peer->streams, *next; stream; stream = next) {
			next = stream->next_of_peer;
			if (!is_live(stream))
				continue;
			vw_tally_add(&server->tally.revoked_open, 1);
			vw_stream_reject(stream, task->rejection, task->text, 0);
			vw_stream_pump(stream);
		}
	}
}

static void on_tenant(struct vw_session_server *server, struct vw_tenant *tenant, const struct vw_task *task)
{
	tenant->looking = false;
	if (task->rejection != 0)
		end_tenant(server, tenant, task);
	if (task->code == 0 && tenant->look_wanted)
		vw_ask_tenant(server, tenant);
	else if (task->code != 0)
		tenant->look_wanted = true;
}

/* ---- In order ---- */

static void take_answer(struct vw_stream *stream, struct vw_task *task)
{
	switch (task->kind) {
	case VW_TASK_JOIN:
		on_join(stream, task);
		break;
	case VW_TASK_BATCH:
		on_batch(stream, task);
		break;
	case VW_TASK_UPDATE:
		if (task->rejection != 0 && is_live(stream))
			vw_stream_reject(stream, task->rejection, task->text, 0);
		break;
	case VW_TASK_COMMANDS:
		on_commands(stream, task);
		break;
	case VW_TASK_LOOK:
		on_look(stream, task);
		break;
	default: /* VW_TASK_PRESENCE */
		on_presence(stream, task);
		break;
	}
}

/* What it counted for is free again; streams that waited for room read on. */
static void discharge(struct vw_session_server *server, struct vw_task *task)
{
	bool was_full = server->bytes >= VW_MAX_INGEST_QUEUE;
	if (task->charged == 0)
		return;
	task->stream->waiting--;
	task->stream->bytes -= task->charged;
	task->tenant->bytes -= task->charged;
	server->bytes -= task->charged;
	atomic_store(&server->tally.queued_bytes, (long long)server->bytes);
	if (was_full && server->bytes < VW_MAX_INGEST_QUEUE)
		vw_upkeep_unpark(server);
	else
		vw_stream_unpark(server, task->tenant);
}

void vw_answers_take(struct vw_session_server *server, struct vw_task *task)
{
	struct vw_stream *stream = task->stream;
	struct vw_tenant *tenant = task->tenant;
	discharge(server, task);
	if (stream)
		take_answer(stream, task);
	else
		on_tenant(server, tenant, task);
	/* the stream may take its agent with it, and that its tenant: the tenant is held until last */
	if (stream) {
		stream->peer->task_count--;
		stream->task_count--;
		vw_stream_pump(stream);
	}
	tenant->users--;
	vw_tenant_leave(server, tenant);
	vw_task_free(task);
}

/* ---- The store's changes ---- */

static void look_at_all(struct vw_session_server *server)
{
	for (struct vw_stream *stream = server->streams; stream; stream = stream->next) {
		struct vw_peer *peer = stream->peer;
		if (peer->current != stream)
			continue;
		vw_ask_look(server, peer);
		vw_ask_commands(server, peer);
		vw_ask_tenant(server, peer->tenant);
	}
}

void vw_answers_change(struct vw_session_server *server, const struct vw_change *change)
{
	struct vw_peer *peer = vw_peer_find(server, change->organization, change->agent_id);
	struct vw_tenant *tenant = vw_tenant_find(server, change->organization);
	switch (change->kind) {
	case VW_CHANGE_AGENT:
		if (peer)
			vw_ask_look(server, peer);
		break;
	case VW_CHANGE_COMMAND:
		if (peer)
			vw_ask_commands(server, peer);
		break;
	case VW_CHANGE_PRESENCE: /* it may have gone to another replica */
		if (peer && strcmp(vw_fleet_store_kind(server->settings.store), "lmdb") != 0)
			vw_ask_look(server, peer);
		break;
	case VW_CHANGE_ORGANIZATION:
		if (tenant)
			vw_ask_tenant(server, tenant);
		break;
	case VW_CHANGE_LOST:
		look_at_all(server);
		break;
	case VW_CHANGE_RECORDS:
		break;
	}
}

/* ---- A stream is gone ---- */

void vw_answers_gone(struct vw_stream *stream)
{
	struct vw_session_server *server = stream->server;
	struct vw_peer *peer = stream->peer;
	if (stream->welcomed_at > 0)
		vw_server_notice(server, stream, VW_LOG_INFO, "session_closed",
				 stream->reason ? stream->reason : "connection_lost");
	if (peer->current != stream)
		return;
	peer->current = NULL;
	peer->presence_wanted = false;
	if (!server->draining)
		vw_presence_write(stream);
}
