/* Cursors: taken back by their own listing, by nothing else. */
#include "page.h"

#include "base/limits.h"
#include "ledger.h"

static int setup(void **state)
{
	*state = vw_arena_open(0);
	return 0;
}

static int teardown(void **state)
{
	vw_arena_close(*state);
	return 0;
}

static struct vw_listing listing(const char *name, int32_t organization, const char *text, int64_t number)
{
	struct vw_listing l;
	vw_listing_begin(&l, name, organization);
	vw_listing_add_text(&l, text);
	vw_listing_add_number(&l, number);
	return l;
}

static int read_cursor(struct vw_arena *arena, const struct vw_listing *l, const char *cursor, struct vw_bytes *out)
{
	struct vw_page page = {.cursor = cursor, .limit = 10};
	return vw_page_read(l, &page, arena, out, NULL);
}

static void there_and_back(void **state)
{
	struct vw_listing l = listing("versions", 3, "m", 1);
	uint8_t place[VW_PLACE_MAX];
	struct vw_bytes out;
	memset(place, 0xfb, sizeof(place));
	for (size_t len = 1; len <= sizeof(place); len++) {
		char *cursor = vw_page_print(&l, (struct vw_bytes){place, len}, *state);
		assert_non_null(cursor);
		assert_int_equal(strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
				 strlen(cursor));
		assert_int_equal(read_cursor(*state, &l, cursor, &out), 0);
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, place, len);
	}
	assert_null(vw_page_print(&l, (struct vw_bytes){place, VW_PLACE_MAX + 1}, *state));
	assert_int_equal(read_cursor(*state, &l, NULL, &out), 0);
	assert_int_equal(out.len, 0);
}

static void of_another_listing(void **state)
{
	struct vw_listing l = listing("versions", 3, "m", 1);
	const struct vw_listing others[] = {listing("gaps", 3, "m", 1),     listing("versions", 4, "m", 1),
					    listing("versions", 3, "n", 1), listing("versions", 3, NULL, 1),
					    listing("versions", 3, "", 1),  listing("versions", 3, "m", 2)};
	char *cursor = vw_page_print(&l, (struct vw_bytes){"abc", 3}, *state);
	struct vw_bytes out;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(read_cursor(*state, &others[i], cursor, &out), VW_EINVAL);
}

static void garbage(void **state)
{
	struct vw_listing l = listing("versions", 3, "m", 1);
	char *cursor = vw_page_print(&l, (struct vw_bytes){"abc", 3}, *state), longest[2000];
	const char *bad[] = {"", "x", "!!!!", "AAAAAAAAAAA", "AAAAAAAAAAAAAAAA", "==", "\xff\xff", longest};
	struct vw_bytes out = {NULL, 77};
	memset(longest, 'A', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(read_cursor(*state, &l, bad[i], &out), VW_EINVAL);
	for (size_t i = 0; cursor[i]; i++) {
		char was = cursor[i];
		cursor[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(read_cursor(*state, &l, cursor, &out), VW_EINVAL);
		cursor[i] = (char)(was | 0x80); /* a letter to libsodium, now and then */
		assert_int_equal(read_cursor(*state, &l, cursor, &out), VW_EINVAL);
		cursor[i] = 0;
		assert_int_equal(read_cursor(*state, &l, cursor, &out), VW_EINVAL);
		cursor[i] = was;
	}
	assert_int_equal(out.len, 77);
	assert_int_equal(read_cursor(*state, &l, cursor, &out), 0);
}

static void limits(void **state)
{
	struct vw_listing l = listing("versions", 3, "m", 1);
	struct vw_error err = VW_ERROR_INIT;
	struct vw_page page = {.limit = 0};
	struct vw_bytes out;
	assert_int_equal(vw_page_read(&l, &page, *state, &out, &err), VW_EINVAL);
	page.limit = VW_MAX_PAGE + 1;
	assert_int_equal(vw_page_read(&l, &page, *state, &out, &err), VW_EINVAL);
	assert_says(err, "VW_MAX_PAGE");
	page.limit = VW_MAX_PAGE;
	assert_ok(vw_page_read(&l, &page, *state, &out, &err), err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(there_and_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(of_another_listing, setup, teardown),
	    cmocka_unit_test_setup_teardown(garbage, setup, teardown),
	    cmocka_unit_test_setup_teardown(limits, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
