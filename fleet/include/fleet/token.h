/* token.h: the one line that an operator hands to whoever installs an agent, and Bearer tokens of the REST interface.
 *
 *	vwt1.<public id, 16 hex>.<secret, 43 base64url>.<pin, 43 base64url>      enrolment
 *	vwu1.<public id, 16 hex>.<secret, 43 base64url>                          a user of the REST interface
 *
 * The secret is 32 random bytes; only its SHA-256 is stored. The pin is the SHA-256 of the CA certificate (DER): with it the agent knows the
 * controller before it has met it. */
#ifndef FLEET_TOKEN_H
#define FLEET_TOKEN_H

#include "base/error.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>

#define VW_TOKEN_ID_MAX 17  /* with the terminating zero */
#define VW_TOKEN_MAX    128 /* the whole line, with the terminating zero */

enum vw_token_kind { VW_TOKEN_ENROLLMENT, VW_TOKEN_USER };

struct vw_token {
	enum vw_token_kind kind;
	char public_id[VW_TOKEN_ID_MAX];
	uint8_t secret[32];
	uint8_t pin[32]; /* of enrolment */
};

/* New public id and secret; `pin` may be NULL for a user's. */
void vw_token_make(enum vw_token_kind kind, const uint8_t pin[32], struct vw_token *out);
/* As a secret, for the caller to print once. */
int vw_token_print(const struct vw_token *token, struct vw_secret **out, struct vw_error *err);
/* VW_EINVAL without a word of the token itself. */
int vw_token_parse(const char *text, size_t len, struct vw_token *out, struct vw_error *err);
void vw_token_wipe(struct vw_token *token);
/* What is stored of the secret, and the comparison in constant time. */
void vw_token_digest(const struct vw_token *token, uint8_t out[32]);
bool vw_token_matches(const struct vw_token *token, const uint8_t digest[32]);

#endif
