#include "principal.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"
#include "fleet/token.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define JWT_MAX       8192
#define LIMITER_SLOTS 4096
#define REFUSED       "the Authorization header has no valid Bearer token"

static int refuse(struct vw_error *err)
{
	return vw_error_set(err, VW_EAUTH, REFUSED);
}

/* ---- tokens of ours ---- */

static int of_token(struct visit *v, const char *text, struct vw_error *err)
{
	static const uint8_t nothing[32];
	struct vw_token token;
	vw_user *user = NULL;
	if (vw_token_parse(text, strlen(text), &token, err) < 0 || token.kind != VW_TOKEN_USER)
		return refuse(err);
	int code = vw_fleet_user_get(v->api->settings.store, v->arena, token.public_id, &user, err);
	bool known = code == 0 && user->secret_sha256.len == 32;
	bool matches = vw_token_matches(&token, known ? user->secret_sha256.data : nothing) && known;
	vw_token_wipe(&token);
	if (code < 0 && code != VW_ENOTFOUND)
		return code;
	if (!matches || user->has_revoked_at || (user->has_expires_at && user->expires_at <= v->now))
		return refuse(err);
	v->who.organization = user->organization;
	v->who.role = user->role;
	snprintf(v->who.name, sizeof(v->who.name), "user:%s", user->name ? user->name : user->public_id);
	return 0;
}

/* ---- VerifyWise's ---- */

static int base64url_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* RFC 7515: without padding; NULL for anything else. */
static uint8_t *base64url_decode(struct vw_arena *arena, const char *text, size_t len, size_t *out_len)
{
	uint8_t *out = vw_arena_alloc(arena, len + 1);
	uint32_t bits = 0;
	int count = 0;
	size_t at = 0;
	for (size_t i = 0; out && i < len; i++) {
		int value = base64url_value(text[i]);
		if (value < 0)
			return NULL;
		bits = (bits << 6 | (uint32_t)value) & 0xffffff;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[at++] = (uint8_t)(bits >> count);
		}
	}
	*out_len = at;
	return len % 4 == 1 ? NULL : out;
}

static int take_claims(const json_t *claims, int64_t now, struct vw_principal *out, struct vw_error *err)
{
	const char *role = json_string_value(json_object_get(claims, "roleName"));
	const char *email = json_string_value(json_object_get(claims, "email"));
	int64_t organization, expire;
	if (!role || !email || !vw_json_int64(claims, "organizationId", &organization) ||
	    !vw_json_int64(claims, "expire", &expire) || organization < 1 || organization > INT32_MAX ||
	    expire <= now)
		return refuse(err);
	if (strcmp(role, "Admin") != 0 && strcmp(role, "Auditor") != 0)
		return vw_error_set(err, VW_EFORBIDDEN,
				    "VerifyWise's role %.40s may not use this interface; Admin and Auditor may",
				    role);
	out->organization = (int32_t)organization;
	out->role = strcmp(role, "Admin") == 0 ? VW_ROLE_ADMIN : VW_ROLE_AUDITOR;
	snprintf(out->name, sizeof(out->name), "verifywise:%s", email);
	return 0;
}

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
	uint8_t mac[32], difference = 0;
	size_t len;
	const uint8_t *given = base64url_decode(arena, signature, signature_len, &len);
	vw_hmac_sha256(vw_secret_text(secret), vw_secret_length(secret), text, signed_len, mac);
	if (!given || len != sizeof(mac))
		return false;
	for (size_t i = 0; i < sizeof(mac); i++)
		difference |= (uint8_t)(mac[i] ^ given[i]);
	return difference == 0;
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
	if (!algorithm || strcmp(algorithm, "HS256") != 0)
		return refuse(err);
	return take_claims(claims, now, out, err);
}

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

/* ---- how often ---- */

struct bucket {
	uint8_t key[8]; /* of the principal's SHA-256 */
	double tokens;
	int64_t at;
};

struct vw_api_limiter {
	pthread_mutex_t lock;
	double per_ms;
	int burst;
	struct bucket buckets[LIMITER_SLOTS];
};

int limiter_open(double per_second, int burst, struct vw_api_limiter **out, struct vw_error *err)
{
	struct vw_api_limiter *limiter = calloc(1, sizeof(*limiter));
	if (!limiter)
		return vw_error_set(err, VW_ENOMEM, "no memory for the interface");
	pthread_mutex_init(&limiter->lock, NULL);
	limiter->per_ms = per_second / 1000;
	limiter->burst = burst;
	*out = limiter;
	return 0;
}

void limiter_close(struct vw_api_limiter *limiter)
{
	if (!limiter)
		return;
	pthread_mutex_destroy(&limiter->lock);
	free(limiter);
}

/* Of two slots, the one that is the principal's, or else the one that was used longer ago: a flood of others cannot empty a bucket, only
 * make it full again. */
static struct bucket *find_bucket(struct vw_api_limiter *limiter, const uint8_t digest[32], int64_t now)
{
	struct bucket *a = &limiter->buckets[(digest[8] << 8 | digest[9]) % LIMITER_SLOTS];
	struct bucket *b = &limiter->buckets[(digest[10] << 8 | digest[11]) % LIMITER_SLOTS];
	if (memcmp(a->key, digest, sizeof(a->key)) == 0)
		return a;
	if (memcmp(b->key, digest, sizeof(b->key)) == 0)
		return b;
	struct bucket *bucket = a->at <= b->at ? a : b;
	memcpy(bucket->key, digest, sizeof(bucket->key));
	bucket->tokens = limiter->burst;
	bucket->at = now;
	return bucket;
}

int limiter_take(struct vw_api_limiter *limiter, const char *key, int64_t monotonic)
{
	uint8_t digest[32];
	int wait = 0;
	vw_sha256_of(key, strlen(key), digest);
	pthread_mutex_lock(&limiter->lock);
	struct bucket *bucket = find_bucket(limiter, digest, monotonic);
	bucket->tokens += (double)(monotonic - bucket->at) * limiter->per_ms;
	bucket->at = monotonic;
	if (bucket->tokens > limiter->burst)
		bucket->tokens = limiter->burst;
	if (bucket->tokens >= 1)
		bucket->tokens -= 1;
	else
		wait = 1 + (int)ceil((1 - bucket->tokens) / limiter->per_ms / 1000);
	pthread_mutex_unlock(&limiter->lock);
	return wait;
}
