/* calls.c: the allow-list, and the requests that can be made of it (S2.1, S4.3). */
#include "calls.h"

#include "base/json.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define API "/api/2.0/mlflow/"

static const struct vw_mlflow_call calls[VW_CALLS] = {
    [VW_CALL_VERSION] = {"GET", "/version", "the server's version"},
    [VW_CALL_SERVER_INFO] = {"GET", "/api/3.0/mlflow/server-info", "whether the server has workspaces"},
    [VW_CALL_WORKSPACES] = {"GET", "/api/3.0/mlflow/workspaces", "workspaces that the credential may see"},
    [VW_CALL_MODELS_SEARCH] = {"GET", API "registered-models/search", "registered models, page by page"},
    [VW_CALL_MODEL_GET] = {"GET", API "registered-models/get", "one registered model"},
    [VW_CALL_VERSIONS_SEARCH] = {"GET", API "model-versions/search", "model versions, page by page"},
    [VW_CALL_VERSION_GET] = {"GET", API "model-versions/get", "one model version"},
    [VW_CALL_RUNS_SEARCH] = {"POST", API "runs/search", "runs by their ids, many at a time"},
    [VW_CALL_RUN_GET] = {"GET", API "runs/get", "one run, deleted ones too"},
    [VW_CALL_EXPERIMENTS_SEARCH] = {"POST", API "experiments/search", "experiments, page by page"},
    [VW_CALL_EXPERIMENT_GET] = {"GET", API "experiments/get", "one experiment"},
    [VW_CALL_LOGGED_MODELS_SEARCH] = {"POST", API "logged-models/search", "logged models by their ids"},
    [VW_CALL_LOGGED_MODEL_GET] = {"GET", API "logged-models/{id}", "one logged model"},
};

const struct vw_mlflow_call *vw_mlflow_calls(size_t *out_count)
{
	*out_count = VW_CALLS;
	return calls;
}

const struct vw_mlflow_call *vw_call(enum vw_call_id id)
{
	return &calls[id];
}

const char *vw_call_name(enum vw_call_id id)
{
	const char *mlflow = strstr(calls[id].path, "/mlflow/");
	return mlflow ? mlflow + strlen("/mlflow/") : calls[id].path + 1;
}

bool vw_call_in_workspace(enum vw_call_id id)
{
	return id != VW_CALL_VERSION && id != VW_CALL_SERVER_INFO && id != VW_CALL_WORKSPACES;
}

/* What may stand for {id}. A '.' in front would let ".." through; '%' would let '/' through. */
static size_t segment_length(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	return *text == '.' ? 0 : strspn(text, plain);
}

static bool path_matches(const char *pattern, const char *path)
{
	const char *hole = strstr(pattern, "{id}");
	if (!hole)
		return strcmp(pattern, path) == 0;
	size_t before = (size_t)(hole - pattern);
	if (strncmp(pattern, path, before) != 0)
		return false;
	size_t segment = segment_length(path + before);
	/* "search" is a path of its own and no id */
	if (segment == 0 || strcmp(path + before, "search") == 0)
		return false;
	return strcmp(path + before + segment, hole + strlen("{id}")) == 0;
}

bool vw_mlflow_allowed(const char *method, const char *path)
{
	for (size_t i = 0; i < VW_CALLS; i++) {
		if (strcmp(calls[i].method, method) == 0 && path_matches(calls[i].path, path))
			return true;
	}
	return false;
}

/* ---- requests ---- */

void vw_request_init(struct vw_request *request, enum vw_call_id id)
{
	*request = (struct vw_request){.id = id};
	vw_buffer_init(&request->path, VW_MAX_TARGET);
	vw_buffer_init(&request->query, VW_MAX_TARGET);
	vw_buffer_init(&request->body, 0);
	const char *path = calls[id].path;
	const char *hole = strstr(path, "{id}");
	vw_buffer_append(&request->path, path, hole ? (size_t)(hole - path) : strlen(path));
}

void vw_request_reset(struct vw_request *request)
{
	vw_buffer_reset(&request->path);
	vw_buffer_reset(&request->query);
	vw_buffer_reset(&request->body);
	free(request->workspace);
	request->workspace = NULL;
}

static int buffers_error(const struct vw_request *request)
{
	const struct vw_buffer *all[] = {&request->path, &request->query, &request->body};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (vw_buffer_error(all[i]) != 0)
			return vw_buffer_error(all[i]);
	}
	return request->path.len + 1 + request->query.len > VW_MAX_TARGET ? VW_ELIMIT : 0;
}

int vw_request_check(const struct vw_request *request, struct vw_error *err)
{
	int code = buffers_error(request);
	if (code == VW_ELIMIT)
		return vw_error_set(err, code,
				    "%s: a name or page token is too long for one request (VW_MAX_TARGET, %zu bytes)",
				    vw_call_name(request->id), VW_MAX_TARGET);
	if (code != 0)
		return vw_error_set(err, code, "%s: no memory for the request", vw_call_name(request->id));
	return 0;
}

bool vw_request_put_id(struct vw_request *request, const char *id)
{
	size_t len = strlen(id);
	if (len == 0 || len > VW_MAX_NAME || segment_length(id) != len || strcmp(id, "search") == 0)
		return false;
	vw_buffer_append(&request->path, id, len);
	return true;
}

/* RFC 3986 section 2.3: everything but unreserved characters is encoded. */
static void append_encoded(struct vw_buffer *out, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		bool unreserved = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
				  strchr("-._~", *c);
		if (unreserved)
			vw_buffer_putc(out, (char)*c);
		else
			vw_buffer_printf(out, "%%%02X", *c);
	}
}

void vw_request_put(struct vw_request *request, const char *name, const char *value)
{
	vw_buffer_printf(&request->query, "%s%s=", request->query.len ? "&" : "", name);
	append_encoded(&request->query, value);
}

void vw_request_put_int(struct vw_request *request, const char *name, int64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, value);
	vw_request_put(request, name, text);
}

/* ---- MLflow's filter language ---- */

bool vw_filter_name(struct vw_buffer *out, const char *model)
{
	if (!strchr(model, '\'')) {
		vw_buffer_printf(out, "name = '%s'", model);
		return true;
	}
	if (!strchr(model, '"')) {
		vw_buffer_printf(out, "name = \"%s\"", model);
		return true;
	}
	/* '\' escapes in the LIKE of some databases and not of others, so it cannot be written either */
	vw_buffer_puts(out, "name LIKE '");
	for (const char *c = model; *c; c++)
		vw_buffer_putc(out, *c == '\'' || *c == '\\' ? '_' : *c);
	vw_buffer_putc(out, '\'');
	return false;
}

size_t vw_filter_ids(struct vw_buffer *out, const char *field, const char *const *ids, size_t count)
{
	size_t written = 0;
	size_t usable = 0;
	for (size_t i = 0; i < count; i++)
		usable += segment_length(ids[i]) > 0 && !ids[i][segment_length(ids[i])];
	vw_buffer_puts(out, field);
	if (usable == 0)
		vw_buffer_puts(out, " = '-'"); /* without a condition everything would be found */
	if (usable == 0)
		return 0;
	vw_buffer_puts(out, usable == 1 ? " = " : " IN (");
	for (size_t i = 0; i < count; i++) {
		size_t len = segment_length(ids[i]);
		if (len == 0 || ids[i][len])
			continue;
		vw_buffer_printf(out, "%s'%s'", written++ ? "," : "", ids[i]);
	}
	if (usable > 1)
		vw_buffer_putc(out, ')');
	return written;
}

/* ---- the searches ---- */

static void put_query(struct vw_request *request, const struct vw_mlflow_query *query, int max_results)
{
	vw_request_put_int(request, "max_results", query->max_results > 0 ? query->max_results : max_results);
	if (query->model) {
		struct vw_buffer filter;
		vw_buffer_init(&filter, VW_MAX_TARGET);
		vw_filter_name(&filter, query->model);
		vw_request_put(request, "filter", vw_buffer_text(&filter));
		if (vw_buffer_error(&filter) != 0)
			request->query.error = vw_buffer_error(&filter);
		vw_buffer_reset(&filter);
	}
	if (query->page_token)
		vw_request_put(request, "page_token", query->page_token);
}

void vw_request_models(struct vw_request *request, const struct vw_mlflow_query *query, int max_results)
{
	vw_request_init(request, VW_CALL_MODELS_SEARCH);
	vw_request_put(request, "order_by",
		       query->order == VW_ORDER_UPDATED_DESC ? "last_updated_timestamp DESC" : "name ASC");
	put_query(request, query, max_results);
}

void vw_request_versions(struct vw_request *request, const struct vw_mlflow_query *query, int max_results)
{
	vw_request_init(request, VW_CALL_VERSIONS_SEARCH);
	if (query->order == VW_ORDER_UPDATED_DESC)
		vw_request_put(request, "order_by", "last_updated_timestamp DESC");
	vw_request_put(request, "order_by", "name ASC");
	vw_request_put(request, "order_by", "version_number ASC");
	put_query(request, query, max_results);
}

#define EXPERIMENTS_PAGE 1000

void vw_request_experiments(struct vw_request *request, const char *page_token)
{
	struct vw_json_writer w;
	vw_request_init(request, VW_CALL_EXPERIMENTS_SEARCH);
	vw_json_writer_init(&w, &request->body, false);
	vw_json_begin_object(&w);
	vw_json_key(&w, "max_results");
	vw_json_put_int64(&w, EXPERIMENTS_PAGE);
	vw_json_key(&w, "view_type");
	vw_json_put_text(&w, "ALL");
	if (page_token) {
		vw_json_key(&w, "page_token");
		vw_json_put_text(&w, page_token);
	}
	vw_json_end_object(&w);
}

/* The body that both searches by id share. */
static void put_search_by_id(struct vw_request *request, const char *field, const char *const *experiment_ids,
			     size_t experiments, const char *const *ids, size_t count)
{
	struct vw_json_writer w;
	struct vw_buffer filter;

	vw_buffer_init(&filter, 0);
	vw_filter_ids(&filter, field, ids, count);
	vw_json_writer_init(&w, &request->body, false);
	vw_json_begin_object(&w);
	vw_json_key(&w, "experiment_ids");
	vw_json_begin_array(&w);
	for (size_t i = 0; i < experiments; i++)
		vw_json_put_text(&w, experiment_ids[i]);
	vw_json_end_array(&w);
	vw_json_key(&w, "filter");
	vw_json_put_text(&w, vw_buffer_text(&filter));
	vw_json_key(&w, "max_results");
	vw_json_put_int64(&w, count ? (int64_t)count : 1);
	if (request->id == VW_CALL_RUNS_SEARCH) {
		vw_json_key(&w, "run_view_type");
		vw_json_put_text(&w, "ALL");
	}
	vw_json_end_object(&w);
	if (vw_buffer_error(&filter) != 0)
		request->body.error = vw_buffer_error(&filter);
	vw_buffer_reset(&filter);
}

void vw_request_runs(struct vw_request *request, const char *const *experiment_ids, size_t experiments,
		     const char *const *run_ids, size_t runs)
{
	vw_request_init(request, VW_CALL_RUNS_SEARCH);
	put_search_by_id(request, "attributes.run_id", experiment_ids, experiments, run_ids, runs);
}

void vw_request_logged_models(struct vw_request *request, const char *const *experiment_ids, size_t experiments,
			      const char *const *model_ids, size_t models)
{
	vw_request_init(request, VW_CALL_LOGGED_MODELS_SEARCH);
	put_search_by_id(request, "model_id", experiment_ids, experiments, model_ids, models);
}
