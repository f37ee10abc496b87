/* listing.c: the walks over the registry's listings: experiments and models first, for versions need both. */
#include "internal.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/pattern.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

/* Rows of a page when the client's own number is not known: where halving begins. */
#define USUAL_MODELS   200
#define USUAL_VERSIONS 400

/* MLflow's timestamps are set before its own commit: what was written late may carry an earlier time. */
#define QUICK_OVERLAP_MS ((int64_t)10 * 60 * 1000)

static int64_t quick_stop(const struct sync *sync)
{
	return sync->state->last_version_updated_at - QUICK_OVERLAP_MS;
}

/* What has no time may be new. */
static bool is_before(bool known, int64_t updated, int64_t stop)
{
	return known && updated < stop;
}

/* ---- pages ---- */

void walk_reset(struct walk *walk, const char *what)
{
	free(walk->token);
	*walk = (struct walk){.what = what, .page_size = walk->page_size};
}

/* Remembers the next page. False at the listing's end, and when there is none in sight: then the cycle has failed. */
static bool walk_on(struct sync *sync, struct walk *walk, const char *token)
{
	struct vw_error err = VW_ERROR_INIT;
	if (!token)
		return false;
	if (++walk->pages >= VW_MAX_PAGES)
		vw_error_set(&err, VW_ELIMIT, "%s does not end after VW_MAX_PAGES (%d) pages", walk->what,
			     VW_MAX_PAGES);
	else if (walk->token && strcmp(walk->token, token) == 0)
		vw_error_set(&err, VW_EINVAL, "%s does not end: the server gives one page token again and again",
			     walk->what);
	free(walk->token);
	walk->token = strdup(token);
	if (!walk->token)
		vw_error_set(&err, VW_ENOMEM, "%s: no memory for a page token", walk->what);
	if (err.code < 0)
		sync_fail(sync, err.code, &err);
	return err.code == 0;
}

/* An answer over the cap is to be asked for again in smaller pieces, down to one row. */
static bool walk_smaller(struct walk *walk, int code, int usual)
{
	int size = walk->page_size ? walk->page_size : usual;
	if (code != VW_ELIMIT || size == 1)
		return false;
	walk->page_size = size / 2;
	return true;
}

/* ---- experiments ---- */

static void remember_experiment(struct sync *sync, const char *id)
{
	if (sync->experiment_count >= VW_MAX_EXPERIMENT_IDS)
		return; /* runs of the others are asked for one by one */
	if (sync->experiment_count == sync->experiment_size) {
		size_t size = sync->experiment_size ? 2 * sync->experiment_size : 64;
		char **ids = vw_arena_array(sync->arena, size, sizeof(*ids));
		if (!ids)
			return;
		if (sync->experiment_count)
			memcpy(ids, sync->experiment_ids, sync->experiment_count * sizeof(*ids));
		sync->experiment_ids = ids;
		sync->experiment_size = size;
	}
	char *copy = vw_arena_strdup(sync->arena, id);
	if (copy)
		sync->experiment_ids[sync->experiment_count++] = copy;
}

struct listed {
	struct sync *sync;
	const struct vw_mlflow_answer *answer;
};

static int store_experiments(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct listed *l = arg;
	for (size_t i = 0; i < l->answer->count; i++) {
		int code = vw_store_put_experiment(txn, *l->answer->arena, l->sync->workspace,
						   l->answer->experiments[i], NULL, err);
		if (code < 0)
			return code;
	}
	return 0;
}

static void ask_experiments(struct sync *sync);

static void experiments_page(void *arg, const struct vw_mlflow_answer *answer)
{
	struct sync *sync = arg;
	struct listed listed = {sync, answer};
	struct vw_error err = VW_ERROR_INIT;

	if (sync_stopped(sync))
		return;
	if (answer->code < 0 && vw_error_disposition(answer->code) == VW_DO_SKIP)
		return; /* runs are then asked for one by one, and say for themselves what is not allowed */
	if (answer->code < 0) {
		sync_fail(sync, answer->code, answer->error);
		return;
	}
	for (size_t i = 0; i < answer->count; i++) {
		vw_experiment *experiment = answer->experiments[i];
		int code = vw_mask_experiment(sync->cx->masker, *answer->arena, experiment);
		if (code < 0) {
			vw_error_set(&err, code, "masking an experiment failed");
			sync_fail(sync, code, &err);
			return;
		}
		if (vw_mlflow_flaws(answer, experiment))
			VW_SET(experiment, flaws, vw_mlflow_flaws(answer, experiment));
		remember_experiment(sync, experiment->experiment_id);
	}
	int code = vw_kv_write(vw_store_kv(sync->cx->store), store_experiments, &listed, &err);
	if (code < 0) {
		sync_fail(sync, code, &err);
		return;
	}
	if (walk_on(sync, &sync->experiment_walk, answer->next_page_token))
		ask_experiments(sync);
	else
		sync->experiments_listed = sync->experiment_count < VW_MAX_EXPERIMENT_IDS;
}

static void ask_experiments(struct sync *sync)
{
	int code =
	    vw_mlflow_search_experiments(sync->cx->client, sync->experiment_walk.token, experiments_page, sync);
	sync_started(sync, code, sync->experiment_walk.what);
}

/* ---- registered models ---- */

/* --model: NULL is all, a name without wildcards is asked of the server, a glob is looked at here. */
static const char *exact_model(const struct sync *sync)
{
	const char *model = sync->options->model;
	return model && !strpbrk(model, "*?[\\") ? model : NULL;
}

static bool model_wanted(const struct sync *sync, const char *name)
{
	return !sync->options->model || vw_glob_match(sync->options->model, name);
}

static int store_models(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct listed *l = arg;
	for (size_t i = 0; i < l->answer->count; i++) {
		const vw_registered_model *model = l->answer->models[i];
		if (seen_has(&l->sync->left_out, model->name, ""))
			continue;
		int code = vw_store_put_model(txn, *l->answer->arena, l->sync->workspace, model, NULL, err);
		if (code < 0)
			return code;
	}
	return 0;
}

void sync_sort_model(struct sync *sync, const vw_registered_model *model)
{
	bool prompt = model_is_prompt(model);
	bool relevant = !prompt && scope_has_model(sync->cx->scope, model);
	seen_add(&sync->models, model->name, "");
	if (!relevant)
		seen_add(&sync->left_out, model->name, "");
	sync->result->counts.prompts += prompt;
	sync->result->counts.models_excluded += !prompt && !relevant;
	sync->result->counts.models += relevant;
	if (relevant && model_wanted(sync, model->name) && model->newest_version <= INT64_MAX - sync->expected)
		sync->expected += model->newest_version;
}

static int take_models(struct sync *sync, const struct vw_mlflow_answer *answer, struct vw_error *err)
{
	struct listed listed = {sync, answer};
	for (size_t i = 0; i < answer->count; i++) {
		vw_registered_model *model = answer->models[i];
		int code = vw_mask_model(sync->cx->masker, *answer->arena, model);
		if (code < 0)
			return vw_error_set(err, code, "masking registered model %s failed", model->name);
		sync_sort_model(sync, model);
		if (vw_mlflow_flaws(answer, model))
			VW_SET(model, flaws, vw_mlflow_flaws(answer, model));
	}
	sync->result->counts.skipped += (int64_t)answer->malformed;
	if (sync->models.failed || sync->left_out.failed)
		return vw_error_set(err, VW_ENOMEM, "no memory to remember the registered models");
	return vw_kv_write(vw_store_kv(sync->cx->store), store_models, &listed, err);
}

bool sync_take_models(struct sync *sync, const struct vw_mlflow_answer *answer)
{
	struct vw_error err = VW_ERROR_INIT;
	int code = take_models(sync, answer, &err);
	if (code < 0)
		sync_fail(sync, code, &err);
	return code == 0;
}

static bool models_known_from_here(const struct sync *sync, const struct vw_mlflow_answer *answer)
{
	if (sync->options->depth != VW_DEPTH_QUICK || answer->count == 0)
		return false;
	return is_before(answer->models[answer->count - 1]->has_last_updated_timestamp,
			 answer->models[answer->count - 1]->last_updated_timestamp, quick_stop(sync));
}

static void ask_models(struct sync *sync);

static void models_page(void *arg, const struct vw_mlflow_answer *answer)
{
	struct sync *sync = arg;
	if (sync_stopped(sync))
		return;
	if (walk_smaller(&sync->model_walk, answer->code, USUAL_MODELS)) {
		ask_models(sync);
		return;
	}
	if (answer->code < 0) {
		sync_fail(sync, answer->code, answer->error);
		return;
	}
	if (!sync_take_models(sync, answer))
		return;
	sync_progress(sync, "models", sync->result->counts.models, -1);
	if (!models_known_from_here(sync, answer) && walk_on(sync, &sync->model_walk, answer->next_page_token))
		ask_models(sync);
}

static enum vw_mlflow_order order_of(const struct sync *sync)
{
	return sync->options->depth == VW_DEPTH_QUICK ? VW_ORDER_UPDATED_DESC : VW_ORDER_NAME;
}

static void ask_models(struct sync *sync)
{
	struct vw_mlflow_query query = {.order = order_of(sync),
					.page_token = sync->model_walk.token,
					.model = exact_model(sync),
					.max_results = sync->model_walk.page_size};
	sync_started(sync, vw_mlflow_search_models(sync->cx->client, &query, models_page, sync),
		     sync->model_walk.what);
}

int sync_list_models(struct sync *sync, struct vw_error *err)
{
	walk_reset(&sync->experiment_walk, "experiments/search");
	walk_reset(&sync->model_walk, "registered-models/search");
	ask_experiments(sync);
	ask_models(sync);
	return vw_mlflow_run(sync->cx->client, err);
}

/* ---- versions ---- */

static void versions_page(void *arg, const struct vw_mlflow_answer *answer);

static void ask_versions(struct sync *sync)
{
	struct vw_mlflow_query query = {.order = order_of(sync),
					.page_token = sync->version_walk.token,
					.model = exact_model(sync),
					.max_results = sync->version_walk.page_size};
	sync->next_due = false;
	sync_started(sync, vw_mlflow_search_versions(sync->cx->client, &query, versions_page, sync),
		     sync->version_walk.what);
}

void sync_page_done(struct sync *sync)
{
	sync->pages_open--;
	if (sync->next_due && !sync_stopped(sync))
		ask_versions(sync);
}

/* Keeps what is in scope at the front of the page; says whether the walk may stop here. */
static size_t choose_versions(struct sync *sync, const struct vw_mlflow_answer *answer)
{
	size_t kept = 0;
	for (size_t i = 0; i < answer->count; i++) {
		vw_model_version *version = answer->versions[i];
		if (version->last_updated_timestamp > sync->newest_updated)
			sync->newest_updated = version->last_updated_timestamp;
		if (sync->options->depth == VW_DEPTH_QUICK &&
		    is_before(version->has_last_updated_timestamp, version->last_updated_timestamp,
			      quick_stop(sync))) {
			sync->quick_done = true;
			break;
		}
		sync->listed_versions++;
		if (seen_has(&sync->left_out, version->name, "")) {
			sync->result->counts.versions_excluded++;
			continue;
		}
		if (!model_wanted(sync, version->name))
			continue;
		seen_add(&sync->versions, version->name, version->version);
		answer->versions[kept++] = version;
	}
	return kept;
}

static void versions_page(void *arg, const struct vw_mlflow_answer *answer)
{
	struct sync *sync = arg;
	int room = sync->options->connections > 1 ? sync->options->connections - 1 : 1;

	if (sync_stopped(sync))
		return;
	if (walk_smaller(&sync->version_walk, answer->code, USUAL_VERSIONS)) {
		ask_versions(sync);
		return;
	}
	if (answer->code < 0) {
		sync_fail(sync, answer->code, answer->error);
		return;
	}
	struct vw_mlflow_answer chosen = *answer;
	chosen.count = choose_versions(sync, answer);
	sync->result->counts.versions += (int64_t)chosen.count;
	sync->result->counts.skipped += (int64_t)answer->malformed;
	sync->listing_done = !answer->next_page_token;
	sync->next_due = !sync->quick_done && walk_on(sync, &sync->version_walk, answer->next_page_token);
	if (sync->next_due && sync->pages_open + 1 < room)
		ask_versions(sync);
	sync->pages_open++;
	sync_page_start(sync, &chosen);
}

int sync_list_versions(struct sync *sync, struct vw_error *err)
{
	walk_reset(&sync->version_walk, "model-versions/search");
	ask_versions(sync);
	return vw_mlflow_run(sync->cx->client, err);
}
