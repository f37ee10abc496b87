#include "store_pg.h"

#include "base/limits.h"

/* The presence's columns have a prefix: two messages are read off one row. */
#define PRESENCE "p_"
#define SELECT_AGENTS                                                                                                \
	"SELECT a.*, a.organization_id AS organization,"                                                             \
	" p.organization_id AS p_organization, p.agent_id AS p_agent_id, p.connected AS p_connected,"                \
	" p.replica AS p_replica, p.session_id AS p_session_id, p.instance_id AS p_instance_id,"                     \
	" p.connected_at AS p_connected_at, p.last_seen_at AS p_last_seen_at, p.agent_version AS p_agent_version,"   \
	" p.protocol_minor AS p_protocol_minor, p.hostname AS p_hostname, p.source_uri AS p_source_uri,"             \
	" p.policy_sha256 AS p_policy_sha256, p.config_sha256 AS p_config_sha256,"                                   \
	" p.last_sequence AS p_last_sequence, p.clock_offset_ms AS p_clock_offset_ms, p.health AS p_health,"         \
	" p.secrets AS p_secrets, p.policy_error AS p_policy_error, p.config_error AS p_config_error,"               \
	" p.last_rejection AS p_last_rejection, p.last_rejection_at AS p_last_rejection_at"                          \
	" FROM agents a LEFT JOIN agent_presences p"                                                                 \
	" ON p.organization_id = a.organization_id AND p.agent_id = a.agent_id"

static void ask(struct vw_pg_tx *tx, const struct vw_agent_query *query)
{
	struct vw_pg_params p;
	vw_pg_params(tx, &p);
	vw_pg_text(&p, query->after);
	vw_pg_int8(&p, (int64_t)query->limit);
	vw_pg_lower(&p, query->text);
	vw_pg_int4(&p, query->status ? (int32_t)*query->status : 0);
	vw_pg_bool(&p, query->connected && *query->connected);
	vw_pg_bool(&p, !query->connected);
	vw_pg_query(tx,
		    SELECT_AGENTS
		    " WHERE a.organization_id = $1 AND ($2 IS NULL OR a.agent_id > $2::uuid)"
		    " AND ($4 IS NULL OR strpos(a.agent_id::text, $4) > 0 OR strpos(lower(a.hostname), $4) > 0"
		    " OR strpos(lower(p.hostname), $4) > 0 OR strpos(lower(p.source_uri), $4) > 0)"
		    " AND ($5 = 0 OR a.status = $5) AND ($7 OR coalesce(p.connected, false) = $6)"
		    " ORDER BY a.agent_id LIMIT $3",
		    &p);
}

static void read_rows(struct vw_pg_tx *tx, const PGresult *result, struct vw_arena *arena, vw_agent **agents,
		      vw_agent_presence **presences)
{
	for (int i = 0; tx->code == 0 && i < PQntuples(result); i++) {
		agents[i] = vw_pg_row(tx, result, i, &verifywise__v1__agent__descriptor, arena);
		presences[i] =
		    vw_pg_row_of(tx, result, i, PRESENCE, &verifywise__v1__agent_presence__descriptor, arena);
	}
}

int vw_pg_agent_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		     const struct vw_agent_query *query, vw_agent ***out, vw_agent_presence ***out_presences,
		     size_t *out_count, struct vw_error *err)
{
	struct vw_pg_tx tx;
	if (query->limit == 0 || query->limit > VW_MAX_PAGE)
		return vw_error_set(err, VW_EINVAL, "a page has 1 to %d rows (VW_MAX_PAGE)", VW_MAX_PAGE);
	if (query->after && !vw_agent_id_valid(query->after))
		return vw_error_set(err, VW_EINVAL, "what to list agents after is no agent's id");
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	ask(&tx, query);
	const PGresult *result = vw_pg_result(&tx);
	size_t count = result ? (size_t)PQntuples(result) : 0;
	vw_agent **agents = vw_arena_array(arena, count, sizeof(*agents));
	vw_agent_presence **presences = vw_arena_array(arena, count, sizeof(*presences));
	if (!agents || !presences)
		vw_pg_refuse(&tx, VW_ENOMEM, "no memory for a list of agents");
	if (tx.code == 0)
		read_rows(&tx, result, arena, agents, presences);
	if (tx.code == 0) {
		*out = agents;
		*out_presences = presences;
		*out_count = count;
	}
	return vw_pg_end(&tx);
}
