/* yaml_event.h: what libyaml's events tell that libcyaml does not. */
#ifndef BASE_YAML_EVENT_H
#define BASE_YAML_EVENT_H

#include "base/error.h"

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

#endif
