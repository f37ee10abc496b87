/* attempt.c: what goes to the server in one try. */
#include "attempt.h"

#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

void vw_attempt_init(struct vw_attempt *attempt)
{
	*attempt = (struct vw_attempt){.easy = NULL};
	vw_buffer_init(&attempt->body, VW_MAX_RESPONSE);
}

/* A handle that is only reset keeps the last request, its secrets too; connections belong to the multi handle. */
void vw_attempt_clear(struct vw_attempt *attempt)
{
	curl_easy_cleanup(attempt->easy);
	attempt->easy = NULL;
	curl_slist_free_all(attempt->headers);
	attempt->headers = NULL;
	vw_buffer_reset(&attempt->body);
	attempt->detail[0] = '\0';
}

/* ---- headers ---- */

static bool put_header(struct vw_attempt *attempt, const char *line)
{
	struct curl_slist *list = curl_slist_append(attempt->headers, line);
	if (list)
		attempt->headers = list;
	return list;
}

static bool put_secret_header(struct vw_attempt *attempt, const char *prefix, const char *value)
{
	struct vw_buffer line;
	vw_buffer_init_secret(&line, 0);
	vw_buffer_puts(&line, prefix);
	vw_buffer_puts(&line, value);
	bool good = vw_buffer_error(&line) == 0 && put_header(attempt, vw_buffer_text(&line));
	vw_buffer_wipe(&line);
	return good;
}

/* RFC 7617. Made here and not by curl, which would hold user name and password as long as the handle lives. */
static bool put_basic(struct vw_attempt *attempt, const struct vw_credentials *credentials)
{
	const struct vw_secret *password = vw_credentials_password(credentials);
	const char *user = vw_secret_text(vw_credentials_username(credentials));
	struct vw_buffer pair;
	vw_buffer_init_secret(&pair, 0);
	vw_buffer_puts(&pair, user ? user : "");
	vw_buffer_putc(&pair, ':');
	vw_buffer_puts(&pair, password ? vw_secret_text(password) : "");
	size_t size = 4 * ((pair.len + 2) / 3) + 1;
	char *encoded = malloc(size);
	bool good =
	    encoded && vw_buffer_error(&pair) == 0 &&
	    put_secret_header(attempt, "Authorization: Basic ", vw_base64_encode(pair.data, pair.len, encoded));
	if (encoded)
		vw_wipe(encoded, size);
	free(encoded);
	vw_buffer_wipe(&pair);
	return good;
}

static bool put_credentials(struct vw_attempt *attempt, const struct vw_endpoint *endpoint)
{
	const struct vw_credentials *credentials = endpoint->credentials;
	const char *token = vw_secret_text(vw_credentials_token(credentials));

	switch (vw_credentials_kind(credentials)) {
	case VW_CREDENTIAL_NONE:
		return true;
	case VW_CREDENTIAL_BASIC:
		return put_basic(attempt, credentials);
	case VW_CREDENTIAL_BEARER:
		return put_secret_header(attempt, "Authorization: Bearer ", token ? token : "");
	case VW_CREDENTIAL_SIGV4:
		return !token || put_secret_header(attempt, "x-amz-security-token: ", token);
	}
	return false;
}

static bool put_headers(struct vw_attempt *attempt, const struct vw_endpoint *endpoint,
			const struct vw_request *request)
{
	bool post = strcmp(vw_call(request->id)->method, "POST") == 0;
	bool good =
	    put_header(attempt, request->id == VW_CALL_VERSION ? "Accept: text/plain" : "Accept: application/json");
	if (post)
		good =
		    good && put_header(attempt, "Content-Type: application/json") && put_header(attempt, "Expect:");
	if (request->workspace)
		good = good && put_secret_header(attempt, "X-MLFLOW-WORKSPACE: ", request->workspace);
	const char *const *own = endpoint->settings.headers;
	for (size_t i = 0; good && own && own[i]; i++)
		good = put_header(attempt, own[i]);
	return good && put_credentials(attempt, endpoint);
}

/* The server's list of workspaces is outside too: a line end in a name would be another header. */
static bool workspace_usable(const char *name)
{
	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		if (*c < 0x20 || *c == 0x7f)
			return false;
	}
	return true;
}

/* ---- curl's options ---- */

static size_t take_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct vw_buffer *body = arg;
	vw_buffer_append(body, bytes, size * count);
	return vw_buffer_error(body) == 0 ? size * count : CURL_WRITEFUNC_ERROR;
}

/* A failed option is noted in `good` and looked at once. */
#define SET(option, value) (good = curl_easy_setopt(easy, (option), (value)) == CURLE_OK && good)

static bool set_url(CURL *easy, const struct vw_endpoint *endpoint, const struct vw_request *request)
{
	struct vw_buffer url;
	vw_buffer_init(&url, 0);
	vw_buffer_printf(&url, "%s%s", endpoint->base, vw_buffer_text(&request->path));
	if (request->query.len)
		vw_buffer_printf(&url, "?%s", vw_buffer_text(&request->query));
	bool good = vw_buffer_error(&url) == 0;
	SET(CURLOPT_URL, vw_buffer_text(&url));
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	/* curl signs only a path that it has normalised */
	SET(CURLOPT_PATH_AS_IS, vw_credentials_kind(endpoint->credentials) == VW_CREDENTIAL_SIGV4 ? 0L : 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	vw_buffer_reset(&url);
	return good;
}

static bool set_tls(CURL *easy, const struct vw_endpoint *endpoint)
{
	const struct vw_mlflow_settings *s = &endpoint->settings;
	bool good = true;
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, s->insecure_tls ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, s->insecure_tls ? 0L : 2L);
	if (endpoint->ca_file)
		SET(CURLOPT_CAINFO, endpoint->ca_file);
	if (s->client_cert_file) {
		SET(CURLOPT_SSLCERT, s->client_cert_file);
		SET(CURLOPT_SSLKEY, s->client_key_file ? s->client_key_file : s->client_cert_file);
	}
	return good;
}

static bool set_proxy(CURL *easy, const struct vw_endpoint *endpoint)
{
	const char *proxy = endpoint->settings.proxy;
	bool good = true;
	/* curl passes over HTTP_PROXY, because a CGI program must; MLflow's own client does not */
	if (!proxy && !endpoint->tls && !getenv("http_proxy"))
		proxy = getenv("HTTP_PROXY");
	if (proxy)
		SET(CURLOPT_PROXY, proxy);
	SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	return good;
}

static bool set_signature(CURL *easy, const struct vw_endpoint *endpoint)
{
	const struct vw_secret *secret_key = vw_credentials_password(endpoint->credentials);
	char scope[256];
	bool good = true;
	if (vw_credentials_kind(endpoint->credentials) != VW_CREDENTIAL_SIGV4)
		return true;
	snprintf(scope, sizeof(scope), "aws:amz:%s:%s", endpoint->settings.aws_region,
		 endpoint->settings.aws_sigv4_service);
	SET(CURLOPT_AWS_SIGV4, scope);
	SET(CURLOPT_USERNAME, vw_secret_text(vw_credentials_username(endpoint->credentials)));
	SET(CURLOPT_PASSWORD, secret_key ? vw_secret_text(secret_key) : NULL);
	return good;
}

static bool set_exchange(struct vw_attempt *attempt, const struct vw_endpoint *endpoint,
			 const struct vw_request *request)
{
	const struct vw_mlflow_settings *s = &endpoint->settings;
	CURL *easy = attempt->easy;
	bool good = true;
	if (strcmp(vw_call(request->id)->method, "POST") == 0) {
		SET(CURLOPT_POSTFIELDS, vw_buffer_text(&request->body));
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	}
	SET(CURLOPT_HTTPHEADER, attempt->headers);
	SET(CURLOPT_USERAGENT, s->user_agent);
	SET(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)s->request_timeout_ms);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_ERRORBUFFER, attempt->detail);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, &attempt->body);
	return good;
}

int vw_attempt_prepare(struct vw_attempt *attempt, const struct vw_endpoint *endpoint,
		       const struct vw_request *request, struct vw_error *err)
{
	int code = vw_request_check(request, err);
	if (code < 0)
		return code;
	if (request->workspace && !workspace_usable(request->workspace))
		return vw_error_set(err, VW_EINVAL, "%s: the workspace's name holds control characters",
				    vw_call_name(request->id));
	/* curl 8.14 signs an encoded '+' as if it were a space (curl issue 20543, mended later): better no request than a
	 * refusal that looks like a missing permission */
	if (vw_credentials_kind(endpoint->credentials) == VW_CREDENTIAL_SIGV4 &&
	    strstr(vw_buffer_text(&request->query), "%2B"))
		return vw_error_set(err, VW_EUNSUPPORTED, "%s: a name with '+' cannot be asked for with AWS SigV4",
				    vw_call_name(request->id));
	attempt->easy = curl_easy_init();
	bool good = attempt->easy && put_headers(attempt, endpoint, request) &&
		    set_url(attempt->easy, endpoint, request) && set_tls(attempt->easy, endpoint) &&
		    set_proxy(attempt->easy, endpoint) && set_signature(attempt->easy, endpoint) &&
		    set_exchange(attempt, endpoint, request);
	if (!good)
		return vw_error_set(err, VW_ENOMEM, "%s: curl cannot take the request's options",
				    vw_call_name(request->id));
	return 0;
}
