#include "schedule.h"

#include "base/digest.h"

#include <string.h>

/* The first time after `now` of the series that repeats every `interval`, the first after 1 to `interval` ms from the start. */
static int64_t following(const struct schedule *s, int64_t interval, int64_t now)
{
	int64_t first = s->start + 1 + (int64_t)(s->hash % (uint64_t)interval);
	return now < first ? first : first + ((now - first) / interval + 1) * interval;
}

void schedule_init(struct schedule *s, const char *agent_id, int64_t quick_ms, int64_t full_ms, int64_t now)
{
	uint8_t digest[VW_SHA256_SIZE];
	vw_sha256_of(agent_id, strlen(agent_id), digest);
	*s = (struct schedule){.quick_ms = quick_ms, .full_ms = full_ms, .start = now, .next_full = now};
	memcpy(&s->hash, digest, sizeof(s->hash));
	s->next_quick = following(s, quick_ms, now);
	s->not_before = now;
}

int64_t schedule_due(const struct schedule *s)
{
	int64_t due = s->next_quick < s->next_full ? s->next_quick : s->next_full;
	return due > s->not_before ? due : s->not_before;
}

enum vw_depth schedule_depth(const struct schedule *s, int64_t now)
{
	return s->next_full <= now ? VW_DEPTH_FULL : VW_DEPTH_QUICK;
}

static int64_t retry_delay(const struct schedule *s, double random)
{
	int64_t longest = s->quick_ms > SCHEDULE_LONGEST_RETRY_MS ? s->quick_ms : SCHEDULE_LONGEST_RETRY_MS;
	int64_t delay = s->quick_ms;
	for (int i = 1; i < s->failures && delay < longest; i++)
		delay *= 2;
	delay = delay < longest ? delay : longest;
	return delay + (int64_t)((double)delay * SCHEDULE_JITTER * random);
}

void schedule_done(struct schedule *s, enum vw_depth depth, bool failed, int64_t now, double random)
{
	if (failed) {
		s->failures++;
		s->not_before = now + retry_delay(s, random);
		return;
	}
	s->failures = 0;
	s->not_before = now;
	/* a full sync does all that a quick one would */
	s->next_quick = following(s, s->quick_ms, now);
	if (depth == VW_DEPTH_FULL)
		s->next_full = following(s, s->full_ms, now);
}

void schedule_change(struct schedule *s, int64_t quick_ms, int64_t full_ms, enum vw_depth depth, int64_t now)
{
	bool full_is_due = depth == VW_DEPTH_FULL || s->next_full <= now;
	s->quick_ms = quick_ms;
	s->full_ms = full_ms;
	s->start = now;
	s->next_quick = now;
	s->next_full = full_is_due ? now : following(s, full_ms, now);
	s->not_before = now;
	s->failures = 0;
}
