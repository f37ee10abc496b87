/* scope_test.c: which registered models are relevant (S1.2), and the set that remembers what was seen (S9.1). */
#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool in_scope(struct vw_scope scope, const char *name, const char *key, const char *value)
{
	vw_registered_model model = VERIFYWISE__V1__REGISTERED_MODEL__INIT;
	vw_key_value tag = VERIFYWISE__V1__KEY_VALUE__INIT, *tags[] = {&tag};
	model.name = (char *)name;
	tag.key = (char *)key;
	tag.value = (char *)value;
	model.tags = tags;
	model.n_tags = key ? 1 : 0;
	return scope_has_model(&scope, &model);
}

static void empty_scope_has_all(void **state)
{
	(void)state;
	assert_true(in_scope((struct vw_scope){0}, "anything", NULL, NULL));
}

static void names_are_globs(void **state)
{
	struct vw_scope scope = {.include = LIST("credit-*", "fraud?"), .exclude = LIST("*-test")};
	(void)state;
	assert_true(in_scope(scope, "credit-scoring", NULL, NULL));
	assert_true(in_scope(scope, "credit-a/b", NULL, NULL));
	assert_true(in_scope(scope, "fraud1", NULL, NULL));
	assert_false(in_scope(scope, "fraud", NULL, NULL));
	assert_false(in_scope(scope, "credit-test", NULL, NULL));
	assert_false(in_scope(scope, "Credit-scoring", NULL, NULL));
}

static void tags_include_and_exclude(void **state)
{
	struct vw_scope scope = {.include_tags = LIST("tier=prod*"), .exclude_tags = LIST("ignore")};
	(void)state;
	assert_true(in_scope(scope, "m", "tier", "production"));
	assert_false(in_scope(scope, "m", "tier", "dev"));
	assert_false(in_scope(scope, "m", "tie", "production"));
	assert_false(in_scope(scope, "m", NULL, NULL));
	scope.include = LIST("m");
	assert_true(in_scope(scope, "m", "tier", "dev")); /* a name or a tag is enough */
	assert_false(in_scope(scope, "m", "ignore", "")); /* leaving out wins */
	assert_false(in_scope(scope, "m", "ignore", NULL));
}

static void prompts_are_no_models(void **state)
{
	vw_registered_model model = VERIFYWISE__V1__REGISTERED_MODEL__INIT;
	vw_key_value tag = VERIFYWISE__V1__KEY_VALUE__INIT, *tags[] = {&tag};
	(void)state;
	assert_false(model_is_prompt(&model));
	tag.key = (char *)"mlflow.prompt.is_prompt";
	tag.value = (char *)"true";
	model.tags = tags;
	model.n_tags = 1;
	assert_true(model_is_prompt(&model));
	tag.value = (char *)"false";
	assert_false(model_is_prompt(&model));
}

static void seen_remembers_pairs(void **state)
{
	struct seen set = {0};
	char name[32];
	(void)state;
	assert_false(seen_has(&set, "m", "1"));
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "model-%d", i % 100);
		char version[16];
		snprintf(version, sizeof(version), "%d", i / 100);
		seen_add(&set, name, version);
		if (i == 2500)
			assert_true(seen_has(&set, "model-0", "0")); /* asking in between keeps it right */
	}
	assert_true(seen_has(&set, "model-99", "49"));
	assert_false(seen_has(&set, "model-99", "50"));
	assert_false(seen_has(&set, "model-9", "949")); /* name and version don't run together */
	seen_reset(&set);
	assert_int_equal(set.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_scope_has_all),      cmocka_unit_test(names_are_globs),
	    cmocka_unit_test(tags_include_and_exclude), cmocka_unit_test(prompts_are_no_models),
	    cmocka_unit_test(seen_remembers_pairs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
