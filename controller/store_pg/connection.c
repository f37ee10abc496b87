#include "connection.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* A commit is what is acknowledged: a server that would promise less is told not to. A statement that takes longer, or a client that says nothing in
 * mid-transaction, is broken off: no lock is held for longer. */
#define SESSION                                                                                                      \
	"SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';"  \
	"SET search_path = verifywise_fleet, pg_temp;"                                                               \
	"SET statement_timeout = '60s'; SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '30s';"  \
	"SET client_min_messages = warning; SET row_security = on; SET DateStyle = ISO; SET TimeZone = 'UTC';"

/* The URL may override the first ones. A peer that is gone without a word is noticed in half a minute. */
static const char *const keywords[] = {
    "application_name", "connect_timeout",      "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout", "target_session_attrs", "dbname",          "client_encoding",     NULL};

static void fill_values(const char *url, const char *values[])
{
	static const char *const fixed[] = {"vw-controller", "10",         "10", "5",    "3",
					    "20000",         "read-write", NULL, "UTF8", NULL};
	memcpy(values, fixed, sizeof(fixed));
	values[7] = url;
}

/* libpq does not say why a connection failed but in words; whether anybody answers it can tell. */
static int connect_failed(PGconn *connection, const char *values[], struct vw_error *err)
{
	const char *text = PQerrorMessage(connection);
	int len = (int)strcspn(text, "\n");
	bool answers = PQpingParams(keywords, values, 1) == PQPING_OK;
	return vw_error_set(err, answers ? VW_ECONFIG : VW_EAGAIN, "postgresql: %.*s", len, text);
}

static int set_role(PGconn *connection, const char *role, struct vw_error *err)
{
	char sql[256];
	char *quoted = PQescapeIdentifier(connection, role, strlen(role));
	if (!quoted)
		return vw_error_set(err, VW_ECONFIG, "postgresql: the name of the role is none");
	int len = snprintf(sql, sizeof(sql), "SET ROLE %s", quoted);
	PQfreemem(quoted);
	if (len < 0 || (size_t)len >= sizeof(sql))
		return vw_error_set(err, VW_ECONFIG, "postgresql: the name of the role is too long");
	int rc = vw_pg_run(connection, sql, NULL, err);
	return rc < 0
		   ? vw_error_context(err, rc, "role %s (connect as it, or GRANT it to the one that connects)", role)
		   : 0;
}

/* The server's notices are of no use to anybody who reads our log. */
static void no_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

int vw_pg_connect(const char *url, const char *role, PGconn **out, struct vw_error *err)
{
	const char *values[sizeof(keywords) / sizeof(keywords[0])];
	fill_values(url, values);
	PGconn *connection = PQconnectdbParams(keywords, values, 1);
	if (!connection)
		return vw_error_set(err, VW_ENOMEM, "no memory for a connection to postgresql");
	int rc = PQstatus(connection) == CONNECTION_OK ? 0 : connect_failed(connection, values, err);
	if (rc == 0) {
		PQsetNoticeReceiver(connection, no_notice, NULL);
		rc = vw_pg_run(connection, SESSION, NULL, err);
	}
	if (rc == 0 && role)
		rc = set_role(connection, role, err);
	if (rc < 0) {
		PQfinish(connection);
		return rc;
	}
	*out = connection;
	return 0;
}

void vw_pg_connection_cleanup(PGconn **connection)
{
	PQfinish(*connection);
}

bool vw_pg_is_alive(PGconn *connection)
{
	struct pollfd p = {.fd = PQsocket(connection), .events = POLLIN};
	/* what the server says unasked is goodbye; for the rare notice a new connection is no loss */
	return PQstatus(connection) == CONNECTION_OK && p.fd >= 0 && poll(&p, 1, 0) == 0;
}

int vw_pg_run(PGconn *connection, const char *sql, PGresult **out, struct vw_error *err)
{
	PGresult *result = PQexec(connection, sql);
	ExecStatusType status = PQresultStatus(result);
	int rc = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : vw_pg_fail(connection, result, err);
	if (rc == 0 && out)
		*out = result;
	else
		PQclear(result);
	return rc;
}

int vw_pg_value(PGconn *connection, const char *sql, const char *param, char *out, size_t size, struct vw_error *err)
{
	PGresult *result = PQexecParams(connection, sql, param ? 1 : 0, NULL, &param, NULL, NULL, 0);
	int rc = PQresultStatus(result) == PGRES_TUPLES_OK ? 0 : vw_pg_fail(connection, result, err);
	if (rc == 0)
		snprintf(out, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return rc;
}
