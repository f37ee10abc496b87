#include "inbox.h"

#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHANGES 100000 /* that wait; beyond, everything is looked at again */

struct vw_inbox {
	pthread_mutex_t lock;
	struct vw_inbox_content content;
	struct vw_task *last;
	size_t size; /* of content.changes */
	bool woken;
	grpc_channel *channel; /* that never connects: */
	grpc_call *
	    call; /* an empty batch of this call puts the tag into the queue at once (grpc.h, grpc_call_start_batch) */
	void *tag;
	pthread_t ringer;
	sem_t bell;
	atomic_bool stop;
};

static void *ring(void *arg)
{
	struct vw_inbox *inbox = arg;
	while (!atomic_load(&inbox->stop)) {
		if (sem_wait(&inbox->bell) == 0)
			vw_inbox_wake(inbox);
	}
	return NULL;
}

static void destroy(struct vw_inbox *inbox)
{
	grpc_call_unref(inbox->call);
	grpc_channel_destroy(inbox->channel);
	pthread_mutex_destroy(&inbox->lock);
	sem_destroy(&inbox->bell);
	free(inbox->content.changes);
	free(inbox);
}

int vw_inbox_open(grpc_completion_queue *queue, void *tag, struct vw_inbox **out, struct vw_error *err)
{
	struct vw_inbox *inbox = calloc(1, sizeof(*inbox));
	if (!inbox)
		return vw_error_set(err, VW_ENOMEM, "no memory for sessions");
	pthread_mutex_init(&inbox->lock, NULL);
	inbox->tag = tag;
	inbox->channel = grpc_lame_client_channel_create(NULL, GRPC_STATUS_UNAVAILABLE, "wakes");
	inbox->call = grpc_channel_create_call(inbox->channel, NULL, 0, queue, grpc_slice_from_static_string("/wake"),
					       NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
	sem_init(&inbox->bell, 0, 0);
	if (pthread_create(&inbox->ringer, NULL, ring, inbox) != 0) {
		destroy(inbox);
		return vw_error_set(err, VW_EAGAIN, "cannot start a thread for sessions");
	}
	*out = inbox;
	return 0;
}

void vw_inbox_close(struct vw_inbox *inbox)
{
	if (!inbox)
		return;
	while (inbox->content.tasks) {
		struct vw_task *next = (struct vw_task *)inbox->content.tasks->item.next;
		vw_task_free(inbox->content.tasks);
		inbox->content.tasks = next;
	}
	atomic_store(&inbox->stop, true);
	sem_post(&inbox->bell);
	pthread_join(inbox->ringer, NULL);
	destroy(inbox);
}

/* With the lock held. */
static void wake(struct vw_inbox *inbox)
{
	if (!inbox->woken)
		inbox->woken = grpc_call_start_batch(inbox->call, NULL, 0, inbox->tag, NULL) == GRPC_CALL_OK;
}

void vw_inbox_wake(struct vw_inbox *inbox)
{
	pthread_mutex_lock(&inbox->lock);
	wake(inbox);
	pthread_mutex_unlock(&inbox->lock);
}

void vw_inbox_put_tasks(struct vw_inbox *inbox, struct vw_task *tasks)
{
	struct vw_task *last = tasks;
	while (last->item.next)
		last = (struct vw_task *)last->item.next;
	pthread_mutex_lock(&inbox->lock);
	if (inbox->last)
		inbox->last->item.next = &tasks->item;
	else
		inbox->content.tasks = tasks;
	inbox->last = last;
	wake(inbox);
	pthread_mutex_unlock(&inbox->lock);
}

static bool grow(struct vw_inbox *inbox)
{
	size_t size = inbox->size == 0 ? 64 : 2 * inbox->size;
	if (inbox->content.change_count >= MAX_CHANGES)
		return false;
	struct vw_change *changes = realloc(inbox->content.changes, size * sizeof(*changes));
	if (!changes)
		return false;
	inbox->content.changes = changes;
	inbox->size = size;
	return true;
}

void vw_inbox_put_change(struct vw_inbox *inbox, const struct vw_change *change)
{
	struct vw_inbox_content *content = &inbox->content;
	pthread_mutex_lock(&inbox->lock);
	if (content->change_count == inbox->size && !grow(inbox))
		content->lost = true;
	else
		content->changes[content->change_count++] = *change;
	wake(inbox);
	pthread_mutex_unlock(&inbox->lock);
}

void vw_inbox_put_closed(struct vw_inbox *inbox, struct vw_link *link)
{
	pthread_mutex_lock(&inbox->lock);
	link->next_closed = inbox->content.closed;
	inbox->content.closed = link;
	pthread_mutex_unlock(&inbox->lock);
	vw_inbox_ring(inbox);
}

void vw_inbox_ring(struct vw_inbox *inbox)
{
	sem_post(&inbox->bell);
}

void vw_inbox_take(struct vw_inbox *inbox, struct vw_inbox_content *out)
{
	pthread_mutex_lock(&inbox->lock);
	*out = inbox->content;
	memset(&inbox->content, 0, sizeof(inbox->content));
	inbox->last = NULL;
	inbox->size = 0;
	inbox->woken = false;
	pthread_mutex_unlock(&inbox->lock);
}
