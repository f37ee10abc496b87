/* A policy file, loaded whole or not at all. */
#include "internal.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define ID_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

/* What is being loaded: for messages that say where. */
struct loading {
	struct vw_policy *policy;
	const char *bytes;
	size_t len;
	const char *name;
};

/* Puts file, line and object in front of a message: "policy.yaml:14: rule 'owner': ...". */
static int at(const struct loading *l, int code, const char *list, size_t index, const char *what, const char *id,
	      struct vw_error *err)
{
	if (!code)
		return 0;
	return vw_error_context(err, code, "%s:%u: %s '%s'", l->name, vw_policy_line(l->bytes, l->len, list, index),
				what, id);
}

static int too_many(const struct loading *l, const char *list, size_t count, size_t max, const char *cap,
		    struct vw_error *err)
{
	if (count <= max)
		return 0;
	return vw_error_set(err, VW_ELIMIT, "%s: %zu entries in '%s', at most %zu are allowed (%s)", l->name, count,
			    list, max, cap);
}

/* ---- Texts ---- */

static int check_text(const char *what, const char *text, struct vw_error *err)
{
	if (!text)
		return 0;
	if (vw_text_blank(text))
		return vw_error_set(err, VW_ECONFIG, "'%s' is empty", what);
	if (strlen(text) > VW_MAX_POLICY_TEXT)
		return vw_error_set(err, VW_ELIMIT, "'%s' has more than %d bytes (VW_MAX_POLICY_TEXT)", what,
				    VW_MAX_POLICY_TEXT);
	return 0;
}

static int check_id(const char *id, struct vw_error *err)
{
	int code = check_text("id", id, err);

	if (!code && id[strspn(id, ID_CHARACTERS)])
		code = vw_error_set(err, VW_ECONFIG, "an id has only letters, digits, '-', '_' and '.'");
	return code;
}

/* ---- Named conditions ---- */

static int compile_named(struct loading *l, size_t index, struct vw_error *err)
{
	struct vw_conditions *conditions = &l->policy->conditions;
	const struct vw_yaml_named *yaml = &l->policy->yaml->conditions[index];
	int code = check_id(yaml->id, err);

	for (size_t i = 0; !code && i < index; i++)
		if (strcmp(conditions->names[i].id, yaml->id) == 0)
			code = vw_error_set(err, VW_ECONFIG, "another condition has this id");
	if (!code && !(conditions->named[index] = vw_condition_compile(conditions, yaml->when, err)))
		code = err->code;
	if (!code)
		conditions->named_count = index + 1;
	return at(l, code, "conditions", index, "condition", yaml->id, err);
}

static int compile_all_named(struct loading *l, struct vw_error *err)
{
	const struct vw_yaml_policy *yaml = l->policy->yaml;
	struct vw_conditions *conditions = &l->policy->conditions;

	int code = too_many(l, "conditions", yaml->conditions_count, VW_MAX_POLICY_RULES, "VW_MAX_POLICY_RULES", err);
	conditions->names = yaml->conditions;
	conditions->named = vw_arena_array(l->policy->arena, yaml->conditions_count, sizeof(struct vw_condition *));
	if (!conditions->named)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory for its conditions", l->name);
	for (size_t i = 0; !code && i < yaml->conditions_count; i++)
		code = compile_named(l, i, err);
	return code;
}

/* ---- Rules ---- */

static int compile_clauses(struct vw_arena *arena, const struct vw_yaml_clauses *yaml, struct vw_rule_info *info,
			   struct vw_error *err)
{
	vw_clauses **clauses = vw_arena_array(arena, VW_FRAMEWORKS, sizeof(vw_clauses *));

	for (size_t i = 0; clauses && i < VW_FRAMEWORKS; i++) {
		if (yaml->frameworks[i].items_count == 0)
			continue;
		vw_clauses *one = vw_message_new(arena, &verifywise__v1__clauses__descriptor);
		if (!one)
			break;
		one->framework = (char *)vw_framework_names[i];
		one->ids = yaml->frameworks[i].items;
		one->n_ids = yaml->frameworks[i].items_count;
		clauses[info->clause_count++] = one;
	}
	info->clauses = clauses;
	return vw_arena_failed(arena) ? vw_error_set(err, VW_ENOMEM, "no memory for its clauses") : 0;
}

static int check_clauses(const struct vw_yaml_clauses *yaml, struct vw_error *err)
{
	int code = 0;

	for (size_t i = 0; i < VW_FRAMEWORKS; i++)
		for (size_t j = 0; !code && j < yaml->frameworks[i].items_count; j++)
			code = check_text(vw_framework_names[i], yaml->frameworks[i].items[j], err);
	return code;
}

static int check_rule(const struct vw_policy *policy, const struct vw_yaml_rule *yaml, struct vw_error *err)
{
	int code = check_id(yaml->id, err);

	for (size_t i = 0; !code && i < policy->rule_count; i++)
		if (strcmp(policy->rules[i].info.id, yaml->id) == 0)
			code = vw_error_set(err, VW_ECONFIG, "another rule has this id");
	if (!code)
		code = check_text("title", yaml->title, err);
	if (!code)
		code = check_text("gap", yaml->gap, err);
	if (!code)
		code = check_text("fix", yaml->fix, err);
	return code ? code : check_clauses(&yaml->clauses, err);
}

static int compile_condition(struct vw_policy *policy, const struct vw_yaml_condition *yaml, const char *what,
			     const struct vw_condition **out, struct vw_error *err)
{
	*out = vw_condition_compile(&policy->conditions, yaml, err);
	return *out ? 0 : vw_error_context(err, err->code, "%s", what);
}

static int compile_rule(struct loading *l, const struct vw_yaml_rule *yaml, struct vw_error *err)
{
	struct vw_policy *policy = l->policy;
	size_t index = policy->rule_count;
	struct vw_rule *rule = &policy->rules[index];

	int code = check_rule(policy, yaml, err);
	if (!code && yaml->when)
		code = compile_condition(policy, yaml->when, "when", &rule->when, err);
	if (!code)
		code = compile_condition(policy, yaml->require, "require", &rule->require, err);
	if (!code)
		code = compile_clauses(policy->arena, &yaml->clauses, &rule->info, err);
	rule->info.id = yaml->id;
	rule->info.title = yaml->title;
	rule->info.severity = (vw_severity)yaml->severity;
	rule->gap = yaml->gap;
	rule->fix = yaml->fix;
	policy->rule_count++;
	return at(l, code, "rules", index, "rule", yaml->id, err);
}

static int compile_rules(struct loading *l, struct vw_error *err)
{
	const struct vw_yaml_policy *yaml = l->policy->yaml;

	int code = too_many(l, "rules", yaml->rules_count, VW_MAX_POLICY_RULES, "VW_MAX_POLICY_RULES", err);
	if (!code && yaml->rules_count == 0)
		code = vw_error_set(err, VW_ECONFIG, "%s: 'rules' is empty", l->name);
	if (code)
		return code;
	l->policy->rules = vw_arena_array(l->policy->arena, yaml->rules_count, sizeof(struct vw_rule));
	if (!l->policy->rules)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory for its rules", l->name);
	for (size_t i = 0; !code && i < yaml->rules_count; i++)
		code = compile_rule(l, &yaml->rules[i], err);
	return code;
}

/* ---- Waivers ---- */

static int compile_waiver(struct loading *l, size_t index, struct vw_error *err)
{
	struct vw_policy *policy = l->policy;
	const struct vw_yaml_waiver *yaml = &policy->yaml->waivers[index];

	int code = check_text("by", yaml->by, err);
	if (!code)
		code = check_text("reason", yaml->reason, err);
	if (!code)
		code = vw_waiver_compile(policy, yaml, &policy->waivers[index], err);
	policy->waiver_count = index + 1;
	return at(l, code, "waivers", index, "waiver of", yaml->rule, err);
}

static int compile_waivers(struct loading *l, struct vw_error *err)
{
	const struct vw_yaml_policy *yaml = l->policy->yaml;

	int code = too_many(l, "waivers", yaml->waivers_count, VW_MAX_WAIVERS, "VW_MAX_WAIVERS", err);
	if (code)
		return code;
	l->policy->waivers = vw_arena_array(l->policy->arena, yaml->waivers_count, sizeof(struct vw_waiver));
	if (!l->policy->waivers)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory for its waivers", l->name);
	for (size_t i = 0; !code && i < yaml->waivers_count; i++)
		code = compile_waiver(l, i, err);
	return code;
}

/* ---- Extensions of the mapping ---- */

static int check_words(const char *what, char *const *words, size_t count, struct vw_error *err)
{
	int code = 0;

	for (size_t i = 0; !code && i < count; i++)
		code = check_text(what, words[i], err);
	return code;
}

static int check_tag(const struct loading *l, size_t index, struct vw_error *err)
{
	const struct vw_yaml_tag *tag = &l->policy->yaml->tags[index];
	struct vw_field_path path;

	int code = check_words("spellings", tag->spellings, tag->spellings_count, err);
	if (!code && !vw_field_resolve(&verifywise__v1__record__descriptor, tag->field, &path))
		code = vw_error_set(err, VW_ECONFIG, "there is no such field in the record");
	return at(l, code, "tags", index, "tags of", tag->field, err);
}

static int check_stage(const struct loading *l, size_t index, struct vw_error *err)
{
	static const char *const stages[] = {"Production", "Staging", "Archived", "None"};
	const struct vw_yaml_stage *stage = &l->policy->yaml->stages[index];
	bool known = false;

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		known = known || strcmp(stages[i], stage->stage) == 0;
	int code = check_words("words", stage->words, stage->words_count, err);
	if (!code && !known)
		code = vw_error_set(err, VW_ECONFIG, "a stage is Production, Staging, Archived or None");
	return at(l, code, "stages", index, "stage", stage->stage, err);
}

static int check_extensions(const struct loading *l, struct vw_error *err)
{
	const struct vw_yaml_policy *yaml = l->policy->yaml;
	int code = 0;

	for (size_t i = 0; !code && i < yaml->tags_count; i++)
		code = check_tag(l, i, err);
	for (size_t i = 0; !code && i < yaml->stages_count; i++)
		code = check_stage(l, i, err);
	return code;
}

/* ---- The whole ---- */

static int compile(struct loading *l, struct vw_error *err)
{
	const struct vw_yaml_heading *heading = &l->policy->yaml->policy;

	int code = check_id(heading->id, err);
	if (!code && heading->version < 0)
		code = vw_error_set(err, VW_ECONFIG, "'version' is negative");
	if (code)
		return vw_error_context(err, code, "%s: policy", l->name);
	code = compile_all_named(l, err);
	if (!code)
		code = compile_rules(l, err);
	if (!code)
		code = compile_waivers(l, err);
	return code ? code : check_extensions(l, err);
}

static int read_yaml(struct loading *l, struct vw_error *err)
{
	cyaml_data_t *data = NULL;

	int code = vw_yaml_load(l->bytes, l->len, l->name, &vw_policy_schema, &data, err);
	l->policy->yaml = data;
	return code;
}

int vw_policy_load(const char *bytes, size_t len, const char *name, struct vw_policy **out, struct vw_error *err)
{
	struct vw_error unheard = VW_ERROR_INIT;

	err = err ? err : &unheard; /* what is below relies on it */
	if (len > VW_MAX_POLICY_FILE)
		return vw_error_set(err, VW_ELIMIT, "%s: more than %zu bytes (VW_MAX_POLICY_FILE)", name,
				    VW_MAX_POLICY_FILE);
	struct vw_policy *policy = calloc(1, sizeof(*policy));
	struct loading l = {policy, bytes, len, name};
	if (!policy)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory to load it", name);
	policy->arena = vw_arena_open(0);
	policy->conditions.arena = policy->arena;
	int code = policy->arena ? 0 : vw_error_set(err, VW_ENOMEM, "%s: no memory to load it", name);
	if (!code)
		code = read_yaml(&l, err);
	if (!code)
		code = compile(&l, err);
	if (code) {
		vw_policy_close(policy);
		return code;
	}
	vw_sha256_of(bytes, len, policy->sha256);
	*out = policy;
	return 0;
}
