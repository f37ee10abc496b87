#include "uplink_private.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "thread.h"

#include <errno.h>
#include <grpc/support/log.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LONGEST_SLEEP_MS (60 * 60 * 1000)
#define GOODBYE_MS       1500 /* for the controller to end the stream */
#define REST_BYTES       VW_MIB
#define ARENA_CAP        (64 * VW_MIB)

/* ---- what the other files share ---- */

double uplink_random(void)
{
	uint32_t bits;
	vw_random_bytes(&bits, sizeof(bits));
	return (double)bits / 4294967296.0;
}

struct vw_uplink_status *uplink_status_begin(struct vw_uplink *uplink)
{
	pthread_mutex_lock(&uplink->lock);
	return &uplink->status;
}

static void note_waiting(struct vw_uplink *uplink)
{
	struct vw_uplink_status *status = &uplink->status;
	bool moved = status->acknowledged_sequence > uplink->waited_from;
	if (status->acknowledged_sequence >= status->last_sequence)
		status->waiting_since = 0;
	else if (!status->waiting_since || moved)
		status->waiting_since = vw_clock_monotonic();
	uplink->waited_from = status->acknowledged_sequence;
}

void uplink_status_end(struct vw_uplink *uplink)
{
	note_waiting(uplink);
	pthread_mutex_unlock(&uplink->lock);
}

void uplink_set_phase(struct vw_uplink *uplink, enum vw_uplink_phase phase, int64_t next_attempt)
{
	struct vw_uplink_status *status = uplink_status_begin(uplink);
	if (status->phase != phase)
		status->since = vw_clock_now();
	status->phase = phase;
	status->next_attempt_at = next_attempt ? vw_clock_now() + next_attempt - vw_clock_monotonic() : 0;
	uplink_status_end(uplink);
}

void uplink_note_error(struct vw_uplink *uplink, const struct vw_error *err)
{
	uplink_status_begin(uplink)->last_error = *err;
	uplink_status_end(uplink);
}

uint64_t uplink_ledger_end(struct vw_uplink *uplink)
{
	struct vw_txn *txn;
	struct vw_ledger_head head = {.sequence = 0};
	if (vw_txn_begin_read(vw_store_kv(uplink->settings.store), &txn, NULL) < 0)
		return 0;
	if (vw_store_head(txn, &head, NULL) < 0)
		head.sequence = 0;
	vw_txn_end(txn);
	uplink_status_begin(uplink)->last_sequence = head.sequence;
	uplink_status_end(uplink);
	return head.sequence;
}

/* ---- the thread ---- */

static bool stopping(struct vw_uplink *uplink)
{
	pthread_mutex_lock(&uplink->lock);
	bool stop = uplink->stopping;
	pthread_mutex_unlock(&uplink->lock);
	return stop;
}

/* There may be more to send, also on a stream that is still waiting for its Welcome: that one looks by itself. */
static void take_wake(struct vw_uplink *uplink)
{
	pthread_mutex_lock(&uplink->lock);
	bool woken = uplink->woken;
	uplink->woken = false;
	pthread_mutex_unlock(&uplink->lock);
	if (!woken)
		return;
	uplink_ledger_end(uplink);
	if (uplink->live)
		uplink->live->more = true;
}

static void dispatch(struct vw_uplink *uplink, const grpc_event *event)
{
	if (event->tag == &uplink->waker) {
		vw_waker_taken(&uplink->waker);
		return;
	}
	struct session *session = vw_stream_owner(event->tag);
	session_event(session, event->tag, event->success != 0);
	if (session_over(session))
		uplink_session_over(uplink, session);
}

static gpr_timespec until(int64_t due)
{
	int64_t left = due - vw_clock_monotonic();
	return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(left > 0 ? left : 0, GPR_TIMESPAN));
}

/* Waits for one event, and takes those that are there already. */
static void wait_for_events(struct vw_uplink *uplink, int64_t due)
{
	grpc_event event = grpc_completion_queue_next(uplink->queue, until(due), NULL);
	while (event.type == GRPC_OP_COMPLETE) {
		dispatch(uplink, &event);
		event = grpc_completion_queue_next(uplink->queue, gpr_time_0(GPR_CLOCK_MONOTONIC), NULL);
	}
}

static void work(struct vw_uplink *uplink, int64_t now, int64_t *due)
{
	struct session *const sessions[] = {uplink->live, uplink->next, uplink->old};
	for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		if (!sessions[i])
			continue;
		session_work(sessions[i], now, due);
		if (session_over(sessions[i])) /* its call did not even begin */
			uplink_session_over(uplink, sessions[i]);
	}
}

/* A backlog has gone out: what it took of memory goes back to the system, which malloc would keep. */
static void rest(struct vw_uplink *uplink)
{
	const struct session *live = uplink->live;
	bool done = !live || (!live->more && live->window.count == 0 && !live->receipts.newest);
	if (uplink->sent_since_rest < REST_BYTES || !done)
		return;
	uplink->sent_since_rest = 0;
	malloc_trim(0);
}

static bool any_session(const struct vw_uplink *uplink)
{
	return uplink->live || uplink->next || uplink->old;
}

static void leave_all(struct vw_uplink *uplink)
{
	struct verdict goodbye = {.next = NEXT_AT_ONCE};
	struct session *const sessions[] = {uplink->live, uplink->next, uplink->old};
	vw_error_set(&goodbye.error, VW_ECANCELLED, "the agent ends");
	for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		if (sessions[i])
			session_leave(sessions[i], &goodbye);
	}
}

/* The peer ends the streams, or we do. */
static void say_goodbye(struct vw_uplink *uplink)
{
	int64_t deadline = vw_clock_monotonic() + GOODBYE_MS;
	leave_all(uplink);
	while (any_session(uplink)) {
		int64_t now = vw_clock_monotonic(), due = now + GOODBYE_MS;
		work(uplink, now, &due);
		if (now >= deadline) {
			struct session *const sessions[] = {uplink->live, uplink->next, uplink->old};
			for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
				if (sessions[i])
					vw_stream_cancel(sessions[i]->stream);
			}
		}
		wait_for_events(uplink, due);
	}
}

static void *run(void *arg)
{
	struct vw_uplink *uplink = arg;
	uplink->connect_at = vw_clock_monotonic();
	while (!stopping(uplink)) {
		int64_t now = vw_clock_monotonic(), due = now + LONGEST_SLEEP_MS;
		take_wake(uplink);
		uplink_supervise(uplink, now, &due);
		work(uplink, now, &due);
		rest(uplink);
		wait_for_events(uplink, due);
	}
	vw_job_cancel(&uplink->job);
	say_goodbye(uplink);
	uplink_set_phase(uplink, VW_UPLINK_IDLE, 0);
	return NULL;
}

/* ---- start ---- */

static void log_of_grpc(gpr_log_func_args *args)
{
	vw_log(args->severity == GPR_LOG_SEVERITY_ERROR ? VW_LOG_WARN : VW_LOG_DEBUG, "grpc",
	       VW_LOG_S("text", args->message));
}

static void close_queue(grpc_completion_queue *queue)
{
	if (!queue)
		return;
	grpc_completion_queue_shutdown(queue);
	while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
	       GRPC_QUEUE_SHUTDOWN)
		continue;
	grpc_completion_queue_destroy(queue);
}

static void destroy(struct vw_uplink *uplink)
{
	if (uplink->queue) {
		vw_waker_close(&uplink->waker);
		close_queue(uplink->queue);
		grpc_shutdown_blocking(); /* its threads are gone before anything else is */
	}
	vw_identity_close(uplink->identity);
	vw_outbox_reset(&uplink->outbox);
	free(uplink->health);
	vw_arena_close(uplink->arena);
	vw_arena_close(uplink->scratch);
	if (uplink->event_fd >= 0)
		close(uplink->event_fd);
	pthread_mutex_destroy(&uplink->lock);
	free(uplink);
}

static int open_queue(struct vw_uplink *uplink, struct vw_error *err)
{
	gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
	gpr_set_log_function(log_of_grpc);
	grpc_init();
	uplink->queue = grpc_completion_queue_create_for_next(NULL);
	return vw_waker_open(&uplink->waker, uplink->queue)
		   ? 0
		   : vw_error_set(err, VW_ENOMEM, "no memory for the uplink");
}

static int load_state(struct vw_uplink *uplink, struct vw_error *err)
{
	struct vw_txn *txn;
	vw_uplink_state *state;
	int code = vw_txn_begin_read(vw_store_kv(uplink->settings.store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_uplink(txn, uplink->scratch, &state, err);
	if (code == 0) {
		uplink->status.acknowledged_sequence = state->acknowledged_sequence;
		uplink->status.acknowledged_at = state->acknowledged_at;
	}
	vw_txn_end(txn);
	return code;
}

/* An enrolment as a new agent that was cut off at its very end, or an identity that was copied here from elsewhere. */
static int check_owner(const struct vw_uplink *uplink, struct vw_error *err)
{
	const char *id = vw_identity_issued(uplink->identity)->agent_id;
	const char *own = vw_store_identity(uplink->settings.store)->agent_id;
	if (strcmp(id, own) == 0)
		return 0;
	return vw_error_set(err, VW_ECONFIG,
			    "the identity in %s is agent %s's, the ledger is agent %s's; enroll with --new-agent",
			    uplink->settings.state_dir, id, own);
}

static int prepare(struct vw_uplink *uplink, struct vw_error *err)
{
	struct vw_identity_pair pair;
	uplink->arena = vw_arena_open(ARENA_CAP);
	uplink->scratch = vw_arena_open(ARENA_CAP);
	if (!uplink->arena || !uplink->scratch)
		return vw_error_set(err, VW_ENOMEM, "no memory for the uplink");
	uplink->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (uplink->event_fd < 0)
		return vw_error_set(err, VW_EIO, "an event descriptor: %s", strerror(errno));
	int code = vw_identity_open(uplink->settings.state_dir, &uplink->identity, err);
	if (code == 0)
		code = check_owner(uplink, err);
	if (code == 0)
		code = load_state(uplink, err);
	if (code == 0)
		code = open_queue(uplink, err);
	if (code == 0)
		code = uplink_commands_load(uplink, err);
	if (code < 0)
		return code;
	vw_identity_pair(uplink->identity, &pair);
	uplink->certificate_not_after = pair.not_after;
	uplink->status.certificate_not_after = pair.not_after;
	uplink->status.since = vw_clock_now();
	uplink_ledger_end(uplink);
	return 0;
}

/* Of this process: an uplink that is begun anew is no other instance. */
static uint8_t instance_id[VW_INSTANCE_ID];

static void make_instance_id(void)
{
	vw_random_bytes(instance_id, sizeof(instance_id));
}

int vw_uplink_start(const struct vw_uplink_settings *settings, struct vw_uplink **out, struct vw_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct vw_uplink *uplink = calloc(1, sizeof(*uplink));
	if (!uplink)
		return vw_error_set(err, VW_ENOMEM, "no memory for the uplink");
	uplink->settings = *settings;
	uplink->event_fd = -1;
	uplink->health_version = 1; /* each stream is told at its beginning */
	pthread_mutex_init(&uplink->lock, NULL);
	pthread_once(&once, make_instance_id);
	memcpy(uplink->instance_id, instance_id, sizeof(instance_id));
	int code = prepare(uplink, err);
	if (code == 0)
		code = vw_thread_start(run, uplink, &uplink->thread, err);
	if (code < 0) {
		destroy(uplink);
		return code;
	}
	*out = uplink;
	return 0;
}

void vw_uplink_stop(struct vw_uplink *uplink)
{
	if (!uplink)
		return;
	pthread_mutex_lock(&uplink->lock);
	uplink->stopping = true;
	pthread_mutex_unlock(&uplink->lock);
	vw_waker_wake(&uplink->waker);
	pthread_join(uplink->thread, NULL);
	destroy(uplink);
}

/* ---- from other threads ---- */

void vw_uplink_wake(struct vw_uplink *uplink)
{
	pthread_mutex_lock(&uplink->lock);
	uplink->woken = true;
	pthread_mutex_unlock(&uplink->lock);
	vw_waker_wake(&uplink->waker);
}

/* True when it differs from what is there. */
static bool replace_health(struct vw_uplink *uplink, uint8_t *packed, size_t len)
{
	if (uplink->health && uplink->health_len == len && memcmp(uplink->health, packed, len) == 0) {
		free(packed);
		return false;
	}
	free(uplink->health);
	uplink->health = packed;
	uplink->health_len = len;
	uplink->health_version++;
	return true;
}

void vw_uplink_set_health(struct vw_uplink *uplink, const vw_health *health)
{
	size_t len = protobuf_c_message_get_packed_size(&health->base);
	uint8_t *packed = malloc(len + 1);
	if (!packed)
		return; /* what was told before stays */
	protobuf_c_message_pack(&health->base, packed);
	pthread_mutex_lock(&uplink->lock);
	bool changed = replace_health(uplink, packed, len);
	pthread_mutex_unlock(&uplink->lock);
	if (changed)
		vw_waker_wake(&uplink->waker);
}

void vw_uplink_look(const struct vw_uplink *uplink, struct vw_uplink_status *out)
{
	struct vw_uplink *lockable = (struct vw_uplink *)uplink;
	*out = *uplink_status_begin(lockable);
	uplink_status_end(lockable);
}
