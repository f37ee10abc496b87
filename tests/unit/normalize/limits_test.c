/* Inputs that are too much, or hardly text: a record comes out of it, or an error with a name. */
#include "support.h"

#include "base/limits.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

struct fixture {
	struct vw_arena *arena;
	struct vw_mapping *mapping;
	vw_registered_model model;
	vw_model_version version;
	vw_run run;
	vw_logged_model logged;
	struct vw_normalize_input in;
};

static int setup(void **state)
{
	static struct fixture f;
	f = (struct fixture){.arena = vw_arena_open(0),
			     .model = VERIFYWISE__V1__REGISTERED_MODEL__INIT,
			     .version = VERIFYWISE__V1__MODEL_VERSION__INIT,
			     .run = VERIFYWISE__V1__RUN__INIT,
			     .logged = VERIFYWISE__V1__LOGGED_MODEL__INIT};
	f.mapping = vw_mapping_open(f.arena);
	f.version.name = (char *)"churn";
	f.version.version = (char *)"3";
	f.version.run_id = (char *)"r";
	f.in = (struct vw_normalize_input){.version = &f.version};
	*state = &f;
	return f.mapping ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	vw_arena_close(f->arena);
	return 0;
}

static vw_key_value *entry(struct vw_arena *arena, const char *key, const char *value)
{
	vw_key_value *e = vw_message_new(arena, &verifywise__v1__key_value__descriptor);
	e->key = vw_arena_strdup(arena, key);
	e->value = (char *)value;
	return e;
}

/* `count` entries k0, k1, … with one value. */
static vw_key_value **entries(struct vw_arena *arena, size_t count, const char *value)
{
	vw_key_value **list = vw_arena_array(arena, count, sizeof(*list));
	for (size_t i = 0; i < count; i++)
		list[i] = entry(arena, vw_arena_printf(arena, "k%zu", i), value);
	return list;
}

static char *filled(struct vw_arena *arena, size_t len, char c)
{
	char *text = vw_arena_alloc(arena, len + 1);
	memset(text, c, len);
	return text;
}

static void bytes_that_are_not_utf8(void **state)
{
	struct fixture *f = *state;
	vw_key_value *tags[] = {entry(f->arena, "a\xff", "b\xc3"), entry(f->arena, "owner", "\xed\xa0\x80 bob")};
	f->version.tags = tags;
	f->version.n_tags = 2;
	f->version.name = (char *)"chu\xffrn";
	vw_record *record = normalize_or_fail(f->arena, &f->in, f->mapping);
	assert_string_equal(record->model_name, "chu\xEF\xBF\xBDrn");
	assert_string_equal(record->lifecycle->tags[0]->key, "a\xEF\xBF\xBD");
	assert_string_equal(record->lifecycle->tags[0]->value, "b\xEF\xBF\xBD");
	assert_string_equal(record->identity->owner, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD bob");
	assert_true(has_warning(record, "invalid_utf8", "model_name"));
	assert_true(has_warning(record, "invalid_utf8", "lifecycle.tags.a\xEF\xBF\xBD"));
	assert_true(has_warning(record, "invalid_utf8", "identity.owner"));
}

/* Two keys that are one once their bytes were replaced. */
static void keys_that_become_one(void **state)
{
	struct fixture *f = *state;
	vw_key_value *tags[] = {entry(f->arena, "a\xfe", "1"), entry(f->arena, "a\xff", "2")};
	f->version.tags = tags;
	f->version.n_tags = 2;
	vw_record *record = normalize_or_fail(f->arena, &f->in, f->mapping);
	assert_int_equal(record->lifecycle->n_tags, 1);
	assert_true(has_warning(record, "duplicate_key", "lifecycle.tags"));
}

static void every_nan_is_the_same(void **state)
{
	struct fixture *f = *state;
	uint64_t patterns[] = {0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001, 0xffffffffffffffff};
	uint8_t first[32], other[32];
	vw_metric metric = VERIFYWISE__V1__METRIC__INIT;
	vw_metric *list[] = {&metric};
	metric.key = (char *)"loss";
	f->run.metrics = list;
	f->run.n_metrics = 1;
	f->in.run = &f->run;
	for (size_t i = 0; i < 4; i++) {
		double value;
		memcpy(&value, &patterns[i], sizeof(value));
		VW_SET(&metric, value, value);
		vw_record *record = normalize_or_fail(f->arena, &f->in, f->mapping);
		assert_true(isnan(record->training->metrics[0]->value));
		assert_int_equal(vw_message_sha256(&record->base, i ? other : first), 0);
		assert_true(i == 0 || memcmp(first, other, sizeof(first)) == 0);
	}
	/* what was read is not touched */
	assert_memory_equal(&metric.value, &patterns[3], sizeof(metric.value));
}

static vw_metric **metrics(struct vw_arena *arena, const char *prefix, size_t count)
{
	vw_metric **list = vw_arena_array(arena, count, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		list[i] = vw_message_new(arena, &verifywise__v1__metric__descriptor);
		list[i]->key = vw_arena_printf(arena, "%s%zu", prefix, i);
		VW_SET(list[i], value, 1.0);
	}
	return list;
}

static void more_metrics_than_a_record_holds(void **state)
{
	struct fixture *f = *state;
	f->run.metrics = metrics(f->arena, "r", VW_MAX_ENTRIES);
	f->run.n_metrics = VW_MAX_ENTRIES;
	f->logged.metrics = metrics(f->arena, "l", 5);
	f->logged.n_metrics = 5;
	f->in.run = &f->run;
	f->in.logged_model = &f->logged;
	vw_record *record = normalize_or_fail(f->arena, &f->in, f->mapping);
	assert_int_equal(record->training->n_metrics, VW_MAX_ENTRIES);
	assert_string_equal(record->completeness->state, "partial");
	assert_string_equal(record->completeness->reasons[0]->code, VW_REASON_VALUE_TOO_LARGE);
}

static void more_warnings_than_a_person_reads(void **state)
{
	struct fixture *f = *state;
	f->version.tags = entries(f->arena, 2000, "\x01");
	f->version.n_tags = 2000;
	vw_record *record = normalize_or_fail(f->arena, &f->in, f->mapping);
	assert_int_equal(record->n_warnings, 501);
	assert_true(has_warning(record, "warnings_left_out", "warnings"));
	assert_string_equal(record->warnings[500]->text, "1500 more warnings are left out");
}

static void a_list_of_commas(void **state)
{
	struct fixture *f = *state;
	char *value = vw_arena_alloc(f->arena, VW_MAX_VALUE + 1);
	for (size_t i = 0; i < VW_MAX_VALUE; i++)
		value[i] = i % 2 ? ',' : (char)('a' + i / 2 % 26);
	vw_key_value *tags[] = {entry(f->arena, "regulation", value)};
	f->version.tags = tags;
	f->version.n_tags = 1;
	vw_record *record = normalize_or_fail(f->arena, &f->in, f->mapping);
	assert_int_equal(record->risk->n_regulatory_scope, 26);
}

/* S12.1: too large with its run is an error with a name; without its run there is always a record. */
static void too_large_a_record(void **state)
{
	struct fixture *f = *state;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_reason_text reason = {VW_REASON_VALUE_TOO_LARGE, "more than 16 MiB"};
	const char *value = filled(f->arena, VW_MAX_VALUE, 'x');
	vw_record *record = NULL;
	f->run.params = entries(f->arena, 200, value);
	f->run.n_params = 200;
	f->in.run = &f->run;
	assert_int_equal(vw_normalize(f->arena, &f->in, f->mapping, &record, &err), VW_ELIMIT);
	assert_non_null(strstr(err.message, "VW_MAX_RECORD"));
	assert_non_null(strstr(err.message, "churn"));
	assert_null(record);
	f->in.run = NULL;
	f->in.reasons = &reason;
	f->in.reason_count = 1;
	assert_null(normalize_or_fail(f->arena, &f->in, f->mapping)->training);
	f->model.tags = f->version.tags = f->run.params;
	f->model.n_tags = f->version.n_tags = 200;
	f->in.model = &f->model;
	record = normalize_or_fail(f->arena, &f->in, f->mapping);
	assert_int_equal(record->identity->n_tags + record->lifecycle->n_tags, 0);
	assert_true(has_warning(record, "section_left_out", "identity.tags"));
	assert_true(has_warning(record, "section_left_out", "lifecycle.tags"));
	assert_true(protobuf_c_message_get_packed_size(&record->base) < VW_MAX_RECORD);
}

static void aliases_too_large(void **state)
{
	struct fixture *f = *state;
	struct vw_reason_text reason = {VW_REASON_VALUE_TOO_LARGE, ""};
	vw_alias **aliases = vw_arena_array(f->arena, 200, sizeof(*aliases));
	for (size_t i = 0; i < 200; i++) {
		aliases[i] = vw_message_new(f->arena, &verifywise__v1__alias__descriptor);
		aliases[i]->alias = filled(f->arena, VW_MAX_VALUE, 'x');
		aliases[i]->version = (char *)"3";
	}
	f->model.aliases = aliases;
	f->model.n_aliases = 200;
	f->in.model = &f->model;
	f->in.reasons = &reason;
	f->in.reason_count = 1;
	vw_record *record = normalize_or_fail(f->arena, &f->in, f->mapping);
	assert_int_equal(record->identity->n_aliases + record->lifecycle->n_aliases, 0);
	assert_true(has_warning(record, "section_left_out", "identity.aliases"));
}

/* Wherever memory ends, that is what is said, and nothing else happens. */
static void memory_that_ends_anywhere(void **state)
{
	struct fixture *f = *state;
	json_t *cases = load_json("completeness.json");
	size_t failed = 0, made = 0, i;
	json_t *members;
	json_array_foreach(cases, i, members)
	{
		struct vw_normalize_input *in = input_of(f->arena, members);
		const json_t *previous = json_object_get(members, "previous");
		in->previous = previous ? record_of(f->arena, previous) : NULL;
		for (size_t cap = 64; cap < 8 * 1024; cap += 64) {
			struct vw_arena *small = vw_arena_open(cap);
			struct vw_error err = VW_ERROR_INIT;
			vw_record *record = NULL;
			int code = vw_normalize(small, in, f->mapping, &record, &err);
			assert_true(code == 0 ? record != NULL : code == VW_ENOMEM && !record);
			failed += code != 0;
			made += code == 0;
			vw_arena_close(small);
		}
	}
	json_decref(cases);
	assert_true(failed > 100 && made > 100);
}

/* What the input says stays as it was: others read it too. */
static void the_input_is_not_touched(void **state)
{
	struct fixture *f = *state;
	uint8_t before[32], after[32];
	json_t *tags = json_pack("{s:{s:s,s:s}, s:{s:s}, s:s}", "params", "b", "\x01", "a", " x ", "tags", "eval",
				 "\x02", "status", " FINISHED");
	f->in.run = message_of(f->arena, &verifywise__v1__run__descriptor, tags);
	assert_int_equal(vw_message_sha256(&f->in.run->base, before), 0);
	normalize_or_fail(f->arena, &f->in, f->mapping);
	assert_int_equal(vw_message_sha256(&f->in.run->base, after), 0);
	assert_memory_equal(before, after, sizeof(before));
	json_decref(tags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(bytes_that_are_not_utf8, setup, teardown),
	    cmocka_unit_test_setup_teardown(keys_that_become_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(every_nan_is_the_same, setup, teardown),
	    cmocka_unit_test_setup_teardown(more_metrics_than_a_record_holds, setup, teardown),
	    cmocka_unit_test_setup_teardown(more_warnings_than_a_person_reads, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_list_of_commas, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_large_a_record, setup, teardown),
	    cmocka_unit_test_setup_teardown(aliases_too_large, setup, teardown),
	    cmocka_unit_test_setup_teardown(memory_that_ends_anywhere, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_input_is_not_touched, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
