#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define START_S 60

static struct {
	bool is_known, is_there;
	char bin[256], folder[128];
	struct passwd *user; /* NULL: we ourselves */
	pid_t postmaster, guard;
	int guard_pipe;
	int databases;
} server;

static void pause_ms(long ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	nanosleep(&time, NULL);
}

/* ---- Processes ---- */

static void become_user(void)
{
	if (server.user && (setgroups(0, NULL) || setgid(server.user->pw_gid) || setuid(server.user->pw_uid)))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Runs a program of PostgreSQL in the folder, its output in a file there. */
static pid_t spawn(const char *const arguments[])
{
	char path[512];
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	snprintf(path, sizeof(path), "%s/%s", server.bin, arguments[0]);
	become_user();
	int log = chdir(server.folder) == 0 ? open("log", O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
	if (log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(125);
	execv(path, (char *const *)(uintptr_t)arguments);
	_exit(127);
}

static void run(const char *const arguments[])
{
	int status = -1;
	pid_t pid = spawn(arguments);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		fail_msg("%s ended with %d; see %s/log", arguments[0], status, server.folder);
}

/* A process that outlives us and cleans up behind us: at the end of its pipe. It kills the postmaster that it was told of last. */
static void start_guard(void)
{
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	server.guard = fork();
	assert_true(server.guard >= 0);
	server.guard_pipe = ends[1];
	if (server.guard > 0) {
		close(ends[0]);
		return;
	}
	pid_t told = 0, postmaster = 0;
	close(ends[1]);
	setsid();
	for (int s = 1; s < 16; s++)
		if (s != SIGKILL)
			signal(s, SIG_IGN);
	while (read(ends[0], &told, sizeof(told)) == (ssize_t)sizeof(told))
		postmaster = told;
	if (postmaster > 0)
		kill(postmaster, SIGQUIT); /* at once, its children too */
	/* what they still write would keep the folder from going */
	for (int i = 0; i < 200 && postmaster > 0 && kill(postmaster, 0) == 0; i++)
		pause_ms(50);
	signal(SIGCHLD, SIG_DFL);
	for (int i = 0; i < 40 && access(server.folder, F_OK) == 0; i++) {
		pid_t rm = fork();
		if (rm == 0) {
			execlp("rm", "rm", "-rf", server.folder, (char *)NULL);
			_exit(127);
		}
		waitpid(rm, NULL, 0);
		pause_ms(50);
	}
	_exit(0);
}

static void stop_all(void)
{
	if (server.postmaster > 0) {
		kill(server.postmaster, SIGQUIT);
		waitpid(server.postmaster, NULL, 0);
	}
	close(server.guard_pipe);
	waitpid(server.guard, NULL, 0);
}

/* ---- Starting ---- */

static bool find_binaries(void)
{
	glob_t found;
	bool is_found = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc > 0;
	if (is_found) {
		const char *last = found.gl_pathv[found.gl_pathc - 1];
		snprintf(server.bin, sizeof(server.bin), "%.*s", (int)(strrchr(last, '/') - last), last);
	}
	globfree(&found);
	return is_found;
}

static bool answers(void)
{
	char url[SERVER_URL_MAX];
	server_url("postgres", SERVER_SUPER, url);
	PGconn *connection = PQconnectdb(url);
	bool ok = PQstatus(connection) == CONNECTION_OK;
	PQfinish(connection);
	return ok;
}

void server_start(void)
{
	char data[160];
	snprintf(data, sizeof(data), "%s/data", server.folder);
	const char *const arguments[] = {"postgres",
					 "-D",
					 data,
					 "-k",
					 server.folder,
					 "-h",
					 "",
					 "-c",
					 "fsync=off",
					 "-c",
					 "max_connections=60",
					 "-c",
					 "shared_buffers=64MB",
					 "-c",
					 "autovacuum=off",
					 NULL};
	for (int i = 0; i < START_S * 20; i++) {
		/* behind kill -9 the old shared memory may still be in use for a moment: then it ends at once */
		if (server.postmaster <= 0 || waitpid(server.postmaster, NULL, WNOHANG) == server.postmaster) {
			server.postmaster = spawn(arguments);
			assert_int_equal(write(server.guard_pipe, &server.postmaster, sizeof(pid_t)), sizeof(pid_t));
		}
		if (answers())
			return;
		pause_ms(50);
	}
	fail_msg("PostgreSQL does not start; see %s/log", server.folder);
}

static void set_up(void)
{
	const char *root = getenv("TMPDIR");
	snprintf(server.folder, sizeof(server.folder), "%.60s/vw-pg-XXXXXX", root ? root : "/tmp");
	assert_non_null(mkdtemp(server.folder));
	if (geteuid() == 0) {
		server.user = getpwnam("postgres");
		if (!server.user)
			server.user = getpwnam("nobody");
		assert_non_null(server.user);
		assert_int_equal(chown(server.folder, server.user->pw_uid, server.user->pw_gid), 0);
	}
	start_guard();
	atexit(stop_all);
	const char *const initdb[] = {
	    "initdb",           "-D", "data", "-U", SERVER_SUPER, "--auth=trust", "-E", "UTF8", "--no-sync",
	    "--locale=C.UTF-8", NULL};
	run(initdb);
	server_start();
	server_sql("postgres", SERVER_SUPER, "CREATE ROLE " SERVER_OWNER " LOGIN CREATEROLE");
}

bool server_use(void)
{
	if (server.is_known)
		return server.is_there;
	server.is_known = true;
	server.is_there = find_binaries();
	if (!server.is_there && getenv("VW_TEST_NEEDS_POSTGRES"))
		fail_msg("PostgreSQL is not installed");
	if (server.is_there)
		set_up();
	return server.is_there;
}

/* Its children end by themselves when it is gone, but not at once. */
void server_kill(void)
{
	char path[64];
	int child;
	kill(server.postmaster, SIGSTOP);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)server.postmaster, (int)server.postmaster);
	FILE *children = fopen(path, "re");
	assert_non_null(children);
	while (fscanf(children, "%d", &child) == 1)
		kill(child, SIGKILL);
	fclose(children);
	kill(server.postmaster, SIGKILL);
	waitpid(server.postmaster, NULL, 0);
	server.postmaster = 0;
}

void server_restart(void)
{
	kill(server.postmaster, SIGINT);
	waitpid(server.postmaster, NULL, 0);
	server.postmaster = 0;
	server_start();
}

/* ---- Databases and statements ---- */

void server_url(const char *database, const char *user, char out[SERVER_URL_MAX])
{
	snprintf(out, SERVER_URL_MAX, "postgresql://%s@/%s?host=%s", user, database, server.folder);
}

void server_make_database(char out_name[64])
{
	char sql[160];
	snprintf(out_name, 64, "fleet%d", ++server.databases);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s OWNER " SERVER_OWNER, out_name);
	server_sql("postgres", SERVER_SUPER, sql);
}

void server_drop_database(const char *name)
{
	char sql[160];
	snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", name);
	server_sql("postgres", SERVER_SUPER, sql);
}

PGconn *server_connect(const char *database, const char *user)
{
	char url[SERVER_URL_MAX];
	if (server.postmaster == 0)
		server_start();
	server_url(database, user, url);
	PGconn *connection = PQconnectdb(url);
	if (PQstatus(connection) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(connection));
	return connection;
}

static PGresult *execute(const char *database, const char *user, const char *sql)
{
	PGconn *connection = server_connect(database, user);
	PGresult *result = PQexec(connection, sql);
	PQfinish(connection);
	return result;
}

static bool succeeded(const PGresult *result)
{
	return PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
}

const char *server_value(const char *database, const char *user, const char *sql)
{
	static char value[4096];
	PGresult *result = execute(database, user, sql);
	if (!succeeded(result))
		fail_msg("%s: %s", sql, PQresultErrorMessage(result));
	snprintf(value, sizeof(value), "%s",
		 PQntuples(result) > 0 && PQnfields(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return value;
}

void server_sql(const char *database, const char *user, const char *sql)
{
	server_value(database, user, sql);
}

const char *server_fails(const char *database, const char *user, const char *sql)
{
	static char state[8];
	PGresult *result = execute(database, user, sql);
	const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	snprintf(state, sizeof(state), "%s", succeeded(result) ? "" : (code ? code : "?????"));
	PQclear(result);
	return state;
}
