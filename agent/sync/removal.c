/* removal.c: versions that a complete scan did not show. Each is called removed only after the server said 404 when asked for it, or for its
 * model: absence from a listing can also be a permission that was lost. */
#include "internal.h"

#include "base/pattern.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#define REMOVALS_PER_COMMIT 500

enum verdict { UNASKED, GONE, LEFT_OUT, STILL_THERE };

struct candidate {
	struct removals *all;
	char *model;
	char *version;
	enum verdict verdict;
};

struct removals {
	struct sync *sync;
	bool all_left_out; /* without a question: the whole workspace is left out */
	struct candidate *items;
	size_t count;
	size_t size;
	uint64_t live; /* versions that are stored as present, in this workspace and in the options' models */
};

static bool same_workspace(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static int look_at(const vw_version_index *index, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct removals *all = arg;
	struct sync *sync = all->sync;
	(void)arena;
	if (!same_workspace(index->workspace, sync->workspace))
		return 0;
	if (sync->options->model && !vw_glob_match(sync->options->model, index->model_name))
		return 0;
	all->live++;
	bool left_out = all->all_left_out || seen_has(&sync->left_out, index->model_name, "");
	if (!left_out && seen_has(&sync->versions, index->model_name, index->version_number))
		return 0;
	if (all->count == all->size) {
		size_t size = all->size ? 2 * all->size : 64;
		struct candidate *items = realloc(all->items, size * sizeof(*items));
		if (!items)
			return vw_error_set(err, VW_ENOMEM, "no memory for the list of missing versions");
		all->items = items;
		all->size = size;
	}
	struct candidate c = {all, vw_arena_strdup(sync->arena, index->model_name),
			      vw_arena_strdup(sync->arena, index->version_number), left_out ? LEFT_OUT : UNASKED};
	if (!c.model || !c.version)
		return vw_error_set(err, VW_ENOMEM, "no memory for the list of missing versions");
	all->items[all->count++] = c;
	return 0;
}

static void version_asked(void *arg, const struct vw_mlflow_answer *answer)
{
	struct candidate *c = arg;
	if (answer->code == VW_ENOTFOUND)
		c->verdict = GONE;
	else
		c->verdict = STILL_THERE; /* 403 is not deletion, a failure neither */
	if (answer->code == VW_EAUTH)
		sync_fail(c->all->sync, answer->code, answer->error);
}

static void model_asked(void *arg, const struct vw_mlflow_answer *answer)
{
	struct candidate *first = arg;
	struct removals *all = first->all;
	struct vw_error err = VW_ERROR_INIT;
	for (struct candidate *c = first; c < all->items + all->count && strcmp(c->model, first->model) == 0; c++) {
		if (c->verdict != UNASKED || sync_stopped(all->sync))
			continue;
		if (answer->code == VW_ENOTFOUND) {
			c->verdict = GONE;
			continue;
		}
		int code = vw_mlflow_get_model_version(all->sync->cx->client, c->model, c->version, version_asked, c);
		if (code < 0) {
			vw_error_set(&err, code, "cannot ask for %s version %s", c->model, c->version);
			sync_fail(all->sync, code, &err);
		}
	}
}

static int ask(struct removals *all, struct vw_error *err)
{
	struct sync *sync = all->sync;
	for (size_t i = 0; i < all->count; i++) {
		struct candidate *c = &all->items[i];
		if (c->verdict != UNASKED || (i > 0 && strcmp(c->model, c[-1].model) == 0))
			continue;
		int code = vw_mlflow_get_model(sync->cx->client, c->model, model_asked, c);
		if (code < 0)
			return vw_error_set(err, code, "cannot ask for registered model %s", c->model);
	}
	return vw_mlflow_run(sync->cx->client, err);
}

vw_entry *sync_removal_entry(struct sync *sync, struct vw_txn *txn, struct vw_arena *scratch, struct vw_arena *arena,
			     const vw_version_index *index, const char *source, struct vw_error *err)
{
	vw_entry *entry = sync_entry(sync, arena);
	vw_version_removed *removed = vw_message_new(arena, &verifywise__v1__version_removed__descriptor);
	vw_deployment_event *event = vw_message_new(arena, &verifywise__v1__deployment_event__descriptor);
	vw_entry *last;
	vw_record *record;
	if (!entry || !removed || !event) {
		vw_error_set(err, VW_ENOMEM, "no memory for a ledger entry");
		return NULL;
	}
	if (vw_store_entry(txn, scratch, index->sequence, &last, err) < 0)
		return NULL;
	if (last->version && vw_store_record(scratch, last->version, &record, NULL) == 0 && record->lifecycle)
		event->from = vw_arena_strdup(arena, record->lifecycle->lifecycle_stage);
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_REMOVAL;
	entry->removal = removed;
	removed->workspace = vw_arena_strdup(arena, index->workspace);
	removed->model_name = vw_arena_strdup(arena, index->model_name);
	removed->version_number = vw_arena_strdup(arena, index->version_number);
	VW_SET_BYTES(removed, record_sha256,
		     vw_arena_memdup(arena, index->record_sha256.data, index->record_sha256.len),
		     index->record_sha256.len);
	event->field = vw_arena_strdup(arena, "removed");
	event->source = vw_arena_strdup(arena, source);
	removed->event = event;
	return entry;
}

struct batch {
	struct vw_arena *arena;   /* of the entries */
	struct vw_arena *scratch; /* of what is looked at for one of them */
	struct changes changes;
};

static int make_removal(struct sync *sync, struct vw_txn *txn, const struct candidate *c, struct batch *batch,
			struct vw_error *err)
{
	vw_version_index *index;
	vw_arena_reset(batch->scratch);
	int code = vw_store_version(txn, batch->scratch, sync->workspace, c->model, c->version, &index, err);
	if (code < 0)
		return code;
	vw_entry *entry = sync_removal_entry(sync, txn, batch->scratch, batch->arena, index,
					     c->verdict == GONE ? "mlflow" : "configuration", err);
	if (!entry)
		return err->code;
	batch->changes.items[batch->changes.count++] = (struct change){entry, NULL};
	return 0;
}

static int write_batch(struct sync *sync, const struct candidate *items, size_t count, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_arena *scratch VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_txn *txn = NULL;
	struct batch batch = {arena, scratch, {0}};
	batch.changes.items = arena && scratch ? vw_arena_array(arena, count + 1, sizeof(struct change)) : NULL;
	if (!batch.changes.items)
		return vw_error_set(err, VW_ENOMEM, "no memory for removals");
	int code = vw_txn_begin_read(vw_store_kv(sync->cx->store), &txn, err);
	for (size_t i = 0; i < count && code == 0; i++)
		if (items[i].verdict == GONE || items[i].verdict == LEFT_OUT)
			code = make_removal(sync, txn, &items[i], &batch, err);
	vw_txn_end(txn);
	if (code == 0)
		code = sync_commit(sync, arena, &batch.changes, err);
	if (code == 0)
		sync->result->counts.removed += (int64_t)batch.changes.count;
	return code;
}

/* ---- registered models that are not listed any more: only the cache of their facts goes ---- */

struct stale_models {
	struct sync *sync;
	char **names;
	size_t count;
	size_t size;
};

static int look_at_model(const char *workspace, const vw_registered_model *model, struct vw_arena *arena, void *arg,
			 struct vw_error *err)
{
	struct stale_models *stale = arg;
	struct sync *sync = stale->sync;
	(void)arena;
	if (!same_workspace(workspace, sync->workspace))
		return 0;
	if (seen_has(&sync->models, model->name, "") && !seen_has(&sync->left_out, model->name, ""))
		return 0;
	if (stale->count == stale->size) {
		size_t size = stale->size ? 2 * stale->size : 64;
		char **names = realloc(stale->names, size * sizeof(*names));
		if (!names)
			return vw_error_set(err, VW_ENOMEM, "no memory for the list of missing models");
		stale->names = names;
		stale->size = size;
	}
	char *name = vw_arena_strdup(sync->arena, model->name);
	if (!name)
		return vw_error_set(err, VW_ENOMEM, "no memory for the list of missing models");
	stale->names[stale->count++] = name;
	return 0;
}

static int delete_models(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct stale_models *stale = arg;
	int code = 0;
	for (size_t i = 0; i < stale->count && code == 0; i++)
		code = vw_store_delete_model(txn, stale->sync->workspace, stale->names[i], err);
	return code;
}

static int forget_models(struct sync *sync, struct vw_error *err)
{
	struct stale_models stale = {.sync = sync};
	struct vw_txn *txn;
	if (sync->options->model)
		return 0;
	int code = vw_txn_begin_read(vw_store_kv(sync->cx->store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_each_model(txn, look_at_model, &stale, err);
	vw_txn_end(txn);
	if (code == 0 && stale.count > 0)
		code = vw_kv_write(vw_store_kv(sync->cx->store), delete_models, &stale, err);
	free(stale.names);
	return code;
}

static int find_missing(struct sync *sync, struct removals *all, struct vw_error *err)
{
	struct vw_txn *txn;
	int code = vw_txn_begin_read(vw_store_kv(sync->cx->store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_each_version(txn, false, look_at, all, err);
	vw_txn_end(txn);
	return code;
}

static bool suspect(struct sync *sync, const struct removals *all)
{
	if (sync->listed_versions > 0 || all->live == 0 || sync->options->accept_empty || sync->options->model ||
	    sync->workspace_gone)
		return false;
	sync->result->outcome = VW_SYNC_SUSPECT;
	vw_error_set(
	    &sync->result->reason, VW_EINVAL,
	    "the server lists no model version%s%s, but %llu are stored from earlier; nothing was removed. If "
	    "they really are gone, run sync --accept-empty",
	    sync->workspace ? " in workspace " : "", sync->workspace ? sync->workspace : "",
	    (unsigned long long)all->live);
	return true;
}

static int remove_all(struct sync *sync, struct removals *all, struct vw_error *err)
{
	int code = ask(all, err);
	for (size_t at = 0; at < all->count && code == 0 && !sync_stopped(sync); at += REMOVALS_PER_COMMIT) {
		size_t n = all->count - at < REMOVALS_PER_COMMIT ? all->count - at : REMOVALS_PER_COMMIT;
		code = write_batch(sync, all->items + at, n, err);
		sync_progress(sync, "removals", (int64_t)(at + n), (int64_t)all->count);
	}
	if (code == 0 && !sync_stopped(sync))
		code = forget_models(sync, err);
	return code;
}

int sync_remove_missing(struct sync *sync, struct vw_error *err)
{
	struct removals all = {.sync = sync};
	if (sync->versions.failed || sync->models.failed || sync->left_out.failed)
		return vw_error_set(err, VW_ENOMEM, "no memory to remember the versions seen; nothing was removed");
	int code = find_missing(sync, &all, err);
	if (code == 0 && !suspect(sync, &all))
		code = remove_all(sync, &all, err);
	free(all.items);
	return code;
}

/* ---- workspaces that are not offered any more: deleted, or closed to this credential ---- */

struct unoffered {
	struct sync *sync;
	char *const *offered;
	size_t offered_count;
	const char *last_offered; /* the one that the version before was in; or NULL */
	char **names;
	size_t count, size;
};

static int look_at_workspace(const vw_version_index *index, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct unoffered *u = arg;
	const char *name = index->workspace ? index->workspace : "";
	(void)arena;
	/* versions come in the order of their workspaces */
	if ((u->count > 0 && strcmp(u->names[u->count - 1], name) == 0) ||
	    (u->last_offered && strcmp(u->last_offered, name) == 0))
		return 0;
	for (size_t i = 0; i < u->offered_count; i++) {
		if (strcmp(u->offered[i], name) == 0) {
			u->last_offered = u->offered[i];
			return 0;
		}
	}
	if (u->count == u->size) {
		size_t size = u->size ? 2 * u->size : 8;
		char **names = vw_arena_array(u->sync->arena, size, sizeof(*names));
		if (!names)
			return vw_error_set(err, VW_ENOMEM, "no memory for the list of workspaces");
		if (u->count)
			memcpy(names, u->names, u->count * sizeof(*names));
		u->names = names;
		u->size = size;
	}
	char *copy = vw_arena_strdup(u->sync->arena, name);
	if (!copy)
		return vw_error_set(err, VW_ENOMEM, "no memory for the list of workspaces");
	u->names[u->count++] = copy;
	return 0;
}

/* What was read before the server had workspaces is in one of them now, and recorded as that. */
static int leave_out_workspace(struct sync *sync, struct vw_error *err)
{
	struct removals all = {.sync = sync, .all_left_out = true};
	int code = find_missing(sync, &all, err);
	if (code == 0)
		code = remove_all(sync, &all, err);
	free(all.items);
	return code;
}

int sync_remove_workspaces(struct sync *sync, char *const *offered, size_t count, struct vw_error *err)
{
	struct unoffered u = {.sync = sync, .offered = offered, .offered_count = count};
	struct vw_txn *txn;
	int code = vw_txn_begin_read(vw_store_kv(sync->cx->store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_each_version(txn, false, look_at_workspace, &u, err);
	vw_txn_end(txn);
	for (size_t i = 0; i < u.count && code == 0 && !sync_stopped(sync); i++) {
		sync_enter_workspace(sync, u.names[i][0] ? u.names[i] : NULL);
		sync->workspace_gone = true;
		code = sync->workspace ? sync_remove_missing(sync, err) : leave_out_workspace(sync, err);
	}
	return code;
}
