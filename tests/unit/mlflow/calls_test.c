/* The allow-list, and the requests that are made of it (S2.1, S4.3). */
#include "cmocka_all.h"

#include "calls.h"

#include <stdio.h>
#include <string.h>

#define API "/api/2.0/mlflow/"

static void only_reads_are_allowed(void **state)
{
	(void)state;
	size_t count;
	const struct vw_mlflow_call *calls = vw_mlflow_calls(&count);
	assert_int_equal(count, VW_CALLS);
	for (size_t i = 0; i < count; i++) {
		bool get = strcmp(calls[i].method, "GET") == 0;
		bool search = strcmp(calls[i].method, "POST") == 0 && strstr(calls[i].path, "/search");
		assert_true(get || search);
		assert_true(calls[i].path[0] == '/' && calls[i].what[0]);
		assert_true(strstr(calls[i].path, "{id}") || vw_mlflow_allowed(calls[i].method, calls[i].path));
		assert_false(vw_mlflow_allowed(get ? "POST" : "GET", calls[i].path));
	}
}

static void nothing_else_is_allowed(void **state)
{
	(void)state;
	static const char *const posts[] = {API "registered-models/create",
					    API "model-versions/create",
					    API "model-versions/transition-stage",
					    API "runs/create",
					    API "runs/delete",
					    API "runs/log-metric",
					    API "runs/set-tag",
					    API "runs/search/",
					    API "runs/searchx",
					    API "RUNS/search",
					    API "../mlflow/runs/search",
					    "/ajax-api/2.0/mlflow/runs/search",
					    "/prefix" API "runs/search",
					    API "experiments/search?x=1",
					    ""};
	static const char *const methods[] = {"PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "get", "", "GET "};
	for (size_t i = 0; i < sizeof(posts) / sizeof(posts[0]); i++)
		assert_false(vw_mlflow_allowed("POST", posts[i]));
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		assert_false(vw_mlflow_allowed(methods[i], API "runs/get"));
		assert_false(vw_mlflow_allowed(methods[i], API "logged-models/m-1"));
	}
	assert_false(vw_mlflow_allowed("GET", "/"));
	assert_false(vw_mlflow_allowed("GET", "/get-artifact"));
}

static void a_hole_takes_one_segment(void **state)
{
	(void)state;
	assert_true(vw_mlflow_allowed("GET", API "logged-models/m-0123abc"));
	assert_true(vw_mlflow_allowed("GET", API "logged-models/a.b_c-d"));
	static const char *const bad[] = {"",      "m/1", "m-1/", "..",     ".",         ".m",       "m%2F1", "m 1",
					  "m?x=1", "m#1", "m\\1", "search", "m\xc3\xa4", "m-1/tags", "m;x",   "{id}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char path[128];
		snprintf(path, sizeof(path), API "logged-models/%s", bad[i]);
		assert_false(vw_mlflow_allowed("GET", path));
		struct vw_request request;
		vw_request_init(&request, VW_CALL_LOGGED_MODEL_GET);
		assert_false(vw_request_put_id(&request, bad[i]));
		vw_request_reset(&request);
	}
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(vw_call_name(VW_CALL_RUNS_SEARCH), "runs/search");
	assert_string_equal(vw_call_name(VW_CALL_VERSION), "version");
	assert_string_equal(vw_call_name(VW_CALL_LOGGED_MODEL_GET), "logged-models/{id}");
}

static void queries_are_encoded(void **state)
{
	(void)state;
	struct vw_request request;
	struct vw_mlflow_query query = {.model = "a/b #1 50% \"x\" ü&=+", .page_token = "dG9r+/==", .max_results = 7};
	vw_request_versions(&request, &query, 400);
	assert_string_equal(vw_buffer_text(&request.path), API "model-versions/search");
	assert_string_equal(
	    vw_buffer_text(&request.query),
	    "order_by=name%20ASC&order_by=version_number%20ASC&max_results=7&filter=name%20%3D%20%27a%2Fb%20"
	    "%231%2050%25%20%22x%22%20%C3%BC%26%3D%2B%27&page_token=dG9r%2B%2F%3D%3D");
	assert_int_equal(request.body.len, 0);
	vw_request_reset(&request);

	query = (struct vw_mlflow_query){.order = VW_ORDER_UPDATED_DESC};
	vw_request_versions(&request, &query, 400);
	assert_string_equal(
	    vw_buffer_text(&request.query),
	    "order_by=last_updated_timestamp%20DESC&order_by=name%20ASC&order_by=version_number%20ASC&max_"
	    "results=400");
	vw_request_reset(&request);

	query = (struct vw_mlflow_query){.order = VW_ORDER_NAME};
	vw_request_models(&request, &query, 200);
	assert_string_equal(vw_buffer_text(&request.query), "order_by=name%20ASC&max_results=200");
	vw_request_reset(&request);
}

static const char *name_filter(struct vw_buffer *out, const char *name, bool exact)
{
	vw_buffer_reset(out);
	vw_buffer_init(out, 0);
	assert_int_equal(vw_filter_name(out, name), exact);
	return vw_buffer_text(out);
}

/* MLflow's parser takes both kinds of quotes and unescapes nothing. */
static void name_filters(void **state)
{
	(void)state;
	struct vw_buffer out;
	vw_buffer_init(&out, 0);
	assert_string_equal(name_filter(&out, "churn", true), "name = 'churn'");
	assert_string_equal(name_filter(&out, "it's", true), "name = \"it's\"");
	assert_string_equal(name_filter(&out, "say \"hi\"", true), "name = 'say \"hi\"'");
	assert_string_equal(name_filter(&out, "a\\b", true), "name = 'a\\b'");
	assert_string_equal(name_filter(&out, "it's \"a\\b%\"", false), "name LIKE 'it_s \"a_b%\"'");
	vw_buffer_reset(&out);
}

static const char *id_filter(struct vw_buffer *out, const char *const *ids, size_t count, size_t usable)
{
	vw_buffer_reset(out);
	vw_buffer_init(out, 0);
	assert_int_equal(vw_filter_ids(out, "run_id", ids, count), usable);
	return vw_buffer_text(out);
}

static void id_filters(void **state)
{
	(void)state;
	struct vw_buffer out;
	vw_buffer_init(&out, 0);
	const char *ids[] = {"a1", "b2", "x' OR '1'='1", "", "c3"};
	assert_string_equal(id_filter(&out, ids, 2, 2), "run_id IN ('a1','b2')");
	assert_string_equal(id_filter(&out, ids, 5, 3), "run_id IN ('a1','b2','c3')");
	assert_string_equal(id_filter(&out, ids, 1, 1), "run_id = 'a1'");
	/* an empty condition would find everything */
	assert_string_equal(id_filter(&out, ids + 2, 2, 0), "run_id = '-'");
	assert_string_equal(id_filter(&out, ids, 0, 0), "run_id = '-'");
	vw_buffer_reset(&out);
}

static void searches_by_id(void **state)
{
	(void)state;
	struct vw_request request;
	const char *experiments[] = {"0", "12"};
	const char *ids[] = {"a", "b"};
	vw_request_runs(&request, experiments, 2, ids, 2);
	assert_string_equal(vw_call(request.id)->method, "POST");
	assert_string_equal(
	    vw_buffer_text(&request.body),
	    "{\"experiment_ids\":[\"0\",\"12\"],\"filter\":\"attributes.run_id IN ('a','b')\",\"max_results\":2,"
	    "\"run_view_type\":\"ALL\"}");
	assert_int_equal(request.query.len, 0);
	vw_request_reset(&request);
	vw_request_logged_models(&request, experiments, 1, ids, 1);
	assert_string_equal(vw_buffer_text(&request.body),
			    "{\"experiment_ids\":[\"0\"],\"filter\":\"model_id = 'a'\",\"max_results\":1}");
	vw_request_reset(&request);
	vw_request_runs(&request, NULL, 0, NULL, 0); /* max_results 0 would be refused */
	assert_non_null(strstr(vw_buffer_text(&request.body), "\"max_results\":1"));
	vw_request_reset(&request);
	vw_request_experiments(&request, "a\"b");
	assert_string_equal(vw_buffer_text(&request.body),
			    "{\"max_results\":1000,\"view_type\":\"ALL\",\"page_token\":\"a\\\"b\"}");
	vw_request_reset(&request);
}

/* gunicorn's cap of a request line; MLflow's longest name, every character of it three encoded bytes of four, fits. */
static void request_lines_have_a_cap(void **state)
{
	(void)state;
	struct vw_request request;
	struct vw_error err = VW_ERROR_INIT;
	char name[1025];
	for (size_t i = 0; i < 1020; i += 4)
		memcpy(name + i, "\xf0\x9f\x98\x80", 4);
	name[1020] = '\0';
	struct vw_mlflow_query query = {.model = name, .page_token = "eyJvZmZzZXQiOiA0MDB9"};
	vw_request_versions(&request, &query, 400);
	assert_int_equal(vw_request_check(&request, &err), 0);
	vw_request_reset(&request);

	char token[4000];
	memset(token, 't', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	query = (struct vw_mlflow_query){.page_token = token};
	vw_request_versions(&request, &query, 400);
	assert_int_equal(vw_request_check(&request, &err), VW_ELIMIT);
	assert_non_null(strstr(err.message, "model-versions/search"));
	vw_request_reset(&request);
}

static void workspace_header_goes_where_it_means_something(void **state)
{
	(void)state;
	assert_false(vw_call_in_workspace(VW_CALL_VERSION));
	assert_false(vw_call_in_workspace(VW_CALL_SERVER_INFO));
	assert_false(vw_call_in_workspace(VW_CALL_WORKSPACES));
	assert_true(vw_call_in_workspace(VW_CALL_MODELS_SEARCH));
	assert_true(vw_call_in_workspace(VW_CALL_LOGGED_MODEL_GET));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_reads_are_allowed),
	    cmocka_unit_test(nothing_else_is_allowed),
	    cmocka_unit_test(a_hole_takes_one_segment),
	    cmocka_unit_test(names),
	    cmocka_unit_test(queries_are_encoded),
	    cmocka_unit_test(name_filters),
	    cmocka_unit_test(id_filters),
	    cmocka_unit_test(searches_by_id),
	    cmocka_unit_test(request_lines_have_a_cap),
	    cmocka_unit_test(workspace_header_goes_where_it_means_something),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
