/* version.c: lists of versions, and the history of one.
 *
 * The conditions that filter are no index conditions: under row-level security only leakproof operators may look at rows that the policy has not passed yet, and
 * neither LIKE nor full text search is one. So a listing reads an organization's versions in the order of an index or sorts them; that is what words are looked for
 * in, with the same meaning as in the embedded store: ASCII letters without case. */
#include "store_pg.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS                                                                                                      \
	"v.organization_id AS organization, v.agent_id, v.workspace, v.model_name, v.version_number, v.sequence, "   \
	"v.stage, v.owner, v.risk_category, v.status, v.gaps, v.unknown, v.partial, v.first_seen_at, "               \
	"v.recorded_at, "                                                                                            \
	"v.created_at, v.updated_at, v.removed_at, v.description, v.experiment_name, v.record_sha256, v.source_uri"
#define NAME_KEYS "v.model_name, v.version_order, v.workspace, v.agent_id"

/* ---- List ---- */

/* What a listing is ordered by before the names; a bigint. */
static const char *order_value(enum vw_version_order order)
{
	switch (order) {
	case VW_BY_RECORDED:
		return "coalesce(v.recorded_at, 0)";
	case VW_BY_UPDATED:
		return "coalesce(v.updated_at, 0)";
	case VW_BY_SEVERITY:
		return "v.worst::bigint";
	default:
		return "0::bigint";
	}
}

static void add_words(struct vw_pg_params *p, const char *text)
{
	size_t count = 0, len = text ? strlen(text) : 0;
	struct vw_bytes *words = vw_arena_array(p->arena, len / 2 + 1, sizeof(*words));
	char *copy = vw_arena_strdup(p->arena, text ? text : ""), *save = NULL;
	for (char *w = words && copy ? strtok_r(copy, " \t\r\n", &save) : NULL; w;
	     w = strtok_r(NULL, " \t\r\n", &save))
		words[count++] = vw_pg_item_text(p->arena, w);
	vw_pg_array(p, VW_PG_TEXT, words, count);
}

/* $2 to $11 */
static void add_filter(struct vw_pg_params *p, const struct vw_version_query *q)
{
	vw_pg_text(p, q->agent_id);
	vw_pg_text(p, q->workspace);
	vw_pg_text(p, q->model);
	vw_pg_text(p, q->stage);
	vw_pg_text(p, q->owner);
	vw_pg_text(p, q->risk);
	vw_pg_int4(p, q->status ? (int32_t)*q->status : 0);
	vw_pg_int4(p, q->severity ? (int32_t)*q->severity : 0);
	vw_pg_bool(p, q->with_removed);
	if (!p->failed)
		add_words(p, q->text);
}

/* What is not there is asked for as "". */
#define FILTER                                                                                                       \
	" v.organization_id = $1 AND ($2 IS NULL OR v.agent_id = $2::uuid)"                                          \
	" AND ($3 IS NULL OR v.workspace = $3) AND ($4 IS NULL OR v.model_name = $4)"                                \
	" AND ($5 IS NULL OR coalesce(v.stage, '') = $5) AND ($6 IS NULL OR coalesce(v.owner, '') = $6)"             \
	" AND ($7 IS NULL OR coalesce(v.risk_category, '') = $7) AND ($8 = 0 OR v.status = $8) AND v.worst >= $9"    \
	" AND ($10 OR v.removed_at IS NULL)"                                                                         \
	" AND (cardinality($11) = 0 OR NOT EXISTS (SELECT FROM unnest($11) w WHERE strpos(lower(v.model_name), "     \
	"lower(w COLLATE \"C\")) = 0"                                                                                \
	" AND strpos(lower(coalesce(v.description, '')), lower(w COLLATE \"C\")) = 0))"

static void add_listing(struct vw_listing *listing, int32_t organization, const struct vw_version_query *q)
{
	vw_listing_begin(listing, "versions", organization);
	vw_listing_add_text(listing, q->agent_id);
	vw_listing_add_text(listing, q->workspace);
	vw_listing_add_text(listing, q->model);
	vw_listing_add_text(listing, q->text);
	vw_listing_add_text(listing, q->stage);
	vw_listing_add_text(listing, q->owner);
	vw_listing_add_text(listing, q->risk);
	vw_listing_add_number(listing, q->status ? (int64_t)*q->status : 0);
	vw_listing_add_number(listing, q->severity ? (int64_t)*q->severity : 0);
	vw_listing_add_number(listing, q->with_removed);
	vw_listing_add_number(listing, (int64_t)q->order * 2 + q->descending);
}

/* A place is the value that is ordered by, and which version it was: its names are asked for and never change. */
#define PLACE_LEN (8 + 16 + VW_PG_KEY)

static void ask_page(struct vw_pg_tx *tx, const struct vw_version_query *q, const struct vw_page *page,
		     const uint8_t *place, bool first)
{
	char sql[4096];
	struct vw_pg_params p;
	const char *value = order_value(q->order), *way = q->descending ? "DESC" : "ASC";
	const char *comparison = q->descending ? "<" : ">";
	bool by_name = q->order == VW_BY_NAME;
	vw_pg_params(tx, &p);
	add_filter(&p, q);
	vw_pg_int8(&p, (int64_t)page->limit + 1);
	vw_pg_bool(&p, first);
	vw_pg_int8(&p, vw_pg_place_int(place));
	vw_pg_uuid(&p, place + 8);
	vw_pg_uuid(&p, place + 24);
	/* all of it is ours; without a value the order is that of an index */
	snprintf(sql, sizeof(sql),
		 "WITH c AS (SELECT " NAME_KEYS " FROM versions v WHERE v.organization_id = $1 AND v.agent_id = $15"
		 " AND v.version_key = $16)"
		 " SELECT " COLUMNS ", int8send(%s) || uuid_send(v.agent_id) || uuid_send(v.version_key) AS place"
		 " FROM versions v WHERE " FILTER " AND ($13 OR (%s%s" NAME_KEYS
		 ") %s (%s(SELECT model_name FROM c), (SELECT version_order FROM c),"
		 " (SELECT workspace FROM c), (SELECT agent_id FROM c)))"
		 " ORDER BY %s %s%s v.model_name %s, v.version_order %s, v.workspace %s, v.agent_id %s LIMIT $12",
		 value, by_name ? "" : value, by_name ? "" : ", ", comparison, by_name ? "" : "$14, ",
		 by_name ? "" : value, by_name ? "" : way, by_name ? "" : ",", way, way, way, way);
	vw_pg_query(tx, sql, &p);
}

int vw_pg_version_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const struct vw_version_query *query, const struct vw_page *page, vw_version_row ***out,
		       size_t *out_count, char **out_cursor, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_listing listing;
	struct vw_pg_page got;
	uint8_t place[PLACE_LEN];
	bool first;
	add_listing(&listing, organization, query);
	int rc = vw_pg_page_read(&listing, page, sizeof(place), arena, place, &first, err);
	if (rc < 0)
		return rc;
	if (query->agent_id && !vw_agent_id_valid(query->agent_id))
		return vw_error_set(err, VW_EINVAL, "what is asked for is no agent's id");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	ask_page(&tx, query, page, place, first);
	if (vw_pg_page_rows(&tx, &verifywise__v1__version_row__descriptor, &listing, page, arena, &got) == 0) {
		*out = (vw_version_row **)got.rows;
		*out_count = got.count;
		*out_cursor = got.cursor;
	}
	return vw_pg_end(&tx);
}

/* ---- One version ---- */

/* $3 is the version's key; its bytes must outlive the statement's queueing. */
static void version_params(struct vw_pg_tx *tx, const struct vw_version_key *key, uint8_t hash[VW_PG_KEY],
			   struct vw_pg_params *out)
{
	vw_pg_version_key(key->workspace ? key->workspace : "", key->model, key->version, hash);
	vw_pg_agent_params(tx, key->agent_id, out);
	vw_pg_uuid(out, hash);
}

int vw_pg_version_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const struct vw_version_key *key, vw_version_row **out, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	uint8_t hash[VW_PG_KEY];
	void *row;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	version_params(&tx, key, hash, &p);
	vw_pg_query(&tx,
		    "SELECT " COLUMNS " FROM versions v"
		    " WHERE v.organization_id = $1 AND v.agent_id = $2::uuid AND v.version_key = $3",
		    &p);
	if (vw_pg_one(&tx, &verifywise__v1__version_row__descriptor, arena, "the version", &row) == 0)
		*out = row;
	return vw_pg_end(&tx);
}

static int read_sequences(struct vw_pg_tx *tx, const struct vw_listing *listing, const struct vw_page *page,
			  struct vw_arena *arena, uint64_t **out, size_t *out_count, char **out_cursor)
{
	struct vw_pg_page got;
	int rc = vw_pg_page_rows(tx, &verifywise__v1__version_row__descriptor, listing, page, arena, &got);
	if (rc < 0)
		return rc;
	uint64_t *sequences = vw_arena_array(arena, got.count, sizeof(*sequences));
	if (!sequences)
		return vw_pg_refuse(tx, VW_ENOMEM, "no memory for a page");
	for (size_t i = 0; i < got.count; i++)
		sequences[i] = ((const vw_version_row *)got.rows[i])->sequence;
	*out = sequences;
	*out_count = got.count;
	*out_cursor = got.cursor;
	return 0;
}

int vw_pg_version_history(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const struct vw_version_key *key, const struct vw_page *page, uint64_t **out,
			  size_t *out_count, char **out_cursor, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	struct vw_listing listing;
	uint8_t hash[VW_PG_KEY], place[8];
	bool first;
	vw_listing_begin(&listing, "history", organization);
	vw_listing_add_text(&listing, key->agent_id);
	vw_listing_add_text(&listing, key->workspace);
	vw_listing_add_text(&listing, key->model);
	vw_listing_add_text(&listing, key->version);
	int rc = vw_pg_page_read(&listing, page, sizeof(place), arena, place, &first, err);
	if (rc < 0)
		return rc;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	version_params(&tx, key, hash, &p);
	vw_pg_int8(&p, first ? INT64_MAX : vw_pg_place_int(place));
	vw_pg_int8(&p, (int64_t)page->limit + 1);
	vw_pg_query(&tx,
		    "SELECT sequence, int8send(sequence) AS place FROM ledger WHERE organization_id = $1"
		    " AND agent_id = $2::uuid AND version_key = $3 AND sequence < $4 ORDER BY sequence DESC LIMIT $5",
		    &p);
	read_sequences(&tx, &listing, page, arena, out, out_count, out_cursor);
	return vw_pg_end(&tx);
}
