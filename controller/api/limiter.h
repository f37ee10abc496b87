/* limiter.h: how often somebody may ask: a token bucket for each principal or peer, of the last LIMITER_SLOTS that asked. Safe for threads. */
#ifndef API_LIMITER_H
#define API_LIMITER_H

#include "base/error.h"

#include <stdint.h>

struct vw_api_limiter;
int limiter_open(double per_second, int burst, struct vw_api_limiter **out, struct vw_error *err);
void limiter_close(struct vw_api_limiter *limiter); /* NULL is fine */
/* 0: go on; else seconds to wait, at least 1. `key` names the principal, or the peer's address when there is none. */
int limiter_take(struct vw_api_limiter *limiter, const char *key, int64_t monotonic);

#endif
