/* audit_view.h: the audit trail and the deployment events, as views of the ledger's entries (S3.5, S10.4, S10.5).
 *
 * One entry about a version gives several rows: that it was ingested, that it is incomplete, and each of its deployment events. */
#ifndef COMMANDS_AUDIT_VIEW_H
#define COMMANDS_AUDIT_VIEW_H

#include "command.h"
#include "proto/model.h"

struct audit_row {
	uint64_t sequence;
	const char *id; /* "17", or "17.2" for a part of an entry */
	int64_t at;
	const char *kind;      /* "ingested", "sync_finished", ... */
	const char *workspace; /* NULL where there is none */
	const char *model;     /* NULL where it is about no version */
	const char *version;
	const char *text; /* for a person */
	const vw_access *access;
	const vw_deployment_event *event;    /* of deployment_event, removed */
	const vw_audit *audit;               /* of stored audit entries */
	const vw_version_recorded *recorded; /* of ingested, incomplete */
};

struct audit_filter {
	const char *kind;       /* NULL: all */
	const char *model_glob; /* NULL: all */
	bool events_only;       /* deployment_event and removed */
	int64_t since;          /* ms; 0: all */
	uint64_t limit;         /* the newest; 0: all */
};

typedef int (*each_row)(const struct audit_row *row, struct vw_arena *arena, void *arg, struct vw_error *err);
/* In order of time, oldest first. */
int audit_each(struct vw_store *store, const struct audit_filter *filter, each_row each, void *arg,
	       struct vw_error *err);
/* --since and --limit. EXIT_OK or EXIT_USAGE. */
int audit_filter_of(const struct vw_cli_invocation *in, struct audit_filter *out);

#endif
