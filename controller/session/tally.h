/* tally.h: counters that several threads move, for vw_session_server_count(). */
#ifndef SESSION_TALLY_H
#define SESSION_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#define VW_REJECTIONS 16 /* reasons of vw_session_counts.rejections */

struct vw_tally {
	atomic_llong sessions, sessions_opened, rejected, batches, entries, bytes, duplicates, gaps, forks;
	atomic_llong queued_bytes, stored_batches, store_retries, commands_sent, revoked_open, ingest_us;
	atomic_llong rejections[VW_REJECTIONS];
	atomic_llong turned_away; /* connections for which there was no room */
	atomic_llong
	    failure_logged_at; /* monotonic: failures of the store are said once in a while, not once for each agent */
};

static inline void vw_tally_add(atomic_llong *counter, int64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
