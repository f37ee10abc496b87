#include "views.h"

#include "base/pattern.h"
#include "base/text.h"
#include "proto/message.h"

#include <stdio.h>
#include <string.h>

struct walk {
	struct vw_txn *txn;
	const struct view_filter *filter;
	const vw_sync_state *state;
	each_view each;
	void *arg;
};

const char *view_status(const struct vw_record_view *view)
{
	const vw_compliance *c = view->entry->compliance;
	return c && c->has_status ? vw_enum_name(&verifywise__v1__compliance_status__descriptor, (int)c->status)
				  : "unknown";
}

size_t view_count(const struct vw_record_view *view, vw_finding_state state)
{
	const vw_compliance *c = view->entry->compliance;
	size_t count = 0;
	for (size_t i = 0; c && i < c->n_findings; i++)
		count += c->findings[i]->state == state;
	return count;
}

static bool text_wanted(const char *wanted, const char *text)
{
	return !wanted || vw_text_equal_nocase(wanted, text ? text : "");
}

static bool wanted(const struct view_filter *filter, const struct vw_record_view *view)
{
	const vw_record *r = view->record;
	const char *owner = r->identity && r->identity->owner ? r->identity->owner : "";
	if (filter->owner_glob && !vw_glob_match(filter->owner_glob, owner))
		return false;
	return text_wanted(filter->stage, r->lifecycle ? r->lifecycle->lifecycle_stage : NULL) &&
	       text_wanted(filter->risk, r->risk ? r->risk->risk_category : NULL) &&
	       text_wanted(filter->status, view_status(view));
}

/* What can be told without the record. */
static bool index_wanted(const struct view_filter *filter, const vw_version_index *index)
{
	if (filter->model && strcmp(filter->model, index->model_name) != 0)
		return false;
	if (filter->workspace && strcmp(filter->workspace, index->workspace ? index->workspace : "") != 0)
		return false;
	return !filter->model_glob || vw_glob_match(filter->model_glob, index->model_name);
}

static int look_at(const vw_version_index *index, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct walk *walk = arg;
	vw_entry *entry;
	vw_record *record;
	if (!index_wanted(walk->filter, index))
		return 0;
	int code = vw_store_entry(walk->txn, arena, index->sequence, &entry, err);
	if (code < 0)
		return code;
	if (!entry->version)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %llu should hold a record",
				    (unsigned long long)index->sequence);
	code = vw_store_record(arena, entry->version, &record, err);
	if (code < 0)
		return code;
	if (!record->model_name || !record->version_number)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %llu holds a record without a name",
				    (unsigned long long)index->sequence);
	struct vw_record_view view = {record,
				      entry->version,
				      entry->access,
				      index->recorded_at,
				      index->has_removed_at ? 0 : walk->state->last_full_started_at,
				      index->removed_at};
	return wanted(walk->filter, &view) ? walk->each(&view, arena, walk->arg, err) : 0;
}

int views_each(struct vw_store *store, const struct view_filter *filter, each_view each, void *arg,
	       struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct walk walk = {.filter = filter, .each = each, .arg = arg};
	vw_sync_state *state;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory");
	int code = vw_txn_begin_read(vw_store_kv(store), &walk.txn, err);
	if (code < 0)
		return code;
	code = vw_store_sync_state(walk.txn, arena, &state, err);
	if (code == 0) {
		walk.state = state;
		code = vw_store_each_version(walk.txn, filter->with_removed, look_at, &walk, err);
	}
	vw_txn_end(walk.txn);
	return code;
}

static bool is_stage(const char *text)
{
	return vw_text_equal_nocase(text, "Production") || vw_text_equal_nocase(text, "Staging") ||
	       vw_text_equal_nocase(text, "Archived") || vw_text_equal_nocase(text, "None");
}

int view_filter_of(const struct vw_cli_invocation *in, struct view_filter *out)
{
	int unused;
	*out = (struct view_filter){.model_glob = vw_cli_value(in, "model"),
				    .owner_glob = vw_cli_value(in, "owner"),
				    .stage = vw_cli_value(in, "stage"),
				    .status = vw_cli_value(in, "status"),
				    .risk = vw_cli_value(in, "risk"),
				    .with_removed = vw_cli_given(in, "all")};
	if (out->stage && !is_stage(out->stage)) {
		fprintf(stderr, "vw-agent: --stage cannot be '%s'; Production, Staging, Archived or None\n",
			out->stage);
		return EXIT_USAGE;
	}
	if (out->status && !vw_enum_value(&verifywise__v1__compliance_status__descriptor, out->status, &unused)) {
		fprintf(stderr, "vw-agent: --status cannot be '%s'; compliant, gaps or unknown\n", out->status);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}
