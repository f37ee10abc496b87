/* scan.h: where the values of a JSON document begin and end. A bounded cursor that builds nothing.
 *
 * An answer is read object by object: jansson gets one of them at a time, so that memory stays small and one broken object
 * does not spoil the page. What is inside a value is jansson's to judge; here only brackets and strings count. */
#ifndef MLFLOW_SCAN_H
#define MLFLOW_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct vw_scan {
	const char *bytes;
	size_t len;
	size_t at;
};

/* The bytes of one value. `nodes` is no less than the number of values in it. */
struct vw_span {
	const char *bytes;
	size_t len;
	size_t nodes;
};

/* Skips white space; true and past it if `c` is next. */
bool vw_scan_take(struct vw_scan *scan, char c);
/* Skips white space; true if nothing is left. */
bool vw_scan_at_end(struct vw_scan *scan);
/* Takes one value of any kind, nested at most VW_MAX_JSON_DEPTH. False if there is none, or its end is missing. */
bool vw_scan_value(struct vw_scan *scan, struct vw_span *out);
/* Takes `"key" :`; the span is the key without its quotes, as written. */
bool vw_scan_key(struct vw_scan *scan, struct vw_span *out);
bool vw_span_is(const struct vw_span *span, const char *text);

#endif
