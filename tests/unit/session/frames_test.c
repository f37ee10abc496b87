/* frames.h: what a peer may send is bounded in size and number, however its bytes are cut (RFC 9113). */
#include "frames.h"

#include "base/limits.h"

#include "cmocka_all.h"

#include <string.h>

#define PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_LEN 24

enum { DATA = 0, HEADERS = 1, RST = 3, SETTINGS = 4, PING = 6, CONTINUATION = 9 };
enum { END_HEADERS = 4 };

static struct vw_frames frames;
static int64_t now = 1000;

static const char *look(const void *bytes, size_t len)
{
	return vw_frames_look(&frames, bytes, len, now);
}

/* A frame with as many zeroes as it says. */
static const char *frame(int type, int flags, size_t len)
{
	static uint8_t bytes[9 + 70000];
	memset(bytes, 0, sizeof(bytes));
	bytes[0] = (uint8_t)(len >> 16);
	bytes[1] = (uint8_t)(len >> 8);
	bytes[2] = (uint8_t)len;
	bytes[3] = (uint8_t)type;
	bytes[4] = (uint8_t)flags;
	return look(bytes, 9 + (len < 70000 ? len : 70000));
}

static int begin(void **state)
{
	(void)state;
	vw_frames_begin(&frames, now);
	assert_null(look(PREFACE, PREFACE_LEN));
	return 0;
}

static void a_call_passes(void **state)
{
	(void)state;
	assert_null(frame(SETTINGS, 0, 12));
	assert_null(frame(HEADERS, END_HEADERS, 300));
	for (int i = 0; i < 100000; i++)
		assert_null(frame(DATA, 0, 100));
	assert_null(frame(PING, 0, 8));
}

static void each_cut_is_the_same(void **state)
{
	uint8_t bytes[PREFACE_LEN + 9 + 5 + 9] = PREFACE;
	(void)state;
	memcpy(bytes + PREFACE_LEN, "\0\0\5\0\0\0\0\0\1hello\0\x40\1\0\0\0\0\0\1", 23);
	for (size_t cut = 0; cut < sizeof(bytes); cut++) {
		vw_frames_begin(&frames, now);
		assert_null(look(bytes, cut));
		assert_string_equal(look(bytes + cut, sizeof(bytes) - cut), "a frame that is too large");
	}
	vw_frames_begin(&frames, now);
	const char *flaw = NULL;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_null(flaw);
		flaw = look(bytes + i, 1);
	}
	assert_string_equal(flaw, "a frame that is too large");
}

static void another_protocol_is_refused(void **state)
{
	(void)state;
	vw_frames_begin(&frames, now);
	assert_string_equal(look("GET / HTTP/1.1\r\n", 16), "not HTTP/2");
	vw_frames_begin(&frames, now);
	assert_null(look("PRI * HTTP/2.0\r\n", 16));
	assert_string_equal(look("Host: x\r\n", 9), "not HTTP/2");
	vw_frames_begin(&frames, now);
	assert_string_equal(look("\0", 1), "not HTTP/2");
}

static void frames_are_bounded(void **state)
{
	(void)state;
	assert_null(frame(DATA, 0, 16384));
	assert_non_null(frame(DATA, 0, 16385));
}

/* Each frame is small, the block is not. */
static void a_block_is_bounded_over_its_frames(void **state)
{
	(void)state;
	assert_null(frame(HEADERS, 0, VW_MAX_HEADER_BLOCK / 2));
	assert_null(frame(CONTINUATION, 0, VW_MAX_HEADER_BLOCK / 2));
	assert_string_equal(frame(CONTINUATION, END_HEADERS, 1), "a header block that is too large");
	begin(state);
	assert_null(frame(HEADERS, 0, 10));
	assert_null(frame(CONTINUATION, END_HEADERS, 10));
	assert_null(frame(HEADERS, END_HEADERS, VW_MAX_HEADER_BLOCK)); /* counted anew */
}

static void an_endless_block_of_nothing(void **state)
{
	const char *flaw = frame(HEADERS, 0, 0);
	int count = 0;
	(void)state;
	for (; !flaw && count < 100000; count++)
		flaw = frame(CONTINUATION, 0, 0);
	assert_string_equal(flaw, "too many frames");
	assert_in_range(count, VW_FRAMES_OTHER - 2, VW_FRAMES_OTHER);
}

static void a_block_is_whole(void **state)
{
	(void)state;
	assert_null(frame(HEADERS, 0, 10));
	assert_string_equal(frame(DATA, 0, 10), "a header block that is broken");
	begin(state);
	assert_string_equal(frame(CONTINUATION, END_HEADERS, 10), "a header block that is broken");
	begin(state);
	assert_null(frame(HEADERS, 0, 10));
	assert_string_equal(frame(HEADERS, END_HEADERS, 10), "a header block that is broken");
}

static int until_flaw(int type, int flags, size_t len, const char *expected)
{
	const char *flaw = NULL;
	int count = 0;
	for (; !flaw && count < 100000; count++)
		flaw = frame(type, flags, len);
	assert_string_equal(flaw, expected);
	return count - 1;
}

static void floods_end(void **state)
{
	(void)state;
	assert_int_equal(until_flaw(HEADERS, END_HEADERS, 10, "too many streams"), VW_FRAMES_STREAMS);
	begin(state);
	assert_int_equal(until_flaw(PING, 0, 8, "too many frames"), VW_FRAMES_OTHER);
	begin(state);
	assert_int_equal(until_flaw(RST, 0, 4, "too many frames"), VW_FRAMES_OTHER);
	begin(state);
	assert_int_equal(until_flaw(DATA, 0, 0, "too many frames"), VW_FRAMES_OTHER);
	begin(state);
	assert_int_equal(until_flaw(77, 0, 100, "too many frames"), VW_FRAMES_OTHER);
}

static void what_is_slow_goes_on(void **state)
{
	(void)state;
	for (int i = 0; i < 10000; i++) {
		now += 1000 / VW_FRAMES_STREAMS_RATE;
		assert_null(frame(HEADERS, END_HEADERS, 10));
		assert_null(frame(RST, 0, 4));
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
	    T(a_call_passes),
	    T(each_cut_is_the_same),
	    T(another_protocol_is_refused),
	    T(frames_are_bounded),
	    T(a_block_is_bounded_over_its_frames),
	    T(an_endless_block_of_nothing),
	    T(a_block_is_whole),
	    T(floods_end),
	    T(what_is_slow_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
