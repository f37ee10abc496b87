/* page.c: one page of versions, from the listing to the ledger.
 *
 * What the versions refer to is fetched in steps, each started when the one before has come back: runs and logged models in
 * batches, then the runs that the batch did not give (one by one: the server's search drops some ids silently), then the experiments
 * nobody listed. Several pages are under way at once. */
#include "page.h"

#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#define LOGGED_MODEL_URI "models:/m-"

static const char *logged_model_id(const vw_model_version *version)
{
	if (!version->source || strncmp(version->source, LOGGED_MODEL_URI, strlen(LOGGED_MODEL_URI)) != 0)
		return NULL;
	return version->source + strlen("models:/");
}

const char *page_run_id(const vw_model_version *version)
{
	return version->run_id && version->run_id[0] ? version->run_id : NULL;
}

static int compare_references(const void *a, const void *b)
{
	return strcmp(((const struct reference *)a)->id, ((const struct reference *)b)->id);
}

static struct reference *collect(struct page *page, const char *(*id_of)(const vw_model_version *), size_t *out_count)
{
	struct reference *list = vw_arena_array(page->arena, page->count, sizeof(*list));
	size_t count = 0, unique = 0;
	*out_count = 0;
	if (!list)
		return NULL;
	for (size_t i = 0; i < page->count; i++)
		if (id_of(page->versions[i]))
			list[count++].id = id_of(page->versions[i]);
	if (count > 0)
		qsort(list, count, sizeof(*list), compare_references);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || strcmp(list[i].id, list[unique - 1].id) != 0)
			list[unique++] = list[i];
	*out_count = unique;
	return list;
}

struct reference *page_find(struct reference *list, size_t count, const char *id)
{
	struct reference key = {.id = id};
	if (!id || count == 0)
		return NULL;
	return bsearch(&key, list, count, sizeof(*list), compare_references);
}

static void page_close(struct page *page)
{
	struct sync *sync = page->sync;
	for (size_t i = 0; i < page->answer_count; i++)
		vw_arena_close(page->answers[i]);
	free(page->answers);
	vw_arena_close(page->arena);
	free(page);
	sync_page_done(sync);
}

void page_out_of_memory(struct sync *sync)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_error_set(&err, VW_ENOMEM, "no memory for a page of model versions");
	sync_fail(sync, VW_ENOMEM, &err);
}

void page_keep_answer(struct page *page, const struct vw_mlflow_answer *answer)
{
	if (page->answer_count == page->answer_size) {
		size_t size = page->answer_size ? 2 * page->answer_size : 8;
		struct vw_arena **answers = realloc(page->answers, size * sizeof(*answers));
		if (!answers) {
			page_out_of_memory(page->sync); /* nothing of the page is looked at any more */
			return;
		}
		page->answers = answers;
		page->answer_size = size;
	}
	page->answers[page->answer_count++] = vw_mlflow_take(answer);
}

/* ---- recording ---- */

static void run_reason(struct version_facts *facts, int code)
{
	/* texts without times or request numbers: they are part of the record's hash */
	if (code == VW_EFORBIDDEN)
		sync_add_reason(facts, VW_REASON_RUN_FORBIDDEN, "this credential may not read the training run");
	else if (code == VW_ENOTFOUND)
		sync_add_reason(facts, VW_REASON_RUN_NOT_FOUND, "the training run does not exist any more");
	else if (code == VW_EINVAL)
		sync_add_reason(facts, VW_REASON_RESPONSE_INVALID,
				"the server's answer about the training run is not valid");
	else if (code == VW_ELIMIT)
		sync_add_reason(facts, VW_REASON_VALUE_TOO_LARGE,
				"the server's answer about the training run is too large");
	else
		sync_add_reason(facts, VW_REASON_RUN_FETCH_FAILED,
				"the server failed when asked for the training run");
}

static void run_facts(struct version_facts *facts, const struct reference *r)
{
	facts->run = r->run;
	facts->experiment_code = r->experiment_code;
	if (!r->run) {
		run_reason(facts, r->code);
		return;
	}
	sync_add_flaws(facts, r->run->flaws);
	if (r->run->lifecycle_stage && strcmp(r->run->lifecycle_stage, "deleted") == 0)
		sync_add_reason(facts, VW_REASON_RUN_DELETED, "the training run is deleted in MLflow");
}

static void logged_model_facts(struct version_facts *facts, const struct reference *r)
{
	facts->logged_model = r->logged_model;
	if (r->logged_model)
		sync_add_flaws(facts, r->logged_model->flaws);
	else if (r->code && r->code != VW_EUNSUPPORTED && r->code != VW_ENOTFOUND)
		sync_add_reason(facts, VW_REASON_LOGGED_MODEL_FETCH_FAILED, "the logged model could not be read");
}

static void record(struct page *page)
{
	struct sync *sync = page->sync;
	struct vw_error err = VW_ERROR_INIT;
	struct version_facts *facts = vw_arena_array(page->arena, page->count, sizeof(*facts));
	if (!facts) {
		page_out_of_memory(sync);
		return;
	}
	for (size_t i = 0; i < page->count; i++) {
		struct reference *run = page_find(page->runs, page->run_count, page_run_id(page->versions[i]));
		struct reference *logged =
		    page_find(page->logged_models, page->logged_model_count, logged_model_id(page->versions[i]));
		facts[i].version = page->versions[i];
		sync_add_flaws(&facts[i], page->versions[i]->flaws);
		if (run)
			run_facts(&facts[i], run);
		if (logged)
			logged_model_facts(&facts[i], logged);
	}
	for (size_t i = 0; i < page->run_count; i++)
		sync->runs_read += page->runs[i].run != NULL;
	int code = sync_record_versions(sync, page->arena, facts, page->count, &err);
	if (code < 0)
		sync_fail(sync, code, &err);
}

/* Which runs and logged models the versions name: known once it is settled which versions stay. */
static void collect_references(struct page *page)
{
	page_choose(page);
	page->runs = collect(page, page_run_id, &page->run_count);
	page->logged_models = collect(page, logged_model_id, &page->logged_model_count);
	if (page->count > 0 && (!page->runs || !page->logged_models))
		page_out_of_memory(page->sync);
}

static void start_step(struct page *page)
{
	switch (page->step) {
	case STEP_MODELS:
		page_ask_models(page);
		return;
	case STEP_BATCHES:
		collect_references(page);
		if (!sync_stopped(page->sync))
			page_ask_batches(page);
		return;
	case STEP_SINGLE_RUNS:
		page_ask_single_runs(page);
		return;
	case STEP_EXPERIMENTS:
		page_ask_experiments(page);
		return;
	case STEP_RECORD:
		record(page);
	}
}

/* Goes on to the next step whenever nothing of this one is outstanding. */
static void advance(struct page *page)
{
	while (page->outstanding == 0) {
		if (sync_stopped(page->sync) || page->step > STEP_RECORD) {
			page_close(page);
			return;
		}
		page->outstanding++; /* held while calls are started */
		start_step(page);
		page->step++;
		page->outstanding--;
	}
}

void page_returned(struct page *page)
{
	page->outstanding--;
	advance(page);
}

void sync_page_start(struct sync *sync, const struct vw_mlflow_answer *answer)
{
	struct page *page = calloc(1, sizeof(*page));
	if (!page) {
		page_out_of_memory(sync);
		sync_page_done(sync);
		return;
	}
	page->sync = sync;
	for (size_t i = 0; i < answer->count; i++) {
		vw_model_version *version = answer->versions[i];
		if (vw_mask_version(sync->cx->masker, *answer->arena, version) < 0)
			page_out_of_memory(sync);
		if (vw_mlflow_flaws(answer, version))
			VW_SET(version, flaws, vw_mlflow_flaws(answer, version));
	}
	page->versions = answer->versions;
	page->count = answer->count;
	page->arena = vw_mlflow_take(answer);
	advance(page);
}
