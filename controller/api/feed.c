#include "feed.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FEED_LENGTH   4096
#define KEEP_ALIVE_MS 15000 /* a comment, so that proxies keep the connection */

struct vw_api_feed {
	pthread_mutex_t lock;
	uint64_t count; /* of all changes so far */
	struct vw_change changes[FEED_LENGTH];
};

struct feed_listener {
	struct vw_api_feed *feed;
	int32_t organization;
	uint64_t seen;
	int64_t said_at; /* monotonic */
};

int feed_open(struct vw_api_feed **out, struct vw_error *err)
{
	struct vw_api_feed *feed = calloc(1, sizeof(*feed));
	if (!feed)
		return vw_error_set(err, VW_ENOMEM, "no memory for the interface");
	pthread_mutex_init(&feed->lock, NULL);
	*out = feed;
	return 0;
}

void feed_close(struct vw_api_feed *feed)
{
	if (!feed)
		return;
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

void feed_put(struct vw_api_feed *feed, const struct vw_change *change)
{
	pthread_mutex_lock(&feed->lock);
	feed->changes[feed->count % FEED_LENGTH] = *change;
	feed->count++;
	pthread_mutex_unlock(&feed->lock);
}

int feed_listen(struct vw_api_feed *feed, int32_t organization, struct feed_listener **out, struct vw_error *err)
{
	struct feed_listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		return vw_error_set(err, VW_ENOMEM, "no memory for a listener");
	listener->feed = feed;
	listener->organization = organization;
	pthread_mutex_lock(&feed->lock);
	listener->seen = feed->count;
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

static void append(const struct feed_listener *listener, const struct vw_change *change, struct vw_buffer *out)
{
	bool lost = change->kind == VW_CHANGE_LOST;
	if (!lost && change->organization != listener->organization)
		return;
	vw_buffer_printf(out, "event: %s\ndata: {\"agent_id\":\"%s\"}\n\n", name_of(change->kind),
			 lost ? "" : change->agent_id);
}

int feed_next(void *arg, struct vw_buffer *out, struct vw_error *err)
{
	struct feed_listener *listener = arg;
	struct vw_api_feed *feed = listener->feed;
	int64_t now = vw_clock_monotonic();
	(void)err;
	pthread_mutex_lock(&feed->lock);
	if (feed->count - listener->seen > FEED_LENGTH) {
		struct vw_change lost = {.kind = VW_CHANGE_LOST};
		append(listener, &lost, out);
		listener->seen = feed->count;
	}
	for (; listener->seen < feed->count; listener->seen++)
		append(listener, &feed->changes[listener->seen % FEED_LENGTH], out);
	pthread_mutex_unlock(&feed->lock);
	if (out->len == 0 && (listener->said_at == 0 || now - listener->said_at > KEEP_ALIVE_MS))
		vw_buffer_puts(out, ": here\n\n");
	if (out->len > 0)
		listener->said_at = now;
	return 1;
}

void feed_leave(void *listener)
{
	free(listener);
}
