/* digest.h: SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104), hex, base64 and random bytes.
 *
 * The arithmetic is nettle's; it is several times faster here than mbedTLS's. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VW_SHA256_SIZE 32                       /* bytes */
#define VW_SHA256_HEX  (2 * VW_SHA256_SIZE + 1) /* with the terminating zero */

struct vw_sha256 {
	struct sha256_ctx ctx;
};

void vw_sha256_init(struct vw_sha256 *sha);
void vw_sha256_update(struct vw_sha256 *sha, const void *bytes, size_t len);
/* Writes the digest and starts anew. */
void vw_sha256_final(struct vw_sha256 *sha, uint8_t out[VW_SHA256_SIZE]);
void vw_sha256_of(const void *bytes, size_t len, uint8_t out[VW_SHA256_SIZE]);
void vw_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len, uint8_t out[VW_SHA256_SIZE]);

/* Lower-case hex with a terminating zero: out holds 2 * len + 1 bytes. Returns `out`. */
char *vw_hex_encode(const void *bytes, size_t len, char *out);
/* The value of one hex digit, either case; -1 for anything else. */
int vw_hex_value(char c);
/* Exactly 2 * len hex digits, either case; false otherwise. */
bool vw_hex_decode(const char *text, uint8_t *out, size_t len);
/* Standard alphabet with padding (RFC 4648 section 4): out holds 4 * ((len + 2) / 3) + 1 bytes. */
char *vw_base64_encode(const void *bytes, size_t len, char *out);

/* From the kernel's generator; aborts if it has none, for there is nothing sensible to do then. */
void vw_random_bytes(void *out, size_t len);
/* A random UUID (version 4, RFC 9562) as text. Returns `out`. */
#define VW_UUID_TEXT 37
char *vw_random_uuid(char out[VW_UUID_TEXT]);

#endif
