/* thread.h: threads of the uplink: with a small stack, and deaf to signals, which are the main thread's. */
#ifndef UPLINK_THREAD_H
#define UPLINK_THREAD_H

#include "base/error.h"

#include <pthread.h>

/* VW_EAGAIN when the system has no room for another thread. The caller joins it. */
int vw_thread_start(void *(*run)(void *arg), void *arg, pthread_t *out, struct vw_error *err);

#endif
