/* enroll.h: what the HTTPS listener answers to agents that have no certificate yet, or an old one. Bodies in, bodies out: no HTTP in here.
 *
 * Every refusal is a typed Rejection in an EnrollResponse. Tokens' refusals are one and the same, in words and in time. */
#ifndef IDENTITY_ENROLL_H
#define IDENTITY_ENROLL_H

#include "fleet/token.h"
#include "identity/authority.h"
#include "store/store.h"

struct vw_enroller {
	struct vw_fleet_store *store;
	struct vw_authority *authority;
	const char *session_endpoint; /* host:port that agents are told */
};

/* Packed EnrollRequest in, packed EnrollResponse out, in the arena. Negative: only what is not the request's fault (the store is away): then nothing was used up. */
int vw_enroll(const struct vw_enroller *enroller, struct vw_bytes request, const char *peer, int64_t now,
	      struct vw_arena *arena, struct vw_bytes *out_response, struct vw_error *err);
/* Packed RenewRequest in, packed EnrollResponse out. Also for a certificate that has expired; not for a revoked agent. */
int vw_enroll_renew(const struct vw_enroller *enroller, struct vw_bytes request, const char *peer, int64_t now,
		    struct vw_arena *arena, struct vw_bytes *out_response, struct vw_error *err);

/* Makes a token of an organization, stores its hash, and gives the line to print. */
int vw_enroll_token(const struct vw_enroller *enroller, int32_t organization, const char *label, int64_t expires_at,
		    uint32_t uses, const char *by, int64_t now, struct vw_secret **out_line,
		    char out_public_id[VW_TOKEN_ID_MAX], struct vw_error *err);

#endif
