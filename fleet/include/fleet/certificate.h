/* certificate.h: requests and certificates (X.509, DER), made and read with mbedTLS.
 *
 * An agent's certificate has exactly one URI SAN, its SPIFFE id, which the controller writes from its own records: of a
 * request only the public key is taken (and the proof that the asker holds its private key). */
#ifndef FLEET_CERTIFICATE_H
#define FLEET_CERTIFICATE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "fleet/key.h"
#include "fleet/spiffe.h"

#include <stdbool.h>
#include <stdint.h>

#define VW_SERIAL_MAX 41 /* hex of at most 20 bytes (RFC 5280, 4.1.2.2), with the terminating zero */

/* A request for this key, DER, in the arena; its subject is only a hint for people. */
int vw_csr_make(const struct vw_key *key, struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err);
/* The request's public key, once its signature was checked. VW_EINVAL: no request, wrong kind of key, wrong signature, larger than VW_MAX_CSR. */
int vw_csr_public(struct vw_bytes csr, struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err);

struct vw_certificate_facts {
	char serial[VW_SERIAL_MAX]; /* lower-case hex */
	int64_t not_before, not_after;
	struct vw_spiffe id;
	bool has_id; /* exactly one URI SAN, and a SPIFFE id of ours */
	bool is_ca;
	struct vw_bytes public_key; /* SubjectPublicKeyInfo, in the arena */
	uint8_t sha256[32];         /* of the DER */
};
int vw_certificate_read(struct vw_bytes der, struct vw_arena *arena, struct vw_certificate_facts *out,
			struct vw_error *err);

enum vw_certificate_use { VW_USE_AGENT, VW_USE_CONTROLLER, VW_USE_RECEIPTS, VW_USE_CA };
struct vw_certificate_order {
	enum vw_certificate_use use; /* says key usages; CA: basic constraints with no intermediate below */
	struct vw_spiffe id;         /* the one URI SAN; not of a CA */
	const char *common_name;     /* for people */
	const char *const *hosts;    /* DNS names and IP addresses of a controller; NULL-terminated, may be NULL */
	struct vw_bytes public_key;  /* SubjectPublicKeyInfo */
	int64_t not_before, not_after;
};
/* Issued by `issuer` (DER; NULL data: self-signed by `key`, which is then the order's own). The serial is 16 random bytes. DER in the arena. */
int vw_certificate_issue(const struct vw_certificate_order *order, struct vw_bytes issuer, const struct vw_key *key,
			 struct vw_arena *arena, struct vw_bytes *out, char out_serial[VW_SERIAL_MAX],
			 struct vw_error *err);

/* That `der` was issued by one of `authorities` (through `intermediates`), is valid at `now` and is for `use`. VW_EAUTH says why not;
 * an expired one says so with its date. */
int vw_certificate_check(struct vw_bytes der, const struct vw_bytes *intermediates, size_t intermediate_count,
			 const struct vw_bytes *authorities, size_t authority_count, enum vw_certificate_use use,
			 int64_t now, struct vw_error *err);

/* PEM files with one or several certificates. In the arena. */
int vw_certificates_read_file(const char *path, struct vw_arena *arena, struct vw_bytes **out, size_t *out_count,
			      struct vw_error *err);
/* The same from a text; `what` names it in errors. */
int vw_certificates_parse(const char *pem, size_t len, const char *what, struct vw_arena *arena,
			  struct vw_bytes **out, size_t *out_count, struct vw_error *err);
int vw_certificates_write_file(const char *path, const struct vw_bytes *certificates, size_t count, unsigned mode,
			       struct vw_error *err);
/* As PEM, appended. */
int vw_certificate_pem(struct vw_bytes der, struct vw_buffer *out);

#endif
