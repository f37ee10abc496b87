#include "guests.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define LOOK_S 1

struct guest {
	struct guest *before, *after;
	void *host;
	int fd;
	_Atomic int64_t until; /* monotonic; 0: as long as it takes */
};

struct guests {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	pthread_t thread;
	bool over;
	void *host;
	struct guest list; /* a ring: this one is no guest */
};

static void show_out(const struct guests *guests, int64_t now)
{
	for (const struct guest *guest = guests->list.after; guest != &guests->list; guest = guest->after)
		if (guest->until != 0 && guest->until <= now)
			shutdown(guest->fd, SHUT_RDWR);
}

static void *watch(void *arg)
{
	struct guests *guests = arg;
	struct timespec next;
	pthread_mutex_lock(&guests->lock);
	while (!guests->over) {
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_sec += LOOK_S;
		pthread_cond_timedwait(&guests->ended, &guests->lock, &next);
		show_out(guests, vw_clock_monotonic());
	}
	pthread_mutex_unlock(&guests->lock);
	return NULL;
}

int guests_open(void *host, struct guests **out, struct vw_error *err)
{
	pthread_condattr_t attributes;
	struct guests *guests = calloc(1, sizeof(*guests));
	if (!guests)
		return vw_error_set(err, VW_ENOMEM, "no memory for a listener");
	guests->host = host;
	guests->list.before = guests->list.after = &guests->list;
	pthread_mutex_init(&guests->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&guests->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	if (pthread_create(&guests->thread, NULL, watch, guests) != 0) {
		pthread_cond_destroy(&guests->ended);
		pthread_mutex_destroy(&guests->lock);
		free(guests);
		return vw_error_set(err, VW_EAGAIN, "cannot start a thread for a listener");
	}
	*out = guests;
	return 0;
}

void guests_close(struct guests *guests)
{
	if (!guests)
		return;
	pthread_mutex_lock(&guests->lock);
	guests->over = true;
	pthread_cond_signal(&guests->ended);
	pthread_mutex_unlock(&guests->lock);
	pthread_join(guests->thread, NULL);
	pthread_cond_destroy(&guests->ended);
	pthread_mutex_destroy(&guests->lock);
	free(guests);
}

struct guest *guest_enter(struct guests *guests, int fd, int64_t within_ms)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	if (!guest)
		return NULL;
	guest->host = guests->host;
	guest->fd = fd;
	guest_allow(guest, within_ms);
	pthread_mutex_lock(&guests->lock);
	guest->before = guests->list.before;
	guest->after = &guests->list;
	guest->before->after = guest->after->before = guest;
	pthread_mutex_unlock(&guests->lock);
	return guest;
}

void guest_leave(struct guests *guests, struct guest *guest)
{
	pthread_mutex_lock(&guests->lock);
	guest->before->after = guest->after;
	guest->after->before = guest->before;
	pthread_mutex_unlock(&guests->lock);
	free(guest);
}

void *guest_host(const struct guest *guest)
{
	return guest->host;
}

void guest_allow(struct guest *guest, int64_t within_ms)
{
	if (guest)
		guest->until = within_ms ? vw_clock_monotonic() + within_ms : 0;
}
