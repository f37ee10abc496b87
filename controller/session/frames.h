/* frames.h: a look at each HTTP/2 frame that a peer sends, before gRPC gets it.
 *
 * gRPC core 1.51 counts a header block's size anew with each CONTINUATION frame and holds to the limits that it announced only once the peer has
 * confirmed them: an endless block, or streams that are opened and reset as fast as they come, would take all memory or all time. What passes here
 * is bounded in size and in number; all else about it, gRPC judges. Source: RFC 9113, sections 3.4, 4.1, 6. Pure. */
#ifndef SESSION_FRAMES_H
#define SESSION_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many at once, and so many a second from then on. */
#define VW_FRAMES_STREAMS      100 /* streams that begin */
#define VW_FRAMES_STREAMS_RATE 5
#define VW_FRAMES_OTHER        2000 /* frames without data: pings, settings, resets, windows, empty ones */
#define VW_FRAMES_OTHER_RATE   500

struct vw_bucket {
	int64_t level;   /* thousandths */
	int64_t full_at; /* monotonic, when it was filled last */
};

/* What is known of one connection's bytes. */
struct vw_frames {
	struct vw_bucket streams, other;
	uint64_t left;   /* bytes of the frame's payload that are to come */
	uint64_t data;   /* bytes of messages that came */
	uint32_t block;  /* bytes of the header block so far */
	uint8_t preface; /* bytes of the connection preface so far */
	uint8_t have;    /* bytes of the frame's header so far */
	uint8_t header[9];
	bool in_block; /* between HEADERS and the end of its block */
};

void vw_frames_begin(struct vw_frames *frames, int64_t now);
/* The next bytes, of which none are kept. NULL, or why the connection is to end; static storage. */
const char *vw_frames_look(struct vw_frames *frames, const uint8_t *bytes, size_t len, int64_t now);

#endif
