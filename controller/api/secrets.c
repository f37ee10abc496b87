/* secrets.c: secrets that an operator sealed to one agent: stored, listed and handed on, never opened (S4.5, S11.1). */
#include "routes.h"

#include "base/limits.h"

#include <nettle/base64.h>
#include <string.h>

static const char *const secret_names[] = {"mlflow.username", "mlflow.password", "mlflow.token", NULL};

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
	int code = visit_agent(v, &agent, err);
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
	secret.name = (char *)v->segments[1];
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
		code = visit_agent(v, &agent, err);
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
	int code = visit_agent(v, &agent, err);
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
