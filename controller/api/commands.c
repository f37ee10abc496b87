/* commands.c: telling agents what to do, and what became of it. */
#include "routes.h"

#include "base/digest.h"
#include "base/limits.h"

#include <string.h>

#define COMMAND_LIFE_MS ((int64_t)24 * 3600 * 1000)
#define LIFE_MAX_S      ((int64_t)30 * 24 * 3600)

static void put_command(struct visit *v, const vw_stored_command *stored)
{
	vw_command shown = *stored->command;
	shown.n_secrets = 0;   /* not even sealed */
	shown.has_content = 0; /* a policy or configuration has a route of its own length */
	vw_json_begin_object(&v->json);
	vw_message_json_fields(&v->json, &shown.base);
	vw_json_key(&v->json, "agent_id");
	vw_json_put_text(&v->json, stored->agent_id);
	vw_json_key(&v->json, "state");
	vw_json_put_text(&v->json, vw_enum_name(&verifywise__v1__command_state__descriptor, (int)stored->state));
	vw_json_key(&v->json, "delivered_at");
	vw_json_put_time(&v->json, stored->delivered_at);
	vw_json_key(&v->json, "finished_at");
	vw_json_put_time(&v->json, stored->finished_at);
	vw_json_key(&v->json, "update");
	if (stored->update)
		vw_message_json(&v->json, &stored->update->base);
	else
		vw_json_put_null(&v->json);
	vw_json_end_object(&v->json);
}

static void put_row(struct visit *v, size_t i, const void *items)
{
	vw_stored_command *const *list = items;
	put_command(v, list[i]);
}

/* ---- making ---- */

int api_command_store(struct visit *v, const char *agent_id, vw_command *command, struct vw_error *err)
{
	vw_stored_command stored = VERIFYWISE__V1__STORED_COMMAND__INIT;
	char *id = vw_arena_alloc(v->arena, VW_UUID_TEXT);
	if (!id)
		return vw_error_set(err, VW_ENOMEM, "no memory for a command");
	command->id = vw_random_uuid(id);
	command->issued_by = v->who.name;
	VW_SET(command, issued_at, v->now);
	if (!command->has_expires_at)
		VW_SET(command, expires_at, v->now + COMMAND_LIFE_MS);
	VW_SET(&stored, organization, v->organization);
	VW_SET(&stored, state, VW_COMMAND_STATE_QUEUED);
	stored.agent_id = (char *)(uintptr_t)agent_id;
	stored.command = command;
	int code = vw_fleet_command_create(v->api->settings.store, &stored, err);
	if (code < 0)
		return code;
	return visit_note(v, "command_issued", agent_id,
			  vw_arena_printf(v->arena, "%s %s",
					  vw_enum_name(&verifywise__v1__command_kind__descriptor, (int)command->kind),
					  id),
			  err);
}

static int check_depth(const char *depth, struct vw_error *err)
{
	if (!depth || strcmp(depth, "quick") == 0 || strcmp(depth, "full") == 0 || strcmp(depth, "reconcile") == 0)
		return 0;
	return vw_error_set(err, VW_EINVAL, "depth must be quick, full or reconcile");
}

static int read_kind(struct visit *v, vw_command *out, struct vw_error *err)
{
	const char *kind;
	int value = 0;
	int code = visit_input_text(v, "kind", 64, &kind, err);
	if (code < 0)
		return code;
	if (!kind || !vw_enum_value(&verifywise__v1__command_kind__descriptor, kind, &value) ||
	    value == VW_COMMAND_SET_SECRETS)
		return vw_error_set(
		    err, VW_EINVAL,
		    "kind must be sync, reevaluate, set_policy, set_configuration, pause, resume, resend, "
		    "rotate_certificate or diagnose");
	VW_SET(out, kind, (vw_command_kind)value);
	return 0;
}

static int read_content(struct visit *v, vw_command *out, struct vw_error *err)
{
	const char *content;
	bool wanted = out->kind == VW_COMMAND_SET_POLICY || out->kind == VW_COMMAND_SET_CONFIGURATION;
	int code = visit_input_text(v, "content", VW_MAX_POLICY_FILE, &content, err);
	if (code < 0)
		return code;
	if (wanted && !content)
		return vw_error_set(err, VW_EINVAL,
				    "content is missing: the YAML, or an empty text for the agent's own");
	if (wanted)
		VW_SET_BYTES(out, content, content, strlen(content));
	return 0;
}

static int read_command(struct visit *v, vw_command *out, struct vw_error *err)
{
	const char *depth = NULL, *model = NULL;
	int64_t from, life;
	bool has_from = false, has_life = false;
	int code = read_kind(v, out, err);
	if (code == 0)
		code = visit_input_text(v, "depth", 16, &depth, err);
	if (code == 0)
		code = check_depth(depth, err);
	if (code == 0)
		code = visit_input_text(v, "model", VW_MAX_NAME, &model, err);
	if (code == 0)
		code = visit_input_int(v, "from_sequence", 1, INT64_MAX, &from, &has_from, err);
	if (code == 0)
		code = visit_input_int(v, "expires_in_s", 1, LIFE_MAX_S, &life, &has_life, err);
	if (code == 0)
		code = read_content(v, out, err);
	if (code < 0)
		return code;
	if (out->kind == VW_COMMAND_RESEND && !has_from)
		return vw_error_set(err, VW_EINVAL, "from_sequence is missing");
	out->depth = (char *)(uintptr_t)depth;
	out->model = (char *)(uintptr_t)model;
	if (has_from)
		VW_SET(out, from_sequence, (uint64_t)from);
	if (has_life)
		VW_SET(out, expires_at, v->now + life * 1000);
	return 0;
}

static void answer_created(struct visit *v, const char *agent_id, vw_command *command)
{
	vw_stored_command stored = VERIFYWISE__V1__STORED_COMMAND__INIT;
	VW_SET(&stored, state, VW_COMMAND_STATE_QUEUED);
	stored.agent_id = (char *)(uintptr_t)agent_id;
	stored.command = command;
	visit_begin(v, 202, "queued");
	put_command(v, &stored);
	visit_end(v);
}

int api_command_create(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	int code = read_command(v, &command, err);
	if (code < 0)
		return code;
	code = vw_agent_id_valid(v->segments[0]) ? vw_fleet_agent_get(v->api->settings.store, v->arena,
								      v->organization, v->segments[0], &agent, err)
						 : VW_ENOTFOUND;
	if (code == VW_ENOTFOUND)
		return vw_error_set(err, code, "no such agent");
	if (code == 0)
		code = api_command_store(v, agent->agent_id, &command, err);
	if (code == 0)
		answer_created(v, agent->agent_id, &command);
	return code;
}

/* The same for every active agent of the organization: each gets a command of its own. */
int api_command_create_for_all(struct visit *v, struct vw_error *err)
{
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	vw_agent_status active = VW_AGENT_ACTIVE;
	struct vw_agent_query query = {.limit = VW_MAX_PAGE, .status = &active};
	vw_agent **agents;
	vw_agent_presence **presences;
	size_t count, total = 0;
	int code = read_command(v, &command, err);
	if (code < 0)
		return code;
	do {
		code = vw_fleet_agent_list(v->api->settings.store, v->arena, v->organization, &query, &agents,
					   &presences, &count, err);
		for (size_t i = 0; code == 0 && i < count; i++)
			code = api_command_store(v, agents[i]->agent_id, &command, err);
		if (code < 0)
			return code;
		total += count;
		query.after = count ? agents[count - 1]->agent_id : NULL;
	} while (count == VW_MAX_PAGE);
	visit_begin(v, 202, "queued");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "agents");
	vw_json_put_uint64(&v->json, total);
	vw_json_end_object(&v->json);
	visit_end(v);
	return 0;
}

/* ---- looking ---- */

static int list_commands(struct visit *v, const char *agent_id, struct vw_error *err)
{
	struct vw_page page;
	vw_stored_command **list;
	size_t count;
	char *next;
	int code = visit_page(v, &page, err);
	if (code == 0)
		code = vw_fleet_command_list(v->api->settings.store, v->arena, v->organization, agent_id, &page,
					     &list, &count, &next, err);
	if (code == 0)
		visit_list(v, list, count, next, put_row);
	return code;
}

int api_command_list(struct visit *v, struct vw_error *err)
{
	return list_commands(v, NULL, err);
}

int api_command_list_of_agent(struct visit *v, struct vw_error *err)
{
	if (!vw_agent_id_valid(v->segments[0]))
		return vw_error_set(err, VW_ENOTFOUND, "no such agent");
	return list_commands(v, v->segments[0], err);
}

int api_command_get(struct visit *v, struct vw_error *err)
{
	vw_stored_command *stored;
	int code =
	    vw_fleet_command_get(v->api->settings.store, v->arena, v->organization, v->segments[0], &stored, err);
	if (code == VW_ENOTFOUND)
		return vw_error_set(err, code, "no such command");
	if (code < 0)
		return code;
	visit_begin(v, 200, "OK");
	put_command(v, stored);
	visit_end(v);
	return 0;
}
