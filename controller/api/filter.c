#include "filter.h"

#include <string.h>

static int read_order(const struct visit *v, struct vw_version_query *out, struct vw_error *err)
{
	static const char *const names[] = {"name", "recorded", "updated", "severity"};
	const char *order = visit_query(v, "order");
	bool given;
	for (int i = 0; order && i < 4; i++)
		if (strcmp(order, names[i]) == 0) {
			out->order = (enum vw_version_order)i;
			order = NULL;
		}
	if (order)
		return vw_error_set(err, VW_EINVAL, "order must be name, recorded, updated or severity");
	return visit_query_bool(v, "descending", &out->descending, &given, err);
}

int filter_read(const struct visit *v, struct vw_arena *arena, struct filter *out, struct vw_error *err)
{
	int status = 0, severity = 0;
	bool given;
	memset(out, 0, sizeof(*out));
	out->query.agent_id = vw_arena_strdup(arena, visit_query(v, "agent"));
	out->query.workspace = vw_arena_strdup(arena, visit_query(v, "workspace"));
	out->query.model = vw_arena_strdup(arena, visit_query(v, "model"));
	out->query.text = vw_arena_strdup(arena, visit_query(v, "text"));
	out->query.stage = vw_arena_strdup(arena, visit_query(v, "stage"));
	out->query.owner = vw_arena_strdup(arena, visit_query(v, "owner"));
	out->query.risk = vw_arena_strdup(arena, visit_query(v, "risk"));
	if (vw_arena_failed(arena))
		return vw_error_set(err, VW_ENOMEM, "no memory for a query");
	if (out->query.agent_id && !vw_agent_id_valid(out->query.agent_id))
		return vw_error_set(err, VW_EINVAL, "agent must be an agent's id");
	int code =
	    visit_query_enum(v, "status", &verifywise__v1__compliance_status__descriptor, &status, &given, err);
	out->status = (vw_compliance_status)status;
	out->query.status = given ? &out->status : NULL;
	if (code == 0)
		code = visit_query_enum(v, "severity", &verifywise__v1__severity__descriptor, &severity, &given, err);
	out->severity = (vw_severity)severity;
	out->query.severity = code == 0 && given ? &out->severity : NULL;
	if (code == 0)
		code = visit_query_bool(v, "with_removed", &out->query.with_removed, &given, err);
	return code < 0 ? code : read_order(v, &out->query, err);
}
