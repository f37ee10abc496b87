/* ledger.c: the ledgers as they were sent, what was not taken into them, and how much there is. */
#include "store_pg.h"

#include "base/limits.h"

/* What fits into VW_MAX_BATCH_BYTES, but one entry whatever its size: asked of the server, so that no more is sent. */
int vw_pg_ledger_read(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
		      const char *agent_id, uint64_t from, size_t limit, vw_chained_entry ***out, size_t *out_count,
		      struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void **rows;
	size_t count;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_agent_params(&tx, agent_id, &p);
	vw_pg_int8(&p, from > INT64_MAX ? INT64_MAX : (int64_t)from);
	vw_pg_int8(&p, vw_pg_limit(limit));
	vw_pg_int8(&p, (int64_t)VW_MAX_BATCH_BYTES);
	vw_pg_query(
	    &tx,
	    "SELECT payload, chain_sha256 FROM (SELECT payload, chain_sha256, sequence,"
	    " sum(octet_length(payload)) OVER (ORDER BY sequence) AS total, row_number() OVER (ORDER BY sequence) AS "
	    "n"
	    " FROM (SELECT * FROM ledger WHERE organization_id = $1 AND agent_id = $2::uuid AND sequence >= $3"
	    " ORDER BY sequence LIMIT $4) l) t WHERE total <= $5 OR n = 1 ORDER BY sequence",
	    &p);
	if (vw_pg_rows(&tx, &verifywise__v1__chained_entry__descriptor, arena, &rows, &count) == 0) {
		*out = (vw_chained_entry **)rows;
		*out_count = count;
	}
	return vw_pg_end(&tx);
}

int vw_pg_quarantine_list(struct vw_fleet_store *store, struct vw_arena *arena, int32_t organization,
			  const char *agent_id, vw_quarantined_entry ***out, size_t *out_count, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	void **rows;
	size_t count;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_agent_params(&tx, agent_id, &p);
	vw_pg_int8(&p, VW_MAX_PAGE);
	vw_pg_query(&tx,
		    "SELECT *, organization_id AS organization FROM quarantined_entries"
		    " WHERE organization_id = $1 AND agent_id = $2::uuid ORDER BY sequence, chain_sha256 LIMIT $3",
		    &p);
	if (vw_pg_rows(&tx, &verifywise__v1__quarantined_entry__descriptor, arena, &rows, &count) == 0) {
		*out = (vw_quarantined_entry **)rows;
		*out_count = count;
	}
	return vw_pg_end(&tx);
}

/* What counts_of() and operator_counts() give, in their order. */
enum counted { ORGANIZATIONS, AGENTS, CONNECTED, ENTRIES, VERSIONS, WITH_GAPS, GAPS, COUNTED = GAPS + 5 };

int vw_pg_count(struct vw_fleet_store *store, int32_t organization, struct vw_fleet_counts *out, struct vw_error *err)
{
	struct vw_pg_tx tx;
	struct vw_pg_params p;
	int64_t n[COUNTED];
	vw_pg_begin(&tx, vw_pg_of(store)->pool, organization, VW_PG_READ, err);
	vw_pg_params(&tx, &p);
	vw_pg_query(&tx,
		    organization == 0
			? "SELECT operator_counts() WHERE $1 = 0"
			: "SELECT (SELECT count(*) FROM organizations WHERE organization_id = $1) || counts_of($1)",
		    &p);
	const PGresult *result = vw_pg_result(&tx);
	if (result) {
		vw_pg_ints(result, 0, 0, n, COUNTED);
		*out = (struct vw_fleet_counts){.organizations = n[ORGANIZATIONS],
						.agents = n[AGENTS],
						.agents_connected = n[CONNECTED],
						.versions = n[VERSIONS],
						.versions_with_gaps = n[WITH_GAPS],
						.entries = n[ENTRIES]};
		for (int i = 0; i < 5; i++)
			out->gaps[i] = n[GAPS + i];
	}
	return vw_pg_end(&tx);
}
