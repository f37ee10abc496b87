/* supervise.c: which connection is made when, which stream counts, and when the certificate is renewed. */
#include "uplink_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "proto/message.h"

#include <string.h>

#define LIVED_MS        10000 /* a stream that lasted so long was of use */
#define LOOK_AGAIN_MS   (60 * 60 * 1000)
#define SILENT_ENDS     3 /* of streams, in a row, until another certificate is tried */
#define SILENT_RENEW_MS (60 * 60 * 1000)
#define RENEWAL_MIN_MS  10000 /* between two tries to renew */

static void sooner(int64_t when, int64_t *due)
{
	if (when < *due)
		*due = when;
}

/* ---- what is told ---- */

static void say_waiting(struct vw_uplink *uplink, bool refused)
{
	if (!uplink->live)
		uplink_set_phase(uplink, refused ? VW_UPLINK_REFUSED : VW_UPLINK_WAITING, uplink->connect_at);
}

static void set_renewal_failing(struct vw_uplink *uplink, bool failing)
{
	if (uplink->renewal_failing == failing)
		return;
	uplink->renewal_failing = failing;
	pthread_mutex_lock(&uplink->lock);
	uplink->health_version++;
	pthread_mutex_unlock(&uplink->lock);
}

static void note_certificate(struct vw_uplink *uplink)
{
	struct vw_identity_pair pair;
	vw_identity_pair(uplink->identity, &pair);
	uplink->certificate_not_after = pair.not_after;
	uplink_status_begin(uplink)->certificate_not_after = pair.not_after;
	uplink_status_end(uplink);
}

/* ---- when to come again ---- */

static void retry_later(struct vw_uplink *uplink, int64_t now)
{
	uplink->connect_at = now + vw_retry_after_failure(&uplink->retry, uplink_random());
}

static void schedule(struct vw_uplink *uplink, const struct verdict *verdict, bool lived, int64_t now)
{
	int64_t asked = vw_retry_after_request(verdict->after_ms, uplink_random());
	int64_t refusal = vw_retry_after_refusal(uplink_random());
	switch (verdict->next) {
	case NEXT_AT_ONCE:
		if (!lived)
			break; /* a stream that is sent away at once comes no faster than one that broke */
		uplink->connect_at = now;
		return;
	case NEXT_AFTER:
		if (!lived)
			asked += vw_retry_after_failure(&uplink->retry, uplink_random());
		uplink->connect_at = now + asked;
		return;
	case NEXT_REFUSED:
		uplink->connect_at = now + (asked > refusal ? asked : refusal);
		return;
	case NEXT_RENEW:
		uplink->renew_now = true;
		break;
	default:
		break;
	}
	retry_later(uplink, now);
}

/* ---- renewal ---- */

static void take_renewal(struct vw_uplink *uplink, const struct vw_job *job, int64_t now)
{
	int64_t delay = vw_retry_after_failure(&uplink->renewal, uplink_random());
	uplink->renew_now = false;
	uplink->renew_after = now + (delay > RENEWAL_MIN_MS ? delay : RENEWAL_MIN_MS);
	if (job->code < 0) {
		vw_log(VW_LOG_ERROR, "certificate_not_renewed", VW_LOG_S("reason", job->error.message));
		if (job->rejection)
			uplink->renew_after = now + vw_retry_after_refusal(uplink_random());
		uplink_note_error(uplink, &job->error);
		set_renewal_failing(uplink, true);
		uplink_rotate_end(uplink, VW_COMMAND_STATE_FAILED, job->error.message);
		return;
	}
	vw_retry_reset(&uplink->renewal);
	set_renewal_failing(uplink, false);
	note_certificate(uplink);
	vw_log(VW_LOG_INFO, "certificate_renewed", VW_LOG_I("not_after", uplink->certificate_not_after));
	uplink->connect_at = now;
}

/* The join sequence goes with the question: a copy of this agent that renews is seen too. */
static uint64_t join_sequence(struct vw_uplink *uplink)
{
	struct vw_txn *txn;
	vw_uplink_state *state;
	uint64_t join = 0;
	vw_arena_reset(uplink->scratch);
	if (vw_txn_begin_read(vw_store_kv(uplink->settings.store), &txn, NULL) < 0)
		return 0;
	if (vw_store_uplink(txn, uplink->scratch, &state, NULL) == 0)
		join = state->join_sequence;
	vw_txn_end(txn);
	return join;
}

static bool start_renewal(struct vw_uplink *uplink, int64_t now, int64_t *due)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_identity_pair pair;
	vw_identity_pair(uplink->identity, &pair);
	int64_t left = vw_identity_renew_at(uplink->identity) - vw_clock_now();
	/* one that was got for the same command, and not shown yet, will do */
	bool asked = uplink->renew_now && !(uplink->rotating[0] && pair.pending);
	if (!asked && (left > 0 || pair.pending)) {
		sooner(now + (left > 0 && left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS), due);
		return false;
	}
	if (now < uplink->renew_after) {
		sooner(uplink->renew_after, due);
		return false;
	}
	if (vw_job_renew(&uplink->job, uplink->identity, join_sequence(uplink), &uplink->settings.route,
			 &uplink->waker, &err) == 0)
		return true;
	uplink->renew_after = now + RENEWAL_MIN_MS;
	sooner(uplink->renew_after, due);
	return false;
}

/* ---- connecting ---- */

static bool is_by_alert(const struct verdict *verdict)
{
	return verdict->next == NEXT_REFUSED && verdict->rejection == 0;
}

/* By an alert of TLS, or by a word that may be meant for it alone. */
static bool refuses_certificate(const struct verdict *verdict)
{
	return is_by_alert(verdict) || verdict->next == NEXT_RENEW || verdict->rejection == VW_REJECTION_REVOKED ||
	       verdict->rejection == VW_REJECTION_UNKNOWN_AGENT;
}

/* A renewed certificate that is not taken: the old one is shown again, soon. */
static bool fall_back(struct vw_uplink *uplink, bool pending_pair, const struct verdict *verdict, int64_t now)
{
	if (!pending_pair || !refuses_certificate(verdict))
		return false;
	vw_identity_distrust_pending(uplink->identity);
	uplink->renew_after = now + vw_retry_after_refusal(uplink_random());
	uplink_rotate_end(uplink, VW_COMMAND_STATE_FAILED, verdict->error.message);
	retry_later(uplink, now);
	say_waiting(uplink, false);
	return true;
}

/* The authority that issued it may have been replaced: the one that is there now is asked for another, now and then. */
static void doubt_certificate(struct vw_uplink *uplink, struct verdict *verdict, int64_t now)
{
	if (!is_by_alert(verdict) || now < uplink->silent_renew_at)
		return;
	verdict->next = NEXT_RENEW;
	uplink->silent_renew_at = now + SILENT_RENEW_MS;
}

static void dial_failed(struct vw_uplink *uplink, const struct vw_job *job, int64_t now)
{
	struct verdict verdict = {.next = NEXT_RETRY, .error = job->error};
	if (job->failure == VW_DIAL_EXPIRED)
		verdict.next = NEXT_RENEW;
	else if (job->failure == VW_DIAL_REFUSED)
		verdict.next = NEXT_REFUSED;
	vw_log(VW_LOG_WARN, "uplink_unreachable", VW_LOG_S("reason", job->error.message));
	uplink_note_error(uplink, &job->error);
	if (fall_back(uplink, job->pending_pair, &verdict, now))
		return;
	doubt_certificate(uplink, &verdict, now);
	schedule(uplink, &verdict, false, now);
	say_waiting(uplink, verdict.next == NEXT_REFUSED);
}

static void take_dial(struct vw_uplink *uplink, const struct vw_job *job, int64_t now)
{
	struct vw_error err = VW_ERROR_INIT;
	struct session **place = uplink->live ? &uplink->next : &uplink->live;
	if (job->code < 0) {
		dial_failed(uplink, job, now);
		return;
	}
	if (uplink_session_open(uplink, job->dial, job->pending_pair, place, &err) == 0)
		return;
	vw_log(VW_LOG_ERROR, "uplink_broken", VW_LOG_S("reason", err.message));
	uplink_note_error(uplink, &err);
	retry_later(uplink, now);
	say_waiting(uplink, false);
}

/* With a stream that lives, another one is made only to show the new certificate. */
static void start_dial(struct vw_uplink *uplink, int64_t now, int64_t *due)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_identity_pair pair;
	vw_identity_pair(uplink->identity, &pair);
	if (uplink->live && (!pair.pending || uplink->next || uplink->old))
		return;
	if (now < uplink->connect_at) {
		sooner(uplink->connect_at, due);
		return;
	}
	if (!uplink->live)
		uplink_set_phase(uplink, VW_UPLINK_CONNECTING, 0);
	if (vw_job_dial(&uplink->job, uplink->identity, &uplink->settings.route, &uplink->waker, &err) == 0)
		return;
	uplink_note_error(uplink, &err);
	retry_later(uplink, now);
	sooner(uplink->connect_at, due);
	say_waiting(uplink, false);
}

/* Its Welcome, or its end without one, may change the identity. */
static bool is_undecided(const struct session *session)
{
	return session && (session->phase == SESSION_HELLO || session->pending_pair);
}

void uplink_supervise(struct vw_uplink *uplink, int64_t now, int64_t *due)
{
	struct vw_job done;
	if (vw_job_take(&uplink->job, &done)) {
		if (done.kind == VW_JOB_RENEW)
			take_renewal(uplink, &done, now);
		else
			take_dial(uplink, &done, now);
	}
	/* the identity is the job's while it runs */
	if (vw_job_runs(&uplink->job) || is_undecided(uplink->live) || is_undecided(uplink->next))
		return;
	if (!start_renewal(uplink, now, due))
		start_dial(uplink, now, due);
}

/* ---- streams ---- */

void uplink_welcomed(struct vw_uplink *uplink, struct session *session)
{
	struct vw_error err = VW_ERROR_INIT;
	struct verdict replaced = {.next = NEXT_AT_ONCE};
	if (session->pending_pair && vw_identity_confirm(uplink->identity, &err) < 0)
		vw_log(VW_LOG_ERROR, "certificate_not_kept", VW_LOG_S("reason", err.message));
	else if (session->pending_pair)
		uplink_rotate_end(uplink, VW_COMMAND_STATE_DONE, "a new certificate is in use");
	session->pending_pair = false;
	note_certificate(uplink);
	if (uplink->next == session) {
		vw_error_set(&replaced.error, VW_EAGAIN, "another stream took its place");
		if (uplink->live)
			session_leave(uplink->live, &replaced);
		uplink->old = uplink->live;
		uplink->live = session;
		uplink->next = NULL;
	}
	uplink_resend_begin(uplink, session);
	struct vw_uplink_status *status = uplink_status_begin(uplink);
	status->connects++;
	status->connected_at = vw_clock_now();
	status->rejection = 0;
	status->last_error = (struct vw_error)VW_ERROR_INIT;
	uplink_status_end(uplink);
	uplink_set_phase(uplink, VW_UPLINK_CONNECTED, 0);
	vw_log(VW_LOG_INFO, "uplink_connected", VW_LOG_I("resume", session->next_sequence));
}

static bool lived(const struct session *session, int64_t now)
{
	return session->welcomed_at && now - session->welcomed_at >= LIVED_MS &&
	       (session->acknowledged || session->window.count == 0);
}

/* The controller sends the old stream away when it has welcomed the new one, which may be heard of later. */
static bool is_replaced(const struct vw_uplink *uplink, const struct session *session)
{
	return uplink->next && (session->verdict.next == NEXT_AT_ONCE || session->verdict.next == NEXT_AFTER);
}

static void note_end(struct vw_uplink *uplink, const struct session *session)
{
	const struct verdict *verdict = &session->verdict;
	bool replaced = is_replaced(uplink, session), planned = replaced || verdict->next == NEXT_AT_ONCE;
	vw_log(planned ? VW_LOG_INFO : VW_LOG_WARN, "uplink_ended", VW_LOG_S("reason", verdict->error.message));
	struct vw_uplink_status *status = uplink_status_begin(uplink);
	if (!replaced)
		status->connected_at = 0;
	status->rejection = verdict->rejection;
	if (!planned)
		status->last_error = verdict->error;
	uplink_status_end(uplink);
}

/* By our clock the certificate is good; the controller's clock, or its list, may say otherwise. */
static void count_silence(struct vw_uplink *uplink, struct session *session, int64_t now)
{
	uplink->silent_ends = session->verdict.silent ? uplink->silent_ends + 1 : 0;
	if (uplink->silent_ends < SILENT_ENDS)
		return;
	uplink->silent_ends = 0;
	if (!session->pending_pair && now < uplink->silent_renew_at)
		return;
	session->verdict.next = NEXT_RENEW;
	uplink->silent_renew_at = now + SILENT_RENEW_MS;
}

static void live_over(struct vw_uplink *uplink, struct session *session, int64_t now)
{
	bool of_use = lived(session, now), replaced = is_replaced(uplink, session);
	count_silence(uplink, session, now);
	note_end(uplink, session);
	if (of_use)
		vw_retry_reset(&uplink->retry);
	uplink->live = uplink->next; /* it is on its way already */
	uplink->next = NULL;
	if (uplink->live) {
		if (!replaced)
			uplink_set_phase(uplink, VW_UPLINK_CONNECTING, 0);
		return;
	}
	if (fall_back(uplink, session->pending_pair, &session->verdict, now))
		return;
	doubt_certificate(uplink, &session->verdict, now);
	schedule(uplink, &session->verdict, of_use, now);
	say_waiting(uplink, session->verdict.next == NEXT_REFUSED);
}

static void next_over(struct vw_uplink *uplink, struct session *session, int64_t now)
{
	count_silence(uplink, session, now);
	uplink->next = NULL;
	vw_log(VW_LOG_WARN, "uplink_not_replaced", VW_LOG_S("reason", session->verdict.error.message));
	if (fall_back(uplink, session->pending_pair, &session->verdict, now))
		return;
	schedule(uplink, &session->verdict, false, now);
}

void uplink_session_over(struct vw_uplink *uplink, struct session *session)
{
	int64_t now = vw_clock_monotonic();
	if (session == uplink->live)
		live_over(uplink, session, now);
	else if (session == uplink->next)
		next_over(uplink, session, now);
	else
		uplink->old = NULL;
	uplink_session_close(session);
}
