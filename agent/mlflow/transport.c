/* transport.c: the loop that keeps the pool of connections busy until every request has its answer. */
#include "transport.h"

#include "attempt.h"
#include "base/clock.h"
#include "http/curl.h"
#include "pace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_SLEEP_MS        200  /* how late a cancellation may be noticed */
#define CREDENTIALS_INTERVAL_MS 5000 /* how often their files are looked at */

/* A request on its way to an answer. */
struct job {
	struct vw_request request;
	vw_response_fn done;
	void *arg;
	int tries;
	bool credentials_renewed;
	int64_t not_before; /* monotonic */
	struct job *next;
};

struct queue {
	struct job *head;
	struct job **tail;
};

struct slot {
	struct vw_attempt attempt;
	struct job *job; /* NULL: idle */
};

struct vw_transport {
	struct vw_endpoint endpoint;
	const volatile sig_atomic_t *cancel;
	CURLM *multi;
	struct slot *slots;
	int busy;
	struct queue fresh;
	struct queue again; /* tried before; each with its time */
	struct vw_bucket bucket;
	int64_t hold_until; /* the server asked all of us to wait */
	int64_t credentials_at;
	int64_t cycle_started;
	struct vw_mlflow_counts counts;
	bool stopped; /* by the caller; until the next cycle */
	int ending;   /* code with which everything outstanding is answered now */
	void (*tick)(void *arg);
	void *tick_arg;
};

/* ---- queues ---- */

static void queue_init(struct queue *queue)
{
	queue->head = NULL;
	queue->tail = &queue->head;
}

static void queue_put(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->tail = job;
	queue->tail = &job->next;
}

/* The first whose time has come; otherwise lowers *wait to the time until there is one. */
static struct job *queue_take_due(struct queue *queue, int64_t now, int64_t *wait)
{
	for (struct job **at = &queue->head; *at; at = &(*at)->next) {
		struct job *job = *at;
		if (job->not_before > now) {
			if (job->not_before - now < *wait)
				*wait = job->not_before - now;
			continue;
		}
		*at = job->next;
		if (queue->tail == &job->next)
			queue->tail = at;
		return job;
	}
	return NULL;
}

static void job_close(struct job *job)
{
	vw_request_reset(&job->request);
	free(job);
}

/* ---- opening ---- */

static int open_pool(struct vw_transport *t)
{
	int connections = t->endpoint.settings.connections;
	t->multi = curl_multi_init();
	t->slots = calloc((size_t)connections, sizeof(*t->slots));
	if (!t->multi || !t->slots)
		return VW_ENOMEM;
	curl_multi_setopt(t->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
	curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)connections);
	for (int i = 0; i < connections; i++)
		vw_attempt_init(&t->slots[i].attempt);
	return 0;
}

int vw_transport_open(const struct vw_mlflow_settings *settings, struct vw_credentials *credentials,
		      const volatile sig_atomic_t *cancel, struct vw_transport **out, struct vw_error *err)
{
	if (!vw_curl_init())
		return vw_error_set(err, VW_EIO, "the HTTP library cannot be initialised");
	struct vw_transport *t = calloc(1, sizeof(*t));
	if (!t)
		return vw_error_set(err, VW_ENOMEM, "no memory for the MLflow client");
	queue_init(&t->fresh);
	queue_init(&t->again);
	t->cancel = cancel;
	int code = vw_endpoint_init(&t->endpoint, settings, credentials, err);
	if (code == 0 && open_pool(t) < 0)
		code = vw_error_set(err, VW_ENOMEM, "no memory for the MLflow client");
	if (code < 0) {
		vw_transport_close(t);
		return code;
	}
	const struct vw_mlflow_settings *s = &t->endpoint.settings;
	vw_bucket_init(&t->bucket, s->requests_per_second, s->burst, vw_clock_monotonic());
	vw_transport_begin_cycle(t);
	*out = t;
	return 0;
}

/* A handle that is being worked on leaves the pool first. */
static struct job *slot_release(struct vw_transport *t, struct slot *slot)
{
	struct job *job = slot->job;
	if (slot->attempt.easy)
		curl_multi_remove_handle(t->multi, slot->attempt.easy);
	vw_attempt_clear(&slot->attempt);
	slot->job = NULL;
	t->busy--;
	return job;
}

void vw_transport_begin_cycle(struct vw_transport *t)
{
	t->cycle_started = vw_clock_monotonic();
	t->counts = (struct vw_mlflow_counts){0};
	t->credentials_at = 0;
	t->stopped = false;
}

void vw_transport_counts(const struct vw_transport *t, struct vw_mlflow_counts *out)
{
	*out = t->counts;
}

/* ---- starting ---- */

int vw_transport_start(struct vw_transport *t, struct vw_request *request, vw_response_fn done, void *arg)
{
	bool allowed = vw_mlflow_allowed(vw_call(request->id)->method, vw_buffer_text(&request->path));
	assert(allowed); /* S2.1: whoever built this made a mistake; production refuses it below */
	int code = 0;
	if (!allowed)
		code = VW_EUSAGE;
	else if (t->ending)
		code = t->ending;
	struct job *job = code == 0 ? calloc(1, sizeof(*job)) : NULL;
	if (!job) {
		vw_request_reset(request);
		return code == 0 ? VW_ENOMEM : code;
	}
	job->request = *request;
	job->done = done;
	job->arg = arg;
	queue_put(&t->fresh, job);
	return 0;
}

/* ---- ending and closing ---- */

static void answer(struct job *job, const struct vw_response *response)
{
	job->done(job->arg, response);
	job_close(job);
}

static void answer_ending(struct vw_transport *t, struct job *job, const struct vw_error *why)
{
	struct vw_error err = *why;
	vw_error_context(&err, t->ending, "%s", vw_call_name(job->request.id));
	answer(job, &(struct vw_response){.code = t->ending, .error = &err});
}

void vw_transport_stop(struct vw_transport *t)
{
	t->stopped = true;
}

bool vw_transport_ending(const struct vw_transport *t)
{
	return t->ending != 0;
}

static struct job *queue_take(struct queue *queue)
{
	int64_t wait = INT64_MAX;
	return queue_take_due(queue, INT64_MAX, &wait);
}

/* Answers all that is outstanding with one code. Callbacks cannot queue anything meanwhile. */
static int end_all(struct vw_transport *t, const struct vw_error *why, struct vw_error *err)
{
	struct job *job;
	t->ending = why->code;
	for (int i = 0; t->slots && i < t->endpoint.settings.connections; i++) {
		if (t->slots[i].job)
			answer_ending(t, slot_release(t, &t->slots[i]), why);
	}
	while ((job = queue_take(&t->again)) || (job = queue_take(&t->fresh)))
		answer_ending(t, job, why);
	t->ending = 0;
	return vw_error_set(err, why->code, "%s", why->message);
}

void vw_transport_close(struct vw_transport *t)
{
	struct vw_error why = VW_ERROR_INIT;
	if (!t)
		return;
	vw_error_set(&why, VW_ECANCELLED, "the client is closed");
	end_all(t, &why, NULL);
	free(t->slots);
	if (t->multi)
		curl_multi_cleanup(t->multi);
	vw_endpoint_reset(&t->endpoint);
	free(t);
}

/* ---- one try ---- */

static void finish(struct vw_transport *t, struct slot *slot, const struct vw_outcome *outcome)
{
	struct vw_response response = {
	    .code = outcome->code, .error = &outcome->error, .http_status = outcome->http_status};
	struct vw_buffer body;
	vw_buffer_init(&body, 0);
	if (outcome->code == 0) {
		/* the answer leaves the slot, which is free again before the callback runs */
		body = slot->attempt.body;
		vw_buffer_init(&slot->attempt.body, body.cap);
		response.body = &body;
	}
	answer(slot_release(t, slot), &response);
	vw_buffer_reset(&body);
}

static void launch(struct vw_transport *t, struct slot *slot, struct job *job)
{
	struct vw_outcome outcome = {.code = 0};
	slot->job = job;
	t->busy++;
	outcome.code = vw_attempt_prepare(&slot->attempt, &t->endpoint, &job->request, &outcome.error);
	if (outcome.code == 0 && curl_easy_setopt(slot->attempt.easy, CURLOPT_PRIVATE, slot) == CURLE_OK &&
	    curl_multi_add_handle(t->multi, slot->attempt.easy) == CURLM_OK) {
		job->tries++;
		t->counts.requests++;
		return;
	}
	if (outcome.code == 0)
		outcome.code = vw_error_set(&outcome.error, VW_ENOMEM, "%s: curl cannot start the request",
					    vw_call_name(job->request.id));
	finish(t, slot, &outcome);
}

static void refresh_credentials(struct vw_transport *t, int64_t now)
{
	if (t->credentials_at && now - t->credentials_at < CREDENTIALS_INTERVAL_MS)
		return;
	t->credentials_at = now;
	vw_credentials_refresh(t->endpoint.credentials, NULL); /* a file that cannot be read leaves the old one */
}

static struct slot *idle_slot(struct vw_transport *t)
{
	for (int i = 0; i < t->endpoint.settings.connections; i++) {
		if (!t->slots[i].job)
			return &t->slots[i];
	}
	return NULL;
}

/* Fills idle slots as far as the bucket allows. Gives the milliseconds until there is more to do here. */
static int64_t launch_due(struct vw_transport *t)
{
	int64_t wait = LONGEST_SLEEP_MS;
	struct slot *slot;

	while ((slot = idle_slot(t)) && (t->fresh.head || t->again.head)) {
		int64_t now = vw_clock_monotonic();
		if (now < t->hold_until)
			return t->hold_until - now < wait ? t->hold_until - now : wait;
		struct job *job = queue_take_due(&t->again, now, &wait);
		bool waited = job;
		if (!job)
			job = queue_take_due(&t->fresh, now, &wait);
		if (!job)
			return wait;
		int64_t missing = vw_bucket_take(&t->bucket, now);
		if (missing > 0) {
			/* back to the front: the order stays */
			struct queue *queue = waited ? &t->again : &t->fresh;
			job->next = queue->head;
			queue->head = job;
			if (!job->next)
				queue->tail = &job->next;
			return missing < wait ? missing : wait;
		}
		refresh_credentials(t, now);
		launch(t, slot, job);
	}
	return wait;
}

/* Another credential than the one that was refused is worth one more try. */
static bool renewed_credentials(struct vw_transport *t, struct job *job, const struct vw_outcome *outcome)
{
	if (outcome->code != VW_EAUTH || job->credentials_renewed)
		return false;
	job->credentials_renewed = true;
	return vw_credentials_refresh(t->endpoint.credentials, NULL) == 1;
}

static void retry(struct vw_transport *t, struct slot *slot, const struct vw_outcome *outcome)
{
	int64_t now = vw_clock_monotonic();
	struct job *job = slot_release(t, slot);
	job->not_before = outcome->passing ? now + vw_backoff_ms(job->tries, outcome->retry_after_ms) : now;
	if (outcome->retry_after_ms > 0 && now + outcome->retry_after_ms > t->hold_until)
		t->hold_until = now + outcome->retry_after_ms;
	t->counts.retries++;
	queue_put(&t->again, job);
}

static void settle(struct vw_transport *t, struct slot *slot, CURLcode result)
{
	struct vw_outcome outcome;
	curl_off_t received = 0;

	curl_easy_getinfo(slot->attempt.easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
	t->counts.bytes_received += received;
	vw_attempt_judge(&slot->attempt, result, &t->endpoint, &slot->job->request, &outcome);
	bool again = outcome.passing && slot->job->tries <= t->endpoint.settings.retries;
	if (again || renewed_credentials(t, slot->job, &outcome)) {
		retry(t, slot, &outcome);
		return;
	}
	if (outcome.code < 0 && slot->job->tries > 1)
		vw_error_set(&outcome.error, outcome.code, "%s (tried %d times)", outcome.error.message,
			     slot->job->tries);
	finish(t, slot, &outcome);
}

static void settle_finished(struct vw_transport *t)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(t->multi, &left))) {
		char *slot = NULL;
		CURLcode result = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
		settle(t, (struct slot *)(void *)slot, result);
	}
}

/* ---- the loop ---- */

static bool must_end(const struct vw_transport *t, struct vw_error *why)
{
	int64_t deadline = t->endpoint.settings.cycle_timeout_ms;
	if (t->cancel && *t->cancel)
		return vw_error_set(why, VW_ECANCELLED, "cancelled") != 0;
	if (t->stopped)
		return vw_error_set(why, VW_ECANCELLED, "stopped after a failure") != 0;
	if (deadline > 0 && vw_clock_monotonic() - t->cycle_started >= deadline)
		return vw_error_set(why, VW_ETIMEOUT, "the cycle's time-out of %lld ms is over",
				    (long long)deadline) != 0;
	return false;
}

void vw_transport_on_tick(struct vw_transport *t, void (*tick)(void *arg), void *arg)
{
	t->tick = tick;
	t->tick_arg = arg;
}

int vw_transport_run(struct vw_transport *t, struct vw_error *err)
{
	struct vw_error why = VW_ERROR_INIT;
	int running;

	for (;;) {
		if (t->tick)
			t->tick(t->tick_arg);
		if (must_end(t, &why))
			return end_all(t, &why, err);
		int64_t wait = launch_due(t);
		if (t->busy == 0 && !t->fresh.head && !t->again.head)
			return 0;
		if (curl_multi_perform(t->multi, &running) != CURLM_OK)
			vw_error_set(&why, VW_ENOMEM, "curl's event loop failed");
		else if (running < t->busy)
			settle_finished(t);
		else if (curl_multi_poll(t->multi, NULL, 0, (int)wait, NULL) != CURLM_OK)
			vw_error_set(&why, VW_ENOMEM, "curl's event loop failed");
		if (why.code < 0)
			return end_all(t, &why, err);
	}
}
