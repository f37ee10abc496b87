/* client.h: over the control socket when somebody answers there, else in this process. */
#include "client.h"

#include "desk.h"

#include "store/store.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct vw_controller_config *config;
static struct vw_error err;

static int set_up(void **state)
{
	if (desk_open(state) != 0)
		return -1;
	setenv("VW_CONTROLLER_DATA", desk_path("data"), 1);
	assert_exit(0, "init");
	assert_int_equal(vw_controller_config_load(NULL, NULL, &config, &err), 0);
	return 0;
}

static int tear_down(void **state)
{
	vw_controller_config_close(config);
	return desk_close(state);
}

/* ---- what stands at the socket ---- */

struct server {
	pthread_t thread;
	int fd;
	const char *answer; /* NULL: never one */
	char request[4096];
};

static int listen_at_socket(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/control.sock", config->data_dir);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void remove_socket(void)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/control.sock", config->data_dir);
	unlink(path);
}

/* The client looks first whether anybody is there, with a connection of its own. */
static void *serve(void *arg)
{
	struct server *s = arg;
	for (int left = 2; left > 0; left--) {
		int fd = accept(s->fd, NULL, NULL);
		ssize_t n = recv(fd, s->request, sizeof(s->request) - 1, 0);
		s->request[n > 0 ? n : 0] = 0;
		if (n > 0 && s->answer)
			send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
		while (n > 0 && !s->answer && recv(fd, s->request, sizeof(s->request) - 1, 0) > 0)
			;
		close(fd);
	}
	return NULL;
}

static void start(struct server *s, const char *answer)
{
	remove_socket();
	*s = (struct server){.answer = answer, .fd = listen_at_socket()};
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->fd);
	remove_socket();
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

static void test_over_the_socket(void **state)
{
	struct server s;
	(void)state;
	start(&s, OK_HEAD
	      "{\"message\": \"OK\", \"data\": {\"items\": [{\"id\": 7, \"name\": \"there\"}], \"next\": null}}");
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* is not asked */
	assert_exit(0, "org", "list");
	unsetenv("http_proxy");
	stop(&s);
	assert_says(told.out, "there");
	assert_says(s.request, "GET /api/v1/organizations HTTP/1.1\r\n");
	start(&s, OK_HEAD "{\"message\": \"created\", \"data\": {\"id\": 7}}");
	assert_exit(0, "org", "create", "ACME \"Bank\"");
	stop(&s);
	assert_says(s.request, "POST /api/v1/organizations HTTP/1.1\r\n");
	assert_says(s.request, "Content-Type: application/json\r\n");
	assert_says(s.request, "\r\n\r\n{\"name\":\"ACME \\\"Bank\\\"\"}");
}

static void test_names_are_encoded(void **state)
{
	struct server s;
	(void)state;
	start(&s, OK_HEAD "{\"message\": \"OK\", \"data\": {\"items\": [], \"next\": null}}");
	assert_exit(0, "records", "--model", "a/b?c=d&e #%\xc3\xa9");
	stop(&s);
	assert_says(s.request, "GET /api/v1/records?model=a%2Fb%3Fc%3Dd%26e%20%23%25%C3%A9 HTTP/1.1\r\n");
	start(&s, OK_HEAD "{\"message\": \"OK\", \"data\": {}}");
	assert_exit(0, "agents", "show", "../../x\r\nHost: y");
	stop(&s);
	assert_says(s.request, "GET /api/v1/agents/..%2F..%2Fx%0D%0AHost%3A%20y HTTP/1.1\r\n");
}

static void test_what_it_refuses(void **state)
{
	static const struct {
		const char *answer;
		int exit;
		const char *said;
	} cases[] = {
	    {"HTTP/1.1 404 x\r\nConnection: close\r\n\r\n{\"message\": \"no such agent\", \"data\": null}",
	     EXIT_REFUSED, "no such agent"},
	    {"HTTP/1.1 409 x\r\nConnection: close\r\n\r\n{\"message\": \"it exists\", \"data\": null}", EXIT_REFUSED,
	     "it exists"},
	    {"HTTP/1.1 400 x\r\nConnection: close\r\n\r\n{\"message\": \"wrong\", \"data\": \"more\"}", EXIT_REFUSED,
	     "wrong: more"},
	    {"HTTP/1.1 403 x\r\nConnection: close\r\n\r\n{\"message\": \"not you\", \"data\": null}", EXIT_REFUSED,
	     "not you"},
	    {"HTTP/1.1 503 x\r\nConnection: close\r\n\r\n{\"message\": \"not now\", \"error\": \"unavailable\"}",
	     EXIT_STORE, "not now: unavailable"},
	    {"HTTP/1.1 429 x\r\nConnection: close\r\n\r\n{\"message\": \"slower\", \"data\": null}", EXIT_STORE,
	     "slower"},
	    {"HTTP/1.1 500 x\r\nConnection: close\r\n\r\n<html>", EXIT_STORE, "HTTP 500"},
	    {OK_HEAD "<html>", EXIT_REFUSED, "no JSON"},
	    {"SSH-2.0-x\r\n", EXIT_STORE, "control.sock"},
	    {"", EXIT_STORE, "control.sock"},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"message\"", EXIT_STORE, "control.sock"},
	};
	struct server s;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(&s, cases[i].answer);
		run("agents", "show", "x", NULL);
		stop(&s);
		if (told.code != cases[i].exit || !strstr(told.err, cases[i].said))
			fail_msg("%zu: %d %s", i, told.code, told.err);
	}
}

static void *interrupt_soon(void *arg)
{
	usleep(200000);
	raise(SIGINT);
	return arg;
}

/* A server that does not answer does not hold the one who asks. */
static void test_cancelled(void **state)
{
	struct server s;
	pthread_t thread;
	(void)state;
	start(&s, NULL);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, NULL), 0);
	assert_exit(VW_CLI_EXIT_CANCELLED, "org", "create", "x");
	pthread_join(thread, NULL);
	stop(&s);
	vw_cli_cancelled = 0;
	assert_says(told.err, "cancelled");
}

static void test_downloads(void **state)
{
	struct server s;
	(void)state;
	start(&s, OK_HEAD "line 1\nline 2\n");
	assert_exit(0, "ledger", "export");
	stop(&s);
	assert_string_equal(told.out, "line 1\nline 2\n");
	start(&s, "HTTP/1.1 404 x\r\nConnection: close\r\n\r\n{\"message\": \"no such agent\", \"data\": null}");
	assert_exit(EXIT_REFUSED, "ledger", "export", "x");
	stop(&s);
	assert_string_equal(told.out, "");
	assert_says(told.err, "no such agent");
	/* cut off: what came is no whole export, and the exit code says so */
	start(&s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nline 1\n\r\n");
	assert_exit(EXIT_STORE, "ledger", "export");
	stop(&s);
}

/* ---- in this process ---- */

static void test_nobody_listens(void **state)
{
	(void)state;
	int fd = listen_at_socket();
	close(fd); /* the file stays, as after a kill */
	assert_exit(0, "org", "create", "here");
	assert_exit(EXIT_REFUSED, "org", "create", "here");
	assert_says(told.err, "exists");
	remove_socket();
	desk_write("data/control.sock", "not a socket", 0600);
	assert_exit(0, "org", "list");
	assert_says(told.out, "here");
	remove_socket();
	assert_exit(EXIT_REFUSED, "agents", "show", "x/../y");
	assert_exit(0, "ledger", "export", "--organization", "1");
	assert_says(told.out, "receipt_certificates");
	assert_exit(EXIT_REFUSED, "ledger", "export", "--organization", "99");
	assert_string_equal(told.out, "");
	/* who did it is in the trail */
	assert_exit(0, "trail", "--format", "ndjson");
	assert_says(told.out, "\"actor\":\"local:");
}

static void test_a_token_is_stored_hashed(void **state)
{
	(void)state;
	assert_exit(0, "token", "create", "--organization", "1");
	assert_int_equal(strncmp(told.out, "vwt1.", 5), 0);
	char *secret = strndup(strchr(told.out + 5, '.') + 1, 43), command[512];
	snprintf(command, sizeof(command), "grep -rqF %s %s", secret, desk_folder);
	assert_int_not_equal(system(command), 0);
	free(secret);
}

static void test_another_process_has_the_store(void **state)
{
	struct vw_fleet_store *store;
	struct vw_fleet_store_settings settings = {.url = config->store_url};
	int ready[2];
	char byte;
	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		if (vw_fleet_store_open(&settings, &store, &err) < 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_exit(EXIT_STORE, "org", "list");
	assert_says(told.err, "nobody answers at");
	assert_says(told.err, "in use by process");
	assert_exit(EXIT_STORE, "serve");
	assert_says(told.err, "in use by process");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_exit(0, "org", "list");
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_over_the_socket),
	    cmocka_unit_test(test_names_are_encoded),
	    cmocka_unit_test(test_what_it_refuses),
	    cmocka_unit_test(test_cancelled),
	    cmocka_unit_test(test_downloads),
	    cmocka_unit_test(test_nobody_listens),
	    cmocka_unit_test(test_a_token_is_stored_hashed),
	    cmocka_unit_test(test_another_process_has_the_store),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
