/* dial.h: from "host:port" to a gRPC channel: name resolution and happy eyeballs (RFC 8305), HTTP CONNECT proxies, TLS 1.3.
 *
 * libcurl connects (CURLOPT_CONNECT_ONLY: it resolves by c-ares, races addresses, speaks CONNECT); on its socket runs mbedTLS with ALPN h2 and both
 * certificates checked, the controller's against its SPIFFE id; between mbedTLS and gRPC core lies a socket pair with a thread that pumps bytes. */
#ifndef UPLINK_DIAL_H
#define UPLINK_DIAL_H

#include "uplink/identity.h"
#include "uplink/probe.h"

#include <grpc/grpc.h>

struct vw_dial; /* a connected, authenticated byte stream to the controller and the channel over it */

/* Connects and shakes hands; blocks at most the route's timeout. */
int vw_dial_open(const char *endpoint, const char *trust_domain, const struct vw_identity_pair *pair,
		 const struct vw_uplink_route *route, struct vw_dial **out, enum vw_dial_failure *out_failure,
		 struct vw_error *err);
/* Borrowed; gone with the dial. */
grpc_channel *vw_dial_channel(struct vw_dial *dial);
/* Why the bytes stopped, once they did: with TLS 1.3 a refusal of our certificate comes after the handshake. VW_DIAL_NONE while they flow. */
enum vw_dial_failure vw_dial_failure(const struct vw_dial *dial, struct vw_error *err);
/* False while the peer has sent nothing since the handshake. One that ends the connection so may refuse our certificate: servers of gRPC send no
 * alert. */
bool vw_dial_heard(const struct vw_dial *dial);
/* Destroys channel, pump and socket. Calls on the channel must be over. NULL is fine. */
void vw_dial_close(struct vw_dial *dial);

#endif
