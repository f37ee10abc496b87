/* config.h: what an operator of a controller may write, what it becomes, and what is refused with its place. */
#include "controller_config/config.h"

#include "../base/cmocka_all.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];
static struct vw_controller_config *c;
static struct vw_error err;

static const char *const variables[] = {"VW_CONTROLLER_CONFIG",
					"VW_CONTROLLER_DATA",
					"VW_CONTROLLER_STORE_URL",
					"VW_CONTROLLER_SESSIONS_LISTEN",
					"VW_CONTROLLER_HTTPS_LISTEN",
					"VW_CONTROLLER_HTTP_LISTEN",
					"VW_CONTROLLER_REPLICA",
					"XDG_CONFIG_HOME",
					"XDG_STATE_HOME"};

static int begin(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/vw_config_test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	setenv("HOME", folder, 1);
	snprintf(path, sizeof(path), "%s/controller.yaml", folder);
	return 0;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(name);
}

static int end(void **state)
{
	(void)state;
	vw_controller_config_close(c);
	c = NULL;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int load_from(const char *file, const char *data)
{
	vw_controller_config_close(c);
	c = NULL;
	err = (struct vw_error)VW_ERROR_INIT;
	return vw_controller_config_load(file, data, &c, &err);
}

static void load(const char *text)
{
	write_file(text);
	if (load_from(path, NULL) < 0)
		fail_msg("%s", err.message);
}

static void refused(const char *text, const char *said)
{
	write_file(text);
	if (load_from(path, NULL) != VW_ECONFIG || !strstr(err.message, said))
		fail_msg("%s: %d %s", text, err.code, err.message);
	assert_non_null(strstr(err.message, path));
	assert_null(c);
}

static char *shown(void)
{
	struct vw_buffer out;
	vw_buffer_init(&out, 0);
	vw_controller_config_show(c, &out);
	char *text = strdup(vw_buffer_text(&out));
	vw_buffer_reset(&out);
	return text;
}

static void says(const char *line)
{
	char *text = shown();
	if (!strstr(text, line))
		fail_msg("'%s' is not in:\n%s", line, text);
	free(text);
}

static void test_nothing_at_all(void **state)
{
	char wanted[128], name[256] = "";
	(void)state;
	assert_int_equal(load_from(NULL, NULL), 0);
	snprintf(wanted, sizeof(wanted), "%s/.local/state/verifywise-controller", folder);
	assert_string_equal(c->data_dir, wanted);
	snprintf(wanted, sizeof(wanted), "lmdb:%s/.local/state/verifywise-controller/store", folder);
	assert_string_equal(c->store_url, wanted);
	assert_string_equal(c->trust_domain, "verifywise.local");
	assert_string_equal(c->sessions_listen, "127.0.0.1:8444");
	assert_string_equal(c->sessions_endpoint, "127.0.0.1:8444");
	assert_string_equal(c->https_listen, "127.0.0.1:8443");
	assert_null(c->http_listen);
	assert_string_equal(c->hosts[0], "localhost");
	assert_string_equal(c->hosts[1], "127.0.0.1");
	assert_string_equal(c->hosts[2], "::1");
	gethostname(name, sizeof(name) - 1);
	assert_string_equal(c->hosts[3], name);
	assert_null(c->hosts[4]);
	assert_int_equal(c->agent_life_ms, 24 * 3600000);
	assert_int_equal(c->server_life_ms, 90 * 24 * 3600000LL);
	assert_int_equal(c->heartbeat_ms, 30000);
	assert_int_equal(c->store_connections, 8);
	assert_int_equal(c->log_level, VW_LOG_INFO);
	assert_null(c->path);
	assert_null(c->minimum_agent);
	assert_null(c->jwt_secret_file);
	assert_non_null(strstr(c->replica, name));
	/* two folders on one host are two replicas */
	char *first = strdup(c->replica);
	assert_int_equal(load_from(NULL, "/other"), 0);
	assert_string_equal(c->data_dir, "/other");
	assert_string_equal(c->store_url, "lmdb:/other/store");
	assert_string_not_equal(c->replica, first);
	free(first);
	says("data_dir: /other  # --data\n");
}

static void test_all_of_it(void **state)
{
	(void)state;
	load("data_dir: /d\ntrust_domain: fleet.example.org\nhosts: [controller.example.org, 192.0.2.7]\nreplica: a\n"
	     "store: {url: lmdb:/d/s, connections: 3, verifywise: true, app_role: app}\n"
	     "sessions: {listen: '0.0.0.0:9444', heartbeat: 5s, max_age: 2h, clock_skew: 1m, minimum_agent: 0.2.0, "
	     "workers: 4,"
	     " maximum: 77}\n"
	     "https: {listen: '[::]:9443', connections: 9}\nhttp: {listen: '127.0.0.1:9080'}\n"
	     "rest: {requests_per_second: 2.5, burst: 7, jwt_secret_file: /j}\n"
	     "certificates: {agent_life: 1h, server_life: 30d}\nlog: {level: debug, format: json}\n");
	assert_string_equal(c->sessions_endpoint, "controller.example.org:9444");
	assert_string_equal(c->hosts[1], "192.0.2.7");
	assert_null(c->hosts[2]);
	assert_string_equal(c->store_url, "lmdb:/d/s");
	assert_true(c->verifywise);
	assert_string_equal(c->app_role, "app");
	assert_int_equal(c->max_age_ms, 7200000);
	assert_int_equal(c->maximum_sessions, 77);
	assert_int_equal(c->workers, 4);
	assert_string_equal(c->minimum_agent, "0.2.0");
	assert_string_equal(c->http_listen, "127.0.0.1:9080");
	assert_true(c->requests_per_second > 2.4 && c->requests_per_second < 2.6);
	assert_string_equal(c->jwt_secret_file, "/j");
	assert_int_equal(c->agent_life_ms, 3600000);
	assert_int_equal(c->log_format, VW_LOG_JSON);
	assert_string_equal(c->path, path);
}

/* Where agents are told to come. */
static void test_endpoints(void **state)
{
	char name[256] = "", wanted[300];
	(void)state;
	gethostname(name, sizeof(name) - 1);
	snprintf(wanted, sizeof(wanted), "%s:8444", name);
	load("sessions: {listen: '0.0.0.0:8444'}\n");
	assert_string_equal(c->sessions_endpoint, wanted);
	load("sessions: {listen: '[::]:8444'}\n");
	assert_string_equal(c->sessions_endpoint, wanted);
	load("sessions: {listen: '192.0.2.7:1'}\n");
	assert_string_equal(c->sessions_endpoint, "192.0.2.7:1");
	load("sessions: {listen: '[2001:db8::1]:1'}\n");
	assert_string_equal(c->sessions_endpoint, "[2001:db8::1]:1");
	load("hosts: ['2001:db8::2']\nsessions: {listen: '[::]:1'}\n");
	assert_string_equal(c->sessions_endpoint, "[2001:db8::2]:1");
	load("sessions: {endpoint: 'lb.example.org:443'}\n");
	assert_string_equal(c->sessions_endpoint, "lb.example.org:443");
}

static void test_refused(void **state)
{
	(void)state;
	refused("sessions: {listen: off}\n", "for agents to connect to");
	refused("https: {listen: off}\n", "for agents to enroll at");
	refused("sessions: {listen: controller:8444}\n", "sessions.listen");
	refused("http: {listen: '0.0.0.0:80'}\n", "http.listen");
	refused("trust_domain: Fleet\n", "trust_domain");
	refused("trust_domain: 'spiffe://x'\n", "trust_domain");
	refused("hosts: ['controller:8443']\n", "hosts");
	refused("hosts: ['https://controller']\n", "hosts");
	refused("hosts: ['a b']\n", "hosts");
	refused("hosts: [ok, '']\n", "hosts");
	refused("sessions: {endpoint: controller}\n", "HOST:PORT");
	refused("sessions: {endpoint: 'controller:'}\n", "HOST:PORT");
	refused("sessions: {endpoint: 'controller:0'}\n", "HOST:PORT");
	refused("sessions: {endpoint: ':1'}\n", "HOST:PORT");
	refused("sessions: {endpoint: '::1:1'}\n", "HOST:PORT");
	refused("sessions: {endpoint: '[controller]:1'}\n", "HOST:PORT");
	refused("sessions: {minimum_agent: latest}\n", "minimum_agent");
	refused("sessions: {minimum_agent: '1..2'}\n", "minimum_agent");
	refused("sessions: {minimum_agent: '1.2.3.4'}\n", "minimum_agent");
	refused("sessions: {workers: 0}\n", "workers");
	refused("sessions: {maximum: 20001}\n", "maximum");
	refused("certificates: {agent_life: 1s}\n", "agent_life");
	refused("store: {password: x}\n", "password");
	refused("nothing: of ours\n", "nothing");
	assert_int_equal(load_from("/nowhere/controller.yaml", NULL), VW_ECONFIG);
}

/* Environment, file, default; and the command line before all of them. */
static void test_who_wins(void **state)
{
	char home[128];
	(void)state;
	write_file("data_dir: /file\nreplica: file\n");
	setenv("VW_CONTROLLER_REPLICA", "environment", 1);
	assert_int_equal(load_from(path, "/line"), 0);
	assert_string_equal(c->data_dir, "/line");
	assert_string_equal(c->replica, "environment");
	assert_int_equal(load_from(path, NULL), 0);
	assert_string_equal(c->data_dir, "/file");
	setenv("VW_CONTROLLER_CONFIG", path, 1);
	setenv("VW_CONTROLLER_DATA", "/environment", 1);
	assert_int_equal(load_from(NULL, NULL), 0);
	assert_string_equal(c->path, path);
	assert_string_equal(c->data_dir, "/environment");
	unsetenv("VW_CONTROLLER_CONFIG");
	unsetenv("VW_CONTROLLER_DATA");
	unsetenv("VW_CONTROLLER_REPLICA");
	snprintf(home, sizeof(home), "%s/verifywise", folder);
	assert_int_equal(mkdir(home, 0700), 0);
	setenv("XDG_CONFIG_HOME", folder, 1);
	snprintf(path, sizeof(path), "%s/verifywise/controller.yaml", folder);
	write_file("replica: home\n");
	assert_int_equal(load_from(NULL, NULL), 0);
	assert_string_equal(c->replica, "home");
	unsetenv("HOME");
	unsetenv("XDG_CONFIG_HOME");
	assert_int_equal(load_from(NULL, NULL), VW_ECONFIG);
	assert_non_null(strstr(err.message, "--data"));
}

/* S11.1: a password in the store's URL is shown to nobody, and does not stay in the environment. */
static void test_a_password(void **state)
{
	(void)state;
	setenv("VW_CONTROLLER_STORE_URL", "postgresql://fleet:s3cr3t-Pa55@db/x", 1);
	for (int i = 0; i < 2; i++) { /* a reload finds it again */
		assert_int_equal(load_from(NULL, "/d"), 0);
		assert_string_equal(c->store_url, "postgresql://fleet:s3cr3t-Pa55@db/x");
		const char *left = getenv("VW_CONTROLLER_STORE_URL");
		assert_true(!left || !strstr(left, "s3cr3t"));
		char *text = shown();
		assert_null(strstr(text, "s3cr3t"));
		assert_non_null(strstr(text, "VW_CONTROLLER_STORE_URL"));
		free(text);
	}
}

static void test_what_a_restart_is_needed_for(void **state)
{
	uint8_t first[32];
	(void)state;
	load("data_dir: /d\nlog: {level: info, format: text}\n");
	memcpy(first, c->sha256, 32);
	load("data_dir: /d\nlog: {level: debug, format: json}\n");
	assert_memory_equal(c->sha256, first, 32);
	load("data_dir: /d\nsessions: {workers: 3}\n");
	assert_memory_not_equal(c->sha256, first, 32);
	load("data_dir: /d\nhosts: [a]\n");
	assert_memory_not_equal(c->sha256, first, 32);
	load("data_dir: /d\n");
	assert_memory_equal(c->sha256, first, 32);
}

#define with_folder(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_folder(test_nothing_at_all),
	    with_folder(test_all_of_it),
	    with_folder(test_endpoints),
	    with_folder(test_refused),
	    with_folder(test_who_wins),
	    with_folder(test_a_password),
	    with_folder(test_what_a_restart_is_needed_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
