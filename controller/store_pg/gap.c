/* gap.c: open findings, and deployment events. */
#include "store_pg.h"

#define GAP_PLACE   (16 + VW_PG_KEY + 8)
#define EVENT_PLACE (8 + 16 + 8 + 8)

static int check_agent(const char *agent_id, struct vw_error *err)
{
	if (agent_id && !vw_agent_id_valid(agent_id))
		return vw_error_set(err, VW_EINVAL, "what is asked for is no agent's id");
	return 0;
}

/* ---- Gaps: in the order of models, versions, workspaces, agents ---- */

static void ask_gaps(struct vw_pg_tx *tx, const struct vw_gap_query *q, const struct vw_page *page,
		     const uint8_t *place, bool first)
{
	struct vw_pg_params p;
	vw_pg_params(tx, &p);
	vw_pg_text(&p, q->agent_id);
	vw_pg_text(&p, q->model);
	vw_pg_text(&p, q->rule);
	vw_pg_int4(&p, q->severity ? (int32_t)*q->severity : 0);
	vw_pg_text(&p, q->framework);
	vw_pg_int8(&p, (int64_t)page->limit + 1);
	vw_pg_bool(&p, first);
	vw_pg_uuid(&p, place);
	vw_pg_uuid(&p, place + 16);
	vw_pg_int8(&p, vw_pg_place_int(place + 16 + VW_PG_KEY));
	vw_pg_query(
	    tx,
	    "WITH c AS (SELECT model_name, version_order, workspace FROM versions"
	    " WHERE organization_id = $1 AND agent_id = $9 AND version_key = $10)"
	    " SELECT g.organization_id AS organization, g.agent_id, g.workspace, g.model_name, g.version_number,"
	    " g.sequence, g.recorded_at, g.finding,"
	    " uuid_send(g.agent_id) || uuid_send(g.version_key) || int8send(g.part) AS place"
	    " FROM gaps g WHERE g.organization_id = $1 AND ($2 IS NULL OR g.agent_id = $2::uuid)"
	    " AND ($3 IS NULL OR g.model_name = $3) AND ($4 IS NULL OR g.rule = $4) AND g.severity >= $5"
	    " AND ($6 IS NULL OR $6 = ANY (g.frameworks))"
	    " AND ($8 OR (g.model_name, g.version_order, g.workspace, g.agent_id, g.part) >"
	    " ((SELECT model_name FROM c), (SELECT version_order FROM c), (SELECT workspace FROM c), $9, $11))"
	    " ORDER BY g.model_name, g.version_order, g.workspace, g.agent_id, g.part LIMIT $7",
	    &p);
}

int vw_pg_gap_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		   const struct vw_gap_query *query, const struct vw_page *page, vw_gap_row ***out, size_t *out_count,
		   char **out_cursor, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_listing listing;
	struct vw_pg_page got;
	uint8_t place[GAP_PLACE];
	bool first;
	vw_listing_begin(&listing, "gaps", organization);
	vw_listing_add_text(&listing, query->agent_id);
	vw_listing_add_text(&listing, query->model);
	vw_listing_add_text(&listing, query->rule);
	vw_listing_add_text(&listing, query->framework);
	vw_listing_add_number(&listing, query->severity ? (int64_t)*query->severity : 0);
	int rc = vw_pg_page_read(&listing, page, sizeof(place), arena, place, &first, err);
	if (rc == 0)
		rc = check_agent(query->agent_id, err);
	if (rc < 0)
		return rc;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	ask_gaps(&tx, query, page, place, first);
	if (vw_pg_page_rows(&tx, &verifywise__v1__gap_row__descriptor, &listing, page, arena, &got) == 0) {
		*out = (vw_gap_row **)got.rows;
		*out_count = got.count;
		*out_cursor = got.cursor;
	}
	return vw_pg_end(&tx);
}

/* ---- Events: newest first ---- */

static void ask_events(struct vw_pg_tx *tx, const struct vw_event_query *q, const struct vw_page *page,
		       const uint8_t *place, bool first)
{
	struct vw_pg_params p;
	vw_pg_params(tx, &p);
	vw_pg_text(&p, q->agent_id);
	vw_pg_text(&p, q->model);
	vw_pg_text(&p, q->field);
	vw_pg_int8(&p, q->since);
	vw_pg_int8(&p, (int64_t)page->limit + 1);
	vw_pg_bool(&p, first);
	vw_pg_int8(&p, vw_pg_place_int(place));
	vw_pg_uuid(&p, place + 8);
	vw_pg_int8(&p, vw_pg_place_int(place + 24));
	vw_pg_int8(&p, vw_pg_place_int(place + 32));
	vw_pg_query(tx,
		    "SELECT organization_id AS organization, agent_id, sequence, part, workspace, model_name,"
		    " version_number, field, from_value AS from, to_value AS to, recorded_at, mlflow_updated_at,"
		    " int8send(recorded_at) || uuid_send(agent_id) || int8send(sequence) || int8send(part) AS place"
		    " FROM deployment_events WHERE organization_id = $1"
		    " AND ($2 IS NULL OR agent_id = $2::uuid) AND ($3 IS NULL OR model_name = $3)"
		    " AND ($4 IS NULL OR field = $4) AND ($5 = 0 OR recorded_at >= $5)"
		    " AND ($7 OR (recorded_at, agent_id, sequence, part) < ($8, $9, $10, $11))"
		    " ORDER BY recorded_at DESC, agent_id DESC, sequence DESC, part DESC LIMIT $6",
		    &p);
}

int vw_pg_event_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		     const struct vw_event_query *query, const struct vw_page *page, vw_event_row ***out,
		     size_t *out_count, char **out_cursor, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_listing listing;
	struct vw_pg_page got;
	uint8_t place[EVENT_PLACE];
	bool first;
	vw_listing_begin(&listing, "events", organization);
	vw_listing_add_text(&listing, query->agent_id);
	vw_listing_add_text(&listing, query->model);
	vw_listing_add_text(&listing, query->field);
	vw_listing_add_number(&listing, query->since);
	int rc = vw_pg_page_read(&listing, page, sizeof(place), arena, place, &first, err);
	if (rc == 0)
		rc = check_agent(query->agent_id, err);
	if (rc < 0)
		return rc;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	ask_events(&tx, query, page, place, first);
	if (vw_pg_page_rows(&tx, &verifywise__v1__event_row__descriptor, &listing, page, arena, &got) == 0) {
		*out = (vw_event_row **)got.rows;
		*out_count = got.count;
		*out_cursor = got.cursor;
	}
	return vw_pg_end(&tx);
}
