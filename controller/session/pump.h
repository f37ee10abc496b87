/* pump.h: one thread of the front, and its connections.
 *
 * It has a table of descriptors of its own: what runs here must not use those of others, be it gRPC's, the store's or an authority's files. */
#ifndef SESSION_PUMP_H
#define SESSION_PUMP_H

#include "frames.h"
#include "front.h"
#include "notice.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Bytes that one side did not take yet. */
struct vw_rest {
	uint8_t *bytes; /* NULL: none */
	size_t at, len;
};

/* What epoll reports. */
enum vw_mark_kind { VW_MARK_LISTENER, VW_MARK_WAKE, VW_MARK_GIVER, VW_MARK_PEER, VW_MARK_PAIR };
struct vw_mark {
	enum vw_mark_kind kind;
	struct vw_pump_link *link; /* of the last two */
};

struct vw_pump_link {
	struct vw_link link; /* first: what others know of it */
	struct vw_pump *pump;
	SSL *ssl;
	int tcp, pair; /* pair: -1 until the handshake is over */
	struct vw_mark peer_mark, pair_mark;
	uint32_t tcp_watched, pair_watched; /* what epoll was told; VW_UNWATCHED: it has not the descriptor */
	uint32_t tls_wants;                 /* by OpenSSL: a handshake, a change of keys */
	bool dead;                          /* to be freed when this turn is over */
	bool given;                         /* others know of it */
	int plain;                          /* gRPC's end, until it was given; -1 */
	struct vw_rest in, out;             /* from the peer, to the peer */
	struct vw_frames frames;
	int64_t since;                      /* monotonic: of the handshake; of `out` not moving */
	struct vw_pump_link *next, **at;    /* all of this thread */
	struct vw_pump_link *newer, *older; /* handshakes, while in one; those that are to be given */
};

/* What the threads share. */
struct vw_front_shared {
	struct vw_front_settings settings;
	struct vw_tls *tls;
	int listener;
	atomic_int links, handshakes;
	atomic_bool deaf, stop;
};

struct vw_pump {
	struct vw_front_shared *shared;
	pthread_t thread;
	sem_t ready;
	bool has_own_table; /* of descriptors: the limit of open files counts for each */
	bool failed;
	int wake;         /* an eventfd; both tables have it, as the listener */
	int taker;        /* of vw_front_take(), in its table: links and descriptors come out */
	int giver;        /* the other end of it, and what follows, in the thread's table */
	int epoll, spare; /* spare: given up to accept and close when there is no other; -1 */
	struct vw_mark listener_mark, wake_mark, giver_mark;
	int count;                                     /* links */
	struct vw_pump_link *first_given, *last_given; /* those to be given that `giver` did not take yet */
	struct vw_pump_link *links, *dead;
	struct vw_pump_link *oldest, *newest; /* handshakes */
	bool listens;                         /* epoll watches the listener */
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

/* entry.c */
bool vw_link_crowded(const struct vw_pump *pump);
void vw_link_accept(struct vw_pump *pump);

/* link.c */
#define VW_UNWATCHED UINT32_MAX
/* Tells epoll what is wanted now. */
void vw_link_watch(struct vw_pump_link *link);
void vw_link_event(struct vw_pump_link *link, bool is_pair, uint32_t events);
/* Ends it; `why` is logged when it is the peer's doing; NULL. */
void vw_link_end(struct vw_pump_link *link, const char *why);
/* Gives what is to be given, as far as it is taken. */
void vw_link_give(struct vw_pump *pump);
/* Frees what ended in this turn. */
void vw_link_bury(struct vw_pump *pump);
/* Those whose time is over. */
void vw_link_sweep(struct vw_pump *pump);

#endif
