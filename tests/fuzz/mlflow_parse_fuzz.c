/* MLflow's answers. The first byte picks the shape, the rest is the body. */
#include "mlflow/parse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every text that was given back is read to its end. */
static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

static void look_at(const struct vw_mlflow_answer *answer, enum vw_mlflow_shape shape)
{
	size_t sum = length(answer->next_page_token);
	for (size_t i = 0; i < answer->count; i++) {
		const void *object = NULL;
		if (answer->models)
			sum += length(answer->models[i]->name) + (object = answer->models[i], 0);
		if (answer->versions)
			sum += length(answer->versions[i]->name) + (object = answer->versions[i], 0);
		if (answer->runs)
			sum += length(answer->runs[i]->run_id) + (object = answer->runs[i], 0);
		if (answer->experiments)
			sum += length(answer->experiments[i]->experiment_id) + (object = answer->experiments[i], 0);
		if (answer->logged_models)
			sum += length(answer->logged_models[i]->model_id) + (object = answer->logged_models[i], 0);
		if (answer->texts)
			sum += length(answer->texts[i]);
		vw_mlflow_flaws(answer, object);
		if (sum == 0 && shape != VW_SHAPE_TEXT)
			abort(); /* an object without its key must not come back */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_mlflow_answer answer = {.count = 0};
	struct vw_error err = VW_ERROR_INIT;

	if (size == 0)
		return 0;
	enum vw_mlflow_shape shape = data[0] % (VW_SHAPE_TEXT + 1);
	struct vw_arena *arena = vw_arena_open(16 * 1024 * 1024);
	if (!arena)
		return 0;
	/* a copy of its own size, so that reading past its end is seen */
	char *body = malloc(size);
	if (body) {
		memcpy(body, data + 1, size - 1);
		int code = vw_mlflow_parse(shape, body, size - 1, "fuzz", arena, &answer, &err);
		if (code == 0)
			look_at(&answer, shape);
		else if (answer.count != 0 || !err.message[0])
			abort();
		vw_mlflow_parse_error(body, size - 1, arena);
		vw_mlflow_parse_workspaces_enabled(body, size - 1);
	}
	free(body);
	vw_arena_close(arena);
	return 0;
}
