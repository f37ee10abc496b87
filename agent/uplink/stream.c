#include "stream.h"

#include "base/handover.h"
#include "base/limits.h"
#include "fleet/codec.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_TEXT_MAX 256 /* bytes of the peer's text that are kept, with the terminating zero */

enum operation { BEGIN, STATUS, READ, SEND, OPERATIONS };

struct tag {
	struct vw_stream *stream;
	enum operation operation;
};

struct vw_stream {
	void *owner;
	grpc_call *call;
	struct tag tags[OPERATIONS];
	bool under_way[OPERATIONS];
	bool broken;   /* what comes from now on is not looked at */
	bool finished; /* the peer has said its last */
	grpc_metadata_array headers, trailers;
	grpc_byte_buffer *received, *sending;
	grpc_status_code status;
	grpc_slice details;
	char text[STATUS_TEXT_MAX];
};

/* ---- batches ---- */

static bool start(struct vw_stream *stream, enum operation operation, const grpc_op *ops, size_t count)
{
	struct tag *tag = &stream->tags[operation];
	vw_hand_over(tag);
	stream->under_way[operation] = grpc_call_start_batch(stream->call, ops, count, tag, NULL) == GRPC_CALL_OK;
	return stream->under_way[operation];
}

static bool start_reading(struct vw_stream *stream)
{
	grpc_op op = {0};
	op.op = GRPC_OP_RECV_MESSAGE;
	op.data.recv_message.recv_message = &stream->received;
	return start(stream, READ, &op, 1);
}

/* Without a batch for the peer's headers the one for its status never comes back. */
static bool begin(struct vw_stream *stream)
{
	grpc_op headers[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_RECV_INITIAL_METADATA}};
	grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
	headers[1].data.recv_initial_metadata.recv_initial_metadata = &stream->headers;
	status.data.recv_status_on_client.trailing_metadata = &stream->trailers;
	status.data.recv_status_on_client.status = &stream->status;
	status.data.recv_status_on_client.status_details = &stream->details;
	return start(stream, STATUS, &status, 1) && start(stream, BEGIN, headers, 2) && start_reading(stream);
}

/* ---- life ---- */

int vw_stream_open(struct vw_dial *dial, grpc_completion_queue *queue, void *owner, struct vw_stream **out,
		   struct vw_error *err)
{
	struct vw_stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return vw_error_set(err, VW_ENOMEM, "no memory for a stream");
	stream->owner = owner;
	stream->details = grpc_empty_slice();
	grpc_metadata_array_init(&stream->headers);
	grpc_metadata_array_init(&stream->trailers);
	for (int i = 0; i < OPERATIONS; i++)
		stream->tags[i] = (struct tag){stream, (enum operation)i};
	stream->call = grpc_channel_create_call(vw_dial_channel(dial), NULL, GRPC_PROPAGATE_DEFAULTS, queue,
						grpc_slice_from_static_string(VW_FLEET_METHOD), NULL,
						gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	if (!begin(stream))
		vw_stream_cancel(stream); /* what began comes back as with any other */
	*out = stream;
	return 0;
}

void vw_stream_close(struct vw_stream *stream)
{
	if (!stream)
		return;
	if (stream->received)
		grpc_byte_buffer_destroy(stream->received);
	grpc_metadata_array_destroy(&stream->headers);
	grpc_metadata_array_destroy(&stream->trailers);
	grpc_slice_unref(stream->details);
	grpc_call_unref(stream->call);
	free(stream);
}

void vw_stream_cancel(struct vw_stream *stream)
{
	stream->broken = true;
	grpc_call_cancel(stream->call, NULL);
}

/* ---- sending ---- */

bool vw_stream_idle(const struct vw_stream *stream)
{
	return !stream->under_way[SEND] && !stream->broken && !stream->finished;
}

int vw_stream_send(struct vw_stream *stream, const vw_agent_message *message, struct vw_error *err)
{
	grpc_op op = {0};
	op.op = GRPC_OP_SEND_MESSAGE;
	stream->sending = vw_codec_write(&message->base);
	if (!stream->sending)
		return vw_error_set(err, VW_ENOMEM, "no memory for a message to the controller");
	op.data.send_message.send_message = stream->sending;
	if (start(stream, SEND, &op, 1))
		return 0;
	grpc_byte_buffer_destroy(stream->sending);
	stream->sending = NULL;
	return vw_error_set(err, VW_EAGAIN, "the stream is over");
}

void vw_stream_half_close(struct vw_stream *stream)
{
	grpc_op op = {0};
	op.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	start(stream, SEND, &op, 1);
}

void vw_stream_read_on(struct vw_stream *stream)
{
	if (!stream->broken && !stream->under_way[READ] && !start_reading(stream))
		vw_stream_cancel(stream);
}

/* ---- events ---- */

void *vw_stream_owner(void *tag)
{
	return ((struct tag *)tag)->stream->owner;
}

static void keep_status_text(struct vw_stream *stream)
{
	size_t len = GRPC_SLICE_LENGTH(stream->details);
	if (len >= sizeof(stream->text))
		len = sizeof(stream->text) - 1;
	memcpy(stream->text, GRPC_SLICE_START_PTR(stream->details), len);
	stream->text[len] = '\0';
}

static enum vw_stream_event take_message(struct vw_stream *stream, struct vw_arena *arena,
					 vw_controller_message **out_message, struct vw_error *err)
{
	void *message;
	if (!stream->received) {
		stream->finished = true;
		return VW_STREAM_NOTHING;
	}
	int code = stream->broken ? VW_ECANCELLED
				  : vw_codec_read(stream->received, VW_MAX_FLEET_CONTROL,
						  &verifywise__v1__controller_message__descriptor,
						  "a message of the controller", arena, &message, err);
	grpc_byte_buffer_destroy(stream->received);
	stream->received = NULL;
	if (stream->broken)
		return VW_STREAM_NOTHING;
	if (code < 0) {
		vw_stream_cancel(stream);
		return VW_STREAM_BROKEN;
	}
	*out_message = message;
	return VW_STREAM_RECEIVED;
}

static enum vw_stream_event take(struct tag *tag, bool success, struct vw_arena *arena,
				 vw_controller_message **out_message, struct vw_error *err)
{
	struct vw_stream *stream = tag->stream;
	switch (tag->operation) {
	case READ:
		return take_message(stream, arena, out_message, err);
	case SEND:
		if (stream->sending)
			grpc_byte_buffer_destroy(stream->sending);
		stream->sending = NULL;
		return success ? VW_STREAM_SENT : VW_STREAM_NOTHING;
	case STATUS:
		keep_status_text(stream);
		stream->finished = true;
		return VW_STREAM_NOTHING;
	default:
		return VW_STREAM_NOTHING;
	}
}

enum vw_stream_event vw_stream_take(void *tag, bool success, struct vw_arena *arena,
				    vw_controller_message **out_message, struct vw_error *err)
{
	struct tag *own = tag;
	vw_take_over(own);
	own->stream->under_way[own->operation] = false;
	return take(own, success, arena, out_message, err);
}

bool vw_stream_over(const struct vw_stream *stream)
{
	for (int i = 0; i < OPERATIONS; i++) {
		if (stream->under_way[i])
			return false;
	}
	return true;
}

grpc_status_code vw_stream_status(const struct vw_stream *stream, const char **out_text)
{
	*out_text = stream->text;
	return stream->status;
}
