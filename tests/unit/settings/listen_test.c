#include "settings/listen.h"

#include "../base/cmocka_all.h"

#include <arpa/inet.h>
#include <string.h>

static void addresses_are_taken(void **state)
{
	static const struct {
		const char *text;
		int family, port;
		bool loopback;
	} good[] = {{"127.0.0.1:9477", AF_INET, 9477, true},    {"127.8.9.1:1", AF_INET, 1, true},
		    {"0.0.0.0:65535", AF_INET, 65535, false},   {"192.0.2.7:80", AF_INET, 80, false},
		    {"[::1]:9477", AF_INET6, 9477, true},       {"[::]:0", AF_INET6, 0, false},
		    {"[2001:db8::7]:443", AF_INET6, 443, false}};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct vw_listen_address a;
		assert_true(vw_listen_parse(good[i].text, &a));
		assert_int_equal(a.at.any.sa_family, good[i].family);
		assert_int_equal(ntohs(good[i].family == AF_INET ? a.at.v4.sin_port : a.at.v6.sin6_port),
				 good[i].port);
		assert_int_equal(a.len, good[i].family == AF_INET ? sizeof(a.at.v4) : sizeof(a.at.v6));
		assert_int_equal(a.loopback, good[i].loopback);
	}
}

static void anything_else_is_not(void **state)
{
	static const char *const bad[] = {
	    "",
	    ":",
	    "[",
	    "[:",
	    "]:1",
	    "[]:1",
	    ":80",
	    "off",
	    "127.0.0.1",
	    "127.0.0.1:",
	    "127.0.0.1:-1",
	    "127.0.0.1:65536",
	    "127.0.0.1:80x",
	    "127.1:80",
	    "127.0.0.1.evil.example:80",
	    "localhost:80",
	    "::1:80",
	    "[::1]80",
	    "[::1:80",
	    "[127.0.0.1]:80",
	    "[::1%lo]:80",
	    " 127.0.0.1:80",
	    "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:80"};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vw_listen_address a = {.len = 77};
		if (vw_listen_parse(bad[i], &a))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(a.len, 77); /* untouched on failure */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_taken),
	    cmocka_unit_test(anything_else_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
