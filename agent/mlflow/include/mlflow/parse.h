/* parse.h: MLflow's JSON into messages. Pure, so that it can be fuzzed: bytes in, messages in an arena out.
 *
 * An object that has its key (name, name and version, run_id, …) is given back whatever else is wrong with it; what cannot be
 * read of the rest is left missing, and so are values over a cap of base/limits.h; both are noted in the answer's flaws. One without
 * its key is counted in `malformed`. An object that is broken JSON spoils itself and not the page. */
#ifndef MLFLOW_PARSE_H
#define MLFLOW_PARSE_H

#include "mlflow/client.h"

enum vw_mlflow_shape {
	VW_SHAPE_MODELS,   /* {"registered_models": [...], "next_page_token": ...} */
	VW_SHAPE_MODEL,    /* {"registered_model": {...}} */
	VW_SHAPE_VERSIONS, /* {"model_versions": [...]} */
	VW_SHAPE_VERSION,  /* {"model_version": {...}} */
	VW_SHAPE_RUNS,     /* {"runs": [...]} */
	VW_SHAPE_RUN,      /* {"run": {...}} */
	VW_SHAPE_EXPERIMENTS,
	VW_SHAPE_EXPERIMENT,
	VW_SHAPE_LOGGED_MODELS, /* {"models": [...]} */
	VW_SHAPE_LOGGED_MODEL,  /* {"model": {...}} */
	VW_SHAPE_WORKSPACES,    /* {"workspaces": [{"name": ...}]} */
	VW_SHAPE_TEXT           /* text/plain: one line */
};

/* Fills `out`'s lists and token; `what` names the answer in errors. VW_EINVAL, VW_ELIMIT, VW_ENOMEM. */
int vw_mlflow_parse(enum vw_mlflow_shape shape, const char *bytes, size_t len, const char *what,
		    struct vw_arena *arena, struct vw_mlflow_answer *out, struct vw_error *err);
/* What server-info says. False for anything else than a clear yes. */
bool vw_mlflow_parse_workspaces_enabled(const char *bytes, size_t len);
/* The error_code and message of MLflow's error answer, or the first line of a plain one; for messages. In the arena. */
char *vw_mlflow_parse_error(const char *bytes, size_t len, struct vw_arena *arena);

#endif
