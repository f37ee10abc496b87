/* handshake.h: the certificate and key that the HTTPS listener shows, for GnuTLS. They may be exchanged while connections are made. */
#ifndef API_HANDSHAKE_H
#define API_HANDSHAKE_H

#include "identity/authority.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

struct handshake;

int handshake_open(struct vw_authority *authority, struct handshake **out, struct vw_error *err);
void handshake_close(struct handshake *handshake); /* NULL is fine */
/* What the authority has now, from the next handshake on. */
int handshake_renew(struct handshake *handshake, struct vw_error *err);
/* What GnuTLS asks for in a handshake; valid until the second renewal from now. Any thread. */
void handshake_show(struct handshake *handshake, gnutls_pcert_st **out_chain, unsigned *out_count,
		    gnutls_privkey_t *out_key);

#endif
