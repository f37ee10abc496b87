#include "cli/notify.h"

#include "../base/cmocka_all.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/vw_notify_test.XXXXXX";
static char name[64];
static int listener;

static void bind_to(bool abstract)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(name, sizeof(name), "%s%s/socket", abstract ? "@" : "", folder);
	size_t len = strlen(name);
	memcpy(address.sun_path, name, len);
	if (abstract)
		address.sun_path[0] = '\0';
	listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)(void *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !abstract)),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static int setup_path(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (!mkdtemp(folder))
		return -1;
	bind_to(false);
	return 0;
}

static int setup_abstract(void **state)
{
	(void)state;
	unsetenv("WATCHDOG_USEC");
	bind_to(true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(listener);
	unsetenv("NOTIFY_SOCKET");
	if (name[0] == '/')
		unlink(name);
	rmdir(folder);
	return 0;
}

static const char *received(void)
{
	static char text[1024];
	ssize_t len = recv(listener, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static void says_what_it_should(void **state)
{
	(void)state;
	struct vw_cli_notifier n;
	vw_cli_notify_open(&n);
	vw_cli_notify_state(&n, "READY=1", "first sync");
	assert_string_equal(received(), "READY=1\nSTATUS=first sync\n");
	vw_cli_notify_state(&n, "STOPPING=1", NULL);
	assert_string_equal(received(), "STOPPING=1\n");
	vw_cli_notify_status(&n, "3 versions");
	assert_string_equal(received(), "STATUS=3 versions\n");
	vw_cli_notify_close(&n);
	vw_cli_notify_status(&n, "nobody hears this");
	assert_string_equal(received(), "");
}

static void a_reload_has_its_time(void **state)
{
	(void)state;
	struct vw_cli_notifier n;
	struct timespec now;
	long long usec;
	vw_cli_notify_open(&n);
	vw_cli_notify_reloading(&n);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_int_equal(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%lld\n", &usec), 1);
	assert_in_range(usec, (now.tv_sec - 5) * 1000000LL, now.tv_sec * 1000000LL + 1000000);
	vw_cli_notify_close(&n);
}

/* A line end would begin an assignment of its own. */
static void a_status_is_one_line(void **state)
{
	(void)state;
	struct vw_cli_notifier n;
	vw_cli_notify_open(&n);
	vw_cli_notify_status(&n, "a\nMAINPID=1");
	assert_string_equal(received(), "STATUS=a\\u{0a}MAINPID=1\n");
	vw_cli_notify_close(&n);
}

static void signs_of_life_come_when_they_are_wanted(void **state)
{
	(void)state;
	struct vw_cli_notifier n;
	vw_cli_notify_open(&n);
	vw_cli_notify_alive(&n);
	assert_string_equal(received(), ""); /* nobody asked */
	vw_cli_notify_close(&n);

	setenv("WATCHDOG_USEC", "200000", 1);
	vw_cli_notify_open(&n);
	assert_int_equal(n.watchdog_ms, 100);
	vw_cli_notify_alive(&n);
	assert_string_equal(received(), "WATCHDOG=1\n");
	vw_cli_notify_alive(&n);
	assert_string_equal(received(), ""); /* too early */
	usleep(120 * 1000);
	vw_cli_notify_alive(&n);
	assert_string_equal(received(), "WATCHDOG=1\n");
	vw_cli_notify_close(&n);
}

static void a_watchdog_of_another_process_is_not_ours(void **state)
{
	(void)state;
	struct vw_cli_notifier n;
	char pid[32];
	setenv("WATCHDOG_USEC", "200000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	vw_cli_notify_open(&n);
	assert_int_equal(n.watchdog_ms, 0);
	vw_cli_notify_close(&n);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	vw_cli_notify_open(&n);
	assert_int_equal(n.watchdog_ms, 100);
	vw_cli_notify_close(&n);
	setenv("WATCHDOG_USEC", "1", 1);
	vw_cli_notify_open(&n);
	assert_int_equal(n.watchdog_ms, 1);
	vw_cli_notify_close(&n);
	for (size_t i = 0; i < 4; i++) {
		setenv("WATCHDOG_USEC", (const char *const[]){"", "-5", "soon", "0"}[i], 1);
		vw_cli_notify_open(&n);
		assert_int_equal(n.watchdog_ms, 0);
		vw_cli_notify_close(&n);
	}
	setenv("WATCHDOG_USEC", "200000", 1);
	setenv("WATCHDOG_PID", "me", 1);
	vw_cli_notify_open(&n);
	assert_int_equal(n.watchdog_ms, 0);
	vw_cli_notify_close(&n);
}

static void what_is_no_address_is_left_alone(void **state)
{
	(void)state;
	struct vw_cli_notifier n;
	char long_name[200] = "/";
	memset(long_name + 1, 'x', sizeof(long_name) - 2);
	const char *names[] = {"", "relative/path", "vsock:2:1", "/", "@", long_name};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		vw_cli_notify_open(&n);
		vw_cli_notify_state(&n, "READY=1", NULL);
		assert_true(i == 3 || n.fd < 0 || strlen(names[i]) > 1);
		vw_cli_notify_close(&n);
	}
	unsetenv("NOTIFY_SOCKET");
	vw_cli_notify_open(&n);
	assert_true(n.fd < 0);
	vw_cli_notify_alive(&n);
	vw_cli_notify_reloading(&n);
	vw_cli_notify_close(&n);
}

/* A listener that went away, or never reads, holds nobody up. */
static void silence_is_survived(void **state)
{
	(void)state;
	struct vw_cli_notifier n;
	vw_cli_notify_open(&n);
	for (int i = 0; i < 1000; i++)
		vw_cli_notify_status(&n, "full");
	close(listener);
	vw_cli_notify_status(&n, "gone");
	vw_cli_notify_close(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(says_what_it_should, setup_path, teardown),
	    cmocka_unit_test_setup_teardown(says_what_it_should, setup_abstract, teardown),
	    cmocka_unit_test_setup_teardown(a_reload_has_its_time, setup_path, teardown),
	    cmocka_unit_test_setup_teardown(a_status_is_one_line, setup_path, teardown),
	    cmocka_unit_test_setup_teardown(signs_of_life_come_when_they_are_wanted, setup_path, teardown),
	    cmocka_unit_test_setup_teardown(a_watchdog_of_another_process_is_not_ours, setup_path, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_address_is_left_alone, setup_path, teardown),
	    cmocka_unit_test_setup_teardown(silence_is_survived, setup_path, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
