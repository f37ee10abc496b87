/* page.c: one page of versions, from the listing to the ledger.
 *
 * What the versions refer to is fetched in steps, each started when the one before has come back: runs and logged models in
 * batches, then the runs that the batch did not give (one by one: the server's search drops some ids silently), then the experiments
 * nobody listed. Several pages are under way at once. */
#include "internal.h"

#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#define LOGGED_MODELS_PER_CALL 50 /* logged-models/search answers no more */
#define LOGGED_MODEL_URI       "models:/m-"

enum step { STEP_BATCHES, STEP_SINGLE_RUNS, STEP_EXPERIMENTS, STEP_RECORD };

/* A run or a logged model that a version of this page names. */
struct reference {
	const char *id;
	vw_run *run;
	vw_logged_model *logged_model;
	unsigned flaws; /* VW_FLAW_... of what is there */
	int code;       /* why it is not there; VW_OK before it was asked for */
	const char *message;
};

struct page {
	struct sync *sync;
	struct vw_arena *arena; /* the versions' */
	vw_model_version **versions;
	unsigned *flaws; /* of the versions */
	size_t count;
	struct reference *runs, *logged_models; /* sorted by id, unique */
	size_t run_count, logged_model_count;
	struct vw_arena **answers; /* arenas of batches, kept until the page is recorded */
	size_t answer_count, answer_size;
	int outstanding;
	enum step step;
};

struct single {
	struct page *page;
	struct reference *reference;
};

static void advance(struct page *page);

static const char *logged_model_id(const vw_model_version *version)
{
	if (!version->source || strncmp(version->source, LOGGED_MODEL_URI, strlen(LOGGED_MODEL_URI)) != 0)
		return NULL;
	return version->source + strlen("models:/");
}

static const char *run_id(const vw_model_version *version)
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

static struct reference *find(struct reference *list, size_t count, const char *id)
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

/* Takes over a batch's arena; what it holds is referred to until the page is recorded. */
static bool keep_answer(struct page *page, const struct vw_mlflow_answer *answer)
{
	if (page->answer_count == page->answer_size) {
		size_t size = page->answer_size ? 2 * page->answer_size : 8;
		struct vw_arena **answers = realloc(page->answers, size * sizeof(*answers));
		if (!answers)
			return false;
		page->answers = answers;
		page->answer_size = size;
	}
	page->answers[page->answer_count++] = vw_mlflow_take(answer);
	return true;
}

static void out_of_memory(struct sync *sync)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_error_set(&err, VW_ENOMEM, "no memory for a page of model versions");
	sync_fail(sync, VW_ENOMEM, &err);
}

static void returned(struct page *page)
{
	page->outstanding--;
	advance(page);
}

/* ---- batches ---- */

static void runs_batch(void *arg, const struct vw_mlflow_answer *answer)
{
	struct page *page = arg;
	/* a batch that failed is no verdict on its runs: each is asked for by itself */
	if (answer->code == VW_EAUTH)
		sync_fail(page->sync, answer->code, answer->error);
	if (answer->code == 0 && !sync_stopped(page->sync)) {
		for (size_t i = 0; i < answer->count; i++) {
			struct reference *r = find(page->runs, page->run_count, answer->runs[i]->run_id);
			if (!r || vw_mask_run(page->sync->cx->masker, *answer->arena, answer->runs[i]) < 0)
				continue;
			r->run = answer->runs[i];
			r->flaws = vw_mlflow_flaws(answer, r->run);
		}
		if (!keep_answer(page, answer))
			out_of_memory(page->sync);
	}
	returned(page);
}

static void logged_models_batch(void *arg, const struct vw_mlflow_answer *answer)
{
	struct page *page = arg;
	if (sync_stopped(page->sync)) {
		returned(page);
		return;
	}
	for (size_t i = 0; i < answer->count; i++) {
		vw_logged_model *model = answer->logged_models[i];
		struct reference *r = find(page->logged_models, page->logged_model_count, model->model_id);
		if (!r || vw_mask_logged_model(page->sync->cx->masker, *answer->arena, model) < 0)
			continue;
		r->logged_model = model;
		r->flaws = vw_mlflow_flaws(answer, model);
	}
	if (answer->code == 0 && !keep_answer(page, answer))
		out_of_memory(page->sync);
	if (answer->code < 0)
		for (size_t i = 0; i < page->logged_model_count; i++)
			if (!page->logged_models[i].logged_model && !page->logged_models[i].code) {
				page->logged_models[i].code = answer->code;
				page->logged_models[i].message = vw_arena_strdup(page->arena, answer->error->message);
			}
	returned(page);
}

static void start_batches(struct page *page)
{
	struct sync *sync = page->sync;
	const char **ids = vw_arena_array(page->arena, page->count + 1, sizeof(*ids));
	const char *const *experiments = (const char *const *)sync->experiment_ids;
	if (!ids) {
		out_of_memory(sync);
		return;
	}
	for (size_t i = 0; i < page->run_count; i++)
		ids[i] = page->runs[i].id;
	if (page->run_count > 0 && sync->experiment_count > 0) {
		page->outstanding++;
		if (vw_mlflow_search_runs(sync->cx->client, experiments, sync->experiment_count, ids, page->run_count,
					  runs_batch, page) < 0)
			page->outstanding--; /* asked for one by one then */
	}
	for (size_t i = 0; i < page->logged_model_count; i++)
		ids[i] = page->logged_models[i].id;
	for (size_t at = 0; at < page->logged_model_count; at += LOGGED_MODELS_PER_CALL) {
		size_t n = page->logged_model_count - at;
		n = n < LOGGED_MODELS_PER_CALL ? n : LOGGED_MODELS_PER_CALL;
		page->outstanding++;
		if (vw_mlflow_search_logged_models(sync->cx->client, experiments, sync->experiment_count, ids + at, n,
						   logged_models_batch, page) < 0)
			page->outstanding--;
	}
}

/* ---- runs that no batch gave ---- */

static void single_run(void *arg, const struct vw_mlflow_answer *answer)
{
	struct single *single = arg;
	struct page *page = single->page;
	struct reference *r = single->reference;
	struct vw_error err = VW_ERROR_INIT;
	if (answer->code == VW_EAUTH)
		sync_fail(page->sync, answer->code, answer->error);
	r->code = answer->code;
	if (answer->code < 0)
		r->message = vw_arena_strdup(page->arena, answer->error->message);
	if (answer->code == 0 && answer->count == 1 && !sync_stopped(page->sync)) {
		/* copied, so that hundreds of answers don't each keep an arena */
		void *copy = NULL;
		r->flaws = vw_mlflow_flaws(answer, answer->runs[0]);
		size_t len = 0;
		uint8_t *bytes = NULL;
		if (vw_mask_run(page->sync->cx->masker, *answer->arena, answer->runs[0]) == 0)
			bytes = vw_message_pack(page->arena, &answer->runs[0]->base, &len);
		if (bytes && vw_message_unpack(page->arena, &verifywise__v1__run__descriptor, bytes, len, "run",
					       &copy, &err) == 0)
			r->run = copy;
		else
			out_of_memory(page->sync);
	}
	returned(page);
}

/* What the last record said of this run, if it was a verdict that a search which still does not give the run confirms. */
static int known_verdict(struct page *page, struct vw_txn *txn, const vw_model_version *version)
{
	struct sync *sync = page->sync;
	vw_version_index *index;
	vw_entry *entry;
	vw_record *record;
	const char *id = run_id(version);
	if (strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(id) ||
	    !strpbrk(id, "abcdefghijklmnopqrstuvwxyz"))
		return 0; /* the server's search drops such ids, its silence says nothing */
	if (vw_store_version(txn, page->arena, sync->workspace, version->name, version->version, &index, NULL) < 0 ||
	    vw_store_entry(txn, page->arena, index->sequence, &entry, NULL) < 0 || !entry->version ||
	    vw_store_record(page->arena, entry->version, &record, NULL) < 0)
		return 0;
	if (!record->lifecycle || !record->lifecycle->source_run_id ||
	    strcmp(record->lifecycle->source_run_id, id) != 0)
		return 0;
	for (size_t i = 0; record->completeness && i < record->completeness->n_reasons; i++) {
		const char *code = record->completeness->reasons[i]->code;
		if (code && strcmp(code, VW_REASON_RUN_FORBIDDEN) == 0)
			return VW_EFORBIDDEN;
		if (code && strcmp(code, VW_REASON_RUN_NOT_FOUND) == 0)
			return VW_ENOTFOUND;
	}
	return 0;
}

static void recall_verdicts(struct page *page)
{
	struct vw_txn *txn;
	if (vw_txn_begin_read(vw_store_kv(page->sync->cx->store), &txn, NULL) < 0)
		return;
	for (size_t i = 0; i < page->count; i++) {
		struct reference *r = find(page->runs, page->run_count, run_id(page->versions[i]));
		if (r && !r->run && !r->code)
			r->code = known_verdict(page, txn, page->versions[i]);
	}
	vw_txn_end(txn);
}

static void start_single_runs(struct page *page)
{
	if (page->answer_count > 0)
		recall_verdicts(page);
	for (size_t i = 0; i < page->run_count; i++) {
		struct reference *r = &page->runs[i];
		struct single *single;
		if (r->run || r->code)
			continue;
		single = vw_arena_alloc(page->arena, sizeof(*single));
		if (!single) {
			out_of_memory(page->sync);
			return;
		}
		*single = (struct single){page, r};
		page->outstanding++;
		if (vw_mlflow_get_run(page->sync->cx->client, r->id, single_run, single) < 0) {
			page->outstanding--;
			r->code = VW_EINVAL;
		}
	}
}

/* ---- experiments that nobody listed ---- */

struct fetched {
	struct sync *sync;
	vw_experiment *experiment;
	struct vw_arena *arena;
};

static int store_experiment(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct fetched *f = arg;
	return vw_store_put_experiment(txn, f->arena, f->sync->workspace, f->experiment, NULL, err);
}

static void single_experiment(void *arg, const struct vw_mlflow_answer *answer)
{
	struct page *page = arg;
	struct vw_error err = VW_ERROR_INIT;
	if (answer->code == 0 && answer->count == 1 && !sync_stopped(page->sync)) {
		struct fetched f = {page->sync, answer->experiments[0], *answer->arena};
		int code = vw_mask_experiment(page->sync->cx->masker, f.arena, f.experiment);
		if (code == 0)
			code = vw_kv_write(vw_store_kv(page->sync->cx->store), store_experiment, &f, &err);
		if (code < 0)
			sync_fail(page->sync, code, &err);
	}
	returned(page);
}

static void start_experiments(struct page *page)
{
	struct sync *sync = page->sync;
	struct vw_txn *txn;
	struct seen asked = {0};
	if (vw_txn_begin_read(vw_store_kv(sync->cx->store), &txn, NULL) < 0)
		return;
	for (size_t i = 0; i < page->run_count; i++) {
		const vw_run *run = page->runs[i].run;
		vw_experiment *known;
		if (!run || !run->experiment_id || seen_has(&asked, run->experiment_id, ""))
			continue;
		seen_add(&asked, run->experiment_id, "");
		if (vw_store_experiment(txn, page->arena, sync->workspace, run->experiment_id, &known, NULL) == 0)
			continue;
		page->outstanding++;
		if (vw_mlflow_get_experiment(sync->cx->client, run->experiment_id, single_experiment, page) < 0)
			page->outstanding--;
	}
	vw_txn_end(txn);
	seen_reset(&asked);
}

/* ---- recording ---- */

static void add_reason(struct version_facts *facts, const char *code, const char *text)
{
	if (facts->reason_count < sizeof(facts->reasons) / sizeof(facts->reasons[0]))
		facts->reasons[facts->reason_count++] = (struct vw_reason_text){code, text};
}

/* An object that came, but not with all that the server sent. */
static void flaw_reasons(struct version_facts *facts, unsigned flaws)
{
	if (flaws & VW_FLAW_CUT)
		add_reason(facts, VW_REASON_VALUE_TOO_LARGE,
			   "a value is larger than the agent takes and was left out");
	if (flaws & VW_FLAW_UNREADABLE)
		add_reason(facts, VW_REASON_RESPONSE_INVALID, "a value in the server's answer is not of its type");
}

static void run_reason(struct version_facts *facts, const struct reference *r)
{
	if (r->run) {
		if (r->run->lifecycle_stage && strcmp(r->run->lifecycle_stage, "deleted") == 0)
			add_reason(facts, VW_REASON_RUN_DELETED, "the training run is deleted in MLflow");
		return;
	}
	/* texts without times or request numbers: they are part of the record's hash */
	if (r->code == VW_EFORBIDDEN)
		add_reason(facts, VW_REASON_RUN_FORBIDDEN, "this credential may not read the training run");
	else if (r->code == VW_ENOTFOUND)
		add_reason(facts, VW_REASON_RUN_NOT_FOUND, "the training run does not exist any more");
	else if (r->code == VW_EINVAL)
		add_reason(facts, VW_REASON_RESPONSE_INVALID,
			   "the server's answer about the training run is not valid");
	else if (r->code == VW_ELIMIT)
		add_reason(facts, VW_REASON_VALUE_TOO_LARGE,
			   "the server's answer about the training run is too large");
	else
		add_reason(facts, VW_REASON_RUN_FETCH_FAILED, "the server failed when asked for the training run");
}

static void logged_model_reason(struct version_facts *facts, const struct reference *r)
{
	if (!r->logged_model && r->code && r->code != VW_EUNSUPPORTED && r->code != VW_ENOTFOUND)
		add_reason(facts, VW_REASON_LOGGED_MODEL_FETCH_FAILED, "the logged model could not be read");
}

static void record(struct page *page)
{
	struct sync *sync = page->sync;
	struct vw_error err = VW_ERROR_INIT;
	struct version_facts *facts = vw_arena_array(page->arena, page->count, sizeof(*facts));
	if (!facts) {
		out_of_memory(sync);
		return;
	}
	for (size_t i = 0; i < page->count; i++) {
		struct reference *run = find(page->runs, page->run_count, run_id(page->versions[i]));
		struct reference *logged =
		    find(page->logged_models, page->logged_model_count, logged_model_id(page->versions[i]));
		facts[i].version = page->versions[i];
		flaw_reasons(&facts[i], page->flaws[i] | (run ? run->flaws : 0) | (logged ? logged->flaws : 0));
		if (run) {
			facts[i].run = run->run;
			run_reason(&facts[i], run);
		}
		if (logged) {
			facts[i].logged_model = logged->logged_model;
			logged_model_reason(&facts[i], logged);
		}
	}
	int code = sync_record_versions(sync, page->arena, facts, page->count, &err);
	if (code < 0)
		sync_fail(sync, code, &err);
}

/* Goes on to the next step whenever nothing of this one is outstanding. */
static void advance(struct page *page)
{
	while (page->outstanding == 0) {
		if (sync_stopped(page->sync) || page->step == STEP_RECORD) {
			if (!sync_stopped(page->sync))
				record(page);
			page_close(page);
			return;
		}
		page->outstanding++; /* held while calls are started */
		switch (page->step) {
		case STEP_BATCHES:
			start_batches(page);
			break;
		case STEP_SINGLE_RUNS:
			start_single_runs(page);
			break;
		case STEP_EXPERIMENTS:
			start_experiments(page);
			break;
		case STEP_RECORD:
			break;
		}
		page->step++;
		page->outstanding--;
	}
}

void sync_page_start(struct sync *sync, const struct vw_mlflow_answer *answer)
{
	struct page *page = calloc(1, sizeof(*page));
	if (!page) {
		out_of_memory(sync);
		sync_page_done(sync);
		return;
	}
	page->sync = sync;
	page->arena = vw_mlflow_take(answer);
	page->versions = answer->versions;
	page->count = answer->count;
	page->flaws = vw_arena_array(page->arena, page->count, sizeof(*page->flaws));
	for (size_t i = 0; page->flaws && i < page->count; i++)
		page->flaws[i] = vw_mlflow_flaws(answer, page->versions[i]);
	for (size_t i = 0; i < page->count; i++)
		if (vw_mask_version(sync->cx->masker, page->arena, page->versions[i]) < 0)
			out_of_memory(sync);
	page->runs = collect(page, run_id, &page->run_count);
	page->logged_models = collect(page, logged_model_id, &page->logged_model_count);
	if (page->count > 0 && (!page->runs || !page->logged_models || !page->flaws))
		out_of_memory(sync);
	advance(page);
}
