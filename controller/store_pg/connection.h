/* connection.h: one connection to PostgreSQL, and what its failures are called. With params.h, transaction.h and watch.h the only headers that know libpq. */
#ifndef STORE_PG_CONNECTION_H
#define STORE_PG_CONNECTION_H

#include "base/error.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* Connects and sets the session up: UTF-8, our schema first, timeouts, and `role` (NULL: as it is). VW_EAGAIN: nobody answers; VW_ECONFIG: it answers,
 * but not to us, or the session cannot be had so. The URL, which may hold a password, is in no message. */
int vw_pg_connect(const char *url, const char *role, PGconn **out, struct vw_error *err);
void vw_pg_connection_cleanup(PGconn **connection); /* for VW_AUTO */

/* Of one on which nothing is under way: false once the server closed it or said anything unasked. No round trip. */
bool vw_pg_is_alive(PGconn *connection);

/* What a failed statement means to callers; fills err with the server's own first line. */
int vw_pg_fail(PGconn *connection, const PGresult *result, struct vw_error *err);

/* Runs SQL without parameters, several statements too, for sessions and migrations. *out may be NULL; otherwise the last result, the caller's. */
int vw_pg_run(PGconn *connection, const char *sql, PGresult **out, struct vw_error *err);
/* One value as text of one statement with at most one text parameter, into `out`; NULL becomes "". */
int vw_pg_value(PGconn *connection, const char *sql, const char *param, char *out, size_t size, struct vw_error *err);

#endif
