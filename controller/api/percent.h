/* percent.h: percent-encoding (RFC 3986, 2.1) in paths and queries. */
#ifndef API_PERCENT_H
#define API_PERCENT_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* Decoded into the arena; `plus` makes '+' a space, as in queries. NULL for a broken sequence, U+0000, bytes that are no UTF-8, or no memory. */
char *percent_decode(struct vw_arena *arena, const char *text, size_t len, bool plus);

#endif
