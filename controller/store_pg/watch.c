/* watch.c: changes on any replica, told by LISTEN on a connection of its own, in a thread of its own. While that connection is away, changes may be missed: the
 * first thing told after it is back is VW_CHANGE_LOST. */
#include "store_pg.h"

#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define FIRST_MS 5000 /* vw_fleet_watch() waits that long for the first LISTEN */
#define RETRY_MS 250
#define PROBE_MS 15000 /* silence after which the connection is tried */

struct vw_pg_watch {
	struct vw_pg_pool *pool;
	void (*each)(const struct vw_change *change, void *arg);
	void *arg;
	pthread_t thread;
	int stop; /* eventfd */
	pthread_mutex_t mutex;
	pthread_cond_t listening;
	bool is_listening; /* it was, once */
};

/* ---- What is told ---- */

/* One number and the blank behind it; the text moves on. */
static bool take_number(const char **text, int64_t *out)
{
	char digits[16];
	size_t len = strcspn(*text, " ");
	if (len == 0 || len >= sizeof(digits) || (*text)[len] != ' ')
		return false;
	memcpy(digits, *text, len);
	digits[len] = 0;
	*text += len + 1;
	return vw_text_int64(digits, out);
}

/* "kind organization agent", which anybody who may connect to the database can send. */
static bool parse(const char *text, struct vw_change *out)
{
	int64_t kind, organization;
	struct vw_change change = {0};
	if (!take_number(&text, &kind) || !take_number(&text, &organization) || kind < VW_CHANGE_AGENT ||
	    kind > VW_CHANGE_ORGANIZATION || organization < 1 || organization > INT32_MAX)
		return false;
	if (kind == VW_CHANGE_ORGANIZATION ? *text != 0 : !vw_agent_id_valid(text))
		return false;
	change.kind = (enum vw_change_kind)kind;
	change.organization = (int32_t)organization;
	memcpy(change.agent_id, text, strlen(text));
	*out = change;
	return true;
}

static void tell_all(struct vw_pg_watch *watch, PGconn *connection)
{
	for (PGnotify *n; (n = PQnotifies(connection)); PQfreemem(n)) {
		struct vw_change change;
		if (parse(n->extra, &change))
			watch->each(&change, watch->arg);
	}
}

/* ---- The thread ---- */

/* False: it is time to stop. */
static bool pause_for(const struct vw_pg_watch *watch, int ms)
{
	struct pollfd p = {.fd = watch->stop, .events = POLLIN};
	return poll(&p, 1, ms) <= 0;
}

static PGconn *listen_anew(struct vw_pg_watch *watch)
{
	struct vw_error ignored;
	PGconn *connection;
	if (vw_pg_pool_connect(watch->pool, &connection, &ignored) < 0)
		return NULL;
	if (vw_pg_run(connection, "LISTEN verifywise_fleet", NULL, &ignored) == 0)
		return connection;
	PQfinish(connection);
	return NULL;
}

static void note_listening(struct vw_pg_watch *watch, bool is_first_try)
{
	static const struct vw_change lost = {.kind = VW_CHANGE_LOST};
	pthread_mutex_lock(&watch->mutex);
	watch->is_listening = true;
	pthread_cond_signal(&watch->listening);
	pthread_mutex_unlock(&watch->mutex);
	if (!is_first_try)
		watch->each(&lost, watch->arg);
}

/* Until the connection breaks (true) or it is time to stop (false). */
static bool listen_on(struct vw_pg_watch *watch, PGconn *connection)
{
	struct vw_error ignored;
	for (;;) {
		struct pollfd p[2] = {{.fd = PQsocket(connection), .events = POLLIN},
				      {.fd = watch->stop, .events = POLLIN}};
		int ready = poll(p, 2, PROBE_MS);
		if (ready < 0 && errno != EINTR)
			return true;
		if (ready > 0 && p[1].revents)
			return false;
		bool is_alive = ready == 0 ? vw_pg_run(connection, "SELECT 1", NULL, &ignored) == 0
					   : PQconsumeInput(connection) && PQstatus(connection) == CONNECTION_OK;
		tell_all(watch, connection);
		if (!is_alive)
			return true;
	}
}

static void *run(void *arg)
{
	struct vw_pg_watch *watch = arg;
	bool is_first_try = true;
	for (bool go = true; go;) {
		PGconn *connection = listen_anew(watch);
		if (connection) {
			note_listening(watch, is_first_try);
			go = listen_on(watch, connection);
			PQfinish(connection);
		}
		is_first_try = false;
		if (go)
			go = pause_for(watch, RETRY_MS);
	}
	return NULL;
}

/* ---- Beginning and end ---- */

static void stop(struct vw_pg_watch *watch)
{
	uint64_t one = 1;
	if (write(watch->stop, &one, sizeof(one)) == (ssize_t)sizeof(one))
		pthread_join(watch->thread, NULL);
	close(watch->stop);
	pthread_cond_destroy(&watch->listening);
	pthread_mutex_destroy(&watch->mutex);
	free(watch);
}

/* What changes after vw_fleet_watch() is told, if the database answers; if not, VW_CHANGE_LOST will say so. */
static void wait_for_first(struct vw_pg_watch *watch)
{
	struct timespec until;
	int waited = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FIRST_MS / 1000;
	pthread_mutex_lock(&watch->mutex);
	while (!watch->is_listening && waited == 0)
		waited = pthread_cond_timedwait(&watch->listening, &watch->mutex, &until);
	pthread_mutex_unlock(&watch->mutex);
}

static struct vw_pg_watch *start(struct vw_pg_pool *pool, void (*each)(const struct vw_change *change, void *arg),
				 void *arg)
{
	pthread_condattr_t attr;
	struct vw_pg_watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return NULL;
	watch->pool = pool;
	watch->each = each;
	watch->arg = arg;
	watch->stop = eventfd(0, EFD_CLOEXEC);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&watch->mutex, NULL);
	pthread_cond_init(&watch->listening, &attr);
	pthread_condattr_destroy(&attr);
	if (watch->stop >= 0 && pthread_create(&watch->thread, NULL, run, watch) == 0) {
		wait_for_first(watch);
		return watch;
	}
	if (watch->stop >= 0)
		close(watch->stop);
	free(watch);
	return NULL;
}

void vw_pg_watch(struct vw_fleet_store *store, void (*each)(const struct vw_change *change, void *arg), void *arg)
{
	struct vw_pg_store *pg = vw_pg_of(store);
	if (pg->watch)
		stop(pg->watch);
	pg->watch = each ? start(pg->pool, each, arg) : NULL;
}
