/* feed.h: changes of the store for those who listen to server-sent events. */
#ifndef API_FEED_H
#define API_FEED_H

#include "api/api.h"

/* The newest FEED_LENGTH changes; a listener that was too slow is told that it missed some. */
struct vw_api_feed;
int feed_open(struct vw_api_feed **out, struct vw_error *err);
void feed_close(struct vw_api_feed *feed);
void feed_put(struct vw_api_feed *feed, const struct vw_change *change);

/* A listener of one organization's changes, as the `next` of a response. */
struct feed_listener;
int feed_listen(struct vw_api_feed *feed, int32_t organization, struct feed_listener **out, struct vw_error *err);
int feed_next(void *listener, struct vw_buffer *out, struct vw_error *err);
void feed_leave(void *listener);

#endif
