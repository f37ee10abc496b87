/* pattern.h: globs for names and bounded regular expressions for values.
 *
 * Expressions are PCRE2's without look-around, back-references, recursion and callouts, and every
 * match has limits on steps, depth, heap and total cost (base/limits.h): a hostile value can make a
 * match fail, never make it slow. A pattern is used by one thread at a time. */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct vw_pattern;

/* VW_ECONFIG with PCRE2's message and the offset when `text` cannot be used. */
int vw_pattern_open(const char *text, struct vw_pattern **out, struct vw_error *err);
void vw_pattern_close(struct vw_pattern *p); /* NULL is fine */

/* 1 match anywhere in `text`, 0 none, VW_ELIMIT when a limit was reached. */
int vw_pattern_match(const struct vw_pattern *p, const char *text);
/* Appends `text` with every match replaced by `mask`. Returns the number of replacements, or VW_ELIMIT
 * (then all of `text` was replaced by `mask`: what cannot be judged is not shown). */
int vw_pattern_mask(const struct vw_pattern *p, const char *text, const char *mask, struct vw_buffer *out);

/* fnmatch(3) without special treatment of '/' and leading dots: "churn-*". */
bool vw_glob_match(const char *glob, const char *text);

#endif
