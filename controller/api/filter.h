/* filter.h: which versions a listing or an export is about, and in which order. */
#ifndef API_FILTER_H
#define API_FILTER_H

#include "visit.h"

/* `status` and `severity` are where the query's pointers lead: it must not be copied, and stays where it is while it is used. */
struct filter {
	struct vw_version_query query;
	vw_compliance_status status;
	vw_severity severity;
};

/* From the request's parameters. Texts are copied into the arena. */
int filter_read(const struct visit *v, struct vw_arena *arena, struct filter *out, struct vw_error *err);

#endif
