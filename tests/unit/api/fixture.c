#include "fixture.h"

#include "base/clock.h"
#include "base/digest.h"
#include "fleet/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vw_error f_err;

static void make_user(struct fixture *f, int32_t organization, vw_role role, char out[128])
{
	struct vw_token token;
	uint8_t digest[32];
	struct vw_secret *line;
	vw_user user = VERIFYWISE__V1__USER__INIT;
	vw_token_make(VW_TOKEN_USER, NULL, &token);
	vw_token_digest(&token, digest);
	user.public_id = token.public_id;
	user.name = (char *)"tester";
	VW_SET(&user, organization, organization);
	VW_SET(&user, role, role);
	VW_SET(&user, created_at, vw_clock_now());
	VW_SET_BYTES(&user, secret_sha256, digest, sizeof(digest));
	assert_ok(vw_fleet_user_create(f->store, &user, &f_err));
	assert_ok(vw_token_print(&token, &line, &f_err));
	snprintf(out, 128, "%s", vw_secret_text(line));
	vw_secret_close(line);
}

static void open_store(struct fixture *f)
{
	char url[128];
	snprintf(url, sizeof(url), "lmdb:%s/store", f->folder);
	struct vw_fleet_store_settings settings = {.url = url, .create = true};
	assert_ok(vw_fleet_store_open(&settings, &f->store, &f_err));
}

static void open_authority(struct fixture *f)
{
	static const char *const hosts[] = {"localhost", NULL};
	char folder[128];
	snprintf(folder, sizeof(folder), "%s/authority", f->folder);
	struct vw_authority_settings settings = {.folder = folder,
						 .trust_domain = "fleet.example",
						 .hosts = hosts,
						 .agent_life_ms = 86400000,
						 .server_life_ms = 86400000};
	assert_ok(vw_authority_create(&settings, NULL, NULL, &f_err));
	assert_ok(vw_authority_open(&settings, &f->authority, &f_err));
}

void fixture_limit(struct fixture *f, double per_second, int burst)
{
	vw_api_close(f->api);
	struct vw_api_settings settings = {.store = f->store,
					   .authority = f->authority,
					   .enroller = &f->enroller,
					   .jwt_secret = f->jwt_secret,
					   .requests_per_second = per_second,
					   .burst = burst,
					   .replica = "a"};
	assert_ok(vw_api_open(&settings, &f->api, &f_err));
}

int fixture_open(void **state)
{
	vw_organization *organization;
	struct fixture *f = calloc(1, sizeof(*f));
	snprintf(f->folder, sizeof(f->folder), "/tmp/vw-api-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->arena = vw_arena_open(0);
	open_store(f);
	open_authority(f);
	f->enroller = (struct vw_enroller){f->store, f->authority, "localhost:1"};
	f->jwt_secret = vw_secret_open(JWT_KEY, strlen(JWT_KEY));
	fixture_limit(f, 1e6, 1000000);
	assert_ok(vw_fleet_organization_create(f->store, f->arena, 0, "acme", &organization, &f_err));
	f->organization = organization->id;
	assert_ok(vw_fleet_organization_create(f->store, f->arena, 0, "other", &organization, &f_err));
	f->other = organization->id;
	make_user(f, 0, VW_ROLE_ADMIN, f->operator);
	make_user(f, f->organization, VW_ROLE_ADMIN, f->admin);
	make_user(f, f->organization, VW_ROLE_AUDITOR, f->auditor);
	make_user(f, f->other, VW_ROLE_ADMIN, f->stranger);
	*state = f;
	return 0;
}

int fixture_close(void **state)
{
	struct fixture *f = *state;
	char command[128];
	vw_api_close(f->api);
	vw_fleet_store_close(f->store);
	vw_authority_close(f->authority);
	vw_secret_close(f->jwt_secret);
	vw_arena_close(f->arena);
	snprintf(command, sizeof(command), "rm -rf %s", f->folder);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* ---- requests ---- */

struct headers {
	const char *authorization, *type;
};

static const char *header_of(const char *name, void *arg)
{
	const struct headers *headers = arg;
	if (strcmp(name, "Authorization") == 0)
		return headers->authorization;
	return strcmp(name, "Content-Type") == 0 ? headers->type : NULL;
}

void ask(struct fixture *f, const struct question *q, struct vw_api_response *out)
{
	char *target = vw_arena_strdup(f->arena, q->target);
	char *query = strchr(target, '?');
	if (query)
		*query++ = 0;
	struct headers headers = {q->token ? vw_arena_printf(f->arena, "Bearer %s", q->token) : NULL, q->type};
	struct vw_api_request request = {.method = q->method,
					 .path = target,
					 .query = query,
					 .header = header_of,
					 .arg = &headers,
					 .body = {q->body, q->body ? strlen(q->body) : 0},
					 .peer = q->peer ? q->peer : "192.0.2.1"};
	vw_api_handle(f->api, &request, f->arena, out);
}

int ask_json(struct fixture *f, const char *method, const char *target, const char *token, const char *body,
	     json_t **out)
{
	struct vw_api_response response;
	struct question question = {method, target, token, body, "application/json", NULL};
	ask(f, &question, &response);
	int status = response.status;
	assert_null(response.next);
	assert_ok(vw_json_parse(vw_buffer_text(&response.body), response.body.len, "answer", out, &f_err));
	/* VerifyWise's envelope */
	assert_non_null(json_string_value(json_object_get(*out, "message")));
	assert_true(json_object_size(*out) == 2 && json_object_get(*out, status < 500 ? "data" : "error"));
	vw_api_response_close(&response);
	return status;
}

int ask_status(struct fixture *f, const char *method, const char *target, const char *token, const char *body)
{
	json_t *answer;
	int status = ask_json(f, method, target, token, body, &answer);
	json_decref(answer);
	return status;
}
