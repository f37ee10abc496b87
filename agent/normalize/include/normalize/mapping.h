/* mapping.h: the spellings that teams use, as data (record.md, "Fields and where they come from").
 *
 * The built-in lists can be extended by the operator; additions are tried after the built-in ones. */
#ifndef NORMALIZE_MAPPING_H
#define NORMALIZE_MAPPING_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct vw_mapping;

/* The built-in lists. In the arena, lives as long. */
struct vw_mapping *vw_mapping_open(struct vw_arena *arena);

/* Adds a tag's spelling for a field ("risk.risk_category", "ai_act_class"). VW_ECONFIG when no such field takes tags. Copies. */
int vw_mapping_add_tag(struct vw_mapping *mapping, const char *field, const char *spelling, struct vw_error *err);
/* Adds an alias or a tag's value that means a stage: ("Production", "blessed"). VW_ECONFIG for another stage than the four. */
int vw_mapping_add_stage(struct vw_mapping *mapping, const char *stage, const char *word, struct vw_error *err);
/* Adds a prefix of run tags that are evaluation tags. */
int vw_mapping_add_evaluation_prefix(struct vw_mapping *mapping, const char *prefix, struct vw_error *err);

/* For documentation and `config check`: the i-th field that takes tags and its spellings (NULL-terminated). False behind the last. */
bool vw_mapping_field(const struct vw_mapping *mapping, size_t index, const char **out_field,
		      const char *const **out_spellings);

#endif
