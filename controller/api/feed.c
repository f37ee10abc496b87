#include "feed.h"

#include "base/clock.h"
#include "base/digest.h"
#include "principal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FEED_LENGTH   4096
#define KEEP_ALIVE_MS 15000 /* a comment, so that proxies keep the connection */
#define LOOK_AGAIN_MS 5000  /* whether the principal may still listen */
#define WAIT_MS       500   /* of one call that has nothing to say */
#define RETRY_MS      2000  /* what clients are told to wait before they come again */
#define PIECE_EVENTS  256   /* of one call: the lock is not held for more */
#define PIECE_MS      100   /* between calls: many changes come as one piece */
#define ID_TEXT       17    /* 16 hex digits, with the terminating zero */

/* Ids are random: a count would tell each tenant how much goes on at the others'. */
struct happening {
	struct vw_change change;
	uint64_t id;
};

struct vw_api_feed {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t first_id; /* of the time before the first change */
	uint64_t count;    /* of all changes so far */
	struct happening happenings[FEED_LENGTH];
};

struct feed_listener {
	struct vw_api_feed *feed;
	struct vw_fleet_store *store;
	struct vw_principal who;
	int32_t organization;
	uint64_t seen;
	bool greeted, missed;
	int64_t said_at, looked_at, called_at; /* monotonic */
};

int feed_open(struct vw_api_feed **out, struct vw_error *err)
{
	pthread_condattr_t attributes;
	struct vw_api_feed *feed = calloc(1, sizeof(*feed));
	if (!feed)
		return vw_error_set(err, VW_ENOMEM, "no memory for the interface");
	vw_random_bytes(&feed->first_id, sizeof(feed->first_id));
	pthread_mutex_init(&feed->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&feed->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	*out = feed;
	return 0;
}

void feed_close(struct vw_api_feed *feed)
{
	if (!feed)
		return;
	pthread_cond_destroy(&feed->changed);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

void feed_put(struct vw_api_feed *feed, const struct vw_change *change)
{
	struct happening happening = {*change, 0};
	vw_random_bytes(&happening.id, sizeof(happening.id));
	pthread_mutex_lock(&feed->lock);
	feed->happenings[feed->count % FEED_LENGTH] = happening;
	feed->count++;
	pthread_cond_broadcast(&feed->changed);
	pthread_mutex_unlock(&feed->lock);
}

/* ---- a listener ---- */

/* The id of the `count`th change, as it is sent. The feed is locked, and remembers that change. */
static const char *id_of(const struct vw_api_feed *feed, uint64_t count, char out[ID_TEXT])
{
	uint64_t id = count == 0 ? feed->first_id : feed->happenings[(count - 1) % FEED_LENGTH].id;
	return vw_hex_encode(&id, sizeof(id), out);
}

/* Where to go on for who saw `last_id` last; false when that is not remembered. The feed is locked. */
static bool find_place(const struct vw_api_feed *feed, const char *last_id, uint64_t *out)
{
	char id[ID_TEXT];
	uint64_t oldest = feed->count > FEED_LENGTH ? feed->count - FEED_LENGTH + 1 : 0;
	for (uint64_t count = feed->count + 1; count-- > oldest;)
		if (strcmp(last_id, id_of(feed, count, id)) == 0) {
			*out = count;
			return true;
		}
	return false;
}

int feed_listen(struct vw_api_feed *feed, struct vw_fleet_store *store, const struct vw_principal *who,
		int32_t organization, const char *last_id, struct feed_listener **out, struct vw_error *err)
{
	struct feed_listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		return vw_error_set(err, VW_ENOMEM, "no memory for a listener");
	listener->feed = feed;
	listener->store = store;
	listener->who = *who;
	listener->organization = organization;
	listener->looked_at = vw_clock_monotonic();
	pthread_mutex_lock(&feed->lock);
	listener->seen = feed->count;
	listener->missed = last_id && !find_place(feed, last_id, &listener->seen);
	pthread_mutex_unlock(&feed->lock);
	*out = listener;
	return 0;
}

static const char *name_of(enum vw_change_kind kind)
{
	switch (kind) {
	case VW_CHANGE_AGENT:
		return "agent";
	case VW_CHANGE_COMMAND:
		return "command";
	case VW_CHANGE_RECORDS:
		return "records";
	case VW_CHANGE_PRESENCE:
		return "presence";
	case VW_CHANGE_ORGANIZATION:
		return "organization";
	case VW_CHANGE_LOST:
		break;
	}
	return "missed";
}

static void append(const struct feed_listener *l, const char *event, const char *agent_id, struct vw_buffer *out)
{
	char id[ID_TEXT];
	vw_buffer_printf(out, "id: %s\nevent: %s\ndata: {", id_of(l->feed, l->seen, id), event);
	if (agent_id && agent_id[0])
		vw_buffer_printf(out, "\"agent_id\":\"%s\"", agent_id);
	vw_buffer_puts(out, "}\n\n");
}

static bool is_same(const struct vw_change *a, const struct vw_change *b)
{
	return a->kind == b->kind && a->organization == b->organization && strcmp(a->agent_id, b->agent_id) == 0;
}

/* Whether the same is said again before `end`. */
static bool comes_again(const struct vw_api_feed *feed, uint64_t at, uint64_t end)
{
	const struct vw_change *change = &feed->happenings[at % FEED_LENGTH].change;
	for (uint64_t later = at + 1; later < end; later++)
		if (is_same(change, &feed->happenings[later % FEED_LENGTH].change))
			return true;
	return false;
}

static void append_changes(struct feed_listener *l, struct vw_buffer *out)
{
	struct vw_api_feed *feed = l->feed;
	if (feed->count - l->seen > FEED_LENGTH) {
		l->seen = feed->count;
		l->missed = true;
	}
	uint64_t end = feed->count - l->seen > PIECE_EVENTS ? l->seen + PIECE_EVENTS : feed->count;
	while (l->seen < end) {
		const struct vw_change *change = &feed->happenings[l->seen % FEED_LENGTH].change;
		bool wanted = change->organization == l->organization && !comes_again(feed, l->seen, end);
		l->seen++;
		if (change->kind == VW_CHANGE_LOST)
			l->missed = true;
		else if (wanted)
			append(l, name_of(change->kind), change->agent_id, out);
	}
	if (l->missed)
		append(l, "missed", NULL, out);
	l->missed = false;
}

/* Until something changed, or for WAIT_MS. The feed is locked. */
static void wait_for_change(struct vw_api_feed *feed, uint64_t seen)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	while (feed->count == seen && pthread_cond_timedwait(&feed->changed, &feed->lock, &until) != ETIMEDOUT)
		;
}

/* The end of a stream whose principal may not listen any more; when that cannot be said now, it goes on. */
static bool may_listen(struct feed_listener *l, int64_t now)
{
	struct vw_error err;
	if (now - l->looked_at < LOOK_AGAIN_MS)
		return true;
	l->looked_at = now;
	return principal_look_again(l->store, &l->who, vw_clock_now(), &err) != VW_EAUTH;
}

static int64_t pause_between(struct feed_listener *l)
{
	int64_t left = l->called_at + PIECE_MS - vw_clock_monotonic();
	if (l->greeted && left > 0)
		usleep((useconds_t)left * 1000);
	l->called_at = vw_clock_monotonic();
	return l->called_at;
}

int feed_next(void *arg, struct vw_buffer *out, struct vw_error *err)
{
	struct feed_listener *l = arg;
	int64_t now = pause_between(l);
	(void)err;
	if (!may_listen(l, now))
		return 0;
	pthread_mutex_lock(&l->feed->lock);
	if (!l->greeted) {
		/* an id from the beginning on: who is cut off before the first event misses nothing */
		vw_buffer_printf(out, "retry: %d\n", RETRY_MS);
		append(l, "ready", NULL, out);
		l->greeted = true;
	} else if (!l->missed) {
		wait_for_change(l->feed, l->seen);
	}
	append_changes(l, out);
	pthread_mutex_unlock(&l->feed->lock);
	if (out->len == 0 && now - l->said_at > KEEP_ALIVE_MS)
		vw_buffer_puts(out, ": here\n\n");
	if (out->len > 0)
		l->said_at = now;
	return 1;
}

void feed_leave(void *arg)
{
	free(arg);
}
