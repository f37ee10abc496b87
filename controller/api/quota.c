#include "quota.h"

void quota_init(struct quota *quota, int of_all, int of_one)
{
	pthread_mutex_init(&quota->lock, NULL);
	quota->of_all = of_all < QUOTA_MOST ? of_all : QUOTA_MOST;
	quota->of_one = of_one;
	quota->count = 0;
}

void quota_reset(struct quota *quota)
{
	pthread_mutex_destroy(&quota->lock);
}

bool quota_enter(struct quota *quota, int32_t organization)
{
	int own = 0;
	pthread_mutex_lock(&quota->lock);
	for (int i = 0; i < quota->count; i++)
		own += quota->taken[i] == organization;
	bool free = quota->count < quota->of_all && own < quota->of_one;
	if (free)
		quota->taken[quota->count++] = organization;
	pthread_mutex_unlock(&quota->lock);
	return free;
}

void quota_leave(struct quota *quota, int32_t organization)
{
	pthread_mutex_lock(&quota->lock);
	for (int i = 0; i < quota->count; i++) {
		if (quota->taken[i] != organization)
			continue;
		quota->taken[i] = quota->taken[--quota->count];
		break;
	}
	pthread_mutex_unlock(&quota->lock);
}
