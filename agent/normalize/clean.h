/* clean.h: text as a record may hold it. Private. */
#ifndef NORMALIZE_CLEAN_H
#define NORMALIZE_CLEAN_H

#include "base/arena.h"

struct vw_scrub {
	bool ill_formed; /* bytes that are not UTF-8 were replaced */
	bool controls;   /* so were control characters */
};

/* Well-formed UTF-8 without control characters but tab and line ends: others become U+FFFD. The result is `text` itself
 * when nothing was wrong; NULL for NULL and without memory. */
char *vw_text_scrub(struct vw_arena *arena, const char *text, struct vw_scrub *out);

/* The kind that a mask in `value` names, in `out`; false when there is no mask. `*out_whole`: there is nothing else. */
#define VW_MASK_KIND_MAX 64
bool vw_value_masked(const char *value, char out[VW_MASK_KIND_MAX], bool *out_whole);

#endif
