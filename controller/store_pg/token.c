#include "store_pg.h"

#define COLUMNS                                                                                                      \
	"organization_id AS organization, public_id, label, secret_sha256, created_at, created_by, expires_at, "     \
	"uses_allowed, uses, revoked_at"

int vw_pg_token_create(struct vw_fleet_store *store, const vw_enrollment_token *token, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	if (token->organization < 1)
		return vw_error_set(err, VW_ENOTFOUND, "the token's organization is not there");
	if (!token->public_id || !*token->public_id || token->secret_sha256.len != 32)
		return vw_error_set(err, VW_EINVAL, "a token needs a public id and the SHA-256 of its secret");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, token->organization, VW_PG_WRITE, err);
	vw_pg_params(&tx, &p);
	p.count = 0;
	vw_pg_text(&p, token->public_id);
	vw_pg_do(&tx, "SELECT token_reserve($1)", &p);
	vw_pg_params(&tx, &p);
	vw_pg_fields(&p, &token->base,
		     "public_id label secret_sha256 created_at created_by expires_at uses_allowed uses revoked_at");
	vw_pg_do(&tx,
		 "INSERT INTO enrollment_tokens (organization_id, public_id, label, secret_sha256, created_at,"
		 " created_by, expires_at, uses_allowed, uses, revoked_at)"
		 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9, 0), $10)",
		 &p);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

int vw_pg_token_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		     vw_enrollment_token ***out, size_t *out_count, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void **rows;
	size_t count;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	vw_pg_query(&tx, "SELECT " COLUMNS " FROM enrollment_tokens WHERE organization_id = $1 ORDER BY public_id",
		    &p);
	if (vw_pg_rows(&tx, &verifywise__v1__enrollment_token__descriptor, arena, &rows, &count) == 0) {
		*out = (vw_enrollment_token **)rows;
		*out_count = count;
	}
	return vw_pg_end(&tx);
}

int vw_pg_token_revoke(struct vw_fleet_store *store, int32_t organization, const char *public_id, int64_t at,
		       struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE_AGAIN, err);
	vw_pg_params(&tx, &p);
	vw_pg_text(&p, public_id);
	vw_pg_int8(&p, at);
	vw_pg_query(&tx,
		    "UPDATE enrollment_tokens SET revoked_at = coalesce(revoked_at, $3)"
		    " WHERE organization_id = $1 AND public_id = $2",
		    &p);
	if (vw_pg_affected(vw_pg_result(&tx)) == 0)
		vw_pg_refuse(&tx, VW_ENOTFOUND, "token %.40s is not there", public_id);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

int vw_pg_token_get(struct vw_fleet_store *store, struct vw_arena *arena, const char *public_id,
		    vw_enrollment_token **out, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void *row;
	vw_pg_begin_lookup(&tx, vw_pg_of(store)->pool,
			   "SELECT set_config('app.current_org', token_organization($1)::text, true)", public_id,
			   VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	p.count = 0;
	vw_pg_text(&p, public_id);
	vw_pg_query(
	    &tx,
	    "SELECT " COLUMNS " FROM enrollment_tokens"
	    " WHERE organization_id = NULLIF(current_setting('app.current_org', true), '')::int AND public_id = $1",
	    &p);
	if (vw_pg_one(&tx, &verifywise__v1__enrollment_token__descriptor, arena, "the token", &row) == 0)
		*out = row;
	return vw_pg_end(&tx);
}
