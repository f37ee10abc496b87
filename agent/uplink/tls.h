/* tls.h: the agent's end of a TLS 1.3 session with its controller, over a socket that is connected already (mbedTLS).
 *
 * The peer must be the controller: a certificate of one of the authorities, for a server, valid now, with the one URI SAN
 * spiffe://<trust-domain>/controller. Which host name it has doesn't matter: a controller may be moved. Session tickets are not used. mbedTLS
 * doesn't know KeyUpdate: a peer that sends one ends the connection, which is made again. */
#ifndef UPLINK_TLS_H
#define UPLINK_TLS_H

#include "dial.h"

struct vw_tls;

struct vw_tls_order {
	int socket;              /* not blocking; borrowed */
	const char *server_name; /* told to the peer (SNI), for balancers that look at it; NULL: none */
	const char *trust_domain;
	const struct vw_identity_pair *pair; /* for the time of the call */
};
/* VW_EINVAL when key and certificate cannot be used. */
int vw_tls_open(const struct vw_tls_order *order, struct vw_tls **out, struct vw_error *err);
/* Until `deadline` (monotonic, ms). *out_failure is set with any failure. */
int vw_tls_handshake(struct vw_tls *tls, int64_t deadline, const volatile sig_atomic_t *cancel,
		     enum vw_dial_failure *out_failure, struct vw_error *err);
void vw_tls_close(struct vw_tls *tls); /* NULL is fine */

/* What a step wants of the socket before it can go on: POLLIN or POLLOUT; 0: it did something, or it is over. */
struct vw_tls_step {
	size_t bytes;
	short wants;
	bool ended;                   /* reading: the peer said goodbye, or cut the connection */
	enum vw_dial_failure failure; /* why, where it is one; `err` has the words */
};
void vw_tls_read(struct vw_tls *tls, void *out, size_t size, struct vw_tls_step *step, struct vw_error *err);
/* When it wants something it is to be called again with the same bytes. */
void vw_tls_write(struct vw_tls *tls, const void *bytes, size_t len, struct vw_tls_step *step, struct vw_error *err);
/* There are bytes to read that were taken off the socket already. */
bool vw_tls_pending(const struct vw_tls *tls);
/* close_notify, as far as the socket takes it. */
void vw_tls_goodbye(struct vw_tls *tls);

/* What a fatal alert of the peer (RFC 8446, 6.2) says of us. */
enum vw_dial_failure vw_tls_alert_failure(int alert);

#endif
