#include "ledger.h"

#include "base/digest.h"

void ledger_begin(struct ledger *ledger, struct vw_arena *arena, const char *genesis_agent_id)
{
	ledger->arena = arena;
	vw_chain_begin(&ledger->chain, genesis_agent_id);
}

vw_chained_entry *ledger_bytes(struct ledger *ledger, const void *payload, size_t len)
{
	struct vw_chain *c = &ledger->chain;
	struct vw_ledger_owner owner = {c->organization, c->agent_id, c->epoch};
	vw_chained_entry *out = vw_message_new(ledger->arena, &verifywise__v1__chained_entry__descriptor);
	uint8_t *hash = vw_arena_alloc(ledger->arena, VW_LEDGER_HASH);
	vw_ledger_hash(&owner, ++c->head.sequence, c->head.hash, payload, len, hash);
	memcpy(c->head.hash, hash, VW_LEDGER_HASH);
	VW_SET_BYTES(out, payload, payload, len);
	VW_SET_BYTES(out, chain_sha256, hash, VW_LEDGER_HASH);
	return out;
}

vw_chained_entry *ledger_entry(struct ledger *ledger, const vw_entry *entry)
{
	size_t len;
	const uint8_t *bytes = vw_message_pack(ledger->arena, &entry->base, &len);
	return ledger_bytes(ledger, bytes, len);
}

/* ---- Kinds of entries ---- */

static void *new (struct vw_arena *arena, const ProtobufCMessageDescriptor *type)
{
	void *message = vw_message_new(arena, type);
	assert_non_null(message);
	return message;
}

static vw_record *record_of(struct vw_arena *arena, const struct seen *seen)
{
	vw_record *r = new (arena, &verifywise__v1__record__descriptor);
	r->workspace = (char *)seen->workspace;
	r->model_name = (char *)seen->model;
	r->version_number = (char *)seen->version;
	r->identity = new (arena, &verifywise__v1__identity__descriptor);
	r->identity->owner = (char *)seen->owner;
	r->identity->description = (char *)seen->description;
	if (seen->padding) {
		r->identity->business_purpose = vw_arena_alloc(arena, seen->padding + 1);
		memset(r->identity->business_purpose, 'x', seen->padding);
	}
	r->lifecycle = new (arena, &verifywise__v1__lifecycle__descriptor);
	r->lifecycle->lifecycle_stage = (char *)seen->stage;
	VW_SET(r->lifecycle, created_at, 5);
	VW_SET(r->lifecycle, last_updated_at, seen->updated_at);
	r->risk = new (arena, &verifywise__v1__risk__descriptor);
	r->risk->risk_category = (char *)seen->risk;
	r->lineage = new (arena, &verifywise__v1__lineage__descriptor);
	r->lineage->experiment_name = (char *)"experiment";
	if (seen->partial) {
		r->completeness = new (arena, &verifywise__v1__completeness__descriptor);
		r->completeness->state = (char *)"partial";
	}
	return r;
}

static vw_finding *finding_of(struct vw_arena *arena, const char *rule, const char *severity)
{
	vw_finding *f = new (arena, &verifywise__v1__finding__descriptor);
	vw_clauses *clauses = new (arena, &verifywise__v1__clauses__descriptor);
	int value;
	f->rule = (char *)rule;
	f->title = (char *)"a rule";
	VW_SET(f, state, VW_FINDING_GAP);
	assert_true(vw_enum_value(&verifywise__v1__severity__descriptor, severity, &value));
	VW_SET(f, severity, (vw_severity)value);
	clauses->framework = (char *)(value >= VW_SEVERITY_HIGH ? "eu_ai_act" : "iso_42001");
	f->clauses = vw_arena_memdup(arena, &clauses, sizeof(clauses));
	f->n_clauses = 1;
	return f;
}

/* One finding that passed, and those that are open. */
static vw_compliance *compliance_of(struct vw_arena *arena, const char *gaps)
{
	vw_compliance *c = new (arena, &verifywise__v1__compliance__descriptor);
	c->findings = vw_arena_array(arena, 32, sizeof(*c->findings));
	c->findings[c->n_findings++] = finding_of(arena, "passed", "critical");
	VW_SET(c->findings[0], state, VW_FINDING_PASS);
	char *rest = vw_arena_strdup(arena, gaps ? gaps : ""), *save = NULL;
	for (char *one = strtok_r(rest, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
		char *severity = strchr(one, ':');
		assert_non_null(severity);
		*severity++ = 0;
		c->findings[c->n_findings++] = finding_of(arena, one, severity);
	}
	VW_SET(c, status, gaps ? VW_COMPLIANCE_GAPS : VW_COMPLIANCE_COMPLIANT);
	return c;
}

static vw_deployment_event *event_of(struct vw_arena *arena, const char *field, const char *to)
{
	vw_deployment_event *e = new (arena, &verifywise__v1__deployment_event__descriptor);
	e->field = (char *)field;
	e->to = (char *)to;
	return e;
}

vw_entry *version_entry(struct vw_arena *arena, const struct seen *seen)
{
	vw_entry *entry = new (arena, &verifywise__v1__entry__descriptor);
	vw_version_recorded *v = new (arena, &verifywise__v1__version_recorded__descriptor);
	size_t len;
	uint8_t *sha256 = vw_arena_alloc(arena, VW_SHA256_SIZE);
	const uint8_t *bytes = vw_message_pack(arena, &record_of(arena, seen)->base, &len);
	vw_sha256_of(bytes, len, sha256);
	VW_SET_BYTES(v, record, bytes, len);
	VW_SET_BYTES(v, record_sha256, sha256, VW_SHA256_SIZE);
	VW_SET(v, first_seen_at, seen->at);
	v->compliance = compliance_of(arena, seen->gap);
	if (seen->event) {
		vw_deployment_event *event = event_of(arena, "lifecycle_stage", seen->event);
		v->events = vw_arena_memdup(arena, &event, sizeof(event));
		v->n_events = 1;
	}
	entry->access = new (arena, &verifywise__v1__access__descriptor);
	entry->access->source_uri = (char *)"http://mlflow:5000";
	VW_SET(entry, recorded_at, seen->at);
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry->version = v;
	return entry;
}

vw_entry *removal_entry(struct vw_arena *arena, const char *workspace, const char *model, const char *version,
			int64_t at)
{
	vw_entry *entry = new (arena, &verifywise__v1__entry__descriptor);
	vw_version_removed *r = new (arena, &verifywise__v1__version_removed__descriptor);
	r->workspace = (char *)workspace;
	r->model_name = (char *)model;
	r->version_number = (char *)version;
	r->event = event_of(arena, "removed", NULL);
	VW_SET(entry, recorded_at, at);
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_REMOVAL;
	entry->removal = r;
	return entry;
}

vw_chained_entry *ledger_version(struct ledger *ledger, const struct seen *seen)
{
	return ledger_entry(ledger, version_entry(ledger->arena, seen));
}

vw_chained_entry *ledger_removal(struct ledger *ledger, const char *workspace, const char *model, const char *version,
				 int64_t at)
{
	return ledger_entry(ledger, removal_entry(ledger->arena, workspace, model, version, at));
}

static vw_entry *audit_entry(struct vw_arena *arena, vw_audit_kind kind, const char *text)
{
	vw_entry *entry = new (arena, &verifywise__v1__entry__descriptor);
	vw_audit *audit = new (arena, &verifywise__v1__audit__descriptor);
	VW_SET(audit, kind, kind);
	audit->text = (char *)text;
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry->audit = audit;
	return entry;
}

vw_chained_entry *ledger_audit(struct ledger *ledger, const char *text)
{
	return ledger_entry(ledger, audit_entry(ledger->arena, VW_AUDIT_SYNC_STARTED, text));
}

vw_chained_entry *ledger_epoch(struct ledger *ledger, const char *organization, const char *agent_id, uint64_t epoch)
{
	vw_entry *entry = audit_entry(ledger->arena, VW_AUDIT_EPOCH_STARTED, NULL);
	vw_epoch_started *started = new (ledger->arena, &verifywise__v1__epoch_started__descriptor);
	started->organization = (char *)organization;
	started->agent_id = (char *)agent_id;
	VW_SET(started, epoch, epoch);
	entry->audit->epoch = started;
	snprintf(ledger->chain.organization, sizeof(ledger->chain.organization), "%s", organization);
	snprintf(ledger->chain.agent_id, sizeof(ledger->chain.agent_id), "%s", agent_id);
	ledger->chain.epoch = epoch;
	return ledger_entry(ledger, entry);
}

/* ---- Batches ---- */

void batch_add(struct vw_arena *arena, vw_entry_batch *batch, vw_chained_entry *entry)
{
	vw_chained_entry **list = vw_arena_array(arena, batch->n_entries + 1, sizeof(*list));
	if (batch->n_entries)
		memcpy(list, batch->entries, batch->n_entries * sizeof(*list));
	list[batch->n_entries++] = entry;
	batch->entries = list;
}

vw_entry_batch *batch_of(struct vw_arena *arena, uint64_t first, size_t count, ...)
{
	vw_entry_batch *batch = new (arena, &verifywise__v1__entry_batch__descriptor);
	va_list entries;
	VW_SET(batch, first_sequence, first);
	va_start(entries, count);
	for (size_t i = 0; i < count; i++)
		batch_add(arena, batch, va_arg(entries, vw_chained_entry *));
	va_end(entries);
	return batch;
}
