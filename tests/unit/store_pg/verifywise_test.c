/* The projection into VerifyWise's own table, which is made here as VerifyWise makes it. */
#include "suite.h"

#include "base/digest.h"
#include "server.h"

#include <math.h>

#define TABLE                                                                                                        \
	"CREATE SCHEMA verifywise; CREATE TABLE verifywise.mlflow_model_records ("                                   \
	"id serial PRIMARY KEY, organization_id integer NOT NULL,"                                                   \
	" model_name varchar(255) NOT NULL, version varchar(255) NOT NULL, lifecycle_stage varchar(255),"            \
	" run_id varchar(255), source varchar(255), status varchar(255), experiment_id varchar(255),"                \
	" experiment_name varchar(255), training_status varchar(255), source_version varchar(255),"                  \
	" description text, artifact_location text, tags jsonb NOT NULL DEFAULT '{}',"                               \
	" metrics jsonb NOT NULL DEFAULT '{}', parameters jsonb NOT NULL DEFAULT '{}',"                              \
	" training_started_at timestamp, training_ended_at timestamp, model_created_at timestamp,"                   \
	" model_updated_at timestamp, last_synced_at timestamp, created_at timestamp, updated_at timestamp,"         \
	" UNIQUE (organization_id, model_name, version));"                                                           \
	"ALTER TABLE verifywise.mlflow_model_records ENABLE ROW LEVEL SECURITY;"                                     \
	"CREATE POLICY tenant ON verifywise.mlflow_model_records"                                                    \
	" USING (organization_id = current_setting('app.current_org', true)::int);"
#define GRANTS                                                                                                       \
	"GRANT USAGE ON SCHEMA verifywise TO " SERVER_APP ";"                                                        \
	"GRANT SELECT, INSERT, UPDATE ON verifywise.mlflow_model_records TO " SERVER_APP ";"                         \
	"GRANT USAGE ON SEQUENCE verifywise.mlflow_model_records_id_seq TO " SERVER_APP

struct side {
	struct shop *shop;
	struct vw_fleet_store *store; /* that projects */
	char database[64];
};

/* Beside the suite's store one that projects, over the same database. */
static struct side open_side(void **state)
{
	struct side side = {.shop = shop_of(state)};
	struct shop *shop = side.shop;
	struct vw_fleet_store_settings settings = place_settings(shop->place);
	sscanf(settings.url, "postgresql://" SERVER_OWNER "@/%63[^?]", side.database);
	server_sql(side.database, SERVER_SUPER, TABLE GRANTS);
	settings.verifywise = true;
	shop_ok(shop, vw_fleet_store_open(&settings, &side.store, &shop->err));
	return side;
}

static const char *value(const struct side *side, const char *column)
{
	char sql[512];
	snprintf(sql, sizeof(sql),
		 "SELECT %s FROM verifywise.mlflow_model_records WHERE organization_id = 1 AND model_name = 'churn'"
		 " AND version = '1'",
		 column);
	return server_value(side->database, SERVER_SUPER, sql);
}

static const char *count(const struct side *side)
{
	return server_value(side->database, SERVER_SUPER, "SELECT count(*) FROM verifywise.mlflow_model_records");
}

/* ---- Records ---- */

static void *new (struct vw_arena *arena, const ProtobufCMessageDescriptor *type)
{
	void *message = vw_message_new(arena, type);
	assert_non_null(message);
	return message;
}

static vw_key_value *pair(struct vw_arena *arena, const char *key, const char *text)
{
	vw_key_value *kv = new (arena, &verifywise__v1__key_value__descriptor);
	kv->key = (char *)key;
	kv->value = (char *)text;
	return kv;
}

static vw_metric *metric(struct vw_arena *arena, const char *key, double number, int64_t step)
{
	vw_metric *m = new (arena, &verifywise__v1__metric__descriptor);
	m->key = (char *)key;
	VW_SET(m, value, number);
	VW_SET(m, step, step);
	return m;
}

static vw_record *rich_record(struct vw_arena *arena)
{
	vw_record *r = new (arena, &verifywise__v1__record__descriptor);
	r->model_name = (char *)"churn";
	r->version_number = (char *)"1";
	r->workspace = (char *)"ml";
	r->identity = new (arena, &verifywise__v1__identity__descriptor);
	r->identity->description = (char *)"of the model";
	vw_lifecycle *l = r->lifecycle = new (arena, &verifywise__v1__lifecycle__descriptor);
	l->lifecycle_stage = (char *)"Production";
	l->version_status = (char *)"READY";
	l->version_description = (char *)"of the version";
	l->source_run_id = (char *)"run-7";
	l->source_artifact_uri = vw_arena_alloc(arena, 400);
	memset(l->source_artifact_uri, 's', 399);
	VW_SET(l, created_at, 1700000000123);
	VW_SET(l, last_updated_at, 1700000001000);
	l->n_tags = 2;
	l->tags = vw_arena_array(arena, 2, sizeof(*l->tags));
	l->tags[0] = pair(arena, "team", "risk \"quoted\" \xc3\xa9");
	l->tags[1] = pair(arena, "verifywise.agent_id", "a liar");
	vw_training *t = r->training = new (arena, &verifywise__v1__training__descriptor);
	t->training_status = (char *)"FINISHED";
	VW_SET(t, training_started_at, 1699999000000);
	VW_SET(t, training_ended_at, INT64_MAX);
	t->n_metrics = 5;
	t->metrics = vw_arena_array(arena, 5, sizeof(*t->metrics));
	t->metrics[0] = metric(arena, "auc", 0.5, 1);
	t->metrics[1] = metric(arena, "auc", 0.93, 2);
	t->metrics[2] = metric(arena, "loss", INFINITY, 1);
	t->metrics[3] = metric(arena, "nan", NAN, 1);
	t->metrics[4] = metric(arena, "tiny", 5e-324, 1);
	t->n_hyperparameters = 1;
	t->hyperparameters = vw_arena_array(arena, 1, sizeof(*t->hyperparameters));
	t->hyperparameters[0] = pair(arena, "depth", "6");
	vw_lineage *n = r->lineage = new (arena, &verifywise__v1__lineage__descriptor);
	n->experiment_id = (char *)"12";
	n->experiment_name = (char *)"churn-exp";
	n->artifact_uri = (char *)"s3://bucket/12/run-7/artifacts";
	n->code_commit = (char *)"deadbeef";
	return r;
}

static vw_entry *entry_of(struct vw_arena *arena, const vw_record *record, int64_t at)
{
	vw_entry *entry = new (arena, &verifywise__v1__entry__descriptor);
	vw_version_recorded *v = new (arena, &verifywise__v1__version_recorded__descriptor);
	size_t len;
	const uint8_t *bytes = vw_message_pack(arena, &record->base, &len);
	uint8_t *sha256 = vw_arena_alloc(arena, VW_SHA256_SIZE);
	vw_sha256_of(bytes, len, sha256);
	VW_SET_BYTES(v, record, bytes, len);
	VW_SET_BYTES(v, record_sha256, sha256, VW_SHA256_SIZE);
	v->compliance = new (arena, &verifywise__v1__compliance__descriptor);
	VW_SET(v->compliance, status, VW_COMPLIANCE_GAPS);
	v->compliance->n_findings = 1;
	v->compliance->findings = vw_arena_array(arena, 1, sizeof(vw_finding *));
	vw_finding *f = v->compliance->findings[0] = new (arena, &verifywise__v1__finding__descriptor);
	f->rule = (char *)"owner";
	VW_SET(f, severity, VW_SEVERITY_HIGH);
	VW_SET(f, state, VW_FINDING_GAP);
	VW_SET(entry, recorded_at, at);
	entry->access = new (arena, &verifywise__v1__access__descriptor);
	entry->access->source_uri = (char *)"http://mlflow:5000";
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry->version = v;
	return entry;
}

static void store_entries(struct side *side, const char *agent_id, vw_entry_batch *batch)
{
	struct vw_ingest_batch b = {
	    .organization = ORG, .agent_id = agent_id, .session_id = "s", .batch = batch, .now = NOW};
	struct vw_ingest_result result;
	struct shop *shop = side->shop;
	shop_ok(shop, vw_fleet_ingest(side->store, shop->arena, &b, &result, &shop->err));
	if (result.outcome != VW_INGEST_STORED || result.stored != batch->n_entries)
		fail_msg("outcome %d: %s", (int)result.outcome, result.reason);
}

static void store_one(struct side *side, const char *agent_id, struct ledger *ledger, const struct seen *seen)
{
	uint64_t sequence = ledger->chain.head.sequence + 1;
	store_entries(side, agent_id, batch_of(side->shop->arena, sequence, 1, ledger_version(ledger, seen)));
}

/* ---- Tests ---- */

static void every_column(void **state)
{
	struct side side = open_side(state);
	struct ledger ledger;
	struct vw_arena *arena = side.shop->arena;
	ledger_begin(&ledger, arena, AGENT_A);
	vw_entry *entry = entry_of(arena, rich_record(arena), NOW - 5000);
	store_entries(&side, AGENT_A, batch_of(arena, 1, 1, ledger_entry(&ledger, entry)));
	assert_string_equal(count(&side), "1");
	assert_string_equal(value(&side, "lifecycle_stage"), "Production");
	assert_string_equal(value(&side, "run_id"), "run-7");
	assert_string_equal(value(&side, "length(source)"), "255");
	assert_string_equal(value(&side, "status"), "READY");
	assert_string_equal(value(&side, "experiment_id || experiment_name"), "12churn-exp");
	assert_string_equal(value(&side, "training_status"), "FINISHED");
	assert_string_equal(value(&side, "source_version"), "deadbeef");
	assert_string_equal(value(&side, "description"), "of the version");
	assert_string_equal(value(&side, "artifact_location"), "s3://bucket/12/run-7/artifacts");
	assert_string_equal(value(&side, "tags ->> 'team'"), "risk \"quoted\" \xc3\xa9");
	assert_string_equal(value(&side, "tags ->> 'verifywise.agent_id'"), AGENT_A);
	assert_string_equal(value(&side, "tags ->> 'verifywise.workspace'"), "ml");
	assert_string_equal(value(&side, "tags ->> 'verifywise.source_uri'"), "http://mlflow:5000");
	assert_string_equal(value(&side, "tags ->> 'verifywise.compliance'"), "gaps");
	assert_string_equal(value(&side, "tags ->> 'verifywise.gaps.high'"), "1");
	assert_string_equal(
	    value(&side, "(SELECT count(*) FROM jsonb_each(tags) WHERE jsonb_typeof(value) <> 'string')"), "0");
	assert_string_equal(value(&side, "metrics ->> 'auc'"), "0.93");
	assert_string_equal(value(&side, "(SELECT string_agg(key, ',' ORDER BY key) FROM jsonb_each(metrics)"
					 " WHERE jsonb_typeof(value) = 'number')"),
			    "auc,tiny");
	assert_string_equal(value(&side, "parameters::text"), "{\"depth\": \"6\"}");
	assert_string_equal(value(&side, "training_started_at"), "2023-11-14 21:56:40");
	assert_string_equal(value(&side, "training_ended_at"), "");
	assert_string_equal(value(&side, "model_created_at"), "2023-11-14 22:13:20.123");
	assert_string_equal(value(&side, "model_updated_at"), "2023-11-14 22:13:21");
	assert_string_equal(value(&side, "last_synced_at"), "2023-11-14 22:13:15");
	assert_string_equal(value(&side, "created_at = updated_at"), "t");
	vw_fleet_store_close(side.store);
}

static void a_bare_record(void **state)
{
	struct side side = open_side(state);
	struct ledger ledger;
	vw_record *record = new (side.shop->arena, &verifywise__v1__record__descriptor);
	record->model_name = (char *)"churn";
	record->version_number = (char *)"1";
	ledger_begin(&ledger, side.shop->arena, AGENT_A);
	vw_entry *entry = entry_of(side.shop->arena, record, NOW);
	entry->version->compliance = NULL;
	store_entries(&side, AGENT_A, batch_of(side.shop->arena, 1, 1, ledger_entry(&ledger, entry)));
	assert_string_equal(value(&side, "lifecycle_stage"), "None");
	assert_string_equal(value(&side, "metrics::text || parameters::text"), "{}{}");
	assert_string_equal(value(&side, "run_id IS NULL AND source IS NULL AND status IS NULL"), "t");
	vw_fleet_store_close(side.store);
}

static void what_is_gone_keeps_its_row(void **state)
{
	struct side side = open_side(state);
	struct ledger ledger, other;
	struct seen seen = {
	    .workspace = "w", .model = "churn", .version = "1", .at = NOW - 10, .stage = "Production"};
	ledger_begin(&ledger, side.shop->arena, AGENT_A);
	ledger_begin(&other, side.shop->arena, AGENT_B);
	store_one(&side, AGENT_A, &ledger, &seen);
	char id[16];
	snprintf(id, sizeof(id), "%s", value(&side, "id"));
	/* not of another agent, nor of another workspace */
	store_entries(&side, AGENT_B,
		      batch_of(side.shop->arena, 1, 1, ledger_removal(&other, "w", "churn", "1", NOW)));
	store_entries(&side, AGENT_A,
		      batch_of(side.shop->arena, 2, 1, ledger_removal(&ledger, "v", "churn", "1", NOW)));
	assert_string_equal(value(&side, "lifecycle_stage"), "Production");
	store_entries(&side, AGENT_A,
		      batch_of(side.shop->arena, 3, 1, ledger_removal(&ledger, "w", "churn", "1", NOW)));
	assert_string_equal(value(&side, "lifecycle_stage"), "Archived");
	assert_string_equal(value(&side, "status"), "REMOVED");
	assert_string_equal(value(&side, "id"), id);
	/* and it may come back */
	seen.at = NOW;
	store_one(&side, AGENT_A, &ledger, &seen);
	assert_string_equal(value(&side, "lifecycle_stage"), "Production");
	assert_string_equal(value(&side, "id"), id);
	assert_string_equal(count(&side), "1");
	vw_fleet_store_close(side.store);
}

static void recorded_and_removed_in_one_batch(void **state)
{
	struct side side = open_side(state);
	struct ledger ledger;
	struct seen seen = {.model = "churn", .version = "1", .at = NOW - 10, .stage = "Production"};
	ledger_begin(&ledger, side.shop->arena, AGENT_A);
	vw_chained_entry *first = ledger_version(&ledger, &seen);
	store_entries(&side, AGENT_A,
		      batch_of(side.shop->arena, 1, 2, first, ledger_removal(&ledger, "", "churn", "1", NOW)));
	assert_string_equal(value(&side, "lifecycle_stage || status"), "ArchivedREMOVED");
	vw_fleet_store_close(side.store);
}

/* Two servers with a model of the same name: the newer state is shown, and whose it is. */
static void of_two_agents_the_newer_state_wins(void **state)
{
	struct side side = open_side(state);
	struct ledger a, b;
	struct seen seen = {.model = "churn", .version = "1", .at = NOW - 1000, .stage = "Production"};
	ledger_begin(&a, side.shop->arena, AGENT_A);
	ledger_begin(&b, side.shop->arena, AGENT_B);
	store_one(&side, AGENT_A, &a, &seen);
	seen.at = NOW - 2000;
	seen.stage = "Staging";
	store_one(&side, AGENT_B, &b, &seen);
	assert_string_equal(value(&side, "lifecycle_stage || (tags ->> 'verifywise.agent_id')"),
			    "Production" AGENT_A);
	seen.at = NOW - 500;
	store_one(&side, AGENT_B, &b, &seen);
	assert_string_equal(value(&side, "lifecycle_stage || (tags ->> 'verifywise.agent_id')"), "Staging" AGENT_B);
	/* a clock that is years ahead does not win for years */
	seen.at = NOW + 100000000000;
	store_one(&side, AGENT_B, &b, &seen);
	seen.at = NOW;
	seen.stage = "None";
	store_one(&side, AGENT_A, &a, &seen);
	assert_string_equal(value(&side, "lifecycle_stage || (tags ->> 'verifywise.agent_id')"), "None" AGENT_A);
	assert_string_equal(count(&side), "1");
	vw_fleet_store_close(side.store);
}

/* One statement can change a row but once. */
static void two_workspaces_in_one_batch(void **state)
{
	struct side side = open_side(state);
	struct ledger ledger;
	struct seen v = {.workspace = "v", .model = "churn", .version = "1", .at = NOW - 5};
	struct seen w = {.workspace = "w", .model = "churn", .version = "1", .at = NOW - 3};
	ledger_begin(&ledger, side.shop->arena, AGENT_A);
	vw_chained_entry *first = ledger_version(&ledger, &w);
	store_entries(&side, AGENT_A, batch_of(side.shop->arena, 1, 2, first, ledger_version(&ledger, &v)));
	assert_string_equal(count(&side), "1");
	assert_string_equal(value(&side, "tags ->> 'verifywise.workspace'"), "w");
	vw_fleet_store_close(side.store);
}

/* Its columns are narrower than ours, and times have an end. */
static void what_does_not_fit_is_cut(void **state)
{
	struct side side = open_side(state);
	struct ledger ledger;
	char *name = vw_arena_alloc(side.shop->arena, 601);
	for (size_t i = 0; i < 300; i++)
		memcpy(name + 2 * i, "\xc3\xa9", 2);
	vw_record *record = new (side.shop->arena, &verifywise__v1__record__descriptor);
	record->model_name = name;
	record->version_number = (char *)"18446744073709551615";
	record->lifecycle = new (side.shop->arena, &verifywise__v1__lifecycle__descriptor);
	record->lifecycle->lifecycle_stage = name;
	VW_SET(record->lifecycle, created_at, INT64_MIN);
	VW_SET(record->lifecycle, last_updated_at, 253402300800000);
	record->lineage = new (side.shop->arena, &verifywise__v1__lineage__descriptor);
	record->lineage->experiment_id = (char *)"\xff\xfe";
	ledger_begin(&ledger, side.shop->arena, AGENT_A);
	vw_entry *entry = entry_of(side.shop->arena, record, INT64_MIN);
	store_entries(&side, AGENT_A, batch_of(side.shop->arena, 1, 1, ledger_entry(&ledger, entry)));
	assert_string_equal(count(&side), "1");
	assert_string_equal(
	    server_value(side.database, SERVER_SUPER,
			 "SELECT length(model_name) || ' ' || length(lifecycle_stage) || ' ' || version || ' '"
			 " || (model_created_at IS NULL AND model_updated_at IS NULL)"
			 " FROM verifywise.mlflow_model_records"),
	    "255 255 18446744073709551615 true");
	vw_fleet_store_close(side.store);
}

/* Nothing of ours is stored when theirs cannot be written, and the other way round: it is one transaction. */
static void both_or_none(void **state)
{
	struct side side = open_side(state);
	struct shop *shop = side.shop;
	struct ledger ledger;
	struct seen seen = {.model = "churn", .version = "1", .at = NOW};
	server_sql(side.database, SERVER_SUPER,
		   "ALTER TABLE verifywise.mlflow_model_records ADD CHECK (model_name <> 'churn')");
	ledger_begin(&ledger, shop->arena, AGENT_A);
	struct vw_ingest_batch b = {.organization = ORG,
				    .agent_id = AGENT_A,
				    .session_id = "s",
				    .batch = batch_of(shop->arena, 1, 1, ledger_version(&ledger, &seen)),
				    .now = NOW};
	struct vw_ingest_result result;
	shop_fails(shop, vw_fleet_ingest(side.store, shop->arena, &b, &result, &shop->err), VW_EINVAL);
	assert_int_equal(get_agent(shop, ORG, AGENT_A)->sequence, 0);
	vw_fleet_store_close(side.store);
}

static void without_the_table_or_the_right_it_is_refused(void **state)
{
	struct shop *shop = shop_of(state);
	struct vw_fleet_store_settings settings = place_settings(shop->place);
	struct vw_fleet_store *store;
	char database[64];
	sscanf(settings.url, "postgresql://" SERVER_OWNER "@/%63[^?]", database);
	settings.verifywise = true;
	shop_fails(shop, vw_fleet_store_open(&settings, &store, &shop->err), VW_ECONFIG);
	assert_says(shop->err, "mlflow_model_records");
	server_sql(database, SERVER_SUPER, TABLE);
	shop_fails(shop, vw_fleet_store_open(&settings, &store, &shop->err), VW_ECONFIG);
	assert_says(shop->err, "GRANT");
	server_sql(database, SERVER_SUPER, GRANTS);
	shop_ok(shop, vw_fleet_store_open(&settings, &store, &shop->err));
	vw_fleet_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(every_column),
	    suite_test_agents(a_bare_record),
	    suite_test_agents(what_is_gone_keeps_its_row),
	    suite_test_agents(recorded_and_removed_in_one_batch),
	    suite_test_agents(of_two_agents_the_newer_state_wins),
	    suite_test_agents(two_workspaces_in_one_batch),
	    suite_test_agents(what_does_not_fit_is_cut),
	    suite_test_agents(both_or_none),
	    suite_test_agents(without_the_table_or_the_right_it_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
