/* secure.h: the agent's end of a TLS 1.3 session with its controller, over a socket that is connected already (mbedTLS).
 *
 * The peer must be the controller: a certificate of one of the authorities, for a server, valid now, with the one URI SAN
 * spiffe://<trust-domain>/controller. Which host name it has doesn't matter: a controller may be moved. Session tickets are not used. mbedTLS
 * doesn't know KeyUpdate: a peer that sends one ends the connection, which is made again. */
#ifndef UPLINK_SECURE_H
#define UPLINK_SECURE_H

#include "dial.h"

struct vw_secure;

struct vw_secure_order {
	int socket;              /* not blocking; borrowed */
	const char *server_name; /* told to the peer (SNI), for balancers that look at it; NULL: none */
	const char *trust_domain;
	const struct vw_identity_pair *pair; /* for the time of the call */
};
/* VW_EINVAL when key and certificate cannot be used. */
int vw_secure_open(const struct vw_secure_order *order, struct vw_secure **out, struct vw_error *err);
/* Until `deadline` (monotonic, ms). *out_failure is set with any failure. */
int vw_secure_handshake(struct vw_secure *secure, int64_t deadline, const volatile sig_atomic_t *cancel,
			enum vw_dial_failure *out_failure, struct vw_error *err);
void vw_secure_close(struct vw_secure *secure); /* NULL is fine */

/* What a step wants of the socket before it can go on: POLLIN or POLLOUT; 0: it did something, or it is over. */
struct vw_secure_step {
	size_t bytes;
	short wants;
	bool ended;                   /* reading: the peer said goodbye, or cut the connection */
	enum vw_dial_failure failure; /* why, where it is one; `err` has the words */
};
void vw_secure_read(struct vw_secure *secure, void *out, size_t size, struct vw_secure_step *step,
		    struct vw_error *err);
/* When it wants something it is to be called again with the same bytes. */
void vw_secure_write(struct vw_secure *secure, const void *bytes, size_t len, struct vw_secure_step *step,
		     struct vw_error *err);
/* There are bytes to read that were taken off the socket already. */
bool vw_secure_pending(const struct vw_secure *secure);
/* close_notify, as far as the socket takes it. */
void vw_secure_goodbye(struct vw_secure *secure);

/* What a fatal alert of the peer (RFC 8446, 6.2) says of us. */
enum vw_dial_failure vw_secure_alert_failure(int number);

#endif
