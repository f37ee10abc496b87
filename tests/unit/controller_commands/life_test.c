/* init.c, config_command.c, doctor.c: what stands before `serve`. */
#include "desk.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A shell command in which @ stands for `a`. */
static void sh(const char *command, const char *a)
{
	char whole[1200];
	size_t len = 0;
	for (; *command; command++)
		len += (size_t)snprintf(whole + len, sizeof(whole) - len, "%.*s", *command == '@' ? 512 : 1,
					*command == '@' ? a : command);
	if (system(whole) != 0)
		fail_msg("%s", whole);
}

static void test_init(void **state)
{
	struct stat st;
	(void)state;
	setenv("VW_CONTROLLER_DATA", desk_path("data"), 1);
	assert_exit(VW_CLI_EXIT_CONFIG, "org", "list");
	assert_says(told.err, "vw-controller init");
	assert_exit(VW_CLI_EXIT_CONFIG, "serve");
	assert_says(told.err, "vw-controller init");
	assert_exit(0, "init");
	assert_says(told.out, "authority: made in");
	assert_says(told.out, "store: lmdb is ready");
	assert_int_equal(stat(desk_path("data"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_exit(0, "init");
	assert_says(told.out, "authority: kept in");
	assert_exit(0, "org", "list");
	/* what is missing is made, what is there stays */
	sh("cp @/authority/ca.pem @.pem && rm @/authority/server.key", desk_path("data"));
	assert_exit(0, "init");
	sh("cmp @/authority/ca.pem @.pem && test -e @/authority/server.key", desk_path("data"));
	sh("rm @/authority/ca.pem; :", desk_path("data"));
	assert_exit(VW_CLI_EXIT_CONFIG, "init");
	assert_says(told.err, "put it back from a backup");
	sh("cp @.pem @/authority/ca.pem", desk_path("data"));
}

static void test_init_with_an_intermediate(void **state)
{
	(void)state;
	setenv("VW_CONTROLLER_DATA", desk_path("own"), 1);
	assert_exit(VW_CLI_EXIT_USAGE, "init", "--ca-key", "x");
	assert_exit(VW_CLI_EXIT_USAGE, "init", "--ca-chain", "x");
	assert_exit(VW_CLI_EXIT_CONFIG, "init", "--ca-key", "/nowhere", "--ca-chain", "/nowhere");
	assert_says(told.err, "/nowhere");
	sh("cd @ && openssl ecparam -name prime256v1 -genkey -noout -out k && chmod 600 k && openssl req -x509 -key "
	   "k -subj /CN=root "
	   "-days 9 -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign -out c "
	   "2>/dev/null",
	   desk_folder);
	assert_exit(0, "init", "--ca-key", desk_path("k"), "--ca-chain", desk_path("c"));
	sh("cmp @/c @/own/authority/ca.pem", desk_folder);
	assert_exit(EXIT_REFUSED, "init", "--ca-key", desk_path("k"), "--ca-chain", desk_path("c"));
	assert_exit(0, "init");
}

static void test_folders_that_cannot_be(void **state)
{
	char name[4200];
	(void)state;
	desk_write("file", "x", 0600);
	setenv("VW_CONTROLLER_DATA", desk_path("file"), 1);
	assert_int_not_equal(run("init", NULL), 0);
	assert_says(told.err, desk_path("file"));
	setenv("VW_CONTROLLER_DATA", desk_path("open"), 1);
	assert_int_equal(mkdir(desk_path("open"), 0755), 0);
	assert_exit(VW_CLI_EXIT_CONFIG, "init");
	assert_says(told.err, "chmod 700");
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = 0;
	setenv("VW_CONTROLLER_DATA", name, 1);
	assert_exit(VW_CLI_EXIT_CONFIG, "init");
	assert_says(told.err, "is longer than 4000 bytes");
}

static void test_migrate(void **state)
{
	(void)state;
	setenv("VW_CONTROLLER_DATA", desk_path("data"), 1);
	assert_exit(0, "migrate");
	setenv("VW_CONTROLLER_DATA", desk_path("nothing"), 1);
	assert_exit(VW_CLI_EXIT_CONFIG, "migrate");
}

static void test_config(void **state)
{
	(void)state;
	setenv("VW_CONTROLLER_DATA", desk_path("data"), 1);
	assert_exit(0, "config", "check");
	assert_says(told.out, "no file");
	desk_write("good.yaml", "replica: \"\\e[31mx\"\n", 0644);
	assert_exit(0, "config", "check", "--config", desk_path("good.yaml"));
	assert_exit(0, "config", "show", "--config", desk_path("good.yaml"));
	assert_says(told.out, "data_dir: ");
	assert_null(strchr(told.out, '\x1b'));
	desk_write("bad.yaml", "hosts: [a]\nsessions:\n  workers: \x1b[31m\n", 0644);
	assert_exit(VW_CLI_EXIT_CONFIG, "config", "check", "--config", desk_path("bad.yaml"));
	assert_says(told.err, "bad.yaml");
	assert_null(strchr(told.err, '\x1b'));
	assert_exit(VW_CLI_EXIT_CONFIG, "config", "check", "--config", "/nowhere.yaml");
	assert_exit(VW_CLI_EXIT_CONFIG, "serve", "--config", "/nowhere.yaml");
	assert_exit(0, "--config", desk_path("good.yaml"), "config", "check");
}

static const char *result_of(const json_t *checks, const char *name)
{
	size_t i;
	const json_t *check;
	json_array_foreach(checks, i, check)
	{
		if (strcmp(json_string_value(json_object_get(check, "check")), name) == 0)
			return json_string_value(json_object_get(check, "result"));
	}
	return "none";
}

static void test_doctor(void **state)
{
	(void)state;
	desk_write("few.yaml", "sessions: {maximum: 10}\n", 0644);
	setenv("VW_CONTROLLER_CONFIG", desk_path("few.yaml"), 1);
	setenv("VW_CONTROLLER_DATA", desk_path("data"), 1);
	assert_exit(0, "doctor");
	assert_says(told.out, "ok    store        0 agents");
	assert_exit(0, "doctor", "--format", "json");
	json_t *checks = json_loads(told.out, 0, NULL);
	static const char *const names[] = {"config", "disk", "authority", "server", "store", "descriptors"};
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(result_of(checks, names[i]), "ok");
	json_decref(checks);
	sh("rm @/authority/server.pem", desk_path("data"));
	assert_exit(VW_CLI_EXIT_FAILED, "doctor");
	assert_says(told.out, "FAIL  server");
	assert_says(told.out, "vw-controller serve makes another");
	assert_exit(0, "init");
	setenv("VW_CONTROLLER_DATA", desk_path("nothing\x1b[31m"), 1);
	assert_exit(VW_CLI_EXIT_FAILED, "doctor");
	assert_says(told.out, "FAIL  disk");
	assert_says(told.out, "FAIL  authority");
	assert_says(told.out, "FAIL  store");
	assert_null(strchr(told.out, '\x1b'));
	desk_write("many.yaml", "sessions: {maximum: 20000}\n", 0644);
	unsetenv("VW_CONTROLLER_CONFIG");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_init),
	    cmocka_unit_test(test_init_with_an_intermediate),
	    cmocka_unit_test(test_folders_that_cannot_be),
	    cmocka_unit_test(test_migrate),
	    cmocka_unit_test(test_config),
	    cmocka_unit_test(test_doctor),
	};
	return cmocka_run_group_tests(tests, desk_open, desk_close);
}
