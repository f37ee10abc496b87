/* notice.h: a flood of one peer is a few lines a minute, and its end says how many there were. */
#include "notice.h"

#include "cmocka_all.h"

static struct vw_notices notices;

static void a_flood_is_cut(void **state)
{
	uint32_t suppressed, written = 0;
	(void)state;
	for (int i = 0; i < 1000; i++)
		written += vw_notice(&notices, "a", 5000 + i, &suppressed);
	assert_int_equal(written, VW_NOTICE_BURST);
	assert_true(vw_notice(&notices, "a", 5000 + VW_NOTICE_MS, &suppressed));
	assert_int_equal(suppressed, 1000 - VW_NOTICE_BURST);
	assert_true(vw_notice(&notices, "a", 5000 + 2 * VW_NOTICE_MS, &suppressed));
	assert_int_equal(suppressed, 0);
}

static void another_peer_is_heard(void **state)
{
	uint32_t suppressed;
	(void)state;
	for (int i = 0; i < 100; i++)
		vw_notice(&notices, "flooder", 10, &suppressed);
	assert_true(vw_notice(&notices, "other", 10, &suppressed));
	assert_int_equal(suppressed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_flood_is_cut), cmocka_unit_test(another_peer_is_heard)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
