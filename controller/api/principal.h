/* principal.h: whose request it is: a Bearer token of ours (fleet/token.h) or VerifyWise's JWT, and how often they may ask. */
#ifndef API_PRINCIPAL_H
#define API_PRINCIPAL_H

#include "visit.h"

/* From the Authorization header. VW_EAUTH, in one and the same words whatever is wrong; VW_EFORBIDDEN for a role of VerifyWise's that may not come in. */
int principal_find(struct visit *v, struct vw_error *err);

/* VerifyWise's token: HS256, {id, email, roleName, organizationId, expire (ms)}. Only "HS256" is taken as algorithm. Pure but for the clock in `now`. */
int principal_of_jwt(const char *text, size_t len, const struct vw_secret *secret, int64_t now,
		     struct vw_arena *arena, struct vw_principal *out, struct vw_error *err);

/* A token bucket for each principal, of the last LIMITER_SLOTS that asked. */
struct vw_api_limiter;
int limiter_open(double per_second, int burst, struct vw_api_limiter **out, struct vw_error *err);
void limiter_close(struct vw_api_limiter *limiter);
/* 0: go on; else seconds to wait. `key` names the principal, or the peer's address when there is none. */
int limiter_take(struct vw_api_limiter *limiter, const char *key, int64_t monotonic);

#endif
