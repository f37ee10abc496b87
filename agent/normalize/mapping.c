/* The lists of record.md as tables, and an index over them. */
#include "fields.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define SPELLINGS_MAX 256 /* of one field, stage or list of prefixes: a cap on what an operator adds */

static const struct {
	const char *name;
	bool hidden; /* MLflow's own, not open for other spellings */
	const char *spellings[12];
} builtin[VW_TAG_FIELDS] = {
    [VW_TAG_DESCRIPTION] = {"identity.description", false, {"mlflow.note.content"}},
    [VW_TAG_PURPOSE] = {"identity.business_purpose",
			false,
			{"business_purpose", "use_case", "purpose", "intended_use"}},
    [VW_TAG_OWNER] = {"identity.owner",
		      false,
		      {"owner", "model_owner", "business_owner", "accountable", "team", "contact"}},
    [VW_TAG_ACCOUNT] = {"identity.owner", true, {"mlflow.user"}},
    [VW_TAG_STAGE] = {"lifecycle.lifecycle_stage",
		      false,
		      {"stage", "lifecycle", "lifecycle_stage", "environment", "deployment_stage"}},
    [VW_TAG_DEPLOYMENT] = {"lifecycle.deployment_status", false, {"deployment_status"}},
    [VW_TAG_COMMIT] = {"lineage.code_commit",
		       false,
		       {"mlflow.source.git.commit", "git_commit", "commit", "code_commit"}},
    [VW_TAG_REPOSITORY] = {"lineage.code_repository", false, {"mlflow.source.git.repoURL"}},
    [VW_TAG_BRANCH] = {"lineage.code_branch", false, {"mlflow.source.git.branch"}},
    [VW_TAG_DIRTY] = {"lineage.code_dirty", false, {"mlflow.source.git.dirty"}},
    [VW_TAG_ENTRYPOINT] = {"lineage.training_entrypoint", false, {"mlflow.source.name"}},
    [VW_TAG_DATASET] = {"lineage.dataset_reference",
			false,
			{"dataset_reference", "dataset_version", "dataset", "training_data"}},
    [VW_TAG_PARENT_RUN] = {"lineage.parent_run_id", true, {"mlflow.parentRunId"}},
    [VW_TAG_RISK] = {"risk.risk_category", false, {"risk_category", "risk_level", "ai_act_risk", "risk_tier"}},
    [VW_TAG_SCOPE] = {"risk.regulatory_scope",
		      false,
		      {"regulatory_scope", "regulation", "regulations", "compliance_scope"}},
    [VW_TAG_SENSITIVITY] = {"risk.data_sensitivity",
			    false,
			    {"data_sensitivity", "data_classification", "pii", "contains_pii", "personal_data"}},
    [VW_TAG_PRIVACY] = {"risk.privacy_assessment_status",
			false,
			{"privacy_assessment_status", "dpia", "dpia_status", "pia", "pia_status", "privacy_review"}},
    [VW_TAG_APPROVER] = {"risk.compliance_approver",
			 false,
			 {"compliance_approver", "approver", "approved_by", "reviewer", "validated_by"}},
    [VW_TAG_SECURITY] = {"risk.security_assessment_version",
			 false,
			 {"security_assessment_version", "threat_model", "security_review", "pentest"}},
};

const char *const vw_stage_names[VW_STAGES] = {"None", "Archived", "Staging", "Production"};

static const char *const builtin_stages[VW_STAGES][12] = {
    [VW_STAGE_NONE] = {"none", "dev", "development"},
    [VW_STAGE_ARCHIVED] = {"archived", "retired", "deprecated", "rollback-never"},
    [VW_STAGE_STAGING] = {"staging", "stage", "challenger", "candidate", "shadow", "canary", "preprod", "pre-prod",
			  "pre-production"},
    [VW_STAGE_PRODUCTION] = {"production", "prod", "champion", "live", "release"},
};

static const char *const builtin_prefixes[] = {"eval", "evaluation",     "validation", "test_",    "fairness",
					       "bias", "explainability", "drift",      "benchmark"};

/* A NULL-terminated list of texts. */
struct words {
	const char **items;
	size_t count;
};

struct vw_mapping {
	struct vw_arena *arena;
	struct words fields[VW_TAG_FIELDS];
	struct words stages[VW_STAGES]; /* folded */
	struct words prefixes;
	struct vw_spelling *index; /* sorted by folded, field */
	size_t index_count;
};

const char *vw_tag_field_name(enum vw_tag_field field)
{
	return builtin[field].name;
}

const char *const *vw_builtin_spellings(enum vw_tag_field field)
{
	return builtin[field].spellings;
}

bool vw_key_fold(const char *key, char out[VW_KEY_MAX])
{
	size_t i = 0;
	for (; key[i]; i++) {
		if (i + 1 == VW_KEY_MAX)
			return false;
		char c = key[i];
		if (c == '-' || c == '.' || c == ' ')
			c = '_';
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	out[i] = '\0';
	return true;
}

static int compare_spellings(const void *a, const void *b)
{
	const struct vw_spelling *x = a;
	const struct vw_spelling *y = b;
	int order = strcmp(x->folded, y->folded);
	return order ? order : (int)x->field - (int)y->field;
}

static bool has_word(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++) {
		if (vw_key_equal(words->items[i], word))
			return true;
	}
	return false;
}

/* Appends a copy; false without memory or when the list is full. */
static bool add_word(struct vw_arena *arena, struct words *words, const char *word)
{
	if (words->count == SPELLINGS_MAX)
		return false;
	const char **items = vw_arena_array(arena, words->count + 2, sizeof(*items));
	char *copy = vw_arena_strdup(arena, word);
	if (!items || !copy)
		return false;
	if (words->count > 0)
		memcpy(items, words->items, words->count * sizeof(*items));
	items[words->count] = copy;
	words->items = items;
	words->count++;
	return true;
}

/* Appends a field's spelling to its list and to the index. */
static bool add_spelling(struct vw_mapping *mapping, enum vw_tag_field field, const char *spelling)
{
	char folded[VW_KEY_MAX];
	struct words *words = &mapping->fields[field];
	if (!vw_key_fold(spelling, folded) || !add_word(mapping->arena, words, spelling))
		return false;
	struct vw_spelling *index = vw_arena_array(mapping->arena, mapping->index_count + 1, sizeof(*index));
	char *copy = vw_arena_strdup(mapping->arena, folded);
	if (!index || !copy)
		return false;
	if (mapping->index_count > 0)
		memcpy(index, mapping->index, mapping->index_count * sizeof(*index));
	index[mapping->index_count] = (struct vw_spelling){copy, field, words->count - 1};
	mapping->index = index;
	mapping->index_count++;
	qsort(index, mapping->index_count, sizeof(*index), compare_spellings);
	return true;
}

static void add_builtin(struct vw_mapping *mapping)
{
	for (size_t field = 0; field < VW_TAG_FIELDS; field++) {
		for (const char *const *s = builtin[field].spellings; *s; s++)
			add_spelling(mapping, (enum vw_tag_field)field, *s);
	}
	for (size_t stage = 0; stage < VW_STAGES; stage++) {
		for (const char *const *word = builtin_stages[stage]; *word; word++)
			add_word(mapping->arena, &mapping->stages[stage], *word);
	}
	for (size_t i = 0; i < sizeof(builtin_prefixes) / sizeof(builtin_prefixes[0]); i++)
		add_word(mapping->arena, &mapping->prefixes, builtin_prefixes[i]);
}

struct vw_mapping *vw_mapping_open(struct vw_arena *arena)
{
	struct vw_mapping *mapping = vw_arena_alloc(arena, sizeof(*mapping));
	if (!mapping)
		return NULL;
	mapping->arena = arena;
	add_builtin(mapping);
	return vw_arena_failed(arena) ? NULL : mapping;
}

/* What is wrong with a word that an operator wants to add to a list, for a message; NULL for nothing. */
static const char *word_fault(const char *word, const struct words *words)
{
	char folded[VW_KEY_MAX];
	if (vw_text_blank(word))
		return "is blank";
	if (!vw_key_fold(word, folded))
		return "is too long";
	return words->count == SPELLINGS_MAX ? "is one too many" : NULL;
}

static int no_memory(struct vw_error *err)
{
	return vw_error_set(err, VW_ENOMEM, "no memory for the mapping of tags");
}

int vw_mapping_add_tag(struct vw_mapping *mapping, const char *field, const char *spelling, struct vw_error *err)
{
	size_t f = 0;
	while (f < VW_TAG_FIELDS && (builtin[f].hidden || strcmp(builtin[f].name, field) != 0))
		f++;
	if (f == VW_TAG_FIELDS)
		return vw_error_set(err, VW_ECONFIG, "'%s' is no field that is found by tags", field);
	const char *fault = word_fault(spelling, &mapping->fields[f]);
	if (fault)
		return vw_error_set(err, VW_ECONFIG, "field '%s': the spelling '%.60s' %s", field, spelling, fault);
	if (has_word(&mapping->fields[f], spelling))
		return 0;
	return add_spelling(mapping, (enum vw_tag_field)f, spelling) ? 0 : no_memory(err);
}

int vw_mapping_add_stage(struct vw_mapping *mapping, const char *stage, const char *word, struct vw_error *err)
{
	enum vw_stage known;
	size_t s = 0;
	while (s < VW_STAGES && !vw_text_equal_nocase(vw_stage_names[s], stage))
		s++;
	if (s == VW_STAGES)
		return vw_error_set(err, VW_ECONFIG,
				    "'%s' is no stage: these are Production, Staging, Archived and None", stage);
	const char *fault = word_fault(word, &mapping->stages[s]);
	if (fault)
		return vw_error_set(err, VW_ECONFIG, "stage %s: the word '%.60s' %s", vw_stage_names[s], word, fault);
	/* a word that already means another stage would never be looked at: better said than silently so */
	if (vw_mapping_stage(mapping, word, &known) && known != (enum vw_stage)s)
		return vw_error_set(err, VW_ECONFIG, "stage %s: the word '%s' means %s already", vw_stage_names[s],
				    word, vw_stage_names[known]);
	if (has_word(&mapping->stages[s], word))
		return 0;
	return add_word(mapping->arena, &mapping->stages[s], word) ? 0 : no_memory(err);
}

int vw_mapping_add_evaluation_prefix(struct vw_mapping *mapping, const char *prefix, struct vw_error *err)
{
	const char *fault = word_fault(prefix, &mapping->prefixes);
	if (fault)
		return vw_error_set(err, VW_ECONFIG, "evaluation tags: the prefix '%.60s' %s", prefix, fault);
	if (has_word(&mapping->prefixes, prefix))
		return 0;
	return add_word(mapping->arena, &mapping->prefixes, prefix) ? 0 : no_memory(err);
}

bool vw_mapping_field(const struct vw_mapping *mapping, size_t index, const char **out_field,
		      const char *const **out_spellings)
{
	for (size_t field = 0; field < VW_TAG_FIELDS; field++) {
		if (builtin[field].hidden || index-- > 0)
			continue;
		*out_field = builtin[field].name;
		*out_spellings = mapping->fields[field].items;
		return true;
	}
	return false;
}

/* The first position whose spelling is not below `folded`. */
static size_t lower_bound(const struct vw_mapping *mapping, const char *folded)
{
	size_t low = 0;
	size_t high = mapping->index_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(mapping->index[middle].folded, folded) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t vw_mapping_find(const struct vw_mapping *mapping, const char *folded, const struct vw_spelling **out)
{
	size_t first = lower_bound(mapping, folded);
	size_t count = 0;
	while (first + count < mapping->index_count && strcmp(mapping->index[first + count].folded, folded) == 0)
		count++;
	*out = mapping->index + first;
	return count;
}

bool vw_mapping_stage(const struct vw_mapping *mapping, const char *word, enum vw_stage *out)
{
	for (size_t stage = 0; stage < VW_STAGES; stage++) {
		if (has_word(&mapping->stages[stage], word)) {
			*out = (enum vw_stage)stage;
			return true;
		}
	}
	return false;
}

bool vw_mapping_is_evaluation(const struct vw_mapping *mapping, const char *key)
{
	for (size_t i = 0; i < mapping->prefixes.count; i++) {
		if (vw_key_has_prefix(key, mapping->prefixes.items[i]))
			return true;
	}
	return false;
}
