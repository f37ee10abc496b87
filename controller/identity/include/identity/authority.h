/* authority.h: the controller's certificate authority and what it issues: its own server certificate, the receipts' signer, agents' certificates.
 *
 *	<data>/authority/ca.key, ca.pem                the CA, or an intermediate that an operator brought (then ca.pem holds the chain)
 *	<data>/authority/server.key, server.pem        of both listeners
 *	<data>/authority/server.hosts                  the names that server.pem was made for
 *	<data>/authority/receipts.key, receipts.pem    signs receipts and exports
 *
 * Each file is replaced as a whole. A crash between two of them leaves an authority that is completed when it is made or opened again; what may have
 * issued or signed something is never written over. Several replicas share the folder's content (copied, or mounted read-only): all may issue. Safe for threads once open. */
#ifndef IDENTITY_AUTHORITY_H
#define IDENTITY_AUTHORITY_H

#include "base/secret.h"
#include "fleet/certificate.h"
#include "fleet/receipt.h"

#include <stdint.h>

struct vw_authority;

/* Hosts and trust domain are borrowed until the authority is closed. */
struct vw_authority_settings {
	const char *folder;
	const char *trust_domain;
	const char *const *hosts; /* DNS names and addresses of the server certificate */
	int64_t agent_life_ms;    /* of agents' certificates [24 h] */
	int64_t server_life_ms;   /* [90 days] */
};

/* Makes what is missing: a CA for ten years (or takes `ca_key`, `ca_chain`: both or neither, files an operator brought, the chain up to and with its root), a
 * server and a receipts certificate. VW_EBUSY: nothing was missing, or another CA is there; VW_EAGAIN: another process is at it; VW_ECONFIG. */
int vw_authority_create(const struct vw_authority_settings *settings, const char *ca_key, const char *ca_chain,
			struct vw_error *err);
/* VW_ECONFIG says what is missing or does not fit together. A server certificate that does not is none: refresh makes one. */
int vw_authority_open(const struct vw_authority_settings *settings, struct vw_authority **out, struct vw_error *err);
void vw_authority_close(struct vw_authority *authority);
/* A server certificate that is not there or for other hosts, or that is past half its life, is issued anew, or taken over from another process that did so. 1 if
 * there is a new one, 0 if not; on failure the old one stays. */
int vw_authority_refresh(struct vw_authority *authority, struct vw_error *err);

const char *vw_authority_trust_domain(const struct vw_authority *authority);
/* Borrowed. The CA and above it, DER. */
const struct vw_bytes *vw_authority_chain(const struct vw_authority *authority, size_t *out_count);
/* What is trusted: the last of the chain; with it the pin of tokens. */
void vw_authority_pin(const struct vw_authority *authority, uint8_t out[32]);
/* PEM for the TLS listeners, copied into the arena: certificate chain, private key (a secret), CA and above it. VW_ECONFIG: there is none that is valid. */
int vw_authority_server_pem(struct vw_authority *authority, struct vw_arena *arena, char **out_chain,
			    struct vw_secret **out_key, char **out_ca, struct vw_error *err);

/* An agent's certificate for this public key. In the arena. VW_ECONFIG: the CA has expired. */
int vw_authority_issue(struct vw_authority *authority, int32_t organization, const char *agent_id,
		       struct vw_bytes public_key, int64_t now, struct vw_arena *arena, struct vw_bytes *out,
		       char out_serial[VW_SERIAL_MAX], int64_t *out_not_after, struct vw_error *err);

/* Signs a receipt. */
int vw_authority_receipt(struct vw_authority *authority, const struct vw_receipt_facts *facts, struct vw_arena *arena,
			 vw_receipt **out, struct vw_error *err);
/* Signs other bytes with the receipts' key, for exports. */
int vw_authority_sign(struct vw_authority *authority, const char *domain, struct vw_bytes bytes,
		      uint8_t out[VW_SIGNATURE_MAX], size_t *out_len, uint8_t out_signer_sha256[32],
		      struct vw_error *err);
/* The signer's certificate first, DER. Borrowed. */
const struct vw_bytes *vw_authority_receipt_chain(const struct vw_authority *authority, size_t *out_count);

#endif
