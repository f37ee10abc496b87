/* client.h: reading an MLflow tracking and registry server, and nothing but reading (S2.1, S3.1, S4.3).
 *
 * Calls are started and later answered through a callback, on one thread, over a small pool of kept-alive
 * connections: vw_mlflow_run() does the work until nothing is outstanding. A callback may start further calls.
 *
 *	static void versions_page(void *arg, const struct vw_mlflow_answer *a) { ... }
 *	vw_mlflow_search_versions(client, &query, versions_page, sync);
 *	code = vw_mlflow_run(client, &err);
 *
 * Every call is on the allow-list in calls.c: method and path. Anything else cannot be built, and the transport
 * refuses it once more (VW_EUSAGE; an assertion in debug builds).
 *
 * Faults that pass (429, 500, 502, 503, 504, broken connections, time-outs) are retried with jitter, honouring Retry-After, before a
 * callback hears of them. All requests draw from one token bucket. */
#ifndef MLFLOW_CLIENT_H
#define MLFLOW_CLIENT_H

#include "base/arena.h"
#include "base/error.h"
#include "mlflow/credential.h"
#include "proto/model.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Where and how; all strings are borrowed until vw_mlflow_close(). Zero means the default in brackets. */
struct vw_mlflow_settings {
	const char *
	    tracking_uri; /* "https://host[:port][/prefix]"; user info in it is an error here: credentials are apart */
	const char
	    *workspace;      /* NULL: all that the server offers to this credential (3.10+), none on older servers */
	const char *ca_file; /* PEM; NULL: the system's bundle, looked for in the usual places */
	const char *client_cert_file; /* PEM with certificate, and key unless client_key_file is given */
	const char *client_key_file;
	bool insecure_tls;          /* do not check the server's certificate: MLFLOW_TRACKING_INSECURE_TLS */
	const char *const *headers; /* "Name: value", NULL-terminated; values are secrets to us and never shown */
	const char *proxy; /* NULL: HTTP_PROXY, HTTPS_PROXY, NO_PROXY of the environment, as curl reads them */
	const char *aws_sigv4_service; /* non-NULL: sign with AWS SigV4 for this service ("execute-api") */
	const char *aws_region;
	int connections;            /* [4] */
	double requests_per_second; /* [20] token bucket's rate */
	int burst;                  /* [40] token bucket's size */
	int retries;                /* [5] beyond the first try; negative: none */
	int64_t connect_timeout_ms; /* [10 s] */
	int64_t request_timeout_ms; /* [120 s] one try */
	int64_t cycle_timeout_ms;   /* [0: none] all of vw_mlflow_run() since vw_mlflow_begin_cycle() */
	int page_versions;          /* [400] rows of model-versions/search */
	int page_models;            /* [200] */
	int page_runs;              /* [400] ids in one runs/search */
	const char *user_agent;     /* "vw-agent/1.0.0" */
};

/* What is counted since vw_mlflow_begin_cycle(). */
struct vw_mlflow_counts {
	int64_t requests; /* tries that were sent */
	int64_t retries;
	int64_t bytes_received; /* bodies as on the wire, before decompression */
};

struct vw_mlflow;

/* `credentials` is borrowed until close and read again whenever it says that it changed. `cancel` (may be NULL) is
 * looked at often; once it is non-zero vw_mlflow_run() ends within a second with VW_ECANCELLED. */
int vw_mlflow_open(const struct vw_mlflow_settings *settings, struct vw_credentials *credentials,
		   const volatile sig_atomic_t *cancel, struct vw_mlflow **out, struct vw_error *err);
void vw_mlflow_close(struct vw_mlflow *client);

void vw_mlflow_begin_cycle(struct vw_mlflow *client);
void vw_mlflow_counts(const struct vw_mlflow *client, struct vw_mlflow_counts *out);

/* What a call found. The arena holds all of it; a callback that wants to keep it calls vw_mlflow_take() and then owns the arena. */
struct vw_mlflow_answer {
	int code; /* VW_OK, or why there is nothing: VW_ENOTFOUND, VW_EFORBIDDEN, VW_EAUTH, VW_EINVAL, VW_ELIMIT, VW_EAGAIN, VW_ETIMEOUT, VW_ECANCELLED, VW_EUNSUPPORTED (the server does not have
		   the call), VW_ECONFIG (TLS, a redirect: what the operator has to mend), VW_ENOMEM */
	const struct vw_error *error; /* with the call's name and what the server said; never NULL */
	int http_status;              /* 0 when no answer came */
	const char
	    *next_page_token; /* NULL: that was the last page. A page may be short or empty and still have one */
	size_t count;         /* of the list that the call fills */
	vw_registered_model **models;
	vw_model_version **versions;
	vw_run **runs;
	vw_experiment **experiments;
	vw_logged_model **logged_models;
	char **texts;                       /* workspaces' names, the server's version */
	size_t malformed;                   /* objects on this page that could not even be named */
	const struct vw_mlflow_flaw *flaws; /* of the objects that could; see vw_mlflow_flaws() */
	size_t flaw_count;
	struct vw_arena **arena; /* of all this */
};

/* What is wrong with an object that is given back all the same: values that are missing although the server sent them. */
#define VW_FLAW_CUT        1u /* over a cap of base/limits.h */
#define VW_FLAW_UNREADABLE 2u /* not of the type that it should be */
struct vw_mlflow_flaw {
	const void *object; /* one of the list */
	unsigned what;
};
/* VW_FLAW_... of one of the answer's objects; 0 is the ordinary case. */
unsigned vw_mlflow_flaws(const struct vw_mlflow_answer *answer, const void *object);

typedef void (*vw_mlflow_callback)(void *arg, const struct vw_mlflow_answer *answer);
struct vw_arena *vw_mlflow_take(const struct vw_mlflow_answer *answer);

/* Works until no call is outstanding. 0, VW_ECANCELLED, VW_ETIMEOUT (the cycle's), VW_ENOMEM. Failures of single calls are the callbacks' business. */
int vw_mlflow_run(struct vw_mlflow *client, struct vw_error *err);
/* From a callback, when no further answer is wanted: vw_mlflow_run() ends with VW_ECANCELLED, and so do the calls that are outstanding.
 * Holds until the next vw_mlflow_begin_cycle(). */
void vw_mlflow_stop(struct vw_mlflow *client);
/* True while vw_mlflow_run() ends before its time and answers everything outstanding with one code: what a callback hears then is no
 * word about its object. */
bool vw_mlflow_ending(const struct vw_mlflow *client);
/* Called from vw_mlflow_run() at least once a second, also while it only waits: for a watchdog. NULL ends that. */
void vw_mlflow_on_tick(struct vw_mlflow *client, void (*tick)(void *arg), void *arg);

/* ---- The calls. Each returns 0 once the call is queued; the callback comes exactly once, from vw_mlflow_run().
 * Not queued: VW_ENOMEM, and VW_ECANCELLED or VW_ETIMEOUT while vw_mlflow_run() is ending with that. ---- */

/* GET /version (2.x+; text) → texts[0]; VW_ENOTFOUND on servers that hide it. */
int vw_mlflow_get_version(struct vw_mlflow *client, vw_mlflow_callback done, void *arg);
/* Workspaces that this credential may see (3.10+) → texts; VW_ENOTFOUND/VW_EUNSUPPORTED where the server has none. */
int vw_mlflow_list_workspaces(struct vw_mlflow *client, vw_mlflow_callback done, void *arg);

/* For the calls below: which workspace they speak of (NULL: the server has none). Takes effect for calls started afterwards. */
void vw_mlflow_use_workspace(struct vw_mlflow *client, const char *workspace);

enum vw_mlflow_order {
	VW_ORDER_NAME,        /* name ASC, version_number ASC: a stable walk */
	VW_ORDER_UPDATED_DESC /* newest change first: for a quick sync */
};
struct vw_mlflow_query {
	enum vw_mlflow_order order;
	const char *page_token; /* NULL: the first page. Copied */
	const char *model;      /* NULL: all; else exactly this name. Quoted as MLflow's filter wants it */
	int max_results;        /* 0: the setting's */
};
/* registered-models/search → models, prompts among them (tag mlflow.prompt.is_prompt). */
int vw_mlflow_search_models(struct vw_mlflow *client, const struct vw_mlflow_query *query, vw_mlflow_callback done,
			    void *arg);
/* model-versions/search → versions; aliases are always empty here, that is MLflow's doing. */
int vw_mlflow_search_versions(struct vw_mlflow *client, const struct vw_mlflow_query *query, vw_mlflow_callback done,
			      void *arg);
/* experiments/search, view_type ALL → experiments. */
int vw_mlflow_search_experiments(struct vw_mlflow *client, const char *page_token, vw_mlflow_callback done,
				 void *arg);
/* runs/search with `run_id IN (…)`, run_view_type ALL → runs, in no order, with some ids silently missing: not visible to this
 * credential, gone, or dropped by the server's parser (confirm with vw_mlflow_get_run). At most settings.page_runs ids. Copied. */
int vw_mlflow_search_runs(struct vw_mlflow *client, const char *const *experiment_ids, size_t experiments,
			  const char *const *run_ids, size_t runs, vw_mlflow_callback done, void *arg);
/* runs/get → runs[0], deleted ones too. */
int vw_mlflow_get_run(struct vw_mlflow *client, const char *run_id, vw_mlflow_callback done, void *arg);
/* registered-models/get → models[0]; aliases included where the server has them. */
int vw_mlflow_get_model(struct vw_mlflow *client, const char *name, vw_mlflow_callback done, void *arg);
/* model-versions/get → versions[0]. */
int vw_mlflow_get_model_version(struct vw_mlflow *client, const char *name, const char *version,
				vw_mlflow_callback done, void *arg);
/* experiments/get → experiments[0]. */
int vw_mlflow_get_experiment(struct vw_mlflow *client, const char *experiment_id, vw_mlflow_callback done, void *arg);
/* logged-models/search with `model_id IN (…)` where the server can and there are experiments to look in, else logged-models/{id} one by one behind the same callback → logged_models. At most 50 ids. */
int vw_mlflow_search_logged_models(struct vw_mlflow *client, const char *const *experiment_ids, size_t experiments,
				   const char *const *model_ids, size_t models, vw_mlflow_callback done, void *arg);

/* libcurl and what it is built with, for `version`. Static storage. */
const char *vw_mlflow_http_version(void);

/* ---- The allow-list, for tests, doctor and documentation ---- */
struct vw_mlflow_call {
	const char *method; /* GET or POST; every POST here is a search */
	const char *path;   /* below the tracking URI; "{id}" stands for one path segment */
	const char *what;   /* for people */
};
const struct vw_mlflow_call *vw_mlflow_calls(size_t *out_count);
/* True if a request may leave the process. `path` without query, below the tracking URI's prefix. */
bool vw_mlflow_allowed(const char *method, const char *path);

#endif
