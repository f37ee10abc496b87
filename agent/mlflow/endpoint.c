/* endpoint.c: from the operator's settings to a server that can be asked. */
#include "attempt.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the tracking URI ---- */

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
	curl_free(text);
	return has;
}

static int take_url(struct vw_endpoint *endpoint, CURLU *url, struct vw_error *err)
{
	char *scheme = NULL, *text = NULL;

	if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		return vw_error_set(err, VW_ECONFIG, "user name or password stand in it; give them as credentials");
	if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
		return vw_error_set(err, VW_ECONFIG, "it ends in '?…' or '#…', which no server's address does");
	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK) {
		curl_free(scheme);
		return vw_error_set(err, VW_ENOMEM, "no memory");
	}
	endpoint->tls = strcmp(scheme, "https") == 0;
	bool http = endpoint->tls || strcmp(scheme, "http") == 0;
	endpoint->base = strdup(text);
	curl_free(scheme);
	curl_free(text);
	if (!http)
		return vw_error_set(err, VW_ECONFIG, "only servers at http:// and https:// can be read");
	if (!endpoint->base)
		return vw_error_set(err, VW_ENOMEM, "no memory");
	for (size_t len = strlen(endpoint->base); len && endpoint->base[len - 1] == '/'; len--)
		endpoint->base[len - 1] = '\0';
	return 0;
}

static int parse_uri(struct vw_endpoint *endpoint, const char *uri, struct vw_error *err)
{
	CURLU *url = curl_url();
	if (!url)
		return vw_error_set(err, VW_ENOMEM, "no memory");
	int code = 0;
	CURLUcode result = curl_url_set(url, CURLUPART_URL, uri, 0);
	if (result == CURLUE_BAD_SCHEME || result == CURLUE_UNSUPPORTED_SCHEME)
		code = vw_error_set(err, VW_ECONFIG,
				    "it must begin with http:// or https://; stores without a server cannot be read");
	else if (result != CURLUE_OK)
		code = vw_error_set(err, VW_ECONFIG, "%s", curl_url_strerror(result));
	else
		code = take_url(endpoint, url, err);
	curl_url_cleanup(url);
	return code;
}

static int set_base(struct vw_endpoint *endpoint, struct vw_error *err)
{
	const char *uri = endpoint->settings.tracking_uri;
	if (vw_text_blank(uri))
		return vw_error_set(err, VW_ECONFIG, "no tracking URI: set MLFLOW_TRACKING_URI");
	int code = parse_uri(endpoint, uri, err);
	if (code == 0)
		return 0;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	const char *shown = arena ? vw_uri_redact(arena, uri) : NULL;
	return vw_error_context(err, code, "tracking URI %s", shown ? shown : "");
}

/* ---- certificates ---- */

static int find_ca(struct vw_endpoint *endpoint, struct vw_error *err)
{
	static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
					    "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem"};
	const char *file = endpoint->settings.ca_file ? endpoint->settings.ca_file : getenv("SSL_CERT_FILE");
	if (!endpoint->tls || endpoint->settings.insecure_tls)
		return 0;
	if (file && *file) {
		if (access(file, R_OK) != 0)
			return vw_error_set(err, VW_ECONFIG, "cannot read the CA certificates in %s", file);
		endpoint->ca_file = file;
		return 0;
	}
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]) && !endpoint->ca_file; i++) {
		if (access(usual[i], R_OK) == 0)
			endpoint->ca_file = usual[i];
	}
	if (!endpoint->ca_file)
		return vw_error_set(
		    err, VW_ECONFIG,
		    "this system has no CA certificates to check the server's with: set ca_file or SSL_CERT_FILE");
	return 0;
}

static int check_client_files(const struct vw_endpoint *endpoint, struct vw_error *err)
{
	const char *files[] = {endpoint->settings.client_cert_file, endpoint->settings.client_key_file};
	for (size_t i = 0; endpoint->tls && i < 2; i++) {
		if (files[i] && access(files[i], R_OK) != 0)
			return vw_error_set(err, VW_ECONFIG, "cannot read the client's %s in %s",
					    i == 0 ? "certificate" : "key", files[i]);
	}
	return 0;
}

/* ---- headers ---- */

/* What the agent says itself, what would make another request of ours, and Origin, which MLflow answers with 403. */
static bool header_refused(const char *name, size_t len)
{
	static const char *const refused[] = {
	    "Content-Length",   "Content-Type", "Content-Encoding", "Transfer-Encoding", "Expect",
	    "Connection",       "Upgrade",      "Origin",           "X-HTTP-Method",     "X-HTTP-Method-Override",
	    "X-Method-Override"};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strlen(refused[i]) == len && strncasecmp(refused[i], name, len) == 0)
			return true;
	}
	return false;
}

static size_t token_length(const char *text)
{
	/* RFC 9110 section 5.6.2 */
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~");
}

/* A line may be all secret, so that messages name its place only. */
static int check_header(const char *line, size_t number, struct vw_error *err)
{
	size_t name = token_length(line);
	if (name == 0 || line[name] != ':')
		return vw_error_set(err, VW_ECONFIG, "header %zu is not \"Name: value\"", number);
	if (header_refused(line, name))
		return vw_error_set(err, VW_ECONFIG, "header %zu: %.*s cannot be set", number, (int)name, line);
	for (const unsigned char *c = (const unsigned char *)line; *c; c++) {
		if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
			return vw_error_set(err, VW_ECONFIG, "header %zu holds control characters", number);
	}
	return 0;
}

static int check_headers(const struct vw_endpoint *endpoint, struct vw_error *err)
{
	const char *const *headers = endpoint->settings.headers;
	for (size_t i = 0; headers && headers[i]; i++) {
		int code = check_header(headers[i], i + 1, err);
		if (code < 0)
			return code;
		if (strncasecmp(headers[i], "Authorization:", strlen("Authorization:")) == 0 &&
		    vw_credentials_kind(endpoint->credentials) != VW_CREDENTIAL_NONE)
			return vw_error_set(err, VW_ECONFIG,
					    "header %zu is Authorization, and there are credentials too (%s)", i + 1,
					    vw_credentials_origin(endpoint->credentials));
	}
	return 0;
}

/* ---- all together ---- */

static void fill_defaults(struct vw_mlflow_settings *s)
{
#define DEFAULT(field, value) s->field = s->field != 0 ? s->field : (value)
	DEFAULT(connections, 4);
	DEFAULT(requests_per_second, 20);
	DEFAULT(burst, 40);
	DEFAULT(retries, 5);
	DEFAULT(connect_timeout_ms, 10 * 1000);
	DEFAULT(request_timeout_ms, 120 * 1000);
	DEFAULT(page_versions, 400);
	DEFAULT(page_models, 200);
	DEFAULT(page_runs, 400);
	DEFAULT(user_agent, "vw-agent");
	DEFAULT(aws_sigv4_service, "execute-api");
#undef DEFAULT
}

static int check_numbers(const struct vw_mlflow_settings *s, struct vw_error *err)
{
	bool positive = s->connections > 0 && s->requests_per_second > 0 && s->burst > 0 &&
			s->connect_timeout_ms > 0 && s->request_timeout_ms > 0 && s->cycle_timeout_ms >= 0 &&
			s->page_versions > 0 && s->page_models > 0 && s->page_runs > 0;
	if (!positive || s->connections > 64)
		return vw_error_set(err, VW_ECONFIG,
				    "connections (at most 64), rates, page sizes and time-outs must be more than 0");
	return 0;
}

int vw_endpoint_init(struct vw_endpoint *endpoint, const struct vw_mlflow_settings *settings,
		     struct vw_credentials *credentials, struct vw_error *err)
{
	*endpoint = (struct vw_endpoint){.settings = *settings, .credentials = credentials};
	fill_defaults(&endpoint->settings);
	int code = check_numbers(&endpoint->settings, err);
	if (code == 0)
		code = set_base(endpoint, err);
	if (code == 0)
		code = find_ca(endpoint, err);
	if (code == 0)
		code = check_client_files(endpoint, err);
	if (code == 0)
		code = check_headers(endpoint, err);
	if (code == 0 && vw_credentials_kind(credentials) == VW_CREDENTIAL_SIGV4 && !endpoint->settings.aws_region)
		code = vw_error_set(err, VW_ECONFIG,
				    "signing with AWS SigV4 needs a region: set AWS_REGION or aws_region");
	if (code < 0)
		vw_endpoint_reset(endpoint);
	return code;
}

void vw_endpoint_reset(struct vw_endpoint *endpoint)
{
	free(endpoint->base);
	endpoint->base = NULL;
}
