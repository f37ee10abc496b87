/* VerifyWise's tokens. A first byte that is odd signs the rest, so that what comes behind the signature is reached too. */
#include "principal.h"

#include "base/digest.h"
#include "base/text.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "the-key"
#define NOW INT64_C(1795500000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *encode(struct vw_arena *arena, const void *bytes, size_t len)
{
	size_t room = sodium_base64_encoded_len(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *out = vw_arena_alloc(arena, room);
	return sodium_bin2base64(out, room, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* Header and claims are what is before and behind a line's end. */
static const char *sign(struct vw_arena *arena, const uint8_t *data, size_t size)
{
	uint8_t mac[VW_SHA256_SIZE];
	const uint8_t *end = memchr(data, '\n', size);
	size_t header = end ? (size_t)(end - data) : 0, claims = end ? header + 1 : 0;
	char *text =
	    vw_arena_printf(arena, "%s.%s", encode(arena, data, header), encode(arena, data + claims, size - claims));
	vw_hmac_sha256(KEY, strlen(KEY), text, strlen(text), mac);
	return vw_arena_printf(arena, "%s.%s", text, encode(arena, mac, sizeof(mac)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_principal who;
	if (size == 0 || size > 4096)
		return 0;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_secret *secret = vw_secret_open(KEY, strlen(KEY));
	const char *text =
	    data[0] & 1 ? sign(arena, data + 1, size - 1) : vw_arena_strndup(arena, (const char *)data + 1, size - 1);
	int code = principal_of_jwt(text, strlen(text), secret, NOW, arena, &who, &err);
	if (code == 0 && (who.organization < 1 || who.expires_at <= NOW || !who.name[0] ||
			  !vw_utf8_valid(who.name, strlen(who.name)) || strlen(who.name) >= sizeof(who.name) - 1 ||
			  (who.role != VW_ROLE_ADMIN && who.role != VW_ROLE_AUDITOR)))
		abort();
	if (code != 0 && code != VW_EAUTH && code != VW_EFORBIDDEN)
		abort();
	vw_secret_close(secret);
	return 0;
}
