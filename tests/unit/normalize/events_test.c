/* Deployment events (S10.5). */
#include "support.h"

#include <string.h>

static void run_case(const json_t *members)
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	vw_deployment_event **events = NULL;
	size_t count = 0;
	const json_t *before = json_object_get(members, "before");
	const vw_record *from = json_is_null(before) ? NULL : record_of(arena, before);
	const vw_record *to = record_of(arena, json_object_get(members, "after"));
	assert_int_equal(vw_deployment_events(arena, from, to, &events, &count, &err), 0);
	json_t *given = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(given, json_of_message(&events[i]->base));
	assert_holds(json_string_value(json_object_get(members, "name")), json_object_get(members, "events"), given);
	json_decref(given);
	vw_arena_close(arena);
}

static void table_of_changes(void **state)
{
	(void)state;
	json_t *cases = load_json("events.json");
	json_t *members;
	size_t i;
	assert_true(json_array_size(cases) > 0);
	json_array_foreach(cases, i, members) run_case(members);
	json_decref(cases);
}

/* Records come back from the database, where anything may stand. */
static void records_with_holes(void **state)
{
	(void)state;
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	vw_record empty = VERIFYWISE__V1__RECORD__INIT;
	vw_record odd = VERIFYWISE__V1__RECORD__INIT;
	vw_provenance itself = VERIFYWISE__V1__PROVENANCE__INIT, nothing = VERIFYWISE__V1__PROVENANCE__INIT;
	vw_provenance *list[] = {&nothing, &itself};
	vw_lifecycle lifecycle = VERIFYWISE__V1__LIFECYCLE__INIT;
	vw_deployment_event **events = NULL;
	size_t count = 0;
	itself.field = itself.from = (char *)"lifecycle.lifecycle_stage";
	lifecycle.lifecycle_stage = (char *)"Production";
	odd.provenance = list;
	odd.n_provenance = 2;
	odd.lifecycle = &lifecycle;
	assert_int_equal(vw_deployment_events(arena, &empty, &empty, &events, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(vw_deployment_events(arena, &empty, &odd, &events, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(events[0]->source, "stage");
	assert_int_equal(vw_deployment_events(arena, NULL, &empty, &events, &count, &err), 0);
	assert_string_equal(events[0]->field, "first_seen");
	vw_arena_close(arena);
}

static void no_memory_is_an_error(void **state)
{
	(void)state;
	struct vw_arena *arena = vw_arena_open(64);
	struct vw_error err = VW_ERROR_INIT;
	vw_record empty = VERIFYWISE__V1__RECORD__INIT;
	vw_deployment_event **events = NULL;
	size_t count = 0;
	while (vw_arena_alloc(arena, 8))
		;
	assert_int_equal(vw_deployment_events(arena, NULL, &empty, &events, &count, &err), VW_ENOMEM);
	assert_null(events);
	vw_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_of_changes),
	    cmocka_unit_test(records_with_holes),
	    cmocka_unit_test(no_memory_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
