#include "entries.h"

#include "base/digest.h"
#include "proto/message.h"

#include <stdlib.h>

#define NOW  ((int64_t)1700000000000)
#define TAGS 24 /* of a record; with them an entry has about 2 KB */

static void *new (struct vw_arena *arena, const ProtobufCMessageDescriptor *type)
{
	void *message = vw_message_new(arena, type);
	if (!message)
		abort();
	return message;
}

static vw_key_value **tags_of(struct vw_arena *arena, size_t number)
{
	vw_key_value **tags = vw_arena_array(arena, TAGS, sizeof(vw_key_value *));
	for (size_t i = 0; i < TAGS; i++) {
		tags[i] = new (arena, &verifywise__v1__key_value__descriptor);
		tags[i]->key = vw_arena_printf(arena, "parameter_%02zu_of_training", i);
		tags[i]->value = vw_arena_printf(arena, "value %zu of %zu, as somebody set it", i, number);
	}
	return tags;
}

static vw_record *record_of(struct vw_arena *arena, size_t number)
{
	vw_record *r = new (arena, &verifywise__v1__record__descriptor);
	r->model_name = vw_arena_printf(arena, "team-%zu/model-%06zu", number % 10, number / 10);
	r->version_number = vw_arena_printf(arena, "%zu", number % 10 + 1);
	r->identity = new (arena, &verifywise__v1__identity__descriptor);
	r->identity->owner = vw_arena_printf(arena, "owner-%zu", number % 100);
	r->identity->description = (char *)"A model that somebody trained, and what it is for, in a sentence or two.";
	r->lifecycle = new (arena, &verifywise__v1__lifecycle__descriptor);
	r->lifecycle->lifecycle_stage = (char *)(number % 5 ? "Staging" : "Production");
	VW_SET(r->lifecycle, last_updated_at, NOW - (int64_t)(number * 7919 % 1000000));
	r->training = new (arena, &verifywise__v1__training__descriptor);
	r->training->hyperparameters = tags_of(arena, number);
	r->training->n_hyperparameters = TAGS;
	r->risk = new (arena, &verifywise__v1__risk__descriptor);
	r->risk->risk_category = (char *)(number % 3 ? "minimal" : "high");
	return r;
}

static vw_compliance *compliance_of(struct vw_arena *arena, size_t number)
{
	static const char *const rules[] = {"owner", "baseline-metrics", "environment", "privacy"};
	vw_compliance *c = new (arena, &verifywise__v1__compliance__descriptor);
	c->n_findings = sizeof(rules) / sizeof(rules[0]);
	c->findings = vw_arena_array(arena, c->n_findings, sizeof(vw_finding *));
	for (size_t i = 0; i < c->n_findings; i++) {
		vw_finding *f = c->findings[i] = new (arena, &verifywise__v1__finding__descriptor);
		f->rule = (char *)rules[i];
		VW_SET(f, severity, (vw_severity)(VW_SEVERITY_LOW + (int)i));
		VW_SET(f, state, number % 4 == 0 && i < 2 ? VW_FINDING_GAP : VW_FINDING_PASS);
	}
	VW_SET(c, status, number % 4 == 0 ? VW_COMPLIANCE_GAPS : VW_COMPLIANCE_COMPLIANT);
	return c;
}

static vw_entry *entry_of(struct vw_arena *arena, size_t number)
{
	vw_entry *entry = new (arena, &verifywise__v1__entry__descriptor);
	vw_version_recorded *v = new (arena, &verifywise__v1__version_recorded__descriptor);
	vw_deployment_event *event = new (arena, &verifywise__v1__deployment_event__descriptor);
	size_t len;
	const uint8_t *record = vw_message_pack(arena, &record_of(arena, number)->base, &len);
	uint8_t *sha256 = vw_arena_alloc(arena, VW_SHA256_SIZE);
	vw_sha256_of(record, len, sha256);
	VW_SET_BYTES(v, record, record, len);
	VW_SET_BYTES(v, record_sha256, sha256, VW_SHA256_SIZE);
	v->compliance = compliance_of(arena, number);
	event->field = (char *)"first_seen";
	v->events = vw_arena_memdup(arena, &event, sizeof(event));
	v->n_events = 1;
	VW_SET(entry, recorded_at, NOW + (int64_t)number);
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry->version = v;
	return entry;
}

vw_chained_entry *bench_entry(struct vw_arena *arena, struct vw_chain *chain, struct vw_arena *scratch, size_t number)
{
	struct vw_ledger_owner owner = {chain->organization, chain->agent_id, chain->epoch};
	vw_chained_entry *out = new (arena, &verifywise__v1__chained_entry__descriptor);
	size_t len;
	const uint8_t *packed = vw_message_pack(scratch, &entry_of(scratch, number)->base, &len);
	uint8_t *payload = vw_arena_memdup(arena, packed, len);
	if (!payload)
		abort();
	vw_ledger_hash(&owner, ++chain->head.sequence, chain->head.hash, payload, len, chain->head.hash);
	VW_SET_BYTES(out, payload, payload, len);
	VW_SET_BYTES(out, chain_sha256, vw_arena_memdup(arena, chain->head.hash, VW_LEDGER_HASH), VW_LEDGER_HASH);
	vw_arena_reset(scratch);
	return out;
}
