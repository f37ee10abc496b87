#include "waker.h"

#include "base/handover.h"

bool vw_waker_open(struct vw_waker *waker, grpc_completion_queue *queue)
{
	*waker = (struct vw_waker){0};
	pthread_mutex_init(&waker->lock, NULL);
	waker->channel = grpc_lame_client_channel_create("wake", GRPC_STATUS_UNAVAILABLE, "only for waking");
	if (!waker->channel)
		return false;
	waker->call = grpc_channel_create_call(waker->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
					       grpc_slice_from_static_string("/wake"), NULL,
					       gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	return waker->call != NULL;
}

void vw_waker_wake(struct vw_waker *waker)
{
	pthread_mutex_lock(&waker->lock);
	if (!waker->waiting && waker->call) {
		vw_hand_over(waker);
		waker->waiting = grpc_call_start_batch(waker->call, NULL, 0, waker, NULL) == GRPC_CALL_OK;
	}
	pthread_mutex_unlock(&waker->lock);
}

void vw_waker_taken(struct vw_waker *waker)
{
	vw_take_over(waker);
	pthread_mutex_lock(&waker->lock);
	waker->waiting = false;
	pthread_mutex_unlock(&waker->lock);
}

void vw_waker_close(struct vw_waker *waker)
{
	pthread_mutex_lock(&waker->lock);
	if (waker->call)
		grpc_call_unref(waker->call);
	if (waker->channel)
		grpc_channel_destroy(waker->channel);
	waker->call = NULL;
	waker->channel = NULL;
	pthread_mutex_unlock(&waker->lock);
}
