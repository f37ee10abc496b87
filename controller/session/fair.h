/* fair.h: work that waits, served in turn.
 *
 * Items of one flow (an agent) are served in the order in which they came and by one thread at a time. Flows of one group (an organization)
 * take turns; groups take turns by bytes (deficit round robin: M. Shreedhar, G. Varghese, 1996), so that one that sends much does not slow one
 * that sends little. Everything is embedded in what its owner allocates: nothing here allocates, fails, locks or waits. Zeroed memory is an
 * empty flow, an empty group. */
#ifndef SESSION_FAIR_H
#define SESSION_FAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VW_FAIR_LEAST 4096 /* bytes that an item counts at least: a transaction costs, however small it is */

struct vw_item {
	struct vw_item *next;
	size_t bytes;
};

struct vw_flow {
	struct vw_item *first, *last;
	struct vw_group *group;
	struct vw_flow *next; /* in its group's line */
	bool served;          /* a thread has it */
};

struct vw_group {
	struct vw_flow *first, *last; /* flows with items that nobody serves */
	struct vw_group *next;        /* in the ring */
	int64_t credit; /* bytes that it may still be served in this round; below 0 after a large item */
	bool in_ring;
};

struct vw_fair {
	struct vw_group *tail; /* of the ring; its next one has the turn */
	size_t quantum;        /* bytes that a round gives each group */
	size_t items;          /* that wait, also those of flows that are served now */
};

void vw_fair_init(struct vw_fair *fair, size_t quantum);
/* A flow stays with the group of its first item while it has any. */
void vw_fair_push(struct vw_fair *fair, struct vw_group *group, struct vw_flow *flow, struct vw_item *item);
/* Whether vw_fair_pop() has something. */
static inline bool vw_fair_ready(const struct vw_fair *fair)
{
	return fair->tail;
}
/* The oldest items of the flow whose turn it is, linked: one, and more of them while they are below `burst` bytes in all. NULL: none. The flow is served by
 * the caller until vw_fair_done(). */
struct vw_item *vw_fair_pop(struct vw_fair *fair, size_t burst, struct vw_flow **out_flow);
/* The caller has served `flow`; `again` are the items that could not be (linked, the end of what was popped), or NULL: they come first. */
void vw_fair_done(struct vw_fair *fair, struct vw_flow *flow, struct vw_item *again);
/* All items of whichever flow, for the end; NULL when there are none. */
struct vw_item *vw_fair_drop(struct vw_fair *fair);

#endif
