/* schema.h: a policy file as libcyaml reads it, before anything in it is looked up or compiled.
 *
 * The structures are the file's shape and nothing more; docs/policy.md describes the same keys for their writers. */
#ifndef COMPLIANCE_SCHEMA_H
#define COMPLIANCE_SCHEMA_H

#include "base/yaml.h"

#include <stdint.h>

enum vw_yaml_flag { VW_YAML_UNSET, VW_YAML_TRUE, VW_YAML_FALSE };

/* A list of texts. */
struct vw_yaml_texts {
	char **items;
	uint32_t items_count;
};

/* Exactly one of: an operator over `field` or `fields`; `condition`; `all`; `any`; `not`. condition.c checks that. */
struct vw_yaml_condition {
	char *field;
	char **fields;
	uint32_t fields_count;
	char *is;
	char **in;
	uint32_t in_count;
	enum vw_yaml_flag present;
	char *matches;
	uint32_t *min_items;
	char *condition;
	struct vw_yaml_condition *all;
	uint32_t all_count;
	struct vw_yaml_condition *any;
	uint32_t any_count;
	struct vw_yaml_condition *negated; /* `not` */
};

/* A condition under a name, so that several rules can share it. */
struct vw_yaml_named {
	char *id;
	struct vw_yaml_condition *when;
};

/* The frameworks that record.proto names, in its order. */
#define VW_FRAMEWORKS 6
struct vw_yaml_clauses {
	struct vw_yaml_texts frameworks[VW_FRAMEWORKS];
};
extern const char *const vw_framework_names[VW_FRAMEWORKS];

struct vw_yaml_rule {
	char *id;
	char *title;
	int severity; /* vw_severity */
	char *gap;    /* what a version with this gap is or lacks: goes on after "Version 3 of churn " */
	char *fix;    /* a sentence: how to close the gap */
	struct vw_yaml_condition *when;
	struct vw_yaml_condition *require;
	struct vw_yaml_clauses clauses;
};

struct vw_yaml_waiver {
	char *rule;    /* glob */
	char *model;   /* glob */
	char *version; /* NULL: all */
	char *until;   /* YYYY-MM-DD, inclusive, UTC */
	char *by;
	char *reason;
};

struct vw_yaml_tag {
	char *field;
	char **spellings;
	uint32_t spellings_count;
};

struct vw_yaml_stage {
	char *stage;
	char **words;
	uint32_t words_count;
};

struct vw_yaml_heading {
	char *id;
	int64_t version;
};

struct vw_yaml_policy {
	struct vw_yaml_heading policy;
	struct vw_yaml_named *conditions;
	uint32_t conditions_count;
	struct vw_yaml_rule *rules;
	uint32_t rules_count;
	struct vw_yaml_waiver *waivers;
	uint32_t waivers_count;
	struct vw_yaml_tag *tags;
	uint32_t tags_count;
	struct vw_yaml_stage *stages;
	uint32_t stages_count;
};

extern const cyaml_schema_value_t vw_policy_schema;

/* The line, from 1, on which entry `index` of the top-level list `list` begins; 0 when there is none. libcyaml keeps no
 * positions, so this parses the file again: for error messages only. */
unsigned vw_policy_line(const char *bytes, size_t len, const char *list, size_t index);

#endif
