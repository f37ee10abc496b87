/* health.h: how the daemon is doing, over HTTP on a loopback address.
 *
 *	/livez       the process answers
 *	/readyz      the state holds a complete inventory: a full sync was completed, now or in an earlier life
 *	/progressz   syncs succeed in time, and the controller, if there is one, gets what was found; says more as JSON
 *	/metrics     Prometheus' text format 0.0.4
 *
 * A thread of its own answers, from a copy of the facts that the daemon published last, and of the uplink's as they are now: it never
 * touches the store, and a sync that hangs cannot make it hang. No names of models or people, no addresses: every user of this host may ask. */
#ifndef COMMANDS_HEALTH_H
#define COMMANDS_HEALTH_H

#include "base/buffer.h"
#include "base/error.h"
#include "census.h"
#include "sync/sync.h"
#include "uplink/uplink.h"

#include <stdbool.h>
#include <stdint.h>

#define HEALTH_DEPTHS   2 /* by enum vw_depth */
#define HEALTH_OUTCOMES 4 /* by enum vw_sync_outcome */

#define HEALTH_OVERDUE_MS                                                                                            \
	(15 * 60 * 1000) /* entries that wait so long, and none acknowledged: three of the uplink's longest delays */

/* Plain values, copied as a whole. *_at are wall-clock ms, 0: never. */
struct health_facts {
	char agent_id[40];
	int64_t started_at;
	int64_t alive_mono;  /* start, or the newest success after it: progress is judged by its age */
	int64_t stale_ms;    /* three quick intervals */
	int64_t next_due_at; /* of a sync; 0 while one runs */
	bool ready;
	bool running;  /* a sync */
	bool paused;   /* by the controller */
	bool enrolled; /* then `uplink` counts */
	int failures;  /* in a row */
	int64_t success_at[HEALTH_DEPTHS];
	int64_t duration_ms[HEALTH_DEPTHS]; /* of the last one that ended; negative: none in this process */
	struct {
		int64_t finished_at;
		enum vw_depth depth;
		enum vw_sync_outcome outcome;
		int code; /* enum vw_code */
	} last;
	uint64_t syncs[HEALTH_DEPTHS][HEALTH_OUTCOMES];
	uint64_t requests, retries, bytes_received;
	uint64_t reloads, reloads_refused;
	bool reload_refused; /* the last one */
	struct census census;
	struct vw_uplink_status uplink; /* as it is when somebody asks */
};

struct health;

/* How the uplink is, asked in the server's thread for each answer; false: there is none. */
typedef bool (*health_look)(void *arg, struct vw_uplink_status *out);

/* `listen`: "127.0.0.1:9477", "[::1]:9477". `look` may be NULL, and is asked until the server is closed. VW_ECONFIG says what is wrong with the address, or who is
 * there already. */
int health_open(const char *listen, const struct health_facts *facts, health_look look, void *look_arg,
		struct health **out, struct vw_error *err);
void health_close(struct health *health); /* NULL is fine */
/* Copies. NULL is fine. */
void health_publish(struct health *health, const struct health_facts *facts);

/* Why it is not progressing, by bits; 0: it is. `now` and `now_mono` are the two clocks' time. */
enum health_trouble {
	HEALTH_SYNC_OVERDUE = 1,            /* no success for three quick intervals, and not paused */
	HEALTH_UPLINK_DOWN = 2,             /* enrolled, but the uplink could not be started */
	HEALTH_UPLINK_REFUSED = 4,          /* the controller refuses this agent, which a person has to lift */
	HEALTH_ACKNOWLEDGEMENT_OVERDUE = 8, /* entries wait, and none was acknowledged for HEALTH_OVERDUE_MS */
	HEALTH_CERTIFICATE_EXPIRED = 16
};
unsigned health_troubles(const struct health_facts *facts, int64_t now, int64_t now_mono);

/* The bodies; health_text.c and health_uplink.c. */
void health_write_progress(const struct health_facts *facts, int64_t now, int64_t now_mono, struct vw_buffer *out);
void health_write_metrics(const struct health_facts *facts, int64_t now, int64_t now_mono, struct vw_buffer *out);
/* Their parts about the controller. */
struct vw_json_writer;
void health_put_uplink(struct vw_json_writer *w, const struct health_facts *facts, int64_t now, int64_t now_mono);
void health_put_uplink_metrics(struct vw_buffer *out, const struct health_facts *facts, int64_t now_mono);
/* One metric's head; a metric with one value. */
void health_put_family(struct vw_buffer *out, const char *name, const char *type, const char *help);
void health_put_single(struct vw_buffer *out, const char *name, const char *type, const char *help, uint64_t value);
/* Milliseconds as seconds, exactly. */
void health_put_seconds(struct vw_buffer *out, int64_t ms);

const char *health_depth_name(enum vw_depth depth);
const char *health_outcome_name(enum vw_sync_outcome outcome);

#endif
