/* normalize.h: what MLflow said about one version into one canonical record (S3.2, S7). Pure: no I/O.
 *
 * Never loses a record: what is missing is missing, what cannot be read is a warning in the record. Every field whose
 * source is a choice says in `provenance` where its value came from, and what it was if it was changed. The result is ready to be packed: lists are sorted,
 * text is valid UTF-8. The same input always gives the same bytes. */
#ifndef NORMALIZE_NORMALIZE_H
#define NORMALIZE_NORMALIZE_H

#include "base/arena.h"
#include "base/error.h"
#include "normalize/mapping.h"
#include "proto/model.h"

#include <stddef.h>
#include <stdint.h>

/* Codes of Completeness.reasons (record.md, "Completeness"). run_deleted alone leaves a record complete in content; it is a reason all the same. */
#define VW_REASON_RUN_FORBIDDEN             "run_forbidden"
#define VW_REASON_RUN_NOT_FOUND             "run_not_found"
#define VW_REASON_RUN_DELETED               "run_deleted"
#define VW_REASON_RUN_FETCH_FAILED          "run_fetch_failed"
#define VW_REASON_EXPERIMENT_FORBIDDEN      "experiment_forbidden"
#define VW_REASON_EXPERIMENT_NOT_FOUND      "experiment_not_found"
#define VW_REASON_EXPERIMENT_FETCH_FAILED   "experiment_fetch_failed"
#define VW_REASON_MODEL_FETCH_FAILED        "model_fetch_failed"
#define VW_REASON_VERSION_FETCH_FAILED      "version_fetch_failed"
#define VW_REASON_LOGGED_MODEL_FETCH_FAILED "logged_model_fetch_failed"
#define VW_REASON_RESPONSE_INVALID          "response_invalid"
#define VW_REASON_VALUE_TOO_LARGE           "value_too_large"

struct vw_reason_text {
	const char *code;
	const char *text; /* a sentence for a person */
};

/* All borrowed for the call; the record may point into them, so they live as long as it does (same arena, usually).
 * Already masked (normalize/mask.h). */
struct vw_normalize_input {
	const char *workspace;            /* NULL: none */
	const vw_registered_model *model; /* NULL if unknown */
	const vw_model_version *version;  /* never NULL, with name and version */
	const vw_run *run;                /* NULL: none, or not readable: then a reason says so */
	const vw_experiment *experiment;
	const vw_logged_model *logged_model;
	const struct vw_reason_text *reasons; /* what could not be seen */
	size_t reason_count;
	const vw_record *previous; /* the record stored before, for what became unreadable; NULL at first sight */
	int64_t previous_at;       /* when `previous` was recorded: what is taken over from it is stale since then */
};

/* VW_ENOMEM or VW_ELIMIT (the record as a whole is over VW_MAX_RECORD; the caller then records it with VW_REASON_VALUE_TOO_LARGE and without its run). */
int vw_normalize(struct vw_arena *arena, const struct vw_normalize_input *in, const struct vw_mapping *mapping,
		 vw_record **out_record, struct vw_error *err);

/* The events that turn `before` (NULL at first sight) into `after`: at most one for each of lifecycle_stage, mlflow_stage,
 * aliases and deployment_status, or one first_seen. In the arena. */
int vw_deployment_events(struct vw_arena *arena, const vw_record *before, const vw_record *after,
			 vw_deployment_event ***out_events, size_t *out_count, struct vw_error *err);

#endif
