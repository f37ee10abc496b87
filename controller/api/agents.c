/* agents.c: agents, how they are, and the secrets that they are given. */
#include "routes.h"

#include "base/digest.h"
#include "base/limits.h"

#include <nettle/base64.h>
#include <string.h>

#define REASON_MAX_LEN 500

static const char *const secret_names[] = {"mlflow.username", "mlflow.password", "mlflow.token", NULL};

/* ---- agents ---- */

/* The agent's own fields and, beside them, what is known of its connection. Keys as hex: an operator compares them by eye. */
static void put_agent(struct visit *v, const vw_agent *agent, const vw_agent_presence *presence)
{
	char hex[65] = "";
	vw_agent shown = *agent;
	shown.has_enrollment_key = shown.has_sealing_key = 0;
	shown.has_chain_sha256 = agent->has_chain_sha256;
	vw_json_begin_object(&v->json);
	vw_message_json_fields(&v->json, &shown.base);
	vw_json_key(&v->json, "sealing_key_hex");
	vw_json_put_text(&v->json,
			 agent->sealing_key.len == 32 ? vw_hex_encode(agent->sealing_key.data, 32, hex) : NULL);
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

static int find_agent(struct visit *v, vw_agent **out, struct vw_error *err)
{
	int code = vw_agent_id_valid(v->segments[0]) ? vw_fleet_agent_get(v->api->settings.store, v->arena,
									  v->organization, v->segments[0], out, err)
						     : VW_ENOTFOUND;
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such agent") : code;
}

int api_agent_get(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	vw_agent_presence none = VERIFYWISE__V1__AGENT_PRESENCE__INIT, *presence = &none;
	int code = find_agent(v, &agent, err);
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
		code = find_agent(v, &agent, err);
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

static void put_quarantined(struct visit *v, size_t i, const void *items)
{
	vw_quarantined_entry *const *list = items;
	visit_message(v, &list[i]->base);
}

int api_agent_quarantine(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	vw_quarantined_entry **list;
	size_t count;
	int code = find_agent(v, &agent, err);
	if (code == 0)
		code = vw_fleet_quarantine_list(v->api->settings.store, v->arena, v->organization, agent->agent_id,
						&list, &count, err);
	if (code == 0)
		visit_list(v, list, count, NULL, put_quarantined);
	return code;
}

/* ---- secrets ---- */

struct secret_rows {
	vw_stored_secret **secrets;
	const vw_agent_presence *presence;
};

static const vw_secret_held *held_of(const vw_agent_presence *presence, const char *name)
{
	for (size_t i = 0; i < presence->n_secrets; i++)
		if (presence->secrets[i]->name && strcmp(presence->secrets[i]->name, name) == 0)
			return presence->secrets[i];
	return NULL;
}

/* Never the sealed bytes: nobody but the agent has a use for them. */
static void put_secret(struct visit *v, size_t i, const void *items)
{
	const struct secret_rows *rows = items;
	const vw_stored_secret *secret = rows->secrets[i];
	const vw_secret_held *held = held_of(rows->presence, secret->secret->name);
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "name");
	vw_json_put_text(&v->json, secret->secret->name);
	vw_json_key(&v->json, "version");
	vw_json_put_uint64(&v->json, secret->secret->version);
	vw_json_key(&v->json, "created_at");
	vw_json_put_time(&v->json, secret->created_at);
	vw_json_key(&v->json, "created_by");
	vw_json_put_text(&v->json, secret->created_by);
	vw_json_key(&v->json, "held_version");
	if (held)
		vw_json_put_uint64(&v->json, held->version);
	else
		vw_json_put_null(&v->json);
	vw_json_key(&v->json, "fingerprint");
	vw_json_put_text(&v->json, held ? held->fingerprint : NULL);
	vw_json_end_object(&v->json);
}

int api_secret_list(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	size_t count;
	vw_agent_presence none = VERIFYWISE__V1__AGENT_PRESENCE__INIT, *presence = &none;
	struct secret_rows rows;
	int code = find_agent(v, &agent, err);
	if (code == 0)
		code = vw_fleet_secret_list(v->api->settings.store, v->arena, v->organization, agent->agent_id,
					    &rows.secrets, &count, err);
	if (code < 0)
		return code;
	code =
	    vw_fleet_presence_get(v->api->settings.store, v->arena, v->organization, agent->agent_id, &presence, err);
	if (code < 0 && code != VW_ENOTFOUND)
		return code;
	rows.presence = presence;
	visit_list(v, &rows, count, NULL, put_secret);
	return 0;
}

/* The agent is told the whole set, so that one that was deleted is forgotten. */
static int send_secrets(struct visit *v, const char *agent_id, struct vw_error *err)
{
	vw_stored_secret **list;
	size_t count;
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	int code =
	    vw_fleet_secret_list(v->api->settings.store, v->arena, v->organization, agent_id, &list, &count, err);
	if (code < 0)
		return code;
	command.n_secrets = count;
	command.secrets = vw_arena_array(v->arena, count + 1, sizeof(*command.secrets));
	if (!command.secrets)
		return vw_error_set(err, VW_ENOMEM, "no memory for secrets");
	for (size_t i = 0; i < count; i++)
		command.secrets[i] = list[i]->secret;
	VW_SET(&command, kind, VW_COMMAND_SET_SECRETS);
	return api_command_store(v, agent_id, &command, err);
}

static uint64_t version_of(vw_stored_secret *const *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i]->secret->name, name) == 0)
			return list[i]->secret->version;
	return 0;
}

static int read_sealed(struct visit *v, struct vw_bytes *out, struct vw_error *err)
{
	const char *text;
	size_t len;
	struct base64_decode_ctx decode;
	int code = visit_input_text(v, "sealed", VW_MAX_SEALED * 4 / 3 + 4, &text, err);
	if (code < 0)
		return code;
	size_t text_len = text ? strlen(text) : 0;
	uint8_t *bytes = vw_arena_alloc(v->arena, BASE64_DECODE_LENGTH(text_len) + 1);
	if (!bytes)
		return vw_error_set(err, VW_ENOMEM, "no memory for a secret");
	base64_decode_init(&decode);
	if (!text || !base64_decode_update(&decode, &len, bytes, text_len, text) || !base64_decode_final(&decode) ||
	    len == 0 || len > VW_MAX_SEALED)
		return vw_error_set(err, VW_EINVAL, "sealed must be base64 of a sealed box of at most %zu bytes",
				    VW_MAX_SEALED);
	*out = (struct vw_bytes){bytes, len};
	return 0;
}

static int check_name(const char *name, struct vw_error *err)
{
	for (const char *const *known = secret_names; *known; known++)
		if (strcmp(*known, name) == 0)
			return 0;
	return vw_error_set(err, VW_EINVAL,
			    "no secret has this name; use mlflow.username, mlflow.password or mlflow.token");
}

static int put_one(struct visit *v, const vw_agent *agent, struct vw_bytes sealed, uint64_t *out_version,
		   struct vw_error *err)
{
	vw_stored_secret **list;
	size_t count;
	vw_stored_secret stored = VERIFYWISE__V1__STORED_SECRET__INIT;
	vw_sealed_secret secret = VERIFYWISE__V1__SEALED_SECRET__INIT;
	int code = vw_fleet_secret_list(v->api->settings.store, v->arena, v->organization, agent->agent_id, &list,
					&count, err);
	if (code < 0)
		return code;
	*out_version = version_of(list, count, v->segments[1]) + 1;
	secret.name = (char *)(uintptr_t)v->segments[1];
	VW_SET(&secret, version, *out_version);
	VW_SET_BYTES(&secret, sealed, sealed.data, sealed.len);
	VW_SET(&stored, organization, v->organization);
	VW_SET(&stored, created_at, v->now);
	stored.agent_id = agent->agent_id;
	stored.secret = &secret;
	stored.created_by = v->who.name;
	code = vw_fleet_secret_put(v->api->settings.store, &stored, err);
	return code == VW_EBUSY ? vw_error_set(err, code, "somebody else changed this secret just now; try again")
				: code;
}

int api_secret_put(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	struct vw_bytes sealed = {NULL, 0};
	uint64_t version = 0;
	int code = check_name(v->segments[1], err);
	if (code == 0)
		code = find_agent(v, &agent, err);
	if (code == 0)
		code = read_sealed(v, &sealed, err);
	if (code == 0)
		code = put_one(v, agent, sealed, &version, err);
	if (code == 0)
		code = visit_note(v, "secret_put", agent->agent_id, v->segments[1], err);
	if (code == 0)
		code = send_secrets(v, agent->agent_id, err);
	if (code < 0)
		return code;
	visit_begin(v, 200, "stored; it is on its way to the agent");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "name");
	vw_json_put_text(&v->json, v->segments[1]);
	vw_json_key(&v->json, "version");
	vw_json_put_uint64(&v->json, version);
	vw_json_end_object(&v->json);
	visit_end(v);
	return 0;
}

int api_secret_delete(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	int code = find_agent(v, &agent, err);
	if (code < 0)
		return code;
	code = vw_fleet_secret_delete(v->api->settings.store, v->organization, agent->agent_id, v->segments[1], err);
	if (code == VW_ENOTFOUND)
		return vw_error_set(err, code, "no such secret");
	if (code == 0)
		code = visit_note(v, "secret_deleted", agent->agent_id, v->segments[1], err);
	if (code == 0)
		code = send_secrets(v, agent->agent_id, err);
	if (code == 0)
		visit_done(v, "deleted");
	return code;
}
