/* clock.h: time in two kinds, and its one text form.
 *
 * Wall-clock times are int64 milliseconds since 1970-01-01T00:00:00Z, as in MLflow. Durations and
 * deadlines use the monotonic clock, because the wall clock may jump. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VW_TIME_TEXT 32 /* bytes enough for one formatted time */

int64_t vw_clock_now(void);       /* wall clock, ms */
int64_t vw_clock_monotonic(void); /* ms from an unspecified start */

/* RFC 3339 in UTC with milliseconds: "2026-03-01T12:00:00.000Z". Returns `out`. Times whose year is
 * outside 0001..9999 give "invalid-time". */
const char *vw_clock_format(int64_t ms, char out[VW_TIME_TEXT]);
/* The date alone: "2026-03-01". */
const char *vw_clock_format_date(int64_t ms, char out[VW_TIME_TEXT]);
/* "YYYY-MM-DD" to the first millisecond of that day in UTC. False for anything else, 2026-02-30 too. */
bool vw_clock_parse_date(const char *text, int64_t *out_ms);
/* "90s", "15m", "6h", "7d" or a plain number of seconds, to milliseconds. False if it is none of these,
 * negative, or more than 10 years. */
bool vw_clock_parse_duration(const char *text, int64_t *out_ms);
/* "3 minutes ago", "2 days ago", "in 5 hours": for people. Returns `out`. */
const char *vw_clock_format_age(int64_t ms, int64_t now_ms, char out[VW_TIME_TEXT]);

/* For tests: stops the wall clock at `ms`; a negative value lets it run again. */
void vw_clock_freeze(int64_t ms);

#endif
