/* program_test.c: a program that is nothing but tables: its command line is taken exactly, or refused with exit code 2. */
#include "sound.h"

static struct vw_cli_invocation got;
static int runs;

static int run_note(struct vw_cli_invocation *in)
{
	got = *in;
	runs++;
	return 42;
}

static const char *const shapes[] = {"round", "square", NULL};
static const char *const formats[] = {"text", "json", NULL};
static const struct vw_cli_option globals[] = {
    {"config", "FILE", "configuration file", NULL},
    {"data", "FOLDER", "data folder", NULL},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option make_options[] = {
    {"shape", "SHAPE", "round or square", shapes},
    {"name", "NAME", "it's \"what\" [people] call: it", NULL},
    {"quick", NULL, "at once", NULL},
    {"output", "FILE", "write to this file", NULL},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_option format_options[] = {
    {"format", "FORMAT", "text or json", formats},
    {NULL, NULL, NULL, NULL},
};
static const struct vw_cli_command commands[] = {
    {"make", "THING [OTHER]", 1, 2, "make a thing", "With --quick it is\nmade at once.\n\n.Dot: \\ and more.",
     "ex-ample make a\n", make_options, run_note, true},
    {"box list", NULL, 0, 0, "list boxes", NULL, NULL, NULL, run_note, false},
    {"box open", "BOX", 1, 1, "open a box", NULL, NULL, NULL, run_note, false},
    {"version", NULL, 0, 0, "versions", NULL, NULL, format_options, vw_cli_run_version, false},
    {"completion", "SHELL", 1, 1, "a completion script", NULL, NULL, NULL, vw_cli_run_completion, false},
    {.name = NULL},
};
static const struct vw_cli_status statuses[] = {
    {0, "done", "Done."}, {9, "odd", "Something odd. It happens."}, {0, NULL, NULL}};
static const struct vw_cli_variable variables[] = {{"EX_A, EX_B", "What they are for."}, {NULL, NULL}};

static void libraries(struct vw_cli_library out[VW_CLI_MAX_LIBRARIES])
{
	out[0] = (struct vw_cli_library){"libx", "1.2"};
	out[1] = (struct vw_cli_library){NULL, NULL};
}

static int exit_code(int code)
{
	return code == VW_EAGAIN ? 9 : vw_cli_exit_code(code);
}

static const struct vw_cli_program program = {.name = "ex-ample",
					      .version = "1.0",
					      .about = "ex-ample makes things.",
					      .first_steps = "ex-ample make a\nex-ample box list\n",
					      .globals = globals,
					      .commands = commands,
					      .statuses = statuses,
					      .variables = variables,
					      .exit_code = exit_code,
					      .libraries = libraries};

/* Runs a command line of words with single spaces; what it prints to either stream is in `printed`. */
static char *printed;

static int run(const char *line)
{
	static char copy[512]; /* the invocation points into it */
	char *argv[20] = {copy};
	int argc = 0, kept = dup(STDERR_FILENO);
	snprintf(copy, sizeof(copy), "ex-ample%s%s", line[0] ? " " : "", line);
	for (char *save = NULL, *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	free(printed);
	got = (struct vw_cli_invocation){0};
	struct capture c = capture_begin(0);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	int code = vw_cli_main(&program, argc, argv);
	dup2(kept, STDERR_FILENO);
	close(kept);
	capture_end(&c);
	printed = c.text;
	return code;
}

static int begin(void **state)
{
	(void)state;
	runs = 0;
	printed = NULL;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(printed);
	return 0;
}

static void a_command_gets_what_was_given(void **state)
{
	(void)state;
	assert_int_equal(run("--config a.yaml make one --shape=square --quick two --name n --data d"), 42);
	assert_ptr_equal(got.program, &program);
	assert_string_equal(got.command->name, "make");
	assert_int_equal(got.positional_count, 2);
	assert_string_equal(got.positional[0], "one");
	assert_string_equal(got.positional[1], "two");
	assert_string_equal(vw_cli_value(&got, "shape"), "square");
	assert_string_equal(vw_cli_value(&got, "name"), "n");
	assert_string_equal(vw_cli_value(&got, "config"), "a.yaml");
	assert_string_equal(vw_cli_value(&got, "data"), "d");
	assert_true(vw_cli_given(&got, "quick"));
}

static void values_have_defaults_and_the_last_one_wins(void **state)
{
	(void)state;
	assert_int_equal(run("--data=before --config front make a --quick --config middle --config=behind"), 42);
	assert_string_equal(vw_cli_value(&got, "shape"), "round");
	assert_null(vw_cli_value(&got, "name"));
	assert_null(vw_cli_value(&got, "no such option"));
	assert_string_equal(vw_cli_value(&got, "quick"), "");
	assert_string_equal(vw_cli_value(&got, "config"), "behind");
	assert_string_equal(vw_cli_value(&got, "data"), "before");
	assert_int_equal(run("make a"), 42);
	assert_false(vw_cli_given(&got, "quick"));
	assert_null(vw_cli_value(&got, "config"));
}

static void a_command_may_have_two_words(void **state)
{
	(void)state;
	assert_int_equal(run("box open b"), 42);
	assert_string_equal(got.command->name, "box open");
	assert_int_equal(run("box"), VW_CLI_EXIT_USAGE);
	assert_non_null(strstr(printed, "box list"));
	assert_int_equal(run("box --help"), VW_CLI_EXIT_OK);
	assert_non_null(strstr(printed, "usage: ex-ample box COMMAND"));
	assert_int_equal(run("box nonsense"), VW_CLI_EXIT_USAGE);
	assert_int_equal(run("open b"), VW_CLI_EXIT_USAGE);
	assert_int_equal(runs, 1);
}

static void what_is_wrong_is_said_and_nothing_runs(void **state)
{
	static const struct {
		const char *line, *says;
	} wrong[] = {{"", "Commands:"},
		     {"nonsense", "ex-ample: no such command: nonsense"},
		     {"make", "missing argument: THING [OTHER]"},
		     {"make a b c", "unexpected argument: c"},
		     {"make a --no", "no such option: --no"},
		     {"make a --name", "an argument is missing: --name"},
		     {"make a --quick=1", "no such option"},
		     {"make a --shape flat", "--shape cannot be 'flat'; round or square"},
		     {"make -x a", "no such option"},
		     {"--config", "no such command: --config"},
		     {"completion tcsh", "no completion for 'tcsh'"},
		     {"help nonsense", "no such command: nonsense"}};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(run(wrong[i].line), VW_CLI_EXIT_USAGE);
		if (!strstr(printed, wrong[i].says))
			fail_msg("'%s' is not in: %s", wrong[i].says, printed);
	}
	assert_int_equal(runs, 0);
}

static void help_is_made_from_the_tables(void **state)
{
	static const char *const lines[] = {"make --help", "make -h", "help make", "make a --help"};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(run(lines[i]), VW_CLI_EXIT_OK);
		assert_non_null(strstr(printed, "usage: ex-ample make [OPTION...] THING [OTHER]"));
		assert_non_null(strstr(printed, "  --shape SHAPE          round or square\n"));
		assert_non_null(strstr(printed, "  --data FOLDER          data folder\n"));
		assert_non_null(strstr(printed, "  --help                 help on a command\n"));
		assert_non_null(strstr(printed, "Exit codes: 0 done, 9 odd.\n"));
	}
	assert_int_equal(run("--help"), VW_CLI_EXIT_OK);
	assert_non_null(strstr(printed, "usage: ex-ample [--config FILE] [--data FOLDER] COMMAND [OPTION...]\n"));
	assert_non_null(strstr(printed, "Begin with:\n  ex-ample make a\n  ex-ample box list\n"));
	assert_int_equal(runs, 0);
}

static void the_tables_are_sound(void **state)
{
	(void)state;
	the_table_is_sound(&program);
	the_overview_lists_every_command(&program);
	help_names_every_option(&program);
	completion_has_all_of_it(&program);
}

static void completion_knows_files_and_folders(void **state)
{
	(void)state;
	assert_int_equal(run("completion bash"), VW_CLI_EXIT_OK);
	assert_non_null(strstr(printed, "\t--config|--output) "));
	assert_non_null(strstr(printed, "\t--data) "));
	assert_non_null(strstr(printed, "complete -F _ex_ample ex-ample\n"));
	assert_int_equal(run("completion fish"), VW_CLI_EXIT_OK);
	assert_non_null(strstr(printed, "complete -c ex-ample -l data -x -a '(__fish_complete_directories)'"));
	assert_int_equal(run("completion zsh"), VW_CLI_EXIT_OK);
	assert_non_null(strstr(printed, "'--output=[write to this file]:FILE:_files'"));
	assert_non_null(strstr(printed, "'--name=[it'\\''s \"what\" \\[people\\] call\\: it]:NAME:'"));
}

static void versions_are_listed(void **state)
{
	(void)state;
	assert_int_equal(run("--version"), VW_CLI_EXIT_OK);
	assert_string_equal(printed, "ex-ample 1.0\nlibx         1.2\n");
	assert_int_equal(run("version --format json"), VW_CLI_EXIT_OK);
	assert_non_null(strstr(printed, "\"ex_ample\": \"1.0\""));
	assert_non_null(strstr(printed, "\"libx\": \"1.2\""));
}

static void errors_have_exit_codes(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_cli_program plain = program;
	(void)state;
	plain.exit_code = NULL;
	assert_int_equal(vw_cli_report(&program, &err), VW_CLI_EXIT_FAILED);
	vw_error_set(&err, VW_EAGAIN, "later");
	assert_int_equal(vw_cli_report(&program, &err), 9);
	assert_int_equal(vw_cli_report(&plain, &err), VW_CLI_EXIT_FAILED);
	assert_int_equal(vw_cli_exit_code(VW_OK), VW_CLI_EXIT_OK);
	assert_int_equal(vw_cli_exit_code(VW_EUSAGE), VW_CLI_EXIT_USAGE);
	assert_int_equal(vw_cli_exit_code(VW_ECONFIG), VW_CLI_EXIT_CONFIG);
	assert_int_equal(vw_cli_exit_code(VW_ECANCELLED), VW_CLI_EXIT_CANCELLED);
}

static int run_signals(struct vw_cli_invocation *in)
{
	struct sigaction action;
	(void)in;
	raise(SIGTERM);
	sigaction(SIGPIPE, NULL, &action);
	return action.sa_handler == SIG_IGN && vw_cli_cancelled == SIGTERM ? VW_CLI_EXIT_OK : VW_CLI_EXIT_FAILED;
}

static void an_orderly_command_is_asked_to_end(void **state)
{
	static const struct vw_cli_command one[] = {{"go", NULL, 0, 0, "go", NULL, NULL, NULL, run_signals, true},
						    {.name = NULL}};
	struct vw_cli_program other = program;
	char *argv[] = {(char[]){"x"}, (char[]){"go"}, NULL};
	(void)state;
	other.commands = one;
	assert_int_equal(vw_cli_main(&other, 2, argv), VW_CLI_EXIT_OK);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	vw_cli_cancelled = 0;
}

static void what_cannot_be_written_is_a_failure(void **state)
{
	char *argv[] = {(char[]){"ex-ample"}, (char[]){"--version"}, NULL};
	int kept = dup(STDOUT_FILENO), full = open("/dev/full", O_WRONLY);
	(void)state;
	fflush(stdout);
	dup2(full, STDOUT_FILENO);
	int code = vw_cli_main(&program, 2, argv);
	clearerr(stdout);
	dup2(kept, STDOUT_FILENO);
	close(kept);
	close(full);
	assert_int_equal(code, VW_CLI_EXIT_FAILED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_command_gets_what_was_given),
	    TEST(values_have_defaults_and_the_last_one_wins),
	    TEST(a_command_may_have_two_words),
	    TEST(what_is_wrong_is_said_and_nothing_runs),
	    TEST(help_is_made_from_the_tables),
	    TEST(the_tables_are_sound),
	    TEST(completion_knows_files_and_folders),
	    TEST(versions_are_listed),
	    TEST(errors_have_exit_codes),
	    TEST(an_orderly_command_is_asked_to_end),
	    TEST(what_cannot_be_written_is_a_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
