/* The shape of a policy file, for libcyaml. */
#include "schema.h"

#include "proto/model.h"

#define OPTIONAL  CYAML_FLAG_OPTIONAL
#define STRICT    CYAML_FLAG_STRICT
#define POINTER   CYAML_FLAG_POINTER
#define MAX_COUNT CYAML_UNLIMITED
#define NEEDED    CYAML_FLAG_DEFAULT
#define TEXT(key, flags, structure, member)                                                                          \
	CYAML_FIELD_STRING_PTR(key, POINTER | (flags), structure, member, 1, CYAML_UNLIMITED)

const char *const vw_framework_names[VW_FRAMEWORKS] = {"eu_ai_act",   "gdpr",          "iso_42001",
						       "nist_ai_rmf", "verifywise_eu", "verifywise_iso"};

static const cyaml_schema_value_t text = {CYAML_VALUE_STRING(POINTER, char *, 1, CYAML_UNLIMITED)};

/* libcyaml's own bool takes every text that is not "false" for true: a typo would be a yes. */
static const cyaml_strval_t flags[] = {{"true", VW_YAML_TRUE}, {"false", VW_YAML_FALSE}};

static const cyaml_strval_t severities[] = {
    {"info", VW_SEVERITY_INFO}, {"low", VW_SEVERITY_LOW},           {"medium", VW_SEVERITY_MEDIUM},
    {"high", VW_SEVERITY_HIGH}, {"critical", VW_SEVERITY_CRITICAL},
};

/* A condition may hold conditions: the one schema that names itself. */
static const cyaml_schema_value_t condition_entry;

static const cyaml_schema_field_t condition[] = {
    TEXT("field", OPTIONAL, struct vw_yaml_condition, field),
    CYAML_FIELD_SEQUENCE("fields", POINTER | OPTIONAL, struct vw_yaml_condition, fields, &text, 1, MAX_COUNT),
    TEXT("is", OPTIONAL, struct vw_yaml_condition, is),
    CYAML_FIELD_SEQUENCE("in", POINTER | OPTIONAL, struct vw_yaml_condition, in, &text, 1, MAX_COUNT),
    CYAML_FIELD_ENUM("present", OPTIONAL | STRICT, struct vw_yaml_condition, present, flags, 2),
    TEXT("matches", OPTIONAL, struct vw_yaml_condition, matches),
    CYAML_FIELD_UINT_PTR("min_items", POINTER | OPTIONAL, struct vw_yaml_condition, min_items),
    TEXT("condition", OPTIONAL, struct vw_yaml_condition, condition),
    CYAML_FIELD_SEQUENCE("all", POINTER | OPTIONAL, struct vw_yaml_condition, all, &condition_entry, 1, MAX_COUNT),
    CYAML_FIELD_SEQUENCE("any", POINTER | OPTIONAL, struct vw_yaml_condition, any, &condition_entry, 1, MAX_COUNT),
    CYAML_FIELD_MAPPING_PTR("not", POINTER | OPTIONAL, struct vw_yaml_condition, negated, condition),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t condition_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct vw_yaml_condition, condition)};

static const cyaml_schema_field_t named[] = {
    TEXT("id", NEEDED, struct vw_yaml_named, id),
    CYAML_FIELD_MAPPING_PTR("when", POINTER, struct vw_yaml_named, when, condition),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t named_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct vw_yaml_named, named)};

#define FRAMEWORK(name, index)                                                                                       \
	CYAML_FIELD_SEQUENCE_COUNT(name, POINTER | OPTIONAL, struct vw_yaml_clauses, frameworks[index].items,        \
				   frameworks[index].items_count, &text, 0, MAX_COUNT)
static const cyaml_schema_field_t clauses[] = {
    FRAMEWORK("eu_ai_act", 0),
    FRAMEWORK("gdpr", 1),
    FRAMEWORK("iso_42001", 2),
    FRAMEWORK("nist_ai_rmf", 3),
    FRAMEWORK("verifywise_eu", 4),
    FRAMEWORK("verifywise_iso", 5),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t rule[] = {
    TEXT("id", NEEDED, struct vw_yaml_rule, id),
    TEXT("title", NEEDED, struct vw_yaml_rule, title),
    CYAML_FIELD_ENUM("severity", STRICT, struct vw_yaml_rule, severity, severities, 5),
    TEXT("gap", OPTIONAL, struct vw_yaml_rule, gap),
    TEXT("fix", OPTIONAL, struct vw_yaml_rule, fix),
    CYAML_FIELD_MAPPING_PTR("when", POINTER | OPTIONAL, struct vw_yaml_rule, when, condition),
    CYAML_FIELD_MAPPING_PTR("require", POINTER, struct vw_yaml_rule, require, condition),
    CYAML_FIELD_MAPPING("clauses", OPTIONAL, struct vw_yaml_rule, clauses, clauses),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t rule_entry = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct vw_yaml_rule, rule)};

static const cyaml_schema_field_t waiver[] = {
    TEXT("rule", NEEDED, struct vw_yaml_waiver, rule),
    TEXT("model", NEEDED, struct vw_yaml_waiver, model),
    TEXT("version", OPTIONAL, struct vw_yaml_waiver, version),
    TEXT("until", NEEDED, struct vw_yaml_waiver, until),
    TEXT("by", NEEDED, struct vw_yaml_waiver, by),
    TEXT("reason", NEEDED, struct vw_yaml_waiver, reason),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t waiver_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct vw_yaml_waiver, waiver)};

static const cyaml_schema_field_t tag[] = {
    TEXT("field", NEEDED, struct vw_yaml_tag, field),
    CYAML_FIELD_SEQUENCE("spellings", POINTER, struct vw_yaml_tag, spellings, &text, 1, MAX_COUNT),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t tag_entry = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct vw_yaml_tag, tag)};

static const cyaml_schema_field_t stage[] = {
    TEXT("stage", NEEDED, struct vw_yaml_stage, stage),
    CYAML_FIELD_SEQUENCE("words", POINTER, struct vw_yaml_stage, words, &text, 1, MAX_COUNT),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t stage_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct vw_yaml_stage, stage)};

static const cyaml_schema_field_t heading[] = {
    TEXT("id", NEEDED, struct vw_yaml_heading, id),
    CYAML_FIELD_INT("version", CYAML_FLAG_DEFAULT, struct vw_yaml_heading, version),
    CYAML_FIELD_END,
};

#define LIST(name, member, entry)                                                                                    \
	CYAML_FIELD_SEQUENCE(name, POINTER | OPTIONAL, struct vw_yaml_policy, member, entry, 0, MAX_COUNT)
static const cyaml_schema_field_t policy[] = {
    CYAML_FIELD_MAPPING("policy", CYAML_FLAG_DEFAULT, struct vw_yaml_policy, policy, heading),
    LIST("conditions", conditions, &named_entry),
    CYAML_FIELD_SEQUENCE("rules", POINTER, struct vw_yaml_policy, rules, &rule_entry, 1, MAX_COUNT),
    LIST("waivers", waivers, &waiver_entry),
    LIST("tags", tags, &tag_entry),
    LIST("stages", stages, &stage_entry),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t vw_policy_schema = {CYAML_VALUE_MAPPING(POINTER, struct vw_yaml_policy, policy)};
