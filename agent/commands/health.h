/* health.h: how the daemon is doing, over HTTP on a loopback address.
 *
 *	/livez       the process answers
 *	/readyz      the state holds a complete inventory: a full sync was completed, now or in an earlier life
 *	/progressz   the last success is younger than three quick intervals; says more as JSON
 *	/metrics     Prometheus' text format 0.0.4
 *
 * A thread of its own answers, from a copy of the facts that the daemon published last: it never touches the store, and a sync that
 * hangs cannot make it hang. No names of models or people, no addresses: every user of this host may ask. */
#ifndef COMMANDS_HEALTH_H
#define COMMANDS_HEALTH_H

#include "base/buffer.h"
#include "base/error.h"
#include "census.h"
#include "sync/sync.h"

#include <stdbool.h>
#include <stdint.h>

#define HEALTH_DEPTHS   2 /* by enum vw_depth */
#define HEALTH_OUTCOMES 4 /* by enum vw_sync_outcome */

/* Plain values, copied as a whole. *_at are wall-clock ms, 0: never. */
struct health_facts {
	char agent_id[40];
	int64_t started_at;
	int64_t alive_mono;  /* start, or the newest success after it: progress is judged by its age */
	int64_t stale_ms;    /* three quick intervals */
	int64_t next_due_at; /* of a sync; 0 while one runs */
	bool ready;
	bool running; /* a sync */
	int failures; /* in a row */
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
};

struct health;

/* `listen`: "127.0.0.1:9477", "[::1]:9477". VW_ECONFIG says what is wrong with it, or who is there already. */
int health_open(const char *listen, const struct health_facts *facts, struct health **out, struct vw_error *err);
void health_close(struct health *health); /* NULL is fine */
/* Copies. NULL is fine. */
void health_publish(struct health *health, const struct health_facts *facts);

/* The bodies; health_text.c. `now` and `now_mono` are the two clocks' time. */
bool health_progressing(const struct health_facts *facts, int64_t now_mono);
void health_write_progress(const struct health_facts *facts, int64_t now, int64_t now_mono, struct vw_buffer *out);
void health_write_metrics(const struct health_facts *facts, struct vw_buffer *out);

const char *health_depth_name(enum vw_depth depth);
const char *health_outcome_name(enum vw_sync_outcome outcome);

#endif
