#include "pace.h"

#include "base/digest.h"

#define BACKOFF_FIRST_MS 250
#define BACKOFF_MAX_MS   30000

void vw_bucket_init(struct vw_bucket *bucket, double rate, int size, int64_t now)
{
	*bucket = (struct vw_bucket){.tokens = size, .rate = rate, .size = size, .at = now};
}

int64_t vw_bucket_take(struct vw_bucket *bucket, int64_t now)
{
	if (now > bucket->at) {
		bucket->tokens += (double)(now - bucket->at) * bucket->rate / 1000;
		if (bucket->tokens > bucket->size)
			bucket->tokens = bucket->size;
		bucket->at = now;
	}
	if (bucket->tokens >= 1) {
		bucket->tokens -= 1;
		return 0;
	}
	return (int64_t)((1 - bucket->tokens) * 1000 / bucket->rate) + 1;
}

static int64_t random_up_to(int64_t limit)
{
	uint32_t random;
	vw_random_bytes(&random, sizeof(random));
	return (int64_t)(random % (uint64_t)(limit + 1));
}

int64_t vw_backoff_ms(int tries, int64_t retry_after_ms)
{
	int64_t longest = BACKOFF_MAX_MS;
	if (tries < 8 && ((int64_t)BACKOFF_FIRST_MS << (tries - 1)) < longest)
		longest = (int64_t)BACKOFF_FIRST_MS << (tries - 1);
	int64_t wait = longest / 2 + random_up_to(longest / 2);
	return retry_after_ms > 0 ? retry_after_ms + wait / 4 : wait;
}
