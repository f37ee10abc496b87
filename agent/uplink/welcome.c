/* welcome.c: the controller's first message: may we go on, from where, and is it still our chain that it has? */
#include "uplink_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "proto/message.h"

#include <string.h>

/* What a peer may set; what is outside is taken as the nearest. */
#define HEARTBEAT_DEFAULT_MS 30000
#define HEARTBEAT_MIN_MS     1000
#define HEARTBEAT_MAX_MS     (60 * 60 * 1000)
#define WINDOW_MAX           (16 * VW_WINDOW_BYTES)
#define PEER_TEXT_MAX        300 /* bytes of the controller's own words that are kept */

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

/* ---- refusals ---- */

static void peer_text(const char *text, struct vw_buffer *out)
{
	char cut[PEER_TEXT_MAX + 1];
	size_t len = text ? strnlen(text, PEER_TEXT_MAX) : 0;
	if (len > 0)
		memcpy(cut, text, len);
	cut[len] = '\0';
	vw_buffer_init(out, 8 * PEER_TEXT_MAX);
	vw_text_append_safe(out, cut);
}

static enum session_next next_of(vw_rejection_reason reason)
{
	switch (reason) {
	case VW_REJECTION_EXPIRED:
		return NEXT_RENEW;
	case VW_REJECTION_CLOCK_SKEW:
		return NEXT_RETRY;
	case VW_REJECTION_OVERLOADED:
		return NEXT_RETRY;
	default:
		/* UNKNOWN_AGENT too: an operator may put the agent back, so nothing is thrown away */
		return NEXT_REFUSED;
	}
}

static void take_time(struct vw_uplink *uplink, int64_t server_time)
{
	uplink_status_begin(uplink)->clock_offset_ms = server_time - vw_clock_now();
	uplink->server_time = server_time;
	uplink->told_at = vw_clock_monotonic();
	uplink_status_end(uplink);
}

void session_reject(struct session *session, const vw_rejection *rejection)
{
	struct verdict verdict = {.next = next_of(rejection->reason), .rejection = (int)rejection->reason};
	struct vw_buffer text;
	int64_t offset = rejection->has_server_time ? rejection->server_time - vw_clock_now() : 0;
	peer_text(rejection->text, &text);
	const char *name = vw_enum_name(&verifywise__v1__rejection_reason__descriptor,
					rejection->has_reason ? (int)rejection->reason : 0);
	if (rejection->has_reason && rejection->reason == VW_REJECTION_CLOCK_SKEW && rejection->has_server_time)
		vw_error_set(&verdict.error, VW_EAUTH,
			     "the controller refuses this agent: this machine's clock is %lld seconds %s its own: %s",
			     (long long)(offset < 0 ? -offset : offset) / 1000, offset < 0 ? "ahead of" : "behind",
			     vw_buffer_text(&text));
	else
		vw_error_set(&verdict.error, VW_EAUTH, "the controller refuses this agent (%s): %s", name,
			     vw_buffer_text(&text));
	vw_buffer_reset(&text);
	if (rejection->has_server_time)
		take_time(session->uplink, rejection->server_time);
	/* what passes by itself: the controller knows better when */
	if (rejection->retry_after_ms > 0 && (verdict.next == NEXT_RETRY || verdict.next == NEXT_REFUSED))
		verdict.next = NEXT_AFTER;
	verdict.after_ms = rejection->retry_after_ms;
	session_leave(session, &verdict);
}

/* ---- the join sequence ---- */

static int put_join_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct session *session = arg;
	vw_uplink_state *state;
	vw_arena_reset(session->uplink->scratch);
	int code = vw_store_uplink(txn, session->uplink->scratch, &state, err);
	if (code < 0)
		return code;
	VW_SET(state, join_sequence, session->join_sequence);
	return vw_store_put_uplink(txn, session->uplink->scratch, state, err);
}

/* Before anything else is sent: whoever shows an older one later is a copy of this agent. */
static int keep_join_sequence(struct session *session, const vw_welcome *welcome, struct vw_error *err)
{
	if (!welcome->has_join_sequence)
		return 0;
	session->join_sequence = welcome->join_sequence;
	return vw_kv_write(vw_store_kv(session->uplink->settings.store), put_join_step, session, err);
}

/* ---- is it our chain? ---- */

static int check_chain(struct session *session, struct vw_txn *txn, const vw_welcome *welcome,
		       struct vw_ledger_head *head, struct vw_error *err)
{
	static const uint8_t nothing[VW_LEDGER_HASH] = {0};
	const ProtobufCBinaryData *theirs = &welcome->acknowledged_chain_sha256;
	const uint8_t *ours = nothing;
	struct vw_bytes payload;
	int code = vw_store_head(txn, head, err);
	(void)session;
	if (code < 0)
		return code;
	if (welcome->resume_sequence == 0)
		return vw_error_set(err, VW_EINVAL, "the controller does not say which entry it wants");
	uint64_t stored = welcome->resume_sequence - 1;
	if (stored > head->sequence)
		return vw_error_set(
		    err, VW_EAUTH,
		    "the controller has %llu entries of this agent, which itself has %llu: this state "
		    "was put back or cut off; enroll it anew (enroll --new-agent)",
		    (unsigned long long)stored, (unsigned long long)head->sequence);
	if (stored > 0)
		code = vw_store_entry_bytes(txn, stored, &payload, &ours, err);
	if (code < 0)
		return code;
	if (stored == 0 && theirs->len == 0)
		return 0;
	if (theirs->len != VW_LEDGER_HASH || memcmp(theirs->data, ours, VW_LEDGER_HASH) != 0)
		return vw_error_set(err, VW_EAUTH,
				    "what the controller has stored up to entry %llu is not this agent's chain: "
				    "nothing is sent to it",
				    (unsigned long long)stored);
	return 0;
}

/* ---- positions ---- */

/* The acknowledgement of what the controller has already may be lost, and the receipt with it: its last entry is sent again for another one. */
static void set_positions(struct session *session, const vw_welcome *welcome, const struct vw_ledger_head *head,
			  uint64_t acknowledged)
{
	uint64_t stored = welcome->resume_sequence - 1;
	session->highest_sent = stored;
	session->next_sequence = stored > acknowledged ? stored : welcome->resume_sequence;
	session->more = head->sequence >= session->next_sequence;
	if (stored < acknowledged)
		vw_log(
		    VW_LOG_ERROR, "controller_behind", VW_LOG_I("stored", stored),
		    VW_LOG_I("acknowledged", acknowledged),
		    VW_LOG_S("reason", "the controller lost entries that it had acknowledged; they are sent again"));
	vw_window_init(&session->window,
		       welcome->window_bytes ? clamp(welcome->window_bytes, 1, WINDOW_MAX) : VW_WINDOW_BYTES);
	session->batch_entries =
	    welcome->batch_entries ? clamp(welcome->batch_entries, 1, VW_MAX_BATCH_ENTRIES) : VW_MAX_BATCH_ENTRIES;
	session->batch_bytes =
	    welcome->batch_bytes ? clamp(welcome->batch_bytes, 1, VW_MAX_BATCH_BYTES) : VW_MAX_BATCH_BYTES;
}

static void set_times(struct session *session, const vw_welcome *welcome)
{
	int64_t now = vw_clock_monotonic();
	session->heartbeat_ms = welcome->heartbeat_ms
				    ? (int64_t)clamp(welcome->heartbeat_ms, HEARTBEAT_MIN_MS, HEARTBEAT_MAX_MS)
				    : HEARTBEAT_DEFAULT_MS;
	session->welcomed_at = now;
	session->ends_at = welcome->max_age_ms ? now + welcome->max_age_ms : 0;
	if (welcome->has_server_time)
		take_time(session->uplink, welcome->server_time);
}

/* `out_acknowledged`: of the newest receipt that we hold. */
static int look_at_ledger(struct session *session, const vw_welcome *welcome, struct vw_ledger_head *out_head,
			  uint64_t *out_acknowledged, struct vw_error *err)
{
	struct vw_txn *txn;
	vw_uplink_state *state;
	vw_arena_reset(session->uplink->scratch);
	int code = vw_txn_begin_read(vw_store_kv(session->uplink->settings.store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_uplink(txn, session->uplink->scratch, &state, err);
	if (code == 0)
		code = check_chain(session, txn, welcome, out_head, err);
	if (code == 0)
		*out_acknowledged = state->acknowledged_sequence;
	vw_txn_end(txn);
	return code;
}

static enum session_next next_after(int code)
{
	return code == VW_EAUTH || code == VW_EINVAL ? NEXT_REFUSED : NEXT_RETRY;
}

void session_welcome(struct session *session, const vw_welcome *welcome)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_ledger_head head;
	uint64_t acknowledged = 0;
	int code = keep_join_sequence(session, welcome, &err);
	if (code == 0)
		code = look_at_ledger(session, welcome, &head, &acknowledged, &err);
	if (code == 0)
		code = uplink_commands_tell_again(session->uplink, acknowledged, &err);
	if (code < 0) {
		session_fail(session, next_after(code), &err);
		return;
	}
	receipts_begin(session, welcome);
	set_positions(session, welcome, &head, acknowledged);
	set_times(session, welcome);
	session->phase = SESSION_OPEN;
	uplink_welcomed(session->uplink, session);
	if (welcome->desired)
		session_desired(session, welcome->desired);
}
