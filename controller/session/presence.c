/* presence.c: what is known of an agent's connection: kept packed with its stream, written now and then. */
#include "session.h"

#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#define WRITE_MS 1000 /* least time between two writes for one agent */

bool vw_presence_edit(struct vw_stream *stream, void (*change)(vw_agent_presence *presence, void *arg), void *arg)
{
	struct vw_error err = VW_ERROR_INIT;
	void *presence;
	if (!stream->presence ||
	    vw_message_unpack(stream->server->scratch, &verifywise__v1__agent_presence__descriptor, stream->presence,
			      stream->presence_len, "presence", &presence, &err) < 0)
		return false;
	change(presence, arg);
	const ProtobufCMessage *message = presence;
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(len);
	if (!packed)
		return false;
	protobuf_c_message_pack(message, packed);
	free(stream->presence);
	stream->presence = packed;
	stream->presence_len = len;
	return true;
}

static void set_seen(vw_agent_presence *presence, void *arg)
{
	const struct vw_stream *stream = arg;
	VW_SET(presence, connected, stream->stage != VW_STAGE_GONE);
	VW_SET(presence, last_seen_at, stream->server->time - (stream->server->now - stream->heard_at));
	VW_SET(presence, last_sequence, stream->last_sequence);
}

bool vw_presence_write(struct vw_stream *stream)
{
	struct vw_peer *peer = stream->peer;
	vw_arena_reset(stream->server->scratch);
	if (!vw_presence_edit(stream, set_seen, stream))
		return false;
	struct vw_task *task = vw_task_new(VW_TASK_PRESENCE, peer->tenant, peer, stream);
	if (!task)
		return false;
	task->presence = malloc(stream->presence_len);
	if (!task->presence) {
		vw_task_free(task);
		return false;
	}
	memcpy(task->presence, stream->presence, stream->presence_len);
	task->presence_len = stream->presence_len;
	task->connected = stream->stage != VW_STAGE_GONE;
	return vw_server_push(stream->server, true, task);
}

void vw_presence_touch(struct vw_stream *stream)
{
	struct vw_session_server *server = stream->server;
	struct vw_peer *peer = stream->peer;
	peer->presence_wanted = true;
	if (peer->writing_presence || peer->current != stream || server->now - peer->presence_at < WRITE_MS)
		return;
	peer->writing_presence = vw_presence_write(stream);
	peer->presence_wanted = !peer->writing_presence;
	peer->presence_at = server->now;
}
