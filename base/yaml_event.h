/* yaml_event.h: what libyaml's events tell that libcyaml does not. */
#ifndef BASE_YAML_EVENT_H
#define BASE_YAML_EVENT_H

#include "base/error.h"

#include <cyaml/cyaml.h>
#include <stddef.h>

/* A position, both from 1. */
struct yaml_place {
	unsigned line;
	unsigned column;
};

/* Refuses what is no YAML, aliases, a second document, zero bytes in texts and needless depth, with line and column
 * in the message. Says how many documents there are: 0 for a file of comments. */
int yaml_check(const char *bytes, size_t len, const char *name, int *out_documents, struct vw_error *err);

/* The line of a mapping's key `key` that follows the value at `after`, or stands first in the mapping there;
 * after's line if it cannot be found. */
unsigned yaml_key_line(const char *bytes, size_t len, const struct yaml_place *after, const char *key);

/* For a document that libcyaml accepted: refuses the numbers that it read from a mere prefix ("3x") or as octal ("010"),
 * and the truth values that it took for true because it did not know them. */
int yaml_check_scalars(const char *bytes, size_t len, const char *name, const cyaml_schema_value_t *schema,
		       struct vw_error *err);

#endif
