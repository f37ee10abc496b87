#include "internal.h"

#include "base/pattern.h"
#include "base/text.h"

#include <string.h>

static bool name_in(const char *const *globs, const char *name)
{
	for (; globs && *globs; globs++)
		if (vw_glob_match(*globs, name))
			return true;
	return false;
}

/* "key" asks whether the tag is there, "key=glob" for its value. */
static bool tag_matches(const char *wanted, const vw_registered_model *model)
{
	const char *equals = strchr(wanted, '=');
	size_t key_len = equals ? (size_t)(equals - wanted) : strlen(wanted);
	for (size_t i = 0; i < model->n_tags; i++) {
		const vw_key_value *tag = model->tags[i];
		if (!tag->key || strlen(tag->key) != key_len || memcmp(tag->key, wanted, key_len) != 0)
			continue;
		if (!equals || vw_glob_match(equals + 1, tag->value ? tag->value : ""))
			return true;
	}
	return false;
}

static bool tag_in(const char *const *wanted, const vw_registered_model *model)
{
	for (; wanted && *wanted; wanted++)
		if (tag_matches(*wanted, model))
			return true;
	return false;
}

bool scope_has_model(const struct vw_scope *scope, const vw_registered_model *model)
{
	bool names = scope->include && scope->include[0];
	bool tags = scope->include_tags && scope->include_tags[0];
	if (name_in(scope->exclude, model->name) || tag_in(scope->exclude_tags, model))
		return false;
	if (!names && !tags)
		return true;
	return (names && name_in(scope->include, model->name)) || (tags && tag_in(scope->include_tags, model));
}

bool model_is_prompt(const vw_registered_model *model)
{
	for (size_t i = 0; i < model->n_tags; i++)
		if (model->tags[i]->key && strcmp(model->tags[i]->key, "mlflow.prompt.is_prompt") == 0)
			return vw_text_equal_nocase(model->tags[i]->value, "true");
	return false;
}
