/* messages.c: what an agent's messages mean. */
#include "session.h"

#include "message.h"
#include "peek.h"
#include "work.h"

#include "base/limits.h"
#include "base/log.h"
#include "fleet/codec.h"
#include "proto/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_MS    60000 /* for the store to say whether a stream may begin */
#define BODY(name) VERIFYWISE__V1__AGENT_MESSAGE__BODY_##name

static void malformed(struct vw_stream *stream, const char *text)
{
	vw_stream_reject(stream, VW_REJECTION_MALFORMED, text, 0);
}

/* NULL: it was refused. */
static vw_agent_message *read_message(struct vw_stream *stream, grpc_byte_buffer *message, size_t cap)
{
	struct vw_error err = VW_ERROR_INIT;
	void *out;
	vw_arena_reset(stream->server->scratch);
	if (vw_codec_read(message, cap, &verifywise__v1__agent_message__descriptor, "message",
			  stream->server->scratch, &out, &err) == 0)
		return out;
	malformed(stream, err.message);
	return NULL;
}

/* ---- Hello ---- */

static bool is_digest(protobuf_c_boolean has, const ProtobufCBinaryData *bytes)
{
	return !has || bytes->len == 32;
}

/* What is wrong with it, or NULL. What the store compares it judges itself. */
static const char *flaw_of_hello(const vw_hello *hello)
{
	if (!hello)
		return "the first message is no hello";
	if (!hello->has_instance_id || hello->instance_id.len != VW_INSTANCE_ID)
		return "a hello without an instance id of 16 bytes";
	if (!is_digest(hello->has_policy_sha256, &hello->policy_sha256) ||
	    !is_digest(hello->has_config_sha256, &hello->config_sha256))
		return "a hash that is not 32 bytes";
	if (hello->n_secrets > VW_MAX_SECRETS)
		return "a hello with too many secrets";
	if (!vw_message_texts_valid(&hello->base, VW_MAX_ROW_TEXT))
		return "a text that is too long or no UTF-8";
	return NULL;
}

/* While nothing is read from it, it cannot be heard. */
static bool is_alive(const struct vw_stream *stream)
{
	return !stream->reading || vw_stream_is_heard(stream);
}

/* When the other would have been silent for too long, from now on: one whose machine failed comes again then. */
static uint32_t room_in_ms(const struct vw_stream *other)
{
	const struct vw_session_server *server = other->server;
	int64_t silence = 3 * server->settings.heartbeat_ms, silent = server->now - other->heard_at;
	return (uint32_t)(other->reading && silent < silence ? silence - silent : silence);
}

struct refusal {
	int64_t at;
	char text[160];
};

static void set_refusal(vw_agent_presence *presence, void *arg)
{
	struct refusal *refusal = arg;
	presence->last_rejection = refusal->text;
	VW_SET(presence, last_rejection_at, refusal->at);
}

/* For its operator: there is another one, and where. */
static void note_duplicate(struct vw_stream *alive, const struct vw_stream *other)
{
	struct refusal refusal = {.at = alive->server->time};
	snprintf(refusal.text, sizeof(refusal.text), "%s: another process with this identity came from %s",
		 vw_rejection_name(VW_REJECTION_DUPLICATE_INSTANCE), other->address);
	if (vw_presence_edit(alive, set_refusal, &refusal))
		vw_presence_touch(alive);
}

/* A second process with this identity, while the first is alive. One that was silent for too long makes room. */
static bool is_duplicate(struct vw_stream *stream, uint32_t *out_room_in_ms)
{
	for (struct vw_stream *other = stream->peer->streams; other; other = other->next_of_peer) {
		if (other == stream || !other->has_instance || other->stage >= VW_STAGE_LEAVING ||
		    memcmp(other->instance_id, stream->instance_id, VW_INSTANCE_ID) == 0)
			continue;
		if (is_alive(other)) {
			*out_room_in_ms = room_in_ms(other);
			note_duplicate(other, stream);
			return true;
		}
		vw_stream_cancel(other, "silent");
	}
	return false;
}

/* Takes the message. */
static void forward(struct vw_stream *stream, enum vw_task_kind kind, grpc_byte_buffer *message)
{
	if (!vw_ask_message(stream, kind, message))
		vw_stream_reject(stream, VW_REJECTION_OVERLOADED, NULL, 0);
}

static void on_hello(struct vw_stream *stream, grpc_byte_buffer *message)
{
	const vw_agent_message *opened = read_message(stream, message, VW_MAX_FLEET_HELLO);
	if (!opened)
		return;
	uint32_t room_in;
	const vw_hello *hello = opened->body_case == BODY(HELLO) ? opened->hello : NULL;
	const char *flaw = flaw_of_hello(hello);
	if (flaw) {
		malformed(stream, flaw);
		return;
	}
	memcpy(stream->instance_id, hello->instance_id.data, VW_INSTANCE_ID);
	stream->has_instance = true;
	stream->last_sequence = hello->last_sequence;
	if (is_duplicate(stream, &room_in)) {
		vw_stream_reject(stream, VW_REJECTION_DUPLICATE_INSTANCE, NULL, room_in);
		return;
	}
	stream->stage = VW_STAGE_JOINING;
	stream->deadline = stream->server->now + JOIN_MS;
	forward(stream, VW_TASK_JOIN, grpc_byte_buffer_copy(message));
}

/* ---- Health and what was applied ---- */

static void set_health(vw_agent_presence *presence, void *arg)
{
	presence->health = arg;
}

static void on_health(struct vw_stream *stream, vw_health *health, size_t len)
{
	if (len > VW_MAX_FLEET_HEALTH || !vw_message_texts_valid(&health->base, VW_MAX_ROW_TEXT)) {
		malformed(stream, "a health report that is too large or no UTF-8");
		return;
	}
	if (health->has_last_sequence)
		stream->last_sequence = health->last_sequence;
	if (vw_presence_edit(stream, set_health, health))
		vw_presence_touch(stream);
}

struct applied {
	const vw_applied *message;
	char *error; /* NULL: it was applied */
};

static void set_applied(vw_agent_presence *presence, void *arg)
{
	const struct applied *applied = arg;
	const vw_applied *message = applied->message;
	bool is_policy = strcmp(message->what, "policy") == 0;
	if (strcmp(message->what, "secrets") == 0) {
		presence->n_secrets = message->n_secrets;
		presence->secrets = message->secrets;
		return;
	}
	if (is_policy)
		presence->policy_error = applied->error;
	else
		presence->config_error = applied->error;
	if (applied->error)
		return;
	if (is_policy) {
		presence->has_policy_sha256 = message->has_sha256;
		presence->policy_sha256 = message->sha256;
	} else {
		presence->has_config_sha256 = message->has_sha256;
		presence->config_sha256 = message->sha256;
	}
}

static const char *flaw_of_applied(const vw_applied *message)
{
	if (!message->what || !message->has_state)
		return "an answer to nothing";
	if (strcmp(message->what, "policy") != 0 && strcmp(message->what, "configuration") != 0 &&
	    strcmp(message->what, "secrets") != 0)
		return "an answer about something that is not known";
	if (!is_digest(message->has_sha256, &message->sha256))
		return "a hash that is not 32 bytes";
	if (message->n_secrets > VW_MAX_SECRETS)
		return "an answer with too many secrets";
	return vw_message_texts_valid(&message->base, VW_MAX_ROW_TEXT) ? NULL : "a text that is too long or no UTF-8";
}

static void on_applied(struct vw_stream *stream, const vw_applied *message)
{
	static const uint8_t none[32];
	char mark[VW_APPLY_ERROR_MARK + 1];
	struct applied applied = {.message = message};
	const char *flaw = flaw_of_applied(message);
	if (flaw) {
		malformed(stream, flaw);
		return;
	}
	bool is_secrets = strcmp(message->what, "secrets") == 0;
	if (message->state == VW_APPLY_FAILED) {
		vw_server_notice(stream->server, stream, VW_LOG_WARN, "not_applied", message->what);
		vw_apply_error_mark(message->has_sha256 ? message->sha256.data : none, mark);
		applied.error = vw_arena_printf(stream->server->scratch, "%s%.1024s", mark,
						message->text ? message->text : "not applied");
	}
	if (message->state == VW_APPLY_APPLYING || (applied.error && is_secrets))
		return;
	if (vw_presence_edit(stream, set_applied, &applied))
		vw_presence_touch(stream);
}

static void on_receipt_refused(struct vw_stream *stream, const vw_receipt_refused *message)
{
	if (!vw_message_texts_valid(&message->base, VW_MAX_ROW_TEXT)) {
		malformed(stream, "a text that is too long or no UTF-8");
		return;
	}
	vw_server_notice(stream->server, stream, VW_LOG_ERROR, "receipt_refused", message->text ? message->text : "");
}

/* ---- All of them ---- */

static void on_control(struct vw_stream *stream, const grpc_byte_buffer *buffer, const vw_agent_message *message)
{
	switch (message->body_case) {
	case BODY(HELLO):
		malformed(stream, "a second hello");
		break;
	case BODY(HEALTH):
		on_health(stream, message->health, grpc_byte_buffer_length((grpc_byte_buffer *)buffer));
		break;
	case BODY(HEARTBEAT):
		if (message->heartbeat->has_last_sequence)
			stream->last_sequence = message->heartbeat->last_sequence;
		break;
	case BODY(APPLIED):
		on_applied(stream, message->applied);
		break;
	case BODY(RECEIPT_REFUSED):
		on_receipt_refused(stream, message->receipt_refused);
		break;
	default: /* of a newer minor version */
		break;
	}
}

/* Takes the message. */
static void on_open(struct vw_stream *stream, grpc_byte_buffer *message)
{
	size_t len = grpc_byte_buffer_length(message);
	int body = vw_peek_body(message->data.raw.slice_buffer.slices, message->data.raw.slice_buffer.count);
	if (body == BODY(BATCH)) {
		vw_tally_add(&stream->server->tally.batches, 1);
		vw_tally_add(&stream->server->tally.bytes, (int64_t)len);
		forward(stream, VW_TASK_BATCH, message);
		return;
	}
	stream->controls++;
	if (body < 0)
		malformed(stream, "bytes that are no message");
	else if (len > VW_MAX_FLEET_CONTROL)
		malformed(stream, "a message that is too large");
	else if (body == BODY(COMMAND)) {
		forward(stream, VW_TASK_UPDATE, message);
		return;
	} else {
		const vw_agent_message *opened = read_message(stream, message, VW_MAX_FLEET_CONTROL);
		if (opened)
			on_control(stream, message, opened);
	}
	grpc_byte_buffer_destroy(message);
}

void vw_messages_take(struct vw_stream *stream, grpc_byte_buffer *message)
{
	if (!message) {
		vw_stream_leave(stream, "closed_by_agent");
	} else if (stream->stage == VW_STAGE_HELLO) {
		on_hello(stream, message);
		grpc_byte_buffer_destroy(message);
	} else {
		on_open(stream, message);
	}
}
