/* The tables of data/: MLflow's entities and the record that they must become (S3.2, S7, S12.1). */
#include "support.h"

#include <stdlib.h>
#include <string.h>

static void reverse(void *list, size_t count)
{
	void **items = list;
	for (size_t i = 0; i < count / 2; i++) {
		void *item = items[i];
		items[i] = items[count - 1 - i];
		items[count - 1 - i] = item;
	}
}

/* A server may list in any order. */
static void reverse_input(struct vw_normalize_input *in)
{
	vw_model_version *v = (vw_model_version *)in->version;
	vw_registered_model *m = (vw_registered_model *)in->model;
	vw_run *r = (vw_run *)in->run;
	vw_logged_model *l = (vw_logged_model *)in->logged_model;
	reverse(v->tags, v->n_tags);
	if (m) {
		reverse(m->tags, m->n_tags);
		reverse(m->aliases, m->n_aliases);
	}
	if (r) {
		reverse(r->tags, r->n_tags);
		reverse(r->params, r->n_params);
		reverse(r->metrics, r->n_metrics);
		reverse(r->dataset_inputs, r->n_dataset_inputs);
	}
	if (l)
		reverse(l->metrics, l->n_metrics);
}

/* What must hold of every record, whatever was in it. */
static void check_always(struct vw_arena *arena, const json_t *members, const vw_record *record)
{
	struct vw_error err = VW_ERROR_INIT;
	size_t len = 0;
	void *again = NULL;
	uint8_t *bytes = vw_message_pack(arena, &record->base, &len);
	assert_int_equal(vw_message_unpack(arena, record->base.descriptor, bytes, len, "record", &again, &err), 0);
	assert_true(same_message(&record->base, again));
	if (json_is_true(json_object_get(members, "in_order")) || json_object_get(members, "previous") ||
	    json_object_get(members, "add_tags"))
		return;
	struct vw_normalize_input *in = input_of(arena, members);
	reverse_input(in);
	assert_true(same_message(&record->base, &normalize_or_fail(arena, in, vw_mapping_open(arena))->base));
}

static void run_case(const char *file, const json_t *members)
{
	char what[512];
	struct vw_arena *arena = vw_arena_open(0);
	vw_record *record = record_of(arena, members);
	json_t *given = json_of_record(record);
	snprintf(what, sizeof(what), "%s: %s: ", file, json_string_value(json_object_get(members, "name")));
	print_message("    %s\n", what);
	assert_non_null(json_object_get(members, "record"));
	assert_holds(what, json_object_get(members, "record"), given);
	check_always(arena, members, record);
	json_decref(given);
	vw_arena_close(arena);
}

static void run_table(void **state)
{
	const char *file = *state;
	json_t *cases = load_json(file);
	json_t *members;
	size_t i;
	assert_true(json_array_size(cases) > 0);
	json_array_foreach(cases, i, members) run_case(file, members);
	json_decref(cases);
}

#define TABLE(name)                                                                                                  \
	{                                                                                                            \
		"normalize_" name, run_table, NULL, NULL, (char *)name ".json"                                       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {TABLE("identity"), TABLE("lifecycle"), TABLE("training"),
					   TABLE("lineage"),  TABLE("risk"),      TABLE("completeness"),
					   TABLE("text")};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
