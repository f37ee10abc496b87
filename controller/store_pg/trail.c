/* trail.c: what operators and the controller itself did. */
#include "store_pg.h"

#include "base/clock.h"

#define COLUMNS "id, organization_id AS organization, at, actor, action, object, text, int8send(id) AS place"

void vw_pg_event_queue(struct vw_pg_tx *tx, const vw_controller_event *event)
{
	struct vw_pg_params p;
	vw_pg_params(tx, &p);
	vw_pg_int8(&p, event->has_at ? event->at : vw_clock_now());
	vw_pg_fields(&p, &event->base, "actor action object text");
	vw_pg_do(tx,
		 "INSERT INTO controller_events (organization_id, at, actor, action, object, text)"
		 " VALUES ($1, $2, $3, $4, $5, $6)",
		 &p);
}

int vw_pg_event_put(struct vw_fleet_store *store, const vw_controller_event *event, struct vw_error *err)
{
	struct vw_pg_tx tx;
	if (event->organization < 0 || !event->action)
		return vw_error_set(err, VW_EINVAL, "an event of the trail needs an action");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, event->organization, VW_PG_WRITE, err);
	vw_pg_event_queue(&tx, event);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

int vw_pg_event_log(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		    const struct vw_page *page, vw_controller_event ***out, size_t *out_count, char **out_cursor,
		    struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	struct vw_listing listing;
	struct vw_pg_page got;
	uint8_t place[8];
	bool first;
	vw_listing_begin(&listing, "trail", organization);
	int rc = vw_pg_page_read(&listing, page, sizeof(place), arena, place, &first, err);
	if (rc < 0)
		return rc;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	vw_pg_int8(&p, first ? INT64_MAX : vw_pg_place_int(place));
	vw_pg_int8(&p, (int64_t)page->limit + 1);
	vw_pg_query(&tx,
		    organization == 0 ? "SELECT " COLUMNS
					" FROM operator_events($2, $3) WHERE $1 = 0 ORDER BY id DESC"
				      : "SELECT " COLUMNS " FROM controller_events"
					" WHERE organization_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
		    &p);
	if (vw_pg_page_rows(&tx, &verifywise__v1__controller_event__descriptor, &listing, page, arena, &got) == 0) {
		*out = (vw_controller_event **)got.rows;
		*out_count = got.count;
		*out_cursor = got.cursor;
	}
	return vw_pg_end(&tx);
}
