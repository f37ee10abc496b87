/* job.h: what may block, in a thread of its own, so that a stream that lives goes on: connecting, and renewing the certificate. One at a time. */
#ifndef UPLINK_JOB_H
#define UPLINK_JOB_H

#include "dial.h"
#include "waker.h"

#include <pthread.h>

enum vw_job_kind { VW_JOB_NONE, VW_JOB_DIAL, VW_JOB_RENEW };

struct vw_job {
	enum vw_job_kind kind;
	pthread_t thread;
	volatile sig_atomic_t cancel;
	bool done; /* atomic */
	struct vw_waker *waker;
	struct vw_identity *identity; /* the job's while it runs */
	struct vw_uplink_route route;
	uint64_t join_sequence;
	bool pending_pair;
	/* results */
	int code;
	struct vw_error error;
	struct vw_dial *dial;
	enum vw_dial_failure failure;
	int rejection; /* of a renewal; 0: none */
};

/* `job` is zeroed or was taken. Each wakes the waker when it is done. */
int vw_job_dial(struct vw_job *job, struct vw_identity *identity, const struct vw_uplink_route *route,
		struct vw_waker *waker, struct vw_error *err);
int vw_job_renew(struct vw_job *job, struct vw_identity *identity, uint64_t join_sequence,
		 const struct vw_uplink_route *route, struct vw_waker *waker, struct vw_error *err);
bool vw_job_runs(const struct vw_job *job);
/* True once, when it is done: *out has the results, and another one may be started. */
bool vw_job_take(struct vw_job *job, struct vw_job *out);
/* Cancels what runs, waits for it, and drops its results. */
void vw_job_cancel(struct vw_job *job);

#endif
