/* quota.h: how many long answers (exports, verifications, event streams) there may be at a time, of all and of one organization: each holds a thread, and some a
 * processor. Safe for threads. */
#ifndef API_QUOTA_H
#define API_QUOTA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define QUOTA_MOST 512 /* of all, at most */

struct quota {
	pthread_mutex_t lock;
	int of_all, of_one;
	int count;
	int32_t taken[QUOTA_MOST]; /* organizations, one for each that is under way */
};

/* `of_all` is at most QUOTA_MOST. */
void quota_init(struct quota *quota, int of_all, int of_one);
void quota_reset(struct quota *quota);
/* False: there are too many. */
bool quota_enter(struct quota *quota, int32_t organization);
void quota_leave(struct quota *quota, int32_t organization);

#endif
