/* pace.h: how fast requests may go out, and how long to wait before trying one again. */
#ifndef MLFLOW_PACE_H
#define MLFLOW_PACE_H

#include <stdint.h>

/* A token bucket: `size` requests at once, `rate` a second in the long run. Times are monotonic milliseconds. */
struct vw_bucket {
	double tokens;
	double rate;
	double size;
	int64_t at; /* when `tokens` was right */
};
void vw_bucket_init(struct vw_bucket *bucket, double rate, int size, int64_t now);
/* Takes a token and gives 0, or takes none and gives the milliseconds until there is one. */
int64_t vw_bucket_take(struct vw_bucket *bucket, int64_t now);

/* Before try number `tries` + 1: doubles from 250 ms to 30 s, its second half at random, so that agents that failed together do not
 * come back together. `retry_after_ms` (0: none) is the least. */
int64_t vw_backoff_ms(int tries, int64_t retry_after_ms);

#endif
