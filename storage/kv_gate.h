/* kv_gate.h: who is at a store: any number of views, one writer, and now and then one who makes the map larger while nobody
 * looks at it. Private to kv.
 *
 * A view that is open keeps the map where it is, whoever holds it. So the map waits for the views that are there, and lets no
 * new one begin meanwhile. Two cases would wait for each other for ever, and are told apart: a thread that holds a view may begin
 * another; and a view whose thread waits for its turn to write will not end before that turn, so nobody waits for it. */
#ifndef STORAGE_KV_GATE_H
#define STORAGE_KV_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* A view's place in the list of those that are open; in its transaction. */
struct vw_kv_gate_view {
	struct vw_kv_gate_view *next;
	struct vw_kv_gate_view **link; /* what points at this one */
	pthread_t thread;
	bool stuck; /* its thread waits for its turn */
};

struct vw_gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct vw_kv_gate_view *views;
	uint64_t next_turn, turn; /* writers come in the order in which they asked */
	pthread_t writer;         /* whose turn it is, when `writing` */
	bool writing;
	bool cleared; /* or about to be: no view begins */
};

void vw_kv_gate_init(struct vw_gate *gate);
void vw_kv_gate_destroy(struct vw_gate *gate);

/* Waits while the map grows. */
void vw_kv_gate_enter(struct vw_gate *gate, struct vw_kv_gate_view *view);
void vw_kv_gate_leave(struct vw_gate *gate, struct vw_kv_gate_view *view);

/* Waits for the writers that asked before. Not for a thread whose turn it is. */
void vw_kv_gate_take_turn(struct vw_gate *gate);
void vw_kv_gate_pass_turn(struct vw_gate *gate);

/* Waits until no view is open, and keeps it so until vw_kv_gate_open(). False when one is open still after so long, or will not end. */
bool vw_kv_gate_clear(struct vw_gate *gate, int64_t patience_ms);
void vw_kv_gate_open(struct vw_gate *gate);

#endif
