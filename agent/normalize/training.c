/* What the training run says: times, metrics, parameters, evaluation tags (S7.3). */
#include "draft.h"

#include "base/limits.h"
#include "base/text.h"
#include "clean.h"
#include "metrics.h"
#include "proto/message.h"

#include <string.h>

static const char *const statuses[] = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED", NULL};

static void fill_run_info(struct vw_draft *draft, vw_training *training)
{
	const vw_run *run = draft->run;
	const char *field = "training.training_status";
	training->training_status = vw_draft_text(draft, field, run->status);
	const char *const *known = statuses;
	while (training->training_status && *known && strcmp(*known, training->training_status) != 0)
		known++;
	if (!*known)
		vw_draft_warn(draft, "value_unrecognised", field, "'%.100s' is no status we know; kept as given",
			      training->training_status);
	training->has_training_started_at = vw_draft_time(draft, "training.training_started_at", run->has_start_time,
							  run->start_time, &training->training_started_at);
	training->has_training_ended_at = vw_draft_time(draft, "training.training_ended_at", run->has_end_time,
							run->end_time, &training->training_ended_at);
}

static void fill_evaluation_tags(struct vw_draft *draft, vw_training *training)
{
	const struct vw_place_list *tags = &draft->places[VW_PLACE_RUN_TAG];
	struct vw_list found = {0};
	for (size_t i = 0; i < tags->count; i++) {
		if (vw_mapping_is_evaluation(draft->mapping, tags->items[i]->key))
			vw_list_add(draft->arena, &found, tags->items[i]);
	}
	vw_draft_map(draft, "training.evaluation_tags", (vw_key_value *const *)found.items, found.count,
		     &training->evaluation_tags, &training->n_evaluation_tags);
}

void vw_fill_training(struct vw_draft *draft)
{
	bool unseen = !draft->run && vw_non_empty(draft->version->run_id);
	bool has_metrics = draft->logged_model && draft->logged_model->n_metrics > 0;
	/* a section that could not be seen is absent; that of a version without a run is there, and empty */
	if (unseen && !has_metrics)
		return;
	vw_training *training = VW_NEW(draft, training);
	if (!training)
		return;
	if (draft->run) {
		fill_run_info(draft, training);
		fill_evaluation_tags(draft, training);
		vw_draft_map(draft, "training.hyperparameters", draft->run->params, draft->run->n_params,
			     &training->hyperparameters, &training->n_hyperparameters);
	}
	vw_metrics_merge(draft, training);
	draft->record->training = training;
}
