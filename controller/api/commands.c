/* commands.c: telling agents what to do, and what became of it. */
#include "routes.h"

#include "base/digest.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_LIFE_MS ((int64_t)24 * 3600 * 1000)
#define LIFE_MAX_S      ((int64_t)30 * 24 * 3600)

/* An agent's own JSON, or, when it is none, its bytes in base64. */
static void put_result(struct visit *v, const vw_command_update *update)
{
	struct vw_error why;
	json_t *parsed VW_AUTO(vw_json_cleanup) = NULL;
	const ProtobufCBinaryData *bytes = &update->result;
	if (!update->has_result) {
		vw_json_put_null(&v->json);
		return;
	}
	if (vw_json_parse((const char *)bytes->data, bytes->len, "a result", &parsed, &why) < 0) {
		char *text = vw_arena_alloc(v->arena, 4 * ((bytes->len + 2) / 3) + 1);
		vw_json_put_text(&v->json, text ? vw_base64_encode(bytes->data, bytes->len, text) : NULL);
		return;
	}
	char *text = json_dumps(parsed, JSON_COMPACT | JSON_ENCODE_ANY);
	vw_json_put_raw(&v->json, text ? text : "null");
	free(text);
}

static void put_update(struct visit *v, const vw_command_update *update, bool with_result)
{
	static const char *const hidden[] = {"id", "result", NULL};
	vw_json_key(&v->json, "update");
	if (!update) {
		vw_json_put_null(&v->json);
		return;
	}
	vw_json_begin_object(&v->json);
	vw_message_json_fields_but(&v->json, &update->base, hidden);
	if (with_result) {
		vw_json_key(&v->json, "result");
		put_result(v, update);
	}
	vw_json_end_object(&v->json);
}

/* Secrets not even sealed. Of a policy or configuration only how long it is; its SHA-256 is the agent's desired_..._sha256. */
static void put_command(struct visit *v, const vw_stored_command *stored, bool with_result)
{
	static const char *const hidden[] = {"content", "secrets", NULL};
	const vw_command *command = stored->command;
	vw_json_begin_object(&v->json);
	vw_message_json_fields_but(&v->json, &command->base, hidden);
	vw_json_key(&v->json, "content_bytes");
	if (command->has_content)
		vw_json_put_uint64(&v->json, command->content.len);
	else
		vw_json_put_null(&v->json);
	visit_text(v, "agent_id", stored->agent_id);
	visit_text(v, "state", vw_enum_name(&verifywise__v1__command_state__descriptor, (int)stored->state));
	vw_json_key(&v->json, "delivered_at");
	vw_json_put_time(&v->json, stored->delivered_at);
	vw_json_key(&v->json, "finished_at");
	vw_json_put_time(&v->json, stored->finished_at);
	put_update(v, stored->update, with_result);
	vw_json_end_object(&v->json);
}

/* Results only of one command at a time: each may have a megabyte. */
static void put_row(struct visit *v, size_t i, const void *items)
{
	vw_stored_command *const *list = items;
	put_command(v, list[i], false);
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
	stored.agent_id = (char *)agent_id;
	stored.command = command;
	return vw_fleet_command_create(v->api->settings.store, &stored, err);
}

static const char *kind_name(const vw_command *command)
{
	return vw_enum_name(&verifywise__v1__command_kind__descriptor, (int)command->kind);
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

/* Which member goes with which kind, besides expires_in_s: what would be passed over in silence is refused. */
static const struct {
	const char *member;
	vw_command_kind kinds[2];
} members[] = {{"depth", {VW_COMMAND_SYNC, VW_COMMAND_SYNC}},
	       {"model", {VW_COMMAND_SYNC, VW_COMMAND_SYNC}},
	       {"from_sequence", {VW_COMMAND_RESEND, VW_COMMAND_RESEND}},
	       {"content", {VW_COMMAND_SET_POLICY, VW_COMMAND_SET_CONFIGURATION}}};

static int check_members(const struct visit *v, const vw_command *command, struct vw_error *err)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const json_t *value = json_object_get(v->input, members[i].member);
		bool fits = command->kind == members[i].kinds[0] || command->kind == members[i].kinds[1];
		if (value && !json_is_null(value) && !fits)
			return vw_error_set(err, VW_EINVAL, "%s is nothing for %s", members[i].member,
					    kind_name(command));
	}
	return 0;
}

static int read_content(struct visit *v, vw_command *out, struct vw_error *err)
{
	const char *content;
	bool wanted = out->kind == VW_COMMAND_SET_POLICY || out->kind == VW_COMMAND_SET_CONFIGURATION;
	int code = visit_input_text(v, "content", VW_MAX_POLICY_FILE, &content, err);
	if (code < 0 || !wanted)
		return code;
	if (!content)
		return vw_error_set(err, VW_EINVAL,
				    "content is missing: the YAML, or an empty text for the agent's own");
	VW_SET_BYTES(out, content, content, strlen(content));
	return 0;
}

static int read_sync(struct visit *v, vw_command *out, struct vw_error *err)
{
	const char *depth, *model;
	int code = visit_input_text(v, "depth", 16, &depth, err);
	if (code == 0)
		code = check_depth(depth, err);
	if (code == 0)
		code = visit_input_text(v, "model", VW_MAX_NAME, &model, err);
	if (code < 0)
		return code;
	out->depth = (char *)depth;
	out->model = (char *)model;
	return 0;
}

static int read_command(struct visit *v, vw_command *out, struct vw_error *err)
{
	int64_t from, life;
	bool has_from = false, has_life = false;
	int code = read_kind(v, out, err);
	if (code == 0)
		code = check_members(v, out, err);
	if (code == 0)
		code = read_sync(v, out, err);
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
	stored.agent_id = (char *)agent_id;
	stored.command = command;
	visit_begin(v, 202, "queued");
	put_command(v, &stored, true);
	visit_end(v);
}

int api_command_create(struct visit *v, struct vw_error *err)
{
	vw_agent *agent;
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	int code = read_command(v, &command, err);
	if (code == 0)
		code = visit_agent(v, &agent, err);
	if (code == 0)
		code = api_command_store(v, agent->agent_id, &command, err);
	if (code == 0)
		code = visit_note(v, "command_issued", agent->agent_id,
				  vw_arena_printf(v->arena, "%s %s", kind_name(&command), command.id), err);
	if (code == 0)
		answer_created(v, agent->agent_id, &command);
	return code;
}

struct fan_out {
	uint64_t queued, refused;
};

/* An agent that has too many open commands already is passed over, and counted. */
static int queue_for_all(struct visit *v, vw_command *command, struct fan_out *out, struct vw_error *err)
{
	char after[VW_AGENT_ID_MAX] = "";
	vw_agent_status active = VW_AGENT_ACTIVE;
	struct vw_agent_query query = {.limit = VW_MAX_PAGE, .status = &active};
	vw_agent **agents;
	vw_agent_presence **presences;
	size_t count;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for commands");
	do {
		vw_arena_reset(arena);
		int code = vw_fleet_agent_list(v->api->settings.store, arena, v->organization, &query, &agents,
					       &presences, &count, err);
		for (size_t i = 0; code == 0 && i < count; i++) {
			code = api_command_store(v, agents[i]->agent_id, command, err);
			out->queued += code == 0;
			out->refused += code == VW_ELIMIT;
			code = code == VW_ELIMIT ? 0 : code;
		}
		if (code < 0)
			return code;
		snprintf(after, sizeof(after), "%s", count ? agents[count - 1]->agent_id : "");
		query.after = after;
	} while (count == VW_MAX_PAGE);
	return 0;
}

/* The same for every active agent of the organization: each gets a command of its own. */
int api_command_create_for_all(struct visit *v, struct vw_error *err)
{
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	struct fan_out done = {0, 0};
	int code = read_command(v, &command, err);
	if (code < 0)
		return code;
	code = queue_for_all(v, &command, &done, err);
	/* what was queued is on its way, and is put down whatever else went wrong */
	const char *text = vw_arena_printf(v->arena, "%s: %" PRIu64 " agents, %" PRIu64 " passed over",
					   kind_name(&command), done.queued, done.refused);
	struct vw_error why = VW_ERROR_INIT;
	int noted = visit_note(v, "command_issued", "all agents", text, &why);
	if (code == 0 && noted < 0)
		return vw_error_set(err, noted, "%s", why.message);
	if (code < 0)
		return code;
	visit_begin(v, 202, "queued");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "agents");
	vw_json_put_uint64(&v->json, done.queued);
	vw_json_key(&v->json, "refused");
	vw_json_put_uint64(&v->json, done.refused);
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
	vw_agent *agent;
	int code = visit_agent(v, &agent, err);
	return code < 0 ? code : list_commands(v, agent->agent_id, err);
}

int api_command_get(struct visit *v, struct vw_error *err)
{
	vw_stored_command *stored;
	int code = vw_agent_id_valid(v->segments[0]) /* a UUID too */
		       ? vw_fleet_command_get(v->api->settings.store, v->arena, v->organization, v->segments[0],
					      &stored, err)
		       : VW_ENOTFOUND;
	if (code == VW_ENOTFOUND)
		return vw_error_set(err, code, "no such command");
	if (code < 0)
		return code;
	visit_begin(v, 200, "OK");
	put_command(v, stored, true);
	visit_end(v);
	return 0;
}
