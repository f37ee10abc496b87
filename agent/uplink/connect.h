/* connect.h: from "host:port" to a connected socket: c-ares resolves, addresses are raced (RFC 8305), proxies are asked with CONNECT. All of it
 * is libcurl's work. */
#ifndef UPLINK_CONNECT_H
#define UPLINK_CONNECT_H

#include "uplink/identity.h"

#define VW_HOST_MAX 256 /* bytes of a host's name, with the terminating zero (RFC 1035: 253) */

struct vw_connection; /* the socket and curl's handle that owns it */

/* That it is "host:port" and nothing else; VW_ECONFIG. */
int vw_endpoint_check(const char *endpoint, struct vw_error *err);

/* Blocks until `deadline` (monotonic, ms) at most. VW_ECONFIG for an endpoint or a proxy that cannot be used. */
int vw_connection_open(const char *endpoint, const struct vw_uplink_route *route, int64_t deadline,
		       struct vw_connection **out, struct vw_error *err);
int vw_connection_socket(const struct vw_connection *connection);
/* The host's name for TLS; NULL when the endpoint names an address. */
const char *vw_connection_server_name(const struct vw_connection *connection);
void vw_connection_close(struct vw_connection *connection); /* NULL is fine */

#endif
