/* condition.h: a compiled condition and its truth about one record.
 *
 * Logic is Kleene's, with three values: what could not be seen is neither true nor false, and an `all`, `any` or
 * `not` over it is unknown unless the other parts decide. Named conditions are shared between rules; the truth of
 * each condition is found once for each record, so the time is linear in the policy's size. */
#ifndef COMPLIANCE_CONDITION_H
#define COMPLIANCE_CONDITION_H

#include "field.h"
#include "schema.h"

#include "base/error.h"
#include "base/pattern.h"

/* In this order `all` is the least and `any` the greatest of the parts. */
enum vw_truth { VW_UNDECIDED, VW_FALSE, VW_UNKNOWN, VW_TRUE };

enum vw_operator { VW_OP_IN, VW_OP_PRESENT, VW_OP_MATCHES, VW_OP_MIN_ITEMS, VW_OP_ALL, VW_OP_ANY, VW_OP_NOT };

struct vw_condition {
	enum vw_operator op;
	size_t index; /* among all of the policy's */
	int height;   /* levels of all, any and not; 0 for an operator over a field */

	const struct vw_policy_field *field;
	char *const *texts; /* in; `is` is a list of one */
	size_t text_count;
	bool wanted; /* present */
	struct vw_pattern *pattern;
	uint32_t min_items;

	struct vw_condition **parts; /* all, any, not */
	size_t part_count;

	struct vw_condition *next; /* of the policy's list */
};

/* All conditions of a policy, and what they share. */
struct vw_conditions {
	struct vw_arena *arena; /* borrowed */
	struct vw_condition *all;
	size_t count;
	struct vw_policy_field *fields;
	size_t field_count;
	const struct vw_yaml_named *names; /* named conditions compiled so far */
	struct vw_condition **named;
	size_t named_count;
};

/* Compiles a condition; NULL when it is wrong. `err`, which is not NULL, says what is wrong, and the caller says where:
 * VW_ECONFIG, VW_ELIMIT, VW_ENOMEM. */
struct vw_condition *vw_condition_compile(struct vw_conditions *conditions, const struct vw_yaml_condition *yaml,
					  struct vw_error *err);
/* Closes the patterns; the rest is the arena's. */
void vw_conditions_close(struct vw_conditions *conditions);

/* What is known about one record: filled as conditions ask. */
struct vw_view {
	struct vw_arena *arena; /* borrowed */
	const vw_record *record;
	struct vw_policy_values *values; /* by field */
	unsigned char *truths;           /* enum vw_truth, by condition */
	size_t *matched;                 /* by condition: 1 + the index of the value that matched, or 0 */
};

/* VW_ENOMEM only. */
int vw_view_init(struct vw_view *view, struct vw_arena *arena, const struct vw_conditions *conditions,
		 const vw_record *record);
enum vw_truth vw_condition_truth(struct vw_view *view, const struct vw_condition *condition);
const struct vw_policy_values *vw_view_values(struct vw_view *view, const struct vw_policy_field *field);

#endif
