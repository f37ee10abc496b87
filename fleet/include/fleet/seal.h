/* seal.h: secrets that only one agent can open: libsodium's sealed boxes (crypto_box_seal: X25519, XSalsa20-Poly1305). */
#ifndef FLEET_SEAL_H
#define FLEET_SEAL_H

#include "base/arena.h"
#include "base/error.h"
#include "base/secret.h"
#include "storage/kv.h" /* struct vw_bytes */

#include <stdint.h>

#define VW_SEALING_KEY 32 /* bytes */

struct vw_sealing_key; /* a key pair of X25519 */

int vw_sealing_key_generate(struct vw_sealing_key **out, struct vw_error *err);
/* A file of mode 0600 with the private key in base64. Errors as vw_key_read(). */
int vw_sealing_key_read(const char *path, struct vw_sealing_key **out, struct vw_error *err);
int vw_sealing_key_write(const struct vw_sealing_key *key, const char *path, struct vw_error *err);
void vw_sealing_key_close(struct vw_sealing_key *key); /* wipes; NULL is fine */
const uint8_t *vw_sealing_key_public(const struct vw_sealing_key *key);

/* In the arena. */
int vw_seal(const uint8_t public_key[VW_SEALING_KEY], const struct vw_secret *secret, struct vw_arena *arena,
	    struct vw_bytes *out, struct vw_error *err);
/* VW_EAUTH: not sealed to this key, or changed on its way. */
int vw_seal_open(const struct vw_sealing_key *key, struct vw_bytes sealed, struct vw_secret **out,
		 struct vw_error *err);

#endif
