#include "todo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vw_todo_item *vw_todo_find(struct vw_todo *todo, const char *id)
{
	for (size_t i = 0; i < todo->count; i++) {
		if (strcmp(todo->items[i].id, id) == 0)
			return &todo->items[i];
	}
	return NULL;
}

bool vw_todo_add(struct vw_todo *todo, const char *id)
{
	if (vw_todo_find(todo, id))
		return true;
	if (todo->count == VW_MAX_OPEN_COMMANDS || strlen(id) > VW_STORE_COMMAND_ID_MAX)
		return false;
	struct vw_todo_item *item = &todo->items[todo->count++];
	memset(item, 0, sizeof(*item));
	snprintf(item->id, sizeof(item->id), "%s", id);
	return true;
}

void vw_todo_remove(struct vw_todo *todo, const char *id)
{
	struct vw_todo_item *item = vw_todo_find(todo, id);
	if (!item)
		return;
	size_t behind = todo->count - (size_t)(item - todo->items) - 1;
	memmove(item, item + 1, behind * sizeof(*item));
	todo->count--;
}

struct vw_todo_item *vw_todo_waiting(struct vw_todo *todo)
{
	for (size_t i = 0; i < todo->count; i++) {
		if (!todo->items[i].begun)
			return &todo->items[i];
	}
	return NULL;
}

struct vw_todo_item *vw_todo_report(struct vw_todo *todo, int64_t now, int64_t *due)
{
	for (size_t i = 0; i < todo->count; i++) {
		struct vw_todo_item *item = &todo->items[i];
		if (!item->progress)
			continue;
		int64_t when = item->reported_at ? item->reported_at + VW_PROGRESS_INTERVAL_MS : now;
		if (when <= now)
			return item;
		if (when < *due)
			*due = when;
	}
	return NULL;
}

/* ---- the outbox ---- */

void vw_outbox_reset(struct vw_outbox *outbox)
{
	for (size_t i = 0; i < outbox->count; i++)
		free(outbox->ids[i]);
	free(outbox->ids);
	*outbox = (struct vw_outbox){.generation = outbox->generation};
}

bool vw_outbox_add(struct vw_outbox *outbox, const char *id)
{
	outbox->generation++;
	for (size_t i = 0; i < outbox->count; i++) {
		if (strcmp(outbox->ids[i], id) == 0)
			return true;
	}
	if (outbox->count == VW_OUTBOX_MAX)
		return false;
	char **more = reallocarray(outbox->ids, outbox->count + 1, sizeof(*more));
	if (!more)
		return false;
	outbox->ids = more;
	outbox->ids[outbox->count] = strdup(id);
	if (!outbox->ids[outbox->count])
		return false;
	outbox->count++;
	return true;
}

char *vw_outbox_take(struct vw_outbox *outbox)
{
	if (outbox->count == 0)
		return NULL;
	char *id = outbox->ids[0];
	memmove(outbox->ids, outbox->ids + 1, --outbox->count * sizeof(*outbox->ids));
	return id;
}
