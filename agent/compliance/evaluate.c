/* One record judged by all rules. */
#include "internal.h"

#define MAX_MESSAGE (64 * VW_KIB) /* far above what the caps on a policy's texts allow */

static vw_finding_state state_of(enum vw_truth applies, enum vw_truth met)
{
	if (applies == VW_FALSE)
		return VW_FINDING_NOT_APPLICABLE;
	if (applies == VW_UNKNOWN || met == VW_UNKNOWN)
		return VW_FINDING_UNKNOWN;
	return met == VW_TRUE ? VW_FINDING_PASS : VW_FINDING_GAP;
}

static void set_waived_by(struct vw_evaluation *e, const struct vw_yaml_waiver *waiver, vw_finding *finding)
{
	vw_waived_by *by = vw_message_new(e->arena, &verifywise__v1__waived_by__descriptor);

	if (!by)
		return;
	by->by = waiver->by;
	by->until = waiver->until;
	by->reason = waiver->reason;
	finding->waived_by = by;
	finding->state = VW_FINDING_WAIVED;
}

static void set_rule(const struct vw_rule *rule, vw_finding *finding)
{
	finding->rule = (char *)rule->info.id;
	finding->title = (char *)rule->info.title;
	VW_SET(finding, severity, rule->info.severity);
}

static void set_clauses(const struct vw_rule *rule, vw_finding *finding)
{
	finding->clauses = (vw_clauses **)rule->info.clauses;
	finding->n_clauses = rule->info.clause_count;
}

static vw_finding *judge(struct vw_evaluation *e, const struct vw_rule *rule)
{
	vw_finding *finding = vw_message_new(e->arena, &verifywise__v1__finding__descriptor);
	struct vw_leaves leaves = {.count = 0};
	const struct vw_waiver *ended = NULL, *waiver = NULL;

	if (!finding)
		return NULL;
	enum vw_truth applies = rule->when ? vw_condition_truth(&e->view, rule->when) : VW_TRUE;
	enum vw_truth met = vw_condition_truth(&e->view, rule->require);
	set_rule(rule, finding);
	VW_SET(finding, state, state_of(applies, met));
	if (finding->state == VW_FINDING_NOT_APPLICABLE)
		return finding; /* half of a registry's findings are these: they say no more than their name */
	set_clauses(rule, finding);
	if (finding->state == VW_FINDING_GAP)
		waiver = vw_waiver_find(e, rule, &ended);
	if (waiver)
		set_waived_by(e, waiver->text, finding);
	vw_leaves_add(e, rule->require, &leaves);
	vw_leaves_add(e, rule->when, &leaves);
	vw_finding_explain(e, rule, &leaves, waiver ? waiver : ended, finding);
	vw_finding_set_evidence(e, &leaves, finding);
	return finding;
}

/* Hints (severity info) do not change the status. */
static vw_compliance_status status_of(const vw_compliance *compliance)
{
	vw_compliance_status status = VW_COMPLIANCE_COMPLIANT;

	for (size_t i = 0; i < compliance->n_findings; i++) {
		const vw_finding *finding = compliance->findings[i];
		if (finding->severity == VW_SEVERITY_INFO)
			continue;
		if (finding->state == VW_FINDING_GAP)
			return VW_COMPLIANCE_GAPS;
		if (finding->state == VW_FINDING_UNKNOWN)
			status = VW_COMPLIANCE_UNKNOWN;
	}
	return status;
}

static void set_policy(const struct vw_policy *policy, struct vw_arena *arena, vw_compliance *compliance)
{
	vw_policy_reference *reference = vw_message_new(arena, &verifywise__v1__policy_reference__descriptor);

	if (!reference)
		return;
	reference->id = policy->yaml->policy.id;
	VW_SET(reference, version, policy->yaml->policy.version);
	VW_SET_BYTES(reference, sha256, policy->sha256, sizeof(policy->sha256));
	compliance->policy = reference;
}

static vw_compliance *judge_all(struct vw_evaluation *e)
{
	const struct vw_policy *policy = e->policy;
	vw_compliance *compliance = vw_message_new(e->arena, &verifywise__v1__compliance__descriptor);

	if (!compliance)
		return NULL;
	compliance->findings = vw_arena_array(e->arena, policy->rule_count, sizeof(vw_finding *));
	if (!compliance->findings)
		return NULL;
	for (size_t i = 0; i < policy->rule_count; i++) {
		vw_finding *finding = judge(e, &policy->rules[i]);
		if (!finding)
			return NULL;
		compliance->findings[compliance->n_findings++] = finding;
	}
	VW_SET(compliance, status, status_of(compliance));
	set_policy(policy, e->arena, compliance);
	return compliance;
}

int vw_policy_evaluate(const struct vw_policy *policy, const vw_record *record, int64_t now_ms,
		       struct vw_arena *arena, vw_compliance **out, struct vw_error *err)
{
	struct vw_evaluation e = {.policy = policy, .record = record, .now_ms = now_ms, .arena = arena};
	vw_compliance *compliance = NULL;

	vw_buffer_init(&e.text, MAX_MESSAGE);
	e.visited = vw_arena_array(arena, policy->conditions.count, sizeof(uint32_t));
	if (vw_view_init(&e.view, arena, &policy->conditions, record) == 0)
		compliance = judge_all(&e);
	vw_buffer_reset(&e.text);
	if (!compliance || vw_arena_failed(arena))
		return vw_error_set(err, VW_ENOMEM, "no memory to judge version %s of %s",
				    record->version_number ? record->version_number : "?",
				    record->model_name ? record->model_name : "an unnamed model");
	*out = compliance;
	return 0;
}
