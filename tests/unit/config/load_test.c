/* load_test.c: what the operator wrote is taken exactly, or refused with file, line and key (S4.1, S4.2). */
#include "config/config.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static char *path_of(const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int load(const char *text, struct vw_config **out, struct vw_error *err)
{
	write_file("agent.yaml", text);
	return vw_config_load(path_of("agent.yaml"), NULL, out, err);
}

/* Fails to load, and the message has every one of the words. */
static void refused(const char *text, const char *const *words)
{
	struct vw_config *config = NULL;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(load(text, &config, &err), VW_ECONFIG);
	assert_null(config);
	for (; *words; words++)
		if (!strstr(err.message, *words))
			fail_msg("'%s' is not in: %s", *words, err.message);
}

static int clean_environment(void **state)
{
	static const char *const names[] = {"MLFLOW_TRACKING_URI",
					    "MLFLOW_WORKSPACE",
					    "VW_STATE_DIR",
					    "STATE_DIRECTORY",
					    "VW_CONFIG",
					    "VW_LISTEN",
					    "VW_LOG_LEVEL",
					    "MLFLOW_TRACKING_INSECURE_TLS",
					    "MLFLOW_HTTP_REQUEST_TIMEOUT",
					    "AWS_REGION",
					    "AWS_DEFAULT_REGION"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		setenv(names[i], "", 1); /* empty is as good as unset, and forgets a URI that was kept */
	strcpy(folder, "/tmp/vw-config-XXXXXX");
	assert_non_null(mkdtemp(folder));
	setenv("HOME", folder, 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
	return 0;
}

static void nothing_is_needed(void **state)
{
	struct vw_config *config;
	struct vw_error err = VW_ERROR_INIT;
	char expected[128];
	(void)state;
	assert_int_equal(vw_config_load(NULL, NULL, &config, &err), 0);
	assert_null(config->mlflow.tracking_uri);
	assert_int_equal(config->mlflow.connections, 4);
	assert_int_equal(config->mlflow.request_timeout_ms, 120000);
	assert_int_equal(config->quick_interval_ms, 300000);
	assert_string_equal(config->listen, "127.0.0.1:9477");
	assert_null(config->include[0]);
	snprintf(expected, sizeof(expected), "%s/.local/state/verifywise-agent", folder);
	assert_string_equal(config->state_dir, expected);
	vw_config_close(config);
}

static void file_sets_everything(void **state)
{
	struct vw_config *config;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	assert_int_equal(
	    load("mlflow:\n  tracking_uri: https://mlflow.example.org/prefix/\n  username: reader\n"
		 "  connections: 8\n  requests_per_second: 2.5\n  insecure_tls: yes\n  request_timeout: 30s\n"
		 "scope:\n  include: [credit-*, churn-*]\n  exclude_tags: [ignore]\n"
		 "state_dir: /var/lib/x\nmask_patterns: ['\\d{3}']\nschedule: {quick: 1m, full: 2h}\nlisten: off\n"
		 "log: {level: debug, format: json}\n",
		 &config, &err),
	    0);
	assert_string_equal(config->mlflow.tracking_uri, "https://mlflow.example.org/prefix");
	assert_string_equal(config->credential.username, "reader");
	assert_int_equal(config->mlflow.connections, 8);
	assert_true(config->mlflow.requests_per_second == 2.5);
	assert_true(config->mlflow.insecure_tls);
	assert_int_equal(config->mlflow.request_timeout_ms, 30000);
	assert_string_equal(config->include[1], "churn-*");
	assert_null(config->include[2]);
	assert_string_equal(config->exclude_tags[0], "ignore");
	assert_string_equal(config->mask_patterns[0], "\\d{3}");
	assert_int_equal(config->full_interval_ms, 7200000);
	assert_null(config->listen);
	assert_int_equal(config->log_level, VW_LOG_DEBUG);
	assert_int_equal(config->log_format, VW_LOG_JSON);
	vw_config_close(config);
}

static void environment_beats_file(void **state)
{
	struct vw_config *config;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000", 1);
	setenv("VW_STATE_DIR", "/from/env", 1);
	assert_int_equal(
	    load("mlflow: {tracking_uri: https://other.example.org}\nstate_dir: /from/file\n", &config, &err), 0);
	assert_string_equal(config->mlflow.tracking_uri, "http://127.0.0.1:5000");
	assert_string_equal(config->state_dir, "/from/env");
	vw_config_close(config);
}

static void userinfo_is_taken_apart_and_wiped(void **state)
{
	struct vw_config *config;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer shown;
	(void)state;
	setenv("MLFLOW_TRACKING_URI", "https://alice:s3cr3t-w0rd@mlflow.example.org/p", 1);
	assert_int_equal(vw_config_load(NULL, NULL, &config, &err), 0);
	assert_string_equal(config->mlflow.tracking_uri, "https://mlflow.example.org/p");
	assert_string_equal(config->tracking_userinfo, "alice:s3cr3t-w0rd");
	vw_buffer_init(&shown, 0);
	vw_config_show(config, &shown);
	assert_null(strstr(vw_buffer_text(&shown), "s3cr3t"));
	assert_non_null(strstr(vw_buffer_text(&shown), "# MLFLOW_TRACKING_URI"));
	vw_buffer_reset(&shown);
	vw_config_close(config);
}

/* A reload finds the variable wiped, and knows it all the same; another value takes its place, an empty one ends it. */
static void the_variable_is_known_to_a_reload(void **state)
{
	struct vw_config *config;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	setenv("MLFLOW_TRACKING_URI", "https://alice:s3cr3t-w0rd@mlflow.example.org/p", 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(load("mlflow: {tracking_uri: https://other.example.org}\n", &config, &err), 0);
		assert_string_equal(config->mlflow.tracking_uri, "https://mlflow.example.org/p");
		assert_string_equal(config->tracking_userinfo, "alice:s3cr3t-w0rd");
		vw_config_close(config);
		assert_null(getenv("MLFLOW_TRACKING_URI"));
	}
	setenv("MLFLOW_TRACKING_URI", "https://bob:0ther@mlflow.example.org/p", 1);
	assert_int_equal(vw_config_load(NULL, NULL, &config, &err), 0);
	assert_string_equal(config->tracking_userinfo, "bob:0ther");
	vw_config_close(config);
	setenv("MLFLOW_TRACKING_URI", "", 1);
	assert_int_equal(load("mlflow: {tracking_uri: https://other.example.org}\n", &config, &err), 0);
	assert_string_equal(config->mlflow.tracking_uri, "https://other.example.org");
	assert_null(config->tracking_userinfo);
	vw_config_close(config);
}

static void userinfo_in_the_file_is_refused_without_showing_it(void **state)
{
	struct vw_config *config = NULL;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	assert_int_equal(load("mlflow: {tracking_uri: 'https://alice:s3cr3t-w0rd@h.example.org'}\n", &config, &err),
			 VW_ECONFIG);
	assert_null(strstr(err.message, "s3cr3t"));
	assert_non_null(strstr(err.message, "password_file"));
}

static void bad_values_name_file_line_and_key(void **state)
{
	(void)state;
	refused("mlflow:\n  connections: 99\n",
		(const char *[]){"agent.yaml:2", "mlflow.connections", "99", "1 to 16", NULL});
	refused("schedule:\n\n  quick: soon\n", (const char *[]){"agent.yaml:3", "schedule.quick", "soon", NULL});
	refused("mlflow: {tracking_uri: 'sqlite:///x.db'}\n", (const char *[]){"mlflow.tracking_uri", "http", NULL});
	refused("mlflow: {tracking_uri: 'https:///x'}\n", (const char *[]){"mlflow.tracking_uri", "http", NULL});
	refused("listen: 0.0.0.0:9477\n", (const char *[]){"agent.yaml:1", "listen", "loopback", NULL});
	refused("log: {level: loud}\n", (const char *[]){"log.level", "debug", NULL});
	refused("mlflow: {insecure_tls: perhaps}\n", (const char *[]){"insecure_tls", "true or false", NULL});
	refused("mlflow: {retries: 2.5}\n", (const char *[]){"retries", "whole", NULL});
	refused("mlflow: {requests_per_second: nan}\n", (const char *[]){"requests_per_second", NULL});
}

static void unknown_keys_and_broken_yaml_are_refused(void **state)
{
	(void)state;
	refused("mlflow:\n  tracking_url: http://x\n", (const char *[]){"agent.yaml", "tracking_url", NULL});
	refused("mlflow: [\n", (const char *[]){"agent.yaml", NULL});
	refused("password: x\n", (const char *[]){"password", NULL});
}

static void a_named_file_must_exist(void **state)
{
	struct vw_config *config = NULL;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	assert_int_equal(vw_config_load("/nowhere/agent.yaml", NULL, &config, &err), VW_ECONFIG);
	assert_non_null(strstr(err.message, "/nowhere/agent.yaml"));
}

static void headers_come_from_a_file_and_are_not_shown(void **state)
{
	struct vw_config *config;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer shown;
	char text[256];
	(void)state;
	write_file("headers", "# comment\nX-Tenant: t-9-secret\r\n\nX-Other: b\n");
	snprintf(text, sizeof(text), "mlflow: {headers_file: %s}\n", path_of("headers"));
	assert_int_equal(load(text, &config, &err), 0);
	assert_string_equal(config->mlflow.headers[0], "X-Tenant: t-9-secret");
	assert_string_equal(config->mlflow.headers[1], "X-Other: b");
	assert_null(config->mlflow.headers[2]);
	vw_buffer_init(&shown, 0);
	vw_config_show(config, &shown);
	assert_null(strstr(vw_buffer_text(&shown), "t-9-secret"));
	vw_buffer_reset(&shown);
	vw_config_close(config);

	write_file("headers", "no header at all\n");
	refused(text, (const char *[]){"headers", "Name: value", NULL});
}

static void hash_follows_the_settings(void **state)
{
	struct vw_config *a, *b, *c;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	assert_int_equal(load("mlflow: {connections: 2}\n", &a, &err), 0);
	assert_int_equal(load("# said otherwise\nmlflow:\n  connections: 2\n", &b, &err), 0);
	assert_int_equal(load("mlflow: {connections: 3}\n", &c, &err), 0);
	assert_memory_equal(a->sha256, b->sha256, 32);
	assert_memory_not_equal(a->sha256, c->sha256, 32);
	vw_config_close(a);
	vw_config_close(b);
	vw_config_close(c);
}

static void shown_configuration_reads_back(void **state)
{
	struct vw_config *a, *b;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer shown;
	(void)state;
	assert_int_equal(load("mlflow: {tracking_uri: 'http://h.example.org', ca_file: '/etc/it''s here.pem'}\n"
			      "scope: {include: ['a b', \"c'd\", '-', \"\\e[31m\\x9bü\"]}\n",
			      &a, &err),
			 0);
	vw_buffer_init(&shown, 0);
	vw_config_show(a, &shown);
	assert_null(strpbrk(vw_buffer_text(&shown), "\x1b\x9b")); /* a terminal obeys neither */
	assert_int_equal(load(vw_buffer_text(&shown), &b, &err), 0);
	assert_string_equal(b->mlflow.ca_file, "/etc/it's here.pem");
	assert_string_equal(b->include[1], "c'd");
	assert_string_equal(b->include[2], "-");
	assert_string_equal(b->include[3], "\x1b[31m\xc2\x9bü");
	vw_buffer_reset(&shown);
	vw_config_close(a);
	vw_config_close(b);
}

static void a_proxys_password_is_not_shown(void **state)
{
	struct vw_config *a, *b;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer shown;
	(void)state;
	assert_int_equal(load("mlflow: {proxy: 'http://bob:s3cr3t@proxy.example.org:3128'}\n", &a, &err), 0);
	assert_string_equal(a->mlflow.proxy, "http://bob:s3cr3t@proxy.example.org:3128");
	vw_buffer_init(&shown, 0);
	vw_config_show(a, &shown);
	assert_null(strstr(vw_buffer_text(&shown), "s3cr3t"));
	assert_non_null(strstr(vw_buffer_text(&shown), "proxy.example.org:3128"));
	/* the hash stands in the audit trail, where a short password could be guessed from it */
	assert_int_equal(load("mlflow: {proxy: 'http://bob:other@proxy.example.org:3128'}\n", &b, &err), 0);
	assert_memory_equal(a->sha256, b->sha256, 32);
	vw_config_close(b);
	assert_int_equal(load("mlflow: {proxy: 'bob:s3cr3t@proxy.example.org'}\n", &b, &err), 0);
	vw_buffer_clear(&shown);
	vw_config_show(b, &shown);
	assert_null(strstr(vw_buffer_text(&shown), "s3cr3t"));
	vw_buffer_reset(&shown);
	vw_config_close(a);
	vw_config_close(b);
}

static void the_command_lines_state_is_shown(void **state)
{
	struct vw_config *config;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer shown;
	(void)state;
	write_file("agent.yaml", "state_dir: /in/the/file\n");
	assert_int_equal(vw_config_load(path_of("agent.yaml"), "/on/the/line", &config, &err), 0);
	vw_buffer_init(&shown, 0);
	vw_config_show(config, &shown);
	assert_non_null(strstr(vw_buffer_text(&shown), "state_dir: /on/the/line  # --state\n"));
	vw_buffer_reset(&shown);
	vw_config_close(config);
}

static void lists_do_not_run_together(void **state)
{
	struct vw_config *a, *b;
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	assert_int_equal(load("scope: {include: [exclude, a]}\n", &a, &err), 0);
	assert_int_equal(load("scope: {exclude: [a, exclude]}\n", &b, &err), 0);
	assert_memory_not_equal(a->sha256, b->sha256, 32);
	vw_config_close(a);
	vw_config_close(b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, clean_environment)
	const struct CMUnitTest tests[] = {
	    TEST(nothing_is_needed),
	    TEST(file_sets_everything),
	    TEST(userinfo_in_the_file_is_refused_without_showing_it),
	    TEST(bad_values_name_file_line_and_key),
	    TEST(unknown_keys_and_broken_yaml_are_refused),
	    TEST(a_named_file_must_exist),
	    TEST(headers_come_from_a_file_and_are_not_shown),
	    TEST(hash_follows_the_settings),
	    TEST(shown_configuration_reads_back),
	    TEST(a_proxys_password_is_not_shown),
	    TEST(the_command_lines_state_is_shown),
	    TEST(lists_do_not_run_together),
	    TEST(environment_beats_file),
	    TEST(userinfo_is_taken_apart_and_wiped),
	    TEST(the_variable_is_known_to_a_reload),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
