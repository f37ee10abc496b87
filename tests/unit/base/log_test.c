#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include "cmocka_all.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char output[32768];
static int kept_stderr;
static FILE *capture;

/* From here to end_capture(), standard error is a file of ours. */
static void begin_capture(void)
{
	capture = tmpfile();
	assert_non_null(capture);
	kept_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fileno(capture), STDERR_FILENO) >= 0);
}

static const char *end_capture(void)
{
	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	rewind(capture);
	output[fread(output, 1, sizeof(output) - 1, capture)] = '\0';
	fclose(capture);
	return output;
}

static int setup(void **state)
{
	(void)state;
	vw_clock_freeze(1772366400000);
	return 0;
}

static void writes_text(void **state)
{
	(void)state;
	vw_log_setup(VW_LOG_INFO, VW_LOG_TEXT);
	begin_capture();
	vw_log(VW_LOG_INFO, "sync_finished", VW_LOG_I("versions", 120), VW_LOG_S("server", "http://a"));
	assert_string_equal(end_capture(), "2026-03-01T12:00:00.000Z info event=sync_finished versions=120 "
					   "server=http://a\n");
}

static void levels_hold_back(void **state)
{
	(void)state;
	vw_log_setup(VW_LOG_WARN, VW_LOG_TEXT);
	assert_true(vw_log_enabled(VW_LOG_ERROR));
	assert_true(vw_log_enabled(VW_LOG_WARN));
	assert_false(vw_log_enabled(VW_LOG_INFO));
	begin_capture();
	vw_log(VW_LOG_INFO, "hidden", VW_LOG_I("n", 1));
	vw_log(VW_LOG_ERROR, "a", VW_LOG_I("n", INT64_MIN));
	vw_log_write(VW_LOG_WARN, "b", NULL, 0);
	assert_string_equal(end_capture(), "2026-03-01T12:00:00.000Z error event=a n=-9223372036854775808\n"
					   "2026-03-01T12:00:00.000Z warn event=b\n");
	vw_log_setup(VW_LOG_DEBUG, VW_LOG_TEXT);
	begin_capture();
	vw_log_write(VW_LOG_DEBUG, "c", NULL, 0);
	assert_string_equal(end_capture(), "2026-03-01T12:00:00.000Z debug event=c\n");
}

static const char *logged(const char *value)
{
	begin_capture();
	vw_log(VW_LOG_ERROR, "e", VW_LOG_S("v", value));
	const char *line = end_capture();
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	line = strstr(line, " v=") + 3;
	((char *)line)[strlen(line) - 1] = '\0';
	return line;
}

static void escapes_remote_text(void **state)
{
	(void)state;
	vw_log_setup(VW_LOG_ERROR, VW_LOG_TEXT);
	assert_string_equal(logged("two words"), "\"two words\"");
	assert_string_equal(logged(""), "\"\"");
	assert_string_equal(logged(NULL), "\"\"");
	assert_string_equal(logged("a\nevent=forged"), "\"a\\u{0a}event=forged\"");
	assert_string_equal(logged("\x1b[31mred"), "\\u{1b}[31mred");
	assert_string_equal(logged("say \"hi\""), "\"say \\\"hi\\\"\"");
	assert_string_equal(logged("a b\\"), "\"a b\\\\\"");
	assert_string_equal(logged("x\xFFy"), "x\\xffy");
	assert_string_equal(logged("k=v"), "\"k=v\"");
	assert_string_equal(logged("\u00FCber"), "\u00FCber");
}

static void cuts_long_values(void **state)
{
	(void)state;
	static char text[100001];
	for (size_t lead = 0; lead < 3; lead++) {
		memset(text, 'a', lead);
		for (size_t i = lead; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\u20AC", 4);
		vw_log_setup(VW_LOG_ERROR, VW_LOG_TEXT);
		const char *value = logged(text);
		assert_in_range(strlen(value), 4090, 4099);
		assert_true(vw_utf8_valid(value, strlen(value)));
		assert_string_equal(value + strlen(value) - 3, "\u2026");
	}
}

static void writes_json(void **state)
{
	(void)state;
	vw_log_setup(VW_LOG_ERROR, VW_LOG_JSON);
	begin_capture();
	vw_log(VW_LOG_ERROR, "failed", VW_LOG_S("why", "a \"b\"\n\x1b\xFF"), VW_LOG_I("n", 7));
	const char *line = end_capture();
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	json_t *root = json_loads(line, 0, NULL);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "time")), "2026-03-01T12:00:00.000Z");
	assert_string_equal(json_string_value(json_object_get(root, "level")), "error");
	assert_string_equal(json_string_value(json_object_get(root, "event")), "failed");
	assert_string_equal(json_string_value(json_object_get(root, "why")), "a \"b\"\\u{0a}\\u{1b}\\xff");
	assert_int_equal(json_integer_value(json_object_get(root, "n")), 7);
	json_decref(root);
}

static void a_closed_stderr_is_survived(void **state)
{
	(void)state;
	begin_capture();
	close(STDERR_FILENO);
	vw_log_write(VW_LOG_ERROR, "nowhere", NULL, 0);
	assert_string_equal(end_capture(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_text),         cmocka_unit_test(levels_hold_back),
	    cmocka_unit_test(escapes_remote_text), cmocka_unit_test(cuts_long_values),
	    cmocka_unit_test(writes_json),         cmocka_unit_test(a_closed_stderr_is_survived),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
