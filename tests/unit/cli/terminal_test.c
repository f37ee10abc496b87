/* terminal_test.c: tables line up, fit the window, cost no more when they are long, and steer no terminal. */
#include "cli/terminal.h"

#include "../cli/capture.h"
#include "base/text.h"

static const char *const headings[] = {"NAME", "N", "WHAT"};

static int no_environment(void **state)
{
	(void)state;
	unsetenv("COLUMNS");
	unsetenv("NO_COLOR");
	return 0;
}

static char *printed(unsigned short columns, bool colours, const char *const (*rows)[3], size_t count)
{
	struct capture c = capture_begin(columns);
	struct vw_cli_table table;
	vw_cli_table_begin(&table, headings, 3, 1 << 0 | 1 << 2, colours);
	for (size_t i = 0; i < count; i++)
		assert_true(vw_cli_table_add(&table, rows[i], NULL));
	vw_cli_table_end(&table);
	capture_end(&c);
	return c.text;
}

static void cells_line_up(void **state)
{
	static const char *const rows[][3] = {{"short", "1", "x"}, {"much longer", NULL, "y"}};
	(void)state;
	char *text = printed(0, false, rows, 2);
	assert_string_equal(text, "NAME         N  WHAT\n"
				  "short        1  x\n"
				  "much longer  -  y\n");
	free(text);
}

/* Two columns for a wide character, none for a combining mark. */
static void columns_are_counted_not_bytes(void **state)
{
	static const char *const rows[][3] = {{"模型", "1", "x"}, {"e\xcc\x81te", "2", "y"}, {"abcd", "3", "z"}};
	(void)state;
	char *text = printed(0, false, rows, 3);
	assert_string_equal(text, "NAME  N  WHAT\n"
				  "模型  1  x\n"
				  "e\xcc\x81te   2  y\n"
				  "abcd  3  z\n");
	free(text);
}

static void each_line_fits(const char *text, size_t columns)
{
	char *copy = strdup(text), *save = NULL;
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (vw_text_columns(line) > columns)
			fail_msg("%zu columns: '%s'", vw_text_columns(line), line);
	free(copy);
}

static void a_window_cuts_the_widest_flexible_cells(void **state)
{
	static const char *const rows[][3] = {
	    {"a-rather-long-name-of-a-model", "12", "what it does is written here at length"},
	    {"模型模型模型模型模型模型模型", "3", "y"}};
	(void)state;
	for (unsigned short columns = 24; columns < 80; columns++) {
		char *text = printed(columns, false, rows, 2);
		each_line_fits(text, columns);
		assert_non_null(strstr(text, " 12 "));
		free(text);
	}
	char *text = printed(40, false, rows, 2);
	assert_non_null(strstr(text, "…"));
	free(text);
	/* where nothing has room the last columns go, and the first stays */
	text = printed(21, false, rows, 2);
	each_line_fits(text, 21);
	assert_null(strstr(text, "WHAT"));
	assert_non_null(strstr(text, "NAME"));
	free(text);
	text = printed(0, false, rows, 2);
	assert_null(strstr(text, "…")); /* a file is never cut */
	free(text);
}

static void a_long_table_is_printed_on_the_way(void **state)
{
	struct capture c = capture_begin(0);
	struct vw_cli_table table;
	char name[32], what[64];
	size_t most = 0, lines = 0;
	(void)state;
	vw_cli_table_begin(&table, headings, 3, 0, false);
	for (int i = 0; i < 5 * VW_CLI_TABLE_ROWS / 2; i++) {
		snprintf(name, sizeof(name), "name-%d", i);
		memset(what, 'w', sizeof(what));
		what[i == 5 * VW_CLI_TABLE_ROWS / 2 - 1 ? 60 : 10] = '\0';
		assert_true(vw_cli_table_add(&table, (const char *const[]){name, "1", what}, NULL));
		most = vw_arena_used(table.arena) > most ? vw_arena_used(table.arena) : most;
	}
	vw_cli_table_end(&table);
	capture_end(&c);
	for (const char *at = c.text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 1 + 5 * VW_CLI_TABLE_ROWS / 2);
	assert_in_range(most, 1, (size_t)VW_CLI_TABLE_ROWS * 512);
	assert_int_equal(strncmp(c.text, "NAME", 4), 0);
	assert_null(strstr(c.text + 1, "NAME")); /* once */
	/* in order, and a cell that is wider than those before it is whole */
	assert_non_null(strstr(c.text, "name-1999  1  wwwwwwwwww\nname-2000  1  wwwwwwwwww\n"));
	assert_non_null(strstr(c.text, what));
	free(c.text);
}

static void no_cell_steers_the_terminal(void **state)
{
	static const char *const rows[][3] = {{"\x1b[31mred\x07", "\xe2\x80\xae", "\xc2\x9bx\xff\n"}};
	(void)state;
	char *text = printed(200, false, rows, 1);
	assert_non_null(strstr(text, "\\u{1b}[31mred\\u{07}"));
	assert_non_null(strstr(text, "\\u{202e}"));
	assert_non_null(strstr(text, "\\u{9b}x\\xff\\u{0a}"));
	assert_null(strpbrk(text, "\x1b\x07\x9b\xff"));
	free(text);
}

static void a_cell_is_as_wide_as_asked(void **state)
{
	static const char *const texts[] = {"", "short", "\x1b[2J and more than that", "模型模型模型模型", NULL};
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct vw_buffer out;
		vw_buffer_init(&out, 0);
		vw_cli_cell_append(&out, texts[i], 12);
		assert_int_equal(vw_text_columns(vw_buffer_text(&out)), 12);
		assert_null(strchr(vw_buffer_text(&out), 0x1b));
		vw_buffer_reset(&out);
	}
}

static void colours_are_where_they_are_wanted(void **state)
{
	static const char *const rows[][3] = {{"a", "1", "b"}};
	(void)state;
	char *text = printed(0, true, rows, 1);
	assert_non_null(strstr(text, "\033[1mNAME\033[0m"));
	free(text);
	assert_true(vw_cli_colours("always"));
	assert_false(vw_cli_colours("never"));
	struct capture c = capture_begin(80);
	bool in_terminal = vw_cli_colours("auto");
	setenv("NO_COLOR", "1", 1);
	bool unwanted = vw_cli_colours("auto");
	setenv("COLUMNS", "132", 1);
	size_t columns = vw_cli_columns();
	setenv("COLUMNS", "nonsense", 1);
	size_t window = vw_cli_columns();
	capture_end(&c);
	free(c.text);
	assert_true(in_terminal);
	assert_false(unwanted);
	assert_int_equal(columns, 132);
	assert_int_equal(window, 80);
	c = capture_begin(0);
	in_terminal = vw_cli_colours("auto");
	columns = vw_cli_columns();
	capture_end(&c);
	free(c.text);
	assert_false(in_terminal);
	assert_int_equal(columns, 0);
}

static void an_empty_table_has_its_headings(void **state)
{
	struct vw_cli_table table;
	(void)state;
	char *text = printed(0, false, NULL, 0);
	assert_string_equal(text, "NAME  N  WHAT\n");
	free(text);
	struct capture c = capture_begin(0);
	vw_cli_table_begin(&table, headings, 3, 0, false);
	assert_true(vw_cli_table_add(&table, (const char *const[]){"a", "b", "c"}, NULL));
	vw_cli_table_drop(&table); /* a failure in between */
	vw_cli_table_begin(&table, NULL, 3, 0, false);
	vw_cli_table_end(&table);
	capture_end(&c);
	assert_string_equal(c.text, "");
	free(c.text);
}

static void tones_say_how_bad_it_is(void **state)
{
	(void)state;
	assert_int_equal(vw_cli_tone_of_status("compliant"), VW_CLI_GOOD);
	assert_int_equal(vw_cli_tone_of_status("gaps"), VW_CLI_BAD);
	assert_int_equal(vw_cli_tone_of_status("unknown"), VW_CLI_WARN);
	assert_int_equal(vw_cli_tone_of_status("not_applicable"), VW_CLI_QUIET);
	assert_int_equal(vw_cli_tone_of_stage("Production"), VW_CLI_GOOD);
	assert_int_equal(vw_cli_tone_of_stage(NULL), VW_CLI_QUIET);
	assert_int_equal(vw_cli_tone_of_severity("critical"), VW_CLI_BAD);
	assert_int_equal(vw_cli_tone_of_severity("low"), VW_CLI_PLAIN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, no_environment)
	const struct CMUnitTest tests[] = {
	    TEST(cells_line_up),
	    TEST(columns_are_counted_not_bytes),
	    TEST(a_window_cuts_the_widest_flexible_cells),
	    TEST(a_long_table_is_printed_on_the_way),
	    TEST(no_cell_steers_the_terminal),
	    TEST(a_cell_is_as_wide_as_asked),
	    TEST(colours_are_where_they_are_wanted),
	    TEST(an_empty_table_has_its_headings),
	    TEST(tones_say_how_bad_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
