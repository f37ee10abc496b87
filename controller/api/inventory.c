/* inventory.c: what agents recorded, over all versions: counts, gaps, deployment events, and changes as they come (S13.1). */
#include "routes.h"

#include "feed.h"

#include <string.h>

/* ---- overview ---- */

static void put_count(struct visit *v, const char *name, int64_t value)
{
	vw_json_key(&v->json, name);
	vw_json_put_int64(&v->json, value);
}

int api_overview(struct visit *v, struct vw_error *err)
{
	struct vw_fleet_counts counts;
	int code = vw_fleet_count(v->api->settings.store, v->organization, &counts, err);
	if (code < 0)
		return code;
	visit_begin(v, 200, "OK");
	vw_json_begin_object(&v->json);
	if (v->organization == 0)
		put_count(v, "organizations", counts.organizations);
	put_count(v, "agents", counts.agents);
	put_count(v, "agents_connected", counts.agents_connected);
	put_count(v, "versions", counts.versions);
	put_count(v, "versions_with_gaps", counts.versions_with_gaps);
	put_count(v, "entries", counts.entries);
	vw_json_key(&v->json, "gaps");
	vw_json_begin_object(&v->json);
	for (int i = 0; i < VW_SEVERITIES; i++)
		put_count(v, vw_enum_name(&verifywise__v1__severity__descriptor, i + 1), counts.gaps[i]);
	vw_json_end_object(&v->json);
	vw_json_end_object(&v->json);
	visit_end(v);
	return 0;
}

/* ---- gaps and events ---- */

static void put_gap(struct visit *v, size_t i, const void *items)
{
	vw_gap_row *const *list = items;
	visit_message(v, &list[i]->base);
}

int api_gap_list(struct visit *v, struct vw_error *err)
{
	struct vw_page page;
	vw_gap_row **list;
	size_t count;
	char *next;
	int severity = 0;
	bool given;
	struct vw_gap_query query = {.agent_id = visit_query(v, "agent"),
				     .model = visit_query(v, "model"),
				     .rule = visit_query(v, "rule"),
				     .framework = visit_query(v, "framework")};
	int code = visit_page(v, &page, err);
	if (code == 0)
		code = visit_query_enum(v, "severity", &verifywise__v1__severity__descriptor, &severity, &given, err);
	if (code < 0)
		return code;
	if (query.agent_id && !vw_agent_id_valid(query.agent_id))
		return vw_error_set(err, VW_EINVAL, "agent must be an agent's id");
	vw_severity least = (vw_severity)severity;
	query.severity = given ? &least : NULL;
	code = vw_fleet_gap_list(v->api->settings.store, v->arena, v->organization, &query, &page, &list, &count,
				 &next, err);
	if (code == 0)
		visit_list(v, list, count, next, put_gap);
	return code;
}

static void put_event(struct visit *v, size_t i, const void *items)
{
	vw_event_row *const *list = items;
	visit_message(v, &list[i]->base);
}

int api_event_list(struct visit *v, struct vw_error *err)
{
	struct vw_page page;
	vw_event_row **list;
	size_t count;
	char *next;
	struct vw_event_query query = {
	    .agent_id = visit_query(v, "agent"), .model = visit_query(v, "model"), .field = visit_query(v, "field")};
	int code = visit_page(v, &page, err);
	if (code == 0)
		code = visit_query_time(v, "since", &query.since, err);
	if (code < 0)
		return code;
	if (query.agent_id && !vw_agent_id_valid(query.agent_id))
		return vw_error_set(err, VW_EINVAL, "agent must be an agent's id");
	code = vw_fleet_event_list(v->api->settings.store, v->arena, v->organization, &query, &page, &list, &count,
				   &next, err);
	if (code == 0)
		visit_list(v, list, count, next, put_event);
	return code;
}

/* ---- changes, as they come ---- */

int api_changes(struct visit *v, struct vw_error *err)
{
	struct feed_listener *listener;
	struct quota *quota = &v->api->listeners;
	const char *header = v->request->header("Last-Event-ID", v->request->arg);
	const char *last_id = header && header[0] ? header : visit_query(v, "last_event_id");
	if (!visit_enter(v, quota))
		return 0;
	int code =
	    feed_listen(v->api->feed, v->api->settings.store, &v->who, v->organization, last_id, &listener, err);
	if (code < 0) {
		quota_leave(quota, v->organization);
		return code;
	}
	v->out->live = true;
	return visit_stream(v, &(struct visit_stream){"text/event-stream", feed_next, feed_leave, listener, quota},
			    err);
}
