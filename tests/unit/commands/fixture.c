#include "fixture.h"

#include "base/digest.h"
#include "proto/message.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct vw_store *fixture_store;
char fixture_folder[] = "/tmp/vw_commands_test.XXXXXX";

int fixture_open(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	strcpy(fixture_folder + strlen(fixture_folder) - 6, "XXXXXX");
	if (!mkdtemp(fixture_folder))
		return -1;
	return vw_store_open(fixture_folder, VW_KV_WRITE, &fixture_store, &err);
}

void fixture_release(void)
{
	vw_store_close(fixture_store);
	fixture_store = NULL;
}

int fixture_close(void **state)
{
	char command[64];
	(void)state;
	fixture_release();
	snprintf(command, sizeof(command), "rm -r %s", fixture_folder);
	return system(command);
}

struct append {
	vw_entry *entry;
	const vw_record *record;
	struct vw_arena *arena;
};

static int append_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct append *a = arg;
	return vw_store_append(txn, fixture_store, a->arena, a->entry, a->record, NULL, err);
}

static void append(struct vw_arena *arena, vw_entry *entry, const vw_record *record)
{
	struct append a = {entry, record, arena};
	struct vw_error err = VW_ERROR_INIT;
	vw_access access = VERIFYWISE__V1__ACCESS__INIT;
	access.credential = vw_arena_strdup(arena, "basic:alice");
	entry->access = &access;
	if (vw_kv_write(vw_store_kv(fixture_store), append_step, &a, &err) < 0)
		fail_msg("%s", err.message);
}

#define NEW(arena, type) vw_message_new(arena, &verifywise__v1__##type##__descriptor)

static vw_record *record_of(struct vw_arena *arena, const struct fixture_version *v)
{
	vw_record *record = NEW(arena, record);
	record->workspace = vw_arena_strdup(arena, v->workspace);
	record->model_name = vw_arena_strdup(arena, v->model);
	record->version_number = vw_arena_strdup(arena, v->number);
	record->lifecycle = NEW(arena, lifecycle);
	record->lifecycle->lifecycle_stage = vw_arena_strdup(arena, v->stage);
	record->identity = NEW(arena, identity);
	record->identity->owner = vw_arena_strdup(arena, v->owner);
	record->completeness = NEW(arena, completeness);
	record->completeness->state = vw_arena_strdup(arena, v->completeness ? v->completeness : "complete");
	if (v->reason) {
		vw_reason *reason = NEW(arena, reason);
		reason->code = vw_arena_strdup(arena, v->reason);
		reason->text = vw_arena_strdup(arena, "why");
		record->completeness->reasons = vw_arena_memdup(arena, &reason, sizeof(vw_reason *));
		record->completeness->n_reasons = 1;
	}
	return record;
}

static vw_compliance *compliance_of(struct vw_arena *arena, const struct fixture_version *v)
{
	vw_compliance *c = NEW(arena, compliance);
	c->findings = vw_arena_array(arena, 5, sizeof(vw_finding *));
	VW_SET(c, status, VW_COMPLIANCE_COMPLIANT);
	for (size_t i = 0; i < 5 && v->findings[i].rule; i++) {
		vw_finding *f = NEW(arena, finding);
		f->rule = vw_arena_strdup(arena, v->findings[i].rule);
		f->title = vw_arena_printf(arena, "Title of %s", f->rule);
		f->message = vw_arena_strdup(arena, v->findings[i].message);
		VW_SET(f, severity, v->findings[i].severity);
		VW_SET(f, state, v->findings[i].state);
		if (f->state == VW_FINDING_GAP)
			VW_SET(c, status, VW_COMPLIANCE_GAPS);
		c->findings[c->n_findings++] = f;
	}
	return c;
}

static void put_events(struct vw_arena *arena, const struct fixture_version *v, vw_version_recorded *body)
{
	body->events = vw_arena_array(arena, 3, sizeof(vw_deployment_event *));
	for (size_t i = 0; i < 3 && v->events[i][0]; i++) {
		vw_deployment_event *event = NEW(arena, deployment_event);
		event->field = vw_arena_strdup(arena, v->events[i][0]);
		event->from = vw_arena_strdup(arena, v->events[i][1]);
		event->to = vw_arena_strdup(arena, v->events[i][2]);
		body->events[body->n_events++] = event;
	}
}

void fixture_put(const struct fixture_version *v, int64_t at)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_record *record = record_of(arena, v);
	vw_version_recorded *body = NEW(arena, version_recorded);
	vw_entry *entry = NEW(arena, entry);
	uint8_t sha256[VW_SHA256_SIZE];
	size_t len;
	uint8_t *bytes = vw_message_pack(arena, &record->base, &len);
	vw_sha256_of(bytes, len, sha256);
	VW_SET_BYTES(body, record, bytes, len);
	VW_SET_BYTES(body, record_sha256, sha256, sizeof(sha256));
	VW_SET(body, first_seen_at, at);
	VW_SET(body, life, 1);
	body->compliance = compliance_of(arena, v);
	if (v->changed) {
		char *changed = vw_arena_strdup(arena, v->changed);
		body->changed = vw_arena_memdup(arena, &changed, sizeof(changed));
		body->n_changed = 1;
	}
	put_events(arena, v, body);
	VW_SET(entry, recorded_at, at);
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry->version = body;
	append(arena, entry, record);
}

void fixture_remove(const char *model, const char *number, const char *stage, int64_t at)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_version_removed *body = NEW(arena, version_removed);
	vw_entry *entry = NEW(arena, entry);
	body->model_name = vw_arena_strdup(arena, model);
	body->version_number = vw_arena_strdup(arena, number);
	body->event = NEW(arena, deployment_event);
	body->event->field = vw_arena_strdup(arena, "removed");
	body->event->from = vw_arena_strdup(arena, stage);
	VW_SET(entry, recorded_at, at);
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_REMOVAL;
	entry->removal = body;
	append(arena, entry, NULL);
}

static vw_audit *new_audit(struct vw_arena *arena, vw_entry *entry, vw_audit_kind kind, int64_t at)
{
	vw_audit *audit = NEW(arena, audit);
	VW_SET(audit, kind, kind);
	VW_SET(entry, recorded_at, at);
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry->audit = audit;
	return audit;
}

void fixture_audit(vw_audit_kind kind, const char *subject, const char *text, const char *from, const char *to,
		   int64_t at)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_entry *entry = NEW(arena, entry);
	vw_audit *audit = new_audit(arena, entry, kind, at);
	audit->subject = vw_arena_strdup(arena, subject);
	audit->text = vw_arena_strdup(arena, text);
	audit->from = vw_arena_strdup(arena, from);
	audit->to = vw_arena_strdup(arena, to);
	append(arena, entry, NULL);
}

void fixture_finish(const char *outcome, int64_t created, int64_t at)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_entry *entry = NEW(arena, entry);
	vw_audit *audit = new_audit(arena, entry, VW_AUDIT_SYNC_FINISHED, at);
	audit->depth = vw_arena_strdup(arena, "full");
	audit->outcome = vw_arena_strdup(arena, outcome);
	audit->counts = NEW(arena, sync_counts);
	VW_SET(audit->counts, created, created);
	append(arena, entry, NULL);
}
