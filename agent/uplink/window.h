/* window.h: how much may be on its way: payload bytes that were sent and are not acknowledged. Pure. */
#ifndef UPLINK_WINDOW_H
#define UPLINK_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VW_WINDOW_BATCHES                                                                                            \
	64 /* told apart; more than these share the last place, and its credit comes with the last of them */

struct vw_window {
	uint64_t limit; /* bytes */
	uint64_t used;
	struct {
		uint64_t last; /* sequence */
		uint64_t bytes;
	} batches[VW_WINDOW_BATCHES]; /* a ring, oldest first */
	size_t first, count;
};

void vw_window_init(struct vw_window *window, uint64_t limit);
/* Bytes that the next batch may have; 0: wait. An empty window always has room for one entry, however large: a limit below it would be a standstill. */
uint64_t vw_window_room(const struct vw_window *window);
void vw_window_sent(struct vw_window *window, uint64_t last, uint64_t bytes);
/* Everything up to `sequence` is stored. */
void vw_window_acknowledged(struct vw_window *window, uint64_t sequence);
/* What was on its way is lost or was dropped by the peer. */
void vw_window_clear(struct vw_window *window);

#endif
