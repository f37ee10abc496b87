#include "fleet/token.h"

#include "base/digest.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SECRET_TEXT 43 /* 32 bytes in base64url without padding */
#define BASE64      sodium_base64_VARIANT_URLSAFE_NO_PADDING

static const char *const prefixes[] = {[VW_TOKEN_ENROLLMENT] = "vwt1.", [VW_TOKEN_USER] = "vwu1."};

void vw_token_make(enum vw_token_kind kind, const uint8_t pin[32], struct vw_token *out)
{
	uint8_t id[(VW_TOKEN_ID_MAX - 1) / 2];
	memset(out, 0, sizeof(*out));
	out->kind = kind;
	vw_random_bytes(id, sizeof(id));
	vw_hex_encode(id, sizeof(id), out->public_id);
	vw_random_bytes(out->secret, sizeof(out->secret));
	if (pin)
		memcpy(out->pin, pin, sizeof(out->pin));
}

int vw_token_print(const struct vw_token *token, struct vw_secret **out, struct vw_error *err)
{
	char line[VW_TOKEN_MAX], secret[SECRET_TEXT + 1], pin[SECRET_TEXT + 1];
	sodium_bin2base64(secret, sizeof(secret), token->secret, sizeof(token->secret), BASE64);
	sodium_bin2base64(pin, sizeof(pin), token->pin, sizeof(token->pin), BASE64);
	bool pinned = token->kind == VW_TOKEN_ENROLLMENT;
	snprintf(line, sizeof(line), "%s%s.%s%s%s", prefixes[token->kind], token->public_id, secret,
		 pinned ? "." : "", pinned ? pin : "");
	struct vw_secret *printed = vw_secret_open(line, strlen(line));
	vw_wipe(line, sizeof(line));
	vw_wipe(secret, sizeof(secret));
	if (!printed)
		return vw_error_set(err, VW_ENOMEM, "no memory for a token");
	*out = printed;
	return 0;
}

/* Exactly 32 bytes in their one spelling. Encoded anew and compared, since libsodium reads some bytes that are in no alphabet. */
static bool decode(const char *text, uint8_t out[32])
{
	size_t len = 0;
	char again[SECRET_TEXT + 1];
	if (sodium_base642bin(out, 32, text, SECRET_TEXT, NULL, &len, NULL, BASE64) != 0 || len != 32)
		return false;
	sodium_bin2base64(again, sizeof(again), out, 32, BASE64);
	bool same = sodium_memcmp(again, text, SECRET_TEXT) == 0;
	vw_wipe(again, sizeof(again));
	return same;
}

static bool parse_id(const char *text, char out[VW_TOKEN_ID_MAX])
{
	for (size_t i = 0; i < VW_TOKEN_ID_MAX - 1; i++) {
		if (vw_hex_value(text[i]) < 0 || (text[i] >= 'A' && text[i] <= 'F'))
			return false;
	}
	memcpy(out, text, VW_TOKEN_ID_MAX - 1);
	out[VW_TOKEN_ID_MAX - 1] = '\0';
	return true;
}

static bool parse_parts(const char *text, size_t len, struct vw_token *token)
{
	const size_t id = strlen(prefixes[VW_TOKEN_USER]), secret = id + VW_TOKEN_ID_MAX,
		     pin = secret + SECRET_TEXT + 1;
	bool pinned = token->kind == VW_TOKEN_ENROLLMENT;
	if (len != (pinned ? pin + SECRET_TEXT : pin - 1) || text[secret - 1] != '.' ||
	    (pinned && text[pin - 1] != '.'))
		return false;
	return parse_id(text + id, token->public_id) && decode(text + secret, token->secret) &&
	       (!pinned || decode(text + pin, token->pin));
}

int vw_token_parse(const char *text, size_t len, struct vw_token *out, struct vw_error *err)
{
	struct vw_token token = {0};
	size_t prefix = strlen(prefixes[VW_TOKEN_USER]);
	bool is_user = len > prefix && memcmp(text, prefixes[VW_TOKEN_USER], prefix) == 0;
	bool is_enrollment = len > prefix && memcmp(text, prefixes[VW_TOKEN_ENROLLMENT], prefix) == 0;
	if (!is_user && !is_enrollment)
		return vw_error_set(err, VW_EINVAL,
				    "this is no token: one begins with vwt1. (enrolment) or vwu1. (user)");
	token.kind = is_user ? VW_TOKEN_USER : VW_TOKEN_ENROLLMENT;
	bool whole = parse_parts(text, len, &token);
	if (whole)
		*out = token;
	vw_token_wipe(&token);
	if (!whole)
		return vw_error_set(err, VW_EINVAL,
				    "the %s token is not as it was printed: cut off, or changed on its way",
				    is_user ? "user" : "enrolment");
	return 0;
}

void vw_token_wipe(struct vw_token *token)
{
	vw_wipe(token, sizeof(*token));
}

void vw_token_digest(const struct vw_token *token, uint8_t out[32])
{
	vw_sha256_of(token->secret, sizeof(token->secret), out);
}

bool vw_token_matches(const struct vw_token *token, const uint8_t digest[32])
{
	uint8_t own[VW_SHA256_SIZE];
	vw_token_digest(token, own);
	return sodium_memcmp(own, digest, sizeof(own)) == 0;
}
