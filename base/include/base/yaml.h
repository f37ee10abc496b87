/* yaml.h: files that people write, read by libcyaml against a schema.
 *
 * Errors name file, line and what was expected there. Aliases are refused (a bomb needs them),
 * unknown keys are errors (a typo in a policy must not silently mean nothing). A file without any content is read as
 * an empty mapping. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/error.h"

#include <cyaml/cyaml.h>
#include <stddef.h>

/* Fills a structure as `schema` says. `name` is what messages call the input: its path. On success the
 * caller frees with vw_yaml_free(schema, data). */
int vw_yaml_load(const char *bytes, size_t len, const char *name, const cyaml_schema_value_t *schema,
		 cyaml_data_t **out_data, struct vw_error *err);
void vw_yaml_free(const cyaml_schema_value_t *schema, cyaml_data_t *data);

#endif
