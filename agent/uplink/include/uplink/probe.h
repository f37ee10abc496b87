/* probe.h: the two ways to the controller, each tried once and given up again: for `doctor`. Nothing is asked of the controller and nothing is changed. */
#ifndef UPLINK_PROBE_H
#define UPLINK_PROBE_H

#include "uplink/identity.h"

/* Why a TLS connection to the controller does not stand. */
enum vw_dial_failure {
	VW_DIAL_NONE,
	VW_DIAL_UNREACHABLE, /* name, route, proxy, refused */
	VW_DIAL_UNTRUSTED,   /* the peer's certificate is not the controller's */
	VW_DIAL_EXPIRED,     /* the peer says that ours has expired (TLS alert 45) */
	VW_DIAL_REFUSED      /* the peer refuses our certificate for another reason (alerts 42-44, 46, 48, 49, 116) */
};

/* The stream's way: name, proxy, connection, TLS with both certificates, the first byte of HTTP/2. Blocks for the route's connect timeout at most. `out_connected`:
 * the connection itself stood, also when what follows failed. *out_failure is VW_DIAL_NONE on success. */
int vw_uplink_try_stream(const struct vw_identity *identity, const struct vw_uplink_route *route, bool *out_connected,
			 enum vw_dial_failure *out_failure, struct vw_error *err);

/* The HTTPS listener's way, by which the certificate is renewed. `out_offset_ms`: the controller's clock minus ours, to a second; 0 when it does not say. */
int vw_uplink_try_https(const struct vw_identity *identity, const struct vw_uplink_route *route,
			int64_t *out_offset_ms, struct vw_error *err);

#endif
