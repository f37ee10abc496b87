/* given_test.c: what the controller gave counts as far as the local file allows, key by key; what is forbidden is named, and never what says how far it may
 * go (S4.2, S11.1). */
#include "config/config.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static char *path_of(const char *name)
{
	static char paths[4][160];
	static int next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	static const char *const names[] = {"MLFLOW_TRACKING_URI", "VW_STATE_DIR", "STATE_DIRECTORY",
					    "VW_CONFIG",           "VW_LISTEN",    "VW_POLICY_FILE"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		setenv(names[i], "", 1);
	strcpy(folder, "/tmp/vw-given-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(mkdir(path_of("controller"), 0700), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[96];
	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static struct vw_config *load(const char *local, const struct vw_config_given *given)
{
	struct vw_config *config = NULL;
	struct vw_error err = VW_ERROR_INIT;
	put("agent.yaml", local);
	if (vw_config_try(path_of("agent.yaml"), folder, given, &config, &err) < 0)
		fail_msg("%s", err.message);
	return config;
}

static void refused(const char *local, const struct vw_config_given *given, const char *word)
{
	struct vw_config *config = NULL;
	struct vw_error err = VW_ERROR_INIT;
	put("agent.yaml", local);
	assert_int_equal(vw_config_try(path_of("agent.yaml"), folder, given, &config, &err), VW_ECONFIG);
	assert_null(config);
	if (!strstr(err.message, word))
		fail_msg("'%s' is not in: %s", word, err.message);
}

#define ALLOWS "controller: {settings: [schedule.quick, mlflow.insecure_tls]}\n"

static struct vw_config_given settings_of(const char *text)
{
	return (struct vw_config_given){
	    .has_configuration = true, .configuration = text, .configuration_len = strlen(text)};
}

static void what_is_allowed_beats_the_local_file(void **state)
{
	(void)state;
	put("controller/configuration.yaml", "schedule: {quick: 7s}\n");
	struct vw_config *config = load(ALLOWS "schedule: {quick: 90s, full: 2h}\n", NULL);
	assert_int_equal(config->quick_interval_ms, 7000);
	assert_int_equal(config->full_interval_ms, 7200000);
	struct vw_buffer shown;
	vw_buffer_init(&shown, 0);
	vw_config_show(config, &shown);
	assert_non_null(strstr(vw_buffer_text(&shown), "quick: 7s  # controller"));
	vw_buffer_reset(&shown);
	vw_config_close(config);
}

static void what_is_not_listed_is_named(void **state)
{
	(void)state;
	static const char *const texts[][2] = {
	    {"schedule: {full: 1h}\n", "schedule.full"},
	    {"mlflow: {tracking_uri: 'https://evil.example.org'}\n", "mlflow.tracking_uri"},
	    {"schedule: {quick: 7s}\nmlflow: {password_file: /etc/shadow}\n", "mlflow.password_file"},
	    {"controller: {secrets: true}\n", "controller.secrets"},
	    {"controller: {settings: [mlflow.proxy]}\n", "controller.settings"},
	    {"state_dir: /tmp\n", "state_dir"},
	    {"policy_file: /etc/passwd\n", "policy_file"}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct vw_config_given given = settings_of(texts[i][0]);
		refused(ALLOWS, &given, texts[i][1]);
		put("controller/configuration.yaml", texts[i][0]);
		refused(ALLOWS, NULL, texts[i][1]);
		refused(ALLOWS, NULL, "controller/configuration.yaml");
	}
}

static void what_cannot_be_read_is_refused(void **state)
{
	(void)state;
	static const char *const texts[][2] = {{"schedule: {quick: 7s\n", "controller"},
					       {"schedule: {quick: often}\n", "schedule.quick"},
					       {"schedule: {quick: 1s}\n", "schedule.quick"},
					       {"unknown: 1\n", "unknown"}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct vw_config_given given = settings_of(texts[i][0]);
		refused(ALLOWS, &given, texts[i][1]);
		put("controller/configuration.yaml", texts[i][0]);
		refused(ALLOWS, NULL, "configuration.yaml");
	}
}

static void what_is_tried_counts_in_place_of_the_file(void **state)
{
	(void)state;
	put("controller/configuration.yaml", "schedule: {quick: 7s}\n");
	const struct vw_config_given other = settings_of("schedule: {quick: 8s}\n"), none = settings_of("");
	struct vw_config *config = load(ALLOWS, &other);
	assert_int_equal(config->quick_interval_ms, 8000);
	vw_config_close(config);
	config = load(ALLOWS, &none);
	assert_int_equal(config->quick_interval_ms, 300000);
	vw_config_close(config);
}

static void the_local_file_refuses_all_of_it(void **state)
{
	static const char *const locals[] = {"controller: {refuse: [set_configuration, set_policy]}\n",
					     "controller: {refuse: [All]}\n"};
	(void)state;
	put("controller/configuration.yaml", "not even: [yaml\n");
	put("controller/policy.yaml", "nor this\n");
	for (size_t i = 0; i < 2; i++) {
		struct vw_config *config = load(locals[i], NULL);
		assert_null(config->policy_file);
		assert_true(vw_config_refuses(config, "set_policy"));
		assert_int_equal(vw_config_refuses(config, "sync"), i);
		vw_config_close(config);
	}
}

static void the_policy_takes_the_local_ones_place(void **state)
{
	(void)state;
	struct vw_config_given given = {.has_policy = true, .policy = "x", .policy_len = 1};
	struct vw_config *config = load("policy_file: /etc/mine.yaml\n", NULL);
	uint8_t before[32];
	assert_string_equal(config->policy_file, "/etc/mine.yaml");
	memcpy(before, config->sha256, sizeof(before));
	vw_config_close(config);
	config = load("policy_file: /etc/mine.yaml\n", &given); /* not there yet */
	assert_string_equal(config->policy_file, path_of("controller/policy.yaml"));
	/* which policy is in force is its own hash's matter */
	assert_memory_equal(config->sha256, before, sizeof(before));
	vw_config_close(config);
	put("controller/policy.yaml", "x");
	config = load("", NULL);
	assert_string_equal(config->policy_file, path_of("controller/policy.yaml"));
	vw_config_close(config);
	given.policy_len = 0;
	config = load("policy_file: /etc/mine.yaml\n", &given); /* taken back */
	assert_string_equal(config->policy_file, "/etc/mine.yaml");
	vw_config_close(config);
}

/* A word that is misspelt would forbid, or allow, nothing. */
static void words_are_checked(void **state)
{
	(void)state;
	refused("controller: {refuse: [set_polcy]}\n", NULL, "set_polcy");
	refused("controller: {refuse: [sync, '']}\n", NULL, "controller.refuse");
	refused("controller: {settings: [schedule.quik]}\n", NULL, "schedule.quik");
	refused("controller: {settings: [controller.refuse]}\n", NULL, "controller.refuse");
	refused("controller: {settings: [state_dir]}\n", NULL, "state_dir");
	vw_config_close(
	    load("controller: {refuse: [SYNC, reevaluate, set_policy, set_configuration, set_secrets, pause, "
		 "resume, resend, rotate_certificate, diagnose, all], settings: [listen, log.level]}\n",
		 NULL));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {TEST(what_is_allowed_beats_the_local_file),
					   TEST(what_is_not_listed_is_named),
					   TEST(what_cannot_be_read_is_refused),
					   TEST(what_is_tried_counts_in_place_of_the_file),
					   TEST(the_local_file_refuses_all_of_it),
					   TEST(the_policy_takes_the_local_ones_place),
					   TEST(words_are_checked)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
