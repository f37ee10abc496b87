/* Requests from their beginning to their answer: who may, what is refused, and what is told of it. */
#include "fixture.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY "00000000-0000-4000-8000-000000000000"

static void refuses_strangers(void **state)
{
	struct fixture *f = *state;
	json_t *answer;
	assert_int_equal(ask_json(f, "GET", "/api/v1/agents", NULL, NULL, &answer), 401);
	assert_string_equal(json_string_value(json_object_get(answer, "message")),
			    "the Authorization header has no valid Bearer token");
	json_decref(answer);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents", "vwu1.nonsense", NULL), 401);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents",
				    "vwu1.0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", NULL),
			 401);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents", "", NULL), 401);
	assert_int_equal(ask_status(f, "GET", "/api/v1/nothing", NULL, NULL), 404);
	assert_int_equal(ask_status(f, "GET", "/healthz", NULL, NULL), 200);
}

static void keeps_roles_apart(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents", f->auditor, NULL), 200);
	assert_int_equal(ask_status(f, "GET", "/api/v1/tokens", f->auditor, NULL), 403);
	assert_int_equal(ask_status(f, "POST", "/api/v1/tokens", f->auditor, "{}"), 403);
	assert_int_equal(ask_status(f, "POST", "/api/v1/tokens", f->admin, "{}"), 201);
	assert_int_equal(ask_status(f, "POST", "/api/v1/organizations", f->admin, "{\"name\":\"x\"}"), 403);
	assert_int_equal(ask_status(f, "POST", "/api/v1/organizations", f->operator, "{\"name\":\"x\"}"), 201);
	assert_int_equal(ask_status(f, "POST", "/api/v1/organizations", f->operator, "{\"name\":\"x\"}"), 409);
	assert_int_equal(ask_status(f, "GET", "/metrics", f->admin, NULL), 403);
	assert_int_equal(ask_status(f, "POST", "/api/v1/users", f->admin,
				    "{\"name\":\"n\",\"role\":\"admin\",\"all_organizations\":true}"),
			 403);
}

/* Another tenant's is, word by word, what never was. */
static void keeps_tenants_apart(void **state)
{
	struct fixture *f = *state;
	char path[128];
	json_t *theirs, *none;
	snprintf(path, sizeof(path), "/api/v1/agents?organization=%d", f->other);
	assert_int_equal(ask_json(f, "GET", path, f->admin, NULL, &theirs), 404);
	assert_int_equal(ask_json(f, "GET", "/api/v1/agents?organization=99999", f->admin, NULL, &none), 404);
	assert_true(json_equal(theirs, none));
	json_decref(theirs);
	json_decref(none);
	snprintf(path, sizeof(path), "/api/v1/organizations/%d", f->other);
	assert_int_equal(ask_status(f, "GET", path, f->admin, NULL), 404);
	assert_int_equal(ask_status(f, "GET", path, f->stranger, NULL), 200);
	assert_int_equal(ask_status(f, "GET", path, f->operator, NULL), 200);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents/" NOBODY, f->admin, NULL), 404);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents/nonsense", f->admin, NULL), 404);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents/" NOBODY "/commands", f->admin, NULL), 404);
}

/* An operator says whose things are meant, unless there is one organization alone. */
static void asks_operators_which_tenant(void **state)
{
	struct fixture *f = *state;
	char path[128];
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents", f->operator, NULL), 400);
	snprintf(path, sizeof(path), "/api/v1/agents?organization=%d", f->other);
	assert_int_equal(ask_status(f, "GET", path, f->operator, NULL), 200);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents?organization=99999", f->operator, NULL), 404);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents?organization=0", f->operator, NULL), 400);
	assert_int_equal(ask_status(f, "GET", "/api/v1/overview", f->operator, NULL), 200);
}

static void refuses_queries(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"/api/v1/agents?stauts=active",    "/api/v1/agents?status=gone",
					  "/api/v1/agents?limit=0",          "/api/v1/agents?limit=1001",
					  "/api/v1/agents?limit=x",          "/api/v1/agents?limit=1&limit=2",
					  "/api/v1/agents?text=%zz",         "/api/v1/agents?connected=yes",
					  "/api/v1/agents?cursor=nonsense",  "/api/v1/records?order=size",
					  "/api/v1/records?cursor=nonsense", "/api/v1/records?agent=x",
					  "/api/v1/events?since=yesterday",  "/api/v1/records/export?format=xml",
					  "/api/v1/gaps?severity=urgent",    "/api/v1/commands?cursor=nonsense",
					  "/api/v1/trail?cursor=nonsense"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int status = ask_status(f, "GET", bad[i], f->admin, NULL);
		if (status != 400)
			fail_msg("%s: %d", bad[i], status);
	}
	assert_int_equal(ask_status(f, "GET", "/api/v1/events?since=2026-01-01", f->admin, NULL), 200);
	assert_int_equal(ask_status(f, "GET", "/api/v1/events?since=1772366400000", f->admin, NULL), 200);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents?limit=&text=", f->admin, NULL), 200);
	assert_int_equal(ask_status(f, "GET", "/healthz?x=1", NULL, NULL), 400);
}

static void refuses_bodies(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"[]",
					  "{",
					  "null",
					  "{\"expire_in_s\":1}",
					  "{\"uses\":0}",
					  "{\"uses\":\"1\"}",
					  "{\"uses\":1.5}",
					  "{\"uses\":1e300}",
					  "{\"uses\":1,\"uses\":2}",
					  "{\"label\":5}",
					  "{\"label\":\"\\u0000\"}",
					  "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int status = ask_status(f, "POST", "/api/v1/tokens", f->admin, bad[i]);
		if (status != 400)
			fail_msg("%s: %d", bad[i], status);
	}
	assert_int_equal(ask_status(f, "POST", "/api/v1/tokens", f->admin, "{\"uses\":1.0,\"label\":null}"), 201);
	assert_int_equal(ask_status(f, "POST", "/api/v1/tokens", f->admin, NULL), 201);
	char *large = malloc(API_SMALL_BODY + 2);
	memset(large, ' ', API_SMALL_BODY + 1);
	large[API_SMALL_BODY + 1] = 0;
	assert_int_equal(ask_status(f, "POST", "/api/v1/tokens", f->admin, large), 413);
	free(large);
}

static void refuses_commands(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"{}",
					  "{\"kind\":\"destroy\"}",
					  "{\"kind\":\"set_secrets\"}",
					  "{\"kind\":\"pause\",\"depth\":\"quick\"}",
					  "{\"kind\":\"sync\",\"depth\":\"deep\"}",
					  "{\"kind\":\"sync\",\"content\":\"x\"}",
					  "{\"kind\":\"set_policy\"}",
					  "{\"kind\":\"resend\"}",
					  "{\"kind\":\"resend\",\"from_sequence\":0}",
					  "{\"kind\":\"sync\",\"expires_in_s\":0}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int status = ask_status(f, "POST", "/api/v1/commands", f->admin, bad[i]);
		if (status != 400)
			fail_msg("%s: %d", bad[i], status);
	}
	json_t *answer;
	assert_int_equal(ask_json(f, "POST", "/api/v1/commands", f->admin, "{\"kind\":\"sync\"}", &answer), 202);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(answer, "data"), "agents")), 0);
	json_decref(answer);
}

static void limits_each_by_itself(void **state)
{
	struct fixture *f = *state;
	struct vw_api_response response;
	fixture_limit(f, 0.5, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ask_status(f, "GET", "/api/v1/agents", f->admin, NULL), 200);
	ask(f, &(struct question){"GET", "/api/v1/agents", f->admin, NULL, NULL, NULL}, &response);
	assert_int_equal(response.status, 429);
	assert_int_equal(response.retry_after_s, 2);
	vw_api_response_close(&response);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents", f->auditor, NULL), 200);
	/* who is not known is counted by address: of IPv6 by the network */
	static const char *const peers[] = {"2001:db8::1", "2001:db8::2", "2001:db8::ffff:3", "2001:db8:0:1::1"};
	static const int statuses[] = {401, 401, 429, 401};
	for (size_t i = 0; i < 4; i++) {
		ask(f, &(struct question){"GET", "/api/v1/agents", "x", NULL, NULL, peers[i]}, &response);
		assert_int_equal(response.status, statuses[i]);
		vw_api_response_close(&response);
	}
}

static const char *one_of_two(const char *name, void *arg)
{
	const char *const *given = arg;
	return strcmp(name, "Authorization") == 0 ? given[0] : strcmp(name, "Content-Type") == 0 ? given[1] : NULL;
}

static bool admit(struct fixture *f, const char *token, const char *path, const char *type, size_t *most, int *status)
{
	char *authorization = token ? vw_arena_printf(f->arena, "Bearer %s", token) : NULL;
	const char *headers[] = {authorization, type};
	struct vw_api_request request = {
	    .method = "POST", .path = path, .header = one_of_two, .arg = headers, .peer = "192.0.2.1"};
	struct vw_api_response response;
	bool welcome = vw_api_admit(f->api, &request, f->arena, most, &response);
	*status = response.status;
	vw_api_response_close(&response);
	return welcome;
}

/* Before a body is read. */
static void admits_only_welcome_bodies(void **state)
{
	struct fixture *f = *state;
	size_t most;
	int status;
	assert_true(admit(f, f->admin, "/api/v1/tokens", "application/json", &most, &status));
	assert_int_equal(most, API_SMALL_BODY);
	assert_true(admit(f, f->admin, "/api/v1/commands", "Application/JSON; charset=utf-8", &most, &status));
	assert_int_equal(most, VW_MAX_REQUEST_BODY);
	assert_true(admit(f, NULL, "/enroll/v1/enroll", "application/protobuf", &most, &status));
	assert_int_equal(most, VW_MAX_FLEET_HELLO);
	assert_false(admit(f, NULL, "/api/v1/tokens", "application/json", &most, &status));
	assert_int_equal(status, 401);
	assert_false(admit(f, f->admin, "/api/v1/tokens", "application/x-www-form-urlencoded", &most, &status));
	assert_int_equal(status, 415);
	assert_false(admit(f, f->admin, "/api/v1/tokens", NULL, &most, &status));
	assert_int_equal(status, 415);
	assert_false(admit(f, f->admin, "/api/v1/nothing", "application/json", &most, &status));
	assert_int_equal(status, 404);
	assert_false(admit(f, f->admin, "/healthz", "application/json", &most, &status));
	assert_int_equal(status, 405);
}

static json_t *item(json_t *answer, size_t index)
{
	return json_array_get(json_object_get(json_object_get(answer, "data"), "items"), index);
}

/* Whoever does something is in the trail by name and by token (S3.5, S4.4). */
static void writes_down_who_did_it(void **state)
{
	struct fixture *f = *state;
	json_t *answer;
	char actor[64];
	assert_int_equal(ask_status(f, "POST", "/api/v1/tokens", f->admin, "{\"label\":\"edge\"}"), 201);
	assert_int_equal(ask_json(f, "GET", "/api/v1/trail", f->auditor, NULL, &answer), 200);
	snprintf(actor, sizeof(actor), "user:tester:%.16s", f->admin + 5);
	assert_string_equal(json_string_value(json_object_get(item(answer, 0), "actor")), actor);
	assert_string_equal(json_string_value(json_object_get(item(answer, 0), "action")), "token_created");
	assert_string_equal(json_string_value(json_object_get(item(answer, 0), "text")), "edge");
	json_decref(answer);
	assert_int_equal(ask_json(f, "GET", "/api/v1/trail", f->stranger, NULL, &answer), 200);
	assert_null(item(answer, 0));
	json_decref(answer);
}

static void ends_with_the_user(void **state)
{
	struct fixture *f = *state;
	char path[64];
	json_t *answer;
	snprintf(path, sizeof(path), "/api/v1/users/%.16s", f->auditor + 5);
	assert_int_equal(ask_status(f, "DELETE", path, f->stranger, NULL), 404);
	assert_int_equal(ask_status(f, "DELETE", path, f->admin, NULL), 200);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents", f->auditor, NULL), 401);
	snprintf(path, sizeof(path), "/api/v1/users/%.16s", f->admin + 5);
	assert_int_equal(ask_status(f, "DELETE", path, f->operator, NULL), 200);
	assert_int_equal(ask_status(f, "GET", "/api/v1/agents", f->admin, NULL), 401);
	assert_int_equal(ask_status(f, "DELETE", "/api/v1/users/0000000000000000", f->operator, NULL), 404);
	/* nor a hash of a secret anywhere */
	assert_int_equal(ask_json(f, "GET", "/api/v1/users", f->operator, NULL, &answer), 200);
	assert_non_null(item(answer, 3));
	assert_null(json_object_get(item(answer, 0), "secret_sha256"));
	json_decref(answer);
}

static void answers_head_as_get(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask_status(f, "HEAD", "/api/v1/agents", f->auditor, NULL), 200);
	assert_int_equal(ask_status(f, "HEAD", "/api/v1/tokens", f->auditor, NULL), 403);
}

/* Streams end whatever happens to them. */
static void closes_streams_that_nobody_read(void **state)
{
	struct fixture *f = *state;
	static const char *const paths[] = {"/api/v1/changes", "/api/v1/records/export", "/api/v1/ledger/export"};
	for (size_t i = 0; i < 3; i++) {
		struct vw_api_response response;
		ask(f, &(struct question){"GET", paths[i], f->auditor, NULL, NULL, NULL}, &response);
		assert_int_equal(response.status, 200);
		assert_non_null(response.next);
		assert_int_equal(response.live, i == 0);
		vw_api_response_close(&response);
	}
}

/* Long answers hold a place each until they are closed, and no more than an organization may have. */
static void limits_long_answers(void **state)
{
	struct fixture *f = *state;
	struct vw_api_response open_ones[3], more;
	const struct question export = {"GET", "/api/v1/records/export", f->auditor, NULL, NULL, NULL};
	for (int i = 0; i < 3; i++) {
		ask(f, &export, &open_ones[i]);
		assert_int_equal(open_ones[i].status, 200);
	}
	ask(f, &export, &more);
	assert_int_equal(more.status, 429);
	assert_true(more.retry_after_s > 0);
	assert_null(more.next);
	vw_api_response_close(&more);
	assert_int_equal(ask_status(f, "GET", "/api/v1/ledger/export", f->admin, NULL), 429);
	ask(f, &(struct question){"GET", "/api/v1/records/export", f->stranger, NULL, NULL, NULL}, &more);
	assert_int_equal(more.status, 200); /* another organization's */
	vw_api_response_close(&more);
	vw_api_response_close(&open_ones[1]);
	ask(f, &export, &open_ones[1]);
	assert_int_equal(open_ones[1].status, 200);
	for (int i = 0; i < 3; i++)
		vw_api_response_close(&open_ones[i]);
	/* what was refused for another reason holds none */
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ask_status(f, "GET", "/api/v1/records/export?order=x", f->auditor, NULL), 400);
		assert_int_equal(ask_status(f, "GET", "/api/v1/agents/" NOBODY "/ledger/verify", f->auditor, NULL),
				 404);
	}
	ask(f, &export, &more);
	assert_int_equal(more.status, 200);
	vw_api_response_close(&more);
}

static void counts_places(void **state)
{
	struct quota quota;
	(void)state;
	quota_init(&quota, 3, 2);
	assert_true(quota_enter(&quota, 1));
	assert_true(quota_enter(&quota, 1));
	assert_false(quota_enter(&quota, 1));
	assert_true(quota_enter(&quota, 2));
	assert_false(quota_enter(&quota, 3)); /* of all */
	quota_leave(&quota, 3);               /* was not there */
	assert_false(quota_enter(&quota, 3));
	quota_leave(&quota, 1);
	assert_true(quota_enter(&quota, 3));
	quota_reset(&quota);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
	const struct CMUnitTest tests[] = {
	    TEST(refuses_strangers),
	    TEST(keeps_roles_apart),
	    TEST(keeps_tenants_apart),
	    TEST(asks_operators_which_tenant),
	    TEST(refuses_queries),
	    TEST(refuses_bodies),
	    TEST(refuses_commands),
	    TEST(limits_each_by_itself),
	    TEST(admits_only_welcome_bodies),
	    TEST(writes_down_who_did_it),
	    TEST(ends_with_the_user),
	    TEST(answers_head_as_get),
	    TEST(closes_streams_that_nobody_read),
	    TEST(limits_long_answers),
	    cmocka_unit_test(counts_places),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
