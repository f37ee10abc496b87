/* work.h: versions by their numbers; what is said of a file that could not be applied. */
#include "work.h"

#include "base/digest.h"

#include "cmocka_all.h"

#include <string.h>

static void versions_are_numbers(void **state)
{
	(void)state;
	assert_true(vw_version_below("0.9.9", "0.10.0"));
	assert_true(vw_version_below("1.2", "1.2.1"));
	assert_true(vw_version_below("", "0.0.1"));
	assert_true(vw_version_below("x", "0.0.1"));
	assert_false(vw_version_below("0.10.0", "0.9.9"));
	assert_false(vw_version_below("1.2.3", "1.2.3"));
	assert_false(vw_version_below("1.2.3-rc1", "1.2.3"));
	assert_false(vw_version_below("2", "1.9.9"));
	assert_true(vw_version_below("-1.0.0", "0.0.1"));
}

static void a_mark_names_the_file(void **state)
{
	uint8_t sha256[32];
	char mark[VW_APPLY_ERROR_MARK + 1];
	(void)state;
	vw_sha256_of("policy", 6, sha256);
	vw_apply_error_mark(sha256, mark);
	assert_int_equal(strlen(mark), VW_APPLY_ERROR_MARK);
	assert_memory_equal(mark, "sha256-8:", 9);
	assert_string_equal(mark + VW_APPLY_ERROR_MARK - 2, ": ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(versions_are_numbers),
					   cmocka_unit_test(a_mark_names_the_file)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
