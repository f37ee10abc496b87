/* Waivers: a gap that somebody accepted until a day. */
#include "internal.h"

#include "base/clock.h"

#include <string.h>

#define DAY_MS INT64_C(86400000)

static bool names_a_rule(const struct vw_policy *policy, const char *glob)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if (vw_glob_match(glob, policy->rules[i].info.id))
			return true;
	return false;
}

int vw_waiver_compile(const struct vw_policy *policy, const struct vw_yaml_waiver *yaml, struct vw_waiver *out,
		      struct vw_error *err)
{
	int64_t last_day;

	if (!vw_policy_glob_ok(yaml->rule) || !vw_policy_glob_ok(yaml->model))
		return vw_error_set(err, VW_ECONFIG, "more than %d stars in a glob", VW_MAX_GLOB_STARS);
	if (!names_a_rule(policy, yaml->rule))
		return vw_error_set(err, VW_ECONFIG, "no rule is called '%s'", yaml->rule);
	if (!vw_clock_parse_date(yaml->until, &last_day))
		return vw_error_set(err, VW_ECONFIG, "'until' must be a day as in 2026-12-31, not '%s'", yaml->until);
	*out = (struct vw_waiver){.text = yaml, .ends_at = last_day + DAY_MS};
	return 0;
}

static bool is_about(const struct vw_waiver *waiver, const vw_record *record)
{
	const char *model = record->model_name ? record->model_name : "";
	const char *version = record->version_number ? record->version_number : "";

	if (waiver->text->version && strcmp(waiver->text->version, version) != 0)
		return false;
	return vw_glob_match(waiver->text->model, model);
}

/* Once for each record that has a gap: there may be many waivers, and few are about one model. */
static void list_waivers(struct vw_evaluation *e)
{
	e->waivers_listed = true;
	for (size_t i = 0; i < e->policy->waiver_count; i++) {
		if (!is_about(&e->policy->waivers[i], e->record))
			continue;
		struct vw_waiver_link *link = vw_arena_alloc(e->arena, sizeof(*link));
		if (!link)
			return;
		*link = (struct vw_waiver_link){&e->policy->waivers[i], e->waivers};
		e->waivers = link;
	}
}

const struct vw_waiver *vw_waiver_find(struct vw_evaluation *e, const struct vw_rule *rule,
				       const struct vw_waiver **out_ended)
{
	const struct vw_waiver *latest = NULL;

	if (!e->waivers_listed)
		list_waivers(e);
	for (const struct vw_waiver_link *link = e->waivers; link; link = link->next)
		if (vw_glob_match(link->waiver->text->rule, rule->info.id) &&
		    (!latest || link->waiver->ends_at >= latest->ends_at))
			latest = link->waiver;
	if (latest && e->now_ms < latest->ends_at)
		return latest;
	*out_ended = latest;
	return NULL;
}

bool vw_policy_waiver_ended(const struct vw_policy *policy, int64_t from_ms, int64_t to_ms)
{
	for (size_t i = 0; i < policy->waiver_count; i++)
		if (policy->waivers[i].ends_at > from_ms && policy->waivers[i].ends_at <= to_ms)
			return true;
	return false;
}
