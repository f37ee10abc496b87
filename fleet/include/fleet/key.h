/* key.h: private keys and signatures: ECDSA on P-256 with SHA-256 (mbedTLS), the one kind that both ends use.
 *
 * Keys are PKCS#8 or SEC1 PEM in files of mode 0600. A private key never leaves its process but into such a file. */
#ifndef FLEET_KEY_H
#define FLEET_KEY_H

#include "base/arena.h"
#include "base/error.h"
#include "base/secret.h"
#include "storage/kv.h" /* struct vw_bytes */

#include <stdint.h>

struct vw_key;

#define VW_SIGNATURE_MAX 80 /* bytes of an ECDSA P-256 signature in DER */

int vw_key_generate(struct vw_key **out, struct vw_error *err);
/* The file must be ours and closed to others: VW_ECONFIG says what to chmod. VW_ENOTFOUND. VW_EINVAL for what is no P-256 key. */
int vw_key_read(const char *path, struct vw_key **out, struct vw_error *err);
/* Mode 0600, by way of a temporary file, fsync and rename. */
int vw_key_write(const struct vw_key *key, const char *path, struct vw_error *err);
/* As it stands in such a file, for another TLS library in this process. */
int vw_key_pem(const struct vw_key *key, struct vw_secret **out, struct vw_error *err);
void vw_key_close(struct vw_key *key); /* wipes; NULL is fine */
static inline void vw_key_cleanup(struct vw_key **key)
{
	vw_key_close(*key);
}

/* SubjectPublicKeyInfo, DER, in the arena. */
int vw_key_public(const struct vw_key *key, struct vw_arena *arena, struct vw_bytes *out, struct vw_error *err);

/* Over SHA-256( domain ‖ a ‖ b ): `domain` keeps signatures of different purposes apart; each part is preceded by its length as a big-endian
 * u32. `b` may be empty. */
int vw_key_sign(const struct vw_key *key, const char *domain, struct vw_bytes a, struct vw_bytes b,
		uint8_t out[VW_SIGNATURE_MAX], size_t *out_len, struct vw_error *err);
/* VW_EAUTH when the signature is not this key's over this; VW_EINVAL when `public_key` is no P-256 SubjectPublicKeyInfo. */
int vw_signature_check(struct vw_bytes public_key, const char *domain, struct vw_bytes a, struct vw_bytes b,
		       struct vw_bytes signature, struct vw_error *err);

/* For mbedTLS's own calls: the mbedtls_pk_context. Borrowed. */
void *vw_key_context(const struct vw_key *key);
/* mbedTLS's f_rng, from the kernel's generator; `unused` is its p_rng, NULL. */
int vw_key_random(void *unused, unsigned char *out, size_t len);

#endif
