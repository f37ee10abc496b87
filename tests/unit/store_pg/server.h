/* server.h: a PostgreSQL of one test program's own: in a temporary folder, on a Unix socket there, run by an unprivileged user. It ends and is removed with
 * the program, however that ends. */
#ifndef TEST_STORE_PG_SERVER_H
#define TEST_STORE_PG_SERVER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#define SERVER_URL_MAX 256
/* Makes databases and roles; no superuser, as in real life. */
#define SERVER_OWNER "fleet_owner"
#define SERVER_SUPER "vwtest"
#define SERVER_APP   "verifywise_fleet_app"

/* Started at its first use. False: this machine has no PostgreSQL; VW_TEST_NEEDS_POSTGRES in the environment makes that a failure. */
bool server_use(void);
/* kill -9 of all of it; nothing is flushed. Then start again: it recovers. */
void server_kill(void);
void server_start(void);
/* In order, and again. */
void server_restart(void);

void server_url(const char *database, const char *user, char out[SERVER_URL_MAX]);
/* An empty database, owned by SERVER_OWNER. */
void server_make_database(char out_name[64]);
void server_drop_database(const char *name);

/* A connection; fails the test when there is none. */
PGconn *server_connect(const char *database, const char *user);
/* Runs SQL; fails the test when it fails. */
void server_sql(const char *database, const char *user, const char *sql);
/* The first value as text, in static storage; "" for NULL or no row. */
const char *server_value(const char *database, const char *user, const char *sql);
/* The SQLSTATE it fails with, in static storage; "" when it succeeds. */
const char *server_fails(const char *database, const char *user, const char *sql);

#endif
