/* schedule.h: when the daemon syncs next, and how deeply. Pure: the caller says what time it is.
 *
 * A full sync at once; then a quick one every `quick_ms` and a full one every `full_ms`, at a phase that a hash of the agent's id
 * gives: a fleet that was started together does not ask together. What falls due while a sync runs is made up for once, not as often as
 * it was missed. A failed sync is tried again, as deeply, after the quick interval; then after twice that, and so on up to
 * SCHEDULE_LONGEST_RETRY_MS (or the quick interval, if that is longer), each time a random part later, so that a server
 * that comes back is not met by all agents at once. */
#ifndef COMMANDS_SCHEDULE_H
#define COMMANDS_SCHEDULE_H

#include "sync/sync.h"

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_LONGEST_RETRY_MS (15 * 60 * 1000)
#define SCHEDULE_JITTER           0.25 /* of a retry's delay, at most, added */

/* Times are of one clock that does not jump (vw_clock_monotonic), ms. */
struct schedule {
	int64_t quick_ms, full_ms;
	uint64_t hash; /* of the agent's id */
	int64_t start; /* of both series */
	int64_t next_quick, next_full;
	int64_t not_before; /* of a retry */
	int failures;       /* in a row */
};

void schedule_init(struct schedule *schedule, const char *agent_id, int64_t quick_ms, int64_t full_ms, int64_t now);
/* When the next sync is due; may be in the past. */
int64_t schedule_due(const struct schedule *schedule);
/* What is due at that time. */
enum vw_depth schedule_depth(const struct schedule *schedule, int64_t now);
/* A sync of this depth ended. `random` is from 0 to 1 (exclusive), used if it failed. */
void schedule_done(struct schedule *schedule, enum vw_depth depth, bool failed, int64_t now, double random);
/* New intervals, and a sync of this depth at once; failures are forgotten, for their cause may be mended. */
void schedule_change(struct schedule *schedule, int64_t quick_ms, int64_t full_ms, enum vw_depth depth, int64_t now);

#endif
