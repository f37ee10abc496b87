/* The order that the packed bytes demand. */
#include "proto/message.h"
#include "proto/model.h"

#include <string.h>

typedef const char *sort_key(const void *element);

static const char *entry_key(const void *element)
{
	const vw_key_value *entry = element;
	return entry->key ? entry->key : "";
}

static const char *text_key(const void *element)
{
	return element ? element : "";
}

/* The first place in list[0..count) whose key is not below `key`. */
static size_t lower_bound(void *const *list, size_t count, const char *key, sort_key *key_of)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(key_of(list[middle]), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Insertion by bisection: needs no memory, keeps the last of equals, and costs nothing for lists in order already.
 * Even VW_MAX_ENTRIES elements the wrong way round take only a fraction of a second. */
static size_t sort_unique(void **list, size_t count, sort_key *key_of)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		void *element = list[i];
		const char *key = key_of(element);
		if (kept == 0 || strcmp(key_of(list[kept - 1]), key) < 0) {
			list[kept++] = element;
			continue;
		}
		size_t place = lower_bound(list, kept, key, key_of);
		if (strcmp(key_of(list[place]), key) != 0) {
			memmove(&list[place + 1], &list[place], (kept - place) * sizeof(*list));
			kept++;
		}
		list[place] = element;
	}
	return kept;
}

void vw_key_values_sort(struct Verifywise__V1__KeyValue **list, size_t *count)
{
	*count = sort_unique((void **)list, *count, entry_key);
}

void vw_texts_sort(char **list, size_t *count)
{
	*count = sort_unique((void **)list, *count, text_key);
}
