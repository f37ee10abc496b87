/* Bytes between TLS and gRPC: all of them, in order, at the pace of the slower side, whatever the peer does. */
#include "peer.h"

#include "base/clock.h"
#include "base/digest.h"
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)

static struct pki pki;

static int setup_pki(void **state)
{
	(void)state;
	pki_open(&pki);
	return 0;
}

static int teardown_pki(void **state)
{
	(void)state;
	pki_close(&pki);
	return 0;
}

/* What lies between us, in gRPC's place, and the peer. */
struct line {
	struct vw_secure *secure;
	struct vw_pump *pump;
	int socket, ours, theirs;
	struct vw_error err;
};

static void line_open(struct line *line, const struct peer_order *order, void *arg)
{
	int pair[2];
	enum vw_dial_failure failure;
	memset(line, 0, sizeof(*line));
	line->socket = peer_connect(&pki, order, arg);
	const struct vw_secure_order ours = {.socket = line->socket, .trust_domain = DOMAIN, .pair = &pki.pair};
	assert_int_equal(vw_secure_open(&ours, &line->secure, &line->err), 0);
	if (vw_secure_handshake(line->secure, vw_clock_monotonic() + 5000, NULL, &failure, &line->err) != 0)
		fail_msg("%s", line->err.message);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	line->ours = pair[0];
	line->theirs = pair[1];
	assert_int_equal(fcntl(line->theirs, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(vw_pump_start(line->secure, line->socket, line->theirs, &line->pump, &line->err), 0);
}

static void line_close(struct line *line)
{
	if (line->ours >= 0)
		close(line->ours);
	vw_pump_stop(line->pump);
	close(line->theirs);
	vw_secure_close(line->secure);
	close(line->socket);
	peer_join();
}

/* Until the pump closes our end. */
static void await_end(const struct line *line)
{
	char bytes[4096];
	struct pollfd fd = {.fd = line->ours, .events = POLLIN};
	for (;;) {
		assert_int_equal(poll(&fd, 1, 5000), 1);
		ssize_t got = recv(line->ours, bytes, sizeof(bytes), 0);
		if (got <= 0)
			return;
	}
}

static int failure_of(struct line *line)
{
	line->err = (struct vw_error)VW_ERROR_INIT;
	return vw_pump_failure(line->pump, &line->err);
}

/* ---- bytes ---- */

static void fill(uint8_t *bytes, size_t len, size_t at)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)((at + i) * 31 + ((at + i) >> 8));
}

static void echo(struct peer *peer)
{
	char bytes[10000];
	size_t got;
	while ((got = peer_read(peer, bytes, sizeof(bytes))) > 0)
		peer_send(peer, bytes, got);
}

/* Writes and reads at once, as gRPC does. */
static void exchange(const struct line *line, size_t total)
{
	uint8_t out[5000], in[7000], expected[7000];
	size_t sent = 0, got = 0;
	while (got < total) {
		struct pollfd fd = {.fd = line->ours, .events = POLLIN};
		if (sent < total)
			fd.events |= POLLOUT;
		assert_int_equal(poll(&fd, 1, 10000), 1);
		if (fd.revents & POLLOUT) {
			size_t most = total - sent < sizeof(out) ? total - sent : sizeof(out);
			fill(out, most, sent);
			ssize_t n = send(line->ours, out, most, MSG_DONTWAIT | MSG_NOSIGNAL);
			assert_true(n > 0 || errno == EAGAIN);
			sent += n > 0 ? (size_t)n : 0;
		}
		if (fd.revents & POLLIN) {
			ssize_t n = recv(line->ours, in, sizeof(in), MSG_DONTWAIT);
			assert_true(n > 0);
			fill(expected, (size_t)n, got);
			assert_memory_equal(in, expected, (size_t)n);
			got += (size_t)n;
		}
	}
}

static void test_all_bytes_in_order(void **state)
{
	struct line line;
	(void)state;
	line_open(&line, &(struct peer_order){.act = echo}, NULL);
	assert_false(vw_pump_heard(line.pump));
	exchange(&line, 8 * MIB);
	assert_true(vw_pump_heard(line.pump));
	assert_int_equal(failure_of(&line), VW_DIAL_NONE);
	line_close(&line);
}

struct slow {
	size_t received;
	volatile int go;
};

static void read_slowly(struct peer *peer)
{
	struct slow *slow = peer->arg;
	char bytes[16384];
	size_t got;
	while (!__atomic_load_n(&slow->go, __ATOMIC_ACQUIRE))
		usleep(1000);
	while ((got = peer_read(peer, bytes, sizeof(bytes))) > 0)
		slow->received += got;
}

/* A peer that takes nothing: what is written stops after the buffers are full, and nothing is lost once it does. */
static void test_a_slow_reader_makes_us_wait(void **state)
{
	struct line line;
	struct slow slow = {0};
	static uint8_t bytes[65536];
	size_t sent = 0;
	(void)state;
	line_open(&line, &(struct peer_order){.act = read_slowly}, &slow);
	struct pollfd fd = {.fd = line.ours, .events = POLLOUT};
	while (poll(&fd, 1, 500) == 1) {
		ssize_t n = send(line.ours, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
		assert_true(n > 0);
		sent += (size_t)n;
		assert_true(sent < 64 * MIB);
	}
	__atomic_store_n(&slow.go, 1, __ATOMIC_RELEASE);
	usleep(500000);
	close(line.ours);
	line.ours = -1;
	line_close(&line);
	assert_int_equal(slow.received, sent);
}

static void send_much(struct peer *peer)
{
	static uint8_t bytes[65536];
	size_t *sent = peer->arg;
	for (int i = 0; i < 64; i++) {
		fill(bytes, sizeof(bytes), *sent);
		peer_send(peer, bytes, sizeof(bytes));
		*sent += sizeof(bytes);
	}
}

/* gRPC takes nothing for a while: the peer has to wait, and nothing is lost. */
static void test_we_read_slowly(void **state)
{
	struct line line;
	uint8_t in[1000], expected[1000];
	size_t sent = 0, got = 0;
	(void)state;
	line_open(&line, &(struct peer_order){.act = send_much}, &sent);
	usleep(500000);
	for (ssize_t n; (n = recv(line.ours, in, sizeof(in), 0)) > 0; got += (size_t)n) {
		fill(expected, (size_t)n, got);
		assert_memory_equal(in, expected, (size_t)n);
	}
	assert_int_equal(got, 64 * 65536);
	line_close(&line);
}

/* ---- ends ---- */

static void say_goodbye(struct peer *peer)
{
	peer_send(peer, "bye", 3);
	mbedtls_ssl_close_notify(&peer->ssl);
}

static void test_the_peer_closes(void **state)
{
	struct line line;
	char bytes[8];
	(void)state;
	line_open(&line, &(struct peer_order){.act = say_goodbye}, NULL);
	assert_int_equal(recv(line.ours, bytes, sizeof(bytes), 0), 3);
	assert_int_equal(recv(line.ours, bytes, sizeof(bytes), 0), 0);
	assert_int_equal(failure_of(&line), VW_DIAL_UNREACHABLE);
	assert_non_null(strstr(line.err.message, "closed by the peer"));
	line_close(&line);
}

static void read_to_the_end(struct peer *peer)
{
	char bytes[4096];
	size_t *total = peer->arg, got;
	while ((got = peer_read(peer, bytes, sizeof(bytes))) > 0)
		*total += got;
}

/* gRPC closes: what it wrote before still arrives. */
static void test_we_close(void **state)
{
	struct line line;
	static uint8_t bytes[100000];
	size_t received = 0;
	(void)state;
	line_open(&line, &(struct peer_order){.act = read_to_the_end}, &received);
	assert_int_equal(send(line.ours, bytes, sizeof(bytes), 0), sizeof(bytes));
	close(line.ours);
	line.ours = -1;
	line_close(&line);
	assert_int_equal(received, sizeof(bytes));
}

static void sleep_on(struct peer *peer)
{
	struct slow *slow = peer->arg;
	while (!__atomic_load_n(&slow->go, __ATOMIC_ACQUIRE))
		usleep(1000);
}

/* A half-open connection: the peer neither reads nor ends. Closing takes a second, not for ever. */
static void test_closing_on_a_dead_peer(void **state)
{
	struct line line;
	struct slow slow = {0};
	static uint8_t bytes[65536];
	(void)state;
	line_open(&line, &(struct peer_order){.act = sleep_on}, &slow);
	struct pollfd fd = {.fd = line.ours, .events = POLLOUT};
	while (poll(&fd, 1, 300) == 1)
		assert_true(send(line.ours, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0);
	int64_t before = vw_clock_monotonic();
	close(line.ours);
	line.ours = -1;
	vw_pump_stop(line.pump);
	line.pump = NULL;
	assert_true(vw_clock_monotonic() - before < 3000);
	__atomic_store_n(&slow.go, 1, __ATOMIC_RELEASE);
	line_close(&line);
}

static void cut(struct peer *peer)
{
	char bytes[100];
	peer_read(peer, bytes, sizeof(bytes));
	peer_reset(peer);
}

static void test_a_reset_in_the_middle(void **state)
{
	struct line line;
	static uint8_t bytes[30000];
	(void)state;
	line_open(&line, &(struct peer_order){.act = cut}, NULL);
	assert_true(send(line.ours, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0);
	await_end(&line);
	assert_int_equal(failure_of(&line), VW_DIAL_UNREACHABLE);
	assert_non_null(strstr(line.err.message, "cut"));
	line_close(&line);
}

static void garbage(struct peer *peer)
{
	uint8_t bytes[1000];
	vw_random_bytes(bytes, sizeof(bytes));
	memcpy(bytes, "\x17\x03\x03\x01\x00", 5); /* looks like a record */
	(void)!write(peer->socket, bytes, sizeof(bytes));
	usleep(200000);
}

static void test_garbage_behind_the_handshake(void **state)
{
	struct line line;
	(void)state;
	line_open(&line, &(struct peer_order){.act = garbage}, NULL);
	await_end(&line);
	assert_int_equal(failure_of(&line), VW_DIAL_UNREACHABLE);
	assert_true(line.err.message[0] != '\0');
	line_close(&line);
}

struct alerting {
	int number;
	bool unread; /* what we wrote is not read: the peer's kernel answers it with a reset, behind the alert */
};

static void alert(struct peer *peer)
{
	const struct alerting *a = peer->arg;
	char bytes[1000];
	if (!a->unread)
		peer_read(peer, bytes, sizeof(bytes));
	else
		usleep(200000);
	peer_alert(peer, a->number);
}

static void test_alerts_behind_the_handshake(void **state)
{
	static const struct {
		int number;
		enum vw_dial_failure failure;
	} cases[] = {{45, VW_DIAL_EXPIRED},
		     {44, VW_DIAL_REFUSED},
		     {48, VW_DIAL_REFUSED},
		     {116, VW_DIAL_REFUSED},
		     {80, VW_DIAL_UNREACHABLE}};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct line line;
		struct alerting a = {cases[i / 2].number, i % 2};
		line_open(&line, &(struct peer_order){.act = alert}, &a);
		assert_int_equal(send(line.ours, "PRI * HTTP/2.0", 14, MSG_NOSIGNAL), 14);
		await_end(&line);
		assert_int_equal(failure_of(&line), cases[i / 2].failure);
		assert_non_null(strstr(line.err.message, "alert"));
		line_close(&line);
	}
}

/* ---- rest ---- */

/* Connected and idle the pump sleeps. */
static void test_idle_costs_nothing(void **state)
{
	struct line line;
	struct slow slow = {0};
	struct rusage before, after;
	(void)state;
	line_open(&line, &(struct peer_order){.act = sleep_on}, &slow);
	usleep(100000);
	getrusage(RUSAGE_SELF, &before);
	sleep(1);
	getrusage(RUSAGE_SELF, &after);
	int64_t used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
		       (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
	/* the peer's own thread wakes a thousand times */
	assert_true(used < 400000);
	__atomic_store_n(&slow.go, 1, __ATOMIC_RELEASE);
	line_close(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_bytes_in_order),
	    cmocka_unit_test(test_a_slow_reader_makes_us_wait),
	    cmocka_unit_test(test_we_read_slowly),
	    cmocka_unit_test(test_the_peer_closes),
	    cmocka_unit_test(test_we_close),
	    cmocka_unit_test(test_closing_on_a_dead_peer),
	    cmocka_unit_test(test_a_reset_in_the_middle),
	    cmocka_unit_test(test_garbage_behind_the_handshake),
	    cmocka_unit_test(test_alerts_behind_the_handshake),
	    cmocka_unit_test(test_idle_costs_nothing),
	};
	return cmocka_run_group_tests_name("uplink_pump", tests, setup_pki, teardown_pki);
}
