#include "fair.h"

#include <stdint.h>
#include <string.h>

void vw_fair_init(struct vw_fair *fair, size_t quantum)
{
	memset(fair, 0, sizeof(*fair));
	fair->quantum = quantum;
}

static int64_t cost_of(const struct vw_item *item)
{
	return (int64_t)(item->bytes < VW_FAIR_LEAST ? VW_FAIR_LEAST : item->bytes);
}

/* ---- The ring of groups ---- */

/* A group that has credit left still has the turn: it left only because its one flow was being served. */
static void ring_add(struct vw_fair *fair, struct vw_group *group)
{
	if (group->in_ring)
		return;
	group->in_ring = true;
	group->next = fair->tail ? fair->tail->next : group;
	if (fair->tail)
		fair->tail->next = group;
	if (!fair->tail || group->credit <= 0)
		fair->tail = group;
}

static void ring_remove_turn(struct vw_fair *fair)
{
	struct vw_group *group = fair->tail->next;
	if (group == fair->tail)
		fair->tail = NULL;
	else
		fair->tail->next = group->next;
	group->next = NULL;
	group->in_ring = false;
}

/* A group waits in the ring exactly while it has a flow in line. What it has left or overdrew it keeps, so that one with a single flow, which
 * leaves the ring whenever that is served, does not begin each time as if it had taken nothing. */
static void line_add(struct vw_fair *fair, struct vw_flow *flow)
{
	struct vw_group *group = flow->group;
	flow->next = NULL;
	if (group->last)
		group->last->next = flow;
	else
		group->first = flow;
	group->last = flow;
	ring_add(fair, group);
}

static struct vw_flow *line_take(struct vw_group *group)
{
	struct vw_flow *flow = group->first;
	group->first = flow->next;
	if (!group->first)
		group->last = NULL;
	flow->next = NULL;
	return flow;
}

/* ---- Items ---- */

void vw_fair_push(struct vw_fair *fair, struct vw_group *group, struct vw_flow *flow, struct vw_item *item)
{
	bool was_empty = !flow->first;
	item->next = NULL;
	if (was_empty)
		flow->first = item;
	else
		flow->last->next = item;
	flow->last = item;
	fair->items++;
	if (!flow->served && was_empty) {
		flow->group = group;
		line_add(fair, flow);
	}
}

/* Cuts the oldest items off the flow. */
static struct vw_item *take_items(struct vw_fair *fair, struct vw_flow *flow, size_t burst)
{
	struct vw_item *first = flow->first, *last = first;
	size_t bytes = first->bytes;
	fair->items--;
	flow->group->credit -= cost_of(first);
	while (last->next && bytes < burst && last->next->bytes <= burst - bytes) {
		last = last->next;
		bytes += last->bytes;
		fair->items--;
		flow->group->credit -= cost_of(last);
	}
	flow->first = last->next;
	if (!flow->first)
		flow->last = NULL;
	last->next = NULL;
	return first;
}

/* The group whose turn it is. Each that has nothing left is given its share of a new round; what it overdrew it waits for. */
static struct vw_group *find_turn(struct vw_fair *fair)
{
	for (;;) {
		struct vw_group *turn = fair->tail->next;
		if (turn->credit <= 0)
			turn->credit += (int64_t)fair->quantum;
		if (turn->credit > 0)
			return turn;
		fair->tail = turn;
	}
}

struct vw_item *vw_fair_pop(struct vw_fair *fair, size_t burst, struct vw_flow **out_flow)
{
	if (!fair->tail)
		return NULL;
	struct vw_group *group = find_turn(fair);
	struct vw_flow *flow = line_take(group);
	struct vw_item *items = take_items(fair, flow, burst);
	if (!group->first)
		ring_remove_turn(fair);
	else if (group->credit <= 0)
		fair->tail = group;
	flow->served = true;
	*out_flow = flow;
	return items;
}

void vw_fair_done(struct vw_fair *fair, struct vw_flow *flow, struct vw_item *again)
{
	if (again) {
		struct vw_item *last = again;
		fair->items++;
		for (; last->next; last = last->next)
			fair->items++;
		last->next = flow->first;
		flow->first = again;
		if (!flow->last)
			flow->last = last;
	}
	flow->served = false;
	if (flow->first)
		line_add(fair, flow);
}

struct vw_item *vw_fair_drop(struct vw_fair *fair)
{
	struct vw_flow *flow = NULL;
	struct vw_item *items = vw_fair_pop(fair, SIZE_MAX, &flow);
	if (items)
		vw_fair_done(fair, flow, NULL);
	return items;
}
