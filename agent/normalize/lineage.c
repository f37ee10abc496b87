/* Where a version comes from: run, experiment, code, data (S7.4). */
#include "draft.h"

#include "base/text.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#define MODELS_SCHEME "models:/"

char *vw_source_model_id(struct vw_arena *arena, const char *source)
{
	if (!source || strncmp(source, MODELS_SCHEME, strlen(MODELS_SCHEME)) != 0)
		return NULL;
	const char *id = source + strlen(MODELS_SCHEME);
	id += strspn(id, "/");
	size_t len = strcspn(id, "/");
	/* models:/name/3 and models:/name@alias are other models; m-… alone is a logged one */
	if (strncmp(id, "m-", 2) != 0 || id[len + strspn(id + len, "/")] || memchr(id, '@', len))
		return NULL;
	return vw_arena_strndup(arena, id, len);
}

/* The logged model that the version was registered from. A run can log several: then only the source can tell. */
static void fill_logged_model(struct vw_draft *draft, vw_lineage *lineage)
{
	const vw_run *run = draft->run;
	const char *field = "lineage.logged_model_id";
	const char *from = "version:source";
	char *id = vw_source_model_id(draft->arena, draft->version->source);
	if (!id && draft->logged_model) {
		id = draft->logged_model->model_id;
		from = "logged_model:model_id";
	}
	if (!vw_non_empty(id) && run && run->n_model_outputs == 1) {
		id = run->model_outputs[0];
		from = "run:model_outputs";
	}
	lineage->logged_model_id = vw_draft_text(draft, field, id);
	if (lineage->logged_model_id)
		vw_draft_from(draft, field, from, NULL);
}

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* By everything, name, digest and context first: equal ones are one. */
static int compare_datasets(const void *a, const void *b)
{
	const vw_dataset *x = *(vw_dataset *const *)a;
	const vw_dataset *y = *(vw_dataset *const *)b;
	int order = compare_texts(x->name, y->name);
	order = order ? order : compare_texts(x->digest, y->digest);
	order = order ? order : compare_texts(x->context, y->context);
	order = order ? order : compare_texts(x->source_type, y->source_type);
	return order ? order : compare_texts(x->source, y->source);
}

static vw_dataset *dataset_of(struct vw_draft *draft, const vw_dataset_input *input)
{
	const char *field = "lineage.datasets";
	vw_dataset *dataset = VW_NEW(draft, dataset);
	if (!dataset)
		return NULL;
	dataset->name = vw_draft_text(draft, field, input->name);
	dataset->digest = vw_draft_text(draft, field, input->digest);
	dataset->source_type = vw_draft_text(draft, field, input->source_type);
	dataset->source = vw_draft_reference(draft, vw_draft_text(draft, field, input->source));
	dataset->context =
	    vw_draft_text(draft, field, vw_tag_value(input->tags, input->n_tags, "mlflow.data.context"));
	return dataset;
}

static void fill_datasets(struct vw_draft *draft, vw_lineage *lineage)
{
	struct vw_list list = {0};
	size_t kept = 0;
	for (size_t i = 0; i < draft->run->n_dataset_inputs; i++)
		vw_list_add(draft->arena, &list, dataset_of(draft, draft->run->dataset_inputs[i]));
	if (list.count == 0)
		return;
	qsort(list.items, list.count, sizeof(*list.items), compare_datasets);
	for (size_t i = 1; i < list.count; i++) {
		if (compare_datasets(&list.items[kept], &list.items[i]) != 0)
			list.items[++kept] = list.items[i];
	}
	lineage->datasets = (vw_dataset **)list.items;
	lineage->n_datasets = kept + 1;
}

/* "name@digest" of a dataset that the run says it was trained on: that of the first in the record's order. */
static void reference_from_inputs(struct vw_draft *draft, vw_lineage *lineage)
{
	for (size_t i = 0; i < lineage->n_datasets; i++) {
		const vw_dataset *d = lineage->datasets[i];
		bool training =
		    vw_text_equal_nocase(d->context, "training") || vw_text_equal_nocase(d->context, "train");
		if (!d->name || !training)
			continue;
		lineage->dataset_reference =
		    d->digest ? vw_arena_printf(draft->arena, "%s@%s", d->name, d->digest) : d->name;
		vw_draft_from(draft, vw_tag_field_name(VW_TAG_DATASET),
			      vw_arena_printf(draft->arena, "run_input:%s", d->name), NULL);
		return;
	}
}

static bool is_commit(const char *text)
{
	size_t digits = strspn(text, "0123456789abcdefABCDEF");
	return digits >= 7 && digits <= 64 && !text[digits];
}

static void fill_code(struct vw_draft *draft, vw_lineage *lineage)
{
	lineage->code_commit = vw_tags_text(draft, VW_TAG_COMMIT);
	if (lineage->code_commit && !is_commit(lineage->code_commit))
		vw_draft_warn(draft, "value_unrecognised", vw_tag_field_name(VW_TAG_COMMIT),
			      "'%.100s' is no commit's hash; kept as given", lineage->code_commit);
	lineage->code_repository = vw_uri_redact(draft->arena, vw_tags_text(draft, VW_TAG_REPOSITORY));
	lineage->code_branch = vw_tags_text(draft, VW_TAG_BRANCH);
	lineage->code_dirty = vw_tags_text(draft, VW_TAG_DIRTY);
	lineage->training_entrypoint = vw_draft_reference(draft, vw_tags_text(draft, VW_TAG_ENTRYPOINT));
}

void vw_fill_lineage(struct vw_draft *draft)
{
	const vw_run *run = draft->run;
	vw_lineage *lineage = VW_NEW(draft, lineage);
	if (!lineage)
		return;
	if (run) {
		lineage->experiment_id = vw_draft_text(draft, "lineage.experiment_id", run->experiment_id);
		lineage->artifact_uri = vw_draft_uri(draft, "lineage.artifact_uri", run->artifact_uri);
		const struct vw_tag_hit *parent = &draft->hits[VW_TAG_PARENT_RUN];
		if (parent->entry)
			lineage->parent_run_id = vw_draft_text(draft, "lineage.parent_run_id", parent->entry->value);
		fill_datasets(draft, lineage);
	}
	if (draft->experiment)
		lineage->experiment_name = vw_draft_text(draft, "lineage.experiment_name", draft->experiment->name);
	fill_code(draft, lineage);
	lineage->dataset_reference = vw_draft_reference(draft, vw_tags_text(draft, VW_TAG_DATASET));
	if (!lineage->dataset_reference)
		reference_from_inputs(draft, lineage);
	fill_logged_model(draft, lineage);
	draft->record->lineage = lineage;
}
