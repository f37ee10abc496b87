/* A version's row as it is stored: what stands in front of it, and bytes that are none. */
#include "version.h"

#include "suite.h"

static vw_version_row *row_of(struct vw_arena *arena)
{
	static uint32_t gaps[5] = {1, 0, 3, 0, 500};
	vw_version_row *row = vw_message_new(arena, &verifywise__v1__version_row__descriptor);
	row->agent_id = (char *)AGENT_A;
	row->workspace = (char *)"";
	row->model_name = (char *)"m";
	row->version_number = (char *)"1";
	VW_SET(row, status, VW_COMPLIANCE_GAPS);
	VW_SET(row, recorded_at, -7);
	VW_SET(row, updated_at, NOW);
	row->gaps = gaps;
	row->n_gaps = 5;
	return row;
}

static void there_and_back(void **state)
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	struct vw_lmdb_version version;
	struct vw_lmdb_counters c = {0};
	struct vw_bytes packed;
	vw_version_row *row = row_of(arena), *back;
	(void)state;
	assert_ok(vw_lmdb_version_pack(row, arena, &packed, &err), err);
	assert_true(vw_lmdb_version_open(packed, &version));
	assert_int_equal(version.status, VW_COMPLIANCE_GAPS);
	assert_int_equal(version.recorded_at, -7);
	assert_int_equal(version.updated_at, NOW);
	assert_int_equal(version.gaps[4], 500);
	assert_int_equal(vw_lmdb_version_worst(&version), VW_SEVERITY_CRITICAL);
	assert_ok(vw_lmdb_version_row(&version, arena, &back, &err), err);
	assert_string_equal(back->model_name, "m");
	assert_int_equal(back->gaps[2], 3);
	vw_lmdb_version_count(&version, 1, &c);
	assert_int_equal(c.versions, 1);
	assert_int_equal(c.with_gaps, 1);
	assert_int_equal(c.gaps[2], 3);
	vw_lmdb_version_count(&version, -1, &c);
	assert_int_equal(c.versions, 0);
	assert_int_equal(c.gaps[4], 0);
	VW_SET(row, removed_at, NOW);
	assert_ok(vw_lmdb_version_pack(row, arena, &packed, &err), err);
	assert_true(vw_lmdb_version_open(packed, &version));
	assert_int_equal(vw_lmdb_version_worst(&version), 0);
	vw_lmdb_version_count(&version, 1, &c);
	assert_int_equal(c.versions, 0);
	vw_arena_close(arena);
}

static void bytes_that_are_none(void **state)
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	struct vw_lmdb_version version;
	struct vw_bytes packed;
	vw_version_row *back, *nameless = row_of(arena);
	(void)state;
	assert_ok(vw_lmdb_version_pack(row_of(arena), arena, &packed, &err), err);
	uint8_t *bytes = vw_arena_memdup(arena, packed.data, packed.len);
	for (size_t len = 0; len < 29; len++)
		assert_false(vw_lmdb_version_open((struct vw_bytes){bytes, len}, &version));
	bytes[0] = 2;
	assert_false(vw_lmdb_version_open((struct vw_bytes){bytes, packed.len}, &version));
	bytes[0] = 1;
	bytes[1] = 2;
	assert_false(vw_lmdb_version_open((struct vw_bytes){bytes, packed.len}, &version));
	bytes[1] = 0;
	bytes[29] = 0xff;
	assert_true(vw_lmdb_version_open((struct vw_bytes){bytes, packed.len}, &version));
	assert_int_equal(vw_lmdb_version_row(&version, arena, &back, &err), VW_ECORRUPT);
	nameless->model_name = NULL;
	assert_ok(vw_lmdb_version_pack(nameless, arena, &packed, &err), err);
	assert_true(vw_lmdb_version_open(packed, &version));
	assert_int_equal(vw_lmdb_version_row(&version, arena, &back, &err), VW_ECORRUPT);
	vw_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(bytes_that_are_none)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
