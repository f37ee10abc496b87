#include "job.h"

#include "thread.h"

static void dial(struct vw_job *job)
{
	struct vw_identity_pair pair;
	const vw_issued *issued = vw_identity_issued(job->identity);
	vw_identity_pair(job->identity, &pair);
	job->pending_pair = pair.pending;
	job->failure = VW_DIAL_EXPIRED; /* no key at all is as good as an expired one */
	if (!pair.key)
		job->code = vw_error_set(&job->error, VW_EAUTH, "this agent has no certificate any more");
	else
		job->code = vw_dial_open(issued->session_endpoint, issued->trust_domain, &pair, &job->route,
					 &job->dial, &job->failure, &job->error);
}

static void renew(struct vw_job *job)
{
	vw_rejection *rejection = NULL;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena) {
		job->code = vw_error_set(&job->error, VW_ENOMEM, "no memory for a renewal");
		return;
	}
	job->code = vw_identity_renew(job->identity, job->join_sequence, &job->route, arena, &rejection, &job->error);
	if (rejection)
		job->rejection = (int)rejection->reason;
}

static void *run(void *arg)
{
	struct vw_job *job = arg;
	if (job->kind == VW_JOB_DIAL)
		dial(job);
	else
		renew(job);
	__atomic_store_n(&job->done, true, __ATOMIC_RELEASE);
	vw_waker_wake(job->waker);
	return NULL;
}

static int start(struct vw_job *job, const struct vw_job *order, struct vw_error *err)
{
	*job = *order;
	job->route.cancel = &job->cancel;
	int code = vw_thread_start(run, job, &job->thread, err);
	if (code < 0)
		job->kind = VW_JOB_NONE;
	return code;
}

int vw_job_dial(struct vw_job *job, struct vw_identity *identity, const struct vw_uplink_route *route,
		struct vw_waker *waker, struct vw_error *err)
{
	struct vw_job order = {.kind = VW_JOB_DIAL, .identity = identity, .route = *route, .waker = waker};
	return start(job, &order, err);
}

int vw_job_renew(struct vw_job *job, struct vw_identity *identity, uint64_t join_sequence,
		 const struct vw_uplink_route *route, struct vw_waker *waker, struct vw_error *err)
{
	struct vw_job order = {.kind = VW_JOB_RENEW,
			       .identity = identity,
			       .join_sequence = join_sequence,
			       .route = *route,
			       .waker = waker};
	return start(job, &order, err);
}

bool vw_job_runs(const struct vw_job *job)
{
	return job->kind != VW_JOB_NONE;
}

bool vw_job_take(struct vw_job *job, struct vw_job *out)
{
	if (job->kind == VW_JOB_NONE || !__atomic_load_n(&job->done, __ATOMIC_ACQUIRE))
		return false;
	pthread_join(job->thread, NULL);
	*out = *job;
	*job = (struct vw_job){.kind = VW_JOB_NONE};
	return true;
}

void vw_job_cancel(struct vw_job *job)
{
	if (job->kind == VW_JOB_NONE)
		return;
	__atomic_store_n(&job->cancel, 1, __ATOMIC_RELAXED);
	pthread_join(job->thread, NULL);
	vw_dial_close(job->dial);
	job->dial = NULL;
	job->kind = VW_JOB_NONE;
}
