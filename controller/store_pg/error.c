/* error.c: PostgreSQL's conditions in our words. Source of the codes: PostgreSQL 15, appendix A. */
#include "connection.h"

#include <string.h>

struct meaning {
	const char *prefix; /* of SQLSTATE */
	int code;
};

/* The first that fits. */
static const struct meaning meanings[] = {
    {"08", VW_EAGAIN},       /* the connection */
    {"57P", VW_EAGAIN},      /* shutdown, starting up */
    {"57014", VW_EAGAIN},    /* cancelled: statement_timeout */
    {"53300", VW_EAGAIN},    /* too many connections */
    {"53200", VW_EAGAIN},    /* out of memory */
    {"53100", VW_EFULL},     /* disk full */
    {"25P0", VW_EAGAIN},     /* our transaction was ended */
    {"25006", VW_EAGAIN},    /* read only: it has become a standby */
    {"40", VW_EAGAIN},       /* serialization, deadlock */
    {"55P03", VW_EAGAIN},    /* lock_timeout */
    {"23505", VW_EBUSY},     /* unique */
    {"23503", VW_ENOTFOUND}, /* foreign key: of an organization that is not there */
    {"22003", VW_ELIMIT},    /* a number out of range: no higher id */
    {"22", VW_EINVAL},       /* data */
    {"23", VW_EINVAL},       /* other constraints */
    {"54", VW_ELIMIT},       /* too much of something for the server */
    {"28", VW_ECONFIG},      /* authorization */
    {"3D", VW_ECONFIG},      /* no such database */
    {"3F", VW_ECONFIG},      /* no such schema */
    {"42", VW_ECONFIG},      /* no such table, no right to it */
    {"XX001", VW_ECORRUPT},  {"XX002", VW_ECORRUPT},
};

int vw_pg_fail(PGconn *connection, const PGresult *result, struct vw_error *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (!state || !text) {
		text = PQerrorMessage(connection);
		return vw_error_set(err, PQstatus(connection) == CONNECTION_OK ? VW_EIO : VW_EAGAIN,
				    "postgresql: %.*s", (int)strcspn(text, "\n"), text);
	}
	int code = VW_EIO;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (strncmp(state, meanings[i].prefix, strlen(meanings[i].prefix)) == 0) {
			code = meanings[i].code;
			break;
		}
	}
	return vw_error_set(err, code, "postgresql: %s (SQLSTATE %s)", text, state);
}
