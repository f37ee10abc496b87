/* The built-in policy (S8, S7.5): each case of baseline.json is a record and what some rules say about it. */
#include "support.h"

#include "base/limits.h"

#include <string.h>

static struct vw_policy *load_baseline(void)
{
	struct vw_policy *policy = NULL;
	struct vw_error err = VW_ERROR_INIT;
	size_t len;
	const char *text = vw_policy_baseline(&len);

	if (vw_policy_load(text, len, "built-in", &policy, &err))
		fail_msg("%s", err.message);
	return policy;
}

static void check_states(const char *name, const vw_compliance *made, const json_t *states)
{
	const char *rule;
	json_t *wanted;

	json_object_foreach((json_t *)states, rule, wanted)
	{
		const vw_finding *finding = finding_of(made, rule);
		if (strcmp(state_name(finding), json_string_value(wanted)) != 0)
			fail_msg("%s: %s is %s, expected %s: %s", name, rule, state_name(finding),
				 json_string_value(wanted), finding->message);
	}
}

static void check_case(const struct vw_policy *policy, const json_t *one)
{
	struct vw_arena *arena = vw_arena_open(0);
	const char *name = json_string_value(json_object_get(one, "name")), *rule;
	const char *status = json_string_value(json_object_get(one, "status"));
	const vw_compliance *made = evaluate(policy, make_record(arena, json_object_get(one, "record")), NOW, arena);
	json_t *message;

	check_states(name, made, json_object_get(one, "states"));
	json_object_foreach(json_object_get(one, "messages"), rule, message)
	{
		const char *text = finding_of(made, rule)->message;
		if (strcmp(text, json_string_value(message)) != 0)
			fail_msg("%s: %s says '%s', expected '%s'", name, rule, text, json_string_value(message));
	}
	if (status && strcmp(status_name(made), status) != 0)
		fail_msg("%s: status %s, expected %s", name, status_name(made), status);
	vw_arena_close(arena);
}

static void cases_of_the_table(void **state)
{
	struct vw_policy *policy = load_baseline();
	json_t *cases = load_json("baseline.json"), *one;
	size_t i;
	(void)state;

	json_array_foreach(cases, i, one) check_case(policy, one);
	json_decref(cases);
	vw_policy_close(policy);
}

/* S8.2: one use for each point of Annex III, and neighbours that are none; each in the purpose and in a tag. */
static void annex_iii_uses_are_recognised(void **state)
{
	struct vw_policy *policy = load_baseline();
	json_t *uses = load_json("annex_iii.json"), *use;
	const char *purpose;
	(void)state;

	json_object_foreach(uses, purpose, use)
	{
		static const char *const places[] = {"{\"identity.business_purpose\": \"%s\"}",
						     "{\"identity.tags\": {\"a\": \"b\", \"use\": \"%s\"}}",
						     "{\"lifecycle.tags\": {\"use\": \"%s\"}}"};
		const char *wanted = json_is_true(use) ? "gap" : "not_applicable";
		for (int i = 0; i < 3; i++) {
			struct vw_arena *arena = vw_arena_open(0);
			char *json = vw_arena_printf(arena, "%s", places[i]), record[512], *mark = strstr(json, "%s");
			snprintf(record, sizeof(record), "%.*s%s%s", (int)(mark - json), json, purpose, mark + 2);
			const vw_finding *f = finding_of(
			    evaluate(policy, make_record_text(arena, record), NOW, arena), "high-risk-category");
			if (strcmp(state_name(f), wanted) != 0)
				fail_msg("%s: %s, expected %s", record, state_name(f), wanted);
			vw_arena_close(arena);
		}
	}
	json_decref(uses);
	vw_policy_close(policy);
}

/* Every rule cites all three frameworks (S13.1), says what is missing and how to set it. */
static void rules_are_complete(void **state)
{
	struct vw_policy *policy = load_baseline();
	struct vw_arena *arena = vw_arena_open(0);
	const vw_compliance *made = evaluate(policy, make_record_text(arena, "{}"), NOW, arena);
	(void)state;

	assert_string_equal(vw_policy_id(policy), "verifywise-baseline");
	for (size_t i = 0; i < made->n_findings; i++) {
		const vw_finding *f = made->findings[i];
		assert_string_equal(f->rule, vw_policy_rule(policy, i)->id);
		const struct vw_rule_info *rule = vw_policy_rule(policy, i);
		int frameworks = 0;
		for (size_t j = 0; j < rule->clause_count; j++)
			frameworks += strcmp(rule->clauses[j]->framework, "eu_ai_act") == 0 ||
				      strcmp(rule->clauses[j]->framework, "iso_42001") == 0 ||
				      strcmp(rule->clauses[j]->framework, "nist_ai_rmf") == 0;
		assert_int_equal(frameworks, 3);
		if (f->state == VW_FINDING_NOT_APPLICABLE) {
			/* it is half of what is stored: it says no more than its name */
			assert_null(f->message);
			assert_int_equal(f->n_clauses + f->n_evidence, 0);
			continue;
		}
		assert_int_equal(f->n_clauses, rule->clause_count);
		assert_contains(f->message, "ersion 3 of churn");
		assert_true(f->n_evidence > 0);
	}
	vw_arena_close(arena);
	vw_policy_close(policy);
}

/* Rules named here are known to other folders, to documentation and to people's waivers. */
static void rules_have_their_names(void **state)
{
	static const struct {
		const char *id;
		vw_severity severity;
	} rules[] = {
	    {"privacy-assessment", VW_SEVERITY_CRITICAL},
	    {"high-risk-category", VW_SEVERITY_HIGH},
	    {"owner", VW_SEVERITY_HIGH},
	    {"reproducible-environment", VW_SEVERITY_HIGH},
	    {"baseline-metrics", VW_SEVERITY_HIGH},
	    {"field-risk-category", VW_SEVERITY_LOW},
	    {"field-regulatory-scope", VW_SEVERITY_LOW},
	    {"field-data-sensitivity", VW_SEVERITY_LOW},
	    {"field-privacy-assessment-status", VW_SEVERITY_LOW},
	    {"field-compliance-approver", VW_SEVERITY_LOW},
	    {"field-security-assessment-version", VW_SEVERITY_LOW},
	    {"approver", VW_SEVERITY_MEDIUM},
	    {"intended-purpose", VW_SEVERITY_MEDIUM},
	    {"code-commit", VW_SEVERITY_MEDIUM},
	    {"dataset-reference", VW_SEVERITY_MEDIUM},
	    {"artifact-integrity", VW_SEVERITY_MEDIUM},
	    {"bias-evidence", VW_SEVERITY_HIGH},
	};
	struct vw_policy *policy = load_baseline();
	size_t count = sizeof(rules) / sizeof(rules[0]);
	(void)state;

	for (size_t i = 0; i < count; i++) {
		assert_string_equal(vw_policy_rule(policy, i)->id, rules[i].id);
		assert_int_equal(vw_policy_rule(policy, i)->severity, rules[i].severity);
	}
	assert_null(vw_policy_rule(policy, count));
	vw_policy_close(policy);
}

/* The same record gives the same bytes: an unchanged judgement is not written again (S9.1). */
static void judgement_is_deterministic(void **state)
{
	struct vw_policy *policy = load_baseline();
	struct vw_arena *arena = vw_arena_open(0);
	const vw_record *record = make_record_text(
	    arena,
	    "{\"lifecycle.lifecycle_stage\": \"Production\", \"identity.tags\": {\"use\": \"credit scoring\"}}");
	size_t first, second;
	(void)state;

	const uint8_t *a = vw_message_pack(arena, &evaluate(policy, record, NOW, arena)->base, &first);
	const uint8_t *b = vw_message_pack(arena, &evaluate(policy, record, NOW + 1, arena)->base, &second);
	assert_int_equal(first, second);
	assert_memory_equal(a, b, first);
	print_message("one judgement: %zu bytes\n", first);
	vw_arena_close(arena);
	vw_policy_close(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cases_of_the_table),         cmocka_unit_test(annex_iii_uses_are_recognised),
	    cmocka_unit_test(rules_are_complete),         cmocka_unit_test(rules_have_their_names),
	    cmocka_unit_test(judgement_is_deterministic),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
