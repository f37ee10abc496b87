#include "ingest.h"

#include "proto/message.h"
#include "storage/ledger.h"

#include <stdlib.h>
#include <string.h>

/* ---- Gathering ---- */

struct sighting {
	const uint8_t *key;
	const struct vw_plan_entry *entry;
};

static int compare(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;
	int order = memcmp(x->key, y->key, VW_PG_KEY);
	if (order)
		return order;
	return x->entry->sequence < y->entry->sequence ? -1 : 1;
}

/* A later sighting of the same version; they come in order. */
static void apply(struct vw_pg_change *change, const struct vw_plan_entry *entry)
{
	const struct vw_projection *seen = &entry->projection;
	if (seen->is_removal) {
		change->removal = seen->row;
		if (change->row)
			VW_SET(change->row, removed_at, seen->row->removed_at);
		change->gap_count = 0;
		return;
	}
	change->row = seen->row;
	change->removal = NULL;
	change->entry = entry;
	change->gaps = seen->gaps;
	change->gap_count = seen->gap_count;
}

static const uint8_t *key_of(struct vw_arena *arena, const vw_version_row *row)
{
	uint8_t key[VW_PG_KEY];
	vw_pg_version_key(row->workspace, row->model_name, row->version_number, key);
	return vw_arena_memdup(arena, key, sizeof(key));
}

void vw_pg_changes_gather(struct vw_pg_tx *tx, const struct vw_plan *plan, const char *agent_id, int64_t now,
			  struct vw_pg_changes *out)
{
	size_t seen = 0;
	*out = (struct vw_pg_changes){.plan = plan, .agent_id = agent_id, .now = now};
	struct sighting *sightings = vw_arena_array(tx->arena, plan->count, sizeof(*sightings));
	out->keys = vw_arena_array(tx->arena, plan->count, sizeof(*out->keys));
	out->list = vw_arena_array(tx->arena, plan->count, sizeof(*out->list));
	for (size_t i = 0; out->list && i < plan->count; i++) {
		const struct vw_plan_entry *entry = &plan->entries[i];
		if (!entry->projection.row)
			continue;
		out->keys[i] = key_of(tx->arena, entry->projection.row);
		if (out->keys[i])
			sightings[seen++] = (struct sighting){out->keys[i], entry};
	}
	if (vw_arena_failed(tx->arena)) {
		vw_pg_refuse(tx, VW_ENOMEM, "no memory for a batch");
		return;
	}
	qsort(sightings, seen, sizeof(*sightings), compare);
	for (size_t i = 0; i < seen; i++) {
		if (i == 0 || memcmp(sightings[i].key, sightings[i - 1].key, VW_PG_KEY) != 0)
			out->list[out->count++].key = sightings[i].key;
		apply(&out->list[out->count - 1], sightings[i].entry);
	}
}

/* ---- Ledger ---- */

static struct vw_bytes *new_items(struct vw_pg_tx *tx, size_t count)
{
	struct vw_bytes *items = vw_arena_array(tx->arena, count, sizeof(*items));
	if (!items)
		vw_pg_refuse(tx, VW_ENOMEM, "no memory for a batch");
	return items;
}

static void write_ledger(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	struct vw_pg_params p;
	size_t count = changes->plan->count;
	struct vw_bytes *items = new_items(tx, 6 * count);
	if (!items)
		return;
	struct vw_bytes *sequences = items, *recorded = items + count, *keys = items + 2 * count;
	struct vw_bytes *kinds = items + 3 * count, *hashes = items + 4 * count, *payloads = items + 5 * count;
	for (size_t i = 0; i < count; i++) {
		const struct vw_plan_entry *e = &changes->plan->entries[i];
		sequences[i] = vw_pg_item_int8(tx->arena, (int64_t)e->sequence);
		if (e->entry->has_recorded_at)
			recorded[i] = vw_pg_item_int8(tx->arena, e->entry->recorded_at);
		keys[i] = (struct vw_bytes){changes->keys[i], VW_PG_KEY};
		kinds[i] = vw_pg_item_int4(tx->arena, (int32_t)vw_ledger_kind_of(e->entry));
		hashes[i] = (struct vw_bytes){e->chained->chain_sha256.data, e->chained->chain_sha256.len};
		payloads[i] = (struct vw_bytes){e->chained->payload.len ? (const void *)e->chained->payload.data : "",
						e->chained->payload.len};
	}
	vw_pg_agent_params(tx, changes->agent_id, &p);
	vw_pg_int8(&p, changes->now);
	vw_pg_array(&p, VW_PG_INT8, sequences, count);
	vw_pg_array(&p, VW_PG_INT8, recorded, count);
	vw_pg_array(&p, VW_PG_UUID, keys, count);
	vw_pg_array(&p, VW_PG_INT4, kinds, count);
	vw_pg_array(&p, VW_PG_BYTEA, hashes, count);
	vw_pg_array(&p, VW_PG_BYTEA, payloads, count);
	vw_pg_do(tx,
		 "INSERT INTO ledger (organization_id, agent_id, stored_at, sequence, recorded_at, version_key, kind,"
		 " chain_sha256, payload)"
		 " SELECT $1, $2::uuid, $3, * FROM unnest($4, $5, $6, $7, $8, $9)",
		 &p);
}

/* ---- Versions ---- */

static int32_t worst_of(const vw_version_row *row)
{
	for (size_t i = row->has_removed_at ? 0 : row->n_gaps; i > 0; i--)
		if (row->gaps[i - 1] > 0)
			return (int32_t)i;
	return 0;
}

#define ROW_FIELDS                                                                                                   \
	"workspace model_name version_number sequence stage owner risk_category status unknown partial "             \
	"first_seen_at recorded_at created_at updated_at removed_at description experiment_name record_sha256 "      \
	"source_uri"

/* $3 to $25: key, order, worst gap, whether it was judged, its gaps end to end, and the fields. */
static void add_rows(struct vw_pg_tx *tx, struct vw_pg_params *p, const struct vw_pg_change **changes, size_t count)
{
	struct vw_bytes *items = new_items(tx, (4 + VW_SEVERITIES) * count);
	vw_version_row **rows = vw_arena_array(tx->arena, count, sizeof(*rows));
	if (!items || !rows) {
		p->failed = true;
		return;
	}
	struct vw_bytes *keys = items, *orders = items + count, *worst = items + 2 * count;
	struct vw_bytes *judged = items + 3 * count, *gaps = items + 4 * count;
	for (size_t i = 0; i < count; i++) {
		rows[i] = changes[i]->row;
		keys[i] = (struct vw_bytes){changes[i]->key, VW_PG_KEY};
		orders[i] = vw_pg_item_int8(tx->arena, vw_pg_version_order(rows[i]->version_number));
		worst[i] = vw_pg_item_int4(tx->arena, worst_of(rows[i]));
		judged[i] = (struct vw_bytes){rows[i]->n_gaps == VW_SEVERITIES ? "\1" : "\0", 1};
		for (size_t s = 0; s < VW_SEVERITIES; s++)
			gaps[i * VW_SEVERITIES + s] =
			    vw_pg_item_int8(tx->arena, s < rows[i]->n_gaps ? (int64_t)rows[i]->gaps[s] : 0);
	}
	vw_pg_array(p, VW_PG_UUID, keys, count);
	vw_pg_array(p, VW_PG_INT8, orders, count);
	vw_pg_array(p, VW_PG_INT4, worst, count);
	vw_pg_array(p, VW_PG_BOOL, judged, count);
	vw_pg_array(p, VW_PG_INT8, gaps, count * VW_SEVERITIES);
	vw_pg_columns(p, rows, count, ROW_FIELDS);
}

static void write_versions(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	struct vw_pg_params p;
	size_t count = 0;
	const struct vw_pg_change **recorded = vw_arena_array(tx->arena, changes->count, sizeof(*recorded));
	for (size_t i = 0; recorded && i < changes->count; i++)
		if (changes->list[i].row)
			recorded[count++] = &changes->list[i];
	if (count == 0)
		return;
	vw_pg_agent_params(tx, changes->agent_id, &p);
	add_rows(tx, &p, recorded, count);
	vw_pg_do(
	    tx,
	    "INSERT INTO versions AS v (organization_id, agent_id, version_key, version_order, worst, gaps, "
	    "workspace,"
	    " model_name, version_number, sequence, stage, owner, risk_category, status, unknown, partial, "
	    "first_seen_at,"
	    " recorded_at, created_at, updated_at, removed_at, description, experiment_name, record_sha256, "
	    "source_uri)"
	    " SELECT $1, $2::uuid, u.key, u.number, u.worst,"
	    " CASE WHEN u.judged THEN $7[(u.n::int - 1) * 5 + 1 : u.n::int * 5] ELSE '{}' END, u.workspace,"
	    " u.model_name, u.version_number, u.sequence, u.stage, u.owner, u.risk_category, u.status, u.unknown, "
	    "u.partial,"
	    " u.first_seen_at, u.recorded_at, u.created_at, u.updated_at, u.removed_at, u.description, "
	    "u.experiment_name,"
	    " u.record_sha256, u.source_uri"
	    " FROM unnest($3, $4, $5, $6, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, "
	    "$23, $24,"
	    " $25, $26) WITH ORDINALITY AS u (key, number, worst, judged, workspace, model_name, version_number, "
	    "sequence,"
	    " stage, owner, risk_category, status, unknown, partial, first_seen_at, recorded_at, created_at, "
	    "updated_at,"
	    " removed_at, description, experiment_name, record_sha256, source_uri, n)"
	    " ON CONFLICT (organization_id, agent_id, version_key) DO UPDATE SET worst = excluded.worst,"
	    " gaps = excluded.gaps, sequence = excluded.sequence, stage = excluded.stage, owner = excluded.owner,"
	    " risk_category = excluded.risk_category, status = excluded.status, unknown = excluded.unknown,"
	    " partial = excluded.partial, first_seen_at = excluded.first_seen_at, recorded_at = excluded.recorded_at,"
	    " created_at = excluded.created_at, updated_at = excluded.updated_at, removed_at = excluded.removed_at,"
	    " description = excluded.description, experiment_name = excluded.experiment_name,"
	    " record_sha256 = excluded.record_sha256, source_uri = excluded.source_uri",
	    &p);
}

/* Those that were only removed. */
static void write_removals(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	struct vw_pg_params p;
	size_t count = 0;
	struct vw_bytes *keys = new_items(tx, changes->count);
	const vw_version_row **removals = vw_arena_array(tx->arena, changes->count, sizeof(*removals));
	for (size_t i = 0; keys && removals && i < changes->count; i++) {
		if (changes->list[i].row)
			continue;
		keys[count] = (struct vw_bytes){changes->list[i].key, VW_PG_KEY};
		removals[count++] = changes->list[i].removal;
	}
	if (count == 0)
		return;
	vw_pg_agent_params(tx, changes->agent_id, &p);
	vw_pg_array(&p, VW_PG_UUID, keys, count);
	vw_pg_columns(&p, removals, count, "removed_at");
	vw_pg_do(tx,
		 "UPDATE versions v SET removed_at = u.removed_at, worst = 0 FROM unnest($3, $4) u (key, removed_at)"
		 " WHERE v.organization_id = $1 AND v.agent_id = $2::uuid AND v.version_key = u.key",
		 &p);
}

/* ---- Gaps ---- */

#define FRAMEWORK_END '\x1f'

/* Names of frameworks, each behind the other; one that holds our separator names none. */
static struct vw_bytes frameworks_of(struct vw_arena *arena, const vw_finding *finding)
{
	size_t len = 0, used = 0;
	for (size_t i = 0; i < finding->n_clauses; i++)
		len += finding->clauses[i]->framework ? strlen(finding->clauses[i]->framework) + 1 : 0;
	char *out = vw_arena_alloc(arena, len + 1);
	for (size_t i = 0; out && i < finding->n_clauses; i++) {
		const char *name = finding->clauses[i]->framework;
		if (!name || strchr(name, FRAMEWORK_END))
			continue;
		if (used > 0)
			out[used++] = FRAMEWORK_END;
		memcpy(out + used, name, strlen(name));
		used += strlen(name);
	}
	return (struct vw_bytes){out, used};
}

/* One look into the index for each version, whatever the planner thinks of a table that it has no statistics of: with "= ANY" it goes through all gaps of the
 * agent then. The organization is in one partition, where a row's place is its name. */
static void delete_gaps(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	struct vw_pg_params p;
	struct vw_bytes *keys = new_items(tx, changes->count);
	for (size_t i = 0; keys && i < changes->count; i++)
		keys[i] = (struct vw_bytes){changes->list[i].key, VW_PG_KEY};
	if (!keys || changes->count == 0)
		return;
	vw_pg_agent_params(tx, changes->agent_id, &p);
	vw_pg_array(&p, VW_PG_UUID, keys, changes->count);
	vw_pg_do(
	    tx,
	    "DELETE FROM gaps WHERE organization_id = $1 AND ctid = ANY (ARRAY("
	    "SELECT g.ctid FROM unnest($3) AS k CROSS JOIN LATERAL (SELECT ctid FROM gaps WHERE organization_id = $1"
	    " AND agent_id = $2::uuid AND version_key = k OFFSET 0) g))",
	    &p);
}

static void write_gaps(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	struct vw_pg_params p;
	size_t count = 0, n = 0;
	for (size_t i = 0; i < changes->count; i++)
		count += changes->list[i].gap_count;
	delete_gaps(tx, changes);
	struct vw_bytes *items = new_items(tx, 4 * count);
	vw_gap_row **gaps = vw_arena_array(tx->arena, count, sizeof(*gaps));
	vw_finding **findings = vw_arena_array(tx->arena, count, sizeof(*findings));
	if (count == 0 || !items || !gaps || !findings)
		return;
	struct vw_bytes *keys = items, *parts = items + count, *orders = items + 2 * count;
	struct vw_bytes *frameworks = items + 3 * count;
	for (size_t i = 0; i < changes->count; i++) {
		const struct vw_pg_change *change = &changes->list[i];
		for (size_t g = 0; g < change->gap_count; g++, n++) {
			gaps[n] = change->gaps[g];
			findings[n] = gaps[n]->finding;
			keys[n] = (struct vw_bytes){change->key, VW_PG_KEY};
			parts[n] = vw_pg_item_int4(tx->arena, (int32_t)g + 1);
			orders[n] = vw_pg_item_int8(tx->arena, vw_pg_version_order(gaps[n]->version_number));
			frameworks[n] = frameworks_of(tx->arena, findings[n]);
		}
	}
	vw_pg_agent_params(tx, changes->agent_id, &p);
	vw_pg_array(&p, VW_PG_UUID, keys, count);
	vw_pg_array(&p, VW_PG_INT4, parts, count);
	vw_pg_array(&p, VW_PG_INT8, orders, count);
	vw_pg_array(&p, VW_PG_TEXT, frameworks, count);
	vw_pg_columns(&p, findings, count, "rule severity");
	vw_pg_columns(&p, gaps, count, "workspace model_name version_number sequence recorded_at finding");
	vw_pg_do(tx,
		 "INSERT INTO gaps (organization_id, agent_id, version_key, part, version_order, frameworks, rule, "
		 "severity,"
		 " workspace, model_name, version_number, sequence, recorded_at, finding)"
		 " SELECT $1, $2::uuid, u.key, u.part, u.number, string_to_array(u.frameworks, E'\\x1f'), u.rule, "
		 "u.severity,"
		 " u.workspace, u.model_name, u.version_number, u.sequence, u.recorded_at, u.finding"
		 " FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) AS u (key, part, number, "
		 "frameworks, rule,"
		 " severity, workspace, model_name, version_number, sequence, recorded_at, finding)",
		 &p);
}

/* ---- Events ---- */

static void write_events(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	struct vw_pg_params p;
	const struct vw_plan *plan = changes->plan;
	size_t count = 0, n = 0;
	for (size_t i = 0; i < plan->count; i++)
		count += plan->entries[i].projection.event_count;
	vw_event_row **events = vw_arena_array(tx->arena, count, sizeof(*events));
	if (count == 0 || !events)
		return;
	for (size_t i = 0; i < plan->count; i++)
		for (size_t e = 0; e < plan->entries[i].projection.event_count; e++)
			events[n++] = plan->entries[i].projection.events[e];
	vw_pg_agent_params(tx, changes->agent_id, &p);
	vw_pg_columns(&p, events, count,
		      "sequence part workspace model_name version_number field from to recorded_at "
		      "mlflow_updated_at");
	vw_pg_do(tx,
		 "INSERT INTO deployment_events (organization_id, agent_id, sequence, part, workspace, model_name,"
		 " version_number, field, from_value, to_value, recorded_at, mlflow_updated_at)"
		 " SELECT $1, $2::uuid, * FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		 &p);
}

void vw_pg_changes_write(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	if (tx->code < 0)
		return;
	write_ledger(tx, changes);
	write_versions(tx, changes);
	write_removals(tx, changes);
	write_gaps(tx, changes);
	write_events(tx, changes);
}
