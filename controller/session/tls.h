/* tls.h: TLS 1.3 on the controller's side of an agent's connection (OpenSSL, which is several times quicker with P-256 than mbedTLS).
 *
 * A handshake succeeds only with a certificate that our CA itself issued (none beside it below the same root), that is valid now, for clients, and whose one URI SAN is an agent's of our trust domain. */
#ifndef SESSION_TLS_H
#define SESSION_TLS_H

#include "base/arena.h"
#include "fleet/certificate.h"
#include "identity/authority.h"

#include <openssl/ssl.h>

struct vw_tls;

int vw_tls_open(struct vw_authority *authority, struct vw_tls **out, struct vw_error *err);
/* Handshakes from now on get the authority's certificate of now. Any thread. */
int vw_tls_reload(struct vw_tls *tls, struct vw_error *err);
void vw_tls_close(struct vw_tls *tls); /* connections may outlive it; NULL is fine */

/* What a handshake found out about its peer; outlives the connection's SSL. */
struct vw_tls_peer {
	struct vw_arena *scratch; /* of the calling thread */
	const char *trust_domain;
	bool is_agent;
	struct vw_spiffe id;
	char serial[VW_SERIAL_MAX];
	int64_t not_after;
	const char *flaw; /* why it was refused; static storage; NULL: ask OpenSSL */
};
/* For a socket that was accepted; the caller does SSL_accept() and frees it. NULL without memory. */
SSL *vw_tls_accept(struct vw_tls *tls, int fd, struct vw_tls_peer *peer);
/* Why the handshake failed: the peer's flaw, or OpenSSL's last word, which is taken from this thread's queue. Static storage. */
const char *vw_tls_failure(const struct vw_tls_peer *peer);

#endif
