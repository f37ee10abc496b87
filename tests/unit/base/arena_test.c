#include "base/arena.h"

#include "base/limits.h"

#include "cmocka_all.h"

#include <string.h>

static void gives_zeroed_aligned_memory(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	assert_non_null(arena);
	for (size_t size = 0; size < 3000; size += 7) {
		vw_arena_strdup(arena, "x"); /* puts the next one off its alignment */
		unsigned char *p = vw_arena_alloc(arena, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xA5, size);
	}
	assert_false(vw_arena_failed(arena));
}

static void allocations_do_not_overlap(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	static const size_t sizes[] = {1, 100, 40000, 8, 5000, 300000, 16, 2000000, 3};
	unsigned char *p[9];
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 9; i++) {
			p[i] = vw_arena_alloc(arena, sizes[i]);
			assert_non_null(p[i]);
			memset(p[i], i + 1, sizes[i]);
		}
		for (int i = 0; i < 9; i++) {
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(p[i][k], i + 1);
		}
		vw_arena_reset(arena);
		assert_int_equal(vw_arena_used(arena), 0);
	}
}

static void memory_is_zeroed_again_after_reset(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	for (int round = 0; round < 3; round++) {
		unsigned char *p = vw_arena_alloc(arena, 9000);
		for (size_t i = 0; i < 9000; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xFF, 9000);
		vw_arena_reset(arena);
	}
}

static void cap_is_an_error_that_stays(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(1000);
	assert_non_null(vw_arena_alloc(arena, 1000));
	assert_false(vw_arena_failed(arena));
	assert_null(vw_arena_alloc(arena, 1));
	assert_true(vw_arena_failed(arena));
	vw_arena_reset(arena);
	assert_false(vw_arena_failed(arena));
	assert_null(vw_arena_alloc(arena, 1001));
	/* also what would fit */
	assert_null(vw_arena_alloc(arena, 1));
	assert_null(vw_arena_strdup(arena, ""));
	assert_null(vw_arena_printf(arena, "x"));
}

static void cap_holds_over_many_chunks(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(VW_MIB);
	size_t count = 0;
	while (vw_arena_alloc(arena, 1024))
		count++;
	assert_true(vw_arena_failed(arena));
	assert_in_range(count, 1000, 1024);
	assert_int_equal(vw_arena_used(arena), count * 1024);
}

static void overflow_is_refused(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	assert_null(vw_arena_array(arena, SIZE_MAX / 2, 3));
	assert_true(vw_arena_failed(arena));
	vw_arena_reset(arena);
	assert_null(vw_arena_alloc(arena, SIZE_MAX));
	vw_arena_reset(arena);
	assert_null(vw_arena_alloc(arena, VW_MAX_ARENA + 1));
	vw_arena_reset(arena);
	assert_non_null(vw_arena_array(arena, 10, sizeof(uint64_t)));
	assert_int_equal(vw_arena_used(arena), 80);
}

static void copies_text(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	assert_null(vw_arena_strdup(arena, NULL));
	assert_null(vw_arena_strndup(arena, NULL, 3));
	assert_false(vw_arena_failed(arena));
	assert_string_equal(vw_arena_strdup(arena, "churn"), "churn");
	assert_string_equal(vw_arena_strdup(arena, ""), "");
	assert_string_equal(vw_arena_strndup(arena, "churn", 2), "ch");
	assert_string_equal(vw_arena_strndup(arena, "churn", 200), "churn");
	/* memory behind `len` is not read */
	const char open_end[3] = {'a', 'b', 'c'};
	assert_string_equal(vw_arena_strndup(arena, open_end, 3), "abc");
	assert_memory_equal(vw_arena_memdup(arena, "a\0b", 3), "a\0b", 3);
	assert_non_null(vw_arena_memdup(arena, NULL, 0));
	assert_string_equal(vw_arena_printf(arena, "%s-%d", "v", 7), "v-7");
	assert_string_equal(vw_arena_printf(arena, "%s", ""), "");
	char *wide = vw_arena_printf(arena, "%100000d", 1);
	assert_int_equal(strlen(wide), 100000);
}

static void serves_protobuf(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(64 * VW_KIB);
	ProtobufCAllocator *a = vw_arena_allocator(arena);
	char *p = a->alloc(a->allocator_data, 10);
	assert_non_null(p);
	memcpy(p, "123456789", 10);
	a->free(a->allocator_data, p);
	assert_string_equal(p, "123456789");
	assert_null(a->alloc(a->allocator_data, VW_MIB));
	assert_true(vw_arena_failed(arena));
}

static void closing_nothing_is_fine(void **state)
{
	(void)state;
	vw_arena_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gives_zeroed_aligned_memory),
	    cmocka_unit_test(allocations_do_not_overlap),
	    cmocka_unit_test(memory_is_zeroed_again_after_reset),
	    cmocka_unit_test(cap_is_an_error_that_stays),
	    cmocka_unit_test(cap_holds_over_many_chunks),
	    cmocka_unit_test(overflow_is_refused),
	    cmocka_unit_test(copies_text),
	    cmocka_unit_test(serves_protobuf),
	    cmocka_unit_test(closing_nothing_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
