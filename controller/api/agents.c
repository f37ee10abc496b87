/* agents.c: agents, how they are, and whether they may go on. */
#include "routes.h"

#include "base/digest.h"
#include "base/limits.h"

#include <string.h>

#define REASON_MAX_LEN 500
#define SHOWN_PAYLOAD  (64 * VW_KIB)

/* ---- agents ---- */

/* The agent's own fields and, beside them, what is known of its connection. The sealing key as hex: an operator compares it by eye. */
static void put_agent(struct visit *v, const vw_agent *agent, const vw_agent_presence *presence)
{
	static const char *const hidden[] = {"enrollment_key", "sealing_key", NULL};
	vw_json_begin_object(&v->json);
	vw_message_json_fields_but(&v->json, &agent->base, hidden);
	visit_hex(v, "sealing_key_hex", &agent->sealing_key);
	vw_json_key(&v->json, "presence");
	vw_message_json(&v->json, &presence->base);
	vw_json_end_object(&v->json);
}

struct agent_rows {
	vw_agent **agents;
	vw_agent_presence **presences;
};

static void put_agent_row(struct visit *v, size_t i, const void *items)
{
	const struct agent_rows *rows = items;
	put_agent(v, rows->agents[i], rows->presences[i]);
}

int api_agent_list(struct visit *v, struct vw_error *err)
{
	struct vw_page page;
	struct agent_rows rows;
	size_t count;
	int status = 0;
	bool by_status, by_connected, connected = false;
	int code = visit_page(v, &page, err);
	if (code == 0)
		code = visit_query_enum(v, "status", &verifywise__v1__agent_status__descriptor, &status, &by_status,
					err);
	if (code == 0)
		code = visit_query_bool(v, "connected", &connected, &by_connected, err);
	if (code < 0)
		return code;
	if (page.cursor && !vw_agent_id_valid(page.cursor))
		return vw_error_set(err, VW_EINVAL, "cursor is none of this listing");
	vw_agent_status wanted = (vw_agent_status)status;
	struct vw_agent_query query = {.after = page.cursor,
				       .limit = page.limit,
				       .text = visit_query(v, "text"),
				       .status = by_status ? &wanted : NULL,
				       .connected = by_connected ? &connected : NULL};
	code = vw_fleet_agent_list(v->api->settings.store, v->arena, v->organization, &query, &rows.agents,
				   &rows.presences, &count, err);
	if (code == 0)
		visit_list(v, &rows, count, count == page.limit ? rows.agents[count - 1]->agent_id : NULL,
			   put_agent_row);
	return code;
}

int api_agent_get(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	vw_agent_presence none = VERIFYWISE__V1__AGENT_PRESENCE__INIT, *presence = &none;
	int code = visit_agent(v, &agent, err);
	if (code < 0)
		return code;
	code =
	    vw_fleet_presence_get(v->api->settings.store, v->arena, v->organization, agent->agent_id, &presence, err);
	if (code < 0 && code != VW_ENOTFOUND)
		return code;
	visit_begin(v, 200, "OK");
	put_agent(v, agent, presence);
	visit_end(v);
	return 0;
}

static int set_status(struct visit *v, vw_agent_status status, const char *action, struct vw_error *err)
{
	const char *reason;
	vw_agent *agent;
	int code = visit_input_text(v, "reason", REASON_MAX_LEN, &reason, err);
	if (code == 0)
		code = visit_agent(v, &agent, err);
	if (code == 0)
		code = vw_fleet_agent_set_status(v->api->settings.store, v->organization, agent->agent_id, status,
						 reason ? reason : "", v->who.name, v->now, err);
	if (code == 0)
		code = visit_note(v, action, agent->agent_id, reason, err);
	if (code == 0)
		visit_done(v, action);
	return code;
}

int api_agent_revoke(struct visit *v, struct vw_error *err)
{
	return set_status(v, VW_AGENT_REVOKED, "agent_revoked", err);
}

int api_agent_activate(struct visit *v, struct vw_error *err)
{
	return set_status(v, VW_AGENT_ACTIVE, "agent_activated", err);
}

/* Of a long payload only its length: whoever looks into it wants to know that it is there. */
static void put_quarantined(struct visit *v, size_t i, const void *items)
{
	static const char *const hidden[] = {"payload", NULL};
	vw_quarantined_entry *const *list = items;
	vw_quarantined_entry *entry = list[i];
	char *text = entry->payload.len <= SHOWN_PAYLOAD
			 ? vw_arena_alloc(v->arena, 4 * ((entry->payload.len + 2) / 3) + 1)
			 : NULL;
	vw_json_begin_object(&v->json);
	vw_message_json_fields_but(&v->json, &entry->base, hidden);
	visit_text(v, "payload", text ? vw_base64_encode(entry->payload.data, entry->payload.len, text) : NULL);
	vw_json_key(&v->json, "payload_bytes");
	vw_json_put_uint64(&v->json, entry->payload.len);
	vw_json_end_object(&v->json);
}

int api_agent_quarantine(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	vw_quarantined_entry **list;
	size_t count;
	int code = visit_agent(v, &agent, err);
	if (code == 0)
		code = vw_fleet_quarantine_list(v->api->settings.store, v->arena, v->organization, agent->agent_id,
						&list, &count, err);
	if (code == 0)
		visit_list(v, list, count, NULL, put_quarantined);
	return code;
}
