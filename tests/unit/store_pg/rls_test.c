/* Row-level security (S4.5), asked as the roles themselves through libpq. */
#include "suite.h"

#include "server.h"

static char database[64];

/* A store with two tenants, in which every table has a row of each; and its database by name. */
static int open_filled(void **state)
{
	if (shop_open_with_agents(state) != 0)
		return -1;
	struct shop *shop = *state;
	if (!shop->place)
		return 0;
	struct vw_fleet_store_settings settings = place_settings(shop->place);
	sscanf(settings.url, "postgresql://" SERVER_OWNER "@/%63[^?]", database);
	for (int32_t organization = ORG; organization <= OTHER; organization++) {
		struct ledger ledger;
		struct seen seen = {
		    .model = "churn", .version = "1", .at = NOW, .gap = "owner:high", .event = "Production"};
		ledger_begin(&ledger, shop->arena, AGENT_A);
		ingest_one(shop, organization, AGENT_A, &ledger, &seen);
		vw_stored_command command = VERIFYWISE__V1__STORED_COMMAND__INIT;
		vw_command inner = VERIFYWISE__V1__COMMAND__INIT;
		VW_SET(&command, organization, organization);
		command.agent_id = (char *)AGENT_A;
		command.command = &inner;
		inner.id = (char *)"99999999-9999-4999-8999-999999999999";
		VW_SET(&inner, kind, VW_COMMAND_SET_POLICY);
		VW_SET(&inner, issued_at, NOW);
		VW_SET_BYTES(&inner, content, "rules: []", 9);
		shop_ok(shop, vw_fleet_command_create(shop->store, &command, &shop->err));
		vw_stored_secret secret = VERIFYWISE__V1__STORED_SECRET__INIT;
		vw_sealed_secret sealed = VERIFYWISE__V1__SEALED_SECRET__INIT;
		VW_SET(&secret, organization, organization);
		secret.agent_id = (char *)AGENT_A;
		secret.secret = &sealed;
		sealed.name = (char *)"mlflow.password";
		VW_SET(&sealed, version, 1);
		VW_SET_BYTES(&sealed, sealed, "ciphertext", 10);
		shop_ok(shop, vw_fleet_secret_put(shop->store, &secret, &shop->err));
		vw_user user = VERIFYWISE__V1__USER__INIT;
		uint8_t digest[32] = {2};
		VW_SET(&user, organization, organization);
		user.public_id = vw_arena_printf(shop->arena, "00000000000000a%d", organization);
		VW_SET_BYTES(&user, secret_sha256, digest, 32);
		shop_ok(shop, vw_fleet_user_create(shop->store, &user, &shop->err));
		vw_agent_presence presence = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
		VW_SET(&presence, organization, organization);
		presence.agent_id = (char *)AGENT_A;
		VW_SET(&presence, connected, true);
		shop_ok(shop, vw_fleet_presence_put(shop->store, &presence, &shop->err));
		/* another entry under the same number */
		struct ledger other;
		seen.model = "other";
		ledger_begin(&other, shop->arena, AGENT_A);
		vw_entry_batch *batch = batch_of(shop->arena, 1, 1, ledger_version(&other, &seen));
		assert_int_equal(ingest(shop, organization, AGENT_A, batch).outcome, VW_INGEST_FORK);
	}
	server_sql(database, SERVER_SUPER, "ALTER ROLE " SERVER_APP " LOGIN");
	return 0;
}
#define filled_test(f) cmocka_unit_test_setup_teardown(f, open_filled, shop_close)

#define skip_without(shop)                                                                                           \
	do {                                                                                                         \
		if (!(shop)->place)                                                                                  \
			skip();                                                                                      \
	} while (0)

/* For each of the schema's partitioned tables. */
static void each_table(void (*each)(const char *table))
{
	PGconn *connection = server_connect(database, SERVER_SUPER);
	PGresult *tables =
	    PQexec(connection, "SELECT relname FROM pg_class WHERE relnamespace = 'verifywise_fleet'::regnamespace"
			       " AND relkind = 'p' ORDER BY relname");
	assert_true(PQntuples(tables) >= 14);
	for (int i = 0; i < PQntuples(tables); i++)
		each(PQgetvalue(tables, i, 0));
	PQclear(tables);
	PQfinish(connection);
}

/* The answer to "before table after", under app.current_org or, with NULL, without it. */
static const char *as(const char *user, const char *organization, const char *before, const char *table,
		      const char *after)
{
	char sql[1024];
	snprintf(sql, sizeof(sql), "%s%s%s%s verifywise_fleet.%s %s", organization ? "SET app.current_org = '" : "",
		 organization ? organization : "", organization ? "'; " : "", before, table, after);
	return server_value(database, user, sql);
}

static void sees_nothing(const char *table)
{
	assert_string_equal(as(SERVER_APP, NULL, "SELECT count(*) FROM", table, ""), "0");
	assert_string_equal(as(SERVER_APP, "", "SELECT count(*) FROM", table, ""), "0");
	assert_string_equal(as(SERVER_APP, "77", "SELECT count(*) FROM", table, ""), "0");
}

static void without_an_organization_no_row_is_seen(void **state)
{
	skip_without((struct shop *)*state);
	each_table(sees_nothing);
}

static void sees_its_own(const char *table)
{
	assert_string_not_equal(as(SERVER_APP, "1", "SELECT count(*) FROM", table, ""), "0");
	assert_string_equal(as(SERVER_APP, "1", "SELECT count(*) FROM", table, "WHERE organization_id <> 1"), "0");
	assert_string_equal(as(SERVER_SUPER, NULL, "SELECT count(*) > 0 FROM", table, "WHERE organization_id = 2"),
			    "t");
}

static void with_an_organization_only_its_rows_are_seen(void **state)
{
	skip_without((struct shop *)*state);
	each_table(sees_its_own);
}

/* The owner is under the policies as well, but for what its lookup functions read. */
static void owner_sees_nothing(const char *table)
{
	static const char *const lookups[] = {"organizations", "enrollment_tokens", "users", "controller_events"};
	for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]); i++)
		if (strcmp(table, lookups[i]) == 0)
			return;
	assert_string_equal(as(SERVER_OWNER, NULL, "SELECT count(*) FROM", table, ""), "0");
}

static void the_owner_is_under_the_policies_too(void **state)
{
	skip_without((struct shop *)*state);
	each_table(owner_sees_nothing);
}

static void nothing_is_written_for_another_organization(void **state)
{
	skip_without((struct shop *)*state);
	assert_string_equal(server_fails(database, SERVER_APP,
					 "SET app.current_org = '1'; INSERT INTO verifywise_fleet.users"
					 " (organization_id, public_id) VALUES (2, 'x')"),
			    "42501");
	assert_string_equal(
	    server_fails(database, SERVER_APP,
			 "INSERT INTO verifywise_fleet.users (organization_id, public_id) VALUES (2, 'x')"),
	    "42501");
	server_sql(database, SERVER_APP,
		   "SET app.current_org = '1'; UPDATE verifywise_fleet.agents SET hostname = 'mine'");
	assert_string_equal(server_value(database, SERVER_SUPER,
					 "SELECT count(*) FROM verifywise_fleet.agents WHERE organization_id = 2"
					 " AND hostname = 'mine'"),
			    "0");
	assert_string_equal(server_fails(database, SERVER_APP,
					 "SET app.current_org = '1';"
					 " UPDATE verifywise_fleet.agents SET organization_id = 2"),
			    "42501");
}

static void ledgers_and_trails_only_grow(void **state)
{
	static const char *const tables[] = {"ledger", "controller_events", "quarantined_entries",
					     "deployment_events"};
	skip_without((struct shop *)*state);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		char sql[256];
		snprintf(sql, sizeof(sql), "SET app.current_org = '1'; DELETE FROM verifywise_fleet.%s", tables[i]);
		assert_string_equal(server_fails(database, SERVER_APP, sql), "42501");
		snprintf(sql, sizeof(sql),
			 "SET app.current_org = '1'; UPDATE verifywise_fleet.%s SET organization_id = 1", tables[i]);
		assert_string_equal(server_fails(database, SERVER_APP, sql), "42501");
		snprintf(sql, sizeof(sql), "TRUNCATE verifywise_fleet.%s", tables[i]);
		assert_string_equal(server_fails(database, SERVER_APP, sql), "42501");
	}
}

static void no_way_leads_past_the_parent_table(void **state)
{
	skip_without((struct shop *)*state);
	for (int i = 0; i < 16; i++) {
		char sql[160];
		snprintf(sql, sizeof(sql), "SET app.current_org = '1'; SELECT FROM verifywise_fleet.ledger_%d", i);
		assert_string_equal(server_fails(database, SERVER_APP, sql), "42501");
	}
	assert_string_equal(
	    server_value(database, SERVER_SUPER,
			 "SELECT count(*) FROM pg_class WHERE relnamespace = 'verifywise_fleet'::regnamespace"
			 " AND relkind IN ('r', 'p') AND relname <> 'schema_version'"
			 " AND NOT (relrowsecurity AND relforcerowsecurity)"),
	    "0");
	assert_string_equal(server_fails(database, SERVER_APP, "CREATE TABLE verifywise_fleet.mine (a int)"),
			    "42501");
	assert_string_equal(
	    server_fails(database, SERVER_APP, "SELECT verifywise_fleet.make_tenant_table('users', 'ALL')"), "42501");
}

/* What the functions that run as the owner tell: whose a public id is, and what only the operator asks. */
static void nobody_else_may_ask(void **state)
{
	skip_without((struct shop *)*state);
	server_sql("postgres", SERVER_SUPER,
		   "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stranger') THEN"
		   " CREATE ROLE stranger LOGIN; END IF; END $$");
	assert_string_equal(server_fails(database, "stranger", "SELECT verifywise_fleet.token_organization('x')"),
			    "42501");
	assert_string_equal(
	    server_value(database, SERVER_SUPER,
			 "SELECT count(*) FROM pg_proc p, aclexplode(coalesce(p.proacl,"
			 " acldefault('f', p.proowner))) a"
			 " WHERE p.pronamespace = 'verifywise_fleet'::regnamespace AND a.grantee = 0"),
	    "0");
	assert_string_equal(
	    server_value(database, SERVER_APP, "SELECT verifywise_fleet.token_organization('0000000000000002')"),
	    "2");
	assert_string_equal(
	    server_value(database, SERVER_APP, "SELECT verifywise_fleet.token_organization('no such')"), "");
}

/* So that a distributed PostgreSQL can take the tables as they are. */
static void every_key_begins_with_the_organization(void **state)
{
	skip_without((struct shop *)*state);
	assert_string_equal(
	    server_value(database, SERVER_SUPER,
			 "SELECT count(*) FROM pg_class c WHERE relnamespace = 'verifywise_fleet'::regnamespace"
			 " AND relkind = 'p' AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a"
			 " ON a.attrelid = c.oid AND a.attnum = i.indkey[0] WHERE i.indrelid = c.oid"
			 " AND i.indisprimary AND a.attname = 'organization_id')"),
	    "0");
	assert_string_equal(
	    server_value(database, SERVER_SUPER,
			 "SELECT count(*) FROM pg_partitioned_table t JOIN pg_class c ON c.oid = t.partrelid"
			 " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = t.partattrs[0]"
			 " WHERE c.relnamespace = 'verifywise_fleet'::regnamespace"
			 " AND (t.partstrat <> 'h' OR t.partnatts <> 1 OR a.attname <> 'organization_id')"),
	    "0");
	assert_string_equal(server_value(database, SERVER_SUPER,
					 "SELECT string_agg(relname, ',') FROM pg_class"
					 " WHERE relnamespace = 'verifywise_fleet'::regnamespace AND relkind = 'r'"
					 " AND NOT relispartition"),
			    "schema_version");
}

static void a_role_that_passes_by_the_policies_is_refused(void **state)
{
	struct shop *shop = *state;
	skip_without(shop);
	char url[SERVER_URL_MAX];
	struct vw_fleet_store *store = NULL;
	server_url(database, SERVER_SUPER, url);
	struct vw_fleet_store_settings settings = {.url = url};
	shop_fails(shop, vw_fleet_store_open(&settings, &store, &shop->err), VW_ECONFIG);
	assert_says(shop->err, "row-level security");
	settings.app_role = SERVER_APP;
	shop_ok(shop, vw_fleet_store_open(&settings, &store, &shop->err));
	vw_fleet_store_close(store);
	server_url(database, SERVER_APP, url);
	settings.app_role = NULL;
	shop_ok(shop, vw_fleet_store_open(&settings, &store, &shop->err));
	vw_fleet_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    filled_test(without_an_organization_no_row_is_seen),
	    filled_test(with_an_organization_only_its_rows_are_seen),
	    filled_test(the_owner_is_under_the_policies_too),
	    filled_test(nothing_is_written_for_another_organization),
	    filled_test(ledgers_and_trails_only_grow),
	    filled_test(no_way_leads_past_the_parent_table),
	    filled_test(nobody_else_may_ask),
	    filled_test(every_key_begins_with_the_organization),
	    filled_test(a_role_that_passes_by_the_policies_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
