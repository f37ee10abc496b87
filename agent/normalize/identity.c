/* Who a model is, what for, and who answers for it (S7.1); what governance asks about it (S7.5). */
#include "draft.h"

#include "base/text.h"
#include "coerce.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

static int compare_aliases(const void *a, const void *b)
{
	const vw_alias *x = *(vw_alias *const *)a;
	const vw_alias *y = *(vw_alias *const *)b;
	int order = strcmp(x->alias, y->alias);
	return order ? order : strcmp(x->version ? x->version : "", y->version ? y->version : "");
}

static void fill_aliases(struct vw_draft *draft, vw_identity *identity)
{
	const vw_registered_model *model = draft->in->model;
	struct vw_list list = {0};
	for (size_t i = 0; i < model->n_aliases; i++) {
		if (!vw_non_empty(model->aliases[i]->alias))
			continue;
		vw_alias *copy = VW_NEW(draft, alias);
		if (!copy)
			return;
		copy->alias = vw_draft_clean(draft, "identity.aliases", model->aliases[i]->alias);
		copy->version = vw_draft_clean(draft, "identity.aliases", model->aliases[i]->version);
		if (copy->alias)
			vw_list_add(draft->arena, &list, copy);
	}
	if (list.count > 0)
		qsort(list.items, list.count, sizeof(*list.items), compare_aliases);
	identity->aliases = (vw_alias **)list.items;
	identity->n_aliases = list.count;
}

static void fill_description(struct vw_draft *draft, vw_identity *identity)
{
	const vw_registered_model *model = draft->in->model;
	const char *field = "identity.description";
	identity->description = model ? vw_draft_text(draft, field, model->description) : NULL;
	const char *from = identity->description ? "model:description" : "version:description";
	if (!identity->description)
		identity->description = vw_draft_text(draft, field, draft->version->description);
	if (identity->description)
		vw_draft_from(draft, field, from, NULL);
	else
		identity->description = vw_tags_text(draft, VW_TAG_DESCRIPTION);
}

/* A named owner; else the account that trained. Which of them it was can be told from the provenance. */
static void fill_owner(struct vw_draft *draft, vw_identity *identity)
{
	identity->owner = vw_tags_text(draft, VW_TAG_OWNER);
	if (identity->owner)
		return;
	/* MLflow's client sends this word when it does not know the user */
	bool known = draft->run && !vw_text_equal_nocase(draft->run->user_id, "unknown");
	identity->owner = known ? vw_draft_text(draft, "identity.owner", draft->run->user_id) : NULL;
	if (identity->owner)
		vw_draft_from(draft, "identity.owner", "run:user_id", NULL);
	else
		identity->owner = vw_tags_text(draft, VW_TAG_ACCOUNT);
}

void vw_fill_identity(struct vw_draft *draft)
{
	const vw_registered_model *model = draft->in->model;
	vw_identity *identity = VW_NEW(draft, identity);
	if (!identity)
		return;
	identity->model_name = draft->record->model_name;
	fill_description(draft, identity);
	identity->business_purpose = vw_tags_text(draft, VW_TAG_PURPOSE);
	fill_owner(draft, identity);
	if (model) {
		vw_draft_map(draft, "identity.tags", model->tags, model->n_tags, &identity->tags, &identity->n_tags);
		fill_aliases(draft, identity);
	}
	draft->record->identity = identity;
}

/* ---- S7.5 ---- */

/* A field with a vocabulary; what is outside of it is kept as given. */
static char *coerced(struct vw_draft *draft, enum vw_tag_field field, const char *(*coerce)(const char *text))
{
	char *raw = vw_tags_peek(draft, field);
	if (!raw)
		return NULL;
	const char *word = coerce(raw);
	if (!word)
		vw_draft_warn(draft, "value_unrecognised", vw_tag_field_name(field),
			      "'%.100s' is none of the field's words; kept as given", raw);
	char *value = word ? (char *)word : raw;
	vw_tags_note(draft, field, raw, value);
	return value;
}

static void fill_scope(struct vw_draft *draft, vw_risk *risk)
{
	const char *raw = vw_tags_peek(draft, VW_TAG_SCOPE);
	if (!raw)
		return;
	risk->regulatory_scope = vw_coerce_list(draft->arena, raw, &risk->n_regulatory_scope);
	if (risk->n_regulatory_scope == 0)
		return;
	/* one item that is the whole text is the text unchanged */
	vw_tags_note(draft, VW_TAG_SCOPE, raw, risk->n_regulatory_scope == 1 ? risk->regulatory_scope[0] : "");
}

void vw_fill_risk(struct vw_draft *draft)
{
	vw_risk *risk = VW_NEW(draft, risk);
	if (!risk)
		return;
	risk->risk_category = coerced(draft, VW_TAG_RISK, vw_coerce_risk);
	fill_scope(draft, risk);
	risk->data_sensitivity = coerced(draft, VW_TAG_SENSITIVITY, vw_coerce_sensitivity);
	risk->privacy_assessment_status = coerced(draft, VW_TAG_PRIVACY, vw_coerce_privacy);
	risk->compliance_approver = vw_tags_text(draft, VW_TAG_APPROVER);
	risk->security_assessment_version = vw_tags_text(draft, VW_TAG_SECURITY);
	draft->record->risk = risk;
}
