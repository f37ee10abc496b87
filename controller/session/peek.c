#include "peek.h"

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define BODY_FIRST 1 /* the numbers of AgentMessage's oneof, fleet.proto */
#define BODY_LAST  7

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct reader {
	const grpc_slice *slices;
	size_t count;
	size_t slice;  /* in which the next byte is */
	size_t offset; /* in it */
};

/* Moves to a slice that has a byte left; false at the end. */
static bool settle(struct reader *r)
{
	while (r->slice < r->count && r->offset == GRPC_SLICE_LENGTH(r->slices[r->slice])) {
		r->slice++;
		r->offset = 0;
	}
	return r->slice < r->count;
}

static bool skip(struct reader *r, uint64_t len)
{
	while (len > 0) {
		if (!settle(r))
			return false;
		size_t left = GRPC_SLICE_LENGTH(r->slices[r->slice]) - r->offset;
		size_t step = len < left ? (size_t)len : left;
		r->offset += step;
		len -= step;
	}
	return true;
}

/* At most 10 bytes, and no bit beyond the 64th. */
static bool read_varint(struct reader *r, uint64_t *out)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (!settle(r))
			return false;
		uint8_t byte = GRPC_SLICE_START_PTR(r->slices[r->slice])[r->offset++];
		if (shift == 63 && byte > 1)
			return false;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = value;
			return true;
		}
	}
	return false;
}

static bool skip_field(struct reader *r, unsigned type)
{
	uint64_t len;
	switch (type) {
	case WIRE_VARINT:
		return read_varint(r, &len);
	case WIRE_64:
		return skip(r, 8);
	case WIRE_BYTES:
		return read_varint(r, &len) && skip(r, len);
	case WIRE_32:
		return skip(r, 4);
	default:
		return false;
	}
}

int vw_peek_body(const grpc_slice *slices, size_t count)
{
	struct reader r = {.slices = slices, .count = count};
	int body = 0, fields = 0;
	while (settle(&r)) {
		uint64_t tag;
		if (++fields > VW_MAX_MESSAGE_FIELDS || !read_varint(&r, &tag) || tag >> 3 == 0 ||
		    tag >> 3 > UINT32_MAX >> 3 || !skip_field(&r, (unsigned)(tag & 7)))
			return VW_EINVAL;
		if (tag >> 3 >= BODY_FIRST && tag >> 3 <= BODY_LAST && (tag & 7) == WIRE_BYTES)
			body = (int)(tag >> 3);
	}
	return body;
}
