/* The client's calls over a real socket: the pool, the order, workspaces, logged models (S3.1, S4.1). */
#include "cmocka_all.h"

#include "base/clock.h"
#include "fault_server.h"
#include "mlflow/client.h"
#include "transport.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 64

struct fixture {
	struct fault_server server;
	struct vw_credentials *credentials;
	struct vw_mlflow *client;
	struct vw_error err;
	int answers;
	int code;
	size_t count;
	size_t malformed;
	bool has_token;
	char names[MOST][64]; /* what the last answer's objects are called */
	char message[VW_ERROR_MESSAGE_MAX];
	struct vw_arena *kept;
	vw_experiment *kept_experiment;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct vw_credential_settings none = {0};
	assert_non_null(f);
	assert_int_equal(vw_credentials_open(&none, &f->credentials, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	vw_mlflow_close(f->client);
	vw_credentials_close(f->credentials);
	fault_server_stop(&f->server);
	vw_arena_close(f->kept);
	free(f);
	return 0;
}

static void start(struct fixture *f, fault_handler handler, struct vw_mlflow_settings settings)
{
	fault_server_start(&f->server, handler);
	if (!settings.tracking_uri)
		settings.tracking_uri = f->server.uri;
	assert_int_equal(vw_mlflow_open(&settings, f->credentials, NULL, &f->client, &f->err), 0);
}

static void run(struct fixture *f)
{
	assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
}

static const char *seen(const struct fixture *f, int n)
{
	return f->server.shared->log[n];
}

static int requests(const struct fixture *f)
{
	return atomic_load(&f->server.shared->requests);
}

static void note(void *arg, const struct vw_mlflow_answer *answer)
{
	struct fixture *f = arg;
	f->answers++;
	f->code = answer->code;
	f->count = answer->count;
	f->malformed = answer->malformed;
	f->has_token = answer->next_page_token;
	strcpy(f->message, answer->error->message);
	for (size_t i = 0; i < answer->count && i < MOST; i++) {
		const char *name = "?";
		if (answer->models)
			name = answer->models[i]->name;
		if (answer->versions)
			name = answer->versions[i]->name;
		if (answer->runs)
			name = answer->runs[i]->run_id;
		if (answer->experiments)
			name = answer->experiments[i]->experiment_id;
		if (answer->logged_models)
			name = answer->logged_models[i]->model_id;
		if (answer->texts)
			name = answer->texts[i];
		snprintf(f->names[i], sizeof(f->names[i]), "%s", name);
	}
}

/* ---- the pool ---- */

static bool slow_experiment(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	fault_sleep(60);
	return fault_answer(fd, 200, "", "{\"experiment\":{\"experiment_id\":\"1\"}}");
}

static void a_pool_of_kept_connections(void **state)
{
	struct fixture *f = *state;
	start(f, slow_experiment, (struct vw_mlflow_settings){.connections = 3});
	for (int i = 0; i < 15; i++)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "1", note, f), 0);
	run(f);
	assert_int_equal(f->answers, 15);
	assert_int_equal(requests(f), 15);
	assert_int_equal(atomic_load(&f->server.shared->most_in_flight), 3);
	assert_true(atomic_load(&f->server.shared->connections) <= 3);
}

static void in_the_order_in_which_they_came(void **state)
{
	struct fixture *f = *state;
	char id[24];
	start(f, slow_experiment, (struct vw_mlflow_settings){.connections = 1});
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "%d", i);
		assert_int_equal(vw_mlflow_get_experiment(f->client, id, note, f), 0);
	}
	run(f);
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "id=%d ", i);
		assert_non_null(strstr(seen(f, i), id));
	}
}

static bool quick_experiment(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 200, "", "{\"experiment\":{\"experiment_id\":\"1\",\"name\":\"e\"}}");
}

static void one_bucket_for_all(void **state)
{
	struct fixture *f = *state;
	start(f, quick_experiment, (struct vw_mlflow_settings){.requests_per_second = 20, .burst = 4});
	int64_t before = vw_clock_monotonic();
	for (int i = 0; i < 14; i++)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "1", note, f), 0);
	run(f);
	int64_t took = vw_clock_monotonic() - before;
	assert_true(took >= 450 && took < 3000); /* 4 at once, then 10 at 20 a second */
	assert_int_equal(f->answers, 14);
}

static void ask_once_more(void *arg, const struct vw_mlflow_answer *answer)
{
	struct fixture *f = arg;
	f->answers++;
	if (answer->code == 0 && f->answers < 10)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "1", ask_once_more, f), 0);
}

static void callbacks_may_ask_for_more(void **state)
{
	struct fixture *f = *state;
	start(f, quick_experiment, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", ask_once_more, f), 0);
	run(f);
	assert_int_equal(f->answers, 10);
	assert_int_equal(atomic_load(&f->server.shared->connections), 1);
}

static void keep(void *arg, const struct vw_mlflow_answer *answer)
{
	struct fixture *f = arg;
	assert_int_equal(answer->code, 0);
	f->kept_experiment = answer->experiments[0];
	f->kept = vw_mlflow_take(answer);
}

static void an_arena_can_be_kept(void **state)
{
	struct fixture *f = *state;
	start(f, quick_experiment, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", keep, f), 0);
	run(f);
	assert_non_null(f->kept);
	assert_string_equal(f->kept_experiment->name, "e");
}

static void count_tick(void *arg)
{
	++*(int *)arg;
}

static void a_tick_while_it_waits(void **state)
{
	struct fixture *f = *state;
	int ticks = 0;
	start(f, slow_experiment, (struct vw_mlflow_settings){0});
	vw_mlflow_on_tick(f->client, count_tick, &ticks);
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", note, f), 0);
	run(f);
	assert_true(ticks > 0);
}

/* ---- what is sent ---- */

static void what_a_request_looks_like(void **state)
{
	struct fixture *f = *state;
	char uri[128];
	const char *headers[] = {"Host: mlflow.example.org", NULL};
	fault_server_start(&f->server, quick_experiment);
	snprintf(uri, sizeof(uri), "%s/ml/flow/", f->server.uri);
	struct vw_mlflow_settings s = {.tracking_uri = uri, .headers = headers, .user_agent = "vw-agent/9.9"};
	assert_int_equal(vw_mlflow_open(&s, f->credentials, NULL, &f->client, &f->err), 0);
	assert_int_equal(vw_mlflow_get_experiment(f->client, "a b/#%\xc3\xa4", note, f), 0);
	run(f);
	static const char line[] =
	    "GET /ml/flow/api/2.0/mlflow/experiments/get?experiment_id=a%20b%2F%23%25%C3%A4 HTTP/1.1\r\n";
	assert_int_equal(strncmp(seen(f, 0), line, strlen(line)), 0);
	assert_non_null(strstr(seen(f, 0), "\r\nHost: mlflow.example.org\r\n"));
	assert_non_null(strstr(seen(f, 0), "\r\nUser-Agent: vw-agent/9.9\r\n"));
	assert_non_null(strstr(seen(f, 0), "\r\nAccept: application/json\r\n"));
	assert_null(strstr(seen(f, 0), "Authorization"));
	assert_null(strstr(seen(f, 0), "X-MLFLOW-WORKSPACE"));
	assert_null(strstr(seen(f, 0), "Cookie"));
}

static bool runs_with_a_token(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 200, "", "{\"runs\":[{\"info\":{\"run_id\":\"a\"}}],\"next_page_token\":\"more\"}");
}

static void runs_are_asked_for_in_a_body(void **state)
{
	struct fixture *f = *state;
	const char *experiments[] = {"1"};
	const char *runs[] = {"a", "b"};
	start(f, runs_with_a_token, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_runs(f->client, experiments, 1, runs, 2, note, f), 0);
	run(f);
	assert_int_equal(f->count, 1);
	assert_string_equal(f->names[0], "a");
	assert_false(f->has_token); /* old servers give one whenever a page is full */
	assert_int_equal(strncmp(seen(f, 0), "POST /api/2.0/mlflow/runs/search HTTP/1.1\r\n", 43), 0);
	assert_non_null(strstr(seen(f, 0), "\r\nContent-Type: application/json\r\n"));
	assert_null(strstr(seen(f, 0), "Expect:"));
	assert_non_null(strstr(seen(f, 0), "attributes.run_id IN ('a','b')"));
}

static bool version_text(int fd, int n, const char *request)
{
	(void)n;
	return strncmp(request, "GET /version ", 13) == 0 ? fault_answer(fd, 200, "", "2.22.5")
							  : fault_answer(fd, 400, "", "");
}

static void the_servers_version(void **state)
{
	struct fixture *f = *state;
	start(f, version_text, (struct vw_mlflow_settings){.workspace = "team-a"});
	assert_int_equal(vw_mlflow_get_version(f->client, note, f), 0);
	run(f);
	assert_string_equal(f->names[0], "2.22.5");
	assert_null(strstr(seen(f, 0), "X-MLFLOW-WORKSPACE"));
}

static bool hides_its_version(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 404, "", "<html>");
}

static void a_server_that_hides_its_version(void **state)
{
	struct fixture *f = *state;
	start(f, hides_its_version, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_get_version(f->client, note, f), 0);
	run(f);
	assert_int_equal(f->code, VW_ENOTFOUND);
}

static void a_token_that_fits_no_request_line(void **state)
{
	struct fixture *f = *state;
	char token[5000];
	memset(token, 't', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	start(f, quick_experiment, (struct vw_mlflow_settings){0});
	struct vw_mlflow_query query = {.page_token = token};
	assert_int_equal(vw_mlflow_search_versions(f->client, &query, note, f), 0);
	run(f);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->code, VW_ELIMIT);
	assert_int_equal(requests(f), 0);
}

static bool two_spellings(int fd, int n, const char *request)
{
	(void)n;
	if (strstr(request, "registered-models"))
		return fault_answer(fd, 200, "", "{\"registered_models\":[{\"name\":\"M\"},{\"name\":\"m\"}]}");
	return fault_answer(
	    fd, 200, "",
	    "{\"model_versions\":[{\"name\":\"M\",\"version\":\"1\"},{\"name\":\"m\",\"version\":\"1\"},"
	    "{\"name\":\"m\",\"version\":\"2\"}],\"next_page_token\":\"t\"}");
}

static void exactly_this_model(void **state)
{
	struct fixture *f = *state;
	struct vw_mlflow_query query = {.model = "m"};
	start(f, two_spellings, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_models(f->client, &query, note, f), 0);
	run(f);
	assert_int_equal(f->count, 1);
	assert_string_equal(f->names[0], "m");
	assert_int_equal(vw_mlflow_search_versions(f->client, &query, note, f), 0);
	run(f);
	assert_int_equal(f->count, 2);
	assert_true(f->has_token);
	query.model = NULL;
	assert_int_equal(vw_mlflow_search_versions(f->client, &query, note, f), 0);
	run(f);
	assert_int_equal(f->count, 3);
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
	start(f, with_workspaces, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_list_workspaces(f->client, note, f), 0);
	run(f);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->count, 2);
	assert_string_equal(f->names[0], "default");

	vw_mlflow_use_workspace(f->client, f->names[0]);
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", note, f), 0);
	vw_mlflow_use_workspace(f->client, NULL); /* the call above is not touched */
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", note, f), 0);
	run(f);
	bool first = strstr(seen(f, 2), "\r\nX-MLFLOW-WORKSPACE: default\r\n");
	bool second = strstr(seen(f, 3), "\r\nX-MLFLOW-WORKSPACE: default\r\n");
	assert_true(first != second); /* two connections: either may be first */

	/* a line end in a name would be a header of the server's choice */
	vw_mlflow_use_workspace(f->client, "b\r\nX: y");
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", note, f), 0);
	run(f);
	assert_int_equal(f->code, VW_EINVAL);
	assert_int_equal(requests(f), 4);
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
	start(f, without_workspaces, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_list_workspaces(f->client, note, f), 0);
	run(f);
	assert_int_equal(f->code, VW_EUNSUPPORTED);
	assert_int_equal(requests(f), 1);
}

static void an_older_server(void **state)
{
	struct fixture *f = *state;
	start(f, hides_its_version, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_list_workspaces(f->client, note, f), 0);
	run(f);
	assert_int_equal(f->code, VW_EUNSUPPORTED);
	assert_int_equal(requests(f), 1);
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
	start(f, finds_logged_models, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 2, note, f), 0);
	run(f);
	assert_int_equal(f->count, 1);
	assert_int_equal(requests(f), 1);
	assert_non_null(strstr(seen(f, 0), "model_id IN ('m-1','m-9')"));
}

static void note_flaws(void *arg, const struct vw_mlflow_answer *answer)
{
	note(arg, answer);
	for (size_t i = 0; i < answer->count; i++) {
		bool flawed = strcmp(answer->logged_models[i]->model_id, "m-5") == 0;
		assert_int_equal(vw_mlflow_flaws(answer, answer->logged_models[i]), flawed ? VW_FLAW_UNREADABLE : 0);
	}
}

static void logged_models_one_by_one(void **state)
{
	struct fixture *f = *state;
	const char *ids[] = {"m-1", "m-2", "m-3", "m-4", "m-5", "../../secrets", ""};
	start(f, knows_no_in, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 7, note_flaws, f), 0);
	run(f);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->code, 0);
	assert_int_equal(f->count, 2);
	assert_int_equal(f->malformed, 1);
	assert_int_equal(requests(f), 1 + 5);
}

static void logged_models_that_fail(void **state)
{
	struct fixture *f = *state;
	const char *ids[] = {"m-1", "m-2"};
	start(f, fails_one_by_one, (struct vw_mlflow_settings){.retries = -1});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 2, note, f), 0);
	run(f);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->code, VW_EAGAIN);
	assert_int_equal(f->count, 0);
	assert_non_null(strstr(f->message, "logged-models/{id}"));
}

static void logged_models_before_3(void **state)
{
	struct fixture *f = *state;
	const char *ids[] = {"m-1", "m-2"};
	start(f, hides_its_version, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 2, note, f), 0);
	run(f);
	assert_int_equal(f->code, VW_EUNSUPPORTED);
	assert_int_equal(requests(f), 1);
}

static void closing_between_search_and_gets(void **state)
{
	struct fixture *f = *state;
	const char *ids[] = {"m-1", "m-2"};
	start(f, knows_no_in, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_logged_models(f->client, experiment, 1, ids, 2, note, f), 0);
	vw_mlflow_close(f->client);
	f->client = NULL;
	assert_int_equal(f->answers, 0);
}

/* ---- proxies ---- */

static void proxies(void **state)
{
	struct fixture *f = *state;
	fault_server_start(&f->server, quick_experiment);
	static const char *const variables[] = {NULL, "http_proxy", "HTTP_PROXY"};
	struct vw_mlflow_settings s = {.tracking_uri = "http://mlflow.invalid:5000"};
	for (size_t i = 0; i < 3; i++) {
		s.proxy = variables[i] ? NULL : f->server.uri;
		if (variables[i])
			setenv(variables[i], f->server.uri, 1);
		assert_int_equal(vw_mlflow_open(&s, f->credentials, NULL, &f->client, &f->err), 0);
		assert_int_equal(vw_mlflow_get_experiment(f->client, "1", note, f), 0);
		run(f);
		assert_int_equal(f->code, 0);
		assert_int_equal(strncmp(seen(f, (int)i), "GET http://mlflow.invalid:5000/api/", 35), 0);
		vw_mlflow_close(f->client);
		f->client = NULL;
		if (variables[i])
			unsetenv(variables[i]);
	}
	/* NO_PROXY: straight to the server, which is the same one here */
	setenv("HTTP_PROXY", "http://127.0.0.1:1", 1);
	setenv("NO_PROXY", "127.0.0.1", 1);
	s.tracking_uri = f->server.uri;
	assert_int_equal(vw_mlflow_open(&s, f->credentials, NULL, &f->client, &f->err), 0);
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", note, f), 0);
	run(f);
	assert_int_equal(f->code, 0);
	assert_int_equal(strncmp(seen(f, 3), "GET /api/", 9), 0);
	unsetenv("HTTP_PROXY");
	unsetenv("NO_PROXY");
}

/* ---- the allow-list, once more ---- */

static void ignore(void *arg, const struct vw_response *response)
{
	(void)arg;
	(void)response;
}

/* S2.1: refused, or an assertion where those are compiled in; never sent. */
static void the_transport_refuses_what_is_not_allowed(void **state)
{
	struct fixture *f = *state;
	int status;
	start(f, quick_experiment, (struct vw_mlflow_settings){0});
	pid_t child = fork();
	if (child == 0) {
		struct vw_transport *transport;
		struct vw_mlflow_settings s = {.tracking_uri = f->server.uri};
		struct vw_request request;
		fclose(stderr);
		signal(SIGABRT, SIG_DFL);
		if (vw_transport_open(&s, f->credentials, NULL, &transport, NULL) < 0)
			_exit(9);
		vw_request_init(&request, VW_CALL_RUN_GET);
		vw_buffer_puts(&request.path, "/../delete");
		int code = vw_transport_start(transport, &request, ignore, NULL);
		_exit(code == VW_EUSAGE && vw_transport_run(transport, NULL) == 0 ? 0 : 8);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	bool refused = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	assert_true(aborted || refused);
	assert_int_equal(requests(f), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const char *const variables[] = {"http_proxy",
						"HTTP_PROXY",
						"all_proxy",
						"ALL_PROXY",
						"no_proxy",
						"NO_PROXY",
						"MLFLOW_TRACKING_USERNAME",
						"MLFLOW_TRACKING_PASSWORD",
						"MLFLOW_TRACKING_TOKEN",
						"CREDENTIALS_DIRECTORY"};
	const struct CMUnitTest tests[] = {
	    TEST(a_pool_of_kept_connections),
	    TEST(in_the_order_in_which_they_came),
	    TEST(one_bucket_for_all),
	    TEST(callbacks_may_ask_for_more),
	    TEST(an_arena_can_be_kept),
	    TEST(a_tick_while_it_waits),
	    TEST(what_a_request_looks_like),
	    TEST(runs_are_asked_for_in_a_body),
	    TEST(the_servers_version),
	    TEST(a_server_that_hides_its_version),
	    TEST(a_token_that_fits_no_request_line),
	    TEST(exactly_this_model),
	    TEST(workspaces),
	    TEST(a_server_without_workspaces),
	    TEST(an_older_server),
	    TEST(logged_models_by_search),
	    TEST(logged_models_one_by_one),
	    TEST(logged_models_that_fail),
	    TEST(logged_models_before_3),
	    TEST(closing_between_search_and_gets),
	    TEST(proxies),
	    TEST(the_transport_refuses_what_is_not_allowed),
	};
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	setenv("HOME", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
