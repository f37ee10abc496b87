/* The best of a walk are what sorting everything gives, whatever the order, the page and the place. */
#include "version.h"

#include "suite.h"

#define MANY 500

struct item {
	int64_t value;
	char key[8];
};

static bool descending;

static int compare(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	int order = a->value != b->value ? (a->value < b->value ? -1 : 1) : strcmp(a->key, b->key);
	return descending ? -order : order;
}

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* One page behind `after` (-1: the first); how many there were. */
static size_t page(const struct item *items, const struct item *sorted, int after, size_t limit, bool *out_more)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_lmdb_best best = {.arena = arena, .limit = limit, .descending = descending};
	if (after >= 0) {
		best.has_after = true;
		best.after_value = sorted[after].value;
		best.after_key = (struct vw_bytes){sorted[after].key, strlen(sorted[after].key)};
	}
	assert_ok(vw_lmdb_best_begin(&best, &err), err);
	for (size_t i = 0; i < MANY; i++)
		vw_lmdb_best_add(&best, items[i].value, (struct vw_bytes){items[i].key, strlen(items[i].key)});
	*out_more = vw_lmdb_best_end(&best);
	for (size_t i = 0; i < best.count; i++) {
		const struct item *expected = &sorted[(size_t)(after + 1) + i];
		assert_int_equal(best.items[i].value, expected->value);
		assert_int_equal(best.items[i].len, strlen(expected->key));
		assert_memory_equal(best.items[i].key, expected->key, best.items[i].len);
	}
	size_t count = best.count;
	vw_arena_close(arena);
	return count;
}

static void as_if_sorted(void **state)
{
	static const size_t limits[] = {1, 2, 7, 100, MANY - 1, MANY, 1000};
	struct item items[MANY], sorted[MANY];
	uint32_t seed = 5;
	(void)state;
	for (int round = 0; round < 6; round++) {
		descending = round % 2;
		for (size_t i = 0; i < MANY; i++) {
			/* many are equal, or they come sorted already, either way */
			items[i].value = round < 2   ? (int64_t)(next(&seed) % 7) - 3
					 : round < 4 ? (int64_t)i
						     : -(int64_t)i;
			snprintf(items[i].key, sizeof(items[i].key), "k%zu", (i * 7919) % MANY);
		}
		memcpy(sorted, items, sizeof(items));
		qsort(sorted, MANY, sizeof(sorted[0]), compare);
		for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
			int after = -1;
			bool more = true;
			while (more) {
				size_t count = page(items, sorted, after, limits[l], &more);
				assert_true(!more || count == limits[l]);
				after += (int)count;
			}
			assert_int_equal(after + 1, MANY);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_if_sorted)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
