/* principal.h: whose request it is: a Bearer token of ours (fleet/token.h) or VerifyWise's JWT. */
#ifndef API_PRINCIPAL_H
#define API_PRINCIPAL_H

#include "visit.h"

/* From the Authorization header. VW_EAUTH, in one and the same words whatever is wrong; VW_EFORBIDDEN for a role of VerifyWise's that may not come in. */
int principal_find(struct visit *v, struct vw_error *err);

/* VerifyWise's token: HS256, {id, email, roleName, organizationId, expire (ms)}. Only "HS256" is taken as algorithm; `exp` and `nbf` (seconds) count where
 * they are there. Pure. */
int principal_of_jwt(const char *text, size_t len, const struct vw_secret *secret, int64_t now,
		     struct vw_arena *arena, struct vw_principal *out, struct vw_error *err);

/* Of a stream that is open: whether the principal might still begin one. VW_EAUTH; another error when it cannot be said now. */
int principal_look_again(struct vw_fleet_store *store, const struct vw_principal *who, int64_t now,
			 struct vw_error *err);

#endif
