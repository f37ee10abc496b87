/* stream.h: one call of Fleet/Session over gRPC core's C surface: which batches are under way, and what comes out of the completion queue.
 *
 * One message is sent at a time and one is read at a time: the next is read when the last was dealt with, so that a peer that talks too much waits. */
#ifndef UPLINK_STREAM_H
#define UPLINK_STREAM_H

#include "base/arena.h"
#include "dial.h"
#include "proto/model.h"

#include <grpc/grpc.h>

struct vw_stream;

/* What an event of the queue means. */
enum vw_stream_event {
	VW_STREAM_NOTHING,
	VW_STREAM_SENT,     /* the next message may be sent */
	VW_STREAM_RECEIVED, /* *out_message, until the next event */
	VW_STREAM_BROKEN    /* a message that cannot be read; `err` says why. The stream was cancelled */
};

/* Begins the call. `owner` comes back with each event. */
int vw_stream_open(struct vw_dial *dial, grpc_completion_queue *queue, void *owner, struct vw_stream **out,
		   struct vw_error *err);
/* Nothing is under way any more: it can be closed. To be asked when an event was dealt with. */
bool vw_stream_over(const struct vw_stream *stream);
/* True when a message may be sent now. */
bool vw_stream_idle(const struct vw_stream *stream);
/* Packs and sends. Only when idle. VW_ENOMEM, VW_EAGAIN (the stream is over). */
int vw_stream_send(struct vw_stream *stream, const vw_agent_message *message, struct vw_error *err);
/* Reads on, after VW_STREAM_RECEIVED. */
void vw_stream_read_on(struct vw_stream *stream);
/* Our last message was sent: the peer is to end the stream. Only when idle. */
void vw_stream_half_close(struct vw_stream *stream);
/* Ends it at once. */
void vw_stream_cancel(struct vw_stream *stream);

/* Whose event this is: the `owner`; NULL when the tag is not of a stream. */
void *vw_stream_owner(void *tag);
/* Messages are read into `arena`. */
enum vw_stream_event vw_stream_take(void *tag, bool success, struct vw_arena *arena,
				    vw_controller_message **out_message, struct vw_error *err);

/* Once it is over: the peer's status and its text, which is the peer's. */
grpc_status_code vw_stream_status(const struct vw_stream *stream, const char **out_text);
/* Only when it is over. NULL is fine. */
void vw_stream_close(struct vw_stream *stream);

#endif
