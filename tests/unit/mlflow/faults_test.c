/* The transport against a server that fails in every way it can (S12, S2.1, S4.2). */
#include "cmocka_all.h"

#include "base/clock.h"
#include "base/limits.h"
#include "fault_server.h"
#include "mlflow/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define GOOD "{\"experiment\":{\"experiment_id\":\"7\",\"name\":\"e\"}}"

struct fixture {
	struct fault_server server;
	struct vw_credentials *credentials;
	struct vw_mlflow *client;
	struct vw_error err;
	volatile sig_atomic_t cancel;
	/* of the last answer */
	int answers;
	int code;
	int status;
	size_t count;
	char message[VW_ERROR_MESSAGE_MAX];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	*state = f;
	return f ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	vw_mlflow_close(f->client);
	vw_credentials_close(f->credentials);
	fault_server_stop(&f->server);
	free(f);
	return 0;
}

static void open_at(struct fixture *f, struct vw_mlflow_settings settings)
{
	const struct vw_credential_settings none = {0};
	if (!settings.tracking_uri)
		settings.tracking_uri = f->server.uri;
	if (!settings.retries)
		settings.retries = 2;
	if (!f->credentials)
		assert_int_equal(vw_credentials_open(&none, &f->credentials, &f->err), 0);
	assert_int_equal(vw_mlflow_open(&settings, f->credentials, &f->cancel, &f->client, &f->err), 0);
}

static void start(struct fixture *f, fault_handler handler, struct vw_mlflow_settings settings)
{
	fault_server_start(&f->server, handler);
	open_at(f, settings);
}

static void note(void *arg, const struct vw_mlflow_answer *answer)
{
	struct fixture *f = arg;
	f->answers++;
	f->code = answer->code;
	f->status = answer->http_status;
	f->count = answer->count;
	strcpy(f->message, answer->error->message);
}

/* One call to its end. */
static int ask(struct fixture *f)
{
	f->answers = 0;
	assert_int_equal(vw_mlflow_get_experiment(f->client, "7", note, f), 0);
	assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
	assert_int_equal(f->answers, 1);
	return f->code;
}

static int requests(const struct fixture *f)
{
	return atomic_load(&f->server.shared->requests);
}

/* ---- faults that pass ---- */

static bool busy_once(int fd, int n, const char *request)
{
	(void)request;
	if (n == 0)
		return fault_answer(fd, 429, "Retry-After: 1\r\n", "slow down");
	return fault_answer(fd, 200, "", GOOD);
}

static void too_many_requests_then_good(void **state)
{
	struct fixture *f = *state;
	struct vw_mlflow_counts counts;
	start(f, busy_once, (struct vw_mlflow_settings){0});
	int64_t before = vw_clock_monotonic();
	assert_int_equal(ask(f), 0);
	int64_t took = vw_clock_monotonic() - before;
	assert_true(took >= 1000 && took < 5000); /* as long as the server asked for */
	vw_mlflow_counts(f->client, &counts);
	assert_int_equal(counts.requests, 2);
	assert_int_equal(counts.retries, 1);
	assert_true(counts.bytes_received == (int64_t)strlen(GOOD) + 9);
	vw_mlflow_begin_cycle(f->client);
	vw_mlflow_counts(f->client, &counts);
	assert_int_equal(counts.requests, 0);
}

static bool fails_in_turn(int fd, int n, const char *request)
{
	static const int statuses[] = {500, 502, 503, 504};
	(void)request;
	if (n < 4)
		return fault_answer(fd, statuses[n], "",
				    "{\"error_code\":\"INTERNAL_ERROR\",\"message\":\"recursion\"}");
	return fault_answer(fd, 200, "", GOOD);
}

static void server_errors_then_good(void **state)
{
	struct fixture *f = *state;
	start(f, fails_in_turn, (struct vw_mlflow_settings){.retries = 4});
	assert_int_equal(ask(f), 0);
	assert_int_equal(requests(f), 5);
	assert_int_equal(f->count, 1);
}

static void a_server_that_keeps_failing(void **state)
{
	struct fixture *f = *state;
	start(f, fails_in_turn, (struct vw_mlflow_settings){.retries = 1});
	assert_int_equal(ask(f), VW_EAGAIN);
	assert_int_equal(requests(f), 2);
	assert_int_equal(f->status, 502);
	assert_non_null(strstr(f->message, "experiments/get"));
	assert_non_null(strstr(f->message, "502"));
	assert_non_null(strstr(f->message, "INTERNAL_ERROR: recursion"));
	assert_non_null(strstr(f->message, "tried 2 times"));
}

static void no_retries_where_none_are_wanted(void **state)
{
	struct fixture *f = *state;
	start(f, fails_in_turn, (struct vw_mlflow_settings){.retries = -1});
	assert_int_equal(ask(f), VW_EAGAIN);
	assert_int_equal(requests(f), 1);
}

static bool resets_once(int fd, int n, const char *request)
{
	(void)request;
	if (n > 0)
		return fault_answer(fd, 200, "", GOOD);
	fault_reset(fd);
	return false;
}

static bool half_an_answer_once(int fd, int n, const char *request)
{
	const char *half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"experiment\":";
	(void)request;
	if (n > 0)
		return fault_answer(fd, 200, "", GOOD);
	fault_send(fd, half, strlen(half));
	return false;
}

static bool half_a_chunk_once(int fd, int n, const char *request)
{
	const char *half = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"experiment\":";
	(void)request;
	if (n > 0)
		return fault_answer(fd, 200, "", GOOD);
	fault_send(fd, half, strlen(half));
	return false;
}

static bool no_answer_once(int fd, int n, const char *request)
{
	(void)request;
	return n > 0 ? fault_answer(fd, 200, "", GOOD) : false;
}

static bool broken_gzip_once(int fd, int n, const char *request)
{
	(void)request;
	if (n > 0)
		return fault_answer(fd, 200, "", GOOD);
	return fault_answer(fd, 200, "Content-Encoding: gzip\r\n", "this is no gzip");
}

static bool gibberish_once(int fd, int n, const char *request)
{
	(void)request;
	if (n > 0)
		return fault_answer(fd, 200, "", GOOD);
	fault_send(fd, "\x16\x03\x01 SSH-2.0\r\n\r\n", 15);
	return false;
}

static void broken_connections_are_tried_again(void **state)
{
	struct fixture *f = *state;
	static const fault_handler handlers[] = {resets_once, half_an_answer_once, half_a_chunk_once, no_answer_once,
						 broken_gzip_once};
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		start(f, handlers[i], (struct vw_mlflow_settings){0});
		assert_int_equal(ask(f), 0);
		assert_int_equal(f->count, 1);
		/* curl may send a request on a kept connection once more by itself */
		assert_true(requests(f) >= 2);
		vw_mlflow_close(f->client);
		f->client = NULL;
		fault_server_stop(&f->server);
	}
}

static void what_is_no_http_is_an_error(void **state)
{
	struct fixture *f = *state;
	start(f, gibberish_once, (struct vw_mlflow_settings){.retries = -1});
	assert_true(ask(f) < 0);
	assert_int_equal(f->status, 0);
	assert_non_null(strstr(f->message, "experiments/get"));
}

static void nobody_listens(void **state)
{
	struct fixture *f = *state;
	start(f, busy_once, (struct vw_mlflow_settings){.retries = 1});
	kill(f->server.pid, SIGKILL);
	waitpid(f->server.pid, NULL, 0);
	f->server.pid = 0;
	assert_int_equal(ask(f), VW_EAGAIN);
	assert_int_equal(f->status, 0);
}

static bool slow_answer(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	fault_sleep(30000);
	return fault_answer(fd, 200, "", GOOD);
}

static void a_try_has_a_time_out(void **state)
{
	struct fixture *f = *state;
	start(f, slow_answer, (struct vw_mlflow_settings){.retries = 1, .request_timeout_ms = 300});
	int64_t before = vw_clock_monotonic();
	assert_int_equal(ask(f), VW_ETIMEOUT);
	assert_true(vw_clock_monotonic() - before < 5000);
	assert_int_equal(requests(f), 2);
}

/* ---- answers that are too large ---- */

static bool endless_body(int fd, int n, const char *request)
{
	static char block[1 << 20];
	const char *head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
	(void)n;
	(void)request;
	memset(block, ' ', sizeof(block));
	fault_send(fd, head, strlen(head));
	for (size_t i = 0; i < 2 * VW_MAX_RESPONSE / sizeof(block); i++)
		fault_send(fd, block, sizeof(block));
	return false;
}

static void a_body_over_the_cap(void **state)
{
	struct fixture *f = *state;
	start(f, endless_body, (struct vw_mlflow_settings){0});
	assert_int_equal(ask(f), VW_ELIMIT);
	assert_non_null(strstr(f->message, "VW_MAX_RESPONSE"));
	assert_int_equal(requests(f), 1); /* it would not be smaller the next time */
}

static bool gzip_bomb(int fd, int n, const char *request)
{
	static char zeros[1 << 20];
	static unsigned char packed[1 << 20];
	z_stream z = {.next_out = packed, .avail_out = sizeof(packed)};
	(void)n;
	(void)request;
	if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	for (int i = 0; i <= 80; i++) {
		z.next_in = (unsigned char *)zeros;
		z.avail_in = sizeof(zeros);
		deflate(&z, i == 80 ? Z_FINISH : Z_NO_FLUSH);
	}
	size_t len = z.total_out;
	deflateEnd(&z);
	return fault_answer_bytes(fd, 200, "Content-Encoding: gzip\r\n", packed, len);
}

static void a_gzip_bomb(void **state)
{
	struct fixture *f = *state;
	struct vw_mlflow_counts counts;
	start(f, gzip_bomb, (struct vw_mlflow_settings){0});
	assert_int_equal(ask(f), VW_ELIMIT);
	vw_mlflow_counts(f->client, &counts);
	assert_true(counts.bytes_received < (int64_t)VW_MIB); /* as on the wire */
}

static bool gzipped(int fd, int n, const char *request)
{
	unsigned char packed[512];
	z_stream z = {.next_out = packed, .avail_out = sizeof(packed)};
	(void)n;
	if (!strcasestr(request, "Accept-Encoding: gzip") || deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, 0) != Z_OK)
		return false;
	char text[] = GOOD;
	z.next_in = (unsigned char *)text;
	z.avail_in = (unsigned)strlen(text);
	deflate(&z, Z_FINISH);
	size_t len = z.total_out;
	deflateEnd(&z);
	return fault_answer_bytes(fd, 200, "Content-Encoding: gzip\r\n", packed, len);
}

static void gzip_is_asked_for_and_read(void **state)
{
	struct fixture *f = *state;
	start(f, gzipped, (struct vw_mlflow_settings){0});
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->count, 1);
}

/* ---- what a status means ---- */

static bool status_by_id(int fd, int n, const char *request)
{
	int status = 0;
	(void)n;
	const char *id = strstr(request, "experiment_id=");
	sscanf(id ? id : "", "experiment_id=%d", &status);
	const char *json = "{\"error_code\":\"INVALID_PARAMETER_VALUE\",\"message\":\"no\"}";
	if (status == 1404)
		json = "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"gone\"}";
	if (status == 1500)
		json = "{\"error_code\":\"FEATURE_DISABLED\",\"message\":\"off\"}";
	if (status == 2404)
		json = "{\"error_code\":\"ENDPOINT_NOT_FOUND\",\"message\":\"what\"}";
	if (status == 404 || status == 405)
		json = "<!doctype html>\n<title>404</title>";
	if (status == 1403)
		json = "Invalid Host header";
	return fault_answer(fd, status % 1000, "", json);
}

static void statuses(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *id;
		int code;
		const char *said;
	} cases[] = {
	    {"400", VW_EINVAL, "INVALID_PARAMETER_VALUE: no"},
	    {"401", VW_EAUTH, "credentials: none"},
	    {"403", VW_EFORBIDDEN, "403"},
	    {"1403", VW_EFORBIDDEN, "MLFLOW_SERVER_ALLOWED_HOSTS"},
	    {"404", VW_EUNSUPPORTED, "path prefix"}, /* no proof that the object is gone */
	    {"1404", VW_ENOTFOUND, "gone"},
	    {"2404", VW_EUNSUPPORTED, "ENDPOINT_NOT_FOUND"},
	    {"405", VW_EUNSUPPORTED, "405"},
	    {"409", VW_EINVAL, "409"},
	    {"413", VW_ELIMIT, "413"},
	    {"501", VW_EUNSUPPORTED, "501"},
	    {"1500", VW_EUNSUPPORTED, "FEATURE_DISABLED"},
	    {"204", VW_EINVAL, "204"},
	};
	start(f, status_by_id, (struct vw_mlflow_settings){0});
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int before = requests(f);
		assert_int_equal(vw_mlflow_get_experiment(f->client, cases[i].id, note, f), 0);
		assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
		assert_int_equal(f->code, cases[i].code);
		assert_non_null(strstr(f->message, cases[i].said));
		assert_non_null(strstr(f->message, "experiments/get"));
		assert_int_equal(requests(f), before + 1); /* these do not pass */
	}
}

static bool redirects(int fd, int n, const char *request)
{
	(void)request;
	if (n > 0)
		return fault_answer(fd, 200, "", GOOD);
	return fault_answer(fd, 302, "Location: https://user:sekret@login.example.org/sso?ticket=sekret\r\n", "");
}

static void redirects_are_not_followed(void **state)
{
	struct fixture *f = *state;
	start(f, redirects, (struct vw_mlflow_settings){0});
	assert_int_equal(ask(f), VW_ECONFIG);
	assert_int_equal(requests(f), 1);
	assert_non_null(strstr(f->message, "login.example.org/sso"));
	assert_null(strstr(f->message, "sekret"));
}

static bool a_web_page(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 200, "Content-Type: text/html\r\n", "<html>Please sign in</html>");
}

static void a_page_is_no_answer(void **state)
{
	struct fixture *f = *state;
	start(f, a_web_page, (struct vw_mlflow_settings){0});
	assert_int_equal(ask(f), VW_EINVAL);
	assert_int_equal(f->status, 200);
}

/* ---- cancelling and deadlines ---- */

static volatile sig_atomic_t *cancelled_by_alarm;

static void on_alarm(int signal)
{
	(void)signal;
	*cancelled_by_alarm = 1;
}

static void note_and_ask_again(void *arg, const struct vw_mlflow_answer *answer)
{
	struct fixture *f = arg;
	note(arg, answer);
	/* a callback that does not look: nothing is queued any more */
	assert_int_equal(vw_mlflow_get_experiment(f->client, "7", note, f), VW_ECANCELLED);
}

static void cancelled_within_a_second(void **state)
{
	struct fixture *f = *state;
	start(f, slow_answer, (struct vw_mlflow_settings){.connections = 2});
	for (int i = 0; i < 10; i++)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "7", note_and_ask_again, f), 0);
	cancelled_by_alarm = &f->cancel;
	signal(SIGALRM, on_alarm);
	alarm(1);
	int64_t before = vw_clock_monotonic();
	assert_int_equal(vw_mlflow_run(f->client, &f->err), VW_ECANCELLED);
	int64_t took = vw_clock_monotonic() - before;
	assert_true(took >= 900 && took < 2000);
	assert_int_equal(f->answers, 10); /* each exactly once */
	assert_int_equal(f->code, VW_ECANCELLED);
	/* and the client is good for another cycle */
	f->cancel = 0;
	assert_int_equal(vw_mlflow_run(f->client, &f->err), 0);
}

static void cancelled_while_it_waits_for_a_retry(void **state)
{
	struct fixture *f = *state;
	start(f, busy_once, (struct vw_mlflow_settings){0});
	f->cancel = 1;
	assert_int_equal(vw_mlflow_get_experiment(f->client, "7", note, f), 0);
	assert_int_equal(vw_mlflow_run(f->client, &f->err), VW_ECANCELLED);
	assert_int_equal(f->answers, 1);
	assert_int_equal(requests(f), 0);
}

static bool always_busy(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 503, "Retry-After: 3600\r\n", "later");
}

static void a_cycle_has_a_deadline(void **state)
{
	struct fixture *f = *state;
	start(f, always_busy, (struct vw_mlflow_settings){.cycle_timeout_ms = 700});
	vw_mlflow_begin_cycle(f->client);
	assert_int_equal(vw_mlflow_get_experiment(f->client, "7", note, f), 0);
	int64_t before = vw_clock_monotonic();
	assert_int_equal(vw_mlflow_run(f->client, &f->err), VW_ETIMEOUT);
	assert_true(vw_clock_monotonic() - before < 2000);
	assert_int_equal(f->code, VW_ETIMEOUT);
	assert_int_equal(f->answers, 1);
	assert_int_equal(requests(f), 1);
}

static void closing_with_calls_outstanding(void **state)
{
	struct fixture *f = *state;
	start(f, always_busy, (struct vw_mlflow_settings){0});
	for (int i = 0; i < 3; i++)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "7", note, f), 0);
	vw_mlflow_close(f->client);
	f->client = NULL;
	assert_int_equal(f->answers, 0);
}

/* ---- secrets ---- */

/* A gateway that quotes the whole request in its error page. */
static bool echoes(int fd, int n, const char *request)
{
	char line[FAULT_LOG_BYTES];
	(void)n;
	size_t at = 0;
	for (const char *c = request; *c && at + 1 < sizeof(line); c++)
		line[at++] = *c == '\r' || *c == '\n' ? ' ' : *c;
	line[at] = '\0';
	return fault_answer(fd, 400, "", line);
}

static void an_echo_gives_no_secret_away(void **state)
{
	struct fixture *f = *state;
	const char *headers[] = {"X-Api-Key: k3y-value-sekret", NULL};
	const struct vw_credential_settings none = {0};
	assert_int_equal(vw_credentials_open(&none, &f->credentials, &f->err), 0);
	assert_int_equal(vw_credentials_add_userinfo(f->credentials, "alice:pass-sekret", &f->err), 0);
	start(f, echoes, (struct vw_mlflow_settings){.headers = headers});
	assert_int_equal(ask(f), VW_EINVAL);
	assert_non_null(strstr(f->message, "X-Api-Key: ***"));
	assert_null(strstr(f->message, "sekret"));
	assert_null(strstr(f->message, "YWxpY2U6cGFzcy1zZWtyZXQ=")); /* alice:pass-sekret */
	/* what the server itself was sent */
	assert_non_null(strstr(f->server.shared->log[0], "Authorization: Basic YWxpY2U6cGFzcy1zZWtyZXQ="));
	assert_non_null(strstr(f->server.shared->log[0], "X-Api-Key: k3y-value-sekret"));
	assert_null(strcasestr(f->server.shared->log[0], "Origin:"));
}

static bool wants_the_new_token(int fd, int n, const char *request)
{
	(void)n;
	bool good = strstr(request, "Authorization: Bearer new-token\r\n");
	return good ? fault_answer(fd, 200, "", GOOD) : fault_answer(fd, 401, "", "who are you?");
}

static void write_token(const char *path, const char *text)
{
	char other[300];
	snprintf(other, sizeof(other), "%s.new", path);
	FILE *file = fopen(other, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(other, path), 0);
}

static void a_refused_token_is_read_again(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/vw-token-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	write_token(path, "old-token");
	const struct vw_credential_settings settings = {.token_file = path};
	assert_int_equal(vw_credentials_open(&settings, &f->credentials, &f->err), 0);
	start(f, wants_the_new_token, (struct vw_mlflow_settings){0});
	assert_int_equal(ask(f), VW_EAUTH);
	assert_int_equal(requests(f), 1); /* the same token again would be refused again */
	assert_non_null(strstr(f->message, path));
	assert_null(strstr(f->message, "old-token"));
	write_token(path, "new-token");
	assert_int_equal(ask(f), 0);
	assert_int_equal(requests(f), 3);
	unlink(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const char *const variables[] = {"http_proxy",
						"HTTP_PROXY",
						"all_proxy",
						"ALL_PROXY",
						"MLFLOW_TRACKING_USERNAME",
						"MLFLOW_TRACKING_PASSWORD",
						"MLFLOW_TRACKING_TOKEN",
						"CREDENTIALS_DIRECTORY"};
	const struct CMUnitTest tests[] = {
	    TEST(too_many_requests_then_good),
	    TEST(server_errors_then_good),
	    TEST(a_server_that_keeps_failing),
	    TEST(no_retries_where_none_are_wanted),
	    TEST(broken_connections_are_tried_again),
	    TEST(what_is_no_http_is_an_error),
	    TEST(nobody_listens),
	    TEST(a_try_has_a_time_out),
	    TEST(a_body_over_the_cap),
	    TEST(a_gzip_bomb),
	    TEST(gzip_is_asked_for_and_read),
	    TEST(statuses),
	    TEST(redirects_are_not_followed),
	    TEST(a_page_is_no_answer),
	    TEST(cancelled_within_a_second),
	    TEST(cancelled_while_it_waits_for_a_retry),
	    TEST(a_cycle_has_a_deadline),
	    TEST(closing_with_calls_outstanding),
	    TEST(an_echo_gives_no_secret_away),
	    TEST(a_refused_token_is_read_again),
	};
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	setenv("HOME", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
