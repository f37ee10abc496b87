/* What is masked, and what must not be (S11.1, S11.4). */
#include "support.h"

#include <string.h>
#include <time.h>

static struct vw_masker *open_masker(const char *const *patterns)
{
	struct vw_masker *masker = NULL;
	struct vw_error err = VW_ERROR_INIT;
	if (vw_masker_open(patterns, &masker, &err) != 0)
		fail_msg("%s", err.message);
	return masker;
}

static vw_key_value entry_of(const char *key, const char *value)
{
	vw_key_value entry = VERIFYWISE__V1__KEY_VALUE__INIT;
	entry.key = (char *)key;
	entry.value = (char *)value;
	return entry;
}

/* One parameter of a run, masked; twice, which must be as once. */
static char *masked_param(struct vw_masker *masker, struct vw_arena *arena, const char *key, const char *value)
{
	vw_key_value entry = entry_of(key, value);
	vw_key_value *list[] = {&entry};
	vw_run run = VERIFYWISE__V1__RUN__INIT;
	run.params = list;
	run.n_params = 1;
	assert_int_equal(vw_mask_run(masker, arena, &run), 0);
	char *once = entry.value;
	assert_int_equal(vw_mask_run(masker, arena, &run), 0);
	assert_string_equal(entry.value, once);
	return once;
}

static char *masked_tag(struct vw_masker *masker, struct vw_arena *arena, const char *key, const char *value)
{
	vw_key_value entry = entry_of(key, value);
	vw_key_value *list[] = {&entry};
	vw_model_version version = VERIFYWISE__V1__MODEL_VERSION__INIT;
	version.tags = list;
	version.n_tags = 1;
	assert_int_equal(vw_mask_version(masker, arena, &version), 0);
	return entry.value;
}

static int run_rows(const json_t *rows,
		    char *(*mask)(struct vw_masker *, struct vw_arena *, const char *, const char *))
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_masker *masker = open_masker(NULL);
	int wrong = 0;
	size_t i;
	json_t *row;
	json_array_foreach(rows, i, row)
	{
		const char *key = json_string_value(json_array_get(row, 0));
		const char *value = json_string_value(json_array_get(row, 1));
		const char *wanted = json_string_value(json_array_get(row, 2));
		const char *given = mask(masker, arena, key, value);
		if (strcmp(given, wanted ? wanted : value) == 0)
			continue;
		print_error("%s = %s\n  wanted: %s\n  given:  %s\n", key, value, wanted ? wanted : value, given);
		wrong++;
	}
	vw_masker_close(masker);
	vw_arena_close(arena);
	return wrong;
}

static void table_of_values(void **state)
{
	(void)state;
	json_t *tables = load_json("mask.json");
	const json_t *params = json_object_get(tables, "params");
	assert_true(json_array_size(params) > 100);
	int wrong = run_rows(params, masked_param) + run_rows(json_object_get(tables, "tags"), masked_tag);
	json_decref(tables);
	assert_int_equal(wrong, 0);
}

static const char secret[] = "AKIAIOSFODNN7EXAMPLE";
static const char mask[] = "***masked:aws_access_key***";

/* Every text of every message, with a secret in it. */
static void every_message(void **state)
{
	(void)state;
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_masker *masker = open_masker(NULL);
	json_t *fields = json_pack("{s:s, s:{s:s}}", "description", secret, "tags", "k", secret);
	vw_registered_model *model = message_of(arena, &verifywise__v1__registered_model__descriptor, fields);
	assert_int_equal(vw_mask_model(masker, arena, model), 0);
	assert_string_equal(model->description, mask);
	assert_string_equal(model->tags[0]->value, mask);
	json_decref(fields);

	fields = json_pack("{s:s, s:s, s:s, s:s}", "description", secret, "status_message", secret, "source",
			   "https://u:p@h/AKIAIOSFODNN7EXAMPLE?sig=x", "user_id", "bob@example.org");
	vw_model_version *version = message_of(arena, &verifywise__v1__model_version__descriptor, fields);
	assert_int_equal(vw_mask_version(masker, arena, version), 0);
	assert_string_equal(version->description, mask);
	assert_string_equal(version->status_message, mask);
	assert_string_equal(version->source, "https://h/***masked:aws_access_key***?sig=***");
	assert_string_equal(version->user_id, "bob@example.org");
	json_decref(fields);

	fields = json_pack("{s:s, s:s, s:{s:s}}", "name", secret, "artifact_location", "s3://u:p@h/x", "tags", "k",
			   secret);
	vw_experiment *experiment = message_of(arena, &verifywise__v1__experiment__descriptor, fields);
	assert_int_equal(vw_mask_experiment(masker, arena, experiment), 0);
	assert_string_equal(experiment->name, mask);
	assert_string_equal(experiment->artifact_location, "s3://h/x");
	assert_string_equal(experiment->tags[0]->value, mask);
	json_decref(fields);
	vw_masker_close(masker);
	vw_arena_close(arena);
}

static void runs_and_logged_models(void **state)
{
	(void)state;
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_masker *masker = open_masker(NULL);
	json_t *fields =
	    json_pack("{s:s, s:{s:s, s:s, s:s, s:s}, s:{s:s}, s:[{s:s, s:f, s:s}], s:[{s:s, s:s, s:{s:s}}], s:s}",
		      "artifact_uri", "s3://u:p@h/x", "tags", "mlflow.source.git.diff", "+x",
		      "mlflow.log-model.history", "[]", "note", "bob@example.org", "MLflow.Source.Git.Diff", "+y",
		      "params", "p", "bob@example.org", "metrics", "key", "acc", "value", 1.0, "dataset",
		      "of bob@example.org", "dataset_inputs", "name", "of bob@example.org", "source", "https://u:p@h",
		      "tags", "by", "bob@example.org", "user_id", "bob@example.org");
	vw_run *run = message_of(arena, &verifywise__v1__run__descriptor, fields);
	assert_int_equal(vw_mask_run(masker, arena, run), 0);
	assert_string_equal(run->artifact_uri, "s3://h/x");
	assert_int_equal(run->n_tags, 1);
	assert_string_equal(run->tags[0]->value, "bob@example.org");
	assert_string_equal(run->params[0]->value, "***masked:email***");
	assert_string_equal(run->metrics[0]->dataset, "of ***masked:email***");
	assert_string_equal(run->dataset_inputs[0]->name, "of ***masked:email***");
	assert_string_equal(run->dataset_inputs[0]->source, "https://***masked:user_info***@h");
	assert_string_equal(run->dataset_inputs[0]->tags[0]->value, "***masked:email***");
	assert_string_equal(run->user_id, "bob@example.org");
	json_decref(fields);

	fields = json_pack("{s:s, s:{s:s}, s:{s:s}, s:[{s:s, s:f, s:s}]}", "artifact_uri", "s3://u:p@h/x", "tags",
			   "token", "x", "params", "p", "bob@example.org", "metrics", "key", "acc", "value", 1.0,
			   "dataset", secret);
	vw_logged_model *logged = message_of(arena, &verifywise__v1__logged_model__descriptor, fields);
	assert_int_equal(vw_mask_logged_model(masker, arena, logged), 0);
	assert_string_equal(logged->artifact_uri, "s3://h/x");
	assert_string_equal(logged->tags[0]->value, "***masked:token***");
	assert_string_equal(logged->params[0]->value, "***masked:email***");
	assert_string_equal(logged->metrics[0]->dataset, mask);
	json_decref(fields);
	vw_masker_close(masker);
	vw_arena_close(arena);
}

/* S11.4: the operator's own patterns, everywhere but in owner and approver fields. */
static void patterns_of_the_operator(void **state)
{
	(void)state;
	const char *const patterns[] = {"\\b[A-Z]{2}\\d{6}\\b", "^a", NULL};
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_masker *masker = open_masker(patterns);
	struct vw_error err = VW_ERROR_INIT;
	assert_string_equal(masked_param(masker, arena, "x", "patient AB123456, AB123457"),
			    "patient ***masked:personal_data***, ***masked:personal_data***");
	assert_string_equal(masked_tag(masker, arena, "x", "AB123456"), "***masked:personal_data***");
	assert_string_equal(masked_tag(masker, arena, "owner", "AB123456"), "AB123456");
	/* "^a" matches again behind each mask, until there is none left */
	assert_string_equal(masked_param(masker, arena, "x", "aab"),
			    "***masked:personal_data******masked:personal_data***b");
	assert_string_equal(masked_tag(masker, arena, "data-steward", "AB123456"), "***masked:personal_data***");
	assert_int_equal(vw_masker_spare(masker, "data_steward", &err), 0);
	assert_string_equal(masked_tag(masker, arena, "data-steward", "AB123456"), "AB123456");
	assert_string_equal(masked_tag(masker, arena, "governance.data-steward", "AB123456"), "AB123456");
	vw_masker_close(masker);
	vw_arena_close(arena);
}

/* A pattern that never comes to an end of it masks the whole, and does not take for ever. */
static void pattern_that_matches_all(void **state)
{
	(void)state;
	const char *const patterns[] = {"^.", NULL};
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_masker *masker = open_masker(patterns);
	assert_string_equal(masked_param(masker, arena, "x", "a long text with many characters"),
			    "***masked:personal_data***");
	vw_masker_close(masker);
	vw_arena_close(arena);
}

static void pattern_that_is_none(void **state)
{
	(void)state;
	const char *const patterns[] = {"good", "(", NULL};
	struct vw_masker *masker = NULL;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_masker_open(patterns, &masker, &err), VW_ECONFIG);
	assert_non_null(strstr(err.message, "pattern 2"));
	assert_null(masker);
	vw_masker_close(NULL);
}

/* Text that makes a careless search look again and again takes no longer than its length allows. */
static void hostile_text_takes_linear_time(void **state)
{
	(void)state;
	static const char *const pieces[] = {"token=",        "eyJ-",       "eyJaaaaaaaa.", "a@",
					     "token: \"\\",   "://",        "-----BEGIN ",  "bearer ",
					     "\"token\": \"", "password: ", "***masked:",   "=  ",
					     "https://a:b:",  "--token ",   "a.a.a@a.a."};
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_masker *masker = open_masker(NULL);
	static char text[128 * 1024];
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t len = strlen(pieces[i]);
		size_t at = 0;
		for (; at + len < sizeof(text); at += len)
			memcpy(text + at, pieces[i], len);
		text[at] = '\0';
		clock_t begin = clock();
		masked_param(masker, arena, "x", text);
		/* quadratic time would be half a minute, without a sanitizer */
		double took = (double)(clock() - begin) / CLOCKS_PER_SEC;
		if (took > 10)
			fail_msg("'%s' repeated takes %.1f s", pieces[i], took);
		vw_arena_reset(arena);
	}
	vw_masker_close(masker);
	vw_arena_close(arena);
}

static void no_memory_is_an_error(void **state)
{
	(void)state;
	struct vw_arena *arena = vw_arena_open(64);
	struct vw_masker *masker = open_masker(NULL);
	while (vw_arena_alloc(arena, 8))
		;
	vw_key_value entry = entry_of("password", "hunter2");
	vw_key_value *list[] = {&entry};
	vw_run run = VERIFYWISE__V1__RUN__INIT;
	run.params = list;
	run.n_params = 1;
	assert_int_equal(vw_mask_run(masker, arena, &run), VW_ENOMEM);
	vw_masker_close(masker);
	vw_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_of_values),
	    cmocka_unit_test(every_message),
	    cmocka_unit_test(runs_and_logged_models),
	    cmocka_unit_test(patterns_of_the_operator),
	    cmocka_unit_test(pattern_that_matches_all),
	    cmocka_unit_test(pattern_that_is_none),
	    cmocka_unit_test(hostile_text_takes_linear_time),
	    cmocka_unit_test(no_memory_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
