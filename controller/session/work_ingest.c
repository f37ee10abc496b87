/* work_ingest.c: entries to be stored, and what is said about them. On a worker's thread.
 *
 * Batches that wait are stored together where they follow each other, and are acknowledged together: one transaction, one signature. */
#include "session.h"

#include "message.h"
#include "work.h"

#include "base/clock.h"
#include "base/limits.h"
#include "fleet/codec.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Batches that follow each other, as one; of one stream. */
struct gathered {
	struct vw_task *first, *end; /* end: the first that is not among them */
	vw_entry_batch batch;
	size_t bytes;
	vw_chained_entry *entries[VW_MAX_BATCH_ENTRIES];
};

/* The newest head that is stored and not acknowledged yet. */
struct newest {
	struct vw_task *task;
	struct vw_chain chain;
	int64_t stored_at;
};

static int64_t microseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct vw_task *next_batch(const struct vw_task *task)
{
	struct vw_task *next = (struct vw_task *)task->item.next;
	return next && next->kind == VW_TASK_BATCH ? next : NULL;
}

static struct vw_task *next_task(const struct vw_task *task)
{
	return (struct vw_task *)task->item.next;
}

/* ---- What a batch must be ---- */

static const char *flaw_of(const vw_entry_batch *batch, size_t *out_bytes)
{
	size_t bytes = 0;
	if (!batch || !batch->has_first_sequence || batch->first_sequence == 0 || batch->n_entries == 0)
		return "a batch without entries or without its first sequence";
	if (batch->n_entries > VW_MAX_BATCH_ENTRIES || batch->first_sequence > UINT64_MAX - VW_MAX_BATCH_ENTRIES)
		return "a batch of too many entries";
	for (size_t i = 0; i < batch->n_entries; i++) {
		if (batch->entries[i]->payload.len > VW_MAX_ENTRY)
			return "an entry that is too large";
		bytes += batch->entries[i]->payload.len;
	}
	*out_bytes = bytes;
	return bytes > VW_MAX_BATCH_BYTES && batch->n_entries > 1 ? "a batch of too many bytes" : NULL;
}

/* NULL: it was dealt with: refused, or not wanted. */
static vw_entry_batch *open_batch(struct vw_work *work, struct vw_task *task, size_t *out_bytes)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_peer *peer = task->peer;
	void *message;
	if (atomic_load(&task->stream->stopped) || peer->refused == task->stream->number)
		return NULL;
	if (vw_codec_read(task->message, VW_MAX_FLEET_MESSAGE, &verifywise__v1__agent_message__descriptor, "batch",
			  work->arena, &message, &err) < 0) {
		vw_task_reject(task, VW_REJECTION_MALFORMED, err.message);
		peer->refused = task->stream->number;
		return NULL;
	}
	const vw_agent_message *opened = message;
	vw_entry_batch *batch = opened->body_case == VERIFYWISE__V1__AGENT_MESSAGE__BODY_BATCH ? opened->batch : NULL;
	const char *flaw = flaw_of(batch, out_bytes);
	if (flaw) {
		vw_task_reject(task, VW_REJECTION_MALFORMED, flaw);
		peer->refused = task->stream->number;
		return NULL;
	}
	/* sent before it heard that another one is wanted */
	if (peer->resume_at > 0 && batch->first_sequence > peer->resume_at)
		return NULL;
	peer->resume_at = 0;
	return batch;
}

/* ---- Together ---- */

static bool append(struct gathered *g, const vw_entry_batch *batch, size_t bytes)
{
	size_t count = g->batch.n_entries;
	if (count > 0 && (batch->first_sequence != g->batch.first_sequence + count ||
			  count + batch->n_entries > VW_MAX_BATCH_ENTRIES || g->bytes + bytes > VW_MAX_BATCH_BYTES))
		return false;
	if (count == 0)
		VW_SET(&g->batch, first_sequence, batch->first_sequence);
	memcpy(g->entries + count, batch->entries, batch->n_entries * sizeof(g->entries[0]));
	g->batch.entries = g->entries;
	g->batch.n_entries += batch->n_entries;
	g->bytes += bytes;
	return true;
}

/* From `task` on; tasks that were dealt with by opening them are among them. */
static void gather(struct vw_work *work, struct vw_task *task, struct gathered *g)
{
	vw_entry_batch empty = VERIFYWISE__V1__ENTRY_BATCH__INIT;
	size_t bytes = 0;
	g->first = task;
	g->batch = empty;
	g->bytes = 0;
	vw_arena_reset(work->arena);
	vw_entry_batch *batch = open_batch(work, task, &bytes);
	if (batch)
		append(g, batch, bytes);
	g->end = next_task(task);
	while (batch && (task = next_batch(task)) && task->stream == g->first->stream) {
		batch = open_batch(work, task, &bytes);
		if (!batch || !append(g, batch, bytes))
			break;
		g->end = next_task(task);
	}
}

/* ---- Stored ---- */

static bool comes_back(int code)
{
	return code == VW_EAGAIN || code == VW_EFULL || code == VW_ETIMEOUT || code == VW_EBUSY;
}

static void count_stored(struct vw_work *work, const struct vw_ingest_result *result)
{
	vw_tally_add(&work->tally->stored_batches, 1);
	vw_tally_add(&work->tally->entries, (int64_t)result->stored);
	vw_tally_add(&work->tally->duplicates, (int64_t)result->duplicates);
	if (result->outcome == VW_INGEST_GAP)
		vw_tally_add(&work->tally->gaps, 1);
	if (result->outcome == VW_INGEST_FORK)
		vw_tally_add(&work->tally->forks, 1);
}

static void take_result(struct vw_work *work, const struct gathered *g, const struct vw_ingest_result *result,
			int64_t now, struct newest *newest)
{
	struct vw_task *task = g->first;
	struct vw_peer *peer = task->peer;
	count_stored(work, result);
	switch (result->outcome) {
	case VW_INGEST_STORED:
		*newest = (struct newest){.task = task, .chain = result->chain, .stored_at = now};
		break;
	case VW_INGEST_GAP:
		peer->resume_at = result->chain.head.sequence + 1;
		task->answer = vw_message_resume(peer->resume_at);
		task->is_resume = true;
		break;
	case VW_INGEST_FORK:
		peer->refused = task->stream->number;
		vw_task_reject(task, VW_REJECTION_FORKED, result->reason);
		break;
	case VW_INGEST_REFUSED:
		peer->refused = task->stream->number;
		vw_task_reject(task, VW_REJECTION_MALFORMED, result->reason);
		break;
	}
}

/* False: again later. */
static bool store(struct vw_work *work, const struct gathered *g, struct newest *newest)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_ingest_result result;
	struct vw_task *task = g->first;
	struct vw_ingest_batch batch = {.organization = task->tenant->organization,
					.agent_id = task->peer->agent_id,
					.session_id = task->stream->session_id,
					.batch = &g->batch,
					.now = vw_clock_now()};
	int64_t began = microseconds();
	int rc = vw_fleet_ingest(work->settings->store, work->arena, &batch, &result, &err);
	vw_tally_add(&work->tally->ingest_us, microseconds() - began);
	if (rc < 0 && comes_back(rc)) {
		vw_task_fail(work, task, rc, &err);
		task->code = 0;
		return false;
	}
	if (rc < 0) {
		task->peer->refused = task->stream->number;
		if (rc == VW_EFORBIDDEN)
			vw_task_reject(task, VW_REJECTION_REVOKED, err.message);
		else
			vw_work_overload(work, task, rc, &err);
		return true;
	}
	take_result(work, g, &result, batch.now, newest);
	return true;
}

/* The acknowledgement goes with the task whose batch was stored last: the loop hears of it in order. */
static void acknowledge(struct vw_work *work, const struct newest *newest)
{
	vw_acknowledgement acknowledgement = VERIFYWISE__V1__ACKNOWLEDGEMENT__INIT;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_task *task = newest->task;
	char organization[16];
	if (!task)
		return;
	snprintf(organization, sizeof(organization), "%" PRId32, task->tenant->organization);
	struct vw_receipt_facts facts = {.organization = organization,
					 .agent_id = task->peer->agent_id,
					 .epoch = newest->chain.epoch,
					 .head = newest->chain.head,
					 .stored_at = newest->stored_at};
	vw_arena_reset(work->arena);
	int rc = vw_authority_receipt(work->settings->authority, &facts, work->arena, &acknowledgement.receipt, &err);
	if (rc < 0) {
		vw_work_overload(work, task, rc, &err);
		return;
	}
	VW_SET(&acknowledgement, sequence, newest->chain.head.sequence);
	task->answer = vw_message_wrap(VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_ACKNOWLEDGEMENT, &acknowledgement);
}

struct vw_task *vw_work_batches(struct vw_work *work, struct vw_task *tasks, bool *out_again)
{
	struct gathered g;
	struct newest newest = {.task = NULL};
	struct vw_task *task = tasks;
	while (task && task->kind == VW_TASK_BATCH && !*out_again) {
		gather(work, task, &g);
		if (g.batch.n_entries > 0 && !store(work, &g, &newest))
			*out_again = true;
		else
			task = g.end;
	}
	acknowledge(work, &newest);
	return task;
}
