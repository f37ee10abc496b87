/* policy.h: rules read from a YAML file, and their judgement of a record (S3.4, S8, S12.3).
 *
 * A policy is loaded whole or not at all; errors name file, line and rule. Evaluation is pure, takes bounded time and never
 * fails because of a record's content: a field that could not be seen gives the state `unknown`. */
#ifndef COMPLIANCE_POLICY_H
#define COMPLIANCE_POLICY_H

#include "base/arena.h"
#include "base/error.h"
#include "proto/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vw_policy;

/* The text of the built-in policy, `verifywise-baseline`. Static storage. */
const char *vw_policy_baseline(size_t *out_len);

/* `name` is what messages call it: a path, or "built-in". The policy may also extend the normalizer's mapping (`tags:`, `stages:`), see below. */
int vw_policy_load(const char *bytes, size_t len, const char *name, struct vw_policy **out, struct vw_error *err);
void vw_policy_close(struct vw_policy *policy); /* NULL is fine */

const char *vw_policy_id(const struct vw_policy *policy);
int64_t vw_policy_version(const struct vw_policy *policy);
const uint8_t *vw_policy_sha256(const struct vw_policy *policy); /* 32 bytes, of the file's bytes */

/* A finding for each rule, in the policy's order; gaps and unknown ones of severity info do not change the status.
 * Judges a record as of `now_ms` (waivers end). The result is in the arena and may point into record and policy. VW_ENOMEM only. */
int vw_policy_evaluate(const struct vw_policy *policy, const vw_record *record, int64_t now_ms,
		       struct vw_arena *arena, vw_compliance **out, struct vw_error *err);

/* True when a waiver ended after `from_ms` and up to `to_ms`: what was judged as of `from_ms` has to be judged again, although
 * neither record nor policy changed. */
bool vw_policy_waiver_ended(const struct vw_policy *policy, int64_t from_ms, int64_t to_ms);

/* Extensions of the mapping that the policy file brings; `each` is called for each. Kind: "tag" (field, spelling) or "stage" (stage, word). */
int vw_policy_each_extension(const struct vw_policy *policy,
			     int (*each)(const char *kind, const char *target, const char *word, void *arg,
					 struct vw_error *err),
			     void *arg, struct vw_error *err);

/* For `gaps` and documentation: rule by index; NULL behind the last. Fields borrowed from the policy. */
struct vw_rule_info {
	const char *id;
	const char *title;
	vw_severity severity;
	size_t clause_count;
	vw_clauses *const *clauses;
};
const struct vw_rule_info *vw_policy_rule(const struct vw_policy *policy, size_t index);

#endif
