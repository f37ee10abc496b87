/* error.h: how every function of this project says that it failed.
 *
 * A function returns 0 or one of the negative codes below. Where something can be said to a person,
 * it takes a `struct vw_error *` (may be NULL) and fills it where the failure happens; callers on
 * the way up put context in front with vw_error_context(). Messages say what happened, to which
 * object, and where it helps what to do. They never hold a secret.
 *
 *	if (fd < 0)
 *		return vw_error_set(err, VW_EIO, "cannot open %s: %s", path, strerror(errno));
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum vw_code {
	VW_OK = 0,
	VW_EINVAL = -1, /* bytes from outside that are not what they should be */
	VW_ELIMIT = -2, /* a cap of base/limits.h was reached; the message names it */
	VW_ENOTFOUND = -3,
	VW_EFORBIDDEN = -4, /* authenticated, but not allowed (HTTP 403) */
	VW_EAUTH = -5,      /* not authenticated (HTTP 401) */
	VW_EAGAIN = -6,     /* a fault that passes by itself: 429, 5xx, a broken connection */
	VW_ETIMEOUT = -7,
	VW_ECANCELLED = -8, /* a signal asked us to stop */
	VW_ENOMEM = -9,
	VW_EIO = -10,
	VW_EFULL = -11,    /* no space left on the device, or the map cannot grow */
	VW_ECORRUPT = -12, /* our own stored bytes are not what we wrote */
	VW_EBUSY = -13,    /* another process holds the state */
	VW_EUNSUPPORTED = -14,
	VW_ECONFIG = -15, /* a file the operator wrote: configuration, policy, credentials */
	VW_EUSAGE = -16   /* a command line that cannot be understood */
};

/* What a coordinator does about a failure; derived from the code here and nowhere else. */
enum vw_disposition {
	VW_DO_RETRY, /* the same call may succeed later */
	VW_DO_SKIP,  /* this object is recorded as incomplete, the cycle goes on */
	VW_DO_FATAL  /* the cycle ends */
};

#define VW_ERROR_MESSAGE_MAX 1024 /* bytes, with the terminating zero; longer messages are cut */

struct vw_error {
	int code; /* enum vw_code */
	char message[VW_ERROR_MESSAGE_MAX];
};

#define VW_ERROR_INIT                                                                                                \
	{                                                                                                            \
		0, ""                                                                                                \
	}

/* Sets code and message, replacing what was there. Returns `code`, so that it can be returned. */
int vw_error_set(struct vw_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the message that is there. Returns err's code, or `code` when err is NULL. */
int vw_error_context(struct vw_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

enum vw_disposition vw_error_disposition(int code);

/* The code's name for logs: "limit", "forbidden". Static storage. */
const char *vw_code_name(int code);

#endif
