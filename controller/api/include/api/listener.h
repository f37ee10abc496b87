/* listener.h: HTTP in front of api.h, by libmicrohttpd: TLS for everybody, plain only on loopback, and the control socket for this host's operator. */
#ifndef API_LISTENER_H
#define API_LISTENER_H

#include "api/api.h"

struct vw_listener;

struct vw_listener_settings {
	struct vw_api *api;
	const char *listen; /* "address:port"; or "unix:PATH": mode 0600, who may open it is the operator */
	struct vw_authority
	    *authority;     /* TLS; NULL: plain, then `listen` must be a loopback address or a Unix socket */
	int connections;    /* at most [1000] */
	int64_t timeout_ms; /* of a connection that asks for nothing more [30 s] */
};
int vw_listener_start(const struct vw_listener_settings *settings, struct vw_listener **out, struct vw_error *err);
int vw_listener_port(const struct vw_listener *listener);
/* New connections get the authority's certificate of now. Nothing to do for a plain one. */
int vw_listener_renew(struct vw_listener *listener, struct vw_error *err);
/* Stops accepting, ends streams, waits for answers under way. NULL is fine. */
void vw_listener_stop(struct vw_listener *listener);

#endif
