#include "store_pg.h"

#define COLUMNS                                                                                                      \
	"organization_id AS organization, public_id, name, role, secret_sha256, created_at, expires_at, revoked_at"

int vw_pg_user_create(struct vw_fleet_store *store, const vw_user *user, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	if (user->organization < 0)
		return vw_error_set(err, VW_ENOTFOUND, "the user's organization is not there");
	if (!user->public_id || !*user->public_id || user->secret_sha256.len != 32)
		return vw_error_set(err, VW_EINVAL, "a user needs a public id and the SHA-256 of the token's secret");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, user->organization, VW_PG_WRITE, err);
	vw_pg_params(&tx, &p);
	p.count = 0;
	vw_pg_text(&p, user->public_id);
	vw_pg_do(&tx, "SELECT user_reserve($1)", &p);
	vw_pg_params(&tx, &p);
	vw_pg_fields(&p, &user->base, "public_id name role secret_sha256 created_at expires_at revoked_at");
	vw_pg_query(
	    &tx,
	    "INSERT INTO users (organization_id, public_id, name, role, secret_sha256, created_at, expires_at,"
	    " revoked_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8"
	    " WHERE $1 = 0 OR EXISTS (SELECT FROM organizations WHERE organization_id = $1)",
	    &p);
	if (vw_pg_affected(vw_pg_result(&tx)) == 0)
		vw_pg_refuse(&tx, VW_ENOTFOUND, "the user's organization is not there");
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

int vw_pg_user_get(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id, vw_user **out,
		   struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void *row;
	vw_pg_begin_lookup(&tx, vw_pg_of(store)->pool,
			   "SELECT set_config('app.current_org', user_organization($1)::text, true)", public_id,
			   VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	p.count = 0;
	vw_pg_text(&p, public_id);
	vw_pg_query(
	    &tx,
	    "SELECT " COLUMNS " FROM users"
	    " WHERE organization_id = NULLIF(current_setting('app.current_org', true), '')::int AND public_id = $1",
	    &p);
	if (vw_pg_one(&tx, &verifywise__v1__user__descriptor, arena, "the user", &row) == 0)
		*out = row;
	return vw_pg_end(&tx);
}

int vw_pg_user_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization, vw_user ***out,
		    size_t *out_count, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void **rows;
	size_t count;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	vw_pg_query(&tx,
		    organization == 0 ? "SELECT " COLUMNS
					" FROM operator_users() u WHERE $1 = 0 ORDER BY u.organization_id, public_id"
				      : "SELECT " COLUMNS " FROM users WHERE organization_id = $1 ORDER BY public_id",
		    &p);
	if (vw_pg_rows(&tx, &verifywise__v1__user__descriptor, arena, &rows, &count) == 0) {
		*out = (vw_user **)rows;
		*out_count = count;
	}
	return vw_pg_end(&tx);
}

int vw_pg_user_revoke(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
		      struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE_AGAIN, err);
	vw_pg_params(&tx, &p);
	vw_pg_text(&p, public_id);
	vw_pg_int8(&p, at);
	vw_pg_query(
	    &tx,
	    "UPDATE users SET revoked_at = coalesce(revoked_at, $3) WHERE organization_id = $1 AND public_id = $2",
	    &p);
	if (vw_pg_affected(vw_pg_result(&tx)) == 0)
		vw_pg_refuse(&tx, VW_ENOTFOUND, "user %.40s is not there", public_id);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}
