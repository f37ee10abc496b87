/* openapi.h: docs/openapi.yaml, in the program. */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include <stddef.h>

extern const char vw_openapi[];
extern const size_t vw_openapi_len; /* bytes */

#endif
