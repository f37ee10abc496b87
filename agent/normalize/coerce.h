/* coerce.h: what teams write, into the words of the record (S3.2). Pure. Private.
 *
 * Each takes a trimmed text and gives one of the field's words (static storage), or NULL for what is none of them. */
#ifndef NORMALIZE_COERCE_H
#define NORMALIZE_COERCE_H

#include "base/arena.h"

const char *vw_coerce_risk(const char *text);        /* prohibited, high, limited, minimal */
const char *vw_coerce_sensitivity(const char *text); /* personal, special_category, confidential, public, none */
const char *vw_coerce_privacy(const char *text);     /* completed, in_progress, missing, not_applicable */
const char *vw_coerce_deployment(const char *text);  /* deployed, pre_deployment, retired, not_deployed */

/* Splits at commas and semicolons; brackets and quotes around a list and its items are taken off. At most VW_MAX_ENTRIES,
 * sorted, each once. The array and its texts are in the arena; NULL without memory. */
char **vw_coerce_list(struct vw_arena *arena, const char *text, size_t *out_count);

#endif
