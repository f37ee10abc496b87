/* inbox.h: what other threads have for the loop's thread: finished tasks and changes of the store. Any thread may put, none waits. */
#ifndef SESSION_INBOX_H
#define SESSION_INBOX_H

#include "front.h"
#include "task.h"

#include <grpc/grpc.h>

struct vw_inbox;

/* `tag` comes out of `queue` when there is something. */
int vw_inbox_open(grpc_completion_queue *queue, void *tag, struct vw_inbox **out, struct vw_error *err);
/* Tasks that are in it are freed. NULL is fine. */
void vw_inbox_close(struct vw_inbox *inbox);

void vw_inbox_put_tasks(struct vw_inbox *inbox, struct vw_task *tasks); /* linked */
/* Without memory it becomes VW_CHANGE_LOST. */
void vw_inbox_put_change(struct vw_inbox *inbox, const struct vw_change *change);
void vw_inbox_wake(struct vw_inbox *inbox);
/* From threads with descriptors of their own (pump.h), where gRPC's cannot be used: another thread wakes the loop for them. */
void vw_inbox_put_closed(struct vw_inbox *inbox, struct vw_link *link);
void vw_inbox_ring(struct vw_inbox *inbox);

struct vw_inbox_content {
	struct vw_task *tasks;     /* oldest first */
	struct vw_link *closed;    /* by next_closed */
	struct vw_change *changes; /* to be freed by the caller */
	size_t change_count;
	bool lost;
};
void vw_inbox_take(struct vw_inbox *inbox, struct vw_inbox_content *out);

#endif
