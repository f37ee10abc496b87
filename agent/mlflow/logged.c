/* logged.c: logged models (MLflow 3.0+) by their ids: one search, or one by one where the server's store knows no IN, or
 * where no experiment is known to search in. */
#include "pending.h"

#include <stdlib.h>
#include <string.h>

/* The answers that make up one. */
struct gather {
	struct vw_pending *call;
	char **ids;
	size_t id_count;
	size_t open;  /* requests without an answer yet */
	bool nowhere; /* the search had no experiments to look in: what it does not find may be there */
	struct vw_arena *arena;
	struct vw_error error; /* the first failure */
	struct vw_mlflow_answer answer;
};

static void gather_close(struct gather *gather)
{
	for (size_t i = 0; gather->ids && i < gather->id_count; i++)
		free(gather->ids[i]);
	free(gather->ids);
	vw_arena_close(gather->arena);
	free(gather);
}

static struct gather *gather_open(struct vw_pending *call, const char *const *ids, size_t count)
{
	struct gather *gather = calloc(1, sizeof(*gather));
	if (!gather)
		return NULL;
	gather->call = call;
	gather->ids = calloc(count ? count : 1, sizeof(*gather->ids));
	gather->id_count = count;
	bool good = gather->ids;
	for (size_t i = 0; good && i < count; i++)
		good = (gather->ids[i] = strdup(ids[i]));
	if (good)
		return gather;
	gather_close(gather);
	return NULL;
}

/* The last answer was here. */
static void gather_end(struct gather *gather)
{
	struct vw_pending *call = gather->call;
	gather->answer.error = &gather->error;
	gather->answer.code = gather->error.code;
	if (gather->answer.code < 0)
		gather->answer.count = 0;
	gather->answer.arena = &gather->arena;
	struct vw_mlflow_answer answer = gather->answer;
	vw_pending_deliver(call, &answer);
	gather->arena = NULL; /* closed or taken */
	gather_close(gather);
}

static void gather_one(struct gather *gather, const struct vw_mlflow_answer *one)
{
	struct vw_mlflow_answer *all = &gather->answer;
	struct vw_mlflow_flaw *flaws = NULL;
	if (one->count == 0)
		return;
	all->logged_models[all->count++] = one->logged_models[0];
	if (one->flaw_count == 0)
		return;
	flaws = vw_arena_array(gather->arena, all->flaw_count + 1, sizeof(*flaws));
	if (!flaws)
		return;
	if (all->flaw_count)
		memcpy(flaws, all->flaws, all->flaw_count * sizeof(*flaws));
	flaws[all->flaw_count++] = one->flaws[0];
	all->flaws = flaws;
}

/* One that is gone or may not be seen is missing from the list, as it would be from a search. */
static void one_answered(void *arg, const struct vw_response *response)
{
	struct gather *gather = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_mlflow_answer one = {.count = 0};

	int code = vw_pending_parse(gather->call, response, gather->arena, &one, &err);
	if (code == 0)
		gather_one(gather, &one);
	else if (code == VW_EINVAL)
		gather->answer.malformed++;
	else if (code != VW_ENOTFOUND && code != VW_EFORBIDDEN && gather->error.code == 0)
		gather->error = err;
	if (--gather->open == 0)
		gather_end(gather);
}

static void ask_one(struct gather *gather, const char *id)
{
	struct vw_request request;
	vw_request_init(&request, VW_CALL_LOGGED_MODEL_GET);
	if (!vw_request_put_id(&request, id)) {
		vw_request_reset(&request);
		return; /* no server gives such an id */
	}
	gather->open++;
	int code = vw_pending_send(gather->call, &request, one_answered, gather);
	if (code == 0)
		return;
	gather->open--;
	if (gather->error.code == 0)
		vw_error_set(&gather->error, code, "%s: the request could not be queued", gather->call->name);
}

static void ask_each(struct gather *gather)
{
	gather->call->shape = VW_SHAPE_LOGGED_MODEL;
	gather->arena = vw_arena_open(0);
	if (gather->arena)
		gather->answer.logged_models =
		    vw_arena_array(gather->arena, gather->id_count, sizeof(*gather->answer.logged_models));
	if (!gather->answer.logged_models)
		vw_error_set(&gather->error, VW_ENOMEM, "%s: no memory", gather->call->name);
	for (size_t i = 0; i < gather->id_count && gather->error.code == 0; i++)
		ask_one(gather, gather->ids[i]);
	if (gather->open == 0)
		gather_end(gather);
}

static void search_answered(void *arg, const struct vw_response *response)
{
	struct gather *gather = arg;
	struct vw_pending *call = gather->call;

	/* a file store's search has no IN */
	if (response->http_status == 400 || (gather->nowhere && response->code == 0)) {
		ask_each(gather);
		return;
	}
	gather_close(gather);
	vw_pending_answered(call, response);
}

int vw_mlflow_search_logged_models(struct vw_mlflow *client, const char *const *experiment_ids, size_t experiments,
				   const char *const *model_ids, size_t models, vw_mlflow_callback done, void *arg)
{
	struct vw_request request;
	struct vw_pending *call = vw_pending_open(client, VW_SHAPE_LOGGED_MODELS, done, arg);
	struct gather *gather = call ? gather_open(call, model_ids, models) : NULL;
	if (!gather) {
		vw_pending_close(call);
		return VW_ENOMEM;
	}
	gather->nowhere = experiments == 0;
	vw_request_logged_models(&request, experiment_ids, experiments, model_ids, models);
	int code = vw_pending_send(call, &request, search_answered, gather);
	if (code == 0)
		return 0;
	gather_close(gather);
	vw_pending_close(call);
	return code;
}
