/* page_fetch.c: what the versions of a page refer to: runs and logged models in batches, then the runs that no batch gave, then
 * the experiments that nobody listed. */
#include "page.h"

#include "proto/message.h"

#include <string.h>

#define RUNS_PER_CALL          400
#define LOGGED_MODELS_PER_CALL 50 /* logged-models/search answers no more */

#define MAX_SILENT 20 /* requests, each tried again and again, that nobody answered, before nobody is there */

/* A run whose reading fails is that run's misfortune; a server that is gone is not the misfortune of all runs. */
static void hear(struct sync *sync, const struct vw_mlflow_answer *answer)
{
	int status = answer->http_status;
	bool nobody = answer->code < 0 && (status == 0 || (status >= 502 && status <= 504));
	sync->silent = nobody ? sync->silent + 1 : 0;
	if (answer->code == VW_EAUTH || sync->silent >= MAX_SILENT)
		sync_fail(sync, answer->code, answer->error);
}

/* ---- batches ---- */

/* References that are asked for in one call: `count` of the page's list from `first`. */
struct batch {
	struct page *page;
	size_t first, count;
};

typedef int (*search_fn)(struct vw_mlflow *client, const char *const *experiment_ids, size_t experiments,
			 const char *const *ids, size_t count, vw_mlflow_callback done, void *arg);

static void start_batch(struct page *page, search_fn search, const struct reference *list, struct batch what,
			vw_mlflow_callback done)
{
	struct sync *sync = page->sync;
	const char **ids = vw_arena_array(page->arena, what.count, sizeof(*ids));
	struct batch *batch = vw_arena_memdup(page->arena, &what, sizeof(what));
	if (!ids || !batch) {
		page_out_of_memory(sync);
		return;
	}
	for (size_t i = 0; i < what.count; i++)
		ids[i] = list[what.first + i].id;
	int code = search(sync->cx->client, (const char *const *)sync->experiment_ids, sync->experiment_count, ids,
			  what.count, done, batch);
	sync_started(sync, code, "a batch of runs or logged models");
	page->outstanding += code == 0;
}

static void start_batches(struct page *page, search_fn search, const struct reference *list, struct batch all,
			  size_t per_call, vw_mlflow_callback done)
{
	for (size_t at = 0; at < all.count; at += per_call) {
		size_t n = all.count - at < per_call ? all.count - at : per_call;
		start_batch(page, search, list, (struct batch){page, all.first + at, n}, done);
	}
}

static void take_runs(struct page *page, const struct vw_mlflow_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		vw_run *run = answer->runs[i];
		struct reference *r = page_find(page->runs, page->run_count, run->run_id);
		if (!r)
			continue;
		if (vw_mask_run(page->sync->cx->masker, *answer->arena, run) < 0) {
			page_out_of_memory(page->sync);
			return;
		}
		if (vw_mlflow_flaws(answer, run))
			VW_SET(run, flaws, vw_mlflow_flaws(answer, run));
		r->run = run;
	}
	page_keep_answer(page, answer);
}

static void runs_batch(void *arg, const struct vw_mlflow_answer *answer)
{
	struct batch *batch = arg;
	struct page *page = batch->page;
	hear(page->sync, answer);
	if (sync_stopped(page->sync))
		page->runs_searched = false;
	else if (answer->code == 0)
		take_runs(page, answer);
	else if (answer->code == VW_ELIMIT && batch->count > 1)
		start_batches(page, vw_mlflow_search_runs, page->runs, *batch, (batch->count + 1) / 2, runs_batch);
	else
		page->runs_searched = false; /* no verdict on its runs: each is asked for by itself */
	page_returned(page);
}

static void logged_models_batch(void *arg, const struct vw_mlflow_answer *answer)
{
	struct batch *batch = arg;
	struct page *page = batch->page;
	bool stopped = sync_stopped(page->sync);
	for (size_t i = 0; i < answer->count && !stopped; i++) {
		vw_logged_model *model = answer->logged_models[i];
		struct reference *r = page_find(page->logged_models, page->logged_model_count, model->model_id);
		if (!r || vw_mask_logged_model(page->sync->cx->masker, *answer->arena, model) < 0)
			continue;
		if (vw_mlflow_flaws(answer, model))
			VW_SET(model, flaws, vw_mlflow_flaws(answer, model));
		r->logged_model = model;
	}
	for (size_t i = 0; i < batch->count && answer->code < 0; i++)
		page->logged_models[batch->first + i].code = answer->code;
	if (answer->code == 0 && !stopped)
		page_keep_answer(page, answer);
	page_returned(page);
}

void page_ask_batches(struct page *page)
{
	bool somewhere = page->sync->experiment_count > 0;
	page->runs_searched = somewhere && page->sync->experiments_listed;
	if (somewhere)
		start_batches(page, vw_mlflow_search_runs, page->runs, (struct batch){page, 0, page->run_count},
			      RUNS_PER_CALL, runs_batch);
	start_batches(page, vw_mlflow_search_logged_models, page->logged_models,
		      (struct batch){page, 0, page->logged_model_count}, LOGGED_MODELS_PER_CALL, logged_models_batch);
}

/* ---- runs that no batch gave ---- */

struct single {
	struct page *page;
	struct reference *reference;
};

/* A copy in the page's arena, so that hundreds of answers don't each keep an arena. NULL without memory. */
static vw_run *copy_run(struct page *page, const struct vw_mlflow_answer *answer)
{
	vw_run *run = answer->runs[0];
	void *copy = NULL;
	size_t len = 0;
	if (vw_mask_run(page->sync->cx->masker, *answer->arena, run) < 0)
		return NULL;
	if (vw_mlflow_flaws(answer, run))
		VW_SET(run, flaws, vw_mlflow_flaws(answer, run));
	uint8_t *bytes = vw_message_pack(*answer->arena, &run->base, &len);
	if (!bytes || vw_message_unpack(page->arena, run->base.descriptor, bytes, len, "run", &copy, NULL) < 0)
		return NULL;
	return copy;
}

static void single_run(void *arg, const struct vw_mlflow_answer *answer)
{
	struct single *single = arg;
	struct page *page = single->page;
	hear(page->sync, answer);
	single->reference->code = answer->code;
	if (answer->code == 0 && answer->count == 1 && !sync_stopped(page->sync)) {
		single->reference->run = copy_run(page, answer);
		if (!single->reference->run)
			page_out_of_memory(page->sync);
	}
	page_returned(page);
}

/* What the last record said of this run, if it was a verdict that a search which still does not give the run confirms. */
static int known_verdict(struct page *page, struct vw_txn *txn, struct vw_arena *arena,
			 const vw_model_version *version)
{
	struct sync *sync = page->sync;
	vw_version_index *index;
	vw_entry *entry;
	vw_record *record;
	const char *id = page_run_id(version);
	if (strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(id) ||
	    !strpbrk(id, "abcdefghijklmnopqrstuvwxyz"))
		return 0; /* the server's search drops such ids, its silence says nothing */
	if (vw_store_version(txn, arena, sync->workspace, version->name, version->version, &index, NULL) < 0 ||
	    vw_store_entry(txn, arena, index->sequence, &entry, NULL) < 0 || !entry->version ||
	    vw_store_record(arena, entry->version, &record, NULL) < 0)
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
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_txn *txn;
	if (!arena || vw_txn_begin_read(vw_store_kv(page->sync->cx->store), &txn, NULL) < 0)
		return; /* they are asked for then */
	for (size_t i = 0; i < page->count; i++) {
		struct reference *r = page_find(page->runs, page->run_count, page_run_id(page->versions[i]));
		if (r && !r->run && !r->code)
			r->code = known_verdict(page, txn, arena, page->versions[i]);
		vw_arena_reset(arena);
	}
	vw_txn_end(txn);
}

void page_ask_single_runs(struct page *page)
{
	if (page->runs_searched)
		recall_verdicts(page);
	for (size_t i = 0; i < page->run_count && !sync_stopped(page->sync); i++) {
		struct reference *r = &page->runs[i];
		if (r->run || r->code)
			continue;
		struct single *single = vw_arena_memdup(page->arena, &(struct single){page, r}, sizeof(*single));
		if (!single) {
			page_out_of_memory(page->sync);
			return;
		}
		int code = vw_mlflow_get_run(page->sync->cx->client, r->id, single_run, single);
		sync_started(page->sync, code, "runs/get");
		page->outstanding += code == 0;
	}
}

/* ---- experiments that nobody listed ---- */

struct fetched {
	struct page *page;
	const char *id;
	vw_experiment *experiment;
	struct vw_arena *arena;
};

static int store_experiment(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct fetched *f = arg;
	return vw_store_put_experiment(txn, f->arena, f->page->sync->workspace, f->experiment, NULL, err);
}

static int take_experiment(struct fetched *f, const struct vw_mlflow_answer *answer, struct vw_error *err)
{
	struct sync *sync = f->page->sync;
	f->experiment = answer->experiments[0];
	f->arena = *answer->arena;
	int code = vw_mask_experiment(sync->cx->masker, f->arena, f->experiment);
	if (code < 0)
		return vw_error_set(err, code, "masking an experiment failed");
	if (vw_mlflow_flaws(answer, f->experiment))
		VW_SET(f->experiment, flaws, vw_mlflow_flaws(answer, f->experiment));
	return vw_kv_write(vw_store_kv(sync->cx->store), store_experiment, f, err);
}

static void single_experiment(void *arg, const struct vw_mlflow_answer *answer)
{
	struct fetched *f = arg;
	struct page *page = f->page;
	struct vw_error err = VW_ERROR_INIT;
	if (answer->code == VW_EAUTH)
		sync_fail(page->sync, answer->code, answer->error);
	if (answer->code == 0 && answer->count == 1 && !sync_stopped(page->sync)) {
		int code = take_experiment(f, answer, &err);
		if (code < 0)
			sync_fail(page->sync, code, &err);
	}
	for (size_t i = 0; i < page->run_count; i++) {
		const vw_run *run = page->runs[i].run;
		if (run && run->experiment_id && strcmp(run->experiment_id, f->id) == 0)
			page->runs[i].experiment_code = answer->code;
	}
	page_returned(page);
}

static void ask_experiment(struct page *page, const char *id)
{
	struct fetched f = {.page = page, .id = id}, *kept = vw_arena_memdup(page->arena, &f, sizeof(f));
	if (!kept) {
		page_out_of_memory(page->sync);
		return;
	}
	int code = vw_mlflow_get_experiment(page->sync->cx->client, id, single_experiment, kept);
	sync_started(page->sync, code, "experiments/get");
	page->outstanding += code == 0;
}

void page_ask_experiments(struct page *page)
{
	struct sync *sync = page->sync;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *txn;
	struct seen asked = {0};
	int code = vw_txn_begin_read(vw_store_kv(sync->cx->store), &txn, &err);
	if (code < 0) {
		sync_fail(sync, code, &err);
		return;
	}
	for (size_t i = 0; i < page->run_count && !sync_stopped(sync); i++) {
		const vw_run *run = page->runs[i].run;
		vw_experiment *known;
		if (!run || !run->experiment_id || seen_has(&asked, run->experiment_id, ""))
			continue;
		seen_add(&asked, run->experiment_id, "");
		if (vw_store_experiment(txn, page->arena, sync->workspace, run->experiment_id, &known, NULL) < 0)
			ask_experiment(page, run->experiment_id);
	}
	vw_txn_end(txn);
	seen_reset(&asked);
}
