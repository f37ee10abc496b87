/* gap.c: open findings listed, in order of versions.
 *
 * They are read from the ledger entries of the versions that have any; a version's row says whether it does, and how bad. So a page costs what it shows,
 * unless a filter leaves out most of it: asking for one rule opens all entries with gaps that the row does not rule out. */
#include "page.h"
#include "project.h"
#include "version.h"

#include "base/limits.h"
#include "proto/message.h"

#include <string.h>

struct listing {
	struct vw_txn *txn;
	int32_t organization;
	const struct vw_gap_query *query;
	size_t limit;
	struct vw_arena *scratch;
	struct vw_lmdb_filter filter;
	struct vw_version_query versions; /* what the filter is of */
	struct vw_lmdb_rows rows;
	struct vw_bytes from; /* the version that the last page ended in */
	uint64_t from_sequence;
	size_t from_index; /* of its findings: the first that is wanted */
	struct vw_lmdb_key last;
	uint64_t last_sequence;
	size_t last_index;
	bool more;
};

static bool has_framework(const vw_finding *finding, const char *framework)
{
	for (size_t i = 0; i < finding->n_clauses; i++)
		if (finding->clauses[i]->framework && strcmp(finding->clauses[i]->framework, framework) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct vw_gap_query *q, const vw_finding *finding)
{
	return (!q->severity || finding->severity >= *q->severity) &&
	       (!q->rule || (finding->rule && strcmp(finding->rule, q->rule) == 0)) &&
	       (!q->framework || has_framework(finding, q->framework));
}

/* Copies what lives in the scratch arena. */
static int keep(struct listing *l, const vw_gap_row *gap, struct vw_error *err)
{
	void *copied;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	size_t len;
	const uint8_t *bytes = arena ? vw_message_pack(arena, &gap->base, &len) : NULL;
	if (!bytes)
		return vw_lmdb_no_memory(err);
	int rc =
	    vw_message_unpack(l->rows.arena, &verifywise__v1__gap_row__descriptor, bytes, len, "gap", &copied, err);
	return rc < 0 ? rc : vw_lmdb_rows_add(&l->rows, copied, err);
}

static int add_gaps(struct listing *l, struct vw_bytes key, const vw_version_row *row, vw_gap_row **gaps,
		    size_t count, size_t first, struct vw_error *err)
{
	for (size_t i = first; i < count; i++) {
		if (!is_wanted(l->query, gaps[i]->finding))
			continue;
		if (l->rows.count == l->limit) {
			l->more = true;
			return 1;
		}
		int rc = keep(l, gaps[i], err);
		if (rc < 0)
			return rc;
		l->last.len = key.len;
		memcpy(l->last.bytes, key.data, key.len);
		l->last_sequence = row->sequence;
		l->last_index = i + 1;
	}
	return 0;
}

static int next_version(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	struct listing *l = arg;
	struct vw_lmdb_version version;
	vw_version_row *row;
	vw_entry *entry;
	vw_gap_row **gaps;
	size_t count;
	if (!vw_lmdb_version_open(value, &version))
		return vw_error_set(err, VW_ECORRUPT, "a version's row is none");
	if (vw_lmdb_version_worst(&version) == 0 || !vw_lmdb_filter_may_want(&l->filter, key, &version))
		return 0;
	vw_arena_reset(l->scratch);
	int rc = vw_lmdb_version_row(&version, l->scratch, &row, err);
	if (rc < 0 || !vw_lmdb_filter_wants(&l->filter, row))
		return rc;
	rc = vw_lmdb_entry(l->txn, l->scratch, l->organization, row->agent_id, row->sequence, &entry, err);
	if (rc == 0)
		rc = vw_project_gaps(row, entry, l->scratch, &gaps, &count, err);
	if (rc < 0)
		return rc;
	bool goes_on = key.len == l->from.len && memcmp(key.data, l->from.data, key.len) == 0 &&
		       row->sequence == l->from_sequence;
	return add_gaps(l, key, row, gaps, count, goes_on ? l->from_index : 0, err);
}

/* ---- The place: sequence, index of the finding, the version's key behind the organization ---- */

#define PLACE_HEADER 10 /* bytes */

static int open_place(struct listing *l, struct vw_bytes place, struct vw_lmdb_key *from, struct vw_error *err)
{
	const uint8_t *bytes = place.data;
	if (place.len == 0)
		return 0;
	if (place.len <= PLACE_HEADER || place.len - PLACE_HEADER > VW_KEY_MAX - VW_LMDB_ORGANIZATION)
		return vw_error_set(err, VW_EINVAL, "the cursor is none");
	for (size_t i = 0; i < 8; i++)
		l->from_sequence = l->from_sequence << 8 | bytes[i];
	l->from_index = (size_t)bytes[8] << 8 | bytes[9];
	vw_lmdb_key_organization(l->organization, from);
	memcpy(from->bytes + from->len, bytes + PLACE_HEADER, place.len - PLACE_HEADER);
	from->len += place.len - PLACE_HEADER;
	l->from = vw_lmdb_bytes(from);
	return 0;
}

static char *print_place(const struct listing *l, const struct vw_listing *listing)
{
	uint8_t place[PLACE_HEADER + VW_KEY_MAX];
	size_t len = l->last.len - VW_LMDB_ORGANIZATION;
	for (size_t i = 0; i < 8; i++)
		place[i] = (uint8_t)(l->last_sequence >> (56 - 8 * i));
	place[8] = (uint8_t)(l->last_index >> 8); /* at most VW_MAX_POLICY_RULES */
	place[9] = (uint8_t)l->last_index;
	memcpy(place + PLACE_HEADER, l->last.bytes + VW_LMDB_ORGANIZATION, len);
	return vw_page_print(listing, (struct vw_bytes){place, PLACE_HEADER + len}, l->rows.arena);
}

static void begin_listing(const struct vw_gap_query *q, int32_t organization, struct vw_listing *out)
{
	vw_listing_begin(out, "gaps", organization);
	const char *texts[] = {q->agent_id, q->model, q->rule, q->framework};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		vw_listing_add_text(out, texts[i]);
	vw_listing_add_number(out, q->severity ? (int64_t)*q->severity : -1);
}

static int list(struct vw_lmdb_store *store, struct listing *l, struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *scratch = vw_arena_open(0);
	struct vw_lmdb_key prefix;
	l->scratch = scratch;
	if (!scratch)
		return vw_lmdb_no_memory(err);
	if (l->query->model)
		vw_lmdb_key_model(l->organization, l->query->model, &prefix);
	else
		vw_lmdb_key_organization(l->organization, &prefix);
	int rc = vw_txn_begin_read(store->kv, &l->txn, err);
	if (rc < 0)
		return rc;
	rc = vw_lmdb_walk(l->txn, VW_LMDB_VERSIONS, vw_lmdb_bytes(&prefix), l->from, false, next_version, l, err);
	vw_txn_end(l->txn);
	return rc;
}

static int gap_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
		    const struct vw_gap_query *query, const struct vw_page *page, vw_gap_row ***out,
		    size_t *out_count, char **out_cursor, struct vw_error *err)
{
	struct listing l = {.organization = organization, .query = query, .limit = page->limit, .rows.arena = arena};
	struct vw_listing listing;
	struct vw_lmdb_key from;
	struct vw_bytes place;
	l.versions = (struct vw_version_query){
	    .agent_id = query->agent_id, .model = query->model, .severity = query->severity};
	begin_listing(query, organization, &listing);
	int rc = vw_page_read(&listing, page, arena, &place, err);
	if (rc == 0)
		rc = vw_lmdb_filter_open(&l.versions, &l.filter, err);
	if (rc == 0)
		rc = open_place(&l, place, &from, err);
	if (rc == 0)
		rc = list(vw_lmdb_of(base), &l, err);
	if (rc < 0)
		return rc;
	char *cursor = l.more ? print_place(&l, &listing) : NULL;
	if (l.more && !cursor)
		return vw_lmdb_no_memory(err);
	*out = (vw_gap_row **)l.rows.items;
	*out_count = l.rows.count;
	*out_cursor = cursor;
	return 0;
}

void vw_lmdb_gap_ops(struct vw_fleet_ops *ops)
{
	ops->gap_list = gap_list;
}
