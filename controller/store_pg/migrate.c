#include "migrate.h"

#include <stdio.h>
#include <stdlib.h>

/* Any number will do, as long as nobody else takes it: "vwfleet" in ASCII. */
#define LOCK   "SELECT pg_advisory_lock(33624594562147700)"
#define UNLOCK "SELECT pg_advisory_unlock(33624594562147700)"

int vw_pg_schema_version(PGconn *connection, int *out, struct vw_error *err)
{
	char text[32];
	int rc = vw_pg_value(connection,
			     "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
			     " WHERE n.nspname = 'verifywise_fleet' AND c.relname = 'schema_version'",
			     NULL, text, sizeof(text), err);
	if (rc == 0 && text[0] == '0') {
		*out = 0;
		return 0;
	}
	if (rc == 0)
		rc = vw_pg_value(connection, "SELECT coalesce(max(version), 0) FROM verifywise_fleet.schema_version",
				 NULL, text, sizeof(text), err);
	if (rc == 0)
		*out = (int)strtol(text, NULL, 10);
	return rc;
}

static int run_step(PGconn *connection, const char *app_role, int version, struct vw_error *err)
{
	const struct vw_pg_migration *migration = &vw_pg_migrations[version - 1];
	char unused[64], number[16];
	snprintf(number, sizeof(number), "%d", version);
	int rc = vw_pg_run(connection, "BEGIN; SET LOCAL client_min_messages = warning", NULL, err);
	if (rc == 0)
		rc = vw_pg_value(connection, "SELECT set_config('verifywise_fleet.app_role', $1, true)", app_role,
				 unused, sizeof(unused), err);
	if (rc == 0)
		rc = vw_pg_run(connection, migration->sql, NULL, err);
	if (rc == 0)
		rc = vw_pg_value(
		    connection,
		    "INSERT INTO verifywise_fleet.schema_version (version) VALUES ($1::int) RETURNING version",
		    number, unused, sizeof(unused), err);
	if (rc == 0)
		rc = vw_pg_run(connection, "COMMIT", NULL, err);
	if (rc == 0)
		return 0;
	rc = vw_error_context(err, rc, "schema verifywise_fleet, %s", migration->name);
	struct vw_error ignored;
	vw_pg_run(connection, "ROLLBACK", NULL, &ignored);
	return rc;
}

static int run_steps(PGconn *connection, const char *app_role, int to, struct vw_error *err)
{
	int version;
	int rc = vw_pg_schema_version(connection, &version, err);
	if (rc == 0 && version > vw_pg_migration_count)
		rc = vw_error_set(
		    err, VW_ECONFIG,
		    "the schema verifywise_fleet is of version %d, and this program knows %d: use a newer one",
		    version, vw_pg_migration_count);
	while (rc == 0 && version < to)
		rc = run_step(connection, app_role, ++version, err);
	return rc;
}

int vw_pg_migrate(PGconn *connection, const char *app_role, int to, struct vw_error *err)
{
	struct vw_error ignored;
	/* another process may take its time, and so may an index */
	int rc = vw_pg_run(connection, "SET statement_timeout = 0; SET lock_timeout = 0;" LOCK, NULL, err);
	if (rc < 0)
		return rc;
	rc = run_steps(connection, app_role ? app_role : VW_PG_APP_ROLE, to, err);
	vw_pg_run(connection, UNLOCK, NULL, &ignored);
	return rc;
}
