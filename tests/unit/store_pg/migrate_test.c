/* The schema: made, brought forward, refused. */
#include "suite.h"

#include "migrate.h"
#include "server.h"

#include <pthread.h>

struct bench {
	char database[64];
	char url[SERVER_URL_MAX];
	struct vw_error err;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	if (!server_use())
		return 0;
	server_make_database(b->database);
	server_url(b->database, SERVER_OWNER, b->url);
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	if (b->database[0])
		server_drop_database(b->database);
	free(b);
	return 0;
}

static struct bench *bench_of(void **state)
{
	struct bench *b = *state;
	if (!b->database[0])
		skip();
	return b;
}

static struct vw_fleet_store_settings settings_of(const struct bench *b)
{
	return (struct vw_fleet_store_settings){.url = b->url, .connections = 2, .app_role = SERVER_APP};
}

static void migrate_to(struct bench *b, int version)
{
	PGconn *connection = server_connect(b->database, SERVER_OWNER);
	assert_ok(vw_pg_migrate(connection, NULL, version, &b->err), b->err);
	PQfinish(connection);
}

static void open_fails(struct bench *b, const struct vw_fleet_store_settings *settings, int code, const char *text)
{
	struct vw_fleet_store *store = NULL;
	int rc = vw_fleet_store_open(settings, &store, &b->err);
	if (rc != code)
		fail_msg("%d and not %d: %s", rc, code, b->err.message);
	assert_says(b->err, text);
	assert_null(store);
}

static void open_works(struct bench *b, const struct vw_fleet_store_settings *settings)
{
	struct vw_fleet_store *store;
	vw_organization *organization;
	struct vw_arena *arena = vw_arena_open(0);
	assert_ok(vw_fleet_store_open(settings, &store, &b->err), b->err);
	assert_string_equal(vw_fleet_store_kind(store), "postgresql");
	assert_ok(vw_fleet_store_ping(store, &b->err), b->err);
	int rc = vw_fleet_organization_create(store, arena, 5, "five", &organization, &b->err);
	assert_true(rc == 0 || rc == VW_EBUSY);
	vw_fleet_store_close(store);
	vw_arena_close(arena);
}

static void from_each_earlier_version(void **state)
{
	struct bench *b = bench_of(state);
	for (int version = 1; version <= vw_pg_migration_count; version++) {
		struct vw_fleet_store_settings settings = settings_of(b);
		migrate_to(b, version);
		if (version < vw_pg_migration_count)
			open_fails(b, &settings, VW_ECONFIG, "vw-controller migrate");
		settings.migrate = true;
		open_works(b, &settings);
		settings.migrate = false;
		open_works(b, &settings);
		server_drop_database(b->database);
		server_make_database(b->database);
		server_url(b->database, SERVER_OWNER, b->url);
	}
}

static void an_empty_database_is_set_up_only_when_asked(void **state)
{
	struct bench *b = bench_of(state);
	struct vw_fleet_store_settings settings = settings_of(b);
	open_fails(b, &settings, VW_ECONFIG, "vw-controller init");
	settings.migrate = true;
	open_fails(b, &settings, VW_ECONFIG, "vw-controller init");
	settings.create = true;
	settings.migrate = false;
	open_works(b, &settings);
	open_fails(b, &settings, VW_EBUSY, "already");
	settings.migrate = true;
	open_works(b, &settings);
}

static void a_newer_schema_is_refused(void **state)
{
	struct bench *b = bench_of(state);
	struct vw_fleet_store_settings settings = settings_of(b);
	migrate_to(b, vw_pg_migration_count);
	server_sql(b->database, SERVER_OWNER, "INSERT INTO verifywise_fleet.schema_version VALUES (9999)");
	open_fails(b, &settings, VW_ECONFIG, "newer");
	settings.migrate = true;
	open_fails(b, &settings, VW_ECONFIG, "newer");
}

static void a_step_that_fails_leaves_nothing(void **state)
{
	struct bench *b = bench_of(state);
	char sql[160];
	server_sql("postgres", SERVER_SUPER,
		   "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'poor') THEN"
		   " CREATE ROLE poor LOGIN; END IF; END $$");
	snprintf(sql, sizeof(sql), "ALTER DATABASE %s OWNER TO poor", b->database);
	server_sql("postgres", SERVER_SUPER, sql);
	server_url(b->database, "poor", b->url);
	struct vw_fleet_store_settings settings = settings_of(b);
	settings.app_role = "nobody_made_this_one";
	settings.create = true;
	open_fails(b, &settings, VW_ECONFIG, "0001_tenants");
	assert_string_equal(server_value(b->database, SERVER_SUPER,
					 "SELECT count(*) FROM pg_namespace WHERE nspname = 'verifywise_fleet'"),
			    "0");
}

static void a_role_may_have_any_name(void **state)
{
	struct bench *b = bench_of(state);
	struct vw_fleet_store_settings settings = settings_of(b);
	settings.app_role = "app \"of\" 'ours'";
	settings.create = true;
	open_works(b, &settings);
	assert_string_equal(server_value(b->database, SERVER_SUPER,
					 "SELECT count(*) FROM pg_roles WHERE rolname = 'app \"of\" ''ours'''"
					 " AND NOT rolsuper AND NOT rolbypassrls AND NOT rolcanlogin"),
			    "1");
	server_sql(b->database, SERVER_SUPER,
		   "DROP OWNED BY \"app \"\"of\"\" 'ours'\"; DROP ROLE \"app \"\"of\"\" 'ours'\"");
}

/* Where the owner may make no roles, an operator has made it before. */
static void a_role_that_was_made_before(void **state)
{
	struct bench *b = bench_of(state);
	char sql[160];
	server_sql("postgres", SERVER_SUPER,
		   "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'poor') THEN"
		   " CREATE ROLE poor LOGIN; END IF; END $$; CREATE ROLE premade LOGIN");
	snprintf(sql, sizeof(sql), "ALTER DATABASE %s OWNER TO poor", b->database);
	server_sql("postgres", SERVER_SUPER, sql);
	server_url(b->database, "poor", b->url);
	struct vw_fleet_store_settings settings = settings_of(b);
	settings.app_role = "premade";
	settings.create = true;
	open_fails(b, &settings, VW_ECONFIG, "GRANT");
	server_url(b->database, "premade", b->url);
	settings.app_role = NULL;
	settings.create = false;
	open_works(b, &settings);
	server_sql(b->database, SERVER_SUPER, "DROP OWNED BY premade; DROP ROLE premade");
}

/* Set up by a superuser, it goes on as the role that serves. */
static void set_up_by_a_superuser(void **state)
{
	struct bench *b = bench_of(state);
	struct vw_fleet_store_settings settings = settings_of(b);
	server_url(b->database, SERVER_SUPER, b->url);
	settings.app_role = NULL;
	settings.create = true;
	open_works(b, &settings);
	settings.create = false;
	open_fails(b, &settings, VW_ECONFIG, "row-level security");
	server_sql(b->database, SERVER_SUPER, "ALTER ROLE " SERVER_APP " LOGIN");
	server_url(b->database, SERVER_APP, b->url);
	open_works(b, &settings);
}

static void *open_in_thread(void *arg)
{
	struct vw_fleet_store *store;
	const struct vw_fleet_store_settings *settings = arg;
	struct vw_error err = VW_ERROR_INIT;
	int rc = vw_fleet_store_open(settings, &store, &err);
	if (rc == 0)
		vw_fleet_store_close(store);
	return (void *)(intptr_t)rc;
}

static void several_at_once_do_it_once(void **state)
{
	struct bench *b = bench_of(state);
	struct vw_fleet_store_settings settings = settings_of(b);
	pthread_t threads[4];
	settings.create = settings.migrate = true;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_in_thread, &settings), 0);
	for (size_t i = 0; i < 4; i++) {
		void *rc;
		pthread_join(threads[i], &rc);
		assert_int_equal((intptr_t)rc, 0);
	}
	char count[16];
	snprintf(count, sizeof(count), "%d", vw_pg_migration_count);
	assert_string_equal(
	    server_value(b->database, SERVER_OWNER, "SELECT count(*) FROM verifywise_fleet.schema_version"), count);
}

static void what_cannot_be_opened_says_why(void **state)
{
	struct bench *b = bench_of(state);
	struct vw_fleet_store_settings settings = settings_of(b);
	server_url("no_such_database", SERVER_OWNER, b->url);
	open_fails(b, &settings, VW_ECONFIG, "no_such_database");
	server_url(b->database, "no_such_role", b->url);
	open_fails(b, &settings, VW_ECONFIG, "no_such_role");
	settings.url = "postgresql://someone:s3cret-word@127.0.0.1:1/x?connect_timeout=2";
	open_fails(b, &settings, VW_EAGAIN, "127.0.0.1");
	assert_null(strstr(b->err.message, "s3cret-word"));
	settings.url = "postgresql://someone:s3cret-word@127.0.0.1:1/x?no_such_option=s3cret-word";
	open_fails(b, &settings, VW_EAGAIN, "no_such_option");
	assert_null(strstr(b->err.message, "s3cret-word"));
	settings.url = b->url;
	settings.connections = 100000;
	open_fails(b, &settings, VW_ECONFIG, "connections");
	settings.connections = -1;
	open_fails(b, &settings, VW_ECONFIG, "connections");
}

/* What is acknowledged is on the disk, whatever the server's default is. */
static void a_commit_waits_for_the_disk(void **state)
{
	static const char *const settings[][2] = {
	    {"off", "on"}, {"local", "local"}, {"remote_write", "remote_write"}};
	struct bench *b = bench_of(state);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		char sql[160], text[32];
		PGconn *connection;
		snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET synchronous_commit = %s", b->database,
			 settings[i][0]);
		server_sql("postgres", SERVER_SUPER, sql);
		assert_ok(vw_pg_connect(b->url, NULL, &connection, &b->err), b->err);
		assert_ok(vw_pg_value(connection, "SHOW synchronous_commit", NULL, text, sizeof(text), &b->err),
			  b->err);
		assert_string_equal(text, settings[i][1]);
		PQfinish(connection);
	}
}

static void the_encoding_must_hold_every_text(void **state)
{
	struct bench *b = bench_of(state);
	server_sql("postgres", SERVER_SUPER,
		   "CREATE DATABASE ascii OWNER " SERVER_OWNER " ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'");
	server_url("ascii", SERVER_OWNER, b->url);
	struct vw_fleet_store_settings settings = settings_of(b);
	settings.create = true;
	open_fails(b, &settings, VW_ECONFIG, "UTF8");
	server_drop_database("ascii");
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    test(from_each_earlier_version),
	    test(an_empty_database_is_set_up_only_when_asked),
	    test(a_newer_schema_is_refused),
	    test(a_step_that_fails_leaves_nothing),
	    test(a_role_may_have_any_name),
	    test(a_role_that_was_made_before),
	    test(set_up_by_a_superuser),
	    test(several_at_once_do_it_once),
	    test(what_cannot_be_opened_says_why),
	    test(a_commit_waits_for_the_disk),
	    test(the_encoding_must_hold_every_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
