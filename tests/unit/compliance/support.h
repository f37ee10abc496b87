/* support.h: records out of a few lines of JSON, and findings looked up by rule. */
#ifndef COMPLIANCE_TEST_SUPPORT_H
#define COMPLIANCE_TEST_SUPPORT_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "base/arena.h"
#include "compliance/policy.h"
#include "proto/message.h"
#include "proto/model.h"

#include <jansson.h>

#define NOW 1767225600000 /* 2026-01-01T00:00:00Z */

/* A JSON file of this test's data folder; fails the test when it cannot be read. The caller's reference. */
json_t *load_json(const char *name);

/* {"risk.risk_category": "high", "identity.tags": {"a": "b"}, "training.metrics": {"f1": 0.9}, "artifacts": {},
 *  "reasons": {"run_forbidden": "text"}, "stale": ["training"], "stale_since_at": 0, "provenance": {"field": "from"}}
 * The model is "churn", its version "3", unless they are given. */
vw_record *make_record(struct vw_arena *arena, const json_t *fields);
vw_record *make_record_text(struct vw_arena *arena, const char *json);

/* Loads or fails the test with the error's message. */
struct vw_policy *load_policy(const char *yaml);
vw_compliance *evaluate(const struct vw_policy *policy, const vw_record *record, int64_t now_ms,
			struct vw_arena *arena);
/* The finding of a rule; fails the test when there is none. */
const vw_finding *finding_of(const vw_compliance *compliance, const char *rule);
const char *state_name(const vw_finding *finding);
const char *status_name(const vw_compliance *compliance);
/* The evidence's value; "(none)" when the field is not in it, "(missing)" when it has no value. */
const char *evidence_of(const vw_finding *finding, const char *field);
void assert_contains(const char *text, const char *part);

#endif
