/* text_fuzz.c: what is made safe is safe, cells have their width, and redacting ends. */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_safe(const char *text)
{
	struct vw_buffer once, twice, cell;
	vw_buffer_init(&once, 0);
	vw_buffer_init(&twice, 0);
	vw_buffer_init(&cell, 0);
	vw_text_append_safe(&once, text);
	require(vw_utf8_valid(vw_buffer_text(&once), once.len));
	for (size_t i = 0; i < once.len; i++)
		require((unsigned char)once.data[i] >= 0x20 && once.data[i] != 0x7F);
	vw_text_append_safe(&twice, vw_buffer_text(&once));
	require(strcmp(vw_buffer_text(&once), vw_buffer_text(&twice)) == 0);
	for (size_t columns = 0; columns < 40; columns += 3) {
		vw_buffer_clear(&cell);
		vw_text_append_cell(&cell, vw_buffer_text(&once), columns);
		require(vw_text_columns(vw_buffer_text(&cell)) == columns);
		require(vw_utf8_valid(vw_buffer_text(&cell), cell.len));
	}
	vw_buffer_reset(&once);
	vw_buffer_reset(&twice);
	vw_buffer_reset(&cell);
}

static void check_arena(const char *text)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	char *redacted = vw_uri_redact(arena, text);
	require(redacted && strlen(redacted) <= 4 * strlen(text) + 4);
	require(strlen(vw_uri_redact(arena, redacted)) <= strlen(redacted));
	char *trimmed = vw_text_trim(arena, text);
	require((trimmed == NULL) == vw_text_blank(text));
	if (trimmed)
		require(strcmp(vw_text_trim(arena, trimmed), trimmed) == 0);
	require(!vw_arena_failed(arena));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_error err = VW_ERROR_INIT;
	int64_t number;
	double real;
	char *text = malloc(size + 1);
	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	check_safe(text);
	check_arena(text);
	vw_error_set(&err, VW_EINVAL, "%s", text);
	vw_error_context(&err, VW_EINVAL, "%s", text);
	require(vw_utf8_valid(err.message, strlen(err.message)));
	vw_text_int64(text, &number);
	vw_text_double(text, &real);
	vw_clock_parse_date(text, &number);
	vw_clock_parse_duration(text, &number);
	vw_key_contains_word(text, "risk");
	free(text);
	return 0;
}
