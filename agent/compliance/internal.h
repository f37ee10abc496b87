/* internal.h: a loaded policy from the inside, and one judgement under way. */
#ifndef COMPLIANCE_INTERNAL_H
#define COMPLIANCE_INTERNAL_H

#include "compliance/policy.h"
#include "condition.h"

#include "base/buffer.h"
#include "base/digest.h"
#include "base/limits.h"

#include <stdbool.h>

struct vw_rule {
	struct vw_rule_info info;
	const char *gap;                 /* may be NULL */
	const char *fix;                 /* may be NULL */
	const struct vw_condition *when; /* NULL: always */
	const struct vw_condition *require;
};

struct vw_waiver {
	const struct vw_yaml_waiver *text;
	int64_t ends_at; /* ms: the first moment at which it no longer counts */
};

struct vw_policy {
	struct vw_arena *arena;
	struct vw_yaml_policy *yaml; /* the policy's texts point into it */
	uint8_t sha256[VW_SHA256_SIZE];
	struct vw_conditions conditions;
	struct vw_rule *rules;
	size_t rule_count;
	struct vw_waiver *waivers;
	size_t waiver_count;
};

/* A waiver that is about the record's model and version, whatever its rule and its end. */
struct vw_waiver_link {
	const struct vw_waiver *waiver;
	struct vw_waiver_link *next;
};

struct vw_evaluation {
	const struct vw_policy *policy;
	const vw_record *record;
	int64_t now_ms;
	struct vw_arena *arena;
	struct vw_view view;
	struct vw_buffer text; /* of the message that is being written */
	struct vw_waiver_link *waivers;
	bool waivers_listed;
	uint32_t *visited; /* by condition: the walk that was there last */
	uint32_t walk;
};

/* ---- waiver.c ---- */

/* VW_ECONFIG for a date that is none and for a rule that is not in the policy. The policy's rules are there already. */
int vw_waiver_compile(const struct vw_policy *policy, const struct vw_yaml_waiver *yaml, struct vw_waiver *out,
		      struct vw_error *err);
/* The waiver that counts for this rule now, the longest of them; else NULL, and in `out_ended` one that did count. */
const struct vw_waiver *vw_waiver_find(struct vw_evaluation *e, const struct vw_rule *rule,
				       const struct vw_waiver **out_ended);

/* ---- evidence.c ---- */

/* Conditions over a field, one for each field: the one that matched where there is one. */
struct vw_leaves {
	const struct vw_condition *items[VW_MAX_EVIDENCE];
	size_t count;
};
/* Adds those of a condition and all its parts; NULL adds none. Further ones than there is room for are left out. */
void vw_leaves_add(struct vw_evaluation *e, const struct vw_condition *condition, struct vw_leaves *leaves);
/* The fields looked at with their values, sorted. */
void vw_finding_set_evidence(struct vw_evaluation *e, const struct vw_leaves *leaves, vw_finding *finding);
/* At most `max` bytes of `text`, whole characters, with U+2026 in place of the rest. */
void vw_append_cut(struct vw_buffer *out, const char *text, size_t max);

/* ---- explain.c ---- */

/* Writes the finding's message; its state is set already. `leaves` is what was looked at, `waiver` the one that counts
 * or has ended, or NULL. */
void vw_finding_explain(struct vw_evaluation *e, const struct vw_rule *rule, const struct vw_leaves *leaves,
			const struct vw_waiver *waiver, vw_finding *finding);

#endif
