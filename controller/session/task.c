#include "task.h"

#include "message.h"
#include "tally.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILURE_LOG_MS 10000 /* between two lines about a store that fails */

struct vw_task *vw_task_new(enum vw_task_kind kind, struct vw_tenant *tenant, struct vw_peer *peer,
			    struct vw_stream *stream)
{
	struct vw_task *task = calloc(1, sizeof(*task));
	if (task) {
		task->kind = kind;
		task->tenant = tenant;
		task->peer = peer;
		task->stream = stream;
	}
	return task;
}

void vw_outgoing_free(struct vw_outgoing *list)
{
	while (list) {
		struct vw_outgoing *next = list->next;
		if (list->buffer)
			grpc_byte_buffer_destroy(list->buffer);
		free(list);
		list = next;
	}
}

void vw_task_free(struct vw_task *task)
{
	if (!task)
		return;
	if (task->message)
		grpc_byte_buffer_destroy(task->message);
	if (task->answer)
		grpc_byte_buffer_destroy(task->answer);
	vw_outgoing_free(task->commands);
	free(task->presence);
	free(task->known);
	free(task);
}

void vw_task_reject(struct vw_task *task, int reason, const char *text)
{
	task->rejection = reason;
	snprintf(task->text, sizeof(task->text), "%s", text ? text : vw_rejection_text(reason));
}

void vw_task_fail(struct vw_work *work, struct vw_task *task, int code, const struct vw_error *err)
{
	long long now = vw_clock_monotonic();
	long long last = atomic_load(&work->tally->failure_logged_at);
	task->code = code;
	if ((last > 0 && now - last < FAILURE_LOG_MS) ||
	    !atomic_compare_exchange_strong(&work->tally->failure_logged_at, &last, now))
		return;
	vw_log(VW_LOG_ERROR, task->kind == VW_TASK_BATCH ? "ingest_failed" : "session_store_failed",
	       VW_LOG_S("code", vw_code_name(code)), VW_LOG_S("error", err->message));
}

static struct vw_task *run_one(struct vw_work *work, struct vw_task *task, bool *out_again)
{
	switch (task->kind) {
	case VW_TASK_JOIN:
		vw_work_join(work, task);
		break;
	case VW_TASK_BATCH:
		return vw_work_batches(work, task, out_again);
	case VW_TASK_UPDATE:
		*out_again = !vw_work_update(work, task);
		break;
	case VW_TASK_COMMANDS:
		vw_work_commands(work, task);
		break;
	case VW_TASK_PRESENCE:
		vw_work_presence(work, task);
		break;
	case VW_TASK_LOOK:
		vw_work_look(work, task);
		break;
	case VW_TASK_TENANT:
		vw_work_tenant(work, task);
		break;
	}
	return *out_again ? task : (struct vw_task *)task->item.next;
}

struct vw_task *vw_task_run(struct vw_work *work, struct vw_task *tasks)
{
	bool again = false;
	while (tasks && !again) {
		vw_arena_reset(work->arena);
		tasks = run_one(work, tasks, &again);
	}
	if (!again)
		return NULL;
	vw_tally_add(&work->tally->store_retries, 1);
	return tasks;
}
