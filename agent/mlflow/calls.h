/* calls.h: the calls that exist, and how one becomes a request. Nothing else can be built. */
#ifndef MLFLOW_CALLS_H
#define MLFLOW_CALLS_H

#include "base/buffer.h"
#include "mlflow/client.h"

#include <stdint.h>

/* In the order of the allow-list's table. */
enum vw_call_id {
	VW_CALL_VERSION,
	VW_CALL_SERVER_INFO,
	VW_CALL_WORKSPACES,
	VW_CALL_MODELS_SEARCH,
	VW_CALL_MODEL_GET,
	VW_CALL_VERSIONS_SEARCH,
	VW_CALL_VERSION_GET,
	VW_CALL_RUNS_SEARCH,
	VW_CALL_RUN_GET,
	VW_CALL_EXPERIMENTS_SEARCH,
	VW_CALL_EXPERIMENT_GET,
	VW_CALL_LOGGED_MODELS_SEARCH,
	VW_CALL_LOGGED_MODEL_GET,
	VW_CALLS
};

/* gunicorn refuses a request line of more than 4094 bytes; what the method, the prefix and the protocol take is left free. */
#define VW_MAX_TARGET ((size_t)3800)

struct vw_request {
	enum vw_call_id id;
	struct vw_buffer path;  /* below the tracking URI */
	struct vw_buffer query; /* encoded, without '?' */
	struct vw_buffer body;  /* JSON; of a POST */
	char *workspace;        /* NULL: no header */
};

/* "runs/search": for messages. Static storage. */
const char *vw_call_name(enum vw_call_id id);
const struct vw_mlflow_call *vw_call(enum vw_call_id id);

/* True for calls that speak of one workspace; the others must not carry its header. */
bool vw_call_in_workspace(enum vw_call_id id);

void vw_request_init(struct vw_request *request, enum vw_call_id id);
void vw_request_reset(struct vw_request *request);
/* VW_ENOMEM, or VW_ELIMIT for a target longer than VW_MAX_TARGET or an overlong body. */
int vw_request_check(const struct vw_request *request, struct vw_error *err);

/* Fills the {id} of the path. False for an id that is no plain path segment: letters, digits, '-', '_' and '.', not first. */
bool vw_request_put_id(struct vw_request *request, const char *id);
/* Adds "name=value" to the query, the value percent-encoded. */
void vw_request_put(struct vw_request *request, const char *name, const char *value);
void vw_request_put_int(struct vw_request *request, const char *name, int64_t value);

/* Appends `name` compared with a model's name in MLflow's filter language: "name = 'churn'", "name = \"it's\"". That language cannot
 * escape: a name with both kinds of quotes becomes a LIKE with '_' for what cannot be written, which finds others too.
 * True if only exactly this name is found. */
bool vw_filter_name(struct vw_buffer *out, const char *model);
/* Appends "field IN ('a','b')"; for one id "field = 'a'", because some servers misread a list of one. Ids with quotes, commas or
 * parentheses are left out: no server gives such. Without any usable one the condition is one that finds nothing. Returns how many were written. */
size_t vw_filter_ids(struct vw_buffer *out, const char *field, const char *const *ids, size_t count);

void vw_request_models(struct vw_request *request, const struct vw_mlflow_query *query, int max_results);
void vw_request_versions(struct vw_request *request, const struct vw_mlflow_query *query, int max_results);
void vw_request_experiments(struct vw_request *request, const char *page_token);
void vw_request_runs(struct vw_request *request, const char *const *experiment_ids, size_t experiments,
		     const char *const *run_ids, size_t runs);
void vw_request_logged_models(struct vw_request *request, const char *const *experiment_ids, size_t experiments,
			      const char *const *model_ids, size_t models);

#endif
