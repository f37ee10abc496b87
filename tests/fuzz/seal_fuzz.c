/* A secret as a controller hands it over: never opened when nobody sealed it to this key; one that was sealed and then changed neither. */
#include "fleet/seal.h"

#include <stdlib.h>
#include <string.h>

static struct vw_sealing_key *key;

static int open_box(struct vw_bytes sealed, struct vw_secret **out)
{
	struct vw_error err = VW_ERROR_INIT;
	return vw_seal_open(key, sealed, out, &err);
}

/* The text opens as itself, and not with one bit of the box turned. */
static void turn_a_bit(const uint8_t *data, size_t size, struct vw_arena *arena)
{
	struct vw_secret *text = vw_secret_open((const char *)data + 1, size - 1), *opened;
	struct vw_bytes sealed;
	if (text && vw_seal(vw_sealing_key_public(key), text, arena, &sealed, NULL) == 0) {
		if (open_box(sealed, &opened) != 0 || vw_secret_length(opened) != size - 1 ||
		    memcmp(vw_secret_text(opened), data + 1, size - 1) != 0)
			abort();
		vw_secret_close(opened);
		uint8_t *copy = vw_arena_alloc(arena, sealed.len);
		memcpy(copy, sealed.data, sealed.len);
		copy[data[0] % sealed.len] ^= (uint8_t)(1 << data[0] % 8);
		if (open_box((struct vw_bytes){copy, sealed.len}, &opened) == 0)
			abort();
	}
	vw_secret_close(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_secret *opened;
	if (!key && vw_sealing_key_generate(&key, NULL) != 0)
		abort();
	if (open_box((struct vw_bytes){data, size}, &opened) == 0)
		abort();
	struct vw_arena *arena = vw_arena_open(0);
	if (size > 1)
		turn_a_bit(data, size, arena);
	vw_arena_close(arena);
	return 0;
}
