/* gaps.h: findings collected from all records, and the forms in which they are handed on.
 *
 * There may be half a million: what is kept of each is where it stands in the ledger, and what it is sorted by. The finding itself
 * is read when it is printed. */
#ifndef COMMANDS_GAPS_H
#define COMMANDS_GAPS_H

#include "base/arena.h"
#include "compliance/policy.h"
#include "proto/model.h"
#include "storage/store.h"

#include <stdbool.h>
#include <stddef.h>

/* A version that has findings to show; in the list's arena. */
struct gap_version {
	const char *workspace; /* NULL: none */
	const char *model;
	const char *number;
	const char *stage;
	uint64_t sequence; /* of its entry */
	size_t order;      /* in the inventory */
};

/* One open or unknown finding. */
struct gap {
	const struct gap_version *version;
	const char *rule;
	unsigned at; /* in the entry's findings */
	vw_severity severity;
	vw_finding_state state;
};

struct gap_list {
	struct vw_store *store;
	struct vw_arena *arena;
	struct gap *items; /* from malloc */
	size_t count, size;
	const char **rules; /* each name once */
	size_t rule_count, rule_size;
	size_t versions; /* looked at */
	size_t with_gaps;
	size_t unknown; /* findings that could not be judged, also where they are not shown */
};

struct gap_filter {
	const char *model; /* a glob; NULL: all */
	const char *rule;  /* a glob; NULL: all */
	bool unknown;      /* what could not be judged too */
};

enum gap_order { GAPS_BY_SEVERITY, GAPS_BY_RULE, GAPS_BY_MODEL };

int gaps_collect(struct vw_store *store, const struct gap_filter *filter, struct gap_list *out, struct vw_error *err);
void gaps_sort(struct gap_list *list, enum gap_order order);
void gaps_close(struct gap_list *list);

/* Calls `each` with one after the other, from `first`, `count` of them; the arena is reset after each. */
typedef int (*each_gap)(const struct gap *gap, const vw_finding *finding, struct vw_arena *arena, void *arg,
			struct vw_error *err);
int gaps_each(const struct gap_list *list, size_t first, size_t count, each_gap each, void *arg,
	      struct vw_error *err);

/* For people; grouped by rule, or by version when that is the order. */
int gaps_print_table(const struct gap_list *list, enum gap_order order, bool colours, struct vw_error *err);
int gaps_print_json(const struct gap_list *list, struct vw_error *err);
/* SARIF 2.1.0 (OASIS), for code-scanning dashboards: rules from the policy, one result for each gap. */
int gaps_print_sarif(const struct gap_list *list, const struct vw_policy *policy, struct vw_error *err);
/* JUnit XML as CI servers read it: one test case for each finding, gaps are failures. */
int gaps_print_junit(const struct gap_list *list, struct vw_error *err);

#endif
