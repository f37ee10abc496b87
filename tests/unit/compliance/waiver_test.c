/* Waivers, the end of their last day, and the status that findings make. */
#include "support.h"

#include "base/clock.h"

#include <string.h>

#define MINUTE INT64_C(60000)

#define RULES                                                                                                        \
	"policy: {id: t, version: 7}\n"                                                                              \
	"rules:\n"                                                                                                   \
	"- {id: owner, title: Has an owner, severity: high, require: {field: identity.owner, present: true},\n"      \
	"   gap: has no owner, fix: Set the tag owner.}\n"                                                           \
	"- {id: field-scope, title: Has a scope, severity: low, require: {field: risk.regulatory_scope, present: "   \
	"true}}\n"

static const vw_compliance *judge(const char *waivers, const char *record, int64_t now, struct vw_arena *arena)
{
	char yaml[4096];

	snprintf(yaml, sizeof(yaml), RULES "%s", waivers);
	struct vw_policy *policy = load_policy(yaml);
	const vw_compliance *made = evaluate(policy, make_record_text(arena, record), now, arena);
	/* what is returned points into the policy: keep a copy */
	size_t len;
	struct vw_error err = VW_ERROR_INIT;
	void *copy;
	const uint8_t *bytes = vw_message_pack(arena, &made->base, &len);
	int code = vw_message_unpack(arena, &verifywise__v1__compliance__descriptor, bytes, len, "copy", &copy, &err);
	assert_int_equal(code, 0);
	vw_policy_close(policy);
	return copy;
}

static const char *owner_state(const char *waivers, const char *record, int64_t now)
{
	struct vw_arena *arena = vw_arena_open(0);
	const char *name = state_name(finding_of(judge(waivers, record, now, arena), "owner"));

	vw_arena_close(arena);
	return name;
}

#define WAIVER(rule, model, more)                                                                                    \
	"waivers: [{rule: " rule ", model: '" model "'" more                                                         \
	", until: 2026-03-31, by: dpo@example.org, reason: Handover under way.}]\n"

static int64_t midnight(const char *day)
{
	int64_t ms;
	assert_true(vw_clock_parse_date(day, &ms));
	return ms;
}

static void holds_to_the_last_millisecond_of_its_day(void **state)
{
	int64_t end = midnight("2026-04-01");
	(void)state;

	assert_string_equal(owner_state(WAIVER("owner", "churn", ""), "{}", NOW), "waived");
	assert_string_equal(owner_state(WAIVER("owner", "churn", ""), "{}", midnight("2026-03-31")), "waived");
	assert_string_equal(owner_state(WAIVER("owner", "churn", ""), "{}", end - 1), "waived");
	assert_string_equal(owner_state(WAIVER("owner", "churn", ""), "{}", end), "gap");
	assert_string_equal(owner_state(WAIVER("owner", "churn", ""), "{}", end + MINUTE), "gap");
}

static void names_rules_and_models(void **state)
{
	(void)state;
	assert_string_equal(owner_state(WAIVER("'own*'", "ch*", ""), "{}", NOW), "waived");
	assert_string_equal(owner_state(WAIVER("'*'", "*", ""), "{}", NOW), "waived");
	assert_string_equal(owner_state(WAIVER("field-scope", "churn", ""), "{}", NOW), "gap");
	assert_string_equal(owner_state(WAIVER("owner", "churn-eu", ""), "{}", NOW), "gap");
	assert_string_equal(owner_state(WAIVER("owner", "Churn", ""), "{}", NOW), "gap");
	assert_string_equal(owner_state(WAIVER("owner", "churn", ", version: '3'"), "{}", NOW), "waived");
	assert_string_equal(owner_state(WAIVER("owner", "churn", ", version: 3"), "{}", NOW), "waived");
	assert_string_equal(owner_state(WAIVER("owner", "churn", ", version: 30"), "{}", NOW), "gap");
	assert_string_equal(owner_state(WAIVER("owner", "a/b#*", ""), "{\"model_name\": \"a/b#c/d\"}", NOW),
			    "waived");
}

/* What is met or cannot be seen needs no waiver, and is not hidden by one. */
static void waives_gaps_only(void **state)
{
	(void)state;
	assert_string_equal(owner_state(WAIVER("owner", "churn", ""), "{\"identity.owner\": \"a\"}", NOW), "pass");
	assert_string_equal(
	    owner_state(WAIVER("owner", "churn", ""), "{\"reasons\": {\"run_forbidden\": \"x\"}}", NOW), "unknown");
}

static void finding_says_who_waived_it(void **state)
{
	struct vw_arena *arena = vw_arena_open(0);
	const vw_finding *f = finding_of(judge(WAIVER("owner", "churn", ""), "{}", NOW, arena), "owner");
	(void)state;

	assert_non_null(f->waived_by);
	assert_string_equal(f->waived_by->by, "dpo@example.org");
	assert_string_equal(f->waived_by->until, "2026-03-31");
	assert_string_equal(f->waived_by->reason, "Handover under way.");
	assert_string_equal(f->message,
			    "Version 3 of churn has no owner (identity.owner is missing). Set the tag owner. Waived "
			    "until 2026-03-31 by dpo@example.org: Handover under way.");
	vw_arena_close(arena);
}

static void ended_waiver_is_named(void **state)
{
	struct vw_arena *arena = vw_arena_open(0);
	const vw_finding *f =
	    finding_of(judge(WAIVER("owner", "churn", ""), "{}", midnight("2026-04-01"), arena), "owner");
	(void)state;

	assert_null(f->waived_by);
	assert_contains(f->message, "A waiver by dpo@example.org ended on 2026-03-31 and no longer counts.");
	vw_arena_close(arena);
}

static void longest_of_several_counts(void **state)
{
	static const char waivers[] = "waivers:\n"
				      "- {rule: owner, model: churn, until: 2026-01-31, by: a, reason: r}\n"
				      "- {rule: owner, model: 'ch*', until: 2026-06-30, by: b, reason: r}\n"
				      "- {rule: owner, model: '*', until: 2025-06-30, by: c, reason: r}\n";
	struct vw_arena *arena = vw_arena_open(0);
	(void)state;

	const vw_finding *f = finding_of(judge(waivers, "{}", NOW, arena), "owner");
	assert_string_equal(f->waived_by->by, "b");
	f = finding_of(judge(waivers, "{}", midnight("2026-07-01"), arena), "owner");
	assert_string_equal(state_name(f), "gap");
	assert_contains(f->message, "A waiver by b ended on 2026-06-30");
	vw_arena_close(arena);
}

/* Stored judgements are made again once a waiver ended, not before and not forever. */
static void end_of_a_waiver_is_told(void **state)
{
	struct vw_policy *policy = load_policy(RULES WAIVER("owner", "churn", ""));
	int64_t end = midnight("2026-04-01");
	(void)state;

	assert_false(vw_policy_waiver_ended(policy, NOW, end - 1));
	assert_true(vw_policy_waiver_ended(policy, end - 1, end));
	assert_true(vw_policy_waiver_ended(policy, NOW, end + 60 * MINUTE));
	assert_false(vw_policy_waiver_ended(policy, end, end + MINUTE));
	vw_policy_close(policy);
}

/* ---- Status ---- */

static void check_status(const char *severity, const char *waivers, const char *record, const char *expected)
{
	struct vw_arena *arena = vw_arena_open(0);
	char yaml[2048];

	snprintf(yaml, sizeof(yaml),
		 "policy: {id: t, version: 1}\nrules:\n"
		 "- {id: a, title: A, severity: %s, require: {field: identity.owner, present: true}}\n"
		 "- {id: b, title: B, severity: %s, require: {field: artifacts, present: true}}\n%s",
		 severity, severity, waivers);
	struct vw_policy *policy = load_policy(yaml);
	const vw_compliance *made = evaluate(policy, make_record_text(arena, record), NOW, arena);
	if (strcmp(status_name(made), expected) != 0)
		fail_msg("%s %s %s: %s", severity, waivers, record, status_name(made));
	vw_policy_close(policy);
	vw_arena_close(arena);
}

static void status_is_the_worst_that_is_known(void **state)
{
	static const char waived[] = "waivers: [{rule: a, model: '*', until: 2026-01-01, by: x, reason: y}]";
	(void)state;

	check_status("low", "", "{}", "gaps");
	check_status("critical", "", "{\"artifacts\": {}}", "gaps");
	check_status("low", "", "{\"identity.owner\": \"a\"}", "unknown");
	check_status("low", "", "{\"identity.owner\": \"a\", \"artifacts\": {}}", "compliant");
	check_status("low", waived, "{\"artifacts\": {}}", "compliant");
	check_status("low", waived, "{}", "unknown");
	/* hints are shown, but decide nothing */
	check_status("info", "", "{}", "compliant");
	check_status("info", "", "{\"artifacts\": {}}", "compliant");
}

static void result_names_the_policy(void **state)
{
	struct vw_arena *arena = vw_arena_open(0);
	const vw_compliance *made = judge("", "{}", NOW, arena);
	(void)state;

	assert_string_equal(made->policy->id, "t");
	assert_int_equal(made->policy->version, 7);
	assert_int_equal(made->policy->sha256.len, 32);
	assert_int_equal(made->n_findings, 2);
	assert_string_equal(made->findings[0]->rule, "owner");
	assert_string_equal(made->findings[1]->rule, "field-scope");
	/* without a sentence of its own, the title serves */
	assert_string_equal(made->findings[1]->message, "Version 3 of churn does not meet the rule \"Has a scope\" "
							"(risk.regulatory_scope is missing).");
	vw_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holds_to_the_last_millisecond_of_its_day),
	    cmocka_unit_test(names_rules_and_models),
	    cmocka_unit_test(waives_gaps_only),
	    cmocka_unit_test(finding_says_who_waived_it),
	    cmocka_unit_test(ended_waiver_is_named),
	    cmocka_unit_test(longest_of_several_counts),
	    cmocka_unit_test(end_of_a_waiver_is_told),
	    cmocka_unit_test(status_is_the_worst_that_is_known),
	    cmocka_unit_test(result_names_the_policy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
