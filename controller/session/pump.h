/* pump.h: one thread of the front, and its connections. */
#ifndef SESSION_PUMP_H
#define SESSION_PUMP_H

#include "frames.h"
#include "front.h"
#include "notice.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Bytes that one side did not take yet. */
struct vw_rest {
	uint8_t *bytes; /* NULL: none */
	size_t at, len;
};

struct vw_pump_link {
	struct vw_link link; /* first: what others know of it */
	struct vw_pump *pump;
	SSL *ssl;
	int tcp, pair;                      /* pair: -1 until the handshake is over */
	uint32_t tcp_watched, pair_watched; /* what epoll was told; WATCHED_NOT: it has not the descriptor */
	uint32_t tls_wants;                 /* by OpenSSL: a handshake, a change of keys */
	bool dead;                          /* to be freed when this turn is over */
	struct vw_rest in, out;             /* from the peer, to the peer */
	struct vw_frames frames;
	int64_t since;                      /* monotonic: of the handshake; of `out` not moving */
	struct vw_pump_link *next, **at;    /* all of this thread */
	struct vw_pump_link *newer, *older; /* handshakes, while in one */
};

/* What the threads share. */
struct vw_front_shared {
	struct vw_front_settings settings;
	struct vw_tls *tls;
	int listener;
	atomic_int spare; /* a descriptor, given up to accept and close when there is no other; -1 */
	atomic_int links, handshakes;
	atomic_bool deaf, stop;
};

struct vw_pump {
	struct vw_front_shared *shared;
	pthread_t thread;
	int epoll, wake; /* wake: an eventfd */
	struct vw_pump_link *links, *dead;
	struct vw_pump_link *oldest, *newest; /* handshakes */
	int stalled;                          /* links whose peer does not take what is for it */
	int64_t now, swept_at;
	struct vw_arena *scratch;
	struct vw_notices notices;
	uint8_t buffer[16384]; /* a whole record of TLS */
};

int vw_pump_start(struct vw_front_shared *shared, struct vw_pump **out, struct vw_error *err);
void vw_pump_wake(struct vw_pump *pump);
/* After `stop` was set and it was woken. */
void vw_pump_join(struct vw_pump *pump);

/* link.c */
void vw_link_accept(struct vw_pump *pump);
void vw_link_event(struct vw_pump_link *link, bool is_pair, uint32_t events);
/* Ends it; `why` is logged when it is the peer's doing; NULL. */
void vw_link_end(struct vw_pump_link *link, const char *why);
/* Frees what ended in this turn. */
void vw_link_bury(struct vw_pump *pump);
/* Those whose time is over. */
void vw_link_sweep(struct vw_pump *pump);

#endif
