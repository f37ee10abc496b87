#include "health.h"

#include "base/clock.h"
#include "settings/listen.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS    16
#define CONNECTION_MEMORY  (8 * 1024) /* bytes: a request's line and headers have to fit */
#define CONNECTION_SECONDS 10
#define THREAD_STACK       (256 * 1024) /* bytes */
#define BACKLOG            16

struct health {
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock;
	struct health_facts facts; /* under the lock */
	health_look look;
	void *look_arg;
};

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
			      const struct vw_buffer *body)
{
	if (vw_buffer_error(body) < 0)
		return MHD_NO;
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(body->len, (void *)vw_buffer_text(body), MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result queued = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return queued;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *text)
{
	struct vw_buffer body;
	vw_buffer_init(&body, 0);
	vw_buffer_puts(&body, text);
	enum MHD_Result queued = answer(connection, status, "text/plain; charset=utf-8", &body);
	vw_buffer_reset(&body);
	return queued;
}

static enum MHD_Result answer_page(struct MHD_Connection *connection, const struct health_facts *facts,
				   const char *path)
{
	struct vw_buffer body;
	bool metrics = strcmp(path, "/metrics") == 0;
	int64_t now = vw_clock_now(), now_mono = vw_clock_monotonic();
	vw_buffer_init(&body, 0);
	if (metrics)
		health_write_metrics(facts, now, now_mono, &body);
	else
		health_write_progress(facts, now, now_mono, &body);
	bool good = metrics || health_troubles(facts, now, now_mono) == 0;
	enum MHD_Result queued =
	    answer(connection, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
		   metrics ? "text/plain; version=0.0.4; charset=utf-8" : "application/json", &body);
	vw_buffer_reset(&body);
	return queued;
}

static struct health_facts look(struct health *health)
{
	pthread_mutex_lock(&health->lock);
	struct health_facts facts = health->facts;
	pthread_mutex_unlock(&health->lock);
	facts.enrolled = health->look && health->look(health->look_arg, &facts.uplink);
	return facts;
}

static enum MHD_Result route(struct health *health, struct MHD_Connection *connection, const char *path)
{
	struct health_facts facts = look(health);
	if (strcmp(path, "/livez") == 0)
		return answer_text(connection, MHD_HTTP_OK, "alive\n");
	if (strcmp(path, "/readyz") == 0)
		return facts.ready ? answer_text(connection, MHD_HTTP_OK, "ready\n")
				   : answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
						 "not ready: no full sync was completed yet\n");
	if (strcmp(path, "/progressz") == 0 || strcmp(path, "/metrics") == 0)
		return answer_page(connection, &facts, path);
	return answer_text(connection, MHD_HTTP_NOT_FOUND,
			   "not found; there are /livez, /readyz, /progressz, /metrics\n");
}

/* Called once when the headers are there, then for each part of a body, then once more to answer. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *upload, size_t *upload_len, void **seen)
{
	static char marker;
	(void)version, (void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (!*seen || *upload_len > 0) {
		*seen = &marker;
		*upload_len = 0;
		return MHD_YES;
	}
	return route(arg, connection, path);
}

/* ---- the socket ---- */

static int open_socket(const char *listen_on, struct vw_error *err)
{
	struct vw_listen_address address;
	const int on = 1;
	if (!vw_listen_parse(listen_on, &address) || !address.loopback)
		return vw_error_set(err, VW_ECONFIG, "listen: %s is not a loopback address with a port", listen_on);
	int fd = socket(address.at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return vw_error_set(err, VW_EIO, "listen: %s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &address.at.any, address.len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int why = errno;
	close(fd);
	return vw_error_set(err, VW_ECONFIG,
			    "listen: cannot serve health and metrics on %s: %s; choose another address in the "
			    "configuration (listen), or off",
			    listen_on, strerror(why));
}

/* ---- open, publish, close ---- */

/* Signals are the main thread's: it sleeps until one comes. */
static struct MHD_Daemon *start(struct health *health, int fd)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	struct MHD_Daemon *daemon = MHD_start_daemon(
	    MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL, handle, health, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS,
	    MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

int health_open(const char *listen_on, const struct health_facts *facts, health_look look_at, void *look_arg,
		struct health **out, struct vw_error *err)
{
	int fd = open_socket(listen_on, err);
	if (fd < 0)
		return fd;
	struct health *health = calloc(1, sizeof(*health));
	if (!health) {
		close(fd);
		return vw_error_set(err, VW_ENOMEM, "no memory for the health server");
	}
	pthread_mutex_init(&health->lock, NULL);
	health->facts = *facts;
	health->look = look_at;
	health->look_arg = look_arg;
	health->daemon = start(health, fd);
	if (!health->daemon) {
		close(fd);
		health_close(health);
		return vw_error_set(err, VW_EIO, "listen: the health server on %s did not start", listen_on);
	}
	*out = health;
	return 0;
}

void health_close(struct health *health)
{
	if (!health)
		return;
	if (health->daemon)
		MHD_stop_daemon(health->daemon);
	pthread_mutex_destroy(&health->lock);
	free(health);
}

void health_publish(struct health *health, const struct health_facts *facts)
{
	if (!health)
		return;
	pthread_mutex_lock(&health->lock);
	health->facts = *facts;
	pthread_mutex_unlock(&health->lock);
}
