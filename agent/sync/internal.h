/* internal.h: what the files of sync/ share. One `struct sync` is one cycle. */
#ifndef SYNC_INTERNAL_H
#define SYNC_INTERNAL_H

#include "sync/sync.h"

#include "base/arena.h"
#include "normalize/normalize.h"

/* A set of 64-bit digests of names: 8 bytes for each of the registry's versions is all that a cycle remembers of them. */
struct seen {
	uint64_t *items;
	size_t count;
	size_t size;
	bool sorted;
	bool failed; /* no memory: then nothing may be called unseen */
};
void seen_add(struct seen *set, const char *name, const char *version);
bool seen_has(struct seen *set, const char *name, const char *version);
void seen_reset(struct seen *set);

/* One entry to be appended, and the record in it if it has one. */
struct change {
	vw_entry *entry;
	const vw_record *record;
};
struct changes {
	struct change *items;
	size_t count;
};

/* One listing of the server, page by page. */
struct walk {
	const char *what; /* the call's name, for messages */
	char *token;      /* of the page that is asked for next; NULL: the first. From malloc */
	int64_t pages;
	int page_size; /* 0: the client's; halved when an answer was too large */
};

struct sync {
	const struct vw_sync_context *cx;
	const struct vw_sync_options *options;
	struct vw_sync_result *result;
	struct vw_arena *arena; /* lives as long as the cycle: small things only */
	const char *workspace;
	vw_access access;
	vw_sync_state *state; /* as it was when the cycle began */
	int64_t started_at;
	int64_t started_mono;
	int64_t step_mono;

	/* audit entries that belong in front of the first change of this cycle */
	bool opened;           /* sync_started is written */
	bool preamble_written; /* what changed around us since the last cycle */
	bool all_judged;       /* every stored record, as of started_at */

	/* the first failure that ends the cycle; later callbacks only clean up */
	int failure;
	struct vw_error failed;

	/* per workspace */
	char **experiment_ids;
	size_t experiment_count;
	size_t experiment_size;
	bool experiments_listed; /* all of them, so that a search in them finds whatever may be seen */
	struct seen versions;    /* in scope */
	struct seen models;      /* all that were listed */
	struct seen left_out;    /* models out of scope, and prompts */
	struct walk experiment_walk, model_walk, version_walk;
	int64_t listed_versions;
	int pages_open;
	bool next_due; /* a page waits until others are done */
	bool listing_done;
	bool quick_done;        /* the walk met what is known */
	int silent;             /* answers about runs in a row that were none */
	bool workspace_gone;    /* it is not offered any more: that nothing is listed in it is no wonder */
	int64_t newest_updated; /* highest last_updated_timestamp met, in all workspaces */
	int64_t expected;       /* versions, going by the newest of each model; in all workspaces so far */
	int64_t pages_done;     /* of versions */
	int64_t runs_read;
};

/* Notes the first failure; the cycle ends, and so do the calls that are outstanding. */
void sync_fail(struct sync *sync, int code, const struct vw_error *err);
/* The same for a call that could not be started; 0 is no failure. */
void sync_started(struct sync *sync, int code, const char *what);
/* Also while the client ends everything at once: nothing may be concluded from what it answers then. */
bool sync_stopped(const struct sync *sync);
void sync_progress(struct sync *sync, const char *step, int64_t done, int64_t total);

/* Appends changes in one transaction, with the entries that belong in front of them. Nothing is written for no changes. */
int sync_commit(struct sync *sync, struct vw_arena *arena, const struct changes *changes, struct vw_error *err);
/* The cycle's last transaction: its entry (may be NULL) and what the next one has to know. */
int sync_commit_end(struct sync *sync, vw_entry *last, vw_sync_state *state, struct vw_error *err);
const char *sync_depth_name(const struct sync *sync); /* "quick", "full" */

/* A new entry with time and access filled in. NULL without memory. */
vw_entry *sync_entry(struct sync *sync, struct vw_arena *arena);
vw_entry *sync_audit_entry(struct sync *sync, struct vw_arena *arena, vw_audit_kind kind, const char *subject,
			   const char *text);
/* `scratch` is for what is only looked at: it may be reset as soon as this returns. */
vw_entry *sync_removal_entry(struct sync *sync, struct vw_txn *txn, struct vw_arena *scratch, struct vw_arena *arena,
			     const vw_version_index *index, const char *source, struct vw_error *err);

/* listing.c: models and experiments, then the versions page by page. */
int sync_list_models(struct sync *sync, struct vw_error *err);
int sync_list_versions(struct sync *sync, struct vw_error *err);
/* Masks an answer's registered models, decides which are relevant, stores those. False when the cycle failed over it. */
bool sync_take_models(struct sync *sync, const struct vw_mlflow_answer *answer);
/* As relevant or not, as its facts are: counted and remembered. */
void sync_sort_model(struct sync *sync, const vw_registered_model *model);
void walk_reset(struct walk *walk, const char *what);

/* page.c: what belongs to one page of versions is fetched, then recorded. Takes the answer's arena. */
void sync_page_start(struct sync *sync, const struct vw_mlflow_answer *answer);
void sync_page_done(struct sync *sync); /* in listing.c: room for another page */

/* record.c: normalise, judge, compare; what differs becomes changes. */
struct version_facts {
	vw_model_version *version;
	const vw_run *run;
	const vw_logged_model *logged_model;
	int experiment_code; /* why the run's experiment could not be read; 0: it could, or was not asked for */
	struct vw_reason_text reasons[8];
	size_t reason_count;
};
void sync_add_reason(struct version_facts *facts, const char *code, const char *text);
/* VW_FLAW_...: what was left out of something that a record is made of. */
void sync_add_flaws(struct version_facts *facts, unsigned flaws);
int sync_record_versions(struct sync *sync, struct vw_arena *arena, const struct version_facts *facts, size_t count,
			 struct vw_error *err);
int sync_record_judge(struct sync *sync, struct vw_arena *arena, const vw_record *record, vw_compliance **out,
		      uint8_t out_sha256[32], struct vw_error *err);

/* False for stored bytes of another length too: the database is outside. */
bool sync_same_sha256(const ProtobufCBinaryData *a, const uint8_t b[32]);

/* judge.c: all that is stored, by the policy in force; counts what differs. */
int sync_judge_stored(struct sync *sync, struct vw_error *err);

/* removal.c: what a workspace that was walked does not show any more, and what is stored of workspaces that are not offered any more. */
int sync_remove_missing(struct sync *sync, struct vw_error *err);
int sync_remove_workspaces(struct sync *sync, char *const *offered, size_t count, struct vw_error *err);

/* Forgets what was learned of the workspace before, and speaks of this one from now on. NULL: the server has none. */
void sync_enter_workspace(struct sync *sync, const char *workspace);

/* scope.c: is this registered model relevant (S1.2)? */
bool scope_has_model(const struct vw_scope *scope, const vw_registered_model *model);
bool model_is_prompt(const vw_registered_model *model);

#endif
