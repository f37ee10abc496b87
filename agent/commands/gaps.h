/* gaps.h: findings collected from all records, and the forms in which they are handed on. */
#ifndef COMMANDS_GAPS_H
#define COMMANDS_GAPS_H

#include "compliance/policy.h"
#include "proto/model.h"

#include <stddef.h>

/* One open or unknown finding; in an arena. */
struct gap {
	const char *workspace;
	const char *model;
	const char *version;
	const char *stage;
	const vw_finding *finding;
};

struct gap_list {
	struct gap *items;
	size_t count, size;
	size_t versions; /* looked at */
	size_t with_gaps;
	size_t unknown; /* findings that could not be judged, whether they are among the items or not */
};

/* SARIF 2.1.0 (OASIS), for code-scanning dashboards: rules from the policy, one result for each gap. */
void gaps_print_sarif(const struct gap_list *list, const struct vw_policy *policy);
/* JUnit XML as CI servers read it: one test case for each finding, gaps are failures. */
void gaps_print_junit(const struct gap_list *list);

#endif
