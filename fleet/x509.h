/* x509.h: what this folder's files need of mbedTLS alike. */
#ifndef FLEET_X509_H
#define FLEET_X509_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/certificate.h"

#include <mbedtls/x509_crt.h>
#include <stdbool.h>

#define X509_SPKI_MAX 2048 /* bytes of a SubjectPublicKeyInfo: RSA of 8192 bits and its frame have 1062 */

/* Sets "what: mbedTLS's words". Returns `code`; VW_ENOMEM if that is what mbedTLS says. */
int x509_error(struct vw_error *err, int code, int mbedtls_code, const char *what);

/* SubjectPublicKeyInfo, DER, in the arena: always in the same form, whatever form it was read from. */
int x509_public_key(const mbedtls_pk_context *pk, struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err);
/* Exactly one SubjectPublicKeyInfo and nothing behind it, into an initialised context. VW_EINVAL. */
int x509_read_public_key(struct vw_bytes spki, mbedtls_pk_context *pk, struct vw_error *err);
bool x509_is_p256(const mbedtls_pk_context *pk);

/* Exactly one certificate and nothing behind it, appended to an initialised list. VW_EINVAL, VW_ELIMIT. */
int x509_read_certificate(struct vw_bytes der, mbedtls_x509_crt *list, struct vw_error *err);

/* What each kind of certificate may be used for. */
struct x509_usage {
	unsigned key_usage;
	struct vw_bytes extended; /* OID; a CA has none */
};
const struct x509_usage *x509_usage_of(enum vw_certificate_use use);

/* Exactly one URI among the names, and a SPIFFE id of ours. */
bool x509_find_id(const mbedtls_x509_crt *crt, struct vw_spiffe *out);

/* Between X.509's times and milliseconds since 1970; years from 1970 to 9999, false for others. */
int64_t x509_time_ms(const mbedtls_x509_time *t);
bool x509_time_from_ms(int64_t ms, mbedtls_x509_time *out);

/* Copies what mbedTLS wrote into the arena. */
int x509_copy(struct vw_arena *arena, const void *bytes, size_t len, struct vw_bytes *out, struct vw_error *err);

#endif
