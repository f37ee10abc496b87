/* fields.h: the record's fields that are found by tags, and how a mapping is asked about keys and words. Private. */
#ifndef NORMALIZE_FIELDS_H
#define NORMALIZE_FIELDS_H

#include "normalize/mapping.h"

enum vw_tag_field {
	VW_TAG_DESCRIPTION,
	VW_TAG_PURPOSE,
	VW_TAG_OWNER,
	VW_TAG_ACCOUNT, /* mlflow.user: weaker evidence of an owner, so not one of the owner's spellings */
	VW_TAG_STAGE,
	VW_TAG_DEPLOYMENT,
	VW_TAG_COMMIT,
	VW_TAG_REPOSITORY,
	VW_TAG_BRANCH,
	VW_TAG_DIRTY,
	VW_TAG_ENTRYPOINT,
	VW_TAG_DATASET,
	VW_TAG_PARENT_RUN,
	VW_TAG_RISK,
	VW_TAG_SCOPE,
	VW_TAG_SENSITIVITY,
	VW_TAG_PRIVACY,
	VW_TAG_APPROVER,
	VW_TAG_SECURITY,
	VW_TAG_FIELDS
};

/* From the lowest to the highest: of a version's aliases the highest counts. */
enum vw_stage { VW_STAGE_NONE, VW_STAGE_ARCHIVED, VW_STAGE_STAGING, VW_STAGE_PRODUCTION, VW_STAGES };
extern const char *const vw_stage_names[VW_STAGES];

/* "risk.risk_category"; static storage. */
const char *vw_tag_field_name(enum vw_tag_field field);

/* One accepted spelling, as vw_key_fold() writes it. A lower rank was listed earlier. */
struct vw_spelling {
	const char *folded;
	enum vw_tag_field field;
	size_t rank;
};

#define VW_KEY_MAX 256 /* bytes with the zero; no spelling is longer, so no longer key is one */
/* As vw_key_equal() compares: lower case, one separator. False when `key` does not fit. */
bool vw_key_fold(const char *key, char out[VW_KEY_MAX]);

/* The spellings equal to `folded`, one for each field that has it. Borrowed from the mapping. */
size_t vw_mapping_find(const struct vw_mapping *mapping, const char *folded, const struct vw_spelling **out);
/* False when the word means no stage. */
bool vw_mapping_stage(const struct vw_mapping *mapping, const char *word, enum vw_stage *out);
bool vw_mapping_is_evaluation(const struct vw_mapping *mapping, const char *key);

/* The built-in spellings of a field, NULL-terminated. */
const char *const *vw_builtin_spellings(enum vw_tag_field field);

#endif
