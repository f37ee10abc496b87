/* inventory.c: what agents recorded: model versions, their history, gaps and deployment events (S13.1). */
#include "routes.h"

#include "base/digest.h"

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

/* ---- records ---- */

static void put_version(struct visit *v, size_t i, const void *items)
{
	vw_version_row *const *list = items;
	visit_message(v, &list[i]->base);
}

static int read_order(struct visit *v, struct vw_version_query *out, struct vw_error *err)
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

/* The filters of a listing; `status` and `severity` are where the query's pointers lead. */
struct filter {
	struct vw_version_query query;
	vw_compliance_status status;
	vw_severity severity;
};

static int read_filter(struct visit *v, struct filter *out, struct vw_error *err)
{
	int status = 0, severity = 0;
	bool given;
	memset(out, 0, sizeof(*out));
	out->query.agent_id = visit_query(v, "agent");
	out->query.workspace = visit_query(v, "workspace");
	out->query.model = visit_query(v, "model");
	out->query.text = visit_query(v, "text");
	out->query.stage = visit_query(v, "stage");
	out->query.owner = visit_query(v, "owner");
	out->query.risk = visit_query(v, "risk");
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

int api_record_list(struct visit *v, struct vw_error *err)
{
	struct filter filter;
	struct vw_page page;
	vw_version_row **list;
	size_t count;
	char *next;
	int code = read_filter(v, &filter, err);
	if (code == 0)
		code = visit_page(v, &page, err);
	if (code == 0)
		code = vw_fleet_version_list(v->api->settings.store, v->arena, v->organization, &filter.query, &page,
					     &list, &count, &next, err);
	if (code == 0)
		visit_list(v, list, count, next, put_version);
	return code;
}

static int find_version(struct visit *v, struct vw_version_key *key, vw_version_row **out, struct vw_error *err)
{
	const char *workspace = visit_query(v, "workspace");
	*key = (struct vw_version_key){v->segments[0], workspace ? workspace : "", v->segments[1], v->segments[2]};
	int code = vw_agent_id_valid(key->agent_id)
		       ? vw_fleet_version_get(v->api->settings.store, v->arena, v->organization, key, out, err)
		       : VW_ENOTFOUND;
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such record") : code;
}

/* The entry as it was sent, with its hash: what the row says can be checked against it. */
static int read_entry(struct visit *v, const char *agent_id, uint64_t sequence, vw_chained_entry **out_chained,
		      vw_entry **out, struct vw_error *err)
{
	vw_chained_entry **entries;
	size_t count;
	int code = vw_fleet_ledger_read(v->api->settings.store, v->arena, v->organization, agent_id, sequence, 1,
					&entries, &count, err);
	if (code == 0 && count != 1)
		code = vw_error_set(err, VW_ECORRUPT, "the ledger of agent %s has no entry %llu", agent_id,
				    (unsigned long long)sequence);
	if (code < 0)
		return code;
	*out_chained = entries[0];
	return vw_message_unpack(v->arena, &verifywise__v1__entry__descriptor, entries[0]->payload.data,
				 entries[0]->payload.len, "a ledger entry", (void **)out, err);
}

static int put_entry(struct visit *v, const char *agent_id, uint64_t sequence, struct vw_error *err)
{
	vw_chained_entry *chained;
	vw_entry *entry;
	vw_record *record = NULL;
	char hex[65];
	int code = read_entry(v, agent_id, sequence, &chained, &entry, err);
	if (code == 0 && entry->body_case == VERIFYWISE__V1__ENTRY__BODY_VERSION)
		code = vw_message_unpack(v->arena, &verifywise__v1__record__descriptor, entry->version->record.data,
					 entry->version->record.len, "a record", (void **)&record, err);
	if (code < 0)
		return code;
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "sequence");
	vw_json_put_uint64(&v->json, sequence);
	vw_json_key(&v->json, "chain_sha256");
	vw_json_put_text(&v->json,
			 chained->chain_sha256.len == 32 ? vw_hex_encode(chained->chain_sha256.data, 32, hex) : NULL);
	vw_json_key(&v->json, "entry");
	visit_message(v, &entry->base);
	vw_json_key(&v->json, "record");
	if (record)
		visit_message(v, &record->base);
	else
		vw_json_put_null(&v->json);
	vw_json_end_object(&v->json);
	return 0;
}

int api_record_get(struct visit *v, struct vw_error *err)
{
	struct vw_version_key key;
	vw_version_row *row;
	int code = find_version(v, &key, &row, err);
	if (code < 0)
		return code;
	visit_begin(v, 200, "OK");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "version");
	visit_message(v, &row->base);
	vw_json_key(&v->json, "newest");
	code = put_entry(v, row->agent_id, row->sequence, err);
	vw_json_end_object(&v->json);
	visit_end(v);
	return code;
}

int api_record_history(struct visit *v, struct vw_error *err)
{
	struct vw_version_key key;
	struct vw_page page;
	vw_version_row *row;
	uint64_t *sequences;
	size_t count;
	char *next;
	int code = visit_page(v, &page, err);
	if (code == 0)
		code = find_version(v, &key, &row, err);
	if (code == 0)
		code = vw_fleet_version_history(v->api->settings.store, v->arena, v->organization, &key, &page,
						&sequences, &count, &next, err);
	if (code < 0)
		return code;
	visit_begin(v, 200, "OK");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "items");
	vw_json_begin_array(&v->json);
	for (size_t i = 0; code == 0 && i < count; i++)
		code = put_entry(v, row->agent_id, sequences[i], err);
	vw_json_end_array(&v->json);
	vw_json_key(&v->json, "next");
	vw_json_put_text(&v->json, next);
	vw_json_end_object(&v->json);
	visit_end(v);
	return code;
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
	bool given;
	struct vw_event_query query = {
	    .agent_id = visit_query(v, "agent"), .model = visit_query(v, "model"), .field = visit_query(v, "field")};
	int code = visit_page(v, &page, err);
	if (code == 0)
		code = visit_query_int(v, "since", 0, INT64_MAX, &query.since, &given, err);
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
	int code = feed_listen(v->api->feed, v->organization, &listener, err);
	if (code < 0)
		return code;
	v->out->status = 200;
	v->out->content_type = "text/event-stream";
	v->out->next = feed_next;
	v->out->close = feed_leave;
	v->out->stream = listener;
	return 0;
}
