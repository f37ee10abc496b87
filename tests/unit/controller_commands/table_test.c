/* table_test.c: the controller's table of commands. */
#include "command.h"

#include "../cli/sound.h"

static void overview(void **state)
{
	(void)state;
	the_overview_lists_every_command(&controller_program);
}

static void options(void **state)
{
	(void)state;
	help_names_every_option(&controller_program);
}

static void soundness(void **state)
{
	(void)state;
	the_table_is_sound(&controller_program);
}

static void completion(void **state)
{
	(void)state;
	completion_has_all_of_it(&controller_program);
}

/* What writes or asks a server ends in order; a listing ends as any tool does. */
static void who_is_orderly(void **state)
{
	static const char *const reads[] = {"list",  "show",  "records",    "verify",  "export", "commands",
					    "trail", "check", "completion", "version", NULL};
	(void)state;
	for (const struct vw_cli_command *c = controller_program.commands; c->name; c++) {
		const char *last = strrchr(c->name, ' ') ? strrchr(c->name, ' ') + 1 : c->name;
		bool only_reads = false;
		for (const char *const *word = reads; *word; word++)
			only_reads = only_reads || strcmp(last, *word) == 0;
		if (c->orderly == only_reads)
			fail_msg("%s", c->name);
	}
}

static void errors_have_their_exit_codes(void **state)
{
	(void)state;
	static const struct {
		int code, exit;
	} cases[] = {{VW_OK, VW_CLI_EXIT_OK},          {VW_EUSAGE, VW_CLI_EXIT_USAGE},
		     {VW_ECONFIG, VW_CLI_EXIT_CONFIG}, {VW_ECANCELLED, VW_CLI_EXIT_CANCELLED},
		     {VW_ENOTFOUND, EXIT_REFUSED},     {VW_EBUSY, EXIT_REFUSED},
		     {VW_EINVAL, EXIT_REFUSED},        {VW_EFORBIDDEN, EXIT_REFUSED},
		     {VW_EAUTH, EXIT_REFUSED},         {VW_EAGAIN, EXIT_STORE},
		     {VW_ECORRUPT, EXIT_STORE},        {VW_EFULL, EXIT_STORE},
		     {VW_ENOMEM, VW_CLI_EXIT_FAILED},  {VW_EIO, VW_CLI_EXIT_FAILED},
		     {VW_ELIMIT, VW_CLI_EXIT_FAILED}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(controller_exit_code(cases[i].code), cases[i].exit);
	/* each of them is explained */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct vw_cli_status *s = controller_program.statuses;
		while (s->brief && s->code != cases[i].exit)
			s++;
		assert_non_null(s->brief);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(overview),       cmocka_unit_test(options),
	    cmocka_unit_test(soundness),      cmocka_unit_test(completion),
	    cmocka_unit_test(who_is_orderly), cmocka_unit_test(errors_have_their_exit_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
