#include "store_pg.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define COLUMNS "organization_id AS id, name, disabled, created_at"

int vw_pg_organization_create(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			      const char *name, vw_organization **out, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void *row;
	if (organization < 0)
		return vw_error_set(err, VW_EINVAL, "%" PRId32 " is no organization id", organization);
	if (!name || vw_text_blank(name) || strlen(name) > VW_MAX_NAME || !vw_utf8_valid(name, strlen(name)))
		return vw_error_set(err, VW_EINVAL, "an organization needs a name in UTF-8 (VW_MAX_NAME)");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE, err);
	vw_pg_params(&tx, &p);
	vw_pg_text(&p, name);
	vw_pg_do(&tx, "SELECT set_config('app.current_org', organization_reserve($1, $2)::text, true)", &p);
	vw_pg_params(&tx, &p);
	p.count = 0;
	vw_pg_text(&p, name);
	vw_pg_int8(&p, vw_clock_now());
	vw_pg_query(&tx,
		    "INSERT INTO organizations (organization_id, name, created_at)"
		    " VALUES (current_setting('app.current_org')::int, $1, $2) RETURNING " COLUMNS,
		    &p);
	vw_pg_one(&tx, &verifywise__v1__organization__descriptor, arena, "the new organization", &row);
	if (tx.code == 0)
		tx.organization = ((vw_organization *)row)->id; /* now that it is known whose transaction it is */
	if (vw_pg_commit(&tx) == 0)
		*out = row;
	int rc = vw_pg_end(&tx);
	return rc == VW_EBUSY
		   ? vw_error_set(err, rc, "an organization with this id or the name %.100s is there", name)
		   : rc;
}

int vw_pg_organization_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			   vw_organization **out, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void *row;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	vw_pg_query(&tx, "SELECT " COLUMNS " FROM organizations WHERE organization_id = $1", &p);
	if (vw_pg_one(&tx, &verifywise__v1__organization__descriptor, arena, "the organization", &row) == 0)
		*out = row;
	return vw_pg_end(&tx);
}

int vw_pg_organization_disable(struct vw_fleet_store *store, int32_t organization, bool disabled,
			       struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE_AGAIN, err);
	vw_pg_params(&tx, &p);
	vw_pg_bool(&p, disabled);
	vw_pg_query(&tx, "UPDATE organizations SET disabled = $2 WHERE organization_id = $1", &p);
	if (vw_pg_affected(vw_pg_result(&tx)) == 0)
		vw_pg_refuse(&tx, VW_ENOTFOUND, "organization %" PRId32 " is not there", organization);
	vw_pg_notify(&tx, VW_CHANGE_ORGANIZATION, organization, NULL);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

int vw_pg_organization_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t after, size_t limit,
			    vw_organization ***out, size_t *out_count, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void **rows;
	size_t count;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, VW_PG_NO_ORGANIZATION, VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	p.count = 0;
	vw_pg_int4(&p, after);
	vw_pg_int8(&p, vw_pg_limit(limit));
	vw_pg_query(&tx, "SELECT " COLUMNS " FROM operator_organizations($1, $2)", &p);
	if (vw_pg_rows(&tx, &verifywise__v1__organization__descriptor, arena, &rows, &count) == 0) {
		*out = (vw_organization **)rows;
		*out_count = count;
	}
	return vw_pg_end(&tx);
}
