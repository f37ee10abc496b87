/* tls.h: the certificate that streams are served with, and what it takes to be heard: TLS 1.3 and a certificate of our CA. */
#ifndef SESSION_TLS_H
#define SESSION_TLS_H

#include "identity/authority.h"

#include <grpc/grpc_security.h>
#include <stdint.h>

struct vw_tls;

int vw_tls_open(struct vw_authority *authority, struct vw_tls **out, struct vw_error *err);
/* Handshakes from now on get the authority's certificate of now. Any thread. */
int vw_tls_reload(struct vw_tls *tls, struct vw_error *err);
void vw_tls_close(struct vw_tls *tls); /* behind the last doorway; NULL is fine */

/* What one listener was given already. */
struct vw_tls_view {
	struct vw_tls *tls;
	uint64_t generation;
};
/* `view` outlives the listener. NULL without memory. */
grpc_server_credentials *vw_tls_credentials(struct vw_tls *tls, struct vw_tls_view *view);

#endif
