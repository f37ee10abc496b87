/* Which tag gives a field its value: one pass over each place, one look into the mapping's index for each key. */
#include "draft.h"

#include "base/text.h"
#include "clean.h"
#include "coerce.h"
#include "proto/message.h"

#include <string.h>

static const char *const place_names[VW_PLACES] = {"version_tag", "model_tag", "run_tag", "run_param",
						   "experiment_tag"};

const char *vw_non_empty(const char *text)
{
	return text && text[0] ? text : NULL;
}

const char *vw_tag_value(vw_key_value *const *tags, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++) {
		if (tags[i]->key && strcmp(tags[i]->key, key) == 0)
			return vw_non_empty(tags[i]->value);
	}
	return NULL;
}

static void open_place(struct vw_draft *draft, enum vw_place place, vw_key_value *const *list, size_t count)
{
	struct vw_place_list *out = &draft->places[place];
	out->items = vw_arena_array(draft->arena, count + 1, sizeof(*out->items));
	if (!out->items)
		return;
	for (size_t i = 0; i < count; i++) {
		if (vw_non_empty(list[i]->key))
			out->items[out->count++] = list[i];
	}
	vw_key_values_sort(out->items, &out->count);
}

/* What is no value for a field: nothing, a secret that was masked, a word that a closed vocabulary does not have. */
static bool is_usable(struct vw_draft *draft, enum vw_tag_field field, enum vw_place place, const vw_key_value *entry)
{
	char kind[VW_MASK_KIND_MAX];
	enum vw_stage stage;
	bool whole = false;
	if (vw_text_blank(entry->value) || (vw_value_masked(entry->value, kind, &whole) && whole))
		return false;
	if (field == VW_TAG_PARENT_RUN)
		return place == VW_PLACE_RUN_TAG;
	if (field != VW_TAG_STAGE && field != VW_TAG_DEPLOYMENT)
		return true;
	char *word = vw_text_trim(draft->arena, entry->value);
	if (!word)
		return false;
	if (field == VW_TAG_STAGE ? vw_mapping_stage(draft->mapping, word, &stage)
				  : vw_coerce_deployment(word) != NULL)
		return true;
	vw_draft_warn(draft, "value_unrecognised", vw_tag_field_name(field),
		      "%s %.100s: '%.100s' is not a word for it", place_names[place], entry->key, word);
	return false;
}

static void consider(struct vw_draft *draft, enum vw_place place, const vw_key_value *entry,
		     const struct vw_spelling *spelling, size_t prefix)
{
	struct vw_tag_hit *hit = &draft->hits[spelling->field];
	size_t score = prefix * 1000 + spelling->rank;
	if (hit->entry && (hit->place < place || hit->score < score))
		return;
	if (!is_usable(draft, spelling->field, place, entry))
		return;
	if (hit->entry && hit->place == place && hit->score == score) {
		/* keys that differ in case or separators only; the list is sorted, so the first is always the same one */
		if (strcmp(hit->entry->value, entry->value) != 0)
			vw_draft_warn(draft, "duplicate_key", vw_tag_field_name(spelling->field),
				      "%s %.100s and %.100s are one key with two values: the first was taken",
				      place_names[place], hit->entry->key, entry->key);
		return;
	}
	*hit = (struct vw_tag_hit){entry, place, score};
}

static void look_up(struct vw_draft *draft, enum vw_place place, const vw_key_value *entry)
{
	static const char *const prefixes[] = {"verifywise_", "governance_", ""};
	const struct vw_spelling *found;
	char folded[VW_KEY_MAX];
	if (!vw_key_fold(entry->key, folded))
		return;
	for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
		size_t len = strlen(prefixes[p]);
		if (strncmp(folded, prefixes[p], len) != 0)
			continue;
		size_t count = vw_mapping_find(draft->mapping, folded + len, &found);
		for (size_t i = 0; i < count; i++)
			consider(draft, place, entry, &found[i], p);
	}
}

void vw_tags_collect(struct vw_draft *draft)
{
	const vw_registered_model *model = draft->in->model;
	open_place(draft, VW_PLACE_VERSION_TAG, draft->version->tags, draft->version->n_tags);
	if (model)
		open_place(draft, VW_PLACE_MODEL_TAG, model->tags, model->n_tags);
	if (draft->run) {
		open_place(draft, VW_PLACE_RUN_TAG, draft->run->tags, draft->run->n_tags);
		open_place(draft, VW_PLACE_RUN_PARAM, draft->run->params, draft->run->n_params);
	}
	if (draft->experiment)
		open_place(draft, VW_PLACE_EXPERIMENT_TAG, draft->experiment->tags, draft->experiment->n_tags);
	for (size_t place = 0; place < VW_PLACES; place++) {
		for (size_t i = 0; i < draft->places[place].count; i++)
			look_up(draft, (enum vw_place)place, draft->places[place].items[i]);
	}
}

char *vw_tags_from(struct vw_draft *draft, const struct vw_tag_hit *hit)
{
	struct vw_scrub scrub;
	const char *key = vw_text_scrub(draft->arena, hit->entry->key, &scrub);
	return key ? vw_arena_printf(draft->arena, "%s:%s", place_names[hit->place], key) : NULL;
}

char *vw_tags_peek(struct vw_draft *draft, enum vw_tag_field field)
{
	const struct vw_tag_hit *hit = &draft->hits[field];
	return hit->entry ? vw_draft_text(draft, vw_tag_field_name(field), hit->entry->value) : NULL;
}

void vw_tags_note(struct vw_draft *draft, enum vw_tag_field field, const char *raw, const char *value)
{
	bool changed = raw && value && strcmp(raw, value) != 0;
	vw_draft_from(draft, vw_tag_field_name(field), vw_tags_from(draft, &draft->hits[field]),
		      changed ? raw : NULL);
}

char *vw_tags_text(struct vw_draft *draft, enum vw_tag_field field)
{
	char *text = vw_tags_peek(draft, field);
	if (text)
		vw_tags_note(draft, field, NULL, NULL);
	return text;
}
