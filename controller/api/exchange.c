#include "exchange.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "sockets.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PIECE_BYTES (64 * VW_KIB) /* of a long answer, for one write */
/* Of a body that nobody wants: read to its end, so that the answer is not lost in a reset. */
#define DISCARD_MOST (4 * VW_MIB)
#define HEAD_MS      30000 /* for a handshake and a request's head */
#define BODY_MS      60000 /* for its body, and for taking each piece of an answer */

/* One request while it is read and answered. */
struct exchange {
	struct vw_listener *listener;
	struct MHD_Connection *connection;
	struct guest *guest;
	struct vw_arena *arena;
	const char *method, *path, *query;
	bool begun;      /* its head was looked at */
	bool last;       /* the connection ends behind the answer */
	bool refused;    /* the answer is there already; a body is read and forgotten */
	size_t most;     /* bytes of body that are kept */
	size_t received; /* and that came */
	struct vw_buffer body;
	struct vw_api_response response;
	struct vw_buffer piece; /* of a long answer, not yet sent */
	size_t sent;
	bool over;
	char peer[INET6_ADDRSTRLEN];
	struct vw_principal local; /* of the control socket */
};

/* ---- who is there ---- */

static int fd_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	return info ? info->connect_fd : -1;
}

void exchange_connection(void *cls, struct MHD_Connection *connection, void **guest,
			 enum MHD_ConnectionNotificationCode code)
{
	struct vw_listener *listener = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*guest = guest_enter(listener->guests, fd_of(connection), HEAD_MS);
	else if (*guest)
		guest_leave(listener->guests, *guest);
}

struct guest *exchange_guest(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

/* An IPv4 peer on a socket for both looks like ::ffff:192.0.2.1. */
static void print_v6(const struct in6_addr *at, char *out, size_t size)
{
	if (IN6_IS_ADDR_V4MAPPED(at))
		inet_ntop(AF_INET, at->s6_addr + 12, out, (socklen_t)size);
	else
		inet_ntop(AF_INET6, at, out, (socklen_t)size);
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
		print_v6(&((const struct sockaddr_in6 *)(const void *)at)->sin6_addr, x->peer, sizeof(x->peer));
	if (!x->listener->unix_path[0])
		return;
	x->local.role = VW_ROLE_ADMIN;
	sockets_name_peer(fd_of(x->connection), x->local.name, sizeof(x->local.name));
}

/* ---- a request's beginning and end ---- */

/* libmicrohttpd takes the query apart in its own way: what was sent is kept, and taken apart by api.h alone. */
void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct exchange *x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->listener = cls;
	x->connection = connection;
	x->guest = exchange_guest(connection);
	guest_allow(x->guest, HEAD_MS);
	vw_buffer_init_secret(&x->body, VW_MAX_REQUEST_BODY);
	vw_buffer_init(&x->piece, 0);
	x->arena = vw_arena_open(0);
	char *path = x->arena ? vw_arena_strdup(x->arena, uri) : NULL;
	if (!path) {
		vw_arena_close(x->arena);
		free(x);
		return NULL;
	}
	char *query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	x->path = path;
	x->query = query;
	name_peer(x);
	x->listener->exchanges++;
	return x;
}

void exchange_end(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *state;
	(void)cls, (void)connection, (void)how;
	if (!x)
		return;
	x->listener->exchanges--;
	guest_allow(x->guest, x->listener->settings.timeout_ms);
	vw_api_response_close(&x->response);
	vw_buffer_reset(&x->piece);
	vw_buffer_reset(&x->body);
	vw_arena_close(x->arena);
	free(x);
	*state = NULL;
}

/* ---- an answer ---- */

/* 1: there is something to send; 0: not yet; negative: the end. */
static ssize_t fill_piece(struct exchange *x)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_buffer_clear(&x->piece);
	x->sent = 0;
	if (x->over || (x->listener->stopping && x->response.live))
		return MHD_CONTENT_READER_END_OF_STREAM;
	int more = x->listener->stopping ? vw_error_set(&err, VW_ECANCELLED, "the controller stops")
					 : x->response.next(x->response.stream, &x->piece, &err);
	if (more < 0) {
		/* the connection breaks off, so that nobody takes it for the whole */
		vw_log(VW_LOG_ERROR, "answer_cut_off", VW_LOG_S("path", x->path), VW_LOG_S("peer", x->peer),
		       VW_LOG_S("reason", err.message));
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	x->over = more == 0;
	if (x->piece.len == 0 && x->over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	return x->piece.len > 0;
}

static ssize_t read_piece(void *arg, uint64_t position, char *out, size_t max)
{
	struct exchange *x = arg;
	(void)position;
	if (x->sent == x->piece.len) {
		guest_allow(x->guest, 0); /* it is we who make it wait */
		ssize_t there = fill_piece(x);
		guest_allow(x->guest, BODY_MS);
		if (there <= 0)
			return there;
	}
	size_t len = x->piece.len - x->sent < max ? x->piece.len - x->sent : max;
	memcpy(out, x->piece.data + x->sent, len);
	x->sent += len;
	guest_allow(x->guest, BODY_MS);
	return (ssize_t)len;
}

static void add_headers(struct MHD_Response *response, const struct vw_api_response *answer, bool last)
{
	char text[512];
	MHD_add_response_header(response, "Content-Type", answer->content_type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (answer->status == 401)
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
	if (last)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (answer->live)
		MHD_add_response_header(response, "X-Accel-Buffering",
					"no"); /* for a proxy that would wait for more */
	if (answer->allow)
		MHD_add_response_header(response, "Allow", answer->allow);
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
	/* libmicrohttpd ends even an answer without a body as one in chunks: nothing may come behind that */
	x->last = x->last || (x->response.next && strcmp(x->method, MHD_HTTP_METHOD_HEAD) == 0);
	if (x->response.next)
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_piece, x, NULL);
	else
		response = MHD_create_response_from_buffer(
		    x->response.body.len, (void *)vw_buffer_text(&x->response.body), MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	add_headers(response, &x->response, x->last);
	guest_allow(x->guest, BODY_MS);
	enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)x->response.status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- reading it ---- */

static const char *header_of(const char *name, void *arg)
{
	struct exchange *x = arg;
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static struct vw_api_request request_of(struct exchange *x)
{
	return (struct vw_api_request){.method = x->method,
				       .path = x->path,
				       .query = x->query,
				       .header = header_of,
				       .arg = x,
				       .body = {vw_buffer_text(&x->body), x->received},
				       .peer = x->peer,
				       .local = x->listener->unix_path[0] ? &x->local : NULL};
}

/* Bytes of body that are announced; SIZE_MAX when it comes without saying how many. */
static size_t announced(struct exchange *x)
{
	const char *length = header_of("Content-Length", x);
	int64_t bytes;
	if (header_of("Transfer-Encoding", x))
		return SIZE_MAX;
	return length && vw_text_int64(length, &bytes) && bytes > 0 ? (size_t)bytes : 0;
}

struct framing {
	int lengths, codings;
	bool odd;
};

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *framing = arg;
	(void)kind, (void)value;
	framing->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	framing->codings += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
	framing->odd = framing->odd || strpbrk(name, " \t");
	return MHD_YES;
}

/* RFC 9112, 5.1, 6.1 and 6.3: where a proxy might see another end of the request than we do, there is none that is safe. */
static bool is_ambiguous(struct exchange *x)
{
	struct framing framing = {0, 0, false};
	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, look_at_header, &framing);
	return framing.odd || framing.lengths + framing.codings > 1;
}

static enum MHD_Result refuse_ambiguous(struct exchange *x)
{
	static const char text[] =
	    "{\"message\":\"the request's head can be read in more than one way\",\"data\":null}\n";
	vw_buffer_init(&x->response.body, 0);
	vw_buffer_puts(&x->response.body, text);
	x->response.status = 400;
	x->response.content_type = "application/json";
	x->last = true;
	return reply(x);
}

/* The head is there, the body is not. */
static enum MHD_Result look_at_head(struct exchange *x, const char *method)
{
	size_t bytes = announced(x);
	x->begun = true;
	x->method = vw_arena_strdup(x->arena, method);
	guest_allow(x->guest, BODY_MS);
	if (!x->method)
		return MHD_NO;
	if (is_ambiguous(x))
		return refuse_ambiguous(x);
	if (bytes == 0)
		return MHD_YES;
	struct vw_api_request request = request_of(x);
	x->refused = !vw_api_admit(x->listener->settings.api, &request, x->arena, &x->most, &x->response);
	/* a long one that is unwelcome is not waited for */
	if (!x->refused && bytes > x->most && bytes != SIZE_MAX) {
		x->received = bytes;
		request = request_of(x);
		vw_api_handle(x->listener->settings.api, &request, x->arena, &x->response);
		x->refused = true;
		x->received = 0;
	}
	return x->refused && bytes > DISCARD_MOST && bytes != SIZE_MAX ? reply(x) : MHD_YES;
}

static enum MHD_Result take(struct exchange *x, const char *data, size_t *size)
{
	x->received += *size;
	if (!x->refused && x->received <= x->most)
		vw_buffer_append(&x->body, data, *size);
	else if (x->received > x->most && x->received > DISCARD_MOST)
		return MHD_NO;
	*size = 0;
	return vw_buffer_error(&x->body) ? MHD_NO : MHD_YES;
}

enum MHD_Result exchange_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				 const char *version, const char *data, size_t *size, void **state)
{
	struct exchange *x = *state;
	(void)cls, (void)connection, (void)url, (void)version;
	if (!x)
		return MHD_NO;
	if (!x->begun)
		return look_at_head(x, method);
	if (*size > 0)
		return take(x, data, size);
	if (!x->refused) {
		struct vw_api_request request = request_of(x);
		guest_allow(x->guest, 0);
		vw_api_handle(x->listener->settings.api, &request, x->arena, &x->response);
	}
	return reply(x);
}
