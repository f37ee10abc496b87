/* migrate.h: the schema's versions. Each is a file of migrations/, run in one transaction. */
#ifndef STORE_PG_MIGRATE_H
#define STORE_PG_MIGRATE_H

#include "connection.h"

struct vw_pg_migration {
	const char *name; /* "0001_tenants" */
	const char *sql;
};
extern const struct vw_pg_migration vw_pg_migrations[];
extern const int vw_pg_migration_count;

#define VW_PG_APP_ROLE "verifywise_fleet_app"

/* 0: there is no schema. */
int vw_pg_schema_version(PGconn *connection, int *out, struct vw_error *err);
/* Brings an older schema, or none, to version `to`, step by step, as the owner; one at a time over all processes. `app_role` NULL: VW_PG_APP_ROLE.
 * A newer schema stays as it is and is VW_ECONFIG. */
int vw_pg_migrate(PGconn *connection, const char *app_role, int to, struct vw_error *err);

#endif
