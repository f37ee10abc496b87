/* feed.h: changes of the store for those who listen to server-sent events.
 *
 * Each event has an id of 16 hex digits, made at random. Who comes again with the id of the last one that it saw (Last-Event-ID) gets what came since; where
 * that is not known any more, or to another process, it is told that it missed some ("missed") and asks for everything again. */
#ifndef API_FEED_H
#define API_FEED_H

#include "api/api.h"

/* The newest FEED_LENGTH changes; a listener that was too slow is told that it missed some. */
struct vw_api_feed;
int feed_open(struct vw_api_feed **out, struct vw_error *err);
void feed_close(struct vw_api_feed *feed); /* NULL is fine */
void feed_put(struct vw_api_feed *feed, const struct vw_change *change);

/* A listener of one organization's changes, as the `next` of a response: it waits for a moment when there is nothing to say. `last_id`: NULL, or what the
 * client saw last. It ends when `who` may not listen any more, which is looked at every few seconds. */
struct feed_listener;
int feed_listen(struct vw_api_feed *feed, struct vw_fleet_store *store, const struct vw_principal *who,
		int32_t organization, const char *last_id, struct feed_listener **out, struct vw_error *err);
int feed_next(void *arg, struct vw_buffer *out, struct vw_error *err);
void feed_leave(void *arg);

#endif
