/* What differs between two messages. */
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct pair {
	struct vw_arena *arena;
	vw_record *a;
	vw_record *b;
};

static int set_up(void **state)
{
	static struct pair pair;
	pair.arena = vw_arena_open(0);
	pair.a = sample_record(pair.arena);
	pair.b = sample_record(pair.arena);
	*state = &pair;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *pair = *state;
	vw_arena_close(pair->arena);
	return 0;
}

/* `expected` are the names, each followed by a space; both directions must agree. */
static void check(const struct pair *pair, const char *const *ignore, const char *expected)
{
	for (int i = 0; i < 2; i++) {
		char joined[1024] = "";
		char **names = NULL;
		size_t count = 99;
		const ProtobufCMessage *a = i ? &pair->b->base : &pair->a->base;
		const ProtobufCMessage *b = i ? &pair->a->base : &pair->b->base;
		assert_int_equal(vw_message_diff(pair->arena, a, b, ignore, &names, &count), 0);
		for (size_t n = 0; n < count; n++) {
			strcat(joined, names[n]);
			strcat(joined, " ");
		}
		assert_string_equal(joined, expected);
	}
}

static void test_equal(void **state)
{
	check(*state, NULL, ""); /* a NaN equals itself */
}

static void test_sections(void **state)
{
	struct pair *pair = *state;

	pair->b->lifecycle->lifecycle_stage = (char *)"Archived";
	pair->b->lifecycle->source_run_id = (char *)"";
	pair->b->lifecycle->tags[1]->value = (char *)"other";
	pair->b->training->metrics[1]->value = 0.1;
	pair->b->workspace = (char *)"w";
	check(pair, NULL,
	      "workspace lifecycle.lifecycle_stage lifecycle.tags lifecycle.source_run_id training.metrics ");
}

static void test_counts_and_flags(void **state)
{
	struct pair *pair = *state;

	pair->b->lifecycle->n_aliases = 1;
	pair->b->lifecycle->has_created_at = 0;
	check(pair, NULL, "lifecycle.aliases lifecycle.created_at ");
}

static void test_missing_section(void **state)
{
	struct pair *pair = *state;

	pair->b->training = NULL;
	pair->b->risk = vw_message_new(pair->arena, &verifywise__v1__risk__descriptor);
	check(pair, NULL, "training risk ");
}

static void test_ignore(void **state)
{
	static const char *const ignore[] = {"lifecycle.last_updated_at", "artifacts", NULL};
	struct pair *pair = *state;

	VW_SET(pair->b->lifecycle, last_updated_at, SAMPLE_TIME + 1);
	pair->b->artifacts = vw_message_new(pair->arena, &verifywise__v1__artifacts__descriptor);
	check(pair, ignore, "");
	pair->b->lifecycle->created_at++;
	check(pair, ignore, "lifecycle.created_at ");
	check(pair, NULL, "lifecycle.created_at lifecycle.last_updated_at artifacts ");
}

static void test_repeated_messages(void **state)
{
	struct pair *pair = *state;
	vw_warning *warning = vw_message_new(pair->arena, &verifywise__v1__warning__descriptor);

	pair->b->warnings = &warning;
	pair->b->n_warnings = 1;
	check(pair, NULL, "warnings ");
}

/* More names than the list first has room for. */
static void test_many_names(void **state)
{
	struct pair *pair = *state;
	vw_lifecycle *l = pair->b->lifecycle;
	char **names = NULL;
	size_t count = 0;

	l->version_number = l->lifecycle_stage = l->mlflow_stage = l->deployment_status = l->version_status =
	    l->version_description = l->source_run_id = l->source_artifact_uri = (char *)"x";
	l->n_aliases = l->n_tags = 0;
	pair->b->model_name = pair->b->version_number = pair->b->workspace = (char *)"x";
	pair->b->training = NULL;
	pair->b->risk = vw_message_new(pair->arena, &verifywise__v1__risk__descriptor);
	pair->b->identity = vw_message_new(pair->arena, &verifywise__v1__identity__descriptor);
	pair->b->lineage = vw_message_new(pair->arena, &verifywise__v1__lineage__descriptor);
	assert_int_equal(vw_message_diff(pair->arena, &pair->a->base, &pair->b->base, NULL, &names, &count), 0);
	assert_int_equal(count, 17);
	assert_string_equal(names[0], "model_name");
	assert_string_equal(names[16], "risk");
}

static void test_no_memory(void **state)
{
	struct pair *pair = *state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *small = vw_arena_open(8);
	char **names = (char **)0x1;
	size_t count = 99;

	pair->b->workspace = (char *)"w";
	assert_int_equal(vw_message_diff(small, &pair->a->base, &pair->b->base, NULL, &names, &count), VW_ENOMEM);
	assert_ptr_equal(names, (char **)0x1);
	assert_int_equal(count, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_equal, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_sections, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_counts_and_flags, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_missing_section, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_ignore, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_repeated_messages, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_many_names, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
