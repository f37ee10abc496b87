#include "client.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/limits.h"
#include "identity/enroll.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_WAIT_MS 5000L

struct client {
	const struct vw_controller_config *config;
	CURL *curl; /* over the socket; NULL: in this process */
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct vw_fleet_store *store;
	struct vw_authority *authority;
	struct vw_enroller enroller;
	struct vw_api *api;
	struct vw_principal principal;
};

bool control_socket_path(const struct vw_controller_config *config, char *out, size_t size)
{
	return (size_t)snprintf(out, size, "%s/control.sock", config->data_dir) < size;
}

static bool somebody_listens(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool there = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return there;
}

/* ---- opening ---- */

static void name_principal(struct vw_principal *principal)
{
	principal->role = VW_ROLE_ADMIN;
	snprintf(principal->name, sizeof(principal->name), "local:%u", (unsigned)geteuid());
}

static int open_authority(struct client *client, struct vw_error *err)
{
	char folder[4096];
	struct vw_authority_settings settings = authority_settings(client->config, folder, sizeof(folder));
	return vw_authority_open(&settings, &client->authority, err);
}

static int open_store(struct client *client, struct vw_error *err)
{
	const struct vw_controller_config *c = client->config;
	struct vw_fleet_store_settings settings = {
	    .url = c->store_url, .connections = 1, .verifywise = c->verifywise, .app_role = c->app_role};
	return vw_fleet_store_open(&settings, &client->store, err);
}

static int open_api(struct client *client, struct vw_error *err)
{
	const struct vw_controller_config *c = client->config;
	client->enroller = (struct vw_enroller){client->store, client->authority, c->sessions_endpoint};
	struct vw_api_settings api = {.store = client->store,
				      .authority = client->authority,
				      .enroller = &client->enroller,
				      .requests_per_second = 1e6,
				      .burst = 1000000,
				      .replica = c->replica};
	name_principal(&client->principal);
	return vw_api_open(&api, &client->api, err);
}

/* The embedded store is one process' alone: another command is done soon, a server will answer once it is up. */
static int open_either(struct client *client, struct vw_error *err)
{
	int64_t until = vw_clock_monotonic() + STORE_WAIT_MS;
	bool has_path = control_socket_path(client->config, client->socket, sizeof(client->socket));
	for (;;) {
		if (has_path && somebody_listens(client->socket)) {
			client->curl = curl_easy_init();
			return client->curl ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for a client");
		}
		int code = open_store(client, err);
		if (code != VW_EBUSY)
			return code;
		if (vw_clock_monotonic() >= until || vw_cli_cancelled)
			return store_busy(err, client->socket);
		usleep(STORE_STEP_US);
	}
}

int client_open(const struct vw_controller_config *config, struct client **out, struct vw_error *err)
{
	struct client *client = calloc(1, sizeof(*client));
	if (!client)
		return vw_error_set(err, VW_ENOMEM, "no memory for a client");
	client->config = config;
	int code = open_either(client, err);
	if (code == 0 && !client->curl)
		code = open_authority(client, err);
	if (code == 0 && !client->curl)
		code = open_api(client, err);
	if (code < 0) {
		client_close(client);
		return code;
	}
	*out = client;
	return 0;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	if (client->curl)
		curl_easy_cleanup(client->curl);
	vw_api_close(client->api);
	vw_fleet_store_close(client->store);
	vw_authority_close(client->authority);
	free(client);
}

/* ---- paths ---- */

static void append_encoded(struct vw_buffer *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	for (; *text; text++) {
		if (strchr(plain, *text))
			vw_buffer_putc(out, *text);
		else
			vw_buffer_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
	}
}

void client_segment(struct vw_buffer *path, const char *name)
{
	vw_buffer_putc(path, '/');
	append_encoded(path, name);
}

void client_query(struct vw_buffer *path, const char *name, const char *value)
{
	if (!value)
		return;
	vw_buffer_putc(path, strchr(vw_buffer_text(path), '?') ? '&' : '?');
	vw_buffer_puts(path, name);
	vw_buffer_putc(path, '=');
	append_encoded(path, value);
}

/* ---- in this process ---- */

static const char *no_header(const char *name, void *arg)
{
	(void)name, (void)arg;
	return NULL;
}

static int collect(struct vw_api_response *response, struct vw_buffer *out, FILE *file, struct vw_error *err)
{
	struct vw_buffer piece;
	int more = response->next ? 1 : 0;
	vw_buffer_init(&piece, 0);
	if (!response->next)
		vw_buffer_append(&piece, vw_buffer_text(&response->body), response->body.len);
	do {
		if (more > 0)
			more = response->next(response->stream, &piece, err);
		if (file && response->status < 400)
			fwrite(vw_buffer_text(&piece), 1, piece.len, file);
		else
			vw_buffer_append(out, vw_buffer_text(&piece), piece.len);
		vw_buffer_clear(&piece);
	} while (more > 0);
	vw_buffer_reset(&piece);
	if (more < 0)
		return more;
	if (file && ferror(file))
		return vw_error_set(err, VW_EIO, "cannot write what was asked for");
	return vw_buffer_error(out) ? vw_error_set(err, vw_buffer_error(out), "the answer is too long") : 0;
}

static int ask_here(struct client *client, const char *method, const char *path, const char *body,
		    struct vw_buffer *out, FILE *file, int *out_status, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	char only_path[4096];
	const char *query = strchr(path, '?');
	struct vw_api_response response;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a request");
	if (snprintf(only_path, sizeof(only_path), "%.*s", (int)strcspn(path, "?"), path) >= (int)sizeof(only_path))
		return vw_error_set(err, VW_EINVAL, "too long a name");
	struct vw_api_request request = {.method = method,
					 .path = only_path,
					 .query = query ? query + 1 : NULL,
					 .header = no_header,
					 .body = {body, body ? strlen(body) : 0},
					 .peer = "local",
					 .local = &client->principal};
	vw_api_handle(client->api, &request, arena, &response);
	*out_status = response.status;
	int code = collect(&response, out, file, err);
	vw_api_response_close(&response);
	return code;
}

/* ---- over the socket ---- */

struct sink {
	CURL *curl;
	struct vw_buffer *out;
	FILE *file;
};

/* What writes is told by a signal to end (cli/program.h). */
static int look_up(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)arg, (void)a, (void)b, (void)c, (void)d;
	return vw_cli_cancelled != 0;
}

static int judge(const struct client *client, const struct sink *sink, CURLcode rc, const char *said,
		 struct vw_error *err)
{
	if (rc == CURLE_OK)
		return 0;
	if (rc == CURLE_ABORTED_BY_CALLBACK)
		return vw_error_set(err, VW_ECANCELLED, "cancelled; what was asked for may have been done");
	if (rc == CURLE_WRITE_ERROR)
		return sink->file ? vw_error_set(err, VW_EIO, "cannot write what was asked for")
				  : vw_error_set(err, VW_ELIMIT, "the answer is too long");
	return vw_error_set(err, VW_EAGAIN, "%s: %s", client->socket, said[0] ? said : curl_easy_strerror(rc));
}

static size_t take(char *bytes, size_t size, size_t count, void *arg)
{
	struct sink *sink = arg;
	long status = 0;
	curl_easy_getinfo(sink->curl, CURLINFO_RESPONSE_CODE, &status);
	if (sink->file && status < 400)
		return fwrite(bytes, size, count, sink->file) * size;
	vw_buffer_append(sink->out, bytes, size * count);
	return vw_buffer_error(sink->out) ? 0 : size * count;
}

static int ask_there(struct client *client, const char *method, const char *path, const char *body,
		     struct vw_buffer *out, FILE *file, int *out_status, struct vw_error *err)
{
	char said[CURL_ERROR_SIZE] = "", url[8192];
	struct sink sink = {client->curl, out, file};
	long status = 0;
	CURL *curl = client->curl;
	if (snprintf(url, sizeof(url), "http://localhost%s", path) >= (int)sizeof(url))
		return vw_error_set(err, VW_EINVAL, "too long a name");
	curl_easy_reset(curl);
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_WAIT_MS);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sink);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	int code = judge(client, &sink, curl_easy_perform(curl), said, err);
	curl_slist_free_all(headers);
	if (code < 0)
		return code;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	*out_status = (int)status;
	return 0;
}

/* ---- answers ---- */

static int code_of(int status)
{
	switch (status) {
	case 401:
		return VW_EAUTH;
	case 403:
		return VW_EFORBIDDEN;
	case 404:
		return VW_ENOTFOUND;
	case 409:
		return VW_EBUSY;
	default:
		return status >= 500 || status == 429 ? VW_EAGAIN : VW_EINVAL;
	}
}

static int refused(int status, const json_t *root, struct vw_error *err)
{
	const char *message = json_string_value(json_object_get(root, "message"));
	const json_t *detail = json_object_get(root, status < 500 ? "data" : "error");
	const char *more = json_string_value(detail);
	if (!message)
		return vw_error_set(err, code_of(status), "the controller answered HTTP %d", status);
	if (more)
		return vw_error_set(err, code_of(status), "%s: %s", message, more);
	return vw_error_set(err, code_of(status), "%s", message);
}

static int ask(struct client *client, const char *method, const char *path, const char *body, struct vw_buffer *out,
	       FILE *file, json_t **out_data, struct vw_error *err)
{
	int status;
	json_error_t where;
	int code = client->curl ? ask_there(client, method, path, body, out, file, &status, err)
				: ask_here(client, method, path, body, out, file, &status, err);
	if (code < 0 || (file && status < 400))
		return code;
	json_t *root = json_loadb(vw_buffer_text(out), out->len, 0, &where);
	if (status >= 400)
		code = refused(status, root, err);
	else if (!json_is_object(root))
		code = vw_error_set(err, VW_EINVAL, "the controller's answer is no JSON");
	else if (out_data)
		*out_data = json_incref(json_object_get(root, "data"));
	json_decref(root);
	return code;
}

int client_call(struct client *client, const char *method, const char *path, const json_t *body, json_t **out_data,
		struct vw_error *err)
{
	struct vw_buffer out;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	vw_buffer_init_secret(&out, 0); /* a new token may be in it */
	int code = ask(client, method, path, text, &out, NULL, out_data, err);
	vw_buffer_reset(&out);
	free(text);
	return code;
}

int client_download(struct client *client, const char *path, FILE *file, struct vw_error *err)
{
	struct vw_buffer out;
	vw_buffer_init(&out, VW_MAX_REQUEST_BODY);
	int code = ask(client, "GET", path, NULL, &out, file, NULL, err);
	vw_buffer_reset(&out);
	return code;
}
