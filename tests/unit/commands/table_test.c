/* table_test.c: help and completion are made from the table of commands, and name all of it. */
#include "command.h"
#include "help.h"

#include "../cli/capture.h"



static char *help_of(const struct vw_cli_command *command)
{
	struct capture c = capture_begin(0);
	help_command(stdout, command);
	capture_end(&c);
	return c.text;
}

static void the_overview_lists_every_command(void **state)
{
	struct capture c = capture_begin(0);
	(void)state;
	help_overview(stdout);
	capture_end(&c);
	for (const struct vw_cli_command *command = commands; command->name; command++) {
		char line[64];
		snprintf(line, sizeof(line), "\n  %-16s ", command->name);
		if (!strstr(c.text, line) || !strstr(c.text, command->summary))
			fail_msg("%s is not listed", command->name);
	}
	free(c.text);
}

static void help_names_every_option(void **state)
{
	(void)state;
	for (const struct vw_cli_command *command = commands; command->name; command++) {
		char *text = help_of(command), wanted[128];
		snprintf(wanted, sizeof(wanted), "usage: vw-agent %s", command->name);
		assert_int_equal(strncmp(text, wanted, strlen(wanted)), 0);
		for (const struct vw_cli_option *o = command->options; o && o->name; o++) {
			snprintf(wanted, sizeof(wanted), "  --%s%s%s", o->name, o->argument ? " " : "",
				 o->argument ? o->argument : "");
			if (!strstr(text, wanted) || !strstr(text, o->help))
				fail_msg("%s: %s", command->name, wanted);
		}
		free(text);
	}
}

/* What main and getopt rely on. */
static void the_table_is_sound(void **state)
{
	(void)state;
	for (const struct vw_cli_command *c = commands; c->name; c++) {
		int options = 0;
		assert_non_null(c->run);
		assert_in_range(c->max_positional, c->min_positional, 3);
		assert_int_equal(c->max_positional > 0, c->positional != NULL);
		for (const struct vw_cli_option *o = c->options; o && o->name; o++, options++) {
			assert_true(o->argument || !o->choices); /* a switch has nothing to choose */
			for (const struct vw_cli_option *g = global_options; g->name; g++)
				assert_string_not_equal(o->name, g->name);
		}
		assert_in_range(options, 0, MAX_OPTIONS);
		for (const struct vw_cli_command *other = commands; other < c; other++)
			assert_string_not_equal(other->name, c->name);
	}
}

static void help_finds_what_it_is_asked_for(void **state)
{
	static char audit[] = "audit", verify[] = "verify", nonsense[] = "nonsense";
	(void)state;
	struct capture c = capture_begin(0);
	int group = help_topic(1, (char *[]){audit}), one = help_topic(2, (char *[]){audit, verify});
	int nothing = help_topic(1, (char *[]){nonsense});
	capture_end(&c);
	assert_int_equal(group, EXIT_OK);
	assert_int_equal(one, EXIT_OK);
	assert_int_equal(nothing, EXIT_USAGE);
	assert_non_null(strstr(c.text, "audit export"));
	assert_non_null(strstr(c.text, "usage: vw-agent audit verify"));
	free(c.text);
}

static char *completion_of(const char *shell)
{
	struct vw_cli_invocation in = {.positional = {shell}, .positional_count = 1};
	struct capture c = capture_begin(0);
	int code = run_completion(&in);
	capture_end(&c);
	assert_int_equal(code, EXIT_OK);
	return c.text;
}

static void completion_has_all_of_it(void **state)
{
	static const struct {
		const char *shell, *option; /* how one is written there */
	} shells[] = {{"bash", " --%s"}, {"zsh", "'--%s"}, {"fish", " -l %s "}};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *text = completion_of(shells[i].shell), word[80];
		for (const struct vw_cli_command *c = commands; c->name; c++) {
			const char *space = strchr(c->name, ' ');
			if (!strstr(text, space ? space + 1 : c->name))
				fail_msg("%s: %s", shells[i].shell, c->name);
			for (const struct vw_cli_option *o = c->options; o && o->name; o++) {
				int before = (int)(strchr(shells[i].option, '%') - shells[i].option);
				snprintf(word, sizeof(word), "%.*s%s", before, shells[i].option, o->name);
				if (!strstr(text, word))
					fail_msg("%s: %s --%s", shells[i].shell, c->name, o->name);
				for (const char *const *choice = o->choices; choice && *choice; choice++)
					if (!strstr(text, *choice))
						fail_msg("%s: --%s %s", shells[i].shell, o->name, *choice);
			}
		}
		free(text);
	}
}

static void errors_have_their_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(exit_code_of(VW_OK), EXIT_OK);
	assert_int_equal(exit_code_of(VW_EUSAGE), EXIT_USAGE);
	assert_int_equal(exit_code_of(VW_ECONFIG), EXIT_CONFIG);
	assert_int_equal(exit_code_of(VW_EAUTH), EXIT_SOURCE);
	assert_int_equal(exit_code_of(VW_EUNSUPPORTED), EXIT_SOURCE);
	assert_int_equal(exit_code_of(VW_ECORRUPT), EXIT_STORE);
	assert_int_equal(exit_code_of(VW_EBUSY), EXIT_STORE);
	assert_int_equal(exit_code_of(VW_ECANCELLED), EXIT_CANCELLED);
	assert_int_equal(exit_code_of(VW_ENOMEM), EXIT_FAILED);
	struct vw_error nothing_said = VW_ERROR_INIT;
	assert_int_equal(report_error(&nothing_said), EXIT_FAILED); /* whoever fails without a word still fails */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_overview_lists_every_command),
	    cmocka_unit_test(help_names_every_option),
	    cmocka_unit_test(the_table_is_sound),
	    cmocka_unit_test(help_finds_what_it_is_asked_for),
	    cmocka_unit_test(completion_has_all_of_it),
	    cmocka_unit_test(errors_have_their_exit_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
