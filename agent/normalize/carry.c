/* What became unreadable is taken over from the previous record (record.md, "Completeness").
 *
 * The run, experiment, version or logged model is made again as far as the previous record knew it, and goes the same way
 * as one that was read: so precedence, vocabularies and provenance are the same, and a second pass changes nothing. */
#include "draft.h"

#include "proto/message.h"

#include <string.h>

bool vw_reason_given(const struct vw_normalize_input *in, const char *code)
{
	for (size_t i = 0; i < in->reason_count; i++) {
		if (strcmp(in->reasons[i].code, code) == 0)
			return true;
	}
	return false;
}

/* A reason other than run_deleted that begins so. */
static bool reason_begins(const struct vw_normalize_input *in, const char *prefix)
{
	for (size_t i = 0; i < in->reason_count; i++) {
		const char *code = in->reasons[i].code;
		if (strncmp(code, prefix, strlen(prefix)) == 0 && strcmp(code, VW_REASON_RUN_DELETED) != 0)
			return true;
	}
	return false;
}

static bool same_text(const char *a, const char *b)
{
	return vw_non_empty(a) && vw_non_empty(b) && strcmp(a, b) == 0;
}

/* ---- A version that could not be fetched ---- */

static void carry_version(struct vw_draft *draft)
{
	const vw_lifecycle *before = draft->in->previous->lifecycle;
	vw_model_version *v = VW_NEW(draft, model_version);
	if (!v || !before)
		return;
	*v = *draft->in->version;
	v->current_stage = v->current_stage ? v->current_stage : before->mlflow_stage;
	v->status = v->status ? v->status : before->version_status;
	v->description = v->description ? v->description : before->version_description;
	v->run_id = v->run_id ? v->run_id : before->source_run_id;
	v->source = v->source ? v->source : before->source_artifact_uri;
	if (v->n_tags == 0) {
		v->tags = before->tags;
		v->n_tags = before->n_tags;
	}
	if (v->n_aliases == 0) {
		v->aliases = before->aliases;
		v->n_aliases = before->n_aliases;
	}
	if (!v->has_creation_timestamp && before->has_created_at)
		VW_SET(v, creation_timestamp, before->created_at);
	if (!v->has_last_updated_timestamp && before->has_last_updated_at)
		VW_SET(v, last_updated_timestamp, before->last_updated_at);
	draft->version = v;
	draft->version_carried = true;
}

/* ---- A field's value, back into the tag that it came from ---- */

/* What the tag said: the value before it was normalised, where the two differ. */
static char *said(struct vw_draft *draft, const vw_provenance *p)
{
	const vw_record *before = draft->in->previous;
	struct vw_field_path path;
	if (p->raw)
		return p->raw;
	/* a list that is not its own raw text has exactly one item */
	if (!vw_field_resolve(before->base.descriptor, p->field, &path))
		return NULL;
	return vw_field_text(draft->arena, &before->base, &path, 0);
}

/* Adds the tags of `place` ("run_tag:") that the previous record names to a list, unless they are there already. */
static void add_tags(struct vw_draft *draft, const char *place, struct vw_list *tags)
{
	const vw_record *before = draft->in->previous;
	for (size_t i = 0; i < before->n_provenance; i++) {
		const vw_provenance *p = before->provenance[i];
		if (!p->field || !p->from || strncmp(p->from, place, strlen(place)) != 0)
			continue;
		const char *key = p->from + strlen(place);
		char *value = said(draft, p);
		vw_key_value *tag = VW_NEW(draft, key_value);
		if (!value || !tag || vw_tag_value((vw_key_value *const *)tags->items, tags->count, key))
			continue;
		tag->key = (char *)key;
		tag->value = value;
		vw_list_add(draft->arena, tags, tag);
	}
}

static void add_tag(struct vw_draft *draft, struct vw_list *tags, const char *key, char *value)
{
	vw_key_value *tag = value ? VW_NEW(draft, key_value) : NULL;
	if (!tag)
		return;
	tag->key = (char *)key;
	tag->value = value;
	vw_list_add(draft->arena, tags, tag);
}

/* ---- A run that cannot be read any more ---- */

static void training_of_run(struct vw_draft *draft, vw_run *run, struct vw_list *tags)
{
	const vw_training *before = draft->in->previous->training;
	if (!before)
		return;
	run->status = before->training_status;
	if (before->has_training_started_at)
		VW_SET(run, start_time, before->training_started_at);
	if (before->has_training_ended_at)
		VW_SET(run, end_time, before->training_ended_at);
	run->metrics = before->metrics;
	run->n_metrics = before->n_metrics;
	run->params = before->hyperparameters;
	run->n_params = before->n_hyperparameters;
	for (size_t i = 0; i < before->n_evaluation_tags; i++)
		vw_list_add(draft->arena, tags, before->evaluation_tags[i]);
}

static vw_dataset_input *input_of(struct vw_draft *draft, const vw_dataset *dataset)
{
	struct vw_list tags = {0};
	vw_dataset_input *input = VW_NEW(draft, dataset_input);
	if (!input)
		return NULL;
	input->name = dataset->name;
	input->digest = dataset->digest;
	input->source_type = dataset->source_type;
	input->source = dataset->source;
	add_tag(draft, &tags, "mlflow.data.context", dataset->context);
	input->tags = (vw_key_value **)tags.items;
	input->n_tags = tags.count;
	return input;
}

static void lineage_of_run(struct vw_draft *draft, vw_run *run, struct vw_list *tags)
{
	const vw_lineage *before = draft->in->previous->lineage;
	struct vw_list inputs = {0};
	if (!before)
		return;
	run->experiment_id = before->experiment_id;
	run->artifact_uri = before->artifact_uri;
	add_tag(draft, tags, "mlflow.parentRunId", before->parent_run_id);
	for (size_t i = 0; i < before->n_datasets; i++)
		vw_list_add(draft->arena, &inputs, input_of(draft, before->datasets[i]));
	run->dataset_inputs = (vw_dataset_input **)inputs.items;
	run->n_dataset_inputs = inputs.count;
	if (before->logged_model_id) {
		run->model_outputs = vw_arena_memdup(draft->arena, &before->logged_model_id, sizeof(char *));
		run->n_model_outputs = run->model_outputs ? 1 : 0;
	}
}

/* Only a run that was seen once can be taken over: there is at least its status or its experiment. */
static bool run_was_seen(const vw_record *before)
{
	return (before->training && before->training->training_status) ||
	       (before->lineage && before->lineage->experiment_id);
}

static void carry_run(struct vw_draft *draft)
{
	const vw_record *before = draft->in->previous;
	struct vw_list tags = {0};
	vw_run *run = VW_NEW(draft, run);
	if (!run || !run_was_seen(before))
		return;
	run->run_id = draft->version->run_id;
	training_of_run(draft, run, &tags);
	lineage_of_run(draft, run, &tags);
	add_tags(draft, "run_tag:", &tags);
	for (size_t i = 0; i < before->n_provenance; i++) {
		if (before->provenance[i]->from && strcmp(before->provenance[i]->from, "run:user_id") == 0)
			run->user_id = before->identity ? before->identity->owner : NULL;
	}
	run->tags = (vw_key_value **)tags.items;
	run->n_tags = tags.count;
	draft->run = run;
	draft->run_carried = true;
}

/* ---- Its experiment, and the logged model ---- */

static void carry_experiment(struct vw_draft *draft)
{
	const vw_lineage *before = draft->in->previous->lineage;
	struct vw_list tags = {0};
	vw_experiment *experiment = VW_NEW(draft, experiment);
	if (!experiment || !before || !draft->run || !same_text(before->experiment_id, draft->run->experiment_id))
		return;
	experiment->experiment_id = before->experiment_id;
	experiment->name = before->experiment_name;
	add_tags(draft, "experiment_tag:", &tags);
	experiment->tags = (vw_key_value **)tags.items;
	experiment->n_tags = tags.count;
	draft->experiment = experiment;
	draft->experiment_carried = true;
}

static bool run_has_metric(const vw_run *run, const vw_metric *metric)
{
	for (size_t i = 0; run && i < run->n_metrics; i++) {
		const vw_metric *other = run->metrics[i];
		bool one_without = !other->dataset && !metric->dataset;
		if (same_text(other->key, metric->key) && (one_without || same_text(other->dataset, metric->dataset)))
			return true;
	}
	return false;
}

/* The metrics that the run does not have, so that were the logged model's. */
static void carry_logged_model(struct vw_draft *draft)
{
	const vw_record *before = draft->in->previous;
	struct vw_list metrics = {0};
	vw_logged_model *model = VW_NEW(draft, logged_model);
	if (!model || !before->training || !before->lineage || !before->lineage->logged_model_id)
		return;
	for (size_t i = 0; i < before->training->n_metrics; i++) {
		if (!run_has_metric(draft->run, before->training->metrics[i]))
			vw_list_add(draft->arena, &metrics, before->training->metrics[i]);
	}
	if (metrics.count == 0)
		return;
	model->model_id = before->lineage->logged_model_id;
	model->metrics = (vw_metric **)metrics.items;
	model->n_metrics = metrics.count;
	draft->logged_model = model;
	draft->metrics_carried = true;
}

void vw_carry_over(struct vw_draft *draft)
{
	const struct vw_normalize_input *in = draft->in;
	const vw_lifecycle *before = in->previous ? in->previous->lifecycle : NULL;
	bool no_version = vw_reason_given(in, VW_REASON_VERSION_FETCH_FAILED);
	if (!before)
		return;
	if (no_version)
		carry_version(draft);
	/* a version that was registered anew from another run has nothing to do with the old one's */
	if (!same_text(draft->version->run_id, before->source_run_id))
		return;
	bool no_run =
	    !in->run && (no_version || reason_begins(in, "run_") || vw_reason_given(in, VW_REASON_RESPONSE_INVALID));
	if (no_run)
		carry_run(draft);
	if (!in->experiment && (no_run || reason_begins(in, "experiment_")))
		carry_experiment(draft);
	if (!in->logged_model && !draft->run_carried && vw_reason_given(in, VW_REASON_LOGGED_MODEL_FETCH_FAILED))
		carry_logged_model(draft);
}

/* ---- What of it is in the record ---- */

static bool begins(const char *text, const char *prefix)
{
	return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

/* True if the section that holds this field is named as a whole. */
static bool in_stale_section(const struct vw_draft *draft, const char *field)
{
	return (draft->run_carried && begins(field, "lineage.")) ||
	       (draft->version_carried && begins(field, "lifecycle."));
}

void vw_carry_mark(struct vw_draft *draft)
{
	if (draft->version_carried)
		vw_draft_stale(draft, "lifecycle");
	if (draft->run_carried && draft->in->previous->training)
		vw_draft_stale(draft, "training");
	if (draft->run_carried && draft->in->previous->lineage)
		vw_draft_stale(draft, "lineage");
	if (draft->experiment_carried && !draft->run_carried && draft->record->lineage->experiment_name)
		vw_draft_stale(draft, "lineage.experiment_name");
	if (draft->metrics_carried)
		vw_draft_stale(draft, "training.metrics");
	for (size_t i = 0; i < draft->provenance.count; i++) {
		const vw_provenance *p = draft->provenance.items[i];
		bool of_run = begins(p->from, "run_") || begins(p->from, "run:");
		bool of_experiment = begins(p->from, "experiment_tag:");
		bool of_version = begins(p->from, "version_tag:") || begins(p->from, "version:");
		bool carried = (of_run && draft->run_carried) || (of_experiment && draft->experiment_carried) ||
			       (of_version && draft->version_carried);
		if (carried && !in_stale_section(draft, p->field))
			vw_draft_stale(draft, p->field);
	}
}
