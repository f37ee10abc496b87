/* ask.c: what the loop asks the workers for, each at most once at a time for an agent. */
#include "session.h"

#include "base/limits.h"

#include <grpc/byte_buffer.h>
#include <stdlib.h>
#include <string.h>

bool vw_ask_message(struct vw_stream *stream, enum vw_task_kind kind, grpc_byte_buffer *message)
{
	struct vw_session_server *server = stream->server;
	struct vw_tenant *tenant = stream->peer->tenant;
	struct vw_task *task = vw_task_new(kind, tenant, stream->peer, stream);
	if (!task) {
		grpc_byte_buffer_destroy(message);
		return false;
	}
	task->message = message;
	task->item.bytes = grpc_byte_buffer_length(message);
	task->charged = task->item.bytes + sizeof(*task);
	stream->waiting++;
	stream->bytes += task->charged;
	tenant->bytes += task->charged;
	server->bytes += task->charged;
	atomic_store(&server->tally.queued_bytes, (long long)server->bytes);
	if (kind == VW_TASK_JOIN)
		task->window = vw_ask_window(server);
	return vw_server_push(server, kind == VW_TASK_JOIN, task);
}

bool vw_ask_delivered(struct vw_stream *stream, const char *command_id)
{
	struct vw_task *task = vw_task_new(VW_TASK_UPDATE, stream->peer->tenant, stream->peer, stream);
	if (task)
		memcpy(task->command_id, command_id, sizeof(task->command_id));
	return vw_server_push(stream->server, false, task);
}

void vw_ask_look(struct vw_session_server *server, struct vw_peer *peer)
{
	peer->look_wanted = true;
	if (peer->looking || !peer->current)
		return;
	peer->looking = vw_server_push(server, true, vw_task_new(VW_TASK_LOOK, peer->tenant, peer, peer->current));
	peer->look_wanted = !peer->looking;
}

static void copy_known(struct vw_task *task, const struct vw_stream *stream)
{
	if (!task || stream->known_count == 0)
		return;
	task->known = malloc(stream->known_count * sizeof(*task->known));
	if (!task->known)
		return;
	memcpy(task->known, stream->known, stream->known_count * sizeof(*task->known));
	task->known_count = stream->known_count;
}

void vw_ask_commands(struct vw_session_server *server, struct vw_peer *peer)
{
	struct vw_stream *stream = peer->current;
	peer->commands_wanted = true;
	if (peer->fetching || !stream || stream->stage != VW_STAGE_OPEN)
		return;
	struct vw_task *task = vw_task_new(VW_TASK_COMMANDS, peer->tenant, peer, stream);
	copy_known(task, stream);
	peer->fetching = vw_server_push(server, true, task);
	peer->commands_wanted = !peer->fetching;
}

void vw_ask_tenant(struct vw_session_server *server, struct vw_tenant *tenant)
{
	tenant->look_wanted = true;
	if (tenant->looking)
		return;
	tenant->looking = vw_server_push(server, true, vw_task_new(VW_TASK_TENANT, tenant, NULL, NULL));
	tenant->look_wanted = !tenant->looking;
}

/* What may wait in all, shared among the agents there are: so a reconnect of all of them with a day's backlog each stays below the cap. */
uint64_t vw_ask_window(const struct vw_session_server *server)
{
	int64_t agents = server->agents > server->stream_count ? server->agents : server->stream_count;
	uint64_t share = VW_MAX_INGEST_QUEUE / (uint64_t)(agents > 0 ? agents : 1);
	if (share < VW_WINDOW_BYTES_LEAST)
		return VW_WINDOW_BYTES_LEAST;
	return share < VW_WINDOW_BYTES ? share : VW_WINDOW_BYTES;
}
