#include "frames.h"

#include "base/limits.h"

#include <string.h>

#define FRAME_HEADER 9
#define FRAME_MAX    16384 /* SETTINGS_MAX_FRAME_SIZE that nobody raised (RFC 9113, 6.5.2) */
#define END_HEADERS  4

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)

enum type { DATA = 0, HEADERS = 1, CONTINUATION = 9 };

void vw_frames_begin(struct vw_frames *frames, int64_t now)
{
	memset(frames, 0, sizeof(*frames));
	frames->streams = (struct vw_bucket){INT64_C(1000) * VW_FRAMES_STREAMS, now};
	frames->other = (struct vw_bucket){INT64_C(1000) * VW_FRAMES_OTHER, now};
}

/* Takes one out; false when there is none left. */
static bool take(struct vw_bucket *bucket, int64_t burst, int64_t rate, int64_t now)
{
	bucket->level += (now - bucket->full_at) * rate;
	bucket->full_at = now;
	if (bucket->level > 1000 * burst)
		bucket->level = 1000 * burst;
	if (bucket->level < 1000)
		return false;
	bucket->level -= 1000;
	return true;
}

static const char *count(struct vw_frames *f, unsigned type, int64_t now)
{
	if (type == HEADERS && !take(&f->streams, VW_FRAMES_STREAMS, VW_FRAMES_STREAMS_RATE, now))
		return "too many streams";
	if ((type != DATA || f->left == 0) && !take(&f->other, VW_FRAMES_OTHER, VW_FRAMES_OTHER_RATE, now))
		return "too many frames";
	return NULL;
}

/* A whole frame header was read. */
static const char *judge(struct vw_frames *f, int64_t now)
{
	unsigned type = f->header[3], flags = f->header[4];
	f->left = (uint64_t)f->header[0] << 16 | (uint64_t)f->header[1] << 8 | f->header[2];
	if (f->left > FRAME_MAX)
		return "a frame that is too large";
	if (f->in_block != (type == CONTINUATION))
		return "a header block that is broken";
	if (type == HEADERS)
		f->block = 0;
	if (type == HEADERS || type == CONTINUATION) {
		f->block += (uint32_t)f->left;
		f->in_block = !(flags & END_HEADERS);
	}
	if (f->block > VW_MAX_HEADER_BLOCK)
		return "a header block that is too large";
	return count(f, type, now);
}

static const char *look_at_preface(struct vw_frames *f, const uint8_t **bytes, size_t *len)
{
	while (f->preface<PREFACE_LEN && * len> 0) {
		if (**bytes != (uint8_t)preface[f->preface])
			return "not HTTP/2";
		f->preface++;
		(*bytes)++;
		(*len)--;
	}
	return NULL;
}

const char *vw_frames_look(struct vw_frames *f, const uint8_t *bytes, size_t len, int64_t now)
{
	const char *flaw = look_at_preface(f, &bytes, &len);
	while (!flaw && len > 0) {
		if (f->left > 0) {
			size_t step = len < f->left ? len : (size_t)f->left;
			f->left -= step;
			f->data += f->header[3] == DATA ? step : 0;
			bytes += step;
			len -= step;
			continue;
		}
		f->header[f->have++] = *bytes++;
		len--;
		if (f->have == FRAME_HEADER) {
			f->have = 0;
			flaw = judge(f, now);
		}
	}
	return flaw;
}
