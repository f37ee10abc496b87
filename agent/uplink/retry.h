/* retry.h: when to try again. Pure: the caller gives the random number and the clock is not looked at. */
#ifndef UPLINK_RETRY_H
#define UPLINK_RETRY_H

#include <stdint.h>

#define VW_RETRY_BASE_MS 1000
#define VW_RETRY_CAP_MS  (5 * 60 * 1000)
#define VW_RETRY_MIN_MS  50 /* a fleet that lost its controller doesn't come back in the same instant */

/* After a refusal that only a person can lift: between these. */
#define VW_RETRY_SLOW_MIN_MS (2 * 60 * 1000)
#define VW_RETRY_SLOW_MAX_MS (5 * 60 * 1000)
/* What a peer asks for is followed up to here. */
#define VW_RETRY_ASKED_MAX_MS (60 * 60 * 1000)

/* Failures in a row; zeroed: none. */
struct vw_retry {
	unsigned failures;
};

/* Counts a failure. Full jitter (M. Brooker, "Exponential Backoff And Jitter", 2015): anything from nothing to the cap that doubles with each failure, at
 * least VW_RETRY_MIN_MS. `random` is from 0 to 1, without 1. */
int64_t vw_retry_after_failure(struct vw_retry *retry, double random);
/* The stream was of use. */
void vw_retry_reset(struct vw_retry *retry);

int64_t vw_retry_after_refusal(double random);
/* At least what was asked, and up to half as much more, so that not all who were asked the same come at once. */
int64_t vw_retry_after_request(int64_t asked_ms, double random);

#endif
