/* guests.h: the connections of a listener, and until when each must have said or taken something. Who is slower is cut off: a
 * connection costs a thread, and a byte every few seconds must not hold it. */
#ifndef API_GUESTS_H
#define API_GUESTS_H

#include "base/error.h"

#include <stdint.h>

struct guests;
struct guest;

/* A thread of its own looks every second. `host` is whose guests they are. */
int guests_open(void *host, struct guests **out, struct vw_error *err);
void guests_close(struct guests *guests); /* all have left; NULL is fine */

/* NULL without memory. The socket stays open until it has left. */
struct guest *guest_enter(struct guests *guests, int fd, int64_t within_ms);
void guest_leave(struct guests *guests, struct guest *guest);
void *guest_host(const struct guest *guest);
/* From now on. 0: as long as it takes. Any thread. NULL is fine. */
void guest_allow(struct guest *guest, int64_t within_ms);

#endif
