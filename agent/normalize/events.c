/* What changed about where a version is deployed (S10.5). */
#include "normalize/normalize.h"

#include "base/buffer.h"
#include "proto/message.h"

#include <string.h>

#define EVENTS_MAX 4 /* one for each field that is looked at */
#define STAGE      "lifecycle.lifecycle_stage"
#define STATUS     "lifecycle.deployment_status"

struct events {
	struct vw_arena *arena;
	vw_deployment_event **items;
	size_t count;
	bool moved; /* MLflow's own timestamp of the version */
	int64_t updated_at;
};

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* "stage", "alias" or "tag": what the resolved stage or status was taken from; NULL when nothing said anything, or when a
 * status only mirrors the stage. */
static const char *source_of(const vw_record *record, const char *field)
{
	for (size_t i = 0; i < record->n_provenance; i++) {
		const vw_provenance *p = record->provenance[i];
		if (!p->field || !p->from || strcmp(p->field, field) != 0)
			continue;
		if (strcmp(p->from, "stage") == 0)
			return "stage";
		if (strncmp(p->from, "alias:", 6) == 0)
			return "alias";
		return strcmp(p->from, STAGE) == 0 ? NULL : "tag";
	}
	return NULL;
}

/* What made it change: what it says now; where it says nothing any more, what it said before. */
static const char *cause(const vw_record *before, const vw_record *after, const char *field)
{
	const char *source = source_of(after, field);
	if (!source)
		source = source_of(before, field);
	if (!source && strcmp(field, STAGE) != 0)
		return cause(before, after, STAGE);
	return source ? source : "stage";
}

static void add(struct events *events, const char *field, const char *from, const char *to, const char *source)
{
	vw_deployment_event *event = vw_message_new(events->arena, &verifywise__v1__deployment_event__descriptor);
	if (!event)
		return;
	event->field = (char *)field;
	event->from = (char *)from;
	event->to = (char *)to;
	event->source = (char *)source;
	/* aliases and tags move no timestamp of MLflow's: then one that moved, moved for another reason */
	if (events->moved && strcmp(source, "stage") == 0)
		VW_SET(event, mlflow_updated_at, events->updated_at);
	events->items[events->count++] = event;
}

/* "champion, prod"; NULL for none. */
static int join(struct vw_arena *arena, const vw_lifecycle *lifecycle, char **out)
{
	struct vw_buffer all;
	vw_buffer_init(&all, 0);
	for (size_t i = 0; i < lifecycle->n_aliases; i++) {
		vw_buffer_puts(&all, i > 0 ? ", " : "");
		vw_buffer_puts(&all, lifecycle->aliases[i]);
	}
	int code = vw_buffer_error(&all);
	*out = all.len > 0 ? vw_arena_strdup(arena, vw_buffer_text(&all)) : NULL;
	vw_buffer_reset(&all);
	return code;
}

/* Where a server has no stages, that is the same as the stage None. */
static const char *stage_of(const vw_lifecycle *lifecycle)
{
	return lifecycle->mlflow_stage ? lifecycle->mlflow_stage : "None";
}

static int compare_aliases(struct events *events, const vw_lifecycle *x, const vw_lifecycle *y)
{
	char *from = NULL, *to = NULL;
	int code = join(events->arena, x, &from);
	if (code == 0)
		code = join(events->arena, y, &to);
	if (code == 0 && !same(from, to))
		add(events, "aliases", from, to, "alias");
	return code;
}

static int compare(struct events *events, const vw_record *before, const vw_record *after)
{
	static const vw_lifecycle nothing = VERIFYWISE__V1__LIFECYCLE__INIT;
	const vw_lifecycle *x = before->lifecycle ? before->lifecycle : &nothing;
	const vw_lifecycle *y = after->lifecycle ? after->lifecycle : &nothing;
	events->moved =
	    y->has_last_updated_at && (!x->has_last_updated_at || x->last_updated_at != y->last_updated_at);
	events->updated_at = y->last_updated_at;
	if (!same(x->lifecycle_stage, y->lifecycle_stage))
		add(events, "lifecycle_stage", x->lifecycle_stage, y->lifecycle_stage, cause(before, after, STAGE));
	if (!same(stage_of(x), stage_of(y)))
		add(events, "mlflow_stage", x->mlflow_stage, y->mlflow_stage, "stage");
	if (!same(x->deployment_status, y->deployment_status))
		add(events, "deployment_status", x->deployment_status, y->deployment_status,
		    cause(before, after, STATUS));
	return compare_aliases(events, x, y);
}

int vw_deployment_events(struct vw_arena *arena, const vw_record *before, const vw_record *after,
			 vw_deployment_event ***out_events, size_t *out_count, struct vw_error *err)
{
	struct events events = {.arena = arena, .items = vw_arena_array(arena, EVENTS_MAX, sizeof(*events.items))};
	int code = 0;
	if (events.items && before)
		code = compare(&events, before, after);
	else if (events.items)
		add(&events, "first_seen", NULL, after->lifecycle ? after->lifecycle->lifecycle_stage : NULL,
		    "mlflow");
	if (code < 0 || vw_arena_failed(arena))
		return vw_error_set(err, VW_ENOMEM, "no memory for deployment events");
	*out_events = events.items;
	*out_count = events.count;
	return 0;
}
