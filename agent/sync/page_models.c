/* page_models.c: the registered models of versions whose model was not listed: made since then, or behind the place where a quick
 * walk stops. Whether they are relevant (S1.2) has to be known before anything of them is recorded. */
#include "page.h"

#include <stdlib.h>
#include <string.h>

static void model_fetched(void *arg, const struct vw_mlflow_answer *answer)
{
	struct page *page = arg;
	/* one that cannot be read is no reason to lose its version: record.c says that it was not seen */
	if (answer->code == VW_EAUTH)
		sync_fail(page->sync, answer->code, answer->error);
	if (answer->code == 0 && !sync_stopped(page->sync))
		sync_take_models(page->sync, answer);
	page_returned(page);
}

/* A quick walk knows the models that did not change from an earlier one. They are judged anew: the scope may be another one now. */
static bool known_from_before(struct sync *sync, struct vw_txn *txn, struct vw_arena *arena, const char *name)
{
	vw_registered_model *model;
	if (sync->options->depth != VW_DEPTH_QUICK ||
	    vw_store_model(txn, arena, sync->workspace, name, &model, NULL) < 0)
		return false;
	if (!scope_has_model(sync->cx->scope, model))
		seen_add(&sync->left_out, name, "");
	return true;
}

void page_ask_models(struct page *page)
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
	for (size_t i = 0; i < page->count && !sync_stopped(sync); i++) {
		const char *name = page->versions[i]->name;
		if ((i > 0 && strcmp(page->versions[i - 1]->name, name) == 0) || seen_has(&sync->models, name, "") ||
		    seen_has(&asked, name, ""))
			continue;
		seen_add(&asked, name, "");
		if (known_from_before(sync, txn, page->arena, name))
			continue;
		code = vw_mlflow_get_model(sync->cx->client, name, model_fetched, page);
		sync_started(sync, code, "registered-models/get");
		page->outstanding += code == 0;
	}
	vw_txn_end(txn);
	seen_reset(&asked);
}

static int compare_versions(const void *a, const void *b)
{
	const vw_model_version *x = *(vw_model_version *const *)a, *y = *(vw_model_version *const *)b;
	size_t x_len = strlen(x->version), y_len = strlen(y->version);
	int order = strcmp(x->name, y->name);
	if (order)
		return order;
	return x_len == y_len ? strcmp(x->version, y->version) : (x_len > y_len) - (x_len < y_len);
}

void page_choose(struct page *page)
{
	struct sync *sync = page->sync;
	size_t kept = 0;
	if (page->count > 0)
		qsort(page->versions, page->count, sizeof(*page->versions), compare_versions);
	for (size_t i = 0; i < page->count; i++) {
		vw_model_version *version = page->versions[i];
		if (kept > 0 && compare_versions(&page->versions[kept - 1], &version) == 0)
			continue;
		if (seen_has(&sync->left_out, version->name, "")) {
			sync->result->counts.versions--;
			sync->result->counts.versions_excluded++;
			continue;
		}
		page->versions[kept++] = version;
	}
	page->count = kept;
}
