#include "store_pg.h"

/* Its order is that of the columns. */
#define FIELDS                                                                                                       \
	"connected replica session_id instance_id connected_at last_seen_at agent_version protocol_minor hostname "  \
	"source_uri policy_sha256 config_sha256 last_sequence clock_offset_ms health secrets policy_error "          \
	"config_error last_rejection last_rejection_at"

/* Tells that it came, went or moved; not each heartbeat. */
static void tell(struct vw_pg_tx *tx, const vw_agent_presence *presence)
{
	struct vw_pg_params p;
	vw_pg_agent_params(tx, presence->agent_id, &p);
	vw_pg_fields(&p, &presence->base, "connected session_id");
	vw_pg_int4(&p, VW_CHANGE_PRESENCE);
	vw_pg_do(tx,
		 "SELECT pg_notify('verifywise_fleet', $5 || ' ' || $1 || ' ' || $2) WHERE NOT EXISTS ("
		 "SELECT FROM agent_presences WHERE organization_id = $1 AND agent_id = $2::uuid"
		 " AND connected IS NOT DISTINCT FROM $3 AND session_id IS NOT DISTINCT FROM $4)",
		 &p);
}

int vw_pg_presence_put(struct vw_fleet_store *store, const vw_agent_presence *presence, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, presence->organization, VW_PG_WRITE_LOOSE, err);
	tell(&tx, presence);
	vw_pg_agent_params(&tx, presence->agent_id, &p);
	vw_pg_fields(&p, &presence->base, FIELDS);
	vw_pg_query(
	    &tx,
	    "INSERT INTO agent_presences SELECT $1, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
	    " $15, $16, $17, $18, $19, $20, $21, $22"
	    " WHERE EXISTS (SELECT FROM agents WHERE organization_id = $1 AND agent_id = $2::uuid)"
	    " ON CONFLICT (organization_id, agent_id) DO UPDATE SET"
	    " connected = $3, replica = $4, session_id = $5, instance_id = $6, connected_at = $7, last_seen_at = $8,"
	    " agent_version = $9, protocol_minor = $10, hostname = $11, source_uri = $12, policy_sha256 = $13,"
	    " config_sha256 = $14, last_sequence = $15, clock_offset_ms = $16, health = $17, secrets = $18,"
	    " policy_error = $19, config_error = $20, last_rejection = $21, last_rejection_at = $22",
	    &p);
	if (vw_pg_affected(vw_pg_result(&tx)) == 0)
		vw_pg_refuse(&tx, VW_ENOTFOUND, "agent %s is not there", presence->agent_id);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}

int vw_pg_presence_get(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, vw_agent_presence **out, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void *row;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_agent_params(&tx, agent_id, &p);
	vw_pg_query(&tx,
		    "SELECT *, organization_id AS organization FROM agent_presences"
		    " WHERE organization_id = $1 AND agent_id = $2::uuid",
		    &p);
	if (vw_pg_one(&tx, &verifywise__v1__agent_presence__descriptor, arena, "the agent's presence", &row) == 0)
		*out = row;
	return vw_pg_end(&tx);
}

int vw_pg_presence_clear(struct vw_fleet_store *store, const char *replica, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, VW_PG_NO_ORGANIZATION, VW_PG_WRITE_AGAIN, err);
	vw_pg_params(&tx, &p);
	p.count = 0;
	vw_pg_text(&p, replica);
	vw_pg_int4(&p, VW_CHANGE_PRESENCE);
	vw_pg_do(&tx,
		 "SELECT pg_notify('verifywise_fleet', $2 || ' ' || organization || ' ' || agent)"
		 " FROM operator_presence_clear($1)",
		 &p);
	vw_pg_commit(&tx);
	return vw_pg_end(&tx);
}
