/* arrival.c: a call came: whose is it, and is there room? */
#include "session.h"

#include "message.h"

#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELLO_MS 10000 /* from the call to its Hello */
#define FULL_MS  10000 /* before an agent for whom there was no room comes again; and as much again at random */

/* ---- Calls that become no stream ---- */

struct refusal {
	struct vw_tag tag;
	grpc_call *call;
	grpc_metadata_array metadata;
	grpc_byte_buffer *message;
	int cancelled;
};

static void free_refusal(struct refusal *refusal)
{
	if (refusal->message)
		grpc_byte_buffer_destroy(refusal->message);
	grpc_metadata_array_destroy(&refusal->metadata);
	grpc_call_unref(refusal->call);
	free(refusal);
}

static void start_refusal(struct refusal *refusal, grpc_status_code status, const char *text)
{
	grpc_slice details = grpc_slice_from_static_string(text);
	grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_RECV_CLOSE_ON_SERVER}};
	size_t count = 2;
	ops[1].data.recv_close_on_server.cancelled = &refusal->cancelled;
	if (refusal->message) {
		ops[count].op = GRPC_OP_SEND_MESSAGE;
		ops[count++].data.send_message.send_message = refusal->message;
	}
	ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	ops[count].data.send_status_from_server.status = status;
	ops[count++].data.send_status_from_server.status_details = &details;
	if (grpc_call_start_batch(refusal->call, ops, count, &refusal->tag, NULL) != GRPC_CALL_OK)
		free_refusal(refusal);
}

void vw_refuse(grpc_call *call, grpc_metadata_array *metadata, grpc_status_code status, const char *text,
	       grpc_byte_buffer *message)
{
	struct refusal *refusal = calloc(1, sizeof(*refusal));
	if (!refusal) {
		if (message)
			grpc_byte_buffer_destroy(message);
		grpc_metadata_array_destroy(metadata);
		grpc_call_cancel(call, NULL);
		grpc_call_unref(call);
		return;
	}
	refusal->tag = (struct vw_tag){VW_TAG_REFUSED, refusal};
	refusal->call = call;
	refusal->metadata = *metadata;
	refusal->message = message;
	start_refusal(refusal, status, text);
}

void vw_refuse_event(struct vw_tag *tag)
{
	free_refusal(tag->owner);
}

/* ---- Is there room ---- */

static void reject(struct vw_session_server *server, grpc_call *call, grpc_metadata_array *metadata, int reason,
		   const struct vw_tls_peer *facts, uint32_t retry_after_ms)
{
	uint32_t suppressed;
	vw_tally_add(&server->tally.rejected, 1);
	vw_tally_add(&server->tally.rejections[reason], 1);
	if (vw_notice(&server->notices, facts->id.agent_id, server->now, &suppressed))
		vw_log(VW_LOG_WARN, "session_rejected", VW_LOG_I("organization", facts->id.organization),
		       VW_LOG_S("agent", facts->id.agent_id), VW_LOG_S("reason", vw_rejection_name(reason)),
		       VW_LOG_I("suppressed", suppressed));
	vw_refuse(call, metadata, vw_rejection_status(reason), vw_rejection_name(reason),
		  vw_message_rejection(reason, NULL, server->time, retry_after_ms));
}

static void begin(struct vw_stream *stream, grpc_call *call, grpc_metadata_array *metadata)
{
	struct vw_session_server *server = stream->server;
	grpc_op op;
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	stream->call = call;
	stream->metadata = *metadata;
	stream->read_tag = (struct vw_tag){VW_TAG_READ, stream};
	stream->written_tag = (struct vw_tag){VW_TAG_WRITTEN, stream};
	stream->closed_tag = (struct vw_tag){VW_TAG_CLOSED, stream};
	stream->ended_tag = (struct vw_tag){VW_TAG_ENDED, stream};
	stream->next = server->streams;
	stream->at = &server->streams;
	if (server->streams)
		server->streams->at = &stream->next;
	server->streams = stream;
	server->stream_count++;
	atomic_store(&server->tally.sessions, server->stream_count);
	stream->next_of_peer = stream->peer->streams;
	stream->peer->streams = stream;
	stream->peer->stream_count++;
	op.data.recv_close_on_server.cancelled = &stream->cancelled;
	stream->closing = grpc_call_start_batch(call, &op, 1, &stream->closed_tag, NULL) == GRPC_CALL_OK;
	if (!stream->closing)
		vw_stream_cancel(stream, "read_failed");
	vw_stream_pump(stream);
}

static struct vw_stream *make(struct vw_session_server *server, struct vw_peer *peer, const struct vw_tls_peer *facts)
{
	struct vw_stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	stream->server = server;
	stream->peer = peer;
	stream->number = ++server->next_number;
	vw_random_uuid(stream->session_id);
	memcpy(stream->serial, facts->serial, sizeof(stream->serial));
	stream->not_after = facts->not_after;
	stream->stage = VW_STAGE_HELLO;
	stream->opened_at = stream->heard_at = server->now;
	stream->deadline = server->now + HELLO_MS;
	return stream;
}

static uint32_t some_time(uint32_t ms)
{
	uint32_t random;
	vw_random_bytes(&random, sizeof(random));
	return ms + random % ms;
}

/* 0, or why it is not let in. */
static int find_room(const struct vw_session_server *server, const struct vw_line *line)
{
	if (line->link->peer.not_after <= server->time)
		return VW_REJECTION_EXPIRED;
	if (server->draining || server->stream_count >= (unsigned)server->settings.max_sessions ||
	    line->peer->stream_count >= VW_MAX_AGENT_STREAMS)
		return VW_REJECTION_OVERLOADED;
	return 0;
}

void vw_stream_open(struct vw_line *line, grpc_call *call, grpc_metadata_array *metadata)
{
	struct vw_session_server *server = line->server;
	const struct vw_tls_peer *facts = &line->link->peer;
	int reason = find_room(server, line);
	struct vw_stream *stream = reason == 0 ? make(server, line->peer, facts) : NULL;
	if (stream) {
		memcpy(stream->address, line->link->address, sizeof(stream->address));
		begin(stream, call, metadata);
		return;
	}
	reason = reason == 0 ? VW_REJECTION_OVERLOADED : reason;
	reject(server, call, metadata, reason, facts, reason == VW_REJECTION_OVERLOADED ? some_time(FULL_MS) : 0);
}
