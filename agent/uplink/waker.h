/* waker.h: wakes the thread that waits for a completion queue, from any other.
 *
 * gRPC core's C surface has no alarms; what it has is an empty batch, which comes back at once (grpc.h, grpc_call_start_batch). It needs a call: one that
 * is never begun, on a channel that leads nowhere. */
#ifndef UPLINK_WAKER_H
#define UPLINK_WAKER_H

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdbool.h>

struct vw_waker {
	pthread_mutex_t lock;
	grpc_channel *channel;
	grpc_call *call;
	bool waiting; /* an empty batch is on its way */
};

/* False without memory. Its events carry the waker itself as tag. */
bool vw_waker_open(struct vw_waker *waker, grpc_completion_queue *queue);
void vw_waker_wake(struct vw_waker *waker);
/* Its event came out of the queue. */
void vw_waker_taken(struct vw_waker *waker);
/* Wakes nobody any more; an event may still be in the queue. */
void vw_waker_close(struct vw_waker *waker);

#endif
