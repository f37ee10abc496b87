/* field.h: a field of the record as a policy names it, its values, and whether it could be seen at all.
 *
 * Beyond proto/message.h's paths there are three forms: a map without a key stands for all its values
 * ("identity.tags"), a key may hold '*' ("training.evaluation_tags.*bias*"), and behind a list of messages
 * stands a member of them ("training.metrics.key"). Keys compare as everywhere: without case, '-', '_', '.'
 * and space are one character. */
#ifndef COMPLIANCE_FIELD_H
#define COMPLIANCE_FIELD_H

#include "base/arena.h"
#include "proto/message.h"
#include "proto/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VW_MAX_GLOB_STARS 4 /* in one glob: the time of a match grows with each of them */

struct vw_policy_field {
	const char *name; /* as written in the policy, which owns it */
	struct vw_field_path path;
	struct vw_policy_field *next;
	size_t index;
};

/* One value. `key` is the map entry's, else NULL. */
struct vw_policy_value {
	const char *key;
	const char *text;
};

/* A field's values that are not blank. Of a list of messages there is only the count. */
struct vw_policy_values {
	size_t count;
	struct vw_policy_value *items; /* NULL for messages */
	size_t room;
	bool gathered;
};

/* False when the record has no such field. `name` is borrowed. */
bool vw_policy_field_resolve(const char *name, struct vw_policy_field *out);

/* False for a section or a list of messages: they can be there and be counted, but not be compared. */
bool vw_policy_field_has_text(const struct vw_policy_field *field);

/* Texts are the record's own or in the arena. Without memory there are fewer: see vw_arena_failed(). */
void vw_policy_field_values(struct vw_arena *arena, const vw_record *record, const struct vw_policy_field *field,
			    struct vw_policy_values *out);

/* ---- What could be seen ---- */

/* True when the field's absence says nothing: its section was not read, or a source that may hold it was not. */
bool vw_policy_field_unseen(const vw_record *record, const struct vw_policy_field *field);
/* True when `reason` is one of those because of which that is so. */
bool vw_policy_reason_hides(const vw_reason *reason, const struct vw_policy_field *field);
/* True when the value is an earlier one, taken over because its source cannot be read now. */
bool vw_policy_field_stale(const vw_record *record, const struct vw_policy_field *field);
/* Where the value came from when it is only an account's name, not a person's word: "run:user_id". Else NULL. */
const char *vw_policy_field_weak_source(const vw_record *record, const struct vw_policy_field *field);

/* True for at most VW_MAX_GLOB_STARS stars. */
bool vw_policy_glob_ok(const char *glob);

#endif
