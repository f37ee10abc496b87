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

/* One connection of an agent. The front's until `opened`; then its maker of `opened` has it too, until both have let go: the front with `closed`. */
struct vw_link {
	struct vw_tls_peer peer; /* fixed once it is opened */
	char address[VW_ADDRESS_MAX];
	int plain; /* the end of the socket pair that is gRPC's: who is told of it takes it */
	struct vw_link *next_opened, *next_closed; /* for who is told, like the next; not touched here */
	void *owner;
};

struct vw_front;

struct vw_front_settings {
	struct vw_authority *authority;
	const char *host;
	int port; /* 0: any */
	int threads;
	int max_links; /* beyond, connections are closed at once */
	struct vw_tally *tally;
	/* From the front's threads; must not wait. After `opened` comes `closed`, exactly once; the link is the callee's then, to be freed with vw_link_free(). */
	void (*opened)(struct vw_link *link, void *arg);
	void (*closed)(struct vw_link *link, void *arg);
	void *arg;
};
/* Listens. VW_ECONFIG: the address cannot be listened on. */
int vw_front_open(const struct vw_front_settings *settings, struct vw_front **out, struct vw_error *err);
int vw_front_port(const struct vw_front *front);
int vw_front_reload(struct vw_front *front, struct vw_error *err);
/* No new connections. */
void vw_front_deafen(struct vw_front *front);
/* Closes all of them, and ends the threads. NULL is fine. */
void vw_front_close(struct vw_front *front);

void vw_link_free(struct vw_link *link);

#endif
