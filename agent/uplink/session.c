#include "uplink_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#define LEAVE_MS    1500 /* for the peer to end a stream that we left */
#define MAX_RESUMES 16   /* without an acknowledgement between them */

/* ---- life ---- */

static bool copy_identity(struct session *session)
{
	const vw_issued *issued = vw_identity_issued(session->uplink->identity);
	struct vw_arena *arena = session->arena;
	struct vw_identity_pair pair;
	vw_identity_pair(session->uplink->identity, &pair);
	session->trust_domain = vw_arena_strdup(arena, issued->trust_domain);
	session->organization = vw_arena_strdup(arena, issued->organization);
	session->agent_id = vw_arena_strdup(arena, issued->agent_id);
	session->authorities = vw_arena_array(arena, pair.authority_count + 1, sizeof(*session->authorities));
	for (size_t i = 0; session->authorities && i < pair.authority_count; i++) {
		const struct vw_bytes *der = &pair.authorities[i];
		session->authorities[i] = (struct vw_bytes){vw_arena_memdup(arena, der->data, der->len), der->len};
	}
	session->authority_count = pair.authority_count;
	return !vw_arena_failed(arena);
}

static int say_hello(struct session *session, struct vw_error *err)
{
	struct vw_uplink *uplink = session->uplink;
	vw_arena_reset(uplink->scratch);
	vw_agent_message *hello = session_hello(session, uplink->scratch, err);
	if (!hello)
		return err->code;
	int code = vw_stream_open(session->dial, uplink->queue, session, &session->stream, err);
	if (code == 0 && !session_send(session, hello))
		vw_stream_cancel(session->stream); /* its end comes as an event */
	return code;
}

int uplink_session_open(struct vw_uplink *uplink, struct vw_dial *dial, bool pending_pair, struct session **out,
			struct vw_error *err)
{
	struct session *session = calloc(1, sizeof(*session));
	if (!session) {
		vw_dial_close(dial);
		return vw_error_set(err, VW_ENOMEM, "no memory for a stream");
	}
	session->uplink = uplink;
	session->dial = dial;
	session->pending_pair = pending_pair;
	session->opened_at = vw_clock_monotonic();
	session->arena = vw_arena_open(VW_MIB);
	int code = session->arena && copy_identity(session) ? say_hello(session, err)
							    : vw_error_set(err, VW_ENOMEM, "no memory for a stream");
	if (code < 0) {
		uplink_session_close(session);
		return code;
	}
	*out = session;
	return 0;
}

void uplink_session_close(struct session *session)
{
	if (!session)
		return;
	vw_stream_close(session->stream);
	vw_dial_close(session->dial);
	receipts_reset(&session->receipts);
	vw_arena_close(session->arena);
	free(session);
}

void session_leave(struct session *session, const struct verdict *verdict)
{
	if (!session->verdict.given) {
		session->verdict = *verdict;
		session->verdict.given = true;
	}
	if (session->phase == SESSION_LEAVING)
		return;
	session->phase = SESSION_LEAVING;
	session->cancel_at = vw_clock_monotonic() + LEAVE_MS;
}

void session_fail(struct session *session, enum session_next next, const struct vw_error *why)
{
	struct verdict verdict = {.next = next, .error = *why};
	session_leave(session, &verdict);
}

static void misbehaves(struct session *session, const char *what)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_error_set(&err, VW_EINVAL, "the controller does not keep to the protocol: %s", what);
	session_fail(session, NEXT_RETRY, &err);
}

/* ---- the end ---- */

static void judge_end(struct session *session)
{
	struct verdict *verdict = &session->verdict;
	const char *text;
	grpc_status_code status = vw_stream_status(session->stream, &text);
	enum vw_dial_failure failure = vw_dial_failure(session->dial, &verdict->error);
	verdict->next = NEXT_RETRY;
	verdict->silent = failure == VW_DIAL_UNREACHABLE && !vw_dial_heard(session->dial);
	if (verdict->silent)
		vw_error_context(&verdict->error, verdict->error.code,
				 "right after the handshake, as if this agent's certificate were refused");
	else if (failure == VW_DIAL_EXPIRED)
		verdict->next = NEXT_RENEW;
	else if (failure == VW_DIAL_REFUSED)
		verdict->next = NEXT_REFUSED;
	else if (failure == VW_DIAL_NONE || status != GRPC_STATUS_UNAVAILABLE)
		vw_error_set(&verdict->error, VW_EAGAIN, "the stream ended (gRPC status %d: %s)", (int)status,
			     vw_utf8_valid(text, strlen(text)) ? text : "unreadable text");
}

bool session_over(struct session *session)
{
	int64_t due = INT64_MAX;
	if (!vw_stream_over(session->stream))
		return false;
	receipts_store(session, vw_clock_monotonic(), true, &due);
	if (!session->verdict.given && session->receipt_refused) {
		session->verdict.next = NEXT_REFUSED;
		vw_error_set(&session->verdict.error, VW_EAUTH, "%s", session->receipt_refused);
	} else if (!session->verdict.given) {
		judge_end(session);
	}
	session->verdict.given = true;
	return true;
}

/* ---- what comes ---- */

static void take_reconnect(struct session *session, const vw_reconnect *reconnect)
{
	struct verdict verdict = {.next = reconnect->after_ms ? NEXT_AFTER : NEXT_AT_ONCE,
				  .after_ms = reconnect->after_ms};
	vw_error_set(&verdict.error, VW_EAGAIN, "the controller asks to come again");
	session_leave(session, &verdict);
}

static void take_resume(struct session *session, const vw_resume *resume)
{
	struct vw_uplink *uplink = session->uplink;
	if (resume->sequence == 0 || resume->sequence > session->highest_sent + 1) {
		misbehaves(session, "it asks for an entry that it cannot miss");
		return;
	}
	if (++session->resumes > MAX_RESUMES) {
		misbehaves(session, "it asks again and again for entries that it does not acknowledge");
		return;
	}
	if (resume->sequence < session->next_sequence) {
		uplink_status_begin(uplink)->duplicates_asked += session->next_sequence - resume->sequence;
		uplink_status_end(uplink);
	}
	session->next_sequence = resume->sequence;
	session->more = true;
	session->window_full = false;
	vw_window_clear(&session->window);
}

/* Ids of our own making are not the controller's to give. */
static void take_command(struct session *session, const vw_command *command)
{
	if (command->id && vw_held_is_reserved(command->id))
		vw_log(VW_LOG_ERROR, "command_not_taken", VW_LOG_S("reason", "its id is of this agent's own kind"));
	else
		uplink_command_take(session->uplink, command);
}

static void take_first(struct session *session, const vw_controller_message *message)
{
	switch (message->body_case) {
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_WELCOME:
		session_welcome(session, message->welcome);
		return;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_REJECTION:
		session_reject(session, message->rejection);
		return;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_RECONNECT:
		take_reconnect(session, message->reconnect);
		return;
	default:
		misbehaves(session, "its first message is neither a welcome nor a rejection");
	}
}

static void take_next(struct session *session, const vw_controller_message *message)
{
	switch (message->body_case) {
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_ACKNOWLEDGEMENT:
		receipts_take(session, message->acknowledgement, vw_clock_monotonic());
		uplink_resend_check(session->uplink, session);
		return;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_RESUME:
		take_resume(session, message->resume);
		return;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_COMMAND:
		take_command(session, message->command);
		return;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_DESIRED:
		session_desired(session, message->desired);
		return;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_REJECTION:
		session_reject(session, message->rejection);
		return;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_RECONNECT:
		take_reconnect(session, message->reconnect);
		return;
	case VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_WELCOME:
		misbehaves(session, "it welcomes twice");
		return;
	default:
		return; /* a newer minor version's */
	}
}

static void take(struct session *session, const vw_controller_message *message)
{
	if (session->phase == SESSION_HELLO)
		take_first(session, message);
	else if (session->phase == SESSION_OPEN)
		take_next(session, message);
	else if (message->body_case == VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_ACKNOWLEDGEMENT &&
		 session->welcomed_at)
		receipts_take(session, message->acknowledgement, vw_clock_monotonic());
}

void session_event(struct session *session, void *tag, bool success)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_controller_message *message;
	vw_arena_reset(session->uplink->arena);
	switch (vw_stream_take(tag, success, session->uplink->arena, &message, &err)) {
	case VW_STREAM_RECEIVED:
		take(session, message);
		vw_stream_read_on(session->stream);
		return;
	case VW_STREAM_BROKEN:
		misbehaves(session, err.message);
		return;
	default:
		return;
	}
}

/* ---- what is due ---- */

bool session_send(struct session *session, const vw_agent_message *message)
{
	struct vw_error err = VW_ERROR_INIT;
	if (vw_stream_send(session->stream, message, &err) < 0) {
		session_fail(session, NEXT_RETRY, &err);
		return false;
	}
	session->last_sent_at = vw_clock_monotonic();
	return true;
}

static void sooner(int64_t when, int64_t *due)
{
	if (when < *due)
		*due = when;
}

static void check_times(struct session *session, int64_t now, int64_t *due)
{
	struct verdict old = {.next = NEXT_AT_ONCE};
	int64_t patience = session->uplink->settings.route.request_timeout_ms;
	if (session->phase == SESSION_HELLO && now >= session->opened_at + patience) {
		struct vw_error err = VW_ERROR_INIT;
		vw_error_set(&err, VW_ETIMEOUT, "the controller did not answer within %lld ms", (long long)patience);
		session_fail(session, NEXT_RETRY, &err);
	}
	if (session->phase == SESSION_OPEN && session->ends_at && now >= session->ends_at) {
		vw_error_set(&old.error, VW_EAGAIN, "the stream reached its age");
		session_leave(session, &old);
	}
	if (session->phase == SESSION_HELLO)
		sooner(session->opened_at + patience, due);
	if (session->phase == SESSION_OPEN && session->ends_at)
		sooner(session->ends_at, due);
	if (session->cancel_at && now >= session->cancel_at) {
		vw_stream_cancel(session->stream);
		session->cancel_at = 0;
	}
	if (session->cancel_at)
		sooner(session->cancel_at, due);
}

void session_work(struct session *session, int64_t now, int64_t *due)
{
	check_times(session, now, due);
	receipts_store(session, now, session->phase == SESSION_LEAVING, due);
	while (vw_stream_idle(session->stream) && !session->half_closed) {
		if (session_send_next(session, now, due))
			continue;
		if (session->phase != SESSION_LEAVING)
			return;
		session->half_closed = true;
		vw_stream_half_close(session->stream);
	}
}
