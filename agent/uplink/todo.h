/* todo.h: the commands that are not over, in memory: which ones wait for the main thread, and how far the others are. Their content is in the store.
 *
 * No lock of its own: the uplink's covers it. */
#ifndef UPLINK_TODO_H
#define UPLINK_TODO_H

#include "base/limits.h"
#include "storage/uplink.h"

#define VW_PROGRESS_TEXT_MAX    160  /* bytes, with the terminating zero */
#define VW_PROGRESS_INTERVAL_MS 1000 /* between two reports of one command */

struct vw_todo_item {
	char id[VW_STORE_COMMAND_ID_MAX + 1];
	bool begun;    /* the main thread has it */
	bool progress; /* there is something to report */
	int64_t reported_at;
	char text[VW_PROGRESS_TEXT_MAX];
	int64_t done, total;
};

struct vw_todo {
	struct vw_todo_item items[VW_MAX_OPEN_COMMANDS]; /* oldest first */
	size_t count;
};

struct vw_todo_item *vw_todo_find(struct vw_todo *todo, const char *id);
/* False when there is no room; the same id again is fine. */
bool vw_todo_add(struct vw_todo *todo, const char *id);
void vw_todo_remove(struct vw_todo *todo, const char *id);
/* The oldest that was not begun, or NULL. */
struct vw_todo_item *vw_todo_waiting(struct vw_todo *todo);
/* One whose progress may be reported now, or NULL; lowers *due to the time when there will be one. */
struct vw_todo_item *vw_todo_report(struct vw_todo *todo, int64_t now, int64_t *due);

/* ---- ids whose state is to be told to the controller, each once ---- */

#define VW_OUTBOX_MAX (VW_MAX_HELD_COMMANDS + VW_MAX_OPEN_COMMANDS)

struct vw_outbox {
	char **ids;
	size_t count;
	uint64_t generation; /* moves with each addition */
};

void vw_outbox_reset(struct vw_outbox *outbox);
/* False without memory or room: it is told at the next stream's beginning. */
bool vw_outbox_add(struct vw_outbox *outbox, const char *id);
/* The oldest, for the caller to free; NULL when there is none. */
char *vw_outbox_take(struct vw_outbox *outbox);

#endif
