/* ask.h: what is printed of answers: tables, JSON, all pages, and nothing that a terminal obeys (S4.4). */
#include "ask.h"

#include "desk.h"
#include "stand_in.h"

static int forget(void **state)
{
	(void)state;
	forget_answers();
	desk_columns = 0;
	return 0;
}

static void test_all_pages(void **state)
{
	(void)state;
	will_answer("{'items': [{'id': 1, 'name': 'a', 'disabled': false}, {'id': 2, 'name': 'b', 'disabled': "
		    "true}], 'next': 'c/1'}");
	will_answer("{'items': [{'id': 3, 'name': 'c', 'disabled': false}], 'next': 'c/2'}");
	will_answer("{'items': [], 'next': null}");
	assert_exit(0, "org", "list");
	assert_string_equal(
	    told.out,
	    "ID  NAME  DISABLED  CREATED\n1   a     no        -\n2   b     yes       -\n3   c     no        -\n");
	assert_int_equal(asked_count, 3);
	assert_string_equal(asked[0], "GET /api/v1/organizations ");
	assert_string_equal(asked[1], "GET /api/v1/organizations?cursor=c/1 ");
	assert_string_equal(asked[2], "GET /api/v1/organizations?cursor=c/2 ");
}

static void test_json_is_one_object_of_all_pages(void **state)
{
	json_t *all;
	(void)state;
	will_answer("{'items': [{'id': 1}, {'id': 2}], 'next': 'x'}");
	will_answer("{'items': [{'id': 3, 'name': '\\u001b[31m'}], 'next': null}");
	assert_exit(0, "org", "list", "--format", "json");
	all = json_loads(told.out, 0, NULL);
	assert_non_null(all);
	assert_int_equal(json_array_size(json_object_get(all, "items")), 3);
	assert_true(json_is_null(json_object_get(all, "next")));
	json_decref(all);
	assert_null(strchr(told.out, '\x1b'));
	forget_answers();
	will_answer("{'items': [], 'next': null}");
	assert_exit(0, "org", "list", "--format", "json");
	all = json_loads(told.out, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(all, "items")), 0);
	json_decref(all);
	assert_exit(0, "org", "list", "--format", "ndjson");
	assert_string_equal(told.out, "");
}

static void test_ndjson_is_a_line_for_each(void **state)
{
	(void)state;
	will_answer("{'items': [{'id': 1}, {'id': 2}], 'next': 'x'}");
	will_answer("{'items': [{'id': 3}], 'next': null}");
	assert_exit(0, "agents", "list", "--format", "ndjson", "--organization", "7", "--text", "edge", "--status",
		    "active");
	assert_string_equal(told.out, "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
	assert_string_equal(asked[1], "GET /api/v1/agents?organization=7&text=edge&status=active&cursor=x ");
}

/* Cut off in the middle it is not the whole, and says so. */
static void test_a_page_that_fails(void **state)
{
	static const char *const formats[] = {"table", "json", "ndjson"};
	(void)state;
	for (int i = 0; i < 3; i++) {
		forget_answers();
		will_answer("{'items': [{'id': 1}], 'next': 'x'}");
		will_fail(VW_EAGAIN, "the database is away");
		assert_exit(EXIT_STORE, "org", "list", "--format", formats[i]);
		assert_says(told.err, "the database is away");
		assert_says(told.out, "1");
		assert_null(strstr(told.out, "next"));
	}
}

static void test_errors(void **state)
{
	(void)state;
	will_fail(VW_ENOTFOUND, "no such agent \x1b[2J\n");
	assert_exit(EXIT_REFUSED, "agents", "show", "x");
	assert_says(told.err, "vw-controller: no such agent");
	assert_null(strchr(told.err, '\x1b'));
	assert_string_equal(told.out, "");
}

/* A host's name, an agent's word: whatever comes from afar. */
static void test_nothing_that_a_terminal_obeys(void **state)
{
	static const char hostile[] =
	    "{'items': [{'agent_id': 'a\\u001b[31mb', 'hostname': 'h\\u001b]0;title\\u0007', 'status': 'active', "
	    "'presence': {'connected': true, 'source_uri': 'x\\ny\\u009b1m', 'agent_version': '\\u202e'}}], 'next': "
	    "null}";
	static const char object[] = "{'hostname': 'h\\u001b[31m', 'a\\u001bb': 'x', 'presence': {'text': "
				     "'two\\nlines', 'list': ['\\u0007', 2, {'in': true}]}, 'none': null}";
	(void)state;
	for (int width = 0; width < 2; width++) {
		desk_columns = width ? 200 : 0;
		setenv("NO_COLOR", "1", 1);
		will_answer(hostile);
		assert_exit(0, "agents", "list");
		assert_null(strpbrk(told.out, "\x1b\x07"));
		assert_null(strstr(told.out, "\xc2\x9b"));
		assert_null(strstr(told.out, "\xe2\x80\xae"));
		assert_int_equal(told.out[strlen(told.out) - 1], '\n');
		assert_ptr_equal(strchr(strchr(told.out, '\n') + 1, '\n'), told.out + strlen(told.out) - 1);
		forget_answers();
		will_answer(object);
		assert_exit(0, "agents", "show", "x");
		assert_null(strpbrk(told.out, "\x1b\x07"));
		forget_answers();
	}
	unsetenv("NO_COLOR");
}

static void test_an_object(void **state)
{
	(void)state;
	will_answer("{'agent_id': 'a', 'sequence': 7, 'share': 0.5, 'disabled': false, 'none': null, 'empty': '', "
		    "'presence': {'connected': true, 'health': {'conditions': [{'name': 'store', 'ok': false}]}}, "
		    "'refuses': ['sync', 'pause']}");
	assert_exit(0, "agents", "show", "a", "--organization", "3");
	assert_string_equal(told.out, "agent_id                   a\n"
				      "sequence                   7\n"
				      "share                      0.5\n"
				      "disabled                   no\n"
				      "empty                      \n"
				      "presence.connected         yes\n"
				      "presence.health.conditions.0.name store\n"
				      "presence.health.conditions.0.ok no\n"
				      "refuses.0                  sync\n"
				      "refuses.1                  pause\n");
	assert_string_equal(asked[0], "GET /api/v1/agents/a?organization=3 ");
	assert_exit(0, "agents", "show", "a", "--format", "json");
	json_t *back = json_loads(told.out, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(back, "sequence")), 7);
	json_decref(back);
}

static void test_colours_of_status(void **state)
{
	(void)state;
	desk_columns = 100;
	will_answer("{'items': [{'agent_id': 'a', 'status': 'active'}, {'agent_id': 'b', 'status': 'revoked'}], "
		    "'next': null}");
	assert_exit(0, "agents", "list");
	assert_says(told.out, "\033[32mactive");
	assert_says(told.out, "\033[31mrevoked");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, forget)
	const struct CMUnitTest tests[] = {
	    TEST(test_all_pages),
	    TEST(test_json_is_one_object_of_all_pages),
	    TEST(test_ndjson_is_a_line_for_each),
	    TEST(test_a_page_that_fails),
	    TEST(test_errors),
	    TEST(test_nothing_that_a_terminal_obeys),
	    TEST(test_an_object),
	    TEST(test_colours_of_status),
	};
	return cmocka_run_group_tests(tests, desk_open, desk_close);
}
