/* handover.h: tells the thread sanitizer what it cannot see.
 *
 * gRPC is not built with the sanitizer: that a completion queue gives a tag to another thread, with all that was written
 * before, is unknown to it. So a tag is handed over before the batch starts and taken over where it comes out of the
 * queue. Nothing in other builds, and no synchronization of its own in any. */
#ifndef VW_BASE_HANDOVER_H
#define VW_BASE_HANDOVER_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VW_THREAD_SANITIZER 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define VW_THREAD_SANITIZER 1
#endif

#ifdef VW_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

/* What this thread wrote until now is for the thread that takes this object over. */
static inline void vw_hand_over(void *object)
{
#ifdef VW_THREAD_SANITIZER
	__tsan_release(object);
#else
	(void)object;
#endif
}

static inline void vw_take_over(void *object)
{
#ifdef VW_THREAD_SANITIZER
	__tsan_acquire(object);
#else
	(void)object;
#endif
}

#endif
