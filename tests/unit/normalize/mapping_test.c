/* The spellings as data, and what an operator may add to them. */
#include "support.h"

#include "base/file.h"

#include <string.h>

/* In backquotes. */
static void assert_documented(const char *text, const char *word)
{
	char quoted[128];
	snprintf(quoted, sizeof(quoted), "`%s`", word);
	if (!strstr(text, quoted))
		fail_msg("docs/record.md does not have %s", quoted);
}

static int setup(void **state)
{
	*state = vw_arena_open(0);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	vw_arena_close(*state);
	return 0;
}

/* Every field of record.md that tags can set, with all its spellings in order. */
static void built_in_lists(void **state)
{
	static const struct {
		const char *field;
		const char *spellings;
	} wanted[] = {
	    {"identity.description", "mlflow.note.content"},
	    {"identity.business_purpose", "business_purpose use_case purpose intended_use"},
	    {"identity.owner", "owner model_owner business_owner accountable team contact"},
	    {"lifecycle.lifecycle_stage", "stage lifecycle lifecycle_stage environment deployment_stage"},
	    {"lifecycle.deployment_status", "deployment_status"},
	    {"lineage.code_commit", "mlflow.source.git.commit git_commit commit code_commit"},
	    {"lineage.code_repository", "mlflow.source.git.repoURL"},
	    {"lineage.code_branch", "mlflow.source.git.branch"},
	    {"lineage.code_dirty", "mlflow.source.git.dirty"},
	    {"lineage.training_entrypoint", "mlflow.source.name"},
	    {"lineage.dataset_reference", "dataset_reference dataset_version dataset training_data"},
	    {"risk.risk_category", "risk_category risk_level ai_act_risk risk_tier"},
	    {"risk.regulatory_scope", "regulatory_scope regulation regulations compliance_scope"},
	    {"risk.data_sensitivity", "data_sensitivity data_classification pii contains_pii personal_data"},
	    {"risk.privacy_assessment_status",
	     "privacy_assessment_status dpia dpia_status pia pia_status privacy_review"},
	    {"risk.compliance_approver", "compliance_approver approver approved_by reviewer validated_by"},
	    {"risk.security_assessment_version", "security_assessment_version threat_model security_review pentest"},
	};
	struct vw_mapping *mapping = vw_mapping_open(*state);
	const char *field = NULL;
	const char *const *spellings = NULL;
	size_t count = sizeof(wanted) / sizeof(wanted[0]);
	for (size_t i = 0; i < count; i++) {
		char joined[512] = "";
		assert_true(vw_mapping_field(mapping, i, &field, &spellings));
		assert_string_equal(field, wanted[i].field);
		for (; *spellings; spellings++)
			snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s",
				 joined[0] ? " " : "", *spellings);
		assert_string_equal(joined, wanted[i].spellings);
	}
	assert_false(vw_mapping_field(mapping, count, &field, &spellings));
	assert_string_equal(field, wanted[count - 1].field);
}

static void additions_come_last(void **state)
{
	struct vw_mapping *mapping = vw_mapping_open(*state);
	struct vw_error err = VW_ERROR_INIT;
	const char *field = NULL;
	const char *const *spellings = NULL;
	assert_int_equal(vw_mapping_add_tag(mapping, "lifecycle.deployment_status", "Rollout State", &err), 0);
	/* twice, in another writing, is once */
	assert_int_equal(vw_mapping_add_tag(mapping, "lifecycle.deployment_status", "rollout-state", &err), 0);
	assert_true(vw_mapping_field(mapping, 4, &field, &spellings));
	assert_string_equal(spellings[0], "deployment_status");
	assert_string_equal(spellings[1], "Rollout State");
	assert_null(spellings[2]);
}

static void faults_of_tags(void **state)
{
	struct vw_mapping *mapping = vw_mapping_open(*state);
	struct vw_error err = VW_ERROR_INIT;
	char long_key[400];
	memset(long_key, 'k', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = '\0';
	assert_int_equal(vw_mapping_add_tag(mapping, "risk.colour", "x", &err), VW_ECONFIG);
	assert_non_null(strstr(err.message, "risk.colour"));
	/* found, but not by tags of anybody's choice */
	assert_int_equal(vw_mapping_add_tag(mapping, "lineage.parent_run_id", "x", &err), VW_ECONFIG);
	assert_int_equal(vw_mapping_add_tag(mapping, "training.metrics", "x", &err), VW_ECONFIG);
	assert_int_equal(vw_mapping_add_tag(mapping, "identity.owner", " ", &err), VW_ECONFIG);
	assert_int_equal(vw_mapping_add_tag(mapping, "identity.owner", long_key, &err), VW_ECONFIG);
	for (int i = 0; i < 300; i++) {
		char key[16];
		snprintf(key, sizeof(key), "k%d", i);
		int code = vw_mapping_add_tag(mapping, "identity.owner", key, &err);
		assert_int_equal(code, i < 250 ? 0 : VW_ECONFIG);
	}
}

static vw_record *record_with_alias(struct vw_arena *arena, const struct vw_mapping *mapping, const char *alias)
{
	vw_model_version version = VERIFYWISE__V1__MODEL_VERSION__INIT;
	char *aliases[] = {(char *)alias};
	version.name = (char *)"churn";
	version.version = (char *)"3";
	version.aliases = aliases;
	version.n_aliases = 1;
	struct vw_normalize_input in = {.version = &version};
	return normalize_or_fail(arena, &in, mapping);
}

static void stages(void **state)
{
	struct vw_mapping *mapping = vw_mapping_open(*state);
	struct vw_error err = VW_ERROR_INIT;
	assert_string_equal(record_with_alias(*state, mapping, "blessed")->lifecycle->lifecycle_stage, "None");
	assert_int_equal(vw_mapping_add_stage(mapping, "production", "Blessed", &err), 0);
	assert_int_equal(vw_mapping_add_stage(mapping, "Production", "blessed", &err), 0);
	assert_string_equal(record_with_alias(*state, mapping, "blessed")->lifecycle->lifecycle_stage, "Production");
	assert_int_equal(vw_mapping_add_stage(mapping, "Limbo", "x", &err), VW_ECONFIG);
	assert_non_null(strstr(err.message, "Limbo"));
	assert_int_equal(vw_mapping_add_stage(mapping, "Staging", "", &err), VW_ECONFIG);
	/* a word cannot mean two stages */
	assert_int_equal(vw_mapping_add_stage(mapping, "Staging", "champion", &err), VW_ECONFIG);
	assert_non_null(strstr(err.message, "Production"));
}

static void evaluation_prefixes(void **state)
{
	struct vw_mapping *mapping = vw_mapping_open(*state);
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_mapping_add_evaluation_prefix(mapping, "Red-Team", &err), 0);
	assert_int_equal(vw_mapping_add_evaluation_prefix(mapping, "", &err), VW_ECONFIG);
	vw_model_version version = VERIFYWISE__V1__MODEL_VERSION__INIT;
	vw_run run = VERIFYWISE__V1__RUN__INIT;
	vw_key_value tag = VERIFYWISE__V1__KEY_VALUE__INIT;
	vw_key_value *tags[] = {&tag};
	version.name = (char *)"churn";
	version.version = (char *)"3";
	tag.key = (char *)"red_team.report";
	tag.value = (char *)"x";
	run.tags = tags;
	run.n_tags = 1;
	struct vw_normalize_input in = {.version = &version, .run = &run};
	assert_int_equal(normalize_or_fail(*state, &in, mapping)->training->n_evaluation_tags, 1);
}

/* docs/record.md tells users every field and every spelling. */
static void the_documentation_has_them_all(void **state)
{
	static const char *const others[] = {
	    VW_REASON_RUN_FORBIDDEN,
	    VW_REASON_RUN_NOT_FOUND,
	    VW_REASON_RUN_DELETED,
	    VW_REASON_RUN_FETCH_FAILED,
	    VW_REASON_EXPERIMENT_FORBIDDEN,
	    VW_REASON_VERSION_FETCH_FAILED,
	    VW_REASON_LOGGED_MODEL_FETCH_FAILED,
	    VW_REASON_RESPONSE_INVALID,
	    VW_REASON_VALUE_TOO_LARGE,
	    "stage_sources_disagree",
	    "deployment_status_disagrees",
	    "value_unrecognised",
	    "duplicate_key",
	    "metric_not_finite",
	    "value_masked",
	    "invalid_utf8",
	    "control_characters",
	    "time_invalid",
	    "section_left_out",
	    "warnings_left_out",
	};
	struct vw_mapping *mapping = vw_mapping_open(*state);
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer text;
	const char *field;
	const char *const *spellings;
	vw_buffer_init(&text, 0);
	assert_int_equal(vw_file_read(VW_TEST_DATA "/../../../../docs/record.md", 1024 * 1024, &text, &err), 0);
	for (size_t i = 0; vw_mapping_field(mapping, i, &field, &spellings); i++) {
		assert_documented(vw_buffer_text(&text), strchr(field, '.') + 1);
		for (; *spellings; spellings++)
			assert_documented(vw_buffer_text(&text), *spellings);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_documented(vw_buffer_text(&text), others[i]);
	vw_buffer_reset(&text);
}

static void no_memory(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_arena *arena = vw_arena_open(256);
	assert_null(vw_mapping_open(arena));
	vw_arena_close(arena);
	arena = vw_arena_open(1024 * 1024);
	struct vw_mapping *mapping = vw_mapping_open(arena);
	assert_non_null(mapping);
	while (vw_arena_alloc(arena, 8))
		;
	assert_int_equal(vw_mapping_add_tag(mapping, "identity.owner", "steward", &err), VW_ENOMEM);
	assert_int_equal(vw_mapping_add_stage(mapping, "Production", "blessed", &err), VW_ENOMEM);
	assert_int_equal(vw_mapping_add_evaluation_prefix(mapping, "red_team", &err), VW_ENOMEM);
	vw_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(built_in_lists, setup, teardown),
	    cmocka_unit_test_setup_teardown(additions_come_last, setup, teardown),
	    cmocka_unit_test_setup_teardown(faults_of_tags, setup, teardown),
	    cmocka_unit_test_setup_teardown(stages, setup, teardown),
	    cmocka_unit_test_setup_teardown(evaluation_prefixes, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_documentation_has_them_all, setup, teardown),
	    cmocka_unit_test(no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
