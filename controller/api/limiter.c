#include "limiter.h"

#include "base/digest.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LIMITER_SLOTS 4096

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
		wait = (int)ceil((1 - bucket->tokens) / limiter->per_ms / 1000);
	pthread_mutex_unlock(&limiter->lock);
	return wait;
}
