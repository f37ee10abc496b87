/* verifywise.c: the projection into VerifyWise's own table, verifywise.mlflow_model_records, in the same transaction.
 *
 * Its key has no agent: two MLflow servers of one organization with a model of the same name meet in one row. The newer state wins, by the time it was recorded
 * at (by ours, where an agent's clock is ahead), and the tags verifywise.agent_id, verifywise.workspace and verifywise.source_uri say whose it is. A version that is gone
 * keeps its row, for the interface may link to it: lifecycle_stage Archived, status REMOVED; only the agent whose row it is can do that. */
#include "ingest.h"

#include "base/json.h"
#include "proto/message.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_JSON (8 * 1024 * 1024) /* bytes of one column: what a record of VW_MAX_RECORD should need */

/* One row, as texts; NULL is NULL. The order is that of the parameters. */
enum column {
	MODEL_NAME,
	VERSION,
	LIFECYCLE_STAGE,
	RUN_ID,
	SOURCE,
	STATUS,
	EXPERIMENT_ID,
	EXPERIMENT_NAME,
	TRAINING_STATUS,
	SOURCE_VERSION,
	DESCRIPTION,
	ARTIFACT_LOCATION,
	TAGS,
	METRICS,
	PARAMETERS,
	TEXTS /* how many */
};
enum moment { TRAINING_STARTED, TRAINING_ENDED, CREATED, UPDATED, SYNCED, MOMENTS };

struct record_row {
	const char *texts[TEXTS];
	int64_t moments[MOMENTS]; /* ms; INT64_MIN: none */
};

/* ---- Maps ---- */

static const char *text_of(struct vw_pg_tx *tx, struct vw_buffer *buffer)
{
	const char *text =
	    vw_buffer_error(buffer) == 0 ? vw_arena_strndup(tx->arena, buffer->data, buffer->len) : NULL;
	vw_buffer_reset(buffer);
	/* a record that large is shown without its map, rather than not at all */
	return text ? text : "{}";
}

static void put_pairs(struct vw_json_writer *w, vw_key_value *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!list[i]->key || strncmp(list[i]->key, "verifywise.", 11) == 0)
			continue;
		vw_json_key(w, list[i]->key);
		vw_json_put_text(w, list[i]->value ? list[i]->value : "");
	}
}

static void put_pair(struct vw_json_writer *w, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	vw_json_key(w, key);
	vw_json_put_text(w, value);
}

/* The badge of S8.6: "compliant", "gaps", "unknown", and how many are open of each severity. */
static void put_judgement(struct vw_json_writer *w, const vw_version_row *row)
{
	char text[32];
	if (row->has_status)
		put_pair(w, "verifywise.compliance",
			 vw_enum_name(&verifywise__v1__compliance_status__descriptor, (int)row->status));
	for (size_t i = 0; i < row->n_gaps; i++) {
		char key[64];
		if (row->gaps[i] == 0)
			continue;
		snprintf(key, sizeof(key), "verifywise.gaps.%s",
			 vw_enum_name(&verifywise__v1__severity__descriptor, (int)i + 1));
		snprintf(text, sizeof(text), "%u", row->gaps[i]);
		put_pair(w, key, text);
	}
}

static const char *tags_of(struct vw_pg_tx *tx, const vw_version_row *row, const vw_lifecycle *lifecycle)
{
	struct vw_buffer buffer;
	struct vw_json_writer w;
	vw_buffer_init(&buffer, MAX_JSON);
	vw_json_writer_init(&w, &buffer, false);
	vw_json_begin_object(&w);
	if (lifecycle)
		put_pairs(&w, lifecycle->tags, lifecycle->n_tags);
	put_pair(&w, "verifywise.agent_id", row->agent_id);
	put_pair(&w, "verifywise.workspace", row->workspace);
	put_pair(&w, "verifywise.source_uri", row->source_uri);
	put_judgement(&w, row);
	vw_json_end_object(&w);
	return text_of(tx, &buffer);
}

/* The newest value of each metric: they are sorted by key, step, timestamp. What is no finite number cannot be in their column. */
static const char *metrics_of(struct vw_pg_tx *tx, const vw_training *training)
{
	struct vw_buffer buffer;
	struct vw_json_writer w;
	vw_buffer_init(&buffer, MAX_JSON);
	vw_json_writer_init(&w, &buffer, false);
	vw_json_begin_object(&w);
	for (size_t i = 0; training && i < training->n_metrics; i++) {
		const vw_metric *metric = training->metrics[i];
		bool is_last = i + 1 == training->n_metrics || !metric->key || !training->metrics[i + 1]->key ||
			       strcmp(metric->key, training->metrics[i + 1]->key) != 0;
		if (!metric->key || !metric->has_value || !is_last || !isfinite(metric->value))
			continue;
		vw_json_key(&w, metric->key);
		vw_json_put_double(&w, metric->value);
	}
	vw_json_end_object(&w);
	return text_of(tx, &buffer);
}

static const char *parameters_of(struct vw_pg_tx *tx, const vw_training *training)
{
	struct vw_buffer buffer;
	struct vw_json_writer w;
	vw_buffer_init(&buffer, MAX_JSON);
	vw_json_writer_init(&w, &buffer, false);
	vw_json_begin_object(&w);
	if (training)
		put_pairs(&w, training->hyperparameters, training->n_hyperparameters);
	vw_json_end_object(&w);
	return text_of(tx, &buffer);
}

/* ---- One row ---- */

/* What a timestamp can be: the years 1 to 9999. Anything else is none. */
static int64_t moment(bool has, int64_t ms)
{
	return has && ms >= -62135596800000 && ms <= 253402300799999 ? ms : INT64_MIN;
}

static void fill_lifecycle(const vw_lifecycle *lifecycle, struct record_row *out)
{
	if (!lifecycle)
		return;
	out->texts[RUN_ID] = lifecycle->source_run_id;
	out->texts[SOURCE] = lifecycle->source_artifact_uri;
	out->texts[STATUS] = lifecycle->version_status;
	if (lifecycle->version_description && *lifecycle->version_description)
		out->texts[DESCRIPTION] = lifecycle->version_description;
}

static void fill_lineage(const vw_lineage *lineage, struct record_row *out)
{
	if (!lineage)
		return;
	out->texts[EXPERIMENT_ID] = lineage->experiment_id;
	out->texts[EXPERIMENT_NAME] = lineage->experiment_name;
	out->texts[ARTIFACT_LOCATION] = lineage->artifact_uri;
	out->texts[SOURCE_VERSION] = lineage->code_commit;
}

static void fill(struct vw_pg_tx *tx, const struct vw_pg_change *change, int64_t now, struct record_row *out)
{
	const vw_version_row *row = change->row;
	const vw_record *record = change->entry->projection.record;
	const vw_training *training = record->training;
	*out = (struct record_row){0};
	out->texts[MODEL_NAME] = row->model_name;
	out->texts[VERSION] = row->version_number;
	out->texts[DESCRIPTION] = row->description;
	fill_lifecycle(record->lifecycle, out);
	fill_lineage(record->lineage, out);
	out->texts[LIFECYCLE_STAGE] = row->has_removed_at ? "Archived" : (row->stage ? row->stage : "None");
	if (row->has_removed_at)
		out->texts[STATUS] = "REMOVED";
	out->texts[TRAINING_STATUS] = training ? training->training_status : NULL;
	out->texts[TAGS] = tags_of(tx, row, record->lifecycle);
	out->texts[METRICS] = metrics_of(tx, training);
	out->texts[PARAMETERS] = parameters_of(tx, training);
	out->moments[TRAINING_STARTED] =
	    training ? moment(training->has_training_started_at, training->training_started_at) : INT64_MIN;
	out->moments[TRAINING_ENDED] =
	    training ? moment(training->has_training_ended_at, training->training_ended_at) : INT64_MIN;
	out->moments[CREATED] = moment(row->has_created_at, row->created_at);
	out->moments[UPDATED] = moment(row->has_updated_at, row->updated_at);
	out->moments[SYNCED] = moment(true, row->recorded_at < now ? row->recorded_at : now);
}

/* ---- All of them ---- */

/* $3 on: one array for each text and each moment. */
static bool add_rows(struct vw_pg_tx *tx, struct vw_pg_params *p, const struct record_row *rows, size_t count)
{
	struct vw_bytes *items = vw_arena_array(tx->arena, count, sizeof(*items));
	if (!items)
		return false;
	for (size_t column = 0; column < TEXTS; column++) {
		for (size_t i = 0; i < count; i++)
			items[i] = vw_pg_item_text(tx->arena, rows[i].texts[column]);
		vw_pg_array(p, VW_PG_TEXT, items, count);
	}
	for (size_t column = 0; column < MOMENTS; column++) {
		for (size_t i = 0; i < count; i++)
			items[i] = rows[i].moments[column] == INT64_MIN
				       ? (struct vw_bytes){NULL, 0}
				       : vw_pg_item_int8(tx->arena, rows[i].moments[column]);
		vw_pg_array(p, VW_PG_INT8, items, count);
	}
	return true;
}

/* Names are cut to what their columns take. Of two of this batch that meet in one row the newer one is taken: a statement can change a row only once. */
#define UPSERT                                                                                                                                                                                                                                   \
	"INSERT INTO verifywise.mlflow_model_records AS m (organization_id, model_name, version, lifecycle_stage,"                                                                                                                               \
	" run_id, source, status, experiment_id, experiment_name, training_status, source_version, description,"                                                                                                                                 \
	" artifact_location, tags, metrics, parameters, training_started_at, training_ended_at, model_created_at,"                                                                                                                               \
	" model_updated_at, last_synced_at, created_at, updated_at)"                                                                                                                                                                             \
	" SELECT DISTINCT ON (left(u.model_name, 255), left(u.version, 255)) $1, left(u.model_name, 255),"                                                                                                                                       \
	" left(u.version, 255), left(u.lifecycle_stage, 255), left(u.run_id, 255), left(u.source, 255),"                                                                                                                                         \
	" left(u.status, 255), left(u.experiment_id, 255), left(u.experiment_name, 255),"                                                                                                                                                        \
	" left(u.training_status, 255), left(u.source_version, 255), u.description, u.artifact_location,"                                                                                                                                        \
	" u.tags::jsonb, u.metrics::jsonb, u.parameters::jsonb, " MOMENT("u.started") ", " MOMENT(                                                                                                                                               \
	    "u.ended") ", " MOMENT("u.created") ", " MOMENT("u.updated") ", " MOMENT("u.synced") ", " MOMENT("$2") ", " MOMENT("$2") " FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)" \
																     " AS u (model_name, version, lifecycle_stage, run_id, source, status, experiment_id, experiment_name,"      \
																     " training_status, source_version, description, artifact_location, tags, metrics, parameters, started,"     \
																     " ended, created, updated, synced)"                                                                         \
																     " ORDER BY left(u.model_name, 255), left(u.version, 255), u.synced DESC"                                    \
																     " ON CONFLICT (organization_id, model_name, version) DO UPDATE SET"                                         \
																     " lifecycle_stage = excluded.lifecycle_stage, run_id = excluded.run_id, source = excluded.source,"          \
																     " status = excluded.status, experiment_id = excluded.experiment_id,"                                        \
																     " experiment_name = excluded.experiment_name, training_status = excluded.training_status,"                  \
																     " source_version = excluded.source_version, description = excluded.description,"                            \
																     " artifact_location = excluded.artifact_location, tags = excluded.tags, metrics = excluded.metrics,"        \
																     " parameters = excluded.parameters, training_started_at = excluded.training_started_at,"                    \
																     " training_ended_at = excluded.training_ended_at, model_created_at = excluded.model_created_at,"            \
																     " model_updated_at = excluded.model_updated_at, last_synced_at = excluded.last_synced_at,"                  \
																     " updated_at = excluded.updated_at"                                                                         \
																     " WHERE m.last_synced_at IS NULL OR m.last_synced_at <= excluded.last_synced_at"
/* Milliseconds as a timestamp without zone, in UTC. */
#define MOMENT(ms) "timestamp '1970-01-01' + " ms " * interval '1 millisecond'"

static void write_recorded(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	struct vw_pg_params p;
	size_t count = 0;
	struct record_row *rows = vw_arena_array(tx->arena, changes->count, sizeof(*rows));
	for (size_t i = 0; rows && i < changes->count; i++)
		if (changes->list[i].row)
			fill(tx, &changes->list[i], changes->now, &rows[count++]);
	if (count == 0)
		return;
	vw_pg_params(tx, &p);
	vw_pg_int8(&p, moment(true, changes->now));
	if (add_rows(tx, &p, rows, count))
		vw_pg_do(tx, UPSERT, &p);
}

static void write_removed(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	struct vw_pg_params p;
	size_t count = 0;
	const vw_version_row **rows = vw_arena_array(tx->arena, changes->count, sizeof(*rows));
	for (size_t i = 0; rows && i < changes->count; i++)
		if (!changes->list[i].row)
			rows[count++] = changes->list[i].removal;
	if (count == 0)
		return;
	vw_pg_params(tx, &p);
	vw_pg_text(&p, changes->agent_id);
	vw_pg_int8(&p, moment(true, changes->now));
	vw_pg_columns(&p, rows, count, "model_name version_number workspace");
	vw_pg_do(
	    tx,
	    "UPDATE verifywise.mlflow_model_records m SET lifecycle_stage = 'Archived', status = 'REMOVED',"
	    " last_synced_at = " MOMENT("$3") ", updated_at = " MOMENT(
		"$3") " FROM unnest($4, $5, $6) u (model_name,"
		      " version, workspace) WHERE m.organization_id = $1 AND m.model_name = left(u.model_name, 255)"
		      " AND m.version = left(u.version, 255) AND m.tags ->> 'verifywise.agent_id' = $2"
		      " AND coalesce(m.tags ->> 'verifywise.workspace', '') = u.workspace",
	    &p);
}

void vw_pg_verifywise_write(struct vw_pg_tx *tx, const struct vw_pg_changes *changes)
{
	if (tx->code < 0)
		return;
	write_recorded(tx, changes);
	write_removed(tx, changes);
}
