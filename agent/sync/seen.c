#include "internal.h"

#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

static uint64_t digest_of(const char *name, const char *version)
{
	struct vw_sha256 sha;
	uint8_t hash[VW_SHA256_SIZE];
	uint64_t out;
	vw_sha256_init(&sha);
	vw_sha256_update(&sha, name, strlen(name) + 1);
	vw_sha256_update(&sha, version, strlen(version));
	vw_sha256_final(&sha, hash);
	memcpy(&out, hash, sizeof(out));
	return out;
}

void seen_add(struct seen *set, const char *name, const char *version)
{
	if (set->count == set->size) {
		size_t size = set->size ? 2 * set->size : 1024;
		uint64_t *items = realloc(set->items, size * sizeof(*items));
		if (!items) {
			set->failed = true;
			return;
		}
		set->items = items;
		set->size = size;
	}
	set->items[set->count++] = digest_of(name, version);
	set->sorted = false;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

bool seen_has(struct seen *set, const char *name, const char *version)
{
	uint64_t digest = digest_of(name, version);
	if (set->count == 0)
		return false;
	if (!set->sorted) {
		qsort(set->items, set->count, sizeof(*set->items), compare);
		set->sorted = true;
	}
	return bsearch(&digest, set->items, set->count, sizeof(*set->items), compare) != NULL;
}

void seen_reset(struct seen *set)
{
	free(set->items);
	memset(set, 0, sizeof(*set));
}
