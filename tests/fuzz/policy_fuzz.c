/* The policy's file, and a record judged by whatever policy came out of it. */
#include "base/arena.h"
#include "compliance/policy.h"
#include "proto/message.h"
#include "proto/model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static vw_key_value *make_tag(struct vw_arena *arena, const char *key, const char *value)
{
	vw_key_value *tag = vw_message_new(arena, &verifywise__v1__key_value__descriptor);

	tag->key = (char *)key;
	tag->value = (char *)value;
	return tag;
}

/* Most sections are there, artifacts and the run are not. */
static vw_record *make_record(struct vw_arena *arena)
{
	vw_key_value **tags = vw_arena_array(arena, 2, sizeof(vw_key_value *));
	vw_record *record = vw_message_new(arena, &verifywise__v1__record__descriptor);
	vw_reason *reason = vw_message_new(arena, &verifywise__v1__reason__descriptor);
	vw_reason **reasons = vw_arena_array(arena, 1, sizeof(vw_reason *));

	tags[0] = make_tag(arena, "team", "risk");
	tags[1] = make_tag(arena, "use_case", "credit scoring");
	record->model_name = (char *)"churn";
	record->version_number = (char *)"3";
	record->identity = vw_message_new(arena, &verifywise__v1__identity__descriptor);
	record->identity->owner = (char *)"alice";
	record->identity->tags = tags;
	record->identity->n_tags = 2;
	record->lifecycle = vw_message_new(arena, &verifywise__v1__lifecycle__descriptor);
	record->lifecycle->lifecycle_stage = (char *)"Production";
	record->completeness = vw_message_new(arena, &verifywise__v1__completeness__descriptor);
	record->completeness->state = (char *)"partial";
	reason->code = (char *)"run_forbidden";
	reasons[0] = reason;
	record->completeness->reasons = reasons;
	record->completeness->n_reasons = 1;
	return record;
}

/* Evaluation never fails because of content, and what it makes can be packed. */
static void judge(const struct vw_policy *policy)
{
	struct vw_arena *arena = vw_arena_open(0);
	vw_compliance *compliance = NULL;
	size_t len;

	if (vw_policy_evaluate(policy, make_record(arena), 1767225600000, arena, &compliance, NULL))
		abort();
	for (size_t i = 0; i < compliance->n_findings; i++) {
		const vw_finding *finding = compliance->findings[i];
		/* a rule that does not apply is stored by its name alone */
		if (!finding->has_state || (finding->state != VW_FINDING_NOT_APPLICABLE && !finding->message))
			abort();
	}
	vw_message_pack(arena, &compliance->base, &len);
	vw_arena_close(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_policy *policy = NULL;
	struct vw_error err = VW_ERROR_INIT;

	if (vw_policy_load((const char *)data, size, "fuzz", &policy, &err) == 0) {
		judge(policy);
		vw_policy_close(policy);
	} else if (!err.code || !err.message[0]) {
		abort();
	}
	return 0;
}
