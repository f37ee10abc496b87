/* inbox.h: what other threads have for the loop's thread: finished tasks and changes of the store. Any thread may put, none waits. */
#ifndef SESSION_INBOX_H
#define SESSION_INBOX_H

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

/* All of it, oldest first; the caller frees both. */
struct vw_task *vw_inbox_take(struct vw_inbox *inbox, struct vw_change **out_changes, size_t *out_count,
			      bool *out_lost);

#endif
