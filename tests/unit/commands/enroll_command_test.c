/* enroll_command_test.c: where a token may come from, and what leaving does (S4.1, S4.2). Enrolling itself: tests/python. */
#include "command.h"

#include "../cli/capture.h"
#include "enrolled.h"
#include "proto/message.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct vw_cli_command *command_named(const char *name)
{
	const struct vw_cli_command *c = agent_program.commands;
	while (strcmp(c->name, name) != 0)
		c++;
	return c;
}

/* Runs it on the fixture's state; what it says goes to `out`. */
static int run(const char *name, const char *url, const char *token_file, char out[2048])
{
	struct vw_cli_invocation in = {.program = &agent_program, .command = command_named(name)};
	for (int i = 0; agent_program.globals[i].name; i++)
		if (strcmp(agent_program.globals[i].name, "state") == 0)
			in.globals[i] = fixture_folder;
	for (int i = 0; in.command->options && in.command->options[i].name; i++)
		if (strcmp(in.command->options[i].name, "token-file") == 0)
			in.values[i] = token_file;
	in.positional[0] = url;
	in.positional_count = url != NULL;
	setenv("HOME", fixture_folder, 1);
	fixture_release();
	int errors = dup(STDERR_FILENO);
	struct capture c = capture_begin(0);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	int code = in.command->run(&in);
	fflush(stderr);
	dup2(errors, STDERR_FILENO);
	close(errors);
	capture_end(&c);
	snprintf(out, 2048, "%s", c.text);
	free(c.text);
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_store_open(fixture_folder, VW_KV_WRITE, &fixture_store, &err), 0);
	return code;
}

static char *put_token(const char *text, mode_t mode)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/token", fixture_folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, mode);
	return path;
}

static void the_token_comes_from_a_file(void **state)
{
	char out[2048];
	(void)state;
	assert_int_equal(run("enroll", "https://127.0.0.1:1", NULL, out), EXIT_USAGE);
	assert_non_null(strstr(out, "--token-file"));
	assert_int_equal(run("enroll", "https://127.0.0.1:1", "/nowhere/token", out), EXIT_CONFIG);
	/* no token of ours, and it is not repeated */
	assert_true(run("enroll", "https://127.0.0.1:1", put_token("hunter2-is-no-token\n", 0644), out) != EXIT_OK);
	assert_non_null(strstr(out, "others can read"));
	assert_null(strstr(out, "hunter2"));
	assert_true(run("enroll", "https://127.0.0.1:1", put_token("hunter2-is-no-token\n", 0600), out) != EXIT_OK);
	assert_null(strstr(out, "others can read"));
	assert_true(run("enroll", "http://127.0.0.1:1", put_token("x\n", 0600), out) != EXIT_OK);
	assert_non_null(strstr(out, "https://"));
}

static void a_state_that_is_enrolled_stays_so(void **state)
{
	char out[2048];
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	(void)state;
	enrolled_write();
	enrolled_write_file("controller/policy.yaml", "mine");
	assert_int_equal(run("enroll", "https://127.0.0.1:1", put_token("x\n", 0600), out), EXIT_STORE);
	assert_non_null(strstr(out, "enrolled already"));
	assert_non_null(enrolled_read_file(arena, "controller/policy.yaml"));
}

static void leaving(void **state)
{
	char out[2048];
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	(void)state;
	assert_int_equal(run("unenroll", NULL, NULL, out), EXIT_USAGE);
	assert_non_null(strstr(out, "not enrolled"));
	assert_int_equal(enrolled_count(VW_AUDIT_UNENROLLED), 0);
	enrolled_write();
	enrolled_write_file("controller/policy.yaml", "mine");
	assert_int_equal(run("unenroll", NULL, NULL, out), EXIT_OK);
	assert_null(enrolled_read_file(arena, "controller/policy.yaml"));
	assert_null(enrolled_read_file(arena, "identity/sealing.key"));
	assert_int_equal(enrolled_count(VW_AUDIT_UNENROLLED), 1);
}

/* An identity that cannot be read any more can be left all the same. */
static void leaving_a_broken_identity(void **state)
{
	char out[2048];
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	(void)state;
	enrolled_write();
	enrolled_write_file("identity/sealing.key", "torn");
	assert_int_equal(run("unenroll", NULL, NULL, out), EXIT_OK);
	assert_null(enrolled_read_file(arena, "identity/controller.pb"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_open, fixture_close)
	const struct CMUnitTest tests[] = {TEST(the_token_comes_from_a_file), TEST(a_state_that_is_enrolled_stays_so),
					   TEST(leaving), TEST(leaving_a_broken_identity)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
