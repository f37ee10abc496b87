/* notify.h: telling a service manager how things are: sd_notify(3)'s protocol, datagrams of "NAME=value" lines.
 *
 * Without $NOTIFY_SOCKET all of it does nothing. Failures are silent: whoever does not listen does not mind. */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct vw_cli_notifier {
	int fd; /* negative: nobody listens */
	struct sockaddr_un to;
	socklen_t to_len;
	int64_t watchdog_ms; /* between two signs of life; 0: none are wanted */
	int64_t last_sign;   /* monotonic */
};

/* Looks at $NOTIFY_SOCKET (a path, or "@name" of the abstract namespace), $WATCHDOG_USEC and $WATCHDOG_PID. */
void vw_cli_notify_open(struct vw_cli_notifier *notifier);
void vw_cli_notify_close(struct vw_cli_notifier *notifier);

/* "READY=1", "STOPPING=1"; with a `status` for people (one line, may be NULL). */
void vw_cli_notify_state(const struct vw_cli_notifier *notifier, const char *state, const char *status);
void vw_cli_notify_status(const struct vw_cli_notifier *notifier, const char *status);
/* RELOADING=1 and the time that the protocol wants with it; followed by READY=1 when it is over. */
void vw_cli_notify_reloading(const struct vw_cli_notifier *notifier);
/* A sign of life, if one is due; may be called as often as one likes. */
void vw_cli_notify_alive(struct vw_cli_notifier *notifier);

#endif
