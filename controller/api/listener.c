/* listener.c: libmicrohttpd: a request is read whole, answered by vw_api_handle(), and written. */
#include "api/listener.h"

#include "base/limits.h"
#include "base/log.h"
#include "percent.h"
#include "settings/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STACK_BYTES   (512 * 1024) /* of the thread that each connection has */
#define PIECE_BYTES   (64 * 1024)
#define EMPTY_WAIT_US 100000 /* before a stream that had nothing to say is asked again */

struct vw_listener {
	struct vw_listener_settings settings;
	struct MHD_Daemon *daemon;
	char unix_path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "" : none */
	struct vw_principal local;                                   /* of the control socket */
	struct vw_arena *arena;                                      /* the TLS material */
	struct vw_secret *key;
	_Atomic bool stopping;
};

/* One request while it is read and answered. */
struct exchange {
	struct vw_listener *listener;
	struct MHD_Connection *connection;
	struct vw_arena *arena;
	struct vw_buffer body;
	struct vw_api_response response;
	struct vw_buffer piece; /* of a long answer, not yet sent */
	size_t sent;
	bool over;
	char peer[INET6_ADDRSTRLEN];
};

/* ---- a request ---- */

static const char *query_of(const char *name, void *arg)
{
	struct exchange *x = arg;
	const char *raw = MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
	return raw ? percent_decode(x->arena, raw, strlen(raw), true) : NULL;
}

static const char *header_of(const char *name, void *arg)
{
	struct exchange *x = arg;
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static void name_peer(struct exchange *x)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *at = info ? info->client_addr : NULL;
	snprintf(x->peer, sizeof(x->peer), "local");
	if (at && at->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)at)->sin_addr, x->peer,
			  sizeof(x->peer));
	else if (at && at->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)at)->sin6_addr, x->peer,
			  sizeof(x->peer));
}

static struct exchange *begin_exchange(struct vw_listener *listener, struct MHD_Connection *connection)
{
	struct exchange *x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->arena = vw_arena_open(0);
	if (!x->arena) {
		free(x);
		return NULL;
	}
	x->listener = listener;
	x->connection = connection;
	vw_buffer_init(&x->body, VW_MAX_REQUEST_BODY);
	vw_buffer_init(&x->piece, 0);
	name_peer(x);
	return x;
}

static void end_exchange(void *cls, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *state;
	(void)cls, (void)connection, (void)how;
	if (!x)
		return;
	vw_api_response_close(&x->response);
	vw_buffer_reset(&x->piece);
	vw_buffer_wipe(&x->body);
	vw_arena_close(x->arena);
	free(x);
	*state = NULL;
}

/* ---- an answer ---- */

/* Bytes of a long answer. One that has nothing to say yet is asked again a little later, until it or the listener ends. */
static ssize_t read_piece(void *arg, uint64_t position, char *out, size_t max)
{
	struct exchange *x = arg;
	struct vw_error err;
	(void)position;
	if (x->sent == x->piece.len) {
		vw_buffer_clear(&x->piece);
		x->sent = 0;
		int more =
		    x->over || x->listener->stopping ? 0 : x->response.next(x->response.stream, &x->piece, &err);
		if (more < 0) {
			vw_log(VW_LOG_ERROR, "answer_cut_off", VW_LOG_S("peer", x->peer),
			       VW_LOG_S("reason", err.message));
			return MHD_CONTENT_READER_END_WITH_ERROR;
		}
		x->over = more == 0;
		if (x->piece.len == 0 && x->over)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (x->piece.len == 0) {
			usleep(EMPTY_WAIT_US);
			return 0;
		}
	}
	size_t len = x->piece.len - x->sent < max ? x->piece.len - x->sent : max;
	memcpy(out, x->piece.data + x->sent, len);
	x->sent += len;
	return (ssize_t)len;
}

static void add_headers(struct MHD_Response *response, const struct vw_api_response *answer)
{
	char text[512];
	MHD_add_response_header(response, "Content-Type", answer->content_type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (answer->status == 401)
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
	if (answer->retry_after_s > 0) {
		snprintf(text, sizeof(text), "%d", answer->retry_after_s);
		MHD_add_response_header(response, "Retry-After", text);
	}
	if (answer->file_name) {
		snprintf(text, sizeof(text), "attachment; filename=\"%.200s\"", answer->file_name);
		MHD_add_response_header(response, "Content-Disposition", text);
	}
}

static enum MHD_Result reply(struct exchange *x)
{
	struct MHD_Response *response;
	if (x->response.next)
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_piece, x, NULL);
	else
		response = MHD_create_response_from_buffer(x->response.body.len,
							   (void *)(uintptr_t)vw_buffer_text(&x->response.body),
							   MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	add_headers(response, &x->response);
	enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)x->response.status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse_body(struct exchange *x)
{
	static const char text[] = "{\"message\":\"the body is too large (VW_MAX_REQUEST_BODY)\",\"data\":null}\n";
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(sizeof(text) - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "application/json");
	MHD_add_response_header(response, "Connection", "close");
	enum MHD_Result result = MHD_queue_response(x->connection, MHD_HTTP_CONTENT_TOO_LARGE, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *data, size_t *size, void **state)
{
	struct vw_listener *listener = cls;
	struct exchange *x = *state;
	(void)version;
	if (!x) {
		*state = begin_exchange(listener, connection);
		return *state ? MHD_YES : MHD_NO;
	}
	if (*size > 0) {
		vw_buffer_append(&x->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (vw_buffer_error(&x->body))
		return refuse_body(x);
	struct vw_api_request request = {.method = method,
					 .path = url,
					 .query = query_of,
					 .header = header_of,
					 .arg = x,
					 .body = {vw_buffer_text(&x->body), x->body.len},
					 .peer = x->peer,
					 .local = listener->unix_path[0] ? &listener->local : NULL};
	vw_api_handle(listener->settings.api, &request, x->arena, &x->response);
	return reply(x);
}

/* Path and query as they were sent: they are decoded piece by piece, so that %2F is no separator. */
static size_t keep_encoded(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls, (void)connection;
	return strlen(text);
}

/* ---- life ---- */

static int listen_unix(struct vw_listener *l, struct vw_error *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const char *path = l->settings.listen + strlen("unix:");
	if (snprintf(l->unix_path, sizeof(l->unix_path), "%s", path) >= (int)sizeof(l->unix_path))
		return vw_error_set(err, VW_ECONFIG, "%s is too long a name for a socket", path);
	memcpy(at.sun_path, l->unix_path, sizeof(at.sun_path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return vw_error_set(err, VW_EIO, "cannot make a socket: %s", strerror(errno));
	unlink(path); /* of a process that is gone: the store's lock says that no other serves this folder */
	mode_t before = umask(0177);
	int rc = bind(fd, (struct sockaddr *)&at, sizeof(at));
	umask(before);
	if (rc < 0 || listen(fd, 64) < 0) {
		vw_error_set(err, VW_EIO, "cannot listen at %s: %s", path, strerror(errno));
		close(fd);
		return VW_EIO;
	}
	return fd;
}

static int listen_tcp(const struct vw_listener *l, struct vw_error *err)
{
	struct vw_listen_address at;
	int one = 1, zero = 0;
	if (!vw_listen_parse(l->settings.listen, &at))
		return vw_error_set(err, VW_ECONFIG, "%s is no address and port", l->settings.listen);
	if (!l->settings.authority && !at.loopback)
		return vw_error_set(err, VW_ECONFIG, "%s: plain HTTP only on a loopback address; use https.listen",
				    l->settings.listen);
	int fd = socket(at.at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return vw_error_set(err, VW_EIO, "cannot make a socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (at.at.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, &at.at.any, at.len) < 0 || listen(fd, 511) < 0) {
		vw_error_set(err, VW_ECONFIG, "cannot listen at %s: %s", l->settings.listen, strerror(errno));
		close(fd);
		return VW_ECONFIG;
	}
	return fd;
}

static struct MHD_Daemon *start_daemon(struct vw_listener *l, int fd, const char *chain, const char *key)
{
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)chain},
				       {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
				       {MHD_OPTION_HTTPS_PRIORITIES, 0,
					(void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+"
							    "AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305"},
				       {MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	/* a thread for each connection: answers wait for the store, and exports and events take their time */
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC;
	return MHD_start_daemon(
	    flags | (chain ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)l->settings.connections, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)(l->settings.timeout_ms / 1000), MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, 0u, MHD_OPTION_NOTIFY_COMPLETED, end_exchange, NULL,
	    MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_ARRAY, chain ? tls : none, MHD_OPTION_END);
}

static int start(struct vw_listener *l, struct vw_error *err)
{
	char *chain = NULL, *ca = NULL;
	bool on_socket = strncmp(l->settings.listen, "unix:", 5) == 0;
	int code = 0;
	l->arena = vw_arena_open(0);
	if (!l->arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a listener");
	if (l->settings.authority)
		code = vw_authority_server_pem(l->settings.authority, l->arena, &chain, &l->key, &ca, err);
	if (code < 0)
		return code;
	int fd = on_socket ? listen_unix(l, err) : listen_tcp(l, err);
	if (fd < 0)
		return fd;
	l->daemon = start_daemon(l, fd, chain, chain ? vw_secret_text(l->key) : NULL);
	if (l->daemon)
		return 0;
	close(fd);
	return vw_error_set(err, VW_EIO, "cannot serve at %s", l->settings.listen);
}

int vw_listener_start(const struct vw_listener_settings *settings, struct vw_listener **out, struct vw_error *err)
{
	struct vw_listener *l = calloc(1, sizeof(*l));
	if (!l)
		return vw_error_set(err, VW_ENOMEM, "no memory for a listener");
	l->settings = *settings;
	l->local.role = VW_ROLE_ADMIN;
	snprintf(l->local.name, sizeof(l->local.name), "local:%u", (unsigned)geteuid());
	int code = start(l, err);
	if (code < 0) {
		vw_listener_stop(l);
		return code;
	}
	*out = l;
	return 0;
}

int vw_listener_port(const struct vw_listener *l)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_BIND_PORT);
	return info ? info->port : 0;
}

/* The listening socket stays open all the while: nobody is turned away. */
int vw_listener_renew(struct vw_listener *l, struct vw_error *err)
{
	char *chain, *ca;
	struct vw_secret *key = NULL;
	struct vw_arena *arena = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a listener");
	int code = vw_authority_server_pem(l->settings.authority, arena, &chain, &key, &ca, err);
	int fd = code == 0 ? MHD_quiesce_daemon(l->daemon) : -1;
	struct MHD_Daemon *daemon = fd >= 0 ? start_daemon(l, fd, chain, vw_secret_text(key)) : NULL;
	if (!daemon) {
		vw_arena_close(arena);
		vw_secret_close(key);
		return code < 0 ? code : vw_error_set(err, VW_EIO, "cannot serve with the new certificate");
	}
	MHD_stop_daemon(l->daemon);
	vw_arena_close(l->arena);
	vw_secret_close(l->key);
	l->daemon = daemon;
	l->arena = arena;
	l->key = key;
	return 0;
}

void vw_listener_stop(struct vw_listener *l)
{
	if (!l)
		return;
	l->stopping = true;
	if (l->daemon)
		MHD_stop_daemon(l->daemon);
	if (l->unix_path[0])
		unlink(l->unix_path);
	vw_arena_close(l->arena);
	vw_secret_close(l->key);
	free(l);
}
