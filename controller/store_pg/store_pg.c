/* store_pg.c: opening, closing, and the table of functions. */
#include "store_pg.h"

#include "migrate.h"

#include <stdlib.h>
#include <string.h>

#define CONNECTIONS     8
#define CONNECTIONS_MAX 500

static void close_store(struct vw_fleet_store *store)
{
	struct vw_pg_store *pg = vw_pg_of(store);
	vw_pg_watch(store, NULL, NULL);
	vw_pg_pool_close(pg->pool);
	free(pg->url);
	free(pg->role);
	free(pg);
}

static int ping(struct vw_fleet_store *store, struct vw_error *err)
{
	struct vw_pg_tx tx;
	vw_pg_begin(&tx, vw_pg_of(store)->pool, VW_PG_NO_ORGANIZATION, VW_PG_READ, err);
	vw_pg_query(&tx, "SELECT 1", NULL);
	vw_pg_result(&tx);
	return vw_pg_end(&tx);
}

static const struct vw_fleet_ops ops = {
    .kind = "postgresql",
    .close = close_store,
    .ping = ping,
    .organization_create = vw_pg_organization_create,
    .organization_get = vw_pg_organization_get,
    .organization_disable = vw_pg_organization_disable,
    .organization_list = vw_pg_organization_list,
    .token_create = vw_pg_token_create,
    .token_list = vw_pg_token_list,
    .token_revoke = vw_pg_token_revoke,
    .token_get = vw_pg_token_get,
    .user_create = vw_pg_user_create,
    .user_get = vw_pg_user_get,
    .user_list = vw_pg_user_list,
    .user_revoke = vw_pg_user_revoke,
    .agent_enroll = vw_pg_agent_enroll,
    .agent_get = vw_pg_agent_get,
    .agent_list = vw_pg_agent_list,
    .agent_set_status = vw_pg_agent_set_status,
    .agent_set_pending_serial = vw_pg_agent_set_pending_serial,
    .agent_join = vw_pg_agent_join,
    .presence_put = vw_pg_presence_put,
    .presence_get = vw_pg_presence_get,
    .presence_clear = vw_pg_presence_clear,
    .ingest = vw_pg_ingest,
    .version_list = vw_pg_version_list,
    .version_get = vw_pg_version_get,
    .version_history = vw_pg_version_history,
    .gap_list = vw_pg_gap_list,
    .event_list = vw_pg_event_list,
    .ledger_read = vw_pg_ledger_read,
    .quarantine_list = vw_pg_quarantine_list,
    .count = vw_pg_count,
    .command_create = vw_pg_command_create,
    .command_get = vw_pg_command_get,
    .command_list = vw_pg_command_list,
    .command_open = vw_pg_command_open,
    .command_update = vw_pg_command_update,
    .file_get = vw_pg_file_get,
    .secret_put = vw_pg_secret_put,
    .secret_delete = vw_pg_secret_delete,
    .secret_list = vw_pg_secret_list,
    .event_put = vw_pg_event_put,
    .event_log = vw_pg_event_log,
    .watch = vw_pg_watch,
};

/* ---- Opening ---- */

/* What the server must be, asked as whoever connects. */
static int check_server(PGconn *connection, struct vw_error *err)
{
	char text[32];
	if (PQserverVersion(connection) < 130000)
		return vw_error_set(err, VW_ECONFIG, "PostgreSQL 13 or newer is needed; this one is %d",
				    PQserverVersion(connection) / 10000);
	int rc = vw_pg_value(connection, "SELECT current_setting('server_encoding')", NULL, text, sizeof(text), err);
	if (rc == 0 && strcmp(text, "UTF8") != 0)
		rc = vw_error_set(err, VW_ECONFIG, "the database's encoding is %s; UTF8 is needed", text);
	return rc;
}

static int check_schema(PGconn *connection, const struct vw_fleet_store_settings *settings, struct vw_error *err)
{
	int version;
	int rc = vw_pg_schema_version(connection, &version, err);
	if (rc == 0 && ((version == 0 && settings->create) || (version > 0 && settings->migrate))) {
		rc = vw_pg_migrate(connection, settings->app_role, vw_pg_migration_count, err);
		return rc;
	}
	if (rc == 0 && version > 0 && settings->create)
		return vw_error_set(err, VW_EBUSY, "the database has a schema verifywise_fleet already");
	if (rc == 0 && version == 0)
		return vw_error_set(err, VW_ECONFIG,
				    "the database has no schema verifywise_fleet; vw-controller init makes it");
	if (rc == 0 && version != vw_pg_migration_count)
		return vw_error_set(
		    err, VW_ECONFIG, "the schema verifywise_fleet is of version %d and this program needs %d%s",
		    version, vw_pg_migration_count,
		    version < vw_pg_migration_count ? "; vw-controller migrate brings it forward, as its owner"
						    : ": use a newer one");
	return rc;
}

/* Its name if it passes by row-level security, else "". */
static int ask_bypass(PGconn *connection, char *out, size_t size, struct vw_error *err)
{
	return vw_pg_value(connection,
			   "SELECT CASE WHEN rolsuper OR rolbypassrls THEN rolname::text ELSE '' END"
			   " FROM pg_roles WHERE rolname = current_user",
			   NULL, out, size, err);
}

/* Row-level security must stand behind every statement (S4.5). */
static int check_role(PGconn *connection, struct vw_error *err)
{
	char text[128];
	int rc = ask_bypass(connection, text, sizeof(text), err);
	if (rc == 0 && text[0])
		rc = vw_error_set(err, VW_ECONFIG,
				  "role %s passes by row-level security: connect as " VW_PG_APP_ROLE
				  ", or name it as the role to work under",
				  text);
	return rc;
}

/* Who set the schema up as a superuser goes on as the role that was made for it. */
static int choose_role(PGconn *connection, const struct vw_fleet_store_settings *settings, const char **out,
		       struct vw_error *err)
{
	char text[128] = "";
	int rc = 0;
	if (!settings->app_role && (settings->create || settings->migrate))
		rc = ask_bypass(connection, text, sizeof(text), err);
	*out = text[0] ? VW_PG_APP_ROLE : settings->app_role;
	return rc;
}

static int check_verifywise(PGconn *connection, struct vw_error *err)
{
	char text[32];
	int rc = vw_pg_value(connection,
			     "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
			     " WHERE n.nspname = 'verifywise' AND c.relname = 'mlflow_model_records'"
			     " AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
			     " AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')",
			     NULL, text, sizeof(text), err);
	if (rc == 0 && text[0] == '0')
		rc = vw_error_set(
		    err, VW_ECONFIG,
		    "verifywise.mlflow_model_records is not there, or may not be written: GRANT USAGE ON SCHEMA "
		    "verifywise, and SELECT, INSERT, UPDATE on the table and USAGE on its sequence, to the role");
	return rc;
}

/* *out_role is static, or of the settings. */
static int check_all(const struct vw_fleet_store_settings *settings, const char **out_role, struct vw_error *err)
{
	VW_AUTO(vw_pg_connection_cleanup) PGconn *connection = NULL;
	VW_AUTO(vw_pg_connection_cleanup) PGconn *serving = NULL;
	int rc = vw_pg_connect(settings->url, NULL, &connection, err);
	if (rc == 0)
		rc = check_server(connection, err);
	if (rc == 0)
		rc = check_schema(connection, settings, err);
	if (rc == 0)
		rc = choose_role(connection, settings, out_role, err);
	if (rc == 0)
		rc = vw_pg_connect(settings->url, *out_role, &serving, err);
	if (rc == 0)
		rc = check_role(serving, err);
	if (rc == 0 && settings->verifywise)
		rc = check_verifywise(serving, err);
	return rc;
}

int vw_store_pg_open(const struct vw_fleet_store_settings *settings, struct vw_fleet_store **out,
		     struct vw_error *err)
{
	int connections = settings->connections == 0 ? CONNECTIONS : settings->connections;
	const char *role = NULL;
	if (connections < 1 || connections > CONNECTIONS_MAX)
		return vw_error_set(err, VW_ECONFIG, "store: 1 to %d connections, not %d", CONNECTIONS_MAX,
				    connections);
	int rc = check_all(settings, &role, err);
	if (rc < 0)
		return rc;
	struct vw_pg_store *pg = calloc(1, sizeof(*pg));
	if (!pg)
		return vw_error_set(err, VW_ENOMEM, "no memory for a store");
	pg->base.ops = &ops;
	pg->verifywise = settings->verifywise;
	pg->url = strdup(settings->url);
	pg->role = role ? strdup(role) : NULL;
	rc = pg->url && (pg->role || !role) ? vw_pg_pool_open(pg->url, pg->role, connections, &pg->pool, err)
					    : vw_error_set(err, VW_ENOMEM, "no memory for a store");
	if (rc < 0) {
		close_store(&pg->base);
		return rc;
	}
	*out = &pg->base;
	return 0;
}
