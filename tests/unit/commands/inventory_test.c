/* inventory_test.c: what is stored, as CSV that a spreadsheet reads, and as gaps in order. */
#include "command.h"
#include "gaps.h"

#include "../cli/capture.h"
#include "fixture.h"

static const struct vw_cli_command *command_named(const char *name)
{
	const struct vw_cli_command *c = agent_program.commands;
	while (strcmp(c->name, name) != 0)
		c++;
	return c;
}

/* Runs a command on the fixture's state with one option set. */
static char *output_of(const char *name, const char *option, const char *value)
{
	struct vw_cli_invocation in = {.program = &agent_program, .command = command_named(name)};
	const struct vw_cli_option *globals = agent_program.globals;
	for (int i = 0; globals[i].name; i++)
		if (strcmp(globals[i].name, "state") == 0)
			in.globals[i] = fixture_folder;
	const struct vw_cli_option *options = in.command->options;
	for (int i = 0; options[i].name; i++) {
		in.values[i] = options[i].choices ? options[i].choices[0] : NULL;
		if (strcmp(options[i].name, option) == 0)
			in.values[i] = value;
	}
	fixture_release();
	struct capture c = capture_begin(0);
	int code = in.command->run(&in);
	capture_end(&c);
	assert_int_equal(code, EXIT_OK);
	return c.text;
}

/* RFC 4180; and no cell is a formula, nor steers the terminal that shows it. */
static void csv_is_quoted(void **state)
{
	(void)state;
	fixture_put(
	    &(struct fixture_version){.model = "a \"quoted\", name", .number = "1", .owner = "=cmd|'/c calc'!A1"}, 1);
	fixture_put(&(struct fixture_version){.model = "b\nline", .number = "2", .owner = "@team"}, 1);
	fixture_put(&(struct fixture_version){.model = "c\x1b[31m", .number = "3", .owner = "-1+1"}, 1);
	fixture_put(&(struct fixture_version){.model = "d模型", .number = "4", .stage = "Production"}, 1);
	char *text = output_of("inventory", "format", "csv");
	assert_string_equal(
	    text, "\"model_name\",\"version_number\",\"lifecycle_stage\",\"compliance_status\",\"open_gaps\","
		  "\"unknown_findings\",\"risk_category\",\"owner\",\"last_updated\",\"workspace\"\r\n"
		  "\"a \"\"quoted\"\", name\",\"1\",\"\",\"compliant\",\"0\",\"0\",\"\",\"'=cmd|'/c "
		  "calc'!A1\",\"\",\"\"\r\n"
		  "\"b\nline\",\"2\",\"\",\"compliant\",\"0\",\"0\",\"\",\"'@team\",\"\",\"\"\r\n"
		  "\"c\\u{1b}[31m\",\"3\",\"\",\"compliant\",\"0\",\"0\",\"\",\"'-1+1\",\"\",\"\"\r\n"
		  "\"d模型\",\"4\",\"Production\",\"compliant\",\"0\",\"0\",\"\",\"\",\"\",\"\"\r\n");
	free(text);
}

#define GAP(rule, severity)                                                                                          \
	{                                                                                                            \
		rule, "missing", severity, VW_FINDING_GAP                                                            \
	}

static int put_gaps(void **state)
{
	if (fixture_open(state) < 0)
		return -1;
	fixture_put(&(struct fixture_version){.model = "m",
					      .number = "2",
					      .findings = {GAP("b", VW_SEVERITY_LOW), GAP("a", VW_SEVERITY_HIGH)}},
		    1);
	fixture_put(
	    &(struct fixture_version){.model = "m",
				      .number = "10",
				      .findings = {GAP("a", VW_SEVERITY_HIGH),
						   {"u", "not seen", VW_SEVERITY_CRITICAL, VW_FINDING_UNKNOWN}}},
	    1);
	fixture_put(&(struct fixture_version){.workspace = "w",
					      .model = "m",
					      .number = "2",
					      .stage = "Staging",
					      .findings = {GAP("a", VW_SEVERITY_HIGH),
							   {"p", "", VW_SEVERITY_HIGH, VW_FINDING_PASS}}},
		    1);
	fixture_put(&(struct fixture_version){.model = "n", .number = "1"}, 1);
	return 0;
}

static int write_gap(const struct gap *gap, const vw_finding *finding, struct vw_arena *arena, void *arg,
		     struct vw_error *err)
{
	char *out = arg;
	(void)arena, (void)err;
	assert_string_equal(finding->rule, gap->rule);
	assert_int_equal(finding->severity, gap->severity);
	snprintf(out + strlen(out), 400 - strlen(out), "%s%s%s %s:%s ",
		 gap->version->workspace ? gap->version->workspace : "", gap->version->workspace ? "/" : "",
		 gap->version->model, gap->version->number, finding->rule);
	return 0;
}

static void expect_gaps(struct gap_filter filter, enum gap_order order, const char *wanted)
{
	struct gap_list list;
	struct vw_error err = VW_ERROR_INIT;
	char text[400] = "";
	assert_int_equal(gaps_collect(fixture_store, &filter, &list, &err), 0);
	gaps_sort(&list, order);
	assert_int_equal(gaps_each(&list, 0, list.count, write_gap, text, &err), 0);
	assert_string_equal(text, wanted);
	gaps_close(&list);
}

static void gaps_are_in_the_order_asked_for(void **state)
{
	(void)state;
	expect_gaps((struct gap_filter){0}, GAPS_BY_SEVERITY, "m 2:a m 10:a w/m 2:a m 2:b ");
	expect_gaps((struct gap_filter){0}, GAPS_BY_RULE, "m 2:a m 10:a w/m 2:a m 2:b ");
	expect_gaps((struct gap_filter){0}, GAPS_BY_MODEL, "m 2:b m 2:a m 10:a w/m 2:a ");
	expect_gaps((struct gap_filter){.unknown = true}, GAPS_BY_SEVERITY, "m 10:u m 2:a m 10:a w/m 2:a m 2:b ");
	expect_gaps((struct gap_filter){.rule = "b*"}, GAPS_BY_MODEL, "m 2:b ");
	expect_gaps((struct gap_filter){.model = "n"}, GAPS_BY_MODEL, "");
}

static void gaps_are_counted_by_version(void **state)
{
	struct gap_list list;
	struct vw_error err = VW_ERROR_INIT;
	struct gap_filter all = {0}, one = {.rule = "b"};
	(void)state;
	assert_int_equal(gaps_collect(fixture_store, &all, &list, &err), 0);
	assert_int_equal(list.versions, 4);
	assert_int_equal(list.with_gaps, 3);
	assert_int_equal(list.unknown, 1);
	gaps_close(&list);
	assert_int_equal(gaps_collect(fixture_store, &one, &list, &err), 0);
	assert_int_equal(list.with_gaps, 1);
	assert_int_equal(list.unknown, 0);
	gaps_close(&list);
}

static void gaps_stand_under_their_rule(void **state)
{
	(void)state;
	char *text = output_of("gaps", "by", "rule");
	assert_string_equal(
	    text, "high     a: Title of a (3)\n"
		  "         \n"
		  "  m 2    -        gap  missing\n"
		  "  m 10   -        gap  missing\n"
		  "  w/m 2  Staging  gap  missing\n"
		  "\n"
		  "low      b: Title of b (1)\n"
		  "         \n"
		  "  m 2  -  gap  missing\n"
		  "\n"
		  "3 of 4 versions have gaps: 0 critical, 3 high, 0 medium, 1 low, 0 info; 1 findings could not "
		  "be judged (--unknown shows them)\n");
	free(text);
}

/* XML 1.0 can hold neither most control characters nor two noncharacters. */
static void junit_is_xml(void **state)
{
	(void)state;
	fixture_put(&(struct fixture_version){.model = "<a>&\"\x01\xef\xbf\xbf",
					      .number = "1",
					      .findings = {{"r", "x < y\n", VW_SEVERITY_LOW, VW_FINDING_GAP},
							   {"u", "?", VW_SEVERITY_LOW, VW_FINDING_UNKNOWN}}},
		    1);
	char *text = output_of("gaps", "format", "junit");
	assert_non_null(strstr(text, "tests=\"1\" failures=\"1\" skipped=\"0\""));
	assert_non_null(strstr(text, "<testcase classname=\"&lt;a&gt;&amp;&quot;\\u{01}?.1\" name=\"r\">"
				     "<failure type=\"low\" message=\"x &lt; y\\u{0a}\"/></testcase>"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(csv_is_quoted, fixture_open, fixture_close),
	    cmocka_unit_test_setup_teardown(gaps_are_in_the_order_asked_for, put_gaps, fixture_close),
	    cmocka_unit_test_setup_teardown(gaps_are_counted_by_version, put_gaps, fixture_close),
	    cmocka_unit_test_setup_teardown(gaps_stand_under_their_rule, put_gaps, fixture_close),
	    cmocka_unit_test_setup_teardown(junit_is_xml, fixture_open, fixture_close),
	};
	setenv("HOME", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
