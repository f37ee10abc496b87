#include "https.h"

#include "http/curl.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define URL_MAX_LEN 2048

static size_t take(char *bytes, size_t size, size_t count, void *arg)
{
	struct vw_buffer *out = arg;
	vw_buffer_append(out, bytes, size * count);
	return vw_buffer_error(out) ? 0 : size * count;
}

static int look_up(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct vw_uplink_route *route = arg;
	(void)a, (void)b, (void)c, (void)d;
	return route->cancel && __atomic_load_n(route->cancel, __ATOMIC_RELAXED) != 0;
}

static int code_of(CURLcode rc)
{
	switch (rc) {
	case CURLE_OPERATION_TIMEDOUT:
		return VW_ETIMEOUT;
	case CURLE_ABORTED_BY_CALLBACK:
		return VW_ECANCELLED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return VW_EAUTH;
	case CURLE_OUT_OF_MEMORY:
		return VW_ENOMEM;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return VW_ECONFIG;
	default:
		return VW_EAGAIN;
	}
}

static void set_trust(CURL *curl, const char *authorities)
{
	struct curl_blob blob = {0};
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, authorities ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, authorities ? 2L : 0L);
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	if (!authorities)
		return;
	blob.data = (char *)authorities;
	blob.len = strlen(authorities) + 1; /* mbedTLS wants the zero of a PEM text */
	blob.flags = CURL_BLOB_COPY;
	curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
}

static void set_route(CURL *curl, const struct vw_uplink_route *route)
{
	if (route->proxy)
		curl_easy_setopt(curl, CURLOPT_PROXY, route->proxy);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)route->connect_timeout_ms);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)route->request_timeout_ms);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)route);
}

static struct curl_slist *set_body(CURL *curl, struct vw_bytes body)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/protobuf");
	if (!headers)
		return NULL;
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.len);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	return headers;
}

static int judge(CURL *curl, CURLcode rc, const char *url, const char *said, struct vw_error *err)
{
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (rc == CURLE_WRITE_ERROR)
		return vw_error_set(err, VW_ELIMIT, "%s: the answer is too long to be a controller's", url);
	if (rc != CURLE_OK)
		return vw_error_set(err, code_of(rc), "%s: %s", url, said[0] ? said : curl_easy_strerror(rc));
	if (status == 429 || status >= 500)
		return vw_error_set(err, VW_EAGAIN, "%s: the controller answered HTTP %ld", url, status);
	if (status != 200)
		return vw_error_set(err, VW_EINVAL, "%s: HTTP %ld; is this a controller's HTTPS listener?", url,
				    status);
	return 0;
}

static void take_date(CURL *curl, int64_t *out_ms)
{
	struct curl_header *header;
	time_t at = -1;
	if (curl_easy_header(curl, "Date", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		at = curl_getdate(header->value, NULL);
	if (at > 0)
		*out_ms = (int64_t)at * 1000;
}

static int perform(CURL *curl, const struct vw_https_request *request, struct vw_buffer *out, struct vw_error *err)
{
	char said[CURL_ERROR_SIZE] = "", url[URL_MAX_LEN];
	struct curl_slist *headers = NULL;
	size_t len = strlen(request->url);
	while (len > 0 && request->url[len - 1] == '/')
		len--;
	if (snprintf(url, sizeof(url), "%.*s%s", (int)len, request->url, request->path) >= (int)sizeof(url))
		return vw_error_set(err, VW_ECONFIG, "the controller's URL is too long");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	set_trust(curl, request->authorities);
	set_route(curl, request->route);
	if (request->body.data && !(headers = set_body(curl, request->body)))
		return vw_error_set(err, VW_ENOMEM, "no memory for a request");
	CURLcode rc = curl_easy_perform(curl);
	int code = judge(curl, rc, url, said, err);
	if (code == 0 && request->out_date)
		take_date(curl, request->out_date);
	curl_slist_free_all(headers);
	return code;
}

int vw_https(const struct vw_https_request *request, struct vw_buffer *out, struct vw_error *err)
{
	CURL *curl = vw_curl_init() ? curl_easy_init() : NULL;
	if (!curl)
		return vw_error_set(err, VW_ENOMEM, "no memory for a request");
	int code = perform(curl, request, out, err);
	curl_easy_cleanup(curl);
	return code;
}

int vw_https_check_url(const char *url, struct vw_error *err)
{
	static const char scheme[] = "https://";
	const char *host = url + sizeof(scheme) - 1;
	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || strlen(url) > 1024)
		return vw_error_set(err, VW_ECONFIG, "%.100s: the controller's URL must begin with https://", url);
	size_t len = strcspn(host, "/");
	if (len == 0 || host[len + strspn(host + len, "/")] || strpbrk(host, "@?# "))
		return vw_error_set(err, VW_ECONFIG, "%.100s: the controller's URL must be https://host[:port]", url);
	return 0;
}
