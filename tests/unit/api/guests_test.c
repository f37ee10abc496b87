/* Connections that are too slow are shown out; the others stay. */
#include "cmocka_all.h"
#include "guests.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whether the other end of a pair is closed within a time. */
static bool ends_within(int fd, int ms)
{
	char byte;
	struct pollfd wait = {fd, POLLIN, 0};
	return poll(&wait, 1, ms) == 1 && recv(fd, &byte, 1, 0) == 0;
}

static void shows_out_the_slow(void **state)
{
	struct guests *guests;
	struct vw_error err = VW_ERROR_INIT;
	int slow[2], quick[2], waiting[2], host;
	(void)state;
	assert_int_equal(guests_open(&host, &guests, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, slow), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, quick), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, waiting), 0);
	struct guest *a = guest_enter(guests, slow[0], 1), *b = guest_enter(guests, quick[0], 1),
		     *c = guest_enter(guests, waiting[0], 1);
	assert_ptr_equal(guest_host(a), &host);
	guest_allow(b, 60000); /* said something */
	guest_allow(c, 0);     /* waits for us */
	assert_true(ends_within(slow[1], 5000));
	assert_false(ends_within(quick[1], 100));
	assert_false(ends_within(waiting[1], 100));
	guest_leave(guests, b);
	guest_leave(guests, a);
	guest_allow(NULL, 1);
	guest_leave(guests, c);
	guests_close(guests);
	guests_close(NULL);
	for (int i = 0; i < 2; i++)
		close(slow[i]), close(quick[i]), close(waiting[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(shows_out_the_slow)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
