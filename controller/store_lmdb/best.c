/* best.c: the first page of an order that no key has: one walk over all, and no more kept than twice a page. */
#include "version.h"

#include <stdlib.h>
#include <string.h>

static int compare_keys(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* Ascending; candidates with equal values are in the order of their keys. */
static int compare(const void *left, const void *right)
{
	const struct vw_lmdb_candidate *a = left, *b = right;
	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	return compare_keys(a->key, a->len, b->key, b->len);
}

static int compare_descending(const void *left, const void *right)
{
	return compare(right, left);
}

static void sort(struct vw_lmdb_best *best)
{
	qsort(best->items, best->count, sizeof(*best->items), best->descending ? compare_descending : compare);
}

int vw_lmdb_best_begin(struct vw_lmdb_best *best, struct vw_error *err)
{
	best->size = 2 * (best->limit + 1);
	best->items = vw_arena_array(best->arena, best->size, sizeof(*best->items));
	return best->items ? 0 : vw_lmdb_no_memory(err);
}

/* In the page's order, the pair comes behind the other one. */
static bool is_behind(const struct vw_lmdb_best *best, int64_t value, struct vw_bytes key, int64_t other,
		      struct vw_bytes other_key)
{
	int order;
	if (value != other)
		order = value < other ? -1 : 1;
	else
		order = compare_keys(key.data, key.len, other_key.data, other_key.len);
	return best->descending ? order < 0 : order > 0;
}

static bool is_wanted(const struct vw_lmdb_best *best, int64_t value, struct vw_bytes key)
{
	if (key.len > VW_KEY_MAX ||
	    (best->has_after && !is_behind(best, value, key, best->after_value, best->after_key)))
		return false;
	const struct vw_lmdb_candidate *worst = best->is_cut ? &best->items[best->limit] : NULL;
	return !worst || !is_behind(best, value, key, worst->value, (struct vw_bytes){worst->key, worst->len});
}

void vw_lmdb_best_add(struct vw_lmdb_best *best, int64_t value, struct vw_bytes key)
{
	if (!is_wanted(best, value, key))
		return;
	if (best->count == best->size) {
		sort(best);
		best->count = best->limit + 1;
		best->is_cut = true;
	}
	struct vw_lmdb_candidate *c = &best->items[best->count++];
	c->value = value;
	c->len = key.len;
	memcpy(c->key, key.data, key.len);
}

bool vw_lmdb_best_end(struct vw_lmdb_best *best)
{
	sort(best);
	bool more = best->count > best->limit;
	if (more)
		best->count = best->limit;
	return more;
}
