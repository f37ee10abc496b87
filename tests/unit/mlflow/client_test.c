/* The client's calls over a real socket: the pool, the order, what is sent, proxies (S3.1, S4.1). */
#include "client_fixture.h"

#include "base/clock.h"
#include "transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
	fixture_start(f, slow_experiment, (struct vw_mlflow_settings){.connections = 3});
	for (int i = 0; i < 15; i++)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "1", fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->answers, 15);
	assert_int_equal(fixture_requests(f), 15);
	assert_int_equal(atomic_load(&f->server.shared->most_in_flight), 3);
	assert_true(atomic_load(&f->server.shared->connections) <= 3);
}

static void in_the_order_in_which_they_came(void **state)
{
	struct fixture *f = *state;
	char id[24];
	fixture_start(f, slow_experiment, (struct vw_mlflow_settings){.connections = 1});
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "%d", i);
		assert_int_equal(vw_mlflow_get_experiment(f->client, id, fixture_note, f), 0);
	}
	fixture_run(f);
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "id=%d ", i);
		assert_non_null(strstr(fixture_seen(f, i), id));
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
	fixture_start(f, quick_experiment, (struct vw_mlflow_settings){.requests_per_second = 20, .burst = 4});
	int64_t before = vw_clock_monotonic();
	for (int i = 0; i < 14; i++)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "1", fixture_note, f), 0);
	fixture_run(f);
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
	fixture_start(f, quick_experiment, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", ask_once_more, f), 0);
	fixture_run(f);
	assert_int_equal(f->answers, 10);
	assert_int_equal(atomic_load(&f->server.shared->connections), 1);
}

static struct vw_arena *kept;
static const vw_experiment *kept_experiment;

static void keep(void *arg, const struct vw_mlflow_answer *answer)
{
	(void)arg;
	assert_int_equal(answer->code, 0);
	kept_experiment = answer->experiments[0];
	kept = vw_mlflow_take(answer);
}

static void an_arena_can_be_kept(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, quick_experiment, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", keep, f), 0);
	fixture_run(f);
	assert_non_null(kept);
	fixture_stop(f);
	assert_string_equal(kept_experiment->name, "e");
	vw_arena_close(kept);
}

static void count_tick(void *arg)
{
	++*(int *)arg;
}

static void a_tick_while_it_waits(void **state)
{
	struct fixture *f = *state;
	int ticks = 0;
	fixture_start(f, slow_experiment, (struct vw_mlflow_settings){0});
	vw_mlflow_on_tick(f->client, count_tick, &ticks);
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", fixture_note, f), 0);
	fixture_run(f);
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
	assert_int_equal(vw_mlflow_get_experiment(f->client, "a b/#%\xc3\xa4", fixture_note, f), 0);
	fixture_run(f);
	static const char line[] =
	    "GET /ml/flow/api/2.0/mlflow/experiments/get?experiment_id=a%20b%2F%23%25%C3%A4 HTTP/1.1\r\n";
	assert_int_equal(strncmp(fixture_seen(f, 0), line, strlen(line)), 0);
	assert_non_null(strstr(fixture_seen(f, 0), "\r\nHost: mlflow.example.org\r\n"));
	assert_non_null(strstr(fixture_seen(f, 0), "\r\nUser-Agent: vw-agent/9.9\r\n"));
	assert_non_null(strstr(fixture_seen(f, 0), "\r\nAccept: application/json\r\n"));
	assert_null(strstr(fixture_seen(f, 0), "Authorization"));
	assert_null(strstr(fixture_seen(f, 0), "X-MLFLOW-WORKSPACE"));
	assert_null(strstr(fixture_seen(f, 0), "Cookie"));
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
	fixture_start(f, runs_with_a_token, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_runs(f->client, experiments, 1, runs, 2, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->count, 1);
	assert_string_equal(f->names[0], "a");
	assert_false(f->has_token); /* old servers give one whenever a page is full */
	assert_int_equal(strncmp(fixture_seen(f, 0), "POST /api/2.0/mlflow/runs/search HTTP/1.1\r\n", 43), 0);
	assert_non_null(strstr(fixture_seen(f, 0), "\r\nContent-Type: application/json\r\n"));
	assert_null(strstr(fixture_seen(f, 0), "Expect:"));
	assert_non_null(strstr(fixture_seen(f, 0), "attributes.run_id IN ('a','b')"));
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
	fixture_start(f, version_text, (struct vw_mlflow_settings){.workspace = "team-a"});
	assert_int_equal(vw_mlflow_get_version(f->client, fixture_note, f), 0);
	fixture_run(f);
	assert_string_equal(f->names[0], "2.22.5");
	assert_null(strstr(fixture_seen(f, 0), "X-MLFLOW-WORKSPACE"));
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
	fixture_start(f, hides_its_version, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_get_version(f->client, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->code, VW_ENOTFOUND);
}

static void a_token_that_fits_no_request_line(void **state)
{
	struct fixture *f = *state;
	char token[5000];
	memset(token, 't', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	fixture_start(f, quick_experiment, (struct vw_mlflow_settings){0});
	struct vw_mlflow_query query = {.page_token = token};
	assert_int_equal(vw_mlflow_search_versions(f->client, &query, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->code, VW_ELIMIT);
	assert_int_equal(fixture_requests(f), 0);
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
	fixture_start(f, two_spellings, (struct vw_mlflow_settings){0});
	assert_int_equal(vw_mlflow_search_models(f->client, &query, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->count, 1);
	assert_string_equal(f->names[0], "m");
	assert_int_equal(vw_mlflow_search_versions(f->client, &query, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->count, 2);
	assert_true(f->has_token);
	query.model = NULL;
	assert_int_equal(vw_mlflow_search_versions(f->client, &query, fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->count, 3);
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
		assert_int_equal(vw_mlflow_get_experiment(f->client, "1", fixture_note, f), 0);
		fixture_run(f);
		assert_int_equal(f->code, 0);
		assert_int_equal(strncmp(fixture_seen(f, (int)i), "GET http://mlflow.invalid:5000/api/", 35), 0);
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
	assert_int_equal(vw_mlflow_get_experiment(f->client, "1", fixture_note, f), 0);
	fixture_run(f);
	assert_int_equal(f->code, 0);
	assert_int_equal(strncmp(fixture_seen(f, 3), "GET /api/", 9), 0);
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
	fixture_start(f, quick_experiment, (struct vw_mlflow_settings){0});
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
	assert_int_equal(fixture_requests(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_TEST(a_pool_of_kept_connections),
	    FIXTURE_TEST(in_the_order_in_which_they_came),
	    FIXTURE_TEST(one_bucket_for_all),
	    FIXTURE_TEST(callbacks_may_ask_for_more),
	    FIXTURE_TEST(an_arena_can_be_kept),
	    FIXTURE_TEST(a_tick_while_it_waits),
	    FIXTURE_TEST(what_a_request_looks_like),
	    FIXTURE_TEST(runs_are_asked_for_in_a_body),
	    FIXTURE_TEST(the_servers_version),
	    FIXTURE_TEST(a_server_that_hides_its_version),
	    FIXTURE_TEST(a_token_that_fits_no_request_line),
	    FIXTURE_TEST(exactly_this_model),
	    FIXTURE_TEST(proxies),
	    FIXTURE_TEST(the_transport_refuses_what_is_not_allowed),
	};
	fixture_forget_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
