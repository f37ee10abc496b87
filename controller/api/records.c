/* records.c: model versions as they are now, one of them with its evidence, and what it was before. */
#include "routes.h"

#include "base/limits.h"
#include "entry_json.h"
#include "filter.h"

#define HISTORY_BYTES (4 * VW_MIB) /* of one answer: a record may have megabytes */

static void put_version(struct visit *v, size_t i, const void *items)
{
	vw_version_row *const *list = items;
	visit_message(v, &list[i]->base);
}

int api_record_list(struct visit *v, struct vw_error *err)
{
	struct filter filter;
	struct vw_page page;
	vw_version_row **list;
	size_t count;
	char *next;
	int code = filter_read(v, v->arena, &filter, err);
	if (code == 0)
		code = visit_page(v, &page, err);
	if (code == 0)
		code = vw_fleet_version_list(v->api->settings.store, v->arena, v->organization, &filter.query, &page,
					     &list, &count, &next, err);
	if (code == 0)
		visit_list(v, list, count, next, put_version);
	return code;
}

/* ---- one version ---- */

static int find_version(struct visit *v, struct vw_version_key *key, vw_version_row **out, struct vw_error *err)
{
	const char *workspace = visit_query(v, "workspace");
	*key = (struct vw_version_key){v->segments[0], workspace ? workspace : "", v->segments[1], v->segments[2]};
	int code = vw_agent_id_valid(key->agent_id)
		       ? vw_fleet_version_get(v->api->settings.store, v->arena, v->organization, key, out, err)
		       : VW_ENOTFOUND;
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such record") : code;
}

/* The entry with its hash in the chain: what the row says can be checked against it. */
static int put_entry(struct visit *v, const vw_version_row *row, uint64_t sequence, struct vw_error *err)
{
	vw_chained_entry **entries;
	size_t count;
	struct entry_view view;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a ledger entry");
	int code = vw_fleet_ledger_read(v->api->settings.store, arena, v->organization, row->agent_id, sequence, 1,
					&entries, &count, err);
	if (code == 0 && count != 1)
		code = vw_error_set(err, VW_ECORRUPT, "the ledger of agent %s has no entry %llu", row->agent_id,
				    (unsigned long long)sequence);
	if (code == 0)
		code = entry_open(entries[0], sequence, arena, &view, err);
	if (code < 0)
		return code;
	bool newest = sequence == row->sequence;
	vw_json_begin_object(&v->json);
	entry_put(&v->json, &view);
	entry_put_record(&v->json, &view, newest && row->has_removed_at ? row->removed_at : 0);
	vw_json_end_object(&v->json);
	return 0;
}

int api_record_get(struct visit *v, struct vw_error *err)
{
	struct vw_version_key key;
	vw_version_row *row;
	int code = find_version(v, &key, &row, err);
	if (code < 0)
		return code;
	visit_begin(v, 200, "OK");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "version");
	visit_message(v, &row->base);
	vw_json_key(&v->json, "newest");
	code = put_entry(v, row, row->sequence, err);
	vw_json_end_object(&v->json);
	visit_end(v);
	return code;
}

/* ---- its history ---- */

struct history {
	uint64_t *sequences;
	size_t count;
	char *next;
};

static int read_history(struct visit *v, const struct vw_version_key *key, const struct vw_page *page,
			struct history *out, struct vw_error *err)
{
	return vw_fleet_version_history(v->api->settings.store, v->arena, v->organization, key, page, &out->sequences,
					&out->count, &out->next, err);
}

static int put_history(struct visit *v, const vw_version_row *row, struct history *history, struct vw_error *err)
{
	int code = 0;
	size_t i = 0;
	visit_begin(v, 200, "OK");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "items");
	vw_json_begin_array(&v->json);
	for (; code == 0 && i < history->count && v->out->body.len < HISTORY_BYTES; i++)
		code = put_entry(v, row, history->sequences[i], err);
	vw_json_end_array(&v->json);
	history->count = i;
	return code;
}

int api_record_history(struct visit *v, struct vw_error *err)
{
	struct vw_version_key key;
	struct vw_page page;
	vw_version_row *row;
	struct history history;
	int code = visit_page(v, &page, err);
	if (code == 0)
		code = find_version(v, &key, &row, err);
	if (code == 0)
		code = read_history(v, &key, &page, &history, err);
	if (code < 0)
		return code;
	size_t asked = history.count;
	code = put_history(v, row, &history, err);
	if (code == 0 && history.count < asked) {
		/* cut at HISTORY_BYTES: the next page begins behind what was written */
		page.limit = history.count;
		code = read_history(v, &key, &page, &history, err);
	}
	if (code < 0)
		return code;
	visit_text(v, "next", history.next);
	vw_json_end_object(&v->json);
	visit_end(v);
	return 0;
}
