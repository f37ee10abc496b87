/* Queries as they are sent: what is taken is UTF-8 under names that are there once, and no longer than is allowed. */
#include "percent.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct api_parameter *parameters, size_t count)
{
	if (count > API_PARAMETERS)
		abort();
	for (size_t i = 0; i < count; i++) {
		const struct api_parameter *p = &parameters[i];
		if (!p->name[0] || !vw_utf8_valid(p->name, strlen(p->name)) ||
		    !vw_utf8_valid(p->value, strlen(p->value)) || strlen(p->value) > VW_MAX_QUERY)
			abort();
		for (size_t j = 0; j < i; j++)
			if (strcmp(parameters[j].name, p->name) == 0)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_error err = VW_ERROR_INIT;
	struct api_parameter parameters[API_PARAMETERS];
	size_t count;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	char *text = vw_arena_strndup(arena, (const char *)data, size);
	if (query_parse(arena, text, parameters, &count, &err) == 0)
		check(parameters, count);
	const char *segment = percent_decode(arena, (const char *)data, size, false);
	if (segment && (strlen(segment) > size || !vw_utf8_valid(segment, strlen(segment))))
		abort();
	return 0;
}
