#include "writer.h"

#include "embedded.h"
#include "presence.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JOBS_AT_ONCE    64 /* in one transaction */
#define PRESENCE_WAIT_S 5  /* presences are written after this time if nothing else is */
#define TOLD_AT_ONCE    64 /* presences that the watcher is told of in one go */

/* One caller that waits; on its stack. */
struct job {
	vw_lmdb_step step;
	void *arg;
	struct vw_error *err;
	struct vw_error own_err;
	struct vw_lmdb_tx tx;
	int rc;
	bool done;
	pthread_cond_t finished;
	struct job *next;
};

struct vw_lmdb_writer {
	struct vw_lmdb_store *store;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work;
	struct job *first, **last;
	bool stop;
	bool wake;
	int64_t committed_at; /* monotonic, ms; of the thread alone */

	pthread_mutex_t watch_lock; /* held while the watcher is told */
	void (*watcher)(const struct vw_change *change, void *arg);
	void *watcher_arg;
};

void vw_lmdb_change(struct vw_lmdb_tx *tx, enum vw_change_kind kind, int32_t organization, const char *agent_id)
{
	if (tx->change_count == VW_LMDB_STEP_CHANGES)
		abort(); /* a step of ours tells of more than there is room for */
	struct vw_change *change = &tx->changes[tx->change_count++];
	*change = (struct vw_change){.kind = kind, .organization = organization};
	snprintf(change->agent_id, sizeof(change->agent_id), "%s", agent_id ? agent_id : "");
}

/* ---- One transaction ---- */

struct group {
	struct vw_lmdb_store *store;
	struct job *jobs; /* a list */
};

static int run(struct job *job, struct vw_txn *txn)
{
	job->tx = (struct vw_lmdb_tx){.txn = txn};
	job->rc = job->step(&job->tx, job->arg, job->err);
	return job->rc;
}

/* True when the transaction cannot go on: a step failed half-way, or LMDB did. */
static bool is_spoilt(const struct job *job, struct vw_txn *txn)
{
	uint64_t unused;
	return job->tx.wrote || vw_kv_count(txn, VW_LMDB_META, &unused, NULL) < 0;
}

static int run_group(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct group *group = arg;
	for (struct job *job = group->jobs; job; job = job->next)
		if (run(job, txn) < 0 && is_spoilt(job, txn)) {
			if (err && job->err != err)
				*err = *job->err;
			return job->rc;
		}
	struct vw_lmdb_tx presences = {.txn = txn};
	return vw_lmdb_presences_write(group->store->presences, &presences, err);
}

/* Once more, alone, so that it fails by its own fault or not at all. */
static void run_alone(struct vw_lmdb_store *store, struct job *job)
{
	struct job *next = job->next;
	struct group group = {.store = store, .jobs = job};
	job->next = NULL;
	int rc = vw_kv_write(store->kv, run_group, &group, job->err);
	vw_lmdb_presences_written(store->presences, rc == 0);
	if (rc < 0)
		job->rc = rc;
	job->next = next;
}

static void commit(struct vw_lmdb_store *store, struct job *jobs)
{
	struct vw_error err = VW_ERROR_INIT;
	struct group group = {.store = store, .jobs = jobs};
	if (jobs && !jobs->next) {
		run_alone(store, jobs);
		return;
	}
	int rc = vw_kv_write(store->kv, run_group, &group, &err);
	vw_lmdb_presences_written(store->presences, rc == 0);
	if (rc < 0)
		for (struct job *job = jobs; job; job = job->next)
			run_alone(store, job);
}

/* ---- Telling ---- */

static void tell(struct vw_lmdb_writer *writer, const struct vw_change *changes, size_t count)
{
	pthread_mutex_lock(&writer->watch_lock);
	for (size_t i = 0; writer->watcher && i < count; i++)
		writer->watcher(&changes[i], writer->watcher_arg);
	pthread_mutex_unlock(&writer->watch_lock);
}

static void tell_of_presences(struct vw_lmdb_writer *writer)
{
	struct vw_change changes[TOLD_AT_ONCE];
	size_t count;
	do {
		count = vw_lmdb_presences_changes(writer->store->presences, changes, TOLD_AT_ONCE);
		tell(writer, changes, count);
	} while (count == TOLD_AT_ONCE);
}

void vw_lmdb_watch(struct vw_fleet_store *store, void (*each)(const struct vw_change *change, void *arg), void *arg)
{
	struct vw_lmdb_writer *writer = vw_lmdb_of(store)->writer;
	pthread_mutex_lock(&writer->watch_lock);
	writer->watcher = each;
	writer->watcher_arg = arg;
	pthread_mutex_unlock(&writer->watch_lock);
}

/* ---- The thread ---- */

/* With the lock held. */
static struct job *take(struct vw_lmdb_writer *writer)
{
	struct job *jobs = writer->first, **end = &jobs;
	for (int i = 0; *end && i < JOBS_AT_ONCE; i++)
		end = &(*end)->next;
	writer->first = *end;
	*end = NULL;
	if (!writer->first)
		writer->last = &writer->first;
	return jobs;
}

/* With the lock held. False when there is nothing to do any more. */
static bool wait_for_work(struct vw_lmdb_writer *writer)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PRESENCE_WAIT_S;
	while (!writer->first && !writer->stop && !writer->wake)
		if (pthread_cond_timedwait(&writer->work, &writer->lock, &until) != 0)
			break;
	return writer->first || !writer->stop;
}

/* The caller is gone once it was told. */
static void finish(struct vw_lmdb_writer *writer, struct job *jobs)
{
	for (struct job *job = jobs; job; job = job->next)
		if (job->rc >= 0)
			tell(writer, job->tx.changes, job->tx.change_count);
	pthread_mutex_lock(&writer->lock);
	for (struct job *job = jobs, *next; job; job = next) {
		next = job->next;
		job->done = true;
		pthread_cond_signal(&job->finished);
	}
	pthread_mutex_unlock(&writer->lock);
}

static bool presences_are_due(const struct vw_lmdb_writer *writer)
{
	return vw_clock_monotonic() - writer->committed_at >= PRESENCE_WAIT_S * 1000 &&
	       vw_lmdb_presences_waiting(writer->store->presences) > 0;
}

static void work_once(struct vw_lmdb_writer *writer, struct job *jobs)
{
	if (jobs || presences_are_due(writer)) {
		commit(writer->store, jobs);
		writer->committed_at = vw_clock_monotonic();
	}
	finish(writer, jobs);
	tell_of_presences(writer);
}

/* What cannot be written, on a full disk, is as it was before at the next start. */
static void write_last_presences(struct vw_lmdb_store *store)
{
	size_t waiting, before = SIZE_MAX;
	while ((waiting = vw_lmdb_presences_waiting(store->presences)) > 0 && waiting < before) {
		commit(store, NULL);
		before = waiting;
	}
}

static void *work(void *arg)
{
	struct vw_lmdb_writer *writer = arg;
	pthread_mutex_lock(&writer->lock);
	while (wait_for_work(writer)) {
		struct job *jobs = take(writer);
		writer->wake = false;
		pthread_mutex_unlock(&writer->lock);
		work_once(writer, jobs);
		pthread_mutex_lock(&writer->lock);
	}
	pthread_mutex_unlock(&writer->lock);
	write_last_presences(writer->store);
	return NULL;
}

int vw_lmdb_write(struct vw_lmdb_store *store, vw_lmdb_step step, void *arg, struct vw_error *err)
{
	struct vw_lmdb_writer *writer = store->writer;
	struct job job = {.step = step, .arg = arg};
	job.err = err ? err : &job.own_err;
	pthread_cond_init(&job.finished, NULL);
	pthread_mutex_lock(&writer->lock);
	*writer->last = &job;
	writer->last = &job.next;
	pthread_cond_signal(&writer->work);
	while (!job.done)
		pthread_cond_wait(&job.finished, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_destroy(&job.finished);
	return job.rc;
}

void vw_lmdb_writer_wake(struct vw_lmdb_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->wake = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
}

int vw_lmdb_writer_start(struct vw_lmdb_store *store, struct vw_lmdb_writer **out, struct vw_error *err)
{
	struct vw_lmdb_writer *writer = calloc(1, sizeof(*writer));
	pthread_condattr_t attributes;
	if (!writer)
		return vw_lmdb_no_memory(err);
	writer->store = store;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_mutex_init(&writer->watch_lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->work, &attributes);
	pthread_condattr_destroy(&attributes);
	if (pthread_create(&writer->thread, NULL, work, writer) != 0) {
		free(writer);
		return vw_error_set(err, VW_ENOMEM, "cannot start the thread that writes the store");
	}
	*out = writer;
	return 0;
}

void vw_lmdb_writer_stop(struct vw_lmdb_writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stop = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	pthread_cond_destroy(&writer->work);
	pthread_mutex_destroy(&writer->lock);
	pthread_mutex_destroy(&writer->watch_lock);
	free(writer);
}
