#include "connect.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/curl.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct vw_connection {
	CURL *easy;
	int socket;
	char host[VW_HOST_MAX];
	bool named;
	const volatile sig_atomic_t *cancel;
	char detail[CURL_ERROR_SIZE];
};

/* ---- the endpoint ---- */

static bool take_part(CURLU *url, CURLUPart part, char **out)
{
	*out = NULL;
	return curl_url_get(url, part, out, 0) == CURLUE_OK;
}

/* Nothing but a host and a port: "/" is what curl makes of an absent path. */
static bool only_host_and_port(CURLU *url)
{
	static const CURLUPart unwanted[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT};
	char *text;
	for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++) {
		if (take_part(url, unwanted[i], &text)) {
			curl_free(text);
			return false;
		}
	}
	bool bare = take_part(url, CURLUPART_PATH, &text) && strcmp(text, "/") == 0;
	curl_free(text);
	bool port = take_part(url, CURLUPART_PORT, &text);
	curl_free(text);
	return bare && port;
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];
	return host[0] == '[' || inet_pton(AF_INET, host, bytes) == 1;
}

/* `out_url` is curl's to free. */
static int take_endpoint(struct vw_connection *connection, const char *endpoint, char **out_url, struct vw_error *err)
{
	char *host = NULL, *text = NULL;
	char whole[VW_HOST_MAX + 16];
	CURLU *url = curl_url();
	int len = snprintf(whole, sizeof(whole), "http://%s", endpoint);
	bool good = url && len > 0 && (size_t)len < sizeof(whole) &&
		    curl_url_set(url, CURLUPART_URL, whole, 0) == CURLUE_OK && only_host_and_port(url) &&
		    take_part(url, CURLUPART_HOST, &host) && strlen(host) < sizeof(connection->host) &&
		    take_part(url, CURLUPART_URL, &text);
	if (good) {
		snprintf(connection->host, sizeof(connection->host), "%s", host);
		connection->named = !is_address(host);
		*out_url = text;
	}
	curl_free(host);
	curl_url_cleanup(url);
	return good ? 0 : vw_error_set(err, VW_ECONFIG, "the controller's address is not host:port");
}

int vw_endpoint_check(const char *endpoint, struct vw_error *err)
{
	char *url = NULL;
	struct vw_connection unused;
	int code = take_endpoint(&unused, endpoint, &url, err);
	curl_free(url);
	return code;
}

/* ---- the proxy ---- */

static const char *proxy_of_environment(void)
{
	static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);
		if (value && *value)
			return value;
	}
	return "";
}

/* The session is TLS on the bare socket, so there can be no TLS to the proxy below it. */
static bool usable_proxy(const char *proxy)
{
	return strncasecmp(proxy, "https://", strlen("https://")) != 0;
}

/* ---- curl ---- */

static int watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct vw_connection *connection = arg;
	(void)a, (void)b, (void)c, (void)d;
	return connection->cancel && __atomic_load_n(connection->cancel, __ATOMIC_RELAXED) != 0;
}

#define SET(option, value) (good = curl_easy_setopt(easy, (option), (value)) == CURLE_OK && good)

static bool set_options(struct vw_connection *connection, const char *url, const char *proxy, int64_t timeout_ms)
{
	CURL *easy = connection->easy;
	bool good = true;
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "http");
	SET(CURLOPT_CONNECT_ONLY, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_PROXY, proxy);
	SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
	SET(CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
	SET(CURLOPT_USERAGENT, "vw-agent");
	SET(CURLOPT_ERRORBUFFER, connection->detail);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_XFERINFOFUNCTION, watch);
	SET(CURLOPT_XFERINFODATA, connection);
	return good;
}

static int failure_code(CURLcode result)
{
	switch (result) {
	case CURLE_ABORTED_BY_CALLBACK:
		return VW_ECANCELLED;
	case CURLE_OPERATION_TIMEDOUT:
		return VW_ETIMEOUT;
	case CURLE_OUT_OF_MEMORY:
		return VW_ENOMEM;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return VW_ECONFIG;
	default:
		return VW_EAGAIN;
	}
}

static int explain(struct vw_connection *connection, CURLcode result, struct vw_error *err)
{
	long answer = 0;
	struct vw_buffer safe;
	curl_easy_getinfo(connection->easy, CURLINFO_HTTP_CONNECTCODE, &answer);
	if (result == CURLE_ABORTED_BY_CALLBACK)
		return vw_error_set(err, VW_ECANCELLED, "cancelled");
	if (answer >= 300)
		return vw_error_set(err, answer == 407 ? VW_EAUTH : VW_EAGAIN, "the proxy refused: HTTP %ld", answer);
	/* curl quotes a proxy's address that it cannot read, password and all */
	bool quotes = strstr(connection->detail, "://") != NULL || result == CURLE_COULDNT_RESOLVE_PROXY ||
		      result == CURLE_URL_MALFORMAT;
	connection->detail[strcspn(connection->detail, "\r\n")] = '\0';
	vw_buffer_init(&safe, CURL_ERROR_SIZE * 8);
	vw_text_append_safe(&safe,
			    connection->detail[0] && !quotes ? connection->detail : curl_easy_strerror(result));
	int code = vw_error_set(err, failure_code(result), "%s", vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
	return code;
}

static int take_socket(struct vw_connection *connection, struct vw_error *err)
{
	curl_socket_t socket = CURL_SOCKET_BAD;
	if (curl_easy_getinfo(connection->easy, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK ||
	    socket == CURL_SOCKET_BAD)
		return vw_error_set(err, VW_EAGAIN, "the connection was closed at once");
	int flags = fcntl(socket, F_GETFL);
	if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0)
		return vw_error_set(err, VW_EIO, "the socket: %s", strerror(errno));
	connection->socket = socket;
	return 0;
}

static int perform(struct vw_connection *connection, const char *endpoint, const char *proxy, int64_t timeout_ms,
		   struct vw_error *err)
{
	char *url;
	int code = take_endpoint(connection, endpoint, &url, err);
	if (code < 0)
		return code;
	bool good = set_options(connection, url, proxy, timeout_ms);
	curl_free(url);
	if (!good)
		return vw_error_set(err, VW_ENOMEM, "curl cannot take the connection's options");
	CURLcode result = curl_easy_perform(connection->easy);
	return result == CURLE_OK ? take_socket(connection, err) : explain(connection, result, err);
}

int vw_connection_open(const char *endpoint, const struct vw_uplink_route *route, int64_t deadline,
		       struct vw_connection **out, struct vw_error *err)
{
	const char *proxy = route->proxy ? route->proxy : proxy_of_environment();
	int64_t timeout_ms = deadline - vw_clock_monotonic();
	if (!usable_proxy(proxy))
		return vw_error_set(err, VW_ECONFIG, "the proxy must be reached by http://, not https://");
	if (timeout_ms <= 0)
		return vw_error_set(err, VW_ETIMEOUT, "no time is left");
	if (!vw_curl_init())
		return vw_error_set(err, VW_EIO, "the HTTP library cannot be initialised");
	struct vw_connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		return vw_error_set(err, VW_ENOMEM, "no memory for a connection");
	connection->cancel = route->cancel;
	connection->easy = curl_easy_init();
	int code = connection->easy ? perform(connection, endpoint, proxy, timeout_ms, err)
				    : vw_error_set(err, VW_ENOMEM, "no memory for a connection");
	if (code < 0) {
		vw_connection_close(connection);
		return code;
	}
	*out = connection;
	return 0;
}

int vw_connection_socket(const struct vw_connection *connection)
{
	return connection->socket;
}

const char *vw_connection_server_name(const struct vw_connection *connection)
{
	return connection->named ? connection->host : NULL;
}

void vw_connection_close(struct vw_connection *connection)
{
	if (!connection)
		return;
	curl_easy_cleanup(connection->easy);
	free(connection);
}
