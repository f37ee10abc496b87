/* client.c: calls become requests, answers become messages. */
#include "pending.h"

#include <stdlib.h>
#include <string.h>

struct vw_mlflow {
	struct vw_transport *transport;
	char *workspace;
	bool workspace_lost; /* no memory for its name: better no call than one to another workspace */
	bool closing;
	int page_models;
	int page_versions;
};

int vw_mlflow_open(const struct vw_mlflow_settings *settings, struct vw_credentials *credentials,
		   const volatile sig_atomic_t *cancel, struct vw_mlflow **out, struct vw_error *err)
{
	struct vw_mlflow *client = calloc(1, sizeof(*client));
	if (!client)
		return vw_error_set(err, VW_ENOMEM, "no memory for the MLflow client");
	client->page_models = settings->page_models ? settings->page_models : 200;
	client->page_versions = settings->page_versions ? settings->page_versions : 400;
	vw_mlflow_use_workspace(client, settings->workspace);
	int code = vw_transport_open(settings, credentials, cancel, &client->transport, err);
	if (code < 0) {
		vw_mlflow_close(client);
		return code;
	}
	*out = client;
	return 0;
}

void vw_mlflow_close(struct vw_mlflow *client)
{
	if (!client)
		return;
	client->closing = true; /* nobody waits for an answer any more */
	vw_transport_close(client->transport);
	free(client->workspace);
	free(client);
}

void vw_mlflow_begin_cycle(struct vw_mlflow *client)
{
	vw_transport_begin_cycle(client->transport);
}

void vw_mlflow_counts(const struct vw_mlflow *client, struct vw_mlflow_counts *out)
{
	vw_transport_counts(client->transport, out);
}

void vw_mlflow_on_tick(struct vw_mlflow *client, void (*tick)(void *arg), void *arg)
{
	vw_transport_on_tick(client->transport, tick, arg);
}

int vw_mlflow_run(struct vw_mlflow *client, struct vw_error *err)
{
	return vw_transport_run(client->transport, err);
}

void vw_mlflow_stop(struct vw_mlflow *client)
{
	vw_transport_stop(client->transport);
}

bool vw_mlflow_ending(const struct vw_mlflow *client)
{
	return vw_transport_ending(client->transport);
}

void vw_mlflow_use_workspace(struct vw_mlflow *client, const char *workspace)
{
	free(client->workspace);
	client->workspace = workspace && *workspace ? strdup(workspace) : NULL;
	client->workspace_lost = workspace && *workspace && !client->workspace;
}

struct vw_arena *vw_mlflow_take(const struct vw_mlflow_answer *answer)
{
	struct vw_arena *arena = *answer->arena;
	*answer->arena = NULL;
	return arena;
}

/* ---- a call's life ---- */

void vw_pending_close(struct vw_pending *call)
{
	if (!call)
		return;
	free(call->exact);
	free(call);
}

struct vw_pending *vw_pending_open(struct vw_mlflow *client, enum vw_mlflow_shape shape, vw_mlflow_callback done,
				   void *arg)
{
	struct vw_pending *call = calloc(1, sizeof(*call));
	if (call)
		*call = (struct vw_pending){.client = client, .shape = shape, .done = done, .arg = arg};
	return call;
}

static bool is_exact(const struct vw_mlflow_answer *answer, enum vw_mlflow_shape shape, size_t i, const char *name)
{
	return strcmp(shape == VW_SHAPE_MODELS ? answer->models[i]->name : answer->versions[i]->name, name) == 0;
}

/* A filter may find more than the one name that was meant: LIKE, and databases that compare without case. */
static void keep_exact(struct vw_mlflow_answer *answer, enum vw_mlflow_shape shape, const char *name)
{
	size_t kept = 0;
	for (size_t i = 0; i < answer->count; i++) {
		if (!is_exact(answer, shape, i, name))
			continue;
		if (shape == VW_SHAPE_MODELS)
			answer->models[kept++] = answer->models[i];
		else
			answer->versions[kept++] = answer->versions[i];
	}
	answer->count = kept;
}

int vw_pending_parse(const struct vw_pending *call, const struct vw_response *response, struct vw_arena *arena,
		     struct vw_mlflow_answer *answer, struct vw_error *err)
{
	if (response->code < 0)
		return vw_error_set(err, response->code, "%s", response->error->message);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "%s: no memory for the answer", call->name);
	int code = vw_mlflow_parse(call->shape, vw_buffer_text(response->body), response->body->len, call->name,
				   arena, answer, err);
	vw_buffer_reset(response->body);
	return code;
}

void vw_pending_deliver(struct vw_pending *call, struct vw_mlflow_answer *answer)
{
	if (!call->client->closing)
		call->done(call->arg, answer);
	vw_arena_close(*answer->arena);
	vw_pending_close(call);
}

void vw_pending_fail(struct vw_pending *call, int code, const struct vw_error *error, int http_status)
{
	struct vw_arena *arena = vw_arena_open(0);
	vw_pending_deliver(call, &(struct vw_mlflow_answer){
				     .code = code, .error = error, .http_status = http_status, .arena = &arena});
}

void vw_pending_answered(void *arg, const struct vw_response *response)
{
	struct vw_pending *call = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_mlflow_answer answer = {.error = &err, .http_status = response->http_status, .arena = &arena};
	answer.code = vw_pending_parse(call, response, arena, &answer, &err);
	if (answer.code == 0 && call->exact)
		keep_exact(&answer, call->shape, call->exact);
	if (call->shape == VW_SHAPE_RUNS)
		answer.next_page_token =
		    NULL; /* servers before 3 give one whenever a page is full, as a list of ids always is */
	vw_pending_deliver(call, &answer);
}

int vw_pending_send(struct vw_pending *call, struct vw_request *request, vw_response_fn done, void *arg)
{
	struct vw_mlflow *client = call->client;
	bool no_memory = client->workspace_lost;
	call->name = vw_call_name(request->id);
	if (client->workspace && vw_call_in_workspace(request->id)) {
		request->workspace = strdup(client->workspace);
		no_memory = no_memory || !request->workspace;
	}
	if (no_memory) {
		vw_request_reset(request);
		return VW_ENOMEM;
	}
	return vw_transport_start(client->transport, request, done, arg);
}

/* The ordinary call: one request, one answer. */
static int ask(struct vw_mlflow *client, struct vw_request *request, enum vw_mlflow_shape shape, const char *exact,
	       vw_mlflow_callback done, void *arg)
{
	struct vw_pending *call = vw_pending_open(client, shape, done, arg);
	if (call && exact)
		call->exact = strdup(exact);
	if (!call || (exact && !call->exact)) {
		vw_request_reset(request);
		vw_pending_close(call);
		return VW_ENOMEM;
	}
	int code = vw_pending_send(call, request, vw_pending_answered, call);
	if (code < 0)
		vw_pending_close(call);
	return code;
}

/* ---- the calls ---- */

int vw_mlflow_get_version(struct vw_mlflow *client, vw_mlflow_callback done, void *arg)
{
	struct vw_request request;
	vw_request_init(&request, VW_CALL_VERSION);
	return ask(client, &request, VW_SHAPE_TEXT, NULL, done, arg);
}

int vw_mlflow_search_models(struct vw_mlflow *client, const struct vw_mlflow_query *query, vw_mlflow_callback done,
			    void *arg)
{
	struct vw_request request;
	vw_request_models(&request, query, client->page_models);
	return ask(client, &request, VW_SHAPE_MODELS, query->model, done, arg);
}

int vw_mlflow_search_versions(struct vw_mlflow *client, const struct vw_mlflow_query *query, vw_mlflow_callback done,
			      void *arg)
{
	struct vw_request request;
	vw_request_versions(&request, query, client->page_versions);
	return ask(client, &request, VW_SHAPE_VERSIONS, query->model, done, arg);
}

int vw_mlflow_search_experiments(struct vw_mlflow *client, const char *page_token, vw_mlflow_callback done, void *arg)
{
	struct vw_request request;
	vw_request_experiments(&request, page_token);
	return ask(client, &request, VW_SHAPE_EXPERIMENTS, NULL, done, arg);
}

int vw_mlflow_search_runs(struct vw_mlflow *client, const char *const *experiment_ids, size_t experiments,
			  const char *const *run_ids, size_t runs, vw_mlflow_callback done, void *arg)
{
	struct vw_request request;
	vw_request_runs(&request, experiment_ids, experiments, run_ids, runs);
	return ask(client, &request, VW_SHAPE_RUNS, NULL, done, arg);
}

int vw_mlflow_get_run(struct vw_mlflow *client, const char *run_id, vw_mlflow_callback done, void *arg)
{
	struct vw_request request;
	vw_request_init(&request, VW_CALL_RUN_GET);
	vw_request_put(&request, "run_id", run_id);
	return ask(client, &request, VW_SHAPE_RUN, NULL, done, arg);
}

int vw_mlflow_get_model(struct vw_mlflow *client, const char *name, vw_mlflow_callback done, void *arg)
{
	struct vw_request request;
	vw_request_init(&request, VW_CALL_MODEL_GET);
	vw_request_put(&request, "name", name);
	return ask(client, &request, VW_SHAPE_MODEL, NULL, done, arg);
}

int vw_mlflow_get_model_version(struct vw_mlflow *client, const char *name, const char *version,
				vw_mlflow_callback done, void *arg)
{
	struct vw_request request;
	vw_request_init(&request, VW_CALL_VERSION_GET);
	vw_request_put(&request, "name", name);
	vw_request_put(&request, "version", version);
	return ask(client, &request, VW_SHAPE_VERSION, NULL, done, arg);
}

int vw_mlflow_get_experiment(struct vw_mlflow *client, const char *experiment_id, vw_mlflow_callback done, void *arg)
{
	struct vw_request request;
	vw_request_init(&request, VW_CALL_EXPERIMENT_GET);
	vw_request_put(&request, "experiment_id", experiment_id);
	return ask(client, &request, VW_SHAPE_EXPERIMENT, NULL, done, arg);
}

/* ---- workspaces: asked for only where server-info says that there are any, for others answer 503 ---- */

static void server_info(void *arg, const struct vw_response *response)
{
	struct vw_pending *call = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_request request;

	if (response->code < 0) {
		vw_pending_fail(call, response->code, response->error, response->http_status);
		return;
	}
	if (!vw_mlflow_parse_workspaces_enabled(vw_buffer_text(response->body), response->body->len)) {
		vw_error_set(&err, VW_EUNSUPPORTED, "%s: the server has no workspaces", call->name);
		vw_pending_fail(call, err.code, &err, response->http_status);
		return;
	}
	vw_request_init(&request, VW_CALL_WORKSPACES);
	int code = vw_pending_send(call, &request, vw_pending_answered, call);
	if (code < 0) {
		vw_error_set(&err, code, "%s: the request could not be queued", vw_call_name(VW_CALL_WORKSPACES));
		vw_pending_fail(call, code, &err, 0);
	}
}

int vw_mlflow_list_workspaces(struct vw_mlflow *client, vw_mlflow_callback done, void *arg)
{
	struct vw_request request;
	struct vw_pending *call = vw_pending_open(client, VW_SHAPE_WORKSPACES, done, arg);
	if (!call)
		return VW_ENOMEM;
	vw_request_init(&request, VW_CALL_SERVER_INFO);
	int code = vw_pending_send(call, &request, server_info, call);
	if (code < 0)
		vw_pending_close(call);
	return code;
}
