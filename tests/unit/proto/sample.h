/* sample.h: a record with something of each kind in it, for the tests of this folder. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "proto/message.h"
#include "proto/model.h"

#include <math.h>
#include <string.h>

#define SAMPLE_TIME 1772366400000 /* 2026-03-01T12:00:00.000Z */

static inline vw_key_value **sample_map(struct vw_arena *arena, const char *const *pairs, size_t count)
{
	vw_key_value **list = vw_arena_array(arena, count, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		list[i] = vw_message_new(arena, &verifywise__v1__key_value__descriptor);
		list[i]->key = vw_arena_strdup(arena, pairs[2 * i]);
		list[i]->value = vw_arena_strdup(arena, pairs[2 * i + 1]);
	}
	return list;
}

static inline vw_metric *sample_metric(struct vw_arena *arena, const char *key, double value)
{
	vw_metric *metric = vw_message_new(arena, &verifywise__v1__metric__descriptor);
	metric->key = vw_arena_strdup(arena, key);
	VW_SET(metric, value, value);
	VW_SET(metric, step, 3);
	VW_SET(metric, timestamp, SAMPLE_TIME);
	return metric;
}

static inline vw_record *sample_record(struct vw_arena *arena)
{
	static const char *const tags[] = {"note", "a \"b\"", "team", "risk", "team.lead", "eve"};
	vw_record *record = vw_message_new(arena, &verifywise__v1__record__descriptor);

	record->model_name = vw_arena_strdup(arena, "churn");
	record->version_number = vw_arena_strdup(arena, "12");
	record->lifecycle = vw_message_new(arena, &verifywise__v1__lifecycle__descriptor);
	record->lifecycle->lifecycle_stage = vw_arena_strdup(arena, "Production");
	record->lifecycle->version_status = vw_arena_strdup(arena, "");
	record->lifecycle->tags = sample_map(arena, tags, 3);
	record->lifecycle->n_tags = 3;
	record->lifecycle->aliases = vw_arena_array(arena, 2, sizeof(char *));
	record->lifecycle->aliases[0] = vw_arena_strdup(arena, "champion");
	record->lifecycle->aliases[1] = vw_arena_strdup(arena, "prod");
	record->lifecycle->n_aliases = 2;
	VW_SET(record->lifecycle, created_at, SAMPLE_TIME);
	record->training = vw_message_new(arena, &verifywise__v1__training__descriptor);
	record->training->metrics = vw_arena_array(arena, 2, sizeof(vw_metric *));
	record->training->metrics[0] = sample_metric(arena, "auc", 0.93);
	record->training->metrics[1] = sample_metric(arena, "loss", (double)NAN);
	record->training->n_metrics = 2;
	return record;
}

#endif
