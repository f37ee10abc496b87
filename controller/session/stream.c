/* stream.c: one call: what is under way with gRPC, what waits to be sent, and how it ends.
 *
 * At most one message is being read and one written. What waits to be sent is bounded whatever the peer does: only the newest acknowledgement and
 * resume, commands that the store bounds (VW_MAX_OPEN_COMMANDS), and one last message. */
#include "session.h"

#include "message.h"

#include "base/digest.h"
#include "base/limits.h"

#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <stdlib.h>
#include <string.h>

#define END_AT_ONCE_MS 1000 /* then a peer that does not read its rejection is cut off */
#define END_MS         5000
#define LEAVE_MS       10000 /* for what it sent to be stored */
#define RECONNECT_MS   3000  /* at random, before an agent that was sent away comes again */

/* ---- It is over ---- */

static void unpark(struct vw_stream *stream)
{
	if (!stream->at_parked)
		return;
	*stream->at_parked = stream->next_parked;
	if (stream->next_parked)
		stream->next_parked->at_parked = stream->at_parked;
	stream->at_parked = NULL;
}

static void drop_outgoing(struct vw_stream *stream)
{
	vw_outgoing_free(stream->out_first);
	stream->out_first = stream->out_last = NULL;
	if (stream->acknowledgement)
		grpc_byte_buffer_destroy(stream->acknowledgement);
	if (stream->resume)
		grpc_byte_buffer_destroy(stream->resume);
	stream->acknowledgement = stream->resume = NULL;
}

static void leave_peer(struct vw_stream *stream)
{
	struct vw_peer *peer = stream->peer;
	struct vw_stream **at = &peer->streams;
	while (*at != stream)
		at = &(*at)->next_of_peer;
	*at = stream->next_of_peer;
	peer->stream_count--;
	vw_peer_leave(stream->server, peer);
}

static bool is_free(const struct vw_stream *stream)
{
	return stream->stage == VW_STAGE_GONE && !stream->reading && !stream->writing && !stream->closing &&
	       !stream->ending && stream->task_count == 0;
}

static void release(struct vw_stream *stream)
{
	struct vw_session_server *server = stream->server;
	unpark(stream);
	drop_outgoing(stream);
	*stream->at = stream->next;
	if (stream->next)
		stream->next->at = stream->at;
	if (stream->last)
		grpc_byte_buffer_destroy(stream->last);
	server->stream_count--;
	atomic_store(&server->tally.sessions, server->stream_count);
	grpc_call_unref(stream->call);
	grpc_metadata_array_destroy(&stream->metadata);
	leave_peer(stream);
	free(stream->presence);
	free(stream->known);
	free(stream);
}

static void set_gone(struct vw_stream *stream)
{
	if (stream->stage == VW_STAGE_GONE)
		return;
	stream->stage = VW_STAGE_GONE;
	stream->deadline = 0;
	atomic_store(&stream->stopped, true);
	unpark(stream);
	drop_outgoing(stream);
	vw_answers_gone(stream);
}

void vw_stream_cancel(struct vw_stream *stream, const char *reason)
{
	if (!stream->reason)
		stream->reason = reason;
	grpc_call_cancel_with_status(stream->call, GRPC_STATUS_CANCELLED, reason, NULL);
	set_gone(stream);
}

/* ---- Writing ---- */

static size_t put_greeting(struct vw_stream *stream, grpc_op *op)
{
	if (stream->greeted)
		return 0;
	memset(op, 0, sizeof(*op));
	op->op = GRPC_OP_SEND_INITIAL_METADATA;
	stream->greeted = true;
	return 1;
}

static size_t put_message(grpc_op *op, grpc_byte_buffer *message)
{
	memset(op, 0, sizeof(*op));
	op->op = GRPC_OP_SEND_MESSAGE;
	op->data.send_message.send_message = message;
	return 1;
}

static size_t put_status(grpc_op *op, grpc_status_code status, grpc_slice *details)
{
	memset(op, 0, sizeof(*op));
	op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	op->data.send_status_from_server.status = status;
	op->data.send_status_from_server.status_details = details;
	return 1;
}

/* What is to go out first of what waits; NULL: nothing. */
static grpc_byte_buffer *take_message(struct vw_stream *stream)
{
	grpc_byte_buffer *message = NULL;
	struct vw_outgoing *first = stream->out_first;
	stream->sending_command[0] = 0;
	if (first && !stream->greeted) { /* the Welcome */
		message = first->buffer;
	} else if (stream->acknowledgement) {
		message = stream->acknowledgement;
		stream->acknowledgement = NULL;
		return message;
	} else if (stream->resume) {
		message = stream->resume;
		stream->resume = NULL;
		return message;
	} else if (first) {
		message = first->buffer;
	}
	if (!message)
		return NULL;
	memcpy(stream->sending_command, first->command_id, sizeof(stream->sending_command));
	first->buffer = NULL;
	stream->out_first = first->next;
	if (!stream->out_first)
		stream->out_last = NULL;
	first->next = NULL;
	vw_outgoing_free(first);
	return message;
}

static void start_write(struct vw_stream *stream)
{
	grpc_op ops[2];
	grpc_byte_buffer *message = take_message(stream);
	if (!message)
		return;
	size_t count = put_greeting(stream, &ops[0]);
	count += put_message(&ops[count], message);
	stream->sending = message;
	stream->writing = true;
	stream->write_since = stream->server->now;
	if (grpc_call_start_batch(stream->call, ops, count, &stream->written_tag, NULL) != GRPC_CALL_OK) {
		stream->writing = false;
		grpc_byte_buffer_destroy(message);
		stream->sending = NULL;
		vw_stream_cancel(stream, "write_failed");
	}
}

/* The last message and the status, in one. */
static void start_end(struct vw_stream *stream)
{
	grpc_op ops[3];
	grpc_slice details = grpc_slice_from_static_string(stream->reason ? stream->reason : "");
	size_t count = put_greeting(stream, &ops[0]);
	if (stream->last)
		count += put_message(&ops[count], stream->last);
	count += put_status(&ops[count], stream->status, &details);
	stream->ending = true;
	if (grpc_call_start_batch(stream->call, ops, count, &stream->ended_tag, NULL) != GRPC_CALL_OK) {
		stream->ending = false;
		vw_stream_cancel(stream, "write_failed");
	}
}

void vw_stream_send(struct vw_stream *stream, struct vw_outgoing *message)
{
	if (stream->stage >= VW_STAGE_ENDING) {
		vw_outgoing_free(message);
		return;
	}
	if (stream->out_last)
		stream->out_last->next = message;
	else
		stream->out_first = message;
	while (message->next)
		message = message->next;
	stream->out_last = message;
}

void vw_stream_end(struct vw_stream *stream, grpc_byte_buffer *last, grpc_status_code status, const char *reason,
		   bool at_once)
{
	if (stream->stage >= VW_STAGE_ENDING) {
		if (last)
			grpc_byte_buffer_destroy(last);
		return;
	}
	stream->stage = VW_STAGE_ENDING;
	stream->deadline = stream->server->now + (at_once ? END_AT_ONCE_MS : END_MS);
	stream->last = last;
	stream->status = status;
	stream->reason = reason;
	atomic_store(&stream->stopped, true);
	unpark(stream);
	if (at_once)
		drop_outgoing(stream);
}

void vw_stream_reject(struct vw_stream *stream, int reason, const char *text, uint32_t retry_after_ms)
{
	struct vw_session_server *server = stream->server;
	if (stream->stage >= VW_STAGE_ENDING)
		return;
	vw_tally_add(&server->tally.rejected, 1);
	if (reason > 0 && reason < VW_REJECTIONS)
		vw_tally_add(&server->tally.rejections[reason], 1);
	vw_server_notice(server, stream, VW_LOG_WARN, "session_rejected", vw_rejection_name(reason));
	vw_stream_end(stream, vw_message_rejection(reason, text, server->time, retry_after_ms),
		      vw_rejection_status(reason), vw_rejection_name(reason), true);
}

/* ---- Reading ---- */

/* A stream that has much with the workers, or whose organization has, reads no more until that is less: gRPC's flow control holds the peer back. */
static bool has_room(const struct vw_stream *stream)
{
	return stream->peer->tenant->bytes < VW_MAX_ORGANIZATION_QUEUE && stream->server->bytes < VW_MAX_INGEST_QUEUE;
}

static bool wants_read(const struct vw_stream *stream)
{
	if (stream->reading || stream->half_closed)
		return false;
	if (stream->stage == VW_STAGE_HELLO)
		return true;
	return stream->stage == VW_STAGE_OPEN && stream->waiting < VW_MAX_AGENT_QUEUE &&
	       stream->bytes < VW_WINDOW_BYTES && stream->controls < VW_MAX_AGENT_CONTROLS;
}

static void park(struct vw_stream *stream)
{
	struct vw_tenant *tenant = stream->peer->tenant;
	if (stream->at_parked)
		return;
	stream->next_parked = tenant->parked;
	stream->at_parked = &tenant->parked;
	if (tenant->parked)
		tenant->parked->at_parked = &stream->next_parked;
	tenant->parked = stream;
}

static void start_read(struct vw_stream *stream)
{
	grpc_op op;
	if (!has_room(stream)) {
		park(stream);
		return;
	}
	unpark(stream);
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_MESSAGE;
	op.data.recv_message.recv_message = &stream->received;
	stream->reading = true;
	stream->heard_at = stream->server->now;
	if (grpc_call_start_batch(stream->call, &op, 1, &stream->read_tag, NULL) != GRPC_CALL_OK) {
		stream->reading = false;
		vw_stream_cancel(stream, "read_failed");
	}
}

void vw_stream_unpark(struct vw_session_server *server, struct vw_tenant *tenant)
{
	struct vw_stream *next = tenant->parked;
	while (next && tenant->bytes < VW_MAX_ORGANIZATION_QUEUE && server->bytes < VW_MAX_INGEST_QUEUE) {
		struct vw_stream *stream = next;
		next = stream->next_parked;
		unpark(stream);
		vw_stream_pump(stream);
	}
}

/* ---- In motion ---- */

/* What it sent is stored and acknowledged. */
static bool has_left(const struct vw_stream *stream)
{
	return stream->stage == VW_STAGE_LEAVING && stream->waiting == 0 && !stream->writing &&
	       !stream->acknowledgement && !stream->resume && !stream->out_first;
}

void vw_stream_leave(struct vw_stream *stream, const char *reason)
{
	if (stream->stage >= VW_STAGE_LEAVING)
		return;
	stream->stage = VW_STAGE_LEAVING;
	stream->deadline = stream->server->now + LEAVE_MS;
	stream->reason = reason;
	unpark(stream);
}

/* An agent that said goodbye needs no word; others are told when to come again, not all at once. */
void vw_stream_reconnect(struct vw_stream *stream, const char *reason, bool at_once)
{
	uint32_t random;
	grpc_byte_buffer *last = NULL;
	vw_random_bytes(&random, sizeof(random));
	if (!stream->half_closed)
		last = vw_message_reconnect(random % RECONNECT_MS, reason);
	vw_stream_end(stream, last, GRPC_STATUS_OK, reason, at_once);
}

void vw_stream_pump(struct vw_stream *stream)
{
	if (stream->stage != VW_STAGE_GONE && !stream->writing && !stream->ending)
		start_write(stream);
	if (has_left(stream))
		vw_stream_reconnect(stream, stream->reason, false);
	if (stream->stage == VW_STAGE_ENDING && !stream->writing && !stream->ending)
		start_end(stream);
	if (wants_read(stream))
		start_read(stream);
	if (is_free(stream))
		release(stream);
}

static void on_read(struct vw_stream *stream, bool ok)
{
	grpc_byte_buffer *message = stream->received;
	stream->received = NULL;
	stream->reading = false;
	stream->heard_at = stream->server->now;
	if (message && stream->stage >= VW_STAGE_LEAVING) {
		grpc_byte_buffer_destroy(message);
		return;
	}
	if (!ok || !message)
		stream->half_closed = true;
	if (stream->stage < VW_STAGE_LEAVING)
		vw_messages_take(stream, message);
}

static void on_written(struct vw_stream *stream, bool ok)
{
	stream->writing = false;
	grpc_byte_buffer_destroy(stream->sending);
	stream->sending = NULL;
	stream->write_since = 0;
	if (!ok)
		vw_stream_cancel(stream, "write_failed");
	else if (stream->sending_command[0])
		vw_ask_delivered(stream, stream->sending_command);
}

void vw_stream_event(struct vw_tag *tag, bool ok)
{
	struct vw_stream *stream = tag->owner;
	switch (tag->kind) {
	case VW_TAG_READ:
		on_read(stream, ok);
		break;
	case VW_TAG_WRITTEN:
		on_written(stream, ok);
		break;
	case VW_TAG_ENDED:
		stream->ending = false;
		if (!ok && stream->half_closed)
			stream->reason = "connection_lost";
		set_gone(stream);
		break;
	default: /* VW_TAG_CLOSED */
		stream->closing = false;
		if (stream->cancelled && !stream->reason)
			stream->reason = "connection_lost";
		if (stream->cancelled)
			set_gone(stream);
		break;
	}
	vw_stream_pump(stream);
}
