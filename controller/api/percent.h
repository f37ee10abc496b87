/* percent.h: percent-encoding (RFC 3986, 2.1) in paths, and queries made of it. */
#ifndef API_PERCENT_H
#define API_PERCENT_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define API_PARAMETERS 32 /* of one query */

/* Decoded into the arena; `plus` makes '+' a space, as in queries. NULL for a broken sequence, U+0000, bytes that are no UTF-8, or no memory. */
char *percent_decode(struct vw_arena *arena, const char *text, size_t len, bool plus);

/* One name and value of a query, decoded; "name" alone has the value "". */
struct api_parameter {
	const char *name, *value;
};
/* "a=1&b=two%20words". `text` may be NULL. VW_EINVAL: what cannot be decoded, has no name, is there twice, is longer than VW_MAX_QUERY, or is one too many. */
int query_parse(struct vw_arena *arena, const char *text, struct api_parameter out[API_PARAMETERS], size_t *out_count,
		struct vw_error *err);

#endif
