/* From a path to its route, and the table's own rules. */
#include "cmocka_all.h"
#include "routes.h"

#include <ctype.h>
#include <string.h>

static const struct api_route *find(struct vw_arena *arena, struct visit *v, const char *method, const char *path,
				    int *status, const char **allow)
{
	static struct vw_api_request request;
	memset(v, 0, sizeof(*v));
	request = (struct vw_api_request){.method = method, .path = path};
	v->request = &request;
	v->arena = arena;
	return route_find(v, status, allow);
}

static void assert_route(const char *method, const char *path, api_run run, const char *const *segments)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct visit v;
	int status;
	const char *allow;
	const struct api_route *route = find(arena, &v, method, path, &status, &allow);
	assert_non_null(route);
	assert_true(route->run == run);
	for (size_t i = 0; segments[i]; i++)
		assert_string_equal(v.segments[i], segments[i]);
}

static void finds_routes(void **state)
{
	(void)state;
	const char *none[] = {NULL}, *one[] = {"7", NULL}, *odd[] = {"a", "fraud/v2", "1", NULL},
		   *two[] = {"x", "mlflow.token", NULL}, *name[] = {"export", NULL};
	assert_route("GET", "/api/v1/organizations", api_organization_list, none);
	assert_route("HEAD", "/api/v1/organizations", api_organization_list, none);
	assert_route("POST", "/api/v1/organizations", api_organization_create, none);
	assert_route("GET", "/api/v1/organizations/7", api_organization_get, one);
	assert_route("GET", "/api/v1/records/a/fraud%2Fv2/1", api_record_get, odd);
	assert_route("GET", "/api/v1/records/a/fraud%2fv2/1/history", api_record_history, odd);
	assert_route("GET", "/api/v1/records/export", api_record_export, none);
	assert_route("PUT", "/api/v1/agents/x/secrets/mlflow.token", api_secret_put, two);
	assert_route("GET", "/api/v1/agents/export/ledger/export", api_ledger_export, name);
	assert_route("GET", "/api/v1/ledger/export", api_ledger_export_all, none);
}

static void assert_none(const char *method, const char *path, int wanted, const char *wanted_allow)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct visit v;
	int status;
	const char *allow;
	assert_null(find(arena, &v, method, path, &status, &allow));
	assert_int_equal(status, wanted);
	if (wanted_allow)
		assert_string_equal(allow, wanted_allow);
	else
		assert_null(allow);
}

static void refuses_paths(void **state)
{
	(void)state;
	assert_none("GET", "", 404, NULL);
	assert_none("GET", "/", 404, NULL);
	assert_none("GET", "*", 404, NULL);
	assert_none("GET", "/api/v1", 404, NULL);
	assert_none("GET", "/api/v1/agents/", 404, NULL);
	assert_none("GET", "/api/v1//agents", 404, NULL);
	assert_none("GET", "/api/v1/agents/x/", 404, NULL);
	assert_none("GET", "/api/v1/agents/x/ledger/export/more", 404, NULL);
	assert_none("GET", "/api/v1/Agents", 404, NULL);
	assert_none("GET", "/api/v1/%61gents", 404, NULL);
	assert_none("GET", "/api/v1/agents/%00", 400, NULL);
	assert_none("GET", "/api/v1/agents/%ff/ledger", 400, NULL);
	/* what is unreadable in a path that is none of ours is no path */
	assert_none("GET", "/api/v1/agents/%ff/nothing", 404, NULL);
}

/* RFC 9110, 15.5.6. */
static void says_which_methods_there_are(void **state)
{
	(void)state;
	assert_none("DELETE", "/api/v1/organizations", 405, "GET, HEAD, POST");
	assert_none("OPTIONS", "/api/v1/organizations/7", 405, "GET, HEAD");
	assert_none("GET", "/api/v1/agents/x/secrets/y", 405, "PUT, DELETE");
	assert_none("HEAD", "/enroll/v1/enroll", 405, "POST");
	assert_none("get", "/healthz", 405, "GET, HEAD");
}

static void knows_words(void **state)
{
	(void)state;
	assert_true(route_names("cursor limit ", "limit"));
	assert_true(route_names("cursor limit ", "cursor"));
	assert_false(route_names("cursor limit ", "curso"));
	assert_false(route_names("cursor limit ", "limits"));
	assert_false(route_names("cursor limit ", ""));
	assert_false(route_names("cursor limit ", "cursor limit"));
	assert_false(route_names("", "x"));
}

static void assert_words(const char *words)
{
	size_t len = strlen(words);
	if (len == 0 || strcmp(words, "*") == 0)
		return;
	assert_int_equal(words[len - 1], ' ');
	for (const char *at = words; *at; at++)
		assert_true(islower((unsigned char)*at) || *at == '_' || (*at == ' ' && at[1] != ' '));
}

/* The table itself: words end with a space; no method takes a path twice; who may change something is not an auditor. */
static void keeps_its_rules(void **state)
{
	(void)state;
	for (const struct api_route *route = api_routes; route->method; route++) {
		assert_words(route->query);
		if (route->body)
			assert_words(route->body);
		bool reads = strcmp(route->method, "GET") == 0;
		assert_true(!reads || !route->body);
		assert_true(reads || route->access != API_READ);
		assert_true(route->access != API_PUBLIC || !route->tenant);
		assert_true(!route->tenant || route_names(route->query, "organization"));
		for (const struct api_route *other = api_routes; other != route; other++)
			assert_false(strcmp(other->pattern, route->pattern) == 0 &&
				     strcmp(other->method, route->method) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_routes),    cmocka_unit_test(refuses_paths),
	    cmocka_unit_test(knows_words),     cmocka_unit_test(says_which_methods_there_are),
	    cmocka_unit_test(keeps_its_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
