/* attempt.h: one try of one request over one curl handle, and what its end means. */
#ifndef MLFLOW_ATTEMPT_H
#define MLFLOW_ATTEMPT_H

#include "base/buffer.h"
#include "calls.h"
#include "mlflow/client.h"

#include <curl/curl.h>

/* The server and how to reach it: the settings with their defaults filled in. */
struct vw_endpoint {
	struct vw_mlflow_settings settings;
	char *base; /* "https://host/prefix", no '/' at the end */
	bool tls;
	const char *ca_file; /* NULL: nothing to check against is needed */
	struct vw_credentials *credentials;
};
/* `endpoint` borrows the settings' strings. VW_ECONFIG for what the operator has to mend. */
int vw_endpoint_init(struct vw_endpoint *endpoint, const struct vw_mlflow_settings *settings,
		     struct vw_credentials *credentials, struct vw_error *err);
void vw_endpoint_reset(struct vw_endpoint *endpoint);

struct vw_attempt {
	CURL *easy; /* NULL between requests */
	struct curl_slist *headers;
	struct vw_buffer body;
	char detail[CURL_ERROR_SIZE];
};
void vw_attempt_init(struct vw_attempt *attempt);

/* Makes a handle ready for `request`, which must live until vw_attempt_clear(). VW_EINVAL for a workspace's name that cannot be a header. */
int vw_attempt_prepare(struct vw_attempt *attempt, const struct vw_endpoint *endpoint,
		       const struct vw_request *request, struct vw_error *err);
/* Forgets request and answer; wipes what was secret. The connection stays with the multi handle. */
void vw_attempt_clear(struct vw_attempt *attempt);

struct vw_outcome {
	int code;
	bool passing; /* the same request may succeed later */
	int http_status;
	int64_t retry_after_ms; /* 0: the server did not say */
	struct vw_error error;
};
void vw_attempt_judge(struct vw_attempt *attempt, CURLcode result, const struct vw_endpoint *endpoint,
		      const struct vw_request *request, struct vw_outcome *out);

#endif
