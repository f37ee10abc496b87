/* sync.h: one cycle, the only coordinator: MLflow's answers → masked → normalised → judged → ledger (S6, S9, S12).
 *
 * Change is found by the record's own hash: MLflow moves no timestamp for aliases, tags, run edits and deletions. What a page of versions
 * taught commits in one transaction; a version unchanged costs a comparison and no write. One bad object never stops a cycle: it is
 * recorded as incomplete, with its reason. A version is only called removed after a complete scan and a 404 of its own. */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "base/error.h"
#include "compliance/policy.h"
#include "mlflow/client.h"
#include "normalize/mapping.h"
#include "normalize/mask.h"
#include "storage/store.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum vw_depth {
	VW_DEPTH_QUICK, /* newest changes first, stops at what is known: new versions and stage moves */
	VW_DEPTH_FULL   /* all models, versions, referenced runs: everything, deletions too */
};

/* Which registered models are relevant (S1.2). Lists are NULL-terminated and borrowed; an empty include list includes all.
 * Tags are "key" or "key=glob", of the registered model. */
struct vw_scope {
	const char *const *include;
	const char *const *exclude;
	const char *const *include_tags;
	const char *const *exclude_tags;
};

/* What is going on, for a progress line. `total` is -1 while unknown, and of versions an estimate by their numbers: deleted
 * ones are in it. */
struct vw_progress {
	const char *step; /* "models", "versions", "removals", "evaluating" */
	const char *workspace;
	int64_t done;
	int64_t total;
	int64_t pages; /* of versions, done with; and the runs that were read for them */
	int64_t runs;
	int64_t requests;
	int64_t elapsed_ms; /* of the step */
};

/* What a cycle works with; everything is borrowed. */
struct vw_sync_context {
	struct vw_store *store;
	struct vw_mlflow *client;
	const struct vw_masker *masker;
	const struct vw_mapping *mapping;
	const struct vw_policy *policy;
	const char *tracking_uri; /* without user info */
	const char *agent_version;
	const char *credential;       /* label, never a secret */
	const uint8_t *config_sha256; /* 32 bytes */
	const struct vw_scope *scope;
	const char *workspace; /* the one workspace to read; NULL: all that are offered */
	const volatile sig_atomic_t
	    *cancel; /* as the client's: non-zero ends the cycle within a second; may be NULL */
	void (*progress)(const struct vw_progress *progress, void *arg); /* may be NULL */
	void *progress_arg;
};

struct vw_sync_options {
	enum vw_depth depth;
	const char *model;  /* a name or glob: only these; NULL: all */
	bool accept_empty;  /* an empty listing after a full one is believed */
	bool accept_source; /* the state was filled from another tracking URI: go on all the same */
	int connections;    /* as the client's: how many pages may be under way */
};

enum vw_sync_outcome { VW_SYNC_OK, VW_SYNC_SUSPECT, VW_SYNC_FAILED, VW_SYNC_CANCELLED };

struct vw_sync_result {
	enum vw_sync_outcome outcome; /* SUSPECT: an empty listing; nothing was removed */
	vw_sync_counts counts;
	int64_t duration_ms;
	char sync_id[37];
	struct vw_error reason; /* of the first failure that ended or marred the cycle */
};

/* Runs one cycle. 0 also with VW_SYNC_SUSPECT; otherwise what ended it, and `out` still says how far it came. */
int vw_sync_run(const struct vw_sync_context *context, const struct vw_sync_options *options,
		struct vw_sync_result *out, struct vw_error *err);

/* Judges all that is stored by the context's policy, with no request (the client may be NULL); writes what differs. */
int vw_sync_reevaluate(const struct vw_sync_context *context, struct vw_sync_result *out, struct vw_error *err);

#endif
