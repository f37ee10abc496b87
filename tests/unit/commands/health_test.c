#include "health.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "command.h"

#include "../base/cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct health_facts sample(void)
{
	struct health_facts facts = {.agent_id = "0221122c-6b5e-40b0-aeb5-ce89961343e6",
				     .started_at = 1772366400123,
				     .alive_mono = 1000000,
				     .stale_ms = 900000,
				     .next_due_at = 1772366700000,
				     .duration_ms = {-1, 1234},
				     .requests = 12,
				     .bytes_received = 99,
				     .census = {.models = 3,
						.versions = {1, 2, 4},
						.incomplete = 1,
						.gaps = {0, 1, 2, 3, 4},
						.unknown = 5,
						.sequence = 77,
						.file_bytes = 4096,
						.used_bytes = 1024}};
	return facts;
}

/* ---- the bodies ---- */

static void progress_is_an_age(void **state)
{
	(void)state;
	struct health_facts facts = sample();
	assert_int_equal(health_troubles(&facts, 0, 1000000), 0);
	assert_int_equal(health_troubles(&facts, 0, 1900000), 0);
	assert_int_equal(health_troubles(&facts, 0, 1900001), HEALTH_SYNC_OVERDUE);
}

static json_t *progress_of(const struct health_facts *facts, int64_t now)
{
	struct vw_buffer body;
	struct vw_error err = VW_ERROR_INIT;
	json_t *root = NULL;
	vw_buffer_init(&body, 0);
	health_write_progress(facts, now, facts->alive_mono + 1000, &body);
	assert_int_equal(vw_json_parse(vw_buffer_text(&body), body.len, "progress", &root, &err), 0);
	vw_buffer_reset(&body);
	return root;
}

static const char *member(const json_t *root, const char *key)
{
	const char *text = json_string_value(json_object_get(root, key));
	return text ? text : "(none)";
}

static void progress_before_the_first_sync(void **state)
{
	(void)state;
	struct health_facts facts = sample();
	json_t *root = progress_of(&facts, facts.started_at);
	assert_true(json_is_true(json_object_get(root, "progressing")));
	assert_true(json_is_null(json_object_get(root, "last_success_at")));
	assert_true(json_is_null(json_object_get(root, "last_success_age_seconds")));
	assert_true(json_is_null(json_object_get(root, "last_sync")));
	assert_int_equal(json_integer_value(json_object_get(root, "stale_after_seconds")), 900);
	assert_string_equal(member(root, "next_sync_at"), "2026-03-01T12:05:00.000Z");
	json_decref(root);
}

static void progress_after_syncs(void **state)
{
	(void)state;
	struct health_facts facts = sample();
	facts.success_at[VW_DEPTH_QUICK] = 1772366460000;
	facts.success_at[VW_DEPTH_FULL] = 1772366430000;
	facts.last.finished_at = 1772366490000;
	facts.last.depth = VW_DEPTH_QUICK;
	facts.last.outcome = VW_SYNC_FAILED;
	facts.last.code = VW_EAUTH;
	facts.failures = 2;
	json_t *root = progress_of(&facts, 1772366500999);
	assert_string_equal(member(root, "last_success_at"), "2026-03-01T12:01:00.000Z");
	assert_int_equal(json_integer_value(json_object_get(root, "last_success_age_seconds")), 40);
	assert_string_equal(member(root, "last_full_success_at"), "2026-03-01T12:00:30.000Z");
	const json_t *last = json_object_get(root, "last_sync");
	assert_string_equal(member(last, "outcome"), "failed");
	assert_string_equal(member(last, "depth"), "quick");
	assert_string_equal(member(last, "error"), vw_code_name(VW_EAUTH));
	assert_int_equal(json_integer_value(json_object_get(root, "consecutive_failures")), 2);
	json_decref(root);
	/* a wall clock that went back makes no negative age */
	root = progress_of(&facts, 1772366400000);
	assert_int_equal(json_integer_value(json_object_get(root, "last_success_age_seconds")), 0);
	json_decref(root);
}

/* Each line is a HELP, a TYPE or a sample of the text format 0.0.4; each sample stands under its own family. */
static void check_exposition(char *text)
{
	regex_t sample_line;
	char family[128] = "", type[32] = "", *save = NULL;
	int samples = 0;
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_int_equal(regcomp(&sample_line,
				 "^[a-z_]+(\\{[a-z_]+=\"[a-z0-9.]+\"(,[a-z_]+=\"[a-z]+\")*\\})? "
				 "[0-9]+(\\.[0-9]+)?$",
				 REG_EXTENDED | REG_NOSUB),
			 0);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[128];
		if (sscanf(line, "# HELP %127s", family) == 1) {
			assert_true(line[strlen(line) - 1] == '.');
			continue;
		}
		if (sscanf(line, "# TYPE %127s %31s", name, type) == 2) {
			assert_string_equal(name, family);
			bool counter = strcmp(type, "counter") == 0;
			assert_true(counter || strcmp(type, "gauge") == 0);
			assert_int_equal(counter, strcmp(name + strlen(name) - 6, "_total") == 0);
			continue;
		}
		assert_int_equal(regexec(&sample_line, line, 0, NULL, 0), 0);
		assert_int_equal(strcspn(line, "{ "), strlen(family));
		assert_int_equal(strncmp(line, family, strlen(family)), 0);
		samples++;
	}
	regfree(&sample_line);
	assert_in_range(samples, 30, 60);
}

static void metrics_are_what_they_should_be(void **state)
{
	(void)state;
	struct health_facts facts = sample();
	struct vw_buffer body;
	const char *lines[] = {
	    "vw_agent_build_info{version=\"" VW_AGENT_VERSION "\"} 1\n",
	    "\nvw_agent_start_time_seconds 1772366400.123\n",
	    "\nvw_agent_ready 0\n",
	    "\nvw_agent_models 3\n",
	    "\nvw_agent_versions{status=\"compliant\"} 1\n",
	    "\nvw_agent_versions{status=\"gaps\"} 2\n",
	    "\nvw_agent_versions{status=\"unknown\"} 4\n",
	    "\nvw_agent_versions_incomplete 1\n",
	    "\nvw_agent_gaps{severity=\"info\"} 0\n",
	    "\nvw_agent_gaps{severity=\"critical\"} 4\n",
	    "\nvw_agent_unknown_findings 5\n",
	    "\nvw_agent_ledger_sequence 77\n",
	    "\nvw_agent_store_file_bytes 4096\n",
	    "\nvw_agent_store_used_bytes 1024\n",
	    "\nvw_agent_syncs_total{depth=\"full\",outcome=\"failed\"} 6\n",
	    "\nvw_agent_last_sync_success_timestamp_seconds{depth=\"quick\"} 0.000\n",
	    "\nvw_agent_last_sync_success_timestamp_seconds{depth=\"full\"} 1772366400.042\n",
	    "\nvw_agent_last_sync_duration_seconds{depth=\"full\"} 1.234\n",
	    "\nvw_agent_mlflow_requests_total 12\n",
	    "\nvw_agent_mlflow_received_bytes_total 99\n",
	    "\nvw_agent_config_reloads_total{outcome=\"refused\"} 1\n",
	    "\nvw_agent_config_last_reload_successful 0\n",
	};
	facts.syncs[VW_DEPTH_FULL][VW_SYNC_FAILED] = 6;
	facts.success_at[VW_DEPTH_FULL] = 1772366400042;
	facts.reloads_refused = 1;
	facts.reload_refused = true;
	vw_buffer_init(&body, 0);
	health_write_metrics(&facts, facts.started_at, facts.alive_mono, &body);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr(vw_buffer_text(&body), lines[i]))
			fail_msg("no line %s in\n%s", lines[i], vw_buffer_text(&body));
	/* never measured in this process: no sample rather than a wrong one */
	assert_null(strstr(vw_buffer_text(&body), "vw_agent_last_sync_duration_seconds{depth=\"quick\"}"));
	check_exposition(body.data);
	vw_buffer_reset(&body);
}

/* ---- the server ---- */

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)(void *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static struct health *server;
static int port;

static int start_server(void **state)
{
	struct health_facts facts = sample();
	struct vw_error err = VW_ERROR_INIT;
	char listen_on[32];
	(void)state;
	facts.alive_mono = vw_clock_monotonic();
	port = free_port();
	snprintf(listen_on, sizeof(listen_on), "127.0.0.1:%d", port);
	return health_open(listen_on, &facts, NULL, NULL, &server, &err);
}

static int stop_server(void **state)
{
	(void)state;
	health_close(server);
	server = NULL;
	return 0;
}

static int dial(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_port = htons((uint16_t)port);
	assert_int_equal(connect(fd, (struct sockaddr *)(void *)&address, sizeof(address)), 0);
	return fd;
}

/* Sends a request and reads until the other side closes. Static storage. */
static const char *ask(const char *request)
{
	static char text[16384];
	size_t len = 0;
	ssize_t n;
	int fd = dial();
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	while (len < sizeof(text) - 1 && (n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
	return text;
}

static const char *get(const char *path)
{
	char request[256];
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
	return ask(request);
}

static int status_of(const char *answer)
{
	int status = 0;
	assert_int_equal(sscanf(answer, "HTTP/1.1 %d", &status), 1);
	return status;
}

static void answers_by_path(void **state)
{
	(void)state;
	assert_int_equal(status_of(get("/livez")), 200);
	assert_int_equal(status_of(get("/readyz")), 503);
	assert_int_equal(status_of(get("/progressz")), 200);
	assert_non_null(strstr(get("/progressz"), "application/json"));
	assert_non_null(strstr(get("/metrics"), "Content-Type: text/plain; version=0.0.4"));
	assert_non_null(strstr(get("/metrics"), "\nvw_agent_models 3\n"));
	assert_int_equal(status_of(get("/")), 404);
	assert_int_equal(status_of(get("/livez/")), 404);
	assert_int_equal(status_of(get("/metrics?x=1")), 200);
}

static void answers_from_what_was_published_last(void **state)
{
	(void)state;
	struct health_facts facts = sample();
	facts.ready = true;
	facts.alive_mono = vw_clock_monotonic() - facts.stale_ms - 1;
	facts.census.models = 4;
	health_publish(server, &facts);
	assert_int_equal(status_of(get("/readyz")), 200);
	assert_int_equal(status_of(get("/progressz")), 503);
	assert_non_null(strstr(get("/progressz"), "\"progressing\": false"));
	assert_non_null(strstr(get("/metrics"), "\nvw_agent_models 4\n"));
	assert_int_equal(status_of(get("/livez")), 200);
}

static void only_reads(void **state)
{
	(void)state;
	const char *answer = ask("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	assert_int_equal(status_of(answer), 405);
	assert_non_null(strstr(answer, "Allow: GET, HEAD"));
	assert_int_equal(status_of(ask("DELETE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 405);
	answer = ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_int_equal(status_of(answer), 200);
	assert_null(strstr(answer, "vw_agent"));
	/* a body of a GET is passed over */
	answer = ask("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
	assert_int_equal(status_of(answer), 200);
}

static void survives_bad_requests(void **state)
{
	(void)state;
	static char long_line[20000];
	memset(long_line, 'a', sizeof(long_line) - 1);
	memcpy(long_line, "GET /", 5);
	int fd = dial();
	(void)send(fd, long_line, strlen(long_line), MSG_NOSIGNAL);
	(void)send(fd, "\r\n\r\n", 4, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	char answer[256] = "";
	(void)recv(fd, answer, sizeof(answer) - 1, 0);
	assert_null(strstr(answer, " 200 "));
	close(fd);
	fd = dial();
	(void)send(fd, "\0\0\xff\r\n\r\n", 7, MSG_NOSIGNAL);
	close(fd);
	assert_int_equal(status_of(get("/livez")), 200);
}

/* More idle connections than there is room for delay others, but nothing breaks. */
static void connections_are_limited(void **state)
{
	(void)state;
	int fds[40];
	for (size_t i = 0; i < 40; i++)
		fds[i] = dial();
	for (size_t i = 0; i < 40; i++)
		close(fds[i]);
	assert_int_equal(status_of(get("/livez")), 200);
}

static void *publish_often(void *arg)
{
	struct health_facts facts = sample();
	(void)arg;
	for (int i = 0; i < 2000; i++) {
		facts.census.models = facts.census.incomplete = i;
		health_publish(server, &facts);
	}
	return NULL;
}

/* For the thread sanitizer; and no answer mixes two publications. */
static void publishes_while_it_answers(void **state)
{
	(void)state;
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, publish_often, NULL), 0);
	for (int i = 0; i < 50; i++) {
		const char *answer = get("/metrics");
		const char *models = strstr(answer, "\nvw_agent_models ");
		const char *incomplete = strstr(answer, "\nvw_agent_versions_incomplete ");
		assert_non_null(models);
		assert_non_null(incomplete);
		int a = atoi(models + 17), b = atoi(incomplete + 30);
		assert_true(a == b || (a == 3 && b == 1));
	}
	pthread_join(thread, NULL);
}

static void serves_ipv6(void **state)
{
	(void)state;
	struct health_facts facts = sample();
	struct vw_error err = VW_ERROR_INIT;
	struct health *health = NULL;
	char listen_on[32];
	snprintf(listen_on, sizeof(listen_on), "[::1]:%d", free_port());
	int code = health_open(listen_on, &facts, NULL, NULL, &health, &err);
	if (code < 0 && strstr(err.message, "assign requested address")) /* a host without IPv6 */
		skip();
	assert_int_equal(code, 0);
	health_close(health);
}

static void refuses_what_is_not_loopback(void **state)
{
	(void)state;
	const char *bad[] = {"",
			     "127.0.0.1",
			     "127.0.0.1:",
			     "127.0.0.1:x",
			     "127.0.0.1:65536",
			     "127.0.0.1:-1",
			     "0.0.0.0:9477",
			     "10.0.0.1:9477",
			     "[::]:9477",
			     "[::1:9477",
			     "[]:9477",
			     "[2001:db8::1]:9477",
			     "localhost:9477",
			     "127.1:9477",
			     "128.0.0.1:1",
			     ":9477",
			     "127.0.0.1000000000000000000000000000000000000000000000000000000000000000000000:9477"};
	struct health_facts facts = sample();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vw_error err = VW_ERROR_INIT;
		struct health *health = NULL;
		assert_int_equal(health_open(bad[i], &facts, NULL, NULL, &health, &err), VW_ECONFIG);
		assert_non_null(strstr(err.message, "loopback"));
		assert_null(health);
	}
}

static bool look(void *arg, struct vw_uplink_status *out)
{
	*out = (struct vw_uplink_status){.phase = *(enum vw_uplink_phase *)arg};
	return true;
}

static void asks_the_uplink_each_time(void **state)
{
	enum vw_uplink_phase phase = VW_UPLINK_CONNECTED;
	struct health_facts facts = sample();
	struct vw_error err = VW_ERROR_INIT;
	char listen_on[32];
	assert_non_null(strstr(get("/metrics"), "\nvw_agent_enrolled 0\n"));
	stop_server(state);
	facts.alive_mono = vw_clock_monotonic();
	snprintf(listen_on, sizeof(listen_on), "127.0.0.1:%d", port);
	assert_int_equal(health_open(listen_on, &facts, look, &phase, &server, &err), 0);
	assert_int_equal(status_of(get("/progressz")), 200);
	assert_non_null(strstr(get("/metrics"), "\nvw_agent_enrolled 1\n"));
	phase = VW_UPLINK_REFUSED;
	assert_int_equal(status_of(get("/progressz")), 503);
	assert_int_equal(status_of(get("/livez")), 200);
}

static void says_who_is_there_already(void **state)
{
	(void)state;
	struct health_facts facts = sample();
	struct vw_error err = VW_ERROR_INIT;
	struct health *second = NULL;
	char listen_on[32];
	snprintf(listen_on, sizeof(listen_on), "127.0.0.1:%d", port);
	assert_int_equal(health_open(listen_on, &facts, NULL, NULL, &second, &err), VW_ECONFIG);
	assert_non_null(strstr(err.message, listen_on));
	assert_non_null(strstr(err.message, "in use"));
}

static void none_is_fine(void **state)
{
	(void)state;
	struct health_facts facts = sample();
	health_publish(NULL, &facts);
	health_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(progress_is_an_age),
	    cmocka_unit_test(progress_before_the_first_sync),
	    cmocka_unit_test(progress_after_syncs),
	    cmocka_unit_test(metrics_are_what_they_should_be),
	    cmocka_unit_test_setup_teardown(answers_by_path, start_server, stop_server),
	    cmocka_unit_test_setup_teardown(answers_from_what_was_published_last, start_server, stop_server),
	    cmocka_unit_test_setup_teardown(asks_the_uplink_each_time, start_server, stop_server),
	    cmocka_unit_test_setup_teardown(only_reads, start_server, stop_server),
	    cmocka_unit_test_setup_teardown(survives_bad_requests, start_server, stop_server),
	    cmocka_unit_test_setup_teardown(connections_are_limited, start_server, stop_server),
	    cmocka_unit_test_setup_teardown(publishes_while_it_answers, start_server, stop_server),
	    cmocka_unit_test(serves_ipv6),
	    cmocka_unit_test(refuses_what_is_not_loopback),
	    cmocka_unit_test_setup_teardown(says_who_is_there_already, start_server, stop_server),
	    cmocka_unit_test(none_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
