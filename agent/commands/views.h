/* views.h: stored versions as the commands show them: filtered, each with its record, entry and times. */
#ifndef COMMANDS_VIEWS_H
#define COMMANDS_VIEWS_H

#include "command.h"
#include "proto/record_json.h"

/* NULL members don't filter. Texts are compared without regard to case; globs are globs. */
struct view_filter {
	const char *model;     /* exactly */
	const char *workspace; /* exactly; "" is a server without */
	const char *model_glob;
	const char *owner_glob;
	const char *stage;
	const char *status; /* compliant, gaps, unknown */
	const char *risk;
	bool with_removed;
};

/* 0 to go on, 1 to stop, negative to fail. Everything is borrowed for the call. */
typedef int (*each_view)(const struct vw_record_view *view, struct vw_arena *arena, void *arg, struct vw_error *err);
int views_each(struct vw_store *store, const struct view_filter *filter, each_view each, void *arg,
	       struct vw_error *err);

/* The filter that --model, --owner, --stage, --status, --risk and --all ask for. EXIT_OK or EXIT_USAGE. */
int view_filter_of(const struct vw_cli_invocation *in, struct view_filter *out);

/* "compliant", "gaps", "unknown". */
const char *view_status(const struct vw_record_view *view);
/* Findings in a state. */
size_t view_count(const struct vw_record_view *view, vw_finding_state state);

#endif
