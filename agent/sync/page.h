/* page.h: one page of versions on its way from the listing to the ledger. */
#ifndef SYNC_PAGE_H
#define SYNC_PAGE_H

#include "internal.h"

enum step { STEP_MODELS, STEP_BATCHES, STEP_SINGLE_RUNS, STEP_EXPERIMENTS, STEP_RECORD };

/* A run or a logged model that a version of this page names. */
struct reference {
	const char *id;
	vw_run *run;
	vw_logged_model *logged_model;
	int code;            /* why it is not there; VW_OK before it was asked for */
	int experiment_code; /* why the run's experiment is not there; VW_OK when nobody had to ask */
};

struct page {
	struct sync *sync;
	struct vw_arena *arena; /* the versions' */
	vw_model_version **versions;
	size_t count;
	struct reference *runs, *logged_models; /* sorted by id, unique */
	size_t run_count, logged_model_count;
	struct vw_arena **answers; /* arenas of batches, kept until the page is recorded */
	size_t answer_count, answer_size;
	bool runs_searched; /* every batch of runs was answered: who was not in it could not be found */
	int outstanding;
	enum step step;
};

/* Every callback ends so: goes on to the next step when nothing of this one is outstanding. */
void page_returned(struct page *page);
void page_out_of_memory(struct sync *sync);
/* Takes over an answer's arena: what it holds is referred to until the page is recorded. */
void page_keep_answer(struct page *page, const struct vw_mlflow_answer *answer);

const char *page_run_id(const vw_model_version *version);
/* NULL when the page does not refer to it. */
struct reference *page_find(struct reference *list, size_t count, const char *id);

/* page_models.c: the step in front of all others. */
void page_ask_models(struct page *page);
/* Drops the versions that turned out not to be relevant, and those that the page lists twice. */
void page_choose(struct page *page);

/* page_fetch.c: the steps' requests. */
void page_ask_batches(struct page *page);
void page_ask_single_runs(struct page *page);
void page_ask_experiments(struct page *page);

#endif
