#include "internal.h"

#include "base/clock.h"
#include "base/digest.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

/* ---- failure, progress ---- */

void sync_fail(struct sync *sync, int code, const struct vw_error *err)
{
	if (sync->failure)
		return;
	sync->failure = code;
	if (err)
		sync->failed = *err;
	if (sync->cx->client)
		vw_mlflow_stop(sync->cx->client); /* nobody waits for the other answers */
}

void sync_started(struct sync *sync, int code, const char *what)
{
	struct vw_error err = VW_ERROR_INIT;
	if (code == 0)
		return;
	vw_error_set(&err, code, "%s cannot be asked for", what);
	sync_fail(sync, code, &err);
}

bool sync_stopped(const struct sync *sync)
{
	return sync->failure != 0 || (sync->cx->client && vw_mlflow_ending(sync->cx->client));
}

void sync_progress(struct sync *sync, const char *step, int64_t done, int64_t total)
{
	struct vw_mlflow_counts counts = {0};
	if (!sync->cx->progress)
		return;
	if (sync->cx->client)
		vw_mlflow_counts(sync->cx->client, &counts);
	struct vw_progress progress = {.step = step,
				       .workspace = sync->workspace,
				       .done = done,
				       .total = total,
				       .pages = sync->pages_done,
				       .runs = sync->runs_read,
				       .requests = counts.requests,
				       .elapsed_ms = vw_clock_monotonic() - sync->step_mono};
	sync->cx->progress(&progress, sync->cx->progress_arg);
}

/* ---- the end of a cycle ---- */

static const char *outcome_name(enum vw_sync_outcome outcome)
{
	static const char *const names[] = {"ok", "partial", "failed", "cancelled"};
	return names[outcome];
}

/* Another policy, or a waiver that ended: then findings change although no record does. */
static bool judgement_is_old(const struct sync *sync)
{
	const vw_sync_state *state = sync->state;
	const struct vw_policy *policy = sync->cx->policy;
	if (!state->has_policy_sha256)
		return false;
	if (!sync_same_sha256(&state->policy_sha256, vw_policy_sha256(policy)))
		return true;
	return vw_policy_waiver_ended(policy, state->last_judged_at, sync->started_at);
}

static void next_state(struct sync *sync, vw_sync_state *state)
{
	const struct vw_sync_result *result = sync->result;
	int64_t now = vw_clock_now();
	*state = *sync->state;
	VW_SET(state, last_finished_at, now);
	state->last_outcome = (char *)outcome_name(result->outcome);
	state->last_error = result->outcome == VW_SYNC_OK ? NULL : (char *)result->reason.message;
	state->credential = (char *)sync->cx->credential;
	state->server_version = sync->access.server_version;
	/* a server that never gave anything binds nothing: its address may have been a slip */
	if (result->outcome == VW_SYNC_OK || sync->opened)
		state->source_uri = (char *)sync->cx->tracking_uri;
	/* while some findings are still another policy's, the next cycle has to know */
	if (sync->all_judged || !judgement_is_old(sync))
		VW_SET_BYTES(state, policy_sha256, vw_policy_sha256(sync->cx->policy), VW_SHA256_SIZE);
	if (sync->cx->config_sha256)
		VW_SET_BYTES(state, config_sha256, sync->cx->config_sha256, VW_SHA256_SIZE);
	if (sync->all_judged)
		VW_SET(state, last_judged_at, sync->started_at);
	if (result->outcome != VW_SYNC_OK || sync->options->model)
		return;
	/* what changed while the walk went on may have been behind it, and a time in the future would hide everything until then */
	int64_t newest = sync->newest_updated < sync->started_at ? sync->newest_updated : sync->started_at;
	if (newest > state->last_version_updated_at || state->last_version_updated_at > sync->started_at)
		VW_SET(state, last_version_updated_at, newest);
	if (sync->options->depth == VW_DEPTH_FULL) {
		VW_SET(state, last_full_started_at, sync->started_at);
		VW_SET(state, last_full_finished_at, now);
		VW_SET(state, last_judged_at, sync->started_at);
	}
}

static int finish(struct sync *sync, struct vw_error *err)
{
	struct vw_sync_result *result = sync->result;
	struct vw_mlflow_counts requests;
	vw_sync_state state;
	vw_entry *entry = sync_audit_entry(sync, sync->arena, VW_AUDIT_SYNC_FINISHED, sync->options->model,
					   result->outcome == VW_SYNC_OK ? NULL : result->reason.message);
	if (!entry)
		return vw_error_set(err, VW_ENOMEM, "no memory for the cycle's audit entry");
	vw_mlflow_counts(sync->cx->client, &requests);
	VW_SET(&result->counts, requests, requests.requests);
	VW_SET(&result->counts, retries, requests.retries);
	VW_SET(&result->counts, bytes_received, requests.bytes_received);
	result->duration_ms = vw_clock_monotonic() - sync->started_mono;
	entry->audit->depth = (char *)sync_depth_name(sync);
	entry->audit->outcome = (char *)outcome_name(result->outcome);
	VW_SET(entry->audit, started_at, sync->started_at);
	VW_SET(entry->audit, duration_ms, result->duration_ms);
	entry->audit->counts = &result->counts;
	next_state(sync, &state);
	return sync_commit_end(sync, entry, &state, err);
}

/* ---- the cycle ---- */

static void take_server_version(void *arg, const struct vw_mlflow_answer *answer)
{
	struct sync *sync = arg;
	if (answer->code == 0 && answer->count == 1)
		sync->access.server_version = vw_arena_strdup(sync->arena, answer->texts[0]);
	if (answer->code == VW_EAUTH)
		sync_fail(sync, answer->code, answer->error);
}

struct workspaces {
	struct sync *sync;
	char **names;
	size_t count;
	bool listed; /* by the server: these are all of them */
};

static bool put_workspace(struct workspaces *w, const char *name)
{
	w->names[w->count] = vw_arena_strdup(w->sync->arena, name);
	if (!w->names[w->count])
		return false;
	w->count++;
	return true;
}

static void take_workspaces(void *arg, const struct vw_mlflow_answer *answer)
{
	struct workspaces *w = arg;
	bool none = answer->code == VW_EUNSUPPORTED || answer->code == VW_ENOTFOUND || answer->code == VW_EFORBIDDEN;
	if (none || sync_stopped(w->sync))
		return; /* a server without workspaces, or a credential that may not list them: then there is one walk without a name */
	if (answer->code < 0) {
		/* a walk without a name would record everything of the default workspace a second time */
		sync_fail(w->sync, answer->code, answer->error);
		return;
	}
	w->names = vw_arena_array(w->sync->arena, answer->count + 1, sizeof(*w->names));
	bool good = w->names;
	for (size_t i = 0; i < answer->count && good; i++)
		good = put_workspace(w, answer->texts[i]);
	if (!good)
		sync_started(w->sync, VW_ENOMEM, "workspaces");
	w->listed = good;
}

static int probe(struct sync *sync, struct workspaces *w, struct vw_error *err)
{
	int code = vw_mlflow_get_version(sync->cx->client, take_server_version, sync);
	if (code == 0 && sync->cx->workspace) {
		w->names = vw_arena_array(sync->arena, 2, sizeof(*w->names));
		if (!w->names || !put_workspace(w, sync->cx->workspace))
			return vw_error_set(err, VW_ENOMEM, "no memory for a workspace's name");
	} else if (code == 0) {
		code = vw_mlflow_list_workspaces(sync->cx->client, take_workspaces, w);
	}
	return code == 0 ? vw_mlflow_run(sync->cx->client, err) : code;
}

void sync_enter_workspace(struct sync *sync, const char *workspace)
{
	seen_reset(&sync->versions);
	seen_reset(&sync->models);
	seen_reset(&sync->left_out);
	sync->experiment_count = 0;
	sync->experiments_listed = false;
	sync->listed_versions = 0;
	sync->next_due = false;
	sync->listing_done = false;
	sync->quick_done = false;
	sync->workspace_gone = false;
	sync->workspace = workspace;
	sync->step_mono = vw_clock_monotonic();
	vw_mlflow_use_workspace(sync->cx->client, workspace);
}

static int walk_workspace(struct sync *sync, const char *workspace, struct vw_error *err)
{
	sync_enter_workspace(sync, workspace);
	int code = sync_list_models(sync, err);
	if (code < 0 || sync_stopped(sync))
		return code;
	sync->step_mono = vw_clock_monotonic();
	code = sync_list_versions(sync, err);
	if (code < 0 || sync_stopped(sync))
		return code;
	if (sync->options->depth == VW_DEPTH_FULL && sync->listing_done)
		code = sync_remove_missing(sync, err);
	return code;
}

static int walk(struct sync *sync, struct vw_error *err)
{
	struct workspaces w = {.sync = sync};
	int code = probe(sync, &w, err);
	if (code < 0 || sync_stopped(sync))
		return code;
	if (w.count == 0)
		return walk_workspace(sync, NULL, err);
	for (size_t i = 0; i < w.count && code == 0 && !sync_stopped(sync); i++)
		code = walk_workspace(sync, w.names[i], err);
	if (code == 0 && !sync_stopped(sync) && w.listed && sync->options->depth == VW_DEPTH_FULL)
		code = sync_remove_workspaces(sync, w.names, w.count, err);
	return code;
}

/* A state belongs to one tracking server: read against another, everything would look deleted. */
static int check_source(struct sync *sync, struct vw_error *err)
{
	const char *source = sync->state->source_uri;
	if (!source || sync->options->accept_source || strcmp(source, sync->cx->tracking_uri) == 0)
		return 0;
	return vw_error_set(
	    err, VW_ECONFIG,
	    "this state was filled from %s, not from %s. Use another --state folder; or, if it is the "
	    "same server under a new address, run sync --accept-source",
	    source, sync->cx->tracking_uri);
}

static int begin(struct sync *sync, const struct vw_sync_context *context, const struct vw_sync_options *options,
		 struct vw_sync_result *out, struct vw_error *err)
{
	struct vw_txn *txn;
	vw_access access = VERIFYWISE__V1__ACCESS__INIT;
	memset(sync, 0, sizeof(*sync));
	memset(out, 0, sizeof(*out));
	verifywise__v1__sync_counts__init(&out->counts);
	sync->cx = context;
	sync->options = options;
	sync->result = out;
	sync->started_at = vw_clock_now();
	sync->started_mono = vw_clock_monotonic();
	sync->step_mono = sync->started_mono;
	vw_random_uuid(out->sync_id);
	sync->access = access;
	sync->access.sync_id = out->sync_id;
	sync->access.source_uri = (char *)context->tracking_uri;
	sync->access.credential = (char *)context->credential;
	sync->access.agent_version = (char *)context->agent_version;
	sync->arena = vw_arena_open(0);
	if (!sync->arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a cycle");
	int code = vw_txn_begin_read(vw_store_kv(context->store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_sync_state(txn, sync->arena, &sync->state, err);
	vw_txn_end(txn);
	return code;
}

static void end(struct sync *sync)
{
	walk_reset(&sync->experiment_walk, NULL);
	walk_reset(&sync->model_walk, NULL);
	walk_reset(&sync->version_walk, NULL);
	seen_reset(&sync->versions);
	seen_reset(&sync->models);
	seen_reset(&sync->left_out);
	vw_arena_close(sync->arena);
}

/* Counts are zero, not missing: an auditor reads both differently. */
static void set_counts(vw_sync_counts *c)
{
	c->has_models = c->has_models_excluded = c->has_prompts = c->has_versions = c->has_versions_excluded = 1;
	c->has_created = c->has_updated = c->has_unchanged = c->has_removed = c->has_incomplete = 1;
	c->has_skipped = c->has_reevaluated = 1;
}

static void conclude(struct sync *sync, int code, const struct vw_error *err)
{
	struct vw_sync_result *result = sync->result;
	if (code < 0)
		sync_fail(sync, code, err);
	set_counts(&result->counts);
	if (!sync->failure)
		return;
	result->outcome = sync->failure == VW_ECANCELLED ? VW_SYNC_CANCELLED : VW_SYNC_FAILED;
	result->reason = sync->failed;
}

int vw_sync_run(const struct vw_sync_context *context, const struct vw_sync_options *options,
		struct vw_sync_result *out, struct vw_error *err)
{
	struct sync sync;
	struct vw_error why = VW_ERROR_INIT;
	struct vw_sync_options used = *options;
	int code = begin(&sync, context, &used, out, err);
	if (code == 0)
		code = check_source(&sync, err);
	if (code < 0) {
		end(&sync);
		out->outcome = VW_SYNC_FAILED;
		return code;
	}
	/* a quick walk needs to know where to stop */
	if (!sync.state->has_last_full_finished_at)
		used.depth = VW_DEPTH_FULL;
	vw_mlflow_begin_cycle(context->client);
	if (judgement_is_old(&sync))
		code = sync_judge_stored(&sync, &why);
	if (code == 0)
		code = walk(&sync, &why);
	conclude(&sync, code, &why);
	code = finish(&sync, &why);
	/* what was learned is stored; that the cycle ended is not */
	if (code < 0)
		conclude(&sync, code, &why);
	if (sync.failure && err)
		*err = sync.failed;
	end(&sync);
	return sync.failure;
}

int vw_sync_reevaluate(const struct vw_sync_context *context, struct vw_sync_result *out, struct vw_error *err)
{
	struct sync sync;
	struct vw_sync_options options = {.depth = VW_DEPTH_FULL};
	vw_sync_state state;
	int code = begin(&sync, context, &options, out, err);
	sync.opened = true; /* no cycle starts here: nothing is read */
	if (code == 0)
		code = sync_judge_stored(&sync, err);
	if (code == 0) {
		state = *sync.state;
		VW_SET_BYTES(&state, policy_sha256, vw_policy_sha256(context->policy), VW_SHA256_SIZE);
		if (context->config_sha256) /* the entry that says so is written */
			VW_SET_BYTES(&state, config_sha256, context->config_sha256, VW_SHA256_SIZE);
		VW_SET(&state, last_judged_at, sync.started_at);
		code = sync_commit_end(&sync, NULL, &state, err);
	}
	set_counts(&out->counts);
	out->outcome = code == 0 ? VW_SYNC_OK : code == VW_ECANCELLED ? VW_SYNC_CANCELLED : VW_SYNC_FAILED;
	out->duration_ms = vw_clock_monotonic() - sync.started_mono;
	end(&sync);
	return code;
}
