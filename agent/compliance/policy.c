/* What a loaded policy tells about itself. */
#include "internal.h"

#include <stdlib.h>

const char *vw_policy_id(const struct vw_policy *policy)
{
	return policy->yaml->policy.id;
}

int64_t vw_policy_version(const struct vw_policy *policy)
{
	return policy->yaml->policy.version;
}

const uint8_t *vw_policy_sha256(const struct vw_policy *policy)
{
	return policy->sha256;
}

const struct vw_rule_info *vw_policy_rule(const struct vw_policy *policy, size_t index)
{
	return index < policy->rule_count ? &policy->rules[index].info : NULL;
}

int vw_policy_each_extension(const struct vw_policy *policy,
			     int (*each)(const char *kind, const char *target, const char *word, void *arg,
					 struct vw_error *err),
			     void *arg, struct vw_error *err)
{
	const struct vw_yaml_policy *yaml = policy->yaml;
	int code = 0;

	for (size_t i = 0; i < yaml->tags_count; i++)
		for (size_t j = 0; !code && j < yaml->tags[i].spellings_count; j++)
			code = each("tag", yaml->tags[i].field, yaml->tags[i].spellings[j], arg, err);
	for (size_t i = 0; i < yaml->stages_count; i++)
		for (size_t j = 0; !code && j < yaml->stages[i].words_count; j++)
			code = each("stage", yaml->stages[i].stage, yaml->stages[i].words[j], arg, err);
	return code;
}

void vw_policy_close(struct vw_policy *policy)
{
	if (!policy)
		return;
	vw_conditions_close(&policy->conditions);
	vw_yaml_free(&vw_policy_schema, policy->yaml);
	vw_arena_close(policy->arena);
	free(policy);
}
