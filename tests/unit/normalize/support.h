/* support.h: MLflow's entities out of JSON, and the record they become as JSON again. */
#ifndef NORMALIZE_TEST_SUPPORT_H
#define NORMALIZE_TEST_SUPPORT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/arena.h"
#include "base/json.h"
#include "normalize/mask.h"
#include "normalize/normalize.h"
#include "proto/message.h"

/* A JSON file of this test's data folder; fails the test when it cannot be read. The caller's reference. */
json_t *load_json(const char *name);

/* A message whose fields are the object's members, by their names in the .proto file. A list of KeyValue may be an object,
 * or an array of [key, value] where order or repetition matters. Numbers may be the words NaN, Infinity, -Infinity. */
void *message_of(struct vw_arena *arena, const ProtobufCMessageDescriptor *type, const json_t *members);

/* {"model", "version", "run", "experiment", "logged_model", "workspace", "reasons": {code: text},
 *  "mask": true to mask them first, "previous": {the same}, "previous_at", "add_tags": {field: [spelling]}}
 * A version without a name is "3" of "churn". */
struct vw_normalize_input *input_of(struct vw_arena *arena, const json_t *members);
vw_record *normalize_or_fail(struct vw_arena *arena, const struct vw_normalize_input *input,
			     const struct vw_mapping *mapping);
/* An input through all of it, what was before first. */
vw_record *record_of(struct vw_arena *arena, const json_t *members);

/* As vw_message_json() writes it, but provenance as an object {field: from or [from, raw]} and warnings as
 * ["code field"]. The caller's reference. */
json_t *json_of_record(const vw_record *record);
json_t *json_of_message(const ProtobufCMessage *message);

/* The packed bytes are the same. */
bool same_message(const ProtobufCMessage *a, const ProtobufCMessage *b);

/* Fails the test unless `given` has all that `wanted` has: objects may have more members, arrays may not. */
void assert_holds(const char *what, const json_t *wanted, const json_t *given);
/* True if the record has a warning of this code for this field. */
bool has_warning(const vw_record *record, const char *code, const char *field);

#endif
