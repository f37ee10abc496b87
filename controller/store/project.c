#include "project.h"

#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"
#include "proto/message.h"
#include "storage/store.h"

#include <inttypes.h>
#include <string.h>

bool vw_version_number(const char *text, uint64_t *out)
{
	uint64_t value = 0;
	if (!text || !*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(unsigned char)*text - '0';
		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

/* ---- Texts ---- */

/* Where the last whole character ends within `max` bytes. */
static size_t cut(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

/* NULL without memory. */
static char *clean_text(struct vw_arena *arena, char *text, size_t max)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t len = strlen(text);
	if (len <= max && vw_utf8_valid(text, len))
		return text;
	/* each bad byte becomes three, and a good one stays */
	size_t kept = len < max ? len : max, used = 0;
	char *out = vw_arena_array(arena, kept + 1, sizeof(replacement) - 1);
	if (!out)
		return NULL;
	for (size_t i = 0; i < kept;) {
		uint32_t point;
		size_t n = vw_utf8_decode(text + i, len - i, &point);
		memcpy(out + used, n > 0 ? text + i : replacement, n > 0 ? n : sizeof(replacement) - 1);
		used += n > 0 ? n : sizeof(replacement) - 1;
		i += n > 0 ? n : 1;
	}
	out[cut(out, used, max)] = 0;
	return out;
}

static bool clean_field(const ProtobufCFieldDescriptor *field, void *member, size_t max, struct vw_arena *arena)
{
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return !*(ProtobufCMessage **)member || vw_project_clean(*(ProtobufCMessage **)member, max, arena);
	char **text = member;
	if (field->type == PROTOBUF_C_TYPE_STRING && *text)
		*text = clean_text(arena, *text, max);
	return !vw_arena_failed(arena);
}

/* Recursion ends with the schema, which has no cycles. */
bool vw_project_clean(ProtobufCMessage *message, size_t max, struct vw_arena *arena)
{
	bool ok = true;
	for (unsigned i = 0; ok && i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		char *base = (char *)message;
		bool is_chosen = !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
				 *(uint32_t *)(base + field->quantifier_offset) == field->id;
		if (!is_chosen || (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE))
			continue;
		if (field->label != PROTOBUF_C_LABEL_REPEATED) {
			ok = clean_field(field, base + field->offset, max, arena);
			continue;
		}
		void **list = *(void ***)(base + field->offset);
		size_t count = *(size_t *)(base + field->quantifier_offset);
		for (size_t j = 0; ok && j < count; j++)
			ok = clean_field(field, &list[j], max, arena);
	}
	return ok;
}

/* ---- The version that an entry is about ---- */

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for the rows of a ledger entry");
}

static bool name_is_sound(const char *text, size_t max)
{
	size_t len = strlen(text);
	return len <= max && vw_utf8_valid(text, len);
}

static int check_key(const vw_version_row *row, uint64_t sequence, struct vw_error *err)
{
	uint64_t number;
	if (!row->model_name || !*row->model_name || !name_is_sound(row->model_name, VW_MAX_NAME))
		return vw_error_set(err, VW_EINVAL, "ledger entry %" PRIu64 " names no model in UTF-8 (VW_MAX_NAME)",
				    sequence);
	if (!name_is_sound(row->workspace, VW_STORE_WORKSPACE_MAX))
		return vw_error_set(err, VW_EINVAL,
				    "ledger entry %" PRIu64 ": the workspace is no name (VW_STORE_WORKSPACE_MAX)",
				    sequence);
	if (!vw_version_number(row->version_number, &number))
		return vw_error_set(err, VW_EINVAL, "ledger entry %" PRIu64 " names no version number", sequence);
	return 0;
}

static vw_version_row *new_row(int32_t organization, const char *agent_id, uint64_t sequence, const vw_entry *entry,
			       struct vw_arena *arena)
{
	vw_version_row *row = vw_message_new(arena, &verifywise__v1__version_row__descriptor);
	if (!row)
		return NULL;
	VW_SET(row, organization, organization);
	row->agent_id = (char *)agent_id;
	VW_SET(row, sequence, sequence);
	VW_SET(row, recorded_at, entry->recorded_at);
	row->workspace = (char *)"";
	return row;
}

/* ---- A version recorded ---- */

static int read_record(const vw_version_recorded *version, uint64_t sequence, struct vw_arena *arena, vw_record **out,
		       struct vw_error *err)
{
	uint8_t sha256[VW_SHA256_SIZE];
	void *record;
	if (!version->has_record || version->record.len > VW_MAX_RECORD)
		return vw_error_set(err, VW_EINVAL, "ledger entry %" PRIu64 " holds no record (VW_MAX_RECORD)",
				    sequence);
	vw_sha256_of(version->record.data, version->record.len, sha256);
	if (!version->has_record_sha256 || version->record_sha256.len != sizeof(sha256) ||
	    memcmp(version->record_sha256.data, sha256, sizeof(sha256)) != 0)
		return vw_error_set(err, VW_EINVAL, "ledger entry %" PRIu64 ": the record has not the hash it names",
				    sequence);
	int rc = vw_message_unpack(arena, &verifywise__v1__record__descriptor, version->record.data,
				   version->record.len, "record", &record, err);
	if (rc < 0)
		return vw_arena_failed(arena)
			   ? no_memory(err)
			   : vw_error_set(err, VW_EINVAL, "ledger entry %" PRIu64 " holds no record", sequence);
	*out = record;
	return 0;
}

static void fill_from_record(const vw_record *record, vw_version_row *row)
{
	row->model_name = record->model_name;
	row->version_number = record->version_number;
	if (record->workspace)
		row->workspace = record->workspace;
	if (record->identity) {
		row->owner = record->identity->owner;
		row->description = record->identity->description;
	}
	if (record->lifecycle) {
		row->stage = record->lifecycle->lifecycle_stage;
		row->has_created_at = record->lifecycle->has_created_at;
		row->created_at = record->lifecycle->created_at;
		row->has_updated_at = record->lifecycle->has_last_updated_at;
		row->updated_at = record->lifecycle->last_updated_at;
	}
	if (record->risk)
		row->risk_category = record->risk->risk_category;
	if (record->lineage)
		row->experiment_name = record->lineage->experiment_name;
	if (record->completeness && record->completeness->state &&
	    strcmp(record->completeness->state, "partial") == 0)
		VW_SET(row, partial, true);
}

static bool is_open(const vw_finding *finding)
{
	return finding->state == VW_FINDING_GAP && finding->severity >= VW_SEVERITY_INFO &&
	       finding->severity <= VW_SEVERITY_CRITICAL;
}

static int fill_from_compliance(const vw_compliance *compliance, uint64_t sequence, struct vw_arena *arena,
				vw_version_row *row, struct vw_error *err)
{
	if (!compliance)
		return 0;
	if (compliance->n_findings > VW_MAX_POLICY_RULES)
		return vw_error_set(err, VW_EINVAL, "ledger entry %" PRIu64 ": %zu findings (VW_MAX_POLICY_RULES)",
				    sequence, compliance->n_findings);
	if (compliance->has_status && compliance->status >= VW_COMPLIANCE_COMPLIANT &&
	    compliance->status <= VW_COMPLIANCE_UNKNOWN)
		VW_SET(row, status, compliance->status);
	row->gaps = vw_arena_array(arena, VW_SEVERITIES, sizeof(*row->gaps));
	if (!row->gaps)
		return no_memory(err);
	row->n_gaps = VW_SEVERITIES;
	VW_SET(row, unknown, 0);
	for (size_t i = 0; i < compliance->n_findings; i++) {
		const vw_finding *finding = compliance->findings[i];
		row->unknown += finding->state == VW_FINDING_UNKNOWN;
		if (is_open(finding))
			row->gaps[finding->severity - VW_SEVERITY_INFO]++;
	}
	return 0;
}

static vw_gap_row *new_gap(const vw_version_row *row, vw_finding *finding, struct vw_arena *arena)
{
	vw_gap_row *gap = vw_message_new(arena, &verifywise__v1__gap_row__descriptor);
	if (!gap || !vw_project_clean(&finding->base, VW_MAX_ROW_TEXT, arena))
		return NULL;
	VW_SET(gap, organization, row->organization);
	gap->agent_id = row->agent_id;
	gap->workspace = row->workspace;
	gap->model_name = row->model_name;
	gap->version_number = row->version_number;
	VW_SET(gap, sequence, row->sequence);
	gap->finding = finding;
	VW_SET(gap, recorded_at, row->recorded_at);
	return gap;
}

int vw_project_gaps(const vw_version_row *row, const vw_entry *entry, struct vw_arena *arena, vw_gap_row ***out,
		    size_t *out_count, struct vw_error *err)
{
	const vw_compliance *compliance = entry->body_case == VERIFYWISE__V1__ENTRY__BODY_VERSION && entry->version
					      ? entry->version->compliance
					      : NULL;
	size_t open = 0, count = 0;
	for (size_t i = 0; compliance && i < compliance->n_findings; i++)
		open += is_open(compliance->findings[i]);
	vw_gap_row **gaps = vw_arena_array(arena, open, sizeof(*gaps));
	if (!gaps)
		return no_memory(err);
	for (size_t i = 0; count < open; i++) {
		if (!is_open(compliance->findings[i]))
			continue;
		gaps[count] = new_gap(row, compliance->findings[i], arena);
		if (!gaps[count++])
			return no_memory(err);
	}
	*out = gaps;
	*out_count = count;
	return 0;
}

/* ---- Events ---- */

static vw_event_row *new_event(const vw_version_row *row, vw_deployment_event *event, uint32_t part,
			       struct vw_arena *arena)
{
	vw_event_row *out = vw_message_new(arena, &verifywise__v1__event_row__descriptor);
	if (!out || !vw_project_clean(&event->base, VW_MAX_ROW_TEXT, arena))
		return NULL;
	VW_SET(out, organization, row->organization);
	out->agent_id = row->agent_id;
	VW_SET(out, sequence, row->sequence);
	VW_SET(out, part, part);
	out->workspace = row->workspace;
	out->model_name = row->model_name;
	out->version_number = row->version_number;
	out->field = event->field;
	out->from = event->from;
	out->to = event->to;
	VW_SET(out, recorded_at, row->recorded_at);
	out->has_mlflow_updated_at = event->has_mlflow_updated_at;
	out->mlflow_updated_at = event->mlflow_updated_at;
	return out;
}

static int project_events(vw_deployment_event **events, size_t count, struct vw_arena *arena,
			  struct vw_projection *out, struct vw_error *err)
{
	out->events = vw_arena_array(arena, count, sizeof(*out->events));
	if (!out->events)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		out->events[i] = new_event(out->row, events[i], (uint32_t)i + 1, arena);
		if (!out->events[i])
			return no_memory(err);
	}
	out->event_count = count;
	return 0;
}

/* ---- The whole ---- */

static int project_recorded(const vw_entry *entry, struct vw_arena *arena, struct vw_projection *out,
			    struct vw_error *err)
{
	const vw_version_recorded *version = entry->version;
	vw_version_row *row = out->row;
	int rc = read_record(version, row->sequence, arena, &out->record, err);
	if (rc < 0)
		return rc;
	fill_from_record(out->record, row);
	rc = check_key(row, row->sequence, err);
	if (rc == 0)
		rc = fill_from_compliance(version->compliance, row->sequence, arena, row, err);
	if (rc < 0)
		return rc;
	row->has_first_seen_at = version->has_first_seen_at;
	row->first_seen_at = version->first_seen_at;
	VW_SET_BYTES(row, record_sha256, version->record_sha256.data, version->record_sha256.len);
	row->source_uri = entry->access ? entry->access->source_uri : NULL;
	if (!vw_project_clean(&row->base, VW_MAX_ROW_TEXT, arena))
		return no_memory(err);
	rc = vw_project_gaps(row, entry, arena, &out->gaps, &out->gap_count, err);
	return rc < 0 ? rc : project_events(version->events, version->n_events, arena, out, err);
}

static int project_removed(const vw_entry *entry, struct vw_arena *arena, struct vw_projection *out,
			   struct vw_error *err)
{
	vw_version_removed *removal = entry->removal;
	vw_version_row *row = out->row;
	row->model_name = removal->model_name;
	row->version_number = removal->version_number;
	if (removal->workspace)
		row->workspace = removal->workspace;
	VW_SET(row, removed_at, entry->recorded_at);
	out->is_removal = true;
	int rc = check_key(row, row->sequence, err);
	return rc < 0 ? rc : project_events(&removal->event, removal->event ? 1 : 0, arena, out, err);
}

int vw_project(int32_t organization, const char *agent_id, uint64_t sequence, const vw_entry *entry,
	       struct vw_arena *arena, struct vw_projection *out, struct vw_error *err)
{
	struct vw_projection projection = {0};
	unsigned kind = vw_ledger_kind_of(entry);
	if (kind != VW_LEDGER_VERSION && kind != VW_LEDGER_REMOVAL) {
		*out = projection;
		return 0;
	}
	projection.row = new_row(organization, agent_id, sequence, entry, arena);
	if (!projection.row)
		return no_memory(err);
	int rc = kind == VW_LEDGER_VERSION ? project_recorded(entry, arena, &projection, err)
					   : project_removed(entry, arena, &projection, err);
	if (rc == 0)
		*out = projection;
	return rc;
}
