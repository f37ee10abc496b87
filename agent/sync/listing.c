/* listing.c: the walks over the registry's listings: experiments and models first, for versions need both. */
#include "internal.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/pattern.h"
#include "proto/message.h"

#include <string.h>

/* MLflow's timestamps are set before its own commit: what was written late may carry an earlier time. */
#define QUICK_OVERLAP_MS ((int64_t)10 * 60 * 1000)

static int64_t quick_stop(const struct sync *sync)
{
	return sync->state->last_version_updated_at - QUICK_OVERLAP_MS;
}

static bool listing_endless(struct sync *sync, const char *what)
{
	struct vw_error err = VW_ERROR_INIT;
	if (++sync->pages <= VW_MAX_PAGES)
		return false;
	vw_error_set(&err, VW_ELIMIT, "%s does not end after VW_MAX_PAGES (%d) pages", what, VW_MAX_PAGES);
	sync_fail(sync, VW_ELIMIT, &err);
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
	sync->experiment_ids[sync->experiment_count++] = vw_arena_strdup(sync->arena, id);
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

static void experiments_page(void *arg, const struct vw_mlflow_answer *answer)
{
	struct sync *sync = arg;
	struct listed listed = {sync, answer};
	struct vw_error err = VW_ERROR_INIT;

	if (sync_stopped(sync))
		return;
	if (answer->code == VW_EFORBIDDEN || answer->code == VW_ENOTFOUND || answer->code == VW_EUNSUPPORTED)
		return; /* runs are then asked for one by one, and say for themselves what is not allowed */
	if (answer->code < 0) {
		sync_fail(sync, answer->code, answer->error);
		return;
	}
	for (size_t i = 0; i < answer->count; i++) {
		int code = vw_mask_experiment(sync->cx->masker, *answer->arena, answer->experiments[i]);
		if (code < 0) {
			vw_error_set(&err, code, "masking an experiment failed");
			sync_fail(sync, code, &err);
			return;
		}
		remember_experiment(sync, answer->experiments[i]->experiment_id);
	}
	int code = vw_kv_write(vw_store_kv(sync->cx->store), store_experiments, &listed, &err);
	if (code < 0) {
		sync_fail(sync, code, &err);
		return;
	}
	if (answer->next_page_token && !listing_endless(sync, "experiments/search"))
		vw_mlflow_search_experiments(sync->cx->client, answer->next_page_token, experiments_page, sync);
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

static bool take_models(struct sync *sync, const struct vw_mlflow_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		vw_registered_model *model = answer->models[i];
		int code = vw_mask_model(sync->cx->masker, *answer->arena, model);
		if (code < 0) {
			struct vw_error err = VW_ERROR_INIT;
			vw_error_set(&err, code, "masking registered model %s failed", model->name);
			sync_fail(sync, code, &err);
			return false;
		}
		seen_add(&sync->models, model->name, "");
		if (model_is_prompt(model)) {
			sync->result->counts.prompts++;
			seen_add(&sync->left_out, model->name, "");
			continue;
		}
		if (!scope_has_model(sync->cx->scope, model)) {
			sync->result->counts.models_excluded++;
			seen_add(&sync->left_out, model->name, "");
			continue;
		}
		sync->result->counts.models++;
	}
	sync->result->counts.skipped += (int64_t)answer->malformed;
	return true;
}

static bool models_known_from_here(const struct sync *sync, const struct vw_mlflow_answer *answer)
{
	if (sync->options->depth != VW_DEPTH_QUICK || answer->count == 0)
		return false;
	return answer->models[answer->count - 1]->last_updated_timestamp < quick_stop(sync);
}

static void models_page(void *arg, const struct vw_mlflow_answer *answer)
{
	struct sync *sync = arg;
	struct listed listed = {sync, answer};
	struct vw_error err = VW_ERROR_INIT;

	if (sync_stopped(sync))
		return;
	if (answer->code < 0) {
		sync_fail(sync, answer->code, answer->error);
		return;
	}
	if (!take_models(sync, answer))
		return;
	int code = vw_kv_write(vw_store_kv(sync->cx->store), store_models, &listed, &err);
	if (code < 0) {
		sync_fail(sync, code, &err);
		return;
	}
	sync_progress(sync, "models", sync->result->counts.models, -1);
	if (!answer->next_page_token || models_known_from_here(sync, answer) ||
	    listing_endless(sync, "registered-models/search"))
		return;
	struct vw_mlflow_query query = {.order = sync->options->depth == VW_DEPTH_QUICK ? VW_ORDER_UPDATED_DESC
											: VW_ORDER_NAME,
					.page_token = answer->next_page_token,
					.model = exact_model(sync)};
	vw_mlflow_search_models(sync->cx->client, &query, models_page, sync);
}

int sync_list_models(struct sync *sync, struct vw_error *err)
{
	struct vw_mlflow_query query = {.order = sync->options->depth == VW_DEPTH_QUICK ? VW_ORDER_UPDATED_DESC
											: VW_ORDER_NAME,
					.model = exact_model(sync)};
	int code = vw_mlflow_search_experiments(sync->cx->client, NULL, experiments_page, sync);
	if (code == 0)
		code = vw_mlflow_search_models(sync->cx->client, &query, models_page, sync);
	if (code == 0)
		code = vw_mlflow_run(sync->cx->client, err);
	return code;
}

/* ---- versions ---- */

static void versions_page(void *arg, const struct vw_mlflow_answer *answer);

static void ask_versions(struct sync *sync)
{
	struct vw_mlflow_query query = {.order = sync->options->depth == VW_DEPTH_QUICK ? VW_ORDER_UPDATED_DESC
											: VW_ORDER_NAME,
					.page_token = sync->next_token,
					.model = exact_model(sync),
					.max_results = sync->page_size};
	sync->next_due = false;
	vw_mlflow_search_versions(sync->cx->client, &query, versions_page, sync);
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
		if (sync->options->depth == VW_DEPTH_QUICK && version->last_updated_timestamp < quick_stop(sync)) {
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

/* An answer over the cap is asked for again in smaller pieces, down to one version. */
static bool retry_smaller(struct sync *sync, const struct vw_mlflow_answer *answer)
{
	int size = sync->page_size ? sync->page_size : 256;
	if (answer->code != VW_ELIMIT || size == 1)
		return false;
	sync->page_size = size / 2;
	ask_versions(sync);
	return true;
}

static void versions_page(void *arg, const struct vw_mlflow_answer *answer)
{
	struct sync *sync = arg;
	int room = sync->options->connections > 1 ? sync->options->connections - 1 : 1;

	if (sync_stopped(sync) || retry_smaller(sync, answer))
		return;
	if (answer->code < 0) {
		sync_fail(sync, answer->code, answer->error);
		return;
	}
	struct vw_mlflow_answer chosen = *answer;
	chosen.count = choose_versions(sync, answer);
	sync->result->counts.versions += (int64_t)chosen.count;
	sync->result->counts.skipped += (int64_t)answer->malformed;
	bool more = answer->next_page_token && !sync->quick_done && !listing_endless(sync, "model-versions/search");
	sync->listing_done = !answer->next_page_token;
	sync->next_token = more ? vw_arena_strdup(sync->arena, answer->next_page_token) : NULL;
	sync->next_due = more;
	if (more && sync->pages_open + 1 < room)
		ask_versions(sync);
	sync->pages_open++;
	sync_page_start(sync, &chosen);
}

int sync_list_versions(struct sync *sync, struct vw_error *err)
{
	sync->pages = 0;
	ask_versions(sync);
	return vw_mlflow_run(sync->cx->client, err);
}
