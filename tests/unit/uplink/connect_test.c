/* From "host:port" to a socket: what is no endpoint, what cannot be reached, and what is said of it. */
#include "cmocka_all.h"

#include "connect.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_somewhere(uint16_t *out_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*out_port = ntohs(address.sin_port);
	return fd;
}

static int open_to(const char *endpoint, const char *proxy, struct vw_connection **out, struct vw_error *err)
{
	struct vw_uplink_route route = {.proxy = proxy, .connect_timeout_ms = 3000};
	return vw_connection_open(endpoint, &route, vw_clock_monotonic() + 3000, out, err);
}

static int setup(void **state)
{
	static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy",
					    "ALL_PROXY",   "no_proxy",    "NO_PROXY"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	return 0;
}

static void test_a_socket_that_does_not_block(void **state)
{
	uint16_t port;
	char endpoint[64];
	struct vw_connection *connection;
	struct vw_error err = VW_ERROR_INIT;
	int listener = listen_somewhere(&port);
	(void)state;
	snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", port);
	assert_int_equal(open_to(endpoint, NULL, &connection, &err), 0);
	assert_true(fcntl(vw_connection_socket(connection), F_GETFL) & O_NONBLOCK);
	assert_null(vw_connection_server_name(connection));
	vw_connection_close(connection);
	snprintf(endpoint, sizeof(endpoint), "localhost:%u", port);
	assert_int_equal(open_to(endpoint, NULL, &connection, &err), 0);
	assert_string_equal(vw_connection_server_name(connection), "localhost");
	vw_connection_close(connection);
	close(listener);
}

static void test_what_is_no_endpoint(void **state)
{
	static const char *const bad[] = {
	    "",         ":",        "host",        "host:",          "host:x",        "host:70000", "host:1/path",
	    "host:1?q", "host:1#f", "user@host:1", "user:pw@host:1", "http://host:1", "ho st:1",    "host:1\r\nX: y",
	    "[::1:1",   "a:1,b:2"};
	char longest[2000];
	struct vw_connection *connection;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int code = open_to(bad[i], "", &connection, &err);
		if (code != VW_ECONFIG)
			fail_msg("\"%s\" gives %d: %s", bad[i], code, err.message);
	}
	memset(longest, 'h', sizeof(longest));
	memcpy(longest + sizeof(longest) - 5, ":443", 5);
	assert_int_equal(open_to(longest, "", &connection, &err), VW_ECONFIG);
}

static void test_nobody_there(void **state)
{
	uint16_t port;
	char endpoint[64];
	struct vw_connection *connection;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	close(listen_somewhere(&port));
	snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", port);
	assert_int_equal(open_to(endpoint, "", &connection, &err), VW_EAGAIN);
	assert_true(err.message[0] != '\0');
	assert_int_equal(open_to("no-such-host.invalid:1", "", &connection, &err), VW_EAGAIN);
	assert_non_null(strstr(err.message, "no-such-host.invalid"));
}

static void test_proxies_that_cannot_be(void **state)
{
	struct vw_connection *connection;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	assert_int_equal(open_to("127.0.0.1:1", "https://proxy:1", &connection, &err), VW_ECONFIG);
	assert_int_equal(open_to("127.0.0.1:1", "HTTPS://proxy:1", &connection, &err), VW_ECONFIG);
	assert_true(open_to("127.0.0.1:1", "http://u:hidden@:x:y", &connection, &err) < 0);
	assert_null(strstr(err.message, "hidden"));
	setenv("https_proxy", "http://u:hidden@no-such-proxy.invalid:1", 1);
	assert_true(open_to("127.0.0.1:1", NULL, &connection, &err) < 0);
	assert_null(strstr(err.message, "hidden"));
	unsetenv("https_proxy");
}

static void test_no_time_left_and_cancelled(void **state)
{
	volatile sig_atomic_t cancel = 1;
	struct vw_connection *connection;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_uplink_route route = {.proxy = ""};
	(void)state;
	assert_int_equal(vw_connection_open("127.0.0.1:1", &route, vw_clock_monotonic() - 1, &connection, &err),
			 VW_ETIMEOUT);
	route.cancel = &cancel;
	int64_t before = vw_clock_monotonic();
	/* TEST-NET-1 (RFC 5737): nobody answers */
	assert_true(vw_connection_open("192.0.2.1:1", &route, before + 20000, &connection, &err) < 0);
	assert_true(vw_clock_monotonic() - before < 2500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_socket_that_does_not_block),
	    cmocka_unit_test(test_what_is_no_endpoint),
	    cmocka_unit_test(test_nobody_there),
	    cmocka_unit_test(test_proxies_that_cannot_be),
	    cmocka_unit_test(test_no_time_left_and_cancelled),
	};
	return cmocka_run_group_tests_name("uplink_connect", tests, setup, NULL);
}
