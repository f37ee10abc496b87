/* What could be seen of a record, and how good the evidence is (S12.1). */
#include "field.h"

#include <string.h>

/* A reason for which a record is partial, and the fields that it may have taken a value from. A field that tags
 * can set is hidden by everything that hides a place of tags: a missing owner may stand on the forbidden run. */
struct blind_spot {
	const char *reason; /* the code, or its beginning when it ends in '_' */
	const char *fields[8];
};

#define TAG_FIELDS "risk", "identity.business_purpose", "identity.owner", "identity.description"
static const struct blind_spot blind_spots[] = {
    {"run_", {"training", "lineage", TAG_FIELDS}},
    {"experiment_", {"lineage", TAG_FIELDS}},
    {"logged_model_", {"training.metrics", "lineage"}},
    {"model_", {"identity", "lifecycle", TAG_FIELDS}},
    {"version_", {"lifecycle", "training", "lineage", TAG_FIELDS}},
    {"response_invalid", {"identity", "lifecycle", "training", "lineage", "risk"}},
    {"value_too_large", {"identity", "lifecycle", "training", "lineage", "risk"}},
};

/* "risk" is the beginning of "risk.risk_category", "ris" is not. */
static bool is_within(const char *name, const char *section)
{
	size_t len = strlen(section);
	return strncmp(name, section, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

static bool is_reason(const char *code, const char *wanted)
{
	size_t len = strlen(wanted);
	return wanted[len - 1] == '_' ? strncmp(code, wanted, len) == 0 : strcmp(code, wanted) == 0;
}

static bool hides(const struct blind_spot *spot, const char *name)
{
	for (size_t i = 0; i < sizeof(spot->fields) / sizeof(spot->fields[0]) && spot->fields[i]; i++)
		if (is_within(name, spot->fields[i]))
			return true;
	return false;
}

bool vw_policy_reason_hides(const vw_reason *reason, const struct vw_policy_field *field)
{
	/* a deleted run still gives all of its data */
	if (!reason->code || strcmp(reason->code, "run_deleted") == 0)
		return false;
	for (size_t i = 0; i < sizeof(blind_spots) / sizeof(blind_spots[0]); i++)
		if (is_reason(reason->code, blind_spots[i].reason) && hides(&blind_spots[i], field->name))
			return true;
	return false;
}

bool vw_policy_field_unseen(const vw_record *record, const struct vw_policy_field *field)
{
	const vw_completeness *completeness = record->completeness;

	if (is_within(field->name, "artifacts"))
		return record->artifacts == NULL;
	if (!completeness || !completeness->state || strcmp(completeness->state, "partial") != 0)
		return false;
	for (size_t i = 0; i < completeness->n_reasons; i++)
		if (vw_policy_reason_hides(completeness->reasons[i], field))
			return true;
	return false;
}

/* Where the field's value came from; NULL when the record does not say. */
static const char *source_of(const vw_record *record, const struct vw_policy_field *field)
{
	for (size_t i = 0; i < record->n_provenance; i++) {
		const vw_provenance *provenance = record->provenance[i];
		if (provenance->field && strcmp(provenance->field, field->name) == 0)
			return provenance->from;
	}
	return NULL;
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_stale(const vw_completeness *completeness, const char *name)
{
	for (size_t i = 0; i < completeness->n_stale; i++)
		if (is_within(name, completeness->stale[i]))
			return true;
	return false;
}

bool vw_policy_field_stale(const vw_record *record, const struct vw_policy_field *field)
{
	const char *source = source_of(record, field);

	if (!record->completeness || !is_stale(record->completeness, field->name))
		return false;
	/* what the version or the model says was read now, although the rest of its section was not */
	if (source && begins_with(source, "version"))
		return is_stale(record->completeness, "lifecycle");
	return !source || !begins_with(source, "model");
}

const char *vw_policy_field_weak_source(const vw_record *record, const struct vw_policy_field *field)
{
	const char *source = source_of(record, field);
	const char *tag = source ? strchr(source, ':') : NULL;

	if (!tag)
		return NULL;
	return strcmp(source, "run:user_id") == 0 || strcmp(tag, ":mlflow.user") == 0 ? source : NULL;
}
