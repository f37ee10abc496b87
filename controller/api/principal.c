#include "principal.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "fleet/token.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define JWT_MAX   8192
#define EMAIL_MAX 254 /* bytes, RFC 5321, 4.5.3.1.3 less the brackets */
#define REFUSED   "the Authorization header has no valid Bearer token"

static int refuse(struct vw_error *err)
{
	return vw_error_set(err, VW_EAUTH, REFUSED);
}

/* ---- tokens of ours ---- */

static bool is_over(const vw_user *user, int64_t now)
{
	return user->has_revoked_at || (user->has_expires_at && user->expires_at <= now);
}

static void name_user(const vw_user *user, struct vw_principal *out)
{
	memset(out, 0, sizeof(*out));
	out->organization = user->organization;
	out->role = user->role;
	out->expires_at = user->has_expires_at ? user->expires_at : 0;
	snprintf(out->user, sizeof(out->user), "%s", user->public_id);
	/* two users may have one name */
	snprintf(out->name, sizeof(out->name), "user:%s:%s", user->name ? user->name : "", user->public_id);
}

static int of_token(struct visit *v, const char *text, struct vw_error *err)
{
	static const uint8_t nothing[32];
	struct vw_token token;
	vw_user *user = NULL;
	if (vw_token_parse(text, strlen(text), &token, err) < 0)
		return refuse(err);
	int code = token.kind == VW_TOKEN_USER
		       ? vw_fleet_user_get(v->api->settings.store, v->arena, token.public_id, &user, err)
		       : VW_ENOTFOUND;
	bool known = code == 0 && user->secret_sha256.len == sizeof(nothing);
	bool matches = vw_token_matches(&token, known ? user->secret_sha256.data : nothing) && known;
	vw_token_wipe(&token);
	if (code < 0 && code != VW_ENOTFOUND)
		return code;
	if (!matches || is_over(user, v->now))
		return refuse(err);
	name_user(user, &v->who);
	return 0;
}

/* ---- VerifyWise's ---- */

/* RFC 7515: base64url without padding, in its one spelling; NULL for anything else. In constant time. */
static uint8_t *base64url_decode(struct vw_arena *arena, const char *text, size_t len, size_t *out_len)
{
	const char *end = NULL;
	uint8_t *out = vw_arena_alloc(arena, len + 1);
	bool whole = out && sodium_base642bin(out, len + 1, text, len, NULL, out_len, &end,
					      sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
	return whole && end == text + len ? out : NULL;
}

/* RFC 7519: seconds, and where they are there they count. */
static bool time_fits(const json_t *claims, int64_t now)
{
	const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
	if ((exp && !json_is_number(exp)) || (nbf && !json_is_number(nbf)))
		return false;
	double seconds = (double)now / 1000;
	return !(exp && json_number_value(exp) <= seconds) && !(nbf && json_number_value(nbf) > seconds);
}

static int take_claims(const json_t *claims, int64_t now, struct vw_principal *out, struct vw_error *err)
{
	const char *role = json_string_value(json_object_get(claims, "roleName"));
	const char *email = json_string_value(json_object_get(claims, "email"));
	const json_t *organization = json_object_get(claims, "organizationId");
	const json_t *expire = json_object_get(claims, "expire");
	if (!role || !email || strlen(email) > EMAIL_MAX || !json_is_integer(organization) ||
	    json_integer_value(organization) < 1 || json_integer_value(organization) > INT32_MAX ||
	    !json_is_integer(expire) || json_integer_value(expire) <= now || !time_fits(claims, now))
		return refuse(err);
	bool admin = strcmp(role, "Admin") == 0;
	if (!admin && strcmp(role, "Auditor") != 0)
		return vw_error_set(err, VW_EFORBIDDEN,
				    "VerifyWise's role %.40s may not use this interface; Admin and Auditor may",
				    role);
	memset(out, 0, sizeof(*out));
	out->organization = (int32_t)json_integer_value(organization);
	out->role = admin ? VW_ROLE_ADMIN : VW_ROLE_AUDITOR;
	out->expires_at = json_integer_value(expire);
	snprintf(out->name, sizeof(out->name), "verifywise:%s", email);
	return 0;
}

/* Of what our own key signed: still taken apart with care, since others sign with that key too. */
static int parse_part(struct vw_arena *arena, const char *text, size_t len, json_t **out, struct vw_error *err)
{
	size_t size;
	uint8_t *bytes = base64url_decode(arena, text, len, &size);
	if (!bytes || vw_json_parse((const char *)bytes, size, "token", out, err) < 0 || !json_is_object(*out))
		return refuse(err);
	return 0;
}

static bool signature_fits(const char *text, size_t signed_len, const char *signature, size_t signature_len,
			   const struct vw_secret *secret, struct vw_arena *arena)
{
	uint8_t mac[VW_SHA256_SIZE];
	size_t len;
	const uint8_t *given = base64url_decode(arena, signature, signature_len, &len);
	vw_hmac_sha256(vw_secret_text(secret), vw_secret_length(secret), text, signed_len, mac);
	return given && len == sizeof(mac) && sodium_memcmp(mac, given, sizeof(mac)) == 0;
}

int principal_of_jwt(const char *text, size_t len, const struct vw_secret *secret, int64_t now,
		     struct vw_arena *arena, struct vw_principal *out, struct vw_error *err)
{
	json_t *header VW_AUTO(vw_json_cleanup) = NULL;
	json_t *claims VW_AUTO(vw_json_cleanup) = NULL;
	const char *first = memchr(text, '.', len);
	const char *second = first ? memchr(first + 1, '.', len - (size_t)(first + 1 - text)) : NULL;
	if (!secret || len > JWT_MAX || !second)
		return refuse(err);
	size_t signed_len = (size_t)(second - text);
	if (!signature_fits(text, signed_len, second + 1, len - signed_len - 1, secret, arena))
		return refuse(err);
	int code = parse_part(arena, text, (size_t)(first - text), &header, err);
	if (code == 0)
		code = parse_part(arena, first + 1, (size_t)(second - first - 1), &claims, err);
	if (code < 0)
		return code;
	const char *algorithm = json_string_value(json_object_get(header, "alg"));
	/* RFC 7515, 4.1.11: what must be understood is not */
	if (!algorithm || strcmp(algorithm, "HS256") != 0 || json_object_get(header, "crit"))
		return refuse(err);
	return take_claims(claims, now, out, err);
}

/* ---- either ---- */

int principal_find(struct visit *v, struct vw_error *err)
{
	static const char scheme[] = "Bearer ";
	if (v->request->local) {
		v->who = *v->request->local;
		return 0;
	}
	const char *header = v->request->header("Authorization", v->request->arg);
	if (!header || strncasecmp(header, scheme, sizeof(scheme) - 1) != 0)
		return refuse(err);
	const char *token = header + sizeof(scheme) - 1;
	if (strncmp(token, "vwu1.", 5) == 0)
		return of_token(v, token, err);
	return principal_of_jwt(token, strlen(token), v->api->settings.jwt_secret, v->now, v->arena, &v->who, err);
}

int principal_look_again(struct vw_fleet_store *store, const struct vw_principal *who, int64_t now,
			 struct vw_error *err)
{
	vw_user *user;
	if (who->expires_at && who->expires_at <= now)
		return refuse(err);
	if (!who->user[0])
		return 0;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a user");
	int code = vw_fleet_user_get(store, arena, who->user, &user, err);
	if (code == VW_ENOTFOUND || (code == 0 && is_over(user, now)))
		return refuse(err);
	return code;
}
