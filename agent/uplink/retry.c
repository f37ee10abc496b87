#include "retry.h"

#include <limits.h>

int64_t vw_retry_after_failure(struct vw_retry *retry, double random)
{
	int64_t cap = VW_RETRY_BASE_MS;
	for (unsigned i = 0; i < retry->failures && cap < VW_RETRY_CAP_MS; i++)
		cap *= 2;
	if (cap > VW_RETRY_CAP_MS)
		cap = VW_RETRY_CAP_MS;
	if (retry->failures < UINT_MAX)
		retry->failures++;
	int64_t delay = (int64_t)((double)cap * random);
	return delay > VW_RETRY_MIN_MS ? delay : VW_RETRY_MIN_MS;
}

void vw_retry_reset(struct vw_retry *retry)
{
	retry->failures = 0;
}

int64_t vw_retry_after_refusal(double random)
{
	return VW_RETRY_SLOW_MIN_MS + (int64_t)((VW_RETRY_SLOW_MAX_MS - VW_RETRY_SLOW_MIN_MS) * random);
}

int64_t vw_retry_after_request(int64_t asked_ms, double random)
{
	if (asked_ms < 0)
		asked_ms = 0;
	if (asked_ms > VW_RETRY_ASKED_MAX_MS)
		asked_ms = VW_RETRY_ASKED_MAX_MS;
	return asked_ms + (int64_t)((double)asked_ms * random / 2);
}
