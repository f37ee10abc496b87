#include "base/buffer.h"

#include "base/error.h"

#include "cmocka_all.h"

#include <string.h>

static void starts_empty(void **state)
{
	(void)state;
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	assert_null(buf.data);
	assert_string_equal(vw_buffer_text(&buf), "");
	assert_int_equal(vw_buffer_error(&buf), 0);
	vw_buffer_clear(&buf);
	vw_buffer_reset(&buf);
	vw_buffer_wipe(&buf);
}

static void grows_and_stays_terminated(void **state)
{
	(void)state;
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	for (int i = 0; i < 5000; i++) {
		vw_buffer_putc(&buf, 'a');
		vw_buffer_puts(&buf, "bc");
		vw_buffer_printf(&buf, "%d", 7);
		assert_int_equal(buf.data[buf.len], 0);
	}
	assert_int_equal(buf.len, 20000);
	assert_memory_equal(buf.data + 19996, "abc7", 4);
	vw_buffer_clear(&buf);
	assert_string_equal(vw_buffer_text(&buf), "");
	assert_int_equal(buf.len, 0);
	vw_buffer_append(&buf, "x\0y", 3);
	assert_int_equal(buf.len, 3);
	assert_memory_equal(buf.data, "x\0y", 4);
	vw_buffer_append(&buf, NULL, 0);
	assert_int_equal(buf.len, 3);
	vw_buffer_reset(&buf);
	assert_null(buf.data);
}

static void cap_is_exact_and_sticky(void **state)
{
	(void)state;
	struct vw_buffer buf;
	vw_buffer_init(&buf, 10);
	vw_buffer_puts(&buf, "0123456789");
	assert_int_equal(vw_buffer_error(&buf), 0);
	assert_int_equal(buf.size, 11);
	vw_buffer_putc(&buf, 'x');
	assert_int_equal(vw_buffer_error(&buf), VW_ELIMIT);
	assert_string_equal(vw_buffer_text(&buf), "0123456789");
	vw_buffer_clear(&buf);
	assert_int_equal(vw_buffer_error(&buf), 0);
	vw_buffer_puts(&buf, "01234567890"); /* nothing of it */
	assert_int_equal(vw_buffer_error(&buf), VW_ELIMIT);
	vw_buffer_puts(&buf, "0"); /* nothing after an error */
	vw_buffer_printf(&buf, "%d", 1);
	assert_int_equal(buf.len, 0);
	vw_buffer_reset(&buf);
	assert_int_equal(vw_buffer_error(&buf), 0);
	vw_buffer_printf(&buf, "%s", "0123456789");
	assert_string_equal(vw_buffer_text(&buf), "0123456789");
	vw_buffer_printf(&buf, "%s", "");
	assert_int_equal(vw_buffer_error(&buf), 0);
	vw_buffer_printf(&buf, "%s", "x");
	assert_int_equal(vw_buffer_error(&buf), VW_ELIMIT);
	vw_buffer_reset(&buf);
}

static void huge_lengths_do_not_wrap(void **state)
{
	(void)state;
	struct vw_buffer buf;
	vw_buffer_init(&buf, SIZE_MAX - 1);
	vw_buffer_puts(&buf, "abc");
	vw_buffer_append(&buf, "x", SIZE_MAX - 2);
	assert_int_equal(vw_buffer_error(&buf), VW_ELIMIT);
	vw_buffer_reset(&buf);
}

static void zeroed_buffer_works(void **state)
{
	(void)state;
	struct vw_buffer buf = {0};
	vw_buffer_puts(&buf, "abc");
	assert_string_equal(vw_buffer_text(&buf), "abc");
	vw_buffer_wipe(&buf);
	assert_null(buf.data);
}

static void secret_grows_and_is_wiped_on_clear(void **state)
{
	(void)state;
	struct vw_buffer buf;
	vw_buffer_init_secret(&buf, 5000);
	for (int i = 0; i < 1000; i++)
		vw_buffer_puts(&buf, "topse");
	assert_int_equal(buf.len, 5000);
	assert_memory_equal(buf.data + 4995, "topse", 6);
	vw_buffer_clear(&buf);
	for (size_t i = 0; i < buf.size; i++)
		assert_int_equal(buf.data[i], 0);
	vw_buffer_puts(&buf, "again");
	assert_string_equal(vw_buffer_text(&buf), "again");
	vw_buffer_reset(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(starts_empty),
	    cmocka_unit_test(grows_and_stays_terminated),
	    cmocka_unit_test(cap_is_exact_and_sticky),
	    cmocka_unit_test(huge_lengths_do_not_wrap),
	    cmocka_unit_test(zeroed_buffer_works),
	    cmocka_unit_test(secret_grows_and_is_wiped_on_clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
