/* frames_fuzz.c: the bytes of a connection, in pieces: the first byte says how long each is. Whether they pass does not depend on that. */
#include "frames.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_frames whole, pieces;
	const char *flaw = NULL;
	if (size < 2)
		return 0;
	size_t step = data[0] + 1u;
	data++;
	size--;
	vw_frames_begin(&whole, 0);
	vw_frames_begin(&pieces, 0);
	for (size_t at = 0; at < size && !flaw; at += step)
		flaw = vw_frames_look(&pieces, data + at, size - at < step ? size - at : step, 0);
	if (vw_frames_look(&whole, data, size, 0) != flaw)
		abort();
	return 0;
}
