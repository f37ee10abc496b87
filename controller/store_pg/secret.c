/* secret.c: sealed secrets, and files that operators gave out. */
#include "store_pg.h"

#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define MAX_SECRET_NAME 255 /* bytes */

/* The version that is there (0: none) and how many secrets the agent has. */
static void ask_standing(struct vw_pg_tx *tx, const char *agent_id, const char *name)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, agent_id, &p);
	vw_pg_text(&p, name);
	vw_pg_query(tx,
		    "SELECT coalesce(max(version) FILTER (WHERE name = $3), 0), count(*) FROM secrets"
		    " WHERE organization_id = $1 AND agent_id = $2::uuid",
		    &p);
}

static void check_standing(struct vw_pg_tx *tx, const vw_sealed_secret *secret)
{
	const PGresult *result = vw_pg_result(tx);
	uint64_t version = result ? (uint64_t)vw_pg_int(result, 0, 0) : 0;
	if (result && version == 0 && vw_pg_int(result, 0, 1) >= VW_MAX_SECRETS)
		vw_pg_refuse(tx, VW_ELIMIT, "the agent holds %d secrets (VW_MAX_SECRETS)", VW_MAX_SECRETS);
	else if (secret->version != version + 1)
		vw_pg_refuse(tx, VW_EBUSY, "secret %.60s is at version %" PRIu64 "; the next one is %" PRIu64,
			     secret->name, version, version + 1);
}

int vw_pg_secret_put(struct vw_fleet_store *store, const vw_stored_secret *secret, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	vw_agent *agent;
	const vw_sealed_secret *sealed = secret->secret;
	if (!sealed || !sealed->name || !*sealed->name || strlen(sealed->name) > MAX_SECRET_NAME ||
	    !vw_utf8_valid(sealed->name, strlen(sealed->name)) || sealed->sealed.len == 0)
		return vw_error_set(err, VW_EINVAL, "a secret needs a name in UTF-8 and what is sealed");
	if (sealed->sealed.len > VW_MAX_SEALED)
		return vw_error_set(err, VW_ELIMIT, "secret %.60s is too large (VW_MAX_SEALED)", sealed->name);
	vw_pg_begin(&tx, vw_pg_of(store)->pool, secret->organization, VW_PG_WRITE, err);
	vw_pg_agent_ask(&tx, secret->agent_id, true);
	ask_standing(&tx, secret->agent_id, sealed->name);
	vw_pg_agent_read(&tx, secret->agent_id, tx.arena, &agent);
	check_standing(&tx, sealed);
	vw_pg_agent_params(&tx, secret->agent_id, &p);
	vw_pg_fields(&p, &sealed->base, "name version sealed");
	vw_pg_fields(&p, &secret->base, "created_at created_by");
	vw_pg_do(&tx,
		 "INSERT INTO secrets VALUES ($1, $2::uuid, $3, $4, $5, $6, $7)"
		 " ON CONFLICT (organization_id, agent_id, name) DO UPDATE"
		 " SET version = $4, sealed = $5, created_at = $6, created_by = $7",
		 &p);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

int vw_pg_secret_delete(struct vw_fleet_store *store, int32_t organization, const char *agent_id, const char *name,
			struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_WRITE, err);
	vw_pg_agent_params(&tx, agent_id, &p);
	vw_pg_text(&p, name);
	vw_pg_query(&tx, "DELETE FROM secrets WHERE organization_id = $1 AND agent_id = $2::uuid AND name = $3", &p);
	if (vw_pg_affected(vw_pg_result(&tx)) == 0)
		vw_pg_refuse(&tx, VW_ENOTFOUND, "secret %.60s is not there", name);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

/* One row's two messages. */
static vw_stored_secret *read_secret(struct vw_pg_tx *tx, const PGresult *result, int row, struct vw_arena *arena)
{
	vw_stored_secret *secret = vw_pg_row(tx, result, row, &verifywise__v1__stored_secret__descriptor, arena);
	if (secret)
		secret->secret = vw_pg_row(tx, result, row, &verifywise__v1__sealed_secret__descriptor, arena);
	return secret;
}

int vw_pg_secret_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const char *agent_id, vw_stored_secret ***out, size_t *out_count, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_agent_params(&tx, agent_id, &p);
	vw_pg_query(&tx,
		    "SELECT *, organization_id AS organization FROM secrets"
		    " WHERE organization_id = $1 AND agent_id = $2::uuid ORDER BY name",
		    &p);
	const PGresult *result = vw_pg_result(&tx);
	size_t count = result ? (size_t)PQntuples(result) : 0;
	vw_stored_secret **rows = vw_arena_array(arena, count, sizeof(*rows));
	if (!rows)
		vw_pg_refuse(&tx, VW_ENOMEM, "no memory for secrets");
	for (size_t i = 0; tx.code == 0 && i < count; i++)
		rows[i] = read_secret(&tx, result, (int)i, arena);
	if (tx.code == 0) {
		*out = rows;
		*out_count = count;
	}
	return vw_pg_end(&tx);
}

int vw_pg_file_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		   const uint8_t sha256[32], vw_stored_file **out, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void *row;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	vw_pg_bytes(&p, sha256, 32);
	vw_pg_query(&tx,
		    "SELECT *, organization_id AS organization FROM files WHERE organization_id = $1 AND sha256 = $2",
		    &p);
	if (vw_pg_one(&tx, &verifywise__v1__stored_file__descriptor, arena, "the file", &row) == 0)
		*out = row;
	return vw_pg_end(&tx);
}
