/* Operators and three-valued logic: each case of conditions.json is a rule's `require`, whose state shows its truth. */
#include "support.h"

#include "base/limits.h"

#include <string.h>

#define HEAD "policy: {id: t, version: 1}\nrules:\n- {id: r, title: T, severity: high, require: "

static struct vw_policy *policy_requiring(const char *condition)
{
	char yaml[4096];

	snprintf(yaml, sizeof(yaml), HEAD "%s}\n", condition);
	return load_policy(yaml);
}

static void check_case(const json_t *one)
{
	struct vw_arena *arena = vw_arena_open(0);
	const char *condition = json_string_value(json_object_get(one, "condition"));
	const char *expected = json_string_value(json_object_get(one, "state"));
	const json_t *evidence = json_object_get(one, "evidence");
	struct vw_policy *policy = policy_requiring(condition);
	const vw_record *record = make_record(arena, json_object_get(one, "record"));
	const vw_finding *finding = finding_of(evaluate(policy, record, NOW, arena), "r");
	const char *field;
	json_t *value;

	if (strcmp(state_name(finding), expected) != 0)
		fail_msg("%s: %s, expected %s: %s", condition, state_name(finding), expected, finding->message);
	json_object_foreach((json_t *)evidence, field, value)
	{
		const char *wanted = json_is_null(value) ? "(missing)" : json_string_value(value);
		if (strcmp(evidence_of(finding, field), wanted) != 0)
			fail_msg("%s: evidence %s is %s, expected %s", condition, field, evidence_of(finding, field),
				 wanted);
	}
	vw_policy_close(policy);
	vw_arena_close(arena);
}

static void cases_of_the_table(void **state)
{
	json_t *cases = load_json("conditions.json"), *one;
	size_t i;
	(void)state;

	assert_true(json_array_size(cases) > 60);
	json_array_foreach(cases, i, one) check_case(one);
	json_decref(cases);
}

/* Kleene's tables: rows and columns are gap (false), unknown, pass (true). */
static void logic_has_three_values(void **state)
{
	static const char *const parts[] = {"{field: identity.owner, is: nobody}",
					    "{field: artifacts.runtime_environment, present: true}",
					    "{field: identity.owner, present: true}"};
	static const char *const names[] = {"gap", "unknown", "pass"};
	char condition[256];
	struct vw_arena *arena = vw_arena_open(0);
	const vw_record *record = make_record_text(arena, "{\"identity.owner\": \"alice\"}");
	(void)state;

	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++) {
			const char *const words[] = {"all", "any"};
			const int expected[] = {a < b ? a : b, a > b ? a : b};
			for (int w = 0; w < 2; w++) {
				snprintf(condition, sizeof(condition), "{%s: [%s, %s]}", words[w], parts[a],
					 parts[b]);
				struct vw_policy *policy = policy_requiring(condition);
				const vw_finding *f = finding_of(evaluate(policy, record, NOW, arena), "r");
				assert_string_equal(state_name(f), names[expected[w]]);
				vw_policy_close(policy);
			}
		}
		snprintf(condition, sizeof(condition), "{not: %s}", parts[a]);
		struct vw_policy *policy = policy_requiring(condition);
		assert_string_equal(state_name(finding_of(evaluate(policy, record, NOW, arena), "r")), names[2 - a]);
		vw_policy_close(policy);
	}
	vw_arena_close(arena);
}

/* A value that is too hard for a pattern must not become a pass or a gap. */
static void hard_value_is_unknown(void **state)
{
	struct vw_policy *policy = policy_requiring("{field: identity.description, matches: '(a+)+[bc]$'}");
	struct vw_arena *arena = vw_arena_open(0);
	vw_record *record = make_record_text(arena, "{\"identity.owner\": \"x\"}");
	char text[4000];
	(void)state;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	record->identity->description = text;
	const vw_finding *finding = finding_of(evaluate(policy, record, NOW, arena), "r");
	assert_string_equal(state_name(finding), "unknown");
	assert_contains(finding->message, "identity.description took too long to compare");
	assert_true(strlen(evidence_of(finding, "identity.description")) <= VW_MAX_EVIDENCE_VALUE + 3);
	vw_policy_close(policy);
	vw_arena_close(arena);
}

/* Named conditions that use one another would take exponential time, were each not looked at once for a record. */
static void shared_conditions_are_looked_at_once(void **state)
{
	char yaml[16384] = "policy: {id: t, version: 1}\nconditions:\n"
			   "- {id: c0, when: {field: identity.owner, present: true}}\n";
	struct vw_arena *arena = vw_arena_open(0);
	char *end = yaml + strlen(yaml);
	(void)state;

	for (int i = 1; i <= VW_MAX_CONDITION_DEPTH; i++) {
		end += sprintf(end, "- {id: c%d, when: {all: [", i);
		for (int j = 0; j < 50; j++)
			end += sprintf(end, "%s{condition: c%d}", j ? ", " : "", i - 1);
		end += sprintf(end, "]}}\n");
	}
	sprintf(end, "rules:\n- {id: r, title: T, severity: low, require: {condition: c%d}}\n",
		VW_MAX_CONDITION_DEPTH);
	struct vw_policy *policy = load_policy(yaml);
	const vw_record *record = make_record_text(arena, "{\"identity.owner\": \"alice\"}");
	const vw_finding *finding = finding_of(evaluate(policy, record, NOW, arena), "r");
	assert_string_equal(state_name(finding), "pass");
	assert_int_equal(finding->n_evidence, 1);
	vw_policy_close(policy);
	vw_arena_close(arena);
}

/* Evidence is for people: it stays small whatever the record holds. */
static void evidence_is_bounded(void **state)
{
	char yaml[16384] = HEAD "{any: [";
	char *end = yaml + strlen(yaml);
	struct vw_arena *arena = vw_arena_open(0);
	(void)state;

	for (int i = 0; i < 100; i++)
		end += sprintf(end, "%s{field: identity.tags.k%d, present: true}", i ? ", " : "", i);
	sprintf(end, "]}}\n");
	struct vw_policy *policy = load_policy(yaml);
	const vw_record *record = make_record_text(arena, "{}");
	assert_int_equal(finding_of(evaluate(policy, record, NOW, arena), "r")->n_evidence, VW_MAX_EVIDENCE);
	vw_policy_close(policy);
	vw_arena_close(arena);
}

/* The cut is between characters. */
static void evidence_is_cut_between_characters(void **state)
{
	struct vw_policy *policy = policy_requiring("{field: identity.owner, present: true}");
	struct vw_arena *arena = vw_arena_open(0);
	vw_record *record = make_record_text(arena, "{\"identity.owner\": \"x\"}");
	char text[600] = "x", *end = text + 1;
	(void)state;

	for (int i = 0; i < 150; i++)
		end += sprintf(end, "\u00e4");
	record->identity->owner = text;
	const char *cut = evidence_of(finding_of(evaluate(policy, record, NOW, arena), "r"), "identity.owner");
	assert_int_equal(strlen(cut), VW_MAX_EVIDENCE_VALUE - 1 + strlen("\u2026"));
	assert_memory_equal(cut, text, VW_MAX_EVIDENCE_VALUE - 1);
	vw_policy_close(policy);
	vw_arena_close(arena);
}

static void no_memory_is_an_error(void **state)
{
	struct vw_policy *policy = policy_requiring("{field: identity.owner, present: true}");
	struct vw_arena *arena = vw_arena_open(0);
	const vw_record *record = make_record_text(arena, "{\"identity.owner\": \"x\"}");
	vw_compliance *untouched = (vw_compliance *)record;
	struct vw_error err = VW_ERROR_INIT;
	int code = VW_ENOMEM;
	(void)state;

	for (size_t cap = 16; code; cap += 16) {
		struct vw_arena *small = vw_arena_open(cap);
		vw_compliance *out = untouched;
		code = vw_policy_evaluate(policy, record, NOW, small, &out, &err);
		if (code) {
			assert_int_equal(code, VW_ENOMEM);
			assert_ptr_equal(out, untouched);
			assert_contains(err.message, "version 3 of churn");
		}
		vw_arena_close(small);
	}
	vw_policy_close(policy);
	vw_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cases_of_the_table),    cmocka_unit_test(logic_has_three_values),
	    cmocka_unit_test(hard_value_is_unknown), cmocka_unit_test(shared_conditions_are_looked_at_once),
	    cmocka_unit_test(evidence_is_bounded),   cmocka_unit_test(evidence_is_cut_between_characters),
	    cmocka_unit_test(no_memory_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
