#include "thread.h"

#include <signal.h>
#include <string.h>

#define STACK (512 * 1024) /* bytes; a TLS handshake takes the most */

int vw_thread_start(void *(*run)(void *arg), void *arg, pthread_t *out, struct vw_error *err)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int result = pthread_attr_init(&attributes);
	if (result != 0)
		return vw_error_set(err, VW_ENOMEM, "cannot start a thread: %s", strerror(result));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_attr_setstacksize(&attributes, STACK);
	if (result == 0)
		result = pthread_create(out, &attributes, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return result == 0 ? 0 : vw_error_set(err, VW_EAGAIN, "cannot start a thread: %s", strerror(result));
}
