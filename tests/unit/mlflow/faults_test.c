/* The transport against a server that fails in every way it can: what passes is tried again, what is too large ends (S12). */
#include "client_fixture.h"

#include "base/clock.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <zlib.h>

#define GOOD "{\"experiment\":{\"experiment_id\":\"7\",\"name\":\"e\"}}"

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
	fixture_start(f, busy_once, (struct vw_mlflow_settings){0});
	int64_t before = vw_clock_monotonic();
	assert_int_equal(fixture_ask(f), 0);
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
	fixture_start(f, fails_in_turn, (struct vw_mlflow_settings){.retries = 4});
	assert_int_equal(fixture_ask(f), 0);
	assert_int_equal(fixture_requests(f), 5);
	assert_int_equal(f->count, 1);
}

static void a_server_that_keeps_failing(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, fails_in_turn, (struct vw_mlflow_settings){.retries = 1});
	assert_int_equal(fixture_ask(f), VW_EAGAIN);
	assert_int_equal(fixture_requests(f), 2);
	assert_int_equal(f->status, 502);
	assert_non_null(strstr(f->message, "experiments/get"));
	assert_non_null(strstr(f->message, "502"));
	assert_non_null(strstr(f->message, "INTERNAL_ERROR: recursion"));
	assert_non_null(strstr(f->message, "tried 2 times"));
}

static void no_retries_where_none_are_wanted(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, fails_in_turn, (struct vw_mlflow_settings){.retries = -1});
	assert_int_equal(fixture_ask(f), VW_EAGAIN);
	assert_int_equal(fixture_requests(f), 1);
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
		fixture_start(f, handlers[i], (struct vw_mlflow_settings){0});
		assert_int_equal(fixture_ask(f), 0);
		assert_int_equal(f->count, 1);
		/* curl may send a request on a kept connection once more by itself */
		assert_true(fixture_requests(f) >= 2);
		fixture_stop(f);
	}
}

static void what_is_no_http_is_an_error(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, gibberish_once, (struct vw_mlflow_settings){.retries = -1});
	assert_true(fixture_ask(f) < 0);
	assert_int_equal(f->status, 0);
	assert_non_null(strstr(f->message, "experiments/get"));
}

static void nobody_listens(void **state)
{
	struct fixture *f = *state;
	fixture_start(f, busy_once, (struct vw_mlflow_settings){.retries = 1});
	kill(f->server.pid, SIGKILL);
	waitpid(f->server.pid, NULL, 0);
	f->server.pid = 0;
	assert_int_equal(fixture_ask(f), VW_EAGAIN);
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
	fixture_start(f, slow_answer, (struct vw_mlflow_settings){.retries = 1, .request_timeout_ms = 300});
	int64_t before = vw_clock_monotonic();
	assert_int_equal(fixture_ask(f), VW_ETIMEOUT);
	assert_true(vw_clock_monotonic() - before < 5000);
	assert_int_equal(fixture_requests(f), 2);
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
	fixture_start(f, endless_body, (struct vw_mlflow_settings){0});
	assert_int_equal(fixture_ask(f), VW_ELIMIT);
	assert_non_null(strstr(f->message, "VW_MAX_RESPONSE"));
	assert_int_equal(fixture_requests(f), 1); /* it would not be smaller the next time */
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
	fixture_start(f, gzip_bomb, (struct vw_mlflow_settings){0});
	assert_int_equal(fixture_ask(f), VW_ELIMIT);
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
	fixture_start(f, gzipped, (struct vw_mlflow_settings){0});
	assert_int_equal(fixture_ask(f), 0);
	assert_int_equal(f->count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FIXTURE_TEST(too_many_requests_then_good),
	    FIXTURE_TEST(server_errors_then_good),
	    FIXTURE_TEST(a_server_that_keeps_failing),
	    FIXTURE_TEST(no_retries_where_none_are_wanted),
	    FIXTURE_TEST(broken_connections_are_tried_again),
	    FIXTURE_TEST(what_is_no_http_is_an_error),
	    FIXTURE_TEST(nobody_listens),
	    FIXTURE_TEST(a_try_has_a_time_out),
	    FIXTURE_TEST(a_body_over_the_cap),
	    FIXTURE_TEST(a_gzip_bomb),
	    FIXTURE_TEST(gzip_is_asked_for_and_read),
	};
	fixture_forget_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
