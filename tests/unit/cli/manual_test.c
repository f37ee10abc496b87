/* manual_test.c: what stands between a page's marks comes from the tables, and nothing else of the page changes. */
#include "cli/program.h"

#include "base/file.h"

#include "capture.h"

#define MARK(table)                                                                                                  \
	".\\\" From the table of " table "; do not edit: run ex-manual.\n.\\\" End of the table of " table ".\n"

static const struct vw_cli_option options[] = {
    {"fail-on", "LEVEL", "stop at this level", NULL},
    {NULL, NULL, NULL, NULL},
};
static int nothing(struct vw_cli_invocation *in)
{
	(void)in;
	return 0;
}
static const struct vw_cli_command commands[] = {
    {"make", "THING", 1, 1, "make a thing", "First. With --fail-on it ends.\n\n.dot 'quote a\\b", ".x -a\n'y\n",
     options, nothing, false},
    {.name = NULL},
};
static const struct vw_cli_status statuses[] = {{0, "done", "Done."}, {7, "odd", "It is odd."}, {0, NULL, NULL}};
static const struct vw_cli_variable variables[] = {{"EX_A, EX_B", "What they are for."}, {NULL, NULL}};
static const struct vw_cli_program program = {
    .name = "ex", .commands = commands, .statuses = statuses, .variables = variables};

static char path[] = "/tmp/vw-manual-XXXXXX";

static int begin(void **state)
{
	(void)state;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	return close(mkstemp(path));
}

static int end(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_page(const char *text)
{
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_file_write(path, text, strlen(text), 0644, &err), 0);
}

static char *read_page(void)
{
	struct vw_buffer page;
	struct vw_error err = VW_ERROR_INIT;
	vw_buffer_init(&page, 0);
	assert_int_equal(vw_file_read(path, 1 << 20, &page, &err), 0);
	char *text = strdup(vw_buffer_text(&page));
	vw_buffer_reset(&page);
	return text;
}

static int manual(bool check)
{
	char name[] = "ex-manual", flag[] = "--check";
	char *argv[] = {name, check ? flag : path, path, NULL};
	return vw_cli_manual_main(&program, 2 + check, argv);
}

static void has(const char *page, const char *text)
{
	if (!strstr(page, text))
		fail_msg("'%s' is not in:\n%s", text, page);
}

static void tables_are_written_between_their_marks(void **state)
{
	(void)state;
	write_page("before\n" MARK("commands") "middle\n" MARK("variables") MARK("exit codes") "after\n");
	assert_int_equal(manual(true), VW_CLI_EXIT_FAILED);
	assert_int_equal(manual(false), VW_CLI_EXIT_OK);
	assert_int_equal(manual(true), VW_CLI_EXIT_OK);
	char *page = read_page();
	assert_int_equal(strncmp(page, "before\n", 7), 0);
	has(page, ".\\\" End of the table of commands.\nmiddle\n");
	has(page, ".\\\" End of the table of exit codes.\nafter\n");
	has(page, ".Ss make\n.Nm\n.Cm make\n.Op Ar option ...\n.Ar THING\n.Pp\nMake a thing.\n");
	has(page, ".It Fl \\-fail-on Ar LEVEL\nStop at this level.\n");
	has(page, ".It Fl \\-help\n");
	has(page, "First.\nWith \\-\\-fail-on it ends.\n.Pp\n\\&.dot 'quote a\\eb\n");
	has(page, "\\&.x \\-a\n\\&'y\n.Ed\n");
	has(page, ".It Ev EX_A , EX_B\nWhat they are for.\n");
	has(page, ".It 7\nIt is odd.\n");
	free(page);
}

static void an_old_table_is_replaced(void **state)
{
	(void)state;
	write_page(MARK("commands") MARK("variables") MARK("exit codes"));
	assert_int_equal(manual(false), VW_CLI_EXIT_OK);
	char *page = read_page();
	char *edited = strdup(page);
	memcpy(strstr(edited, "odd"), "ODD", 3);
	write_page(edited);
	assert_int_equal(manual(true), VW_CLI_EXIT_FAILED);
	assert_int_equal(manual(false), VW_CLI_EXIT_OK);
	char *again = read_page();
	assert_string_equal(again, page);
	free(page);
	free(edited);
	free(again);
}

static void a_page_without_marks_is_left_alone(void **state)
{
	static const char *const pages[] = {"nothing", MARK("commands") MARK("variables"),
					    MARK("exit codes") MARK("variables") MARK("commands")};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		write_page(pages[i]);
		assert_int_equal(manual(false), VW_CLI_EXIT_FAILED);
		char *page = read_page();
		assert_string_equal(page, pages[i]);
		free(page);
	}
	assert_int_equal(vw_cli_manual_main(&program, 1, (char *[]){path, NULL}), VW_CLI_EXIT_FAILED);
	assert_int_equal(vw_cli_manual_main(&program, 2, (char *[]){path, (char[]){"/nonexistent"}, NULL}),
			 VW_CLI_EXIT_FAILED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(tables_are_written_between_their_marks),
	    TEST(an_old_table_is_replaced),
	    TEST(a_page_without_marks_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
