/* notice.h: how often one peer may be spoken of in the log, so that a flood fills no disk.
 *
 * A fixed table: peers that fall on the same place share it. One thread at a time. */
#ifndef SESSION_NOTICE_H
#define SESSION_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VW_NOTICE_PLACES 1024
#define VW_NOTICE_BURST  6     /* lines about one peer ... */
#define VW_NOTICE_MS     60000 /* ... in this time */

struct vw_notices {
	struct {
		int64_t since; /* monotonic */
		uint32_t count;
	} places[VW_NOTICE_PLACES];
};

/* Whether a line about this peer may be written now. *out_suppressed: how many were not since the last one that was. */
bool vw_notice(struct vw_notices *notices, const char *peer, int64_t now, uint32_t *out_suppressed);

#endif
