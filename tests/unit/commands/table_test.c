/* table_test.c: the agent's table of commands. */
#include "command.h"

#include "../cli/sound.h"

static void overview(void **state)
{
	(void)state;
	the_overview_lists_every_command(&agent_program);
}

static void options(void **state)
{
	(void)state;
	help_names_every_option(&agent_program);
}

static void soundness(void **state)
{
	(void)state;
	the_table_is_sound(&agent_program);
}

static void completion(void **state)
{
	(void)state;
	completion_has_all_of_it(&agent_program);
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
	    cmocka_unit_test(overview),
	    cmocka_unit_test(options),
	    cmocka_unit_test(soundness),
	    cmocka_unit_test(completion),
	    cmocka_unit_test(errors_have_their_exit_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
