/* front.h: the door: it accepts connections, does TLS, looks at each HTTP/2 frame, and hands what is left, plain, through a socket pair to gRPC.
 *
 * A few threads, each with its share of the connections. An idle connection costs OpenSSL's state and nothing else: buffers are a thread's, a
 * connection has one only while the side it is meant for does not take it. */
#ifndef SESSION_FRONT_H
#define SESSION_FRONT_H

#include "tally.h"
#include "tls.h"

#include <stdint.h>

#define VW_ADDRESS_MAX 64 /* "[2001:db8::1]:50000", with the terminating zero */

/* One connection of an agent. The front's alone until vw_front_take() gives it; then its taker has it too, until the front lets go with `closed`. */
struct vw_link {
	struct vw_tls_peer peer; /* fixed once it is given */
	char address[VW_ADDRESS_MAX];
	_Atomic int64_t heard_at;    /* monotonic: when bytes of a message came last */
	struct vw_link *next_closed; /* for its taker, like the next; not touched here */
	void *owner;
};

struct vw_front;

struct vw_front_settings {
	struct vw_authority *authority;
	const char *host;
	int port; /* 0: any */
	int threads;
	int max_links; /* beyond, connections are closed at once */
	int max_files; /* that a table of descriptors takes */
	struct vw_tally *tally;
	/* From the front's threads; must not wait. `opened`: vw_front_take() has something. `closed`: a link that was taken is its taker's alone now, to be freed with
	 * vw_link_free(). */
	void (*opened)(void *arg);
	void (*closed)(struct vw_link *link, void *arg);
	void *arg;
};
/* Listens. VW_ECONFIG: the address cannot be listened on. */
int vw_front_open(const struct vw_front_settings *settings, struct vw_front **out, struct vw_error *err);
int vw_front_port(const struct vw_front *front);
int vw_front_reload(struct vw_front *front, struct vw_error *err);
/* Gives the links that are new, each with the end of its socket pair that is gRPC's, which is the callee's; -1: there was no descriptor left for it. One thread. */
void vw_front_take(struct vw_front *front, void (*each)(struct vw_link *link, int plain, void *arg), void *arg);
/* No new connections. */
void vw_front_deafen(struct vw_front *front);
/* Closes all of them, and ends the threads. NULL is fine. */
void vw_front_close(struct vw_front *front);

void vw_link_free(struct vw_link *link);

#endif
