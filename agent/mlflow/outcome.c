/* outcome.c: what the end of a try means, and how to say it without giving a secret away. */
#include "attempt.h"

#include "base/limits.h"
#include "base/text.h"
#include "mlflow/parse.h"

#include <string.h>

/* ---- secrets that a server sends back ---- */

#define SHORTEST_SECRET 4 /* shorter ones occur in any text */

static void hide(struct vw_buffer *body, const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;
	if (len < SHORTEST_SECRET || !body->data)
		return;
	char *at = body->data;
	while ((at = memmem(at, body->len - (size_t)(at - body->data), secret, len))) {
		memset(at, '*', len);
		at += len;
	}
}

/* Some gateways quote the request in their error page. */
static void hide_secrets(struct vw_attempt *attempt, const struct vw_endpoint *endpoint)
{
	const struct vw_credentials *credentials = endpoint->credentials;
	hide(&attempt->body, vw_secret_text(vw_credentials_token(credentials)));
	hide(&attempt->body, vw_secret_text(vw_credentials_password(credentials)));
	for (const struct curl_slist *h = attempt->headers; h; h = h->next) {
		const char *value = strchr(h->data, ':');
		bool plain = strncasecmp(h->data, "Accept:", 7) == 0 ||
			     strncasecmp(h->data, "Content-Type:", 13) == 0 ||
			     strncasecmp(h->data, "X-MLFLOW-WORKSPACE:", 19) == 0;
		if (!value || plain)
			continue;
		value += 1 + strspn(value + 1, " \t");
		hide(&attempt->body, value);
		const char *scheme_end = strchr(value, ' ');
		hide(&attempt->body, scheme_end ? scheme_end + 1 : NULL);
	}
}

/* ---- no answer ---- */

static bool fault_passes(CURLcode result)
{
	switch (result) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_PARTIAL_FILE:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_BAD_CONTENT_ENCODING:
		return true;
	default:
		return false;
	}
}

static int fault_code(CURLcode result)
{
	switch (result) {
	case CURLE_OPERATION_TIMEDOUT:
		return VW_ETIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
		return VW_EAUTH; /* the server could not show that it is the one */
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_PROXY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		return VW_ECONFIG;
	case CURLE_OUT_OF_MEMORY:
		return VW_ENOMEM;
	default:
		return fault_passes(result) ? VW_EAGAIN : VW_EINVAL;
	}
}

static void judge_fault(struct vw_attempt *attempt, CURLcode result, const char *call, struct vw_outcome *out)
{
	/* curl quotes a proxy's address that it cannot read, password and all */
	bool quotes = strstr(attempt->detail, "://") != NULL;
	const char *detail = attempt->detail[0] && !quotes ? attempt->detail : curl_easy_strerror(result);
	int full = vw_buffer_error(&attempt->body);
	struct vw_buffer safe;

	attempt->detail[strcspn(attempt->detail, "\r\n")] = '\0'; /* what mbedTLS says ends its line */
	if (full == VW_ELIMIT) {
		out->code =
		    vw_error_set(&out->error, VW_ELIMIT, "%s: the answer is larger than %zu bytes (VW_MAX_RESPONSE)",
				 call, VW_MAX_RESPONSE);
		return;
	}
	if (full != 0) {
		out->code = vw_error_set(&out->error, full, "%s: no memory for the answer", call);
		return;
	}
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, detail);
	out->passing = fault_passes(result);
	out->code = vw_error_set(&out->error, fault_code(result), "%s: no answer from the server: %s", call,
				 vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
}

/* ---- an answer ---- */

static bool says(const char *text, const char *error_code)
{
	size_t len = strlen(error_code);
	return strncmp(text, error_code, len) == 0 && (text[len] == ':' || text[len] == '\0');
}

static bool object_missing(const char *text)
{
	return says(text, "RESOURCE_DOES_NOT_EXIST") || says(text, "NOT_FOUND");
}

static int status_code(int status, const struct vw_request *request, const char *text)
{
	if (object_missing(text))
		return VW_ENOTFOUND;
	if (says(text, "FEATURE_DISABLED"))
		return VW_EUNSUPPORTED;
	switch (status) {
	case 401:
	case 407:
		return VW_EAUTH;
	case 403:
		return VW_EFORBIDDEN;
	case 404:
	case 405:
	case 501:
		/* an address that the server, or something before it, does not know is no proof that an object is gone */
		return request->id == VW_CALL_VERSION ? VW_ENOTFOUND : VW_EUNSUPPORTED;
	case 413:
	case 414:
	case 431:
		return VW_ELIMIT;
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		return VW_EAGAIN;
	default:
		if (status >= 300 && status < 400)
			return VW_ECONFIG;
		return status >= 500 ? VW_EAGAIN : VW_EINVAL;
	}
}

/* What the reader of the message can do about it; never NULL. */
static const char *advice(int code, int status, const char *text)
{
	if (status == 403 && strstr(text, "Invalid Host"))
		return "; the server's operator must add this host name to MLFLOW_SERVER_ALLOWED_HOSTS";
	if (code == VW_EUNSUPPORTED && (status == 404 || status == 405))
		return "; this server does not have the call, or the tracking URI lacks its path prefix";
	return "";
}

static void judge_redirect(struct vw_attempt *attempt, const char *call, struct vw_arena *arena,
			   struct vw_outcome *out)
{
	char *target = NULL;
	curl_easy_getinfo(attempt->easy, CURLINFO_REDIRECT_URL, &target);
	char *shown = vw_uri_redact(arena, target);
	struct vw_buffer safe;
	vw_buffer_init(&safe, 512);
	if (shown)
		shown[strcspn(shown, "?#")] = '\0';
	vw_text_append_safe(&safe, shown ? shown : "nowhere");
	out->code =
	    vw_error_set(&out->error, VW_ECONFIG,
			 "%s: the server answers HTTP %d and points to %s; redirects are not followed, the tracking "
			 "URI must be the server's own address",
			 call, out->http_status, vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
}

static void judge_status(struct vw_attempt *attempt, const struct vw_endpoint *endpoint,
			 const struct vw_request *request, struct vw_outcome *out)
{
	const char *call = vw_call_name(request->id);
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	if (!arena) {
		out->code = vw_error_set(&out->error, VW_ENOMEM, "%s: no memory", call);
		return;
	}
	if (out->http_status >= 300 && out->http_status < 400) {
		judge_redirect(attempt, call, arena, out);
		return;
	}
	hide_secrets(attempt, endpoint);
	const char *text = vw_mlflow_parse_error(vw_buffer_text(&attempt->body), attempt->body.len, arena);
	if (!text)
		text = "";
	int code = status_code(out->http_status, request, text);
	out->code = code;
	out->passing = code == VW_EAGAIN;
	vw_error_set(&out->error, code, "%s: HTTP %d%s%s%s", call, out->http_status, *text ? ": " : "", text,
		     advice(code, out->http_status, text));
	if (code == VW_EAUTH)
		vw_error_set(&out->error, code, "%s (credentials: %s)", out->error.message,
			     vw_credentials_origin(endpoint->credentials));
}

void vw_attempt_judge(struct vw_attempt *attempt, CURLcode result, const struct vw_endpoint *endpoint,
		      const struct vw_request *request, struct vw_outcome *out)
{
	long status = 0;
	curl_off_t retry_after = 0;

	*out = (struct vw_outcome){.code = 0};
	curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
	out->http_status = (int)status;
	if (result != CURLE_OK) {
		judge_fault(attempt, result, vw_call_name(request->id), out);
		return;
	}
	if (status == 200)
		return;
	curl_easy_getinfo(attempt->easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (retry_after > VW_MAX_RETRY_AFTER_S)
		retry_after = VW_MAX_RETRY_AFTER_S;
	out->retry_after_ms = retry_after * 1000;
	judge_status(attempt, endpoint, request, out);
}
