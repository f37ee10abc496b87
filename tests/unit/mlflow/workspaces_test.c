/* Calls that are more than one request: workspaces (3.10+) and logged models (3.0+). */
#include "client_fixture.h"

#include <string.h>

static bool knows_no_such_call(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 404, "", "<html>");
}

/* ---- workspaces ---- */

static bool with_workspaces(int fd, int n, const char *request)
{
	(void)n;
	if (strstr(request, "/server-info "))
		return fault_answer(fd, 200, "", "{\"workspaces_enabled\":true}");
	if (strstr(request, "/workspaces "))
		return fault_answer(fd, 200, "",
				    "{\"workspaces\":[{\"name\":\"default\"},{\"name\":\"b\\r\\nX: y\"}]}");
	return fault_answer(fd, 200, "", "{\"experiment\":{\"experiment_id\":\"1\"}}");
}

static void workspaces(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, with_workspaces, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_list_workspaces(f->client, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->count, 2);
	assert_string_equal(f->names[0], "default");

	vw_mlflow_use_workspace(f->client, f->names[0]);
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", fixture_note, f), 0);
	vw_mlflow_use_workspace(f->client, NULL); /* the call above is not touched */
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", fixture_note, f), 0);
	fixture_run(f);
	bool first = strstr(fixture_seen(f, 2), "\r\nX-MLFLOW-WORKSPACE: default\r\n");
	bool second = strstr(fixture_seen(f, 3), "\r\nX-MLFLOW-WORKSPACE: default\r\n");
	assert_true(first != second); /* two connections: either may be first */

	/* a line end in a name would be a header of the server's choice */
	vw_mlflow_use_workspace(f->client, "b\r\nX: y");
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->code, VW_EINVAL);
	assert_int_equal(fixture_requests(f), 4);
}

static bool without_workspaces(int fd, int n, const char *request)
{
	(void)n;
	if (strstr(request, "/server-info "))
		return fault_answer(fd, 200, "", "{\"store_type\":\"SqlStore\",\"workspaces_enabled\":false}");
	return fault_answer(fd, 503, "", "disabled"); /* what MLflow says, and what would be tried again */
}

static void a_server_without_workspaces(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, without_workspaces, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_list_workspaces(f->client, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->code, VW_EUNSUPPORTED);
	assert_int_equal(fixture_requests(f), 1);
}

static void an_older_server(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, knows_no_such_call, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_list_workspaces(f->client, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->code, VW_EUNSUPPORTED);
	assert_int_equal(fixture_requests(f), 1);
}

/* ---- logged models ---- */

static bool finds_logged_models(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 200, "", "{\"models\":[{\"info\":{\"model_id\":\"m-1\"}}]}");
}

/* As a file store: no IN; m-2 is gone, m-3 forbidden, m-4 unreadable, m-5 has a flaw. */
static bool knows_no_in(int fd, int n, const char *request)
{
	(void)n;
	if (strncmp(request, "POST", 4) == 0)
		return fault_answer(fd, 400, "", "{\"error_code\":\"INVALID_PARAMETER_VALUE\"}");
	if (strstr(request, "m-2 "))
		return fault_answer(fd, 404, "", "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\"}");
	if (strstr(request, "m-3 "))
		return fault_answer(fd, 403, "", "Permission denied");
	if (strstr(request, "m-4 "))
		return fault_answer(fd, 200, "", "{\"model\":{}}");
	if (strstr(request, "m-5 "))
		return fault_answer(fd, 200, "", "{\"model\":{\"info\":{\"model_id\":\"m-5\",\"tags\":7}}}");
	return fault_answer(fd, 200, "", "{\"model\":{\"info\":{\"model_id\":\"m-1\",\"name\":\"n\"}}}");
}

static bool fails_one_by_one(int fd, int n, const char *request)
{
	(void)n;
	if (strncmp(request, "POST", 4) == 0)
		return fault_answer(fd, 400, "", "{}");
	return strstr(request, "m-2 ") ? fault_answer(fd, 500, "", "broken")
				       : fault_answer(fd, 200, "", "{\"model\":{\"info\":{\"model_id\":\"m-1\"}}}");
}

static const char *const experiment[] = {"1"};

static void logged_models_by_search(void **state)
{
	struct fixture *f = *state;
	const char *ids[] = {"m-1", "m-9"};
	fixture_start(f, finds_logged_models, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 2, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->count, 1);
	assert_int_equal(fixture_requests(f), 1);
	assert_non_null(strstr(fixture_seen(f, 0), "model_id IN ('m-1','m-9')"));
}

static void note_flaws(void *arg, const struct vw_mlflow_answer *answer)
{
	fixture_note(arg, answer);
	for (size_t i = 0; i < answer->count; i++) {
		bool flawed = strcmp(answer->logged_models[i]->model_id, "m-5") == 0;
		assert_int_equal(vw_mlflow_flaws(answer, answer->logged_models[i]), flawed ? VW_FLAW_UNREADABLE : 0);
	}
}

static void logged_models_one_by_one(void **state)
{
	struct fixture *f = *state;
	const char *ids[] = {"m-1", "m-2", "m-3", "m-4", "m-5", "../../secrets", ""};
	fixture_start(f, knows_no_in, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 7, note_flaws, f), 0);
	fixture_run(f);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->count, 2);
	assert_int_equal(f->malformed, 1);
	assert_int_equal(fixture_requests(f), 1 + 5);
}

static void logged_models_that_fail(void **state)
{
	struct fixture *f = *state;
	const char *ids[] = {"m-1", "m-2"};
	fixture_start(f, fails_one_by_one, (struct vw_mlflow_settings){.retries = -1});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 2, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->code, VW_EAGAIN);
	assert_int_equal(f->count, 0);
	assert_non_null(strstr(f->message, "logged-models/{id}"));
}

static void logged_models_before_3(void **state)
{
	struct fixture *f = *state;
	const char *ids[] = {"m-1", "m-2"};
	fixture_start(f, knows_no_such_call, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 2, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->code, VW_EUNSUPPORTED);
	assert_int_equal(fixture_requests(f), 1);
}

static void closing_between_search_and_gets(void **state)
{
	struct fixture *f = *state;
	const char *ids[] = {"m-1", "m-2"};
	fixture_start(f, knows_no_in, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 2, fixture_note, f), 0);
	vw_mlflow_close(f->client);
	f->client = NULL;
	assert_int_equal(f->answers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_TEST(workspaces),
	    FIXTURE_TEST(a_server_without_workspaces),
	    FIXTURE_TEST(an_older_server),
	    FIXTURE_TEST(logged_models_by_search),
	    FIXTURE_TEST(logged_models_one_by_one),
	    FIXTURE_TEST(logged_models_that_fail),
	    FIXTURE_TEST(logged_models_before_3),
	    FIXTURE_TEST(closing_between_search_and_gets),
	};
	fixture_forget_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
