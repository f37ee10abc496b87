/* Whole requests of an operator: "METHOD TARGET" in the first line, the body behind it. Whatever is asked for, the answer is one that the
 * description has, in VerifyWise's envelope where it is JSON, and never a fault of ours. */
#include "visit.h"

#include "backend.h"
#include "base/limits.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENT "0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8e"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a store that has one of everything, and takes everything ---- */

static int get_organization(struct vw_fleet_store *store, struct vw_arena *arena, int32_t id, vw_organization **out,
			    struct vw_error *err)
{
	(void)store;
	if (id != 1)
		return vw_error_set(err, VW_ENOTFOUND, "none");
	*out = vw_message_new(arena, &verifywise__v1__organization__descriptor);
	VW_SET(*out, id, id);
	(*out)->name = (char *)"acme";
	return 0;
}

static int create_organization(struct vw_fleet_store *store, struct vw_arena *arena, int32_t id, const char *name,
			       vw_organization **out, struct vw_error *err)
{
	(void)id, (void)name;
	return get_organization(store, arena, 1, out, err);
}

static int disable_organization(struct vw_fleet_store *store, int32_t id, bool disabled, struct vw_error *err)
{
	(void)store, (void)id, (void)disabled, (void)err;
	return 0;
}

static int list_organizations(struct vw_fleet_store *store, struct vw_arena *arena, int32_t after, size_t limit,
			      vw_organization ***out, size_t *out_count, struct vw_error *err)
{
	(void)after, (void)limit;
	*out = vw_arena_array(arena, 1, sizeof(**out));
	*out_count = 1;
	return get_organization(store, arena, 1, *out, err);
}

static int create_token(struct vw_fleet_store *store, const vw_enrollment_token *token, struct vw_error *err)
{
	(void)store, (void)token, (void)err;
	return 0;
}

static int create_user(struct vw_fleet_store *store, const vw_user *user, struct vw_error *err)
{
	(void)store, (void)err;
	if (!user->name || !user->public_id)
		abort();
	return 0;
}

static int list_tokens(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       vw_enrollment_token ***out, size_t *out_count, struct vw_error *err)
{
	(void)store, (void)arena, (void)organization, (void)err;
	*out = NULL;
	*out_count = 0;
	return 0;
}

static int list_users(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, vw_user ***out,
		      size_t *out_count, struct vw_error *err)
{
	(void)store, (void)arena, (void)organization, (void)err;
	*out = NULL;
	*out_count = 0;
	return 0;
}

static int revoke(struct vw_fleet_store *store, int32_t organization, const char *id, int64_t at,
		  struct vw_error *err)
{
	(void)store, (void)organization, (void)id, (void)at;
	return vw_error_set(err, VW_ENOTFOUND, "none");
}

static int get_user(struct vw_fleet_store *store, struct vw_arena *arena, const char *id, vw_user **out,
		    struct vw_error *err)
{
	(void)store, (void)arena, (void)id, (void)out;
	return vw_error_set(err, VW_ENOTFOUND, "none");
}

static int get_token(struct vw_fleet_store *store, struct vw_arena *arena, const char *id, vw_enrollment_token **out,
		     struct vw_error *err)
{
	(void)store, (void)arena, (void)id, (void)out;
	return vw_error_set(err, VW_ENOTFOUND, "none");
}

static int get_agent(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *id,
		     vw_agent **out, struct vw_error *err)
{
	(void)store, (void)organization;
	if (strcmp(id, AGENT) != 0)
		return vw_error_set(err, VW_ENOTFOUND, "none");
	*out = vw_message_new(arena, &verifywise__v1__agent__descriptor);
	(*out)->agent_id = (char *)AGENT;
	return 0;
}

static int list_agents(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const struct vw_agent_query *query, vw_agent ***out, vw_agent_presence ***out_presences,
		       size_t *out_count, struct vw_error *err)
{
	if (query->limit == 0 || query->limit > VW_MAX_PAGE)
		abort();
	*out = vw_arena_array(arena, 1, sizeof(**out));
	*out_presences = vw_arena_array(arena, 1, sizeof(**out_presences));
	(*out_presences)[0] = vw_message_new(arena, &verifywise__v1__agent_presence__descriptor);
	*out_count = query->after ? 0 : 1;
	return get_agent(store, arena, organization, AGENT, *out, err);
}

static int set_status(struct vw_fleet_store *store, int32_t organization, const char *id, vw_agent_status status,
		      const char *reason, const char *by, int64_t at, struct vw_error *err)
{
	(void)store, (void)organization, (void)id, (void)status, (void)reason, (void)by, (void)at, (void)err;
	return 0;
}

static int get_presence(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *id,
			vw_agent_presence **out, struct vw_error *err)
{
	(void)store, (void)arena, (void)organization, (void)id, (void)out;
	return vw_error_set(err, VW_ENOTFOUND, "none");
}

static int create_command(struct vw_fleet_store *store, const vw_stored_command *command, struct vw_error *err)
{
	(void)store, (void)err;
	const vw_command *c = command->command;
	if (!c->id || !c->has_kind || !c->has_expires_at || c->expires_at <= c->issued_at ||
	    (c->depth && c->kind != VW_COMMAND_SYNC) || (c->content.len > VW_MAX_POLICY_FILE))
		abort();
	return 0;
}

static int put_secret(struct vw_fleet_store *store, const vw_stored_secret *secret, struct vw_error *err)
{
	(void)store, (void)err;
	if (secret->secret->sealed.len == 0 || secret->secret->sealed.len > VW_MAX_SEALED)
		abort();
	return 0;
}

static int delete_secret(struct vw_fleet_store *store, int32_t organization, const char *id, const char *name,
			 struct vw_error *err)
{
	(void)store, (void)organization, (void)id, (void)name;
	return vw_error_set(err, VW_ENOTFOUND, "none");
}

static int list_secrets(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, const char *id,
			vw_stored_secret ***out, size_t *out_count, struct vw_error *err)
{
	(void)store, (void)arena, (void)organization, (void)id, (void)err;
	*out = NULL;
	*out_count = 0;
	return 0;
}

static int put_event(struct vw_fleet_store *store, const vw_controller_event *event, struct vw_error *err)
{
	(void)store, (void)err;
	if (!event->actor || !event->action)
		abort();
	return 0;
}

static const struct vw_fleet_ops ops = {
    .kind = "stub",
    .organization_get = get_organization,
    .organization_create = create_organization,
    .organization_disable = disable_organization,
    .organization_list = list_organizations,
    .token_create = create_token,
    .token_list = list_tokens,
    .token_revoke = revoke,
    .token_get = get_token,
    .user_create = create_user,
    .user_list = list_users,
    .user_get = get_user,
    .user_revoke = revoke,
    .agent_get = get_agent,
    .agent_list = list_agents,
    .agent_set_status = set_status,
    .presence_get = get_presence,
    .command_create = create_command,
    .secret_put = put_secret,
    .secret_delete = delete_secret,
    .secret_list = list_secrets,
    .event_put = put_event,
};
static struct vw_fleet_store store = {&ops};

/* ---- requests ---- */

static const char *no_header(const char *name, void *arg)
{
	(void)name, (void)arg;
	return NULL;
}

static struct vw_authority *make_authority(void)
{
	static const char *const hosts[] = {"localhost", NULL};
	char folder[] = "/tmp/vw-api-fuzz-XXXXXX", command[64];
	struct vw_error err = VW_ERROR_INIT;
	struct vw_authority *authority;
	struct vw_authority_settings settings = {.folder = folder,
						 .trust_domain = "fleet.example",
						 .hosts = hosts,
						 .agent_life_ms = 1000000,
						 .server_life_ms = 1000000};
	if (!mkdtemp(folder) || vw_authority_create(&settings, NULL, NULL, &err) < 0 ||
	    vw_authority_open(&settings, &authority, &err) < 0)
		abort();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		abort();
	return authority;
}

static struct vw_api *make_api(void)
{
	static struct vw_enroller enroller;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_api *api;
	enroller = (struct vw_enroller){&store, make_authority(), "localhost:1"};
	struct vw_api_settings settings = {.store = &store,
					   .authority = enroller.authority,
					   .enroller = &enroller,
					   .requests_per_second = 1e9,
					   .burst = 1000000000};
	vw_log_setup(VW_LOG_ERROR, VW_LOG_TEXT);
	if (vw_api_open(&settings, &api, &err) < 0)
		abort();
	return api;
}

/* What only reads needs more of a store: here it is about what comes in. */
static bool is_wanted(const char *method, const char *path)
{
	return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 && !strstr(path, "/readyz");
}

static void check(const struct vw_api_response *response)
{
	struct vw_error err = VW_ERROR_INIT;
	json_t *root = NULL;
	if (response->status < 200 || response->status > 415)
		abort();
	if (strcmp(response->content_type, "application/json") != 0)
		return;
	if (vw_json_parse(vw_buffer_text(&response->body), response->body.len, "answer", &root, &err) < 0 ||
	    !json_is_string(json_object_get(root, "message")) || !json_object_get(root, "data"))
		abort();
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vw_api *api;
	static const struct vw_principal operator= {.role = VW_ROLE_ADMIN, .name = "local:fuzz"};
	struct vw_api_response response;
	api = api ? api : make_api();
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	const char *end = memchr(data, '\n', size);
	size_t line_len = end ? (size_t)(end - (const char *)data) : size, body = end ? line_len + 1 : size;
	char *method = vw_arena_strndup(arena, (const char *)data, line_len);
	char *path = strchr(method, ' '), *query = path ? strchr(path, '?') : NULL;
	if (!path)
		return 0;
	*path++ = 0;
	if (query)
		*query++ = 0;
	if (!is_wanted(method, path))
		return 0;
	struct vw_api_request request = {.method = method,
					 .path = path,
					 .query = query,
					 .header = no_header,
					 .body = {data + body, size - body},
					 .peer = "local",
					 .local = &operator};
	vw_api_handle(api, &request, arena, &response);
	check(&response);
	vw_api_response_close(&response);
	return 0;
}
