/* Where a version is in its life: stage, alias and tag into one vocabulary (S7.2; record.md, "Lifecycle"). */
#include "draft.h"

#include "base/text.h"
#include "coerce.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

/* What one of the three sources says. */
struct claim {
	bool given;
	enum vw_stage stage;
	const char *from; /* for the provenance */
	const char *raw;
};

static const char *const statuses[] = {"READY", "PENDING_REGISTRATION", "FAILED_REGISTRATION", NULL};

/* This version's aliases, sorted. model-versions/search never has them, so the model's own list is asked first. */
static void fill_aliases(struct vw_draft *draft, vw_lifecycle *lifecycle)
{
	const vw_registered_model *model = draft->in->model;
	const vw_model_version *version = draft->version;
	bool of_model = model && model->n_aliases > 0;
	size_t most = of_model ? model->n_aliases : version->n_aliases;
	char **aliases = vw_arena_array(draft->arena, most + 1, sizeof(*aliases));
	size_t count = 0;
	for (size_t i = 0; aliases && i < most; i++) {
		const char *name = of_model ? model->aliases[i]->alias : version->aliases[i];
		const char *of = of_model ? model->aliases[i]->version : version->version;
		if (!vw_non_empty(name) || !of || strcmp(of, version->version) != 0)
			continue;
		char *clean = vw_draft_clean(draft, "lifecycle.aliases", name);
		if (clean)
			aliases[count++] = clean;
	}
	vw_texts_sort(aliases, &count);
	lifecycle->aliases = aliases;
	lifecycle->n_aliases = count;
}

static struct claim claim_of_stage(struct vw_draft *draft, const char *stage)
{
	struct claim claim = {.from = "stage"};
	if (!stage)
		return claim;
	if (!vw_mapping_stage(draft->mapping, stage, &claim.stage))
		vw_draft_warn(draft, "value_unrecognised", "lifecycle.mlflow_stage", "'%.100s' is no stage we know",
			      stage);
	/* None is what MLflow says when nobody set a stage */
	claim.given = claim.stage != VW_STAGE_NONE;
	claim.raw = stage;
	return claim;
}

static struct claim claim_of_aliases(struct vw_draft *draft, const vw_lifecycle *lifecycle)
{
	struct claim claim = {0};
	for (size_t i = 0; i < lifecycle->n_aliases; i++) {
		enum vw_stage stage;
		if (!vw_mapping_stage(draft->mapping, lifecycle->aliases[i], &stage))
			continue;
		if (claim.given && stage <= claim.stage)
			continue;
		claim = (struct claim){true, stage, NULL, lifecycle->aliases[i]};
	}
	if (claim.given)
		claim.from = vw_arena_printf(draft->arena, "alias:%s", claim.raw);
	return claim;
}

static struct claim claim_of_tag(struct vw_draft *draft)
{
	struct claim claim = {0};
	const char *word = vw_tags_peek(draft, VW_TAG_STAGE);
	if (!word || !vw_mapping_stage(draft->mapping, word, &claim.stage))
		return claim;
	claim.given = true;
	claim.from = vw_tags_from(draft, &draft->hits[VW_TAG_STAGE]);
	claim.raw = word;
	return claim;
}

static void warn_disagreement(struct vw_draft *draft, const struct claim *taken, const struct claim *other)
{
	if (!other->given || other->stage == taken->stage)
		return;
	vw_draft_warn(draft, "stage_sources_disagree", "lifecycle.lifecycle_stage",
		      "%.150s says %s, %.150s says %s: the first was taken", taken->from,
		      vw_stage_names[taken->stage], other->from, vw_stage_names[other->stage]);
}

/* The first of stage, alias and tag that says something; None if none does. */
static void resolve_stage(struct vw_draft *draft, vw_lifecycle *lifecycle)
{
	const char *field = vw_tag_field_name(VW_TAG_STAGE);
	struct claim claims[] = {claim_of_stage(draft, lifecycle->mlflow_stage), claim_of_aliases(draft, lifecycle),
				 claim_of_tag(draft)};
	size_t count = sizeof(claims) / sizeof(claims[0]);
	size_t taken = 0;
	while (taken < count && !claims[taken].given)
		taken++;
	if (taken == count) {
		/* of a version that could not be read it is not known that it is nowhere */
		bool unseen = !lifecycle->mlflow_stage && vw_reason_given(draft->in, VW_REASON_VERSION_FETCH_FAILED);
		lifecycle->lifecycle_stage = unseen ? NULL : (char *)vw_stage_names[VW_STAGE_NONE];
		return;
	}
	const struct claim *claim = &claims[taken];
	if (!claim->from)
		return;
	lifecycle->lifecycle_stage = (char *)vw_stage_names[claim->stage];
	vw_draft_from(draft, field, claim->from,
		      strcmp(claim->raw, lifecycle->lifecycle_stage) == 0 ? NULL : claim->raw);
	for (size_t i = taken + 1; i < count; i++) {
		if (claims[i].from)
			warn_disagreement(draft, claim, &claims[i]);
	}
}

static const char *status_of_stage(const char *stage)
{
	if (!stage)
		return NULL;
	if (strcmp(stage, vw_stage_names[VW_STAGE_PRODUCTION]) == 0)
		return "deployed";
	if (strcmp(stage, vw_stage_names[VW_STAGE_STAGING]) == 0)
		return "pre_deployment";
	return strcmp(stage, vw_stage_names[VW_STAGE_ARCHIVED]) == 0 ? "retired" : "not_deployed";
}

/* Mirrors the stage, unless a tag says otherwise (S7.2). */
static void resolve_deployment(struct vw_draft *draft, vw_lifecycle *lifecycle)
{
	const char *mirrored = status_of_stage(lifecycle->lifecycle_stage);
	const char *raw = vw_tags_peek(draft, VW_TAG_DEPLOYMENT);
	const char *tagged = raw ? vw_coerce_deployment(raw) : NULL;
	lifecycle->deployment_status = (char *)(tagged ? tagged : mirrored);
	if (!tagged && mirrored)
		vw_draft_from(draft, vw_tag_field_name(VW_TAG_DEPLOYMENT), "lifecycle.lifecycle_stage", NULL);
	if (!tagged)
		return;
	vw_tags_note(draft, VW_TAG_DEPLOYMENT, raw, tagged);
	if (mirrored && strcmp(tagged, mirrored) != 0)
		vw_draft_warn(draft, "deployment_status_disagrees", "lifecycle.deployment_status",
			      "the tag says %s, the stage %s means %s: the tag was taken", tagged,
			      lifecycle->lifecycle_stage, mirrored);
}

static void fill_status(struct vw_draft *draft, vw_lifecycle *lifecycle)
{
	const char *field = "lifecycle.version_status";
	lifecycle->version_status = vw_draft_text(draft, field, draft->version->status);
	const char *const *known = statuses;
	while (lifecycle->version_status && *known && strcmp(*known, lifecycle->version_status) != 0)
		known++;
	if (!*known)
		vw_draft_warn(draft, "value_unrecognised", field, "'%.100s' is no status we know; kept as given",
			      lifecycle->version_status);
}

void vw_fill_lifecycle(struct vw_draft *draft)
{
	const vw_model_version *v = draft->version;
	vw_lifecycle *lifecycle = VW_NEW(draft, lifecycle);
	if (!lifecycle)
		return;
	lifecycle->version_number = draft->record->version_number;
	lifecycle->mlflow_stage = vw_draft_text(draft, "lifecycle.mlflow_stage", v->current_stage);
	lifecycle->version_description = vw_draft_text(draft, "lifecycle.version_description", v->description);
	lifecycle->source_run_id = vw_draft_text(draft, "lifecycle.source_run_id", v->run_id);
	lifecycle->source_artifact_uri = vw_draft_uri(draft, "lifecycle.source_artifact_uri", v->source);
	lifecycle->has_created_at = vw_draft_time(draft, "lifecycle.created_at", v->has_creation_timestamp,
						  v->creation_timestamp, &lifecycle->created_at);
	lifecycle->has_last_updated_at =
	    vw_draft_time(draft, "lifecycle.last_updated_at", v->has_last_updated_timestamp,
			  v->last_updated_timestamp, &lifecycle->last_updated_at);
	vw_draft_map(draft, "lifecycle.tags", v->tags, v->n_tags, &lifecycle->tags, &lifecycle->n_tags);
	fill_aliases(draft, lifecycle);
	fill_status(draft, lifecycle);
	resolve_stage(draft, lifecycle);
	resolve_deployment(draft, lifecycle);
	draft->record->lifecycle = lifecycle;
}
