#include "base/digest.h"

#include "base/secret.h"

#include <errno.h>
#include <nettle/base16.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

_Static_assert(VW_SHA256_SIZE == SHA256_DIGEST_SIZE, "one digest size");

void vw_sha256_init(struct vw_sha256 *sha)
{
	sha256_init(&sha->ctx);
}

void vw_sha256_update(struct vw_sha256 *sha, const void *bytes, size_t len)
{
	if (len)
		sha256_update(&sha->ctx, len, bytes);
}

void vw_sha256_final(struct vw_sha256 *sha, uint8_t out[VW_SHA256_SIZE])
{
	sha256_digest(&sha->ctx, VW_SHA256_SIZE, out);
}

void vw_sha256_of(const void *bytes, size_t len, uint8_t out[VW_SHA256_SIZE])
{
	struct vw_sha256 sha;
	vw_sha256_init(&sha);
	vw_sha256_update(&sha, bytes, len);
	vw_sha256_final(&sha, out);
}

void vw_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len, uint8_t out[VW_SHA256_SIZE])
{
	struct hmac_sha256_ctx ctx;
	/* nettle wants pointers even to nothing */
	hmac_sha256_set_key(&ctx, key_len, key_len ? key : (const void *)"");
	if (len)
		hmac_sha256_update(&ctx, len, bytes);
	hmac_sha256_digest(&ctx, VW_SHA256_SIZE, out);
	vw_wipe(&ctx, sizeof(ctx));
}

char *vw_hex_encode(const void *bytes, size_t len, char *out)
{
	if (len)
		base16_encode_update(out, len, bytes);
	out[2 * len] = '\0';
	return out;
}

int vw_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool vw_hex_decode(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < 2 * len; i++) {
		if (vw_hex_value(text[i]) < 0)
			return false;
	}
	if (text[2 * len])
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(vw_hex_value(text[2 * i]) * 16 + vw_hex_value(text[2 * i + 1]));
	return true;
}

char *vw_base64_encode(const void *bytes, size_t len, char *out)
{
	if (len)
		base64_encode_raw(out, len, bytes);
	out[BASE64_ENCODE_RAW_LENGTH(len)] = '\0';
	return out;
}

void vw_random_bytes(void *out, size_t len)
{
	unsigned char *p = out;
	while (len) {
		ssize_t n = getrandom(p, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort();
		p += n;
		len -= (size_t)n;
	}
}

char *vw_random_uuid(char out[VW_UUID_TEXT])
{
	uint8_t b[16];
	char hex[2 * sizeof(b) + 1];
	vw_random_bytes(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0F) | 0x40); /* version 4 */
	b[8] = (uint8_t)((b[8] & 0x3F) | 0x80); /* RFC 9562's variant */
	vw_hex_encode(b, sizeof(b), hex);
	snprintf(out, VW_UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return out;
}
