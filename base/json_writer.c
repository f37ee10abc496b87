/* Writing JSON. */
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vw_json_writer_init(struct vw_json_writer *w, struct vw_buffer *out, bool pretty)
{
	*w = (struct vw_json_writer){.out = out, .pretty = pretty};
}

static void new_line(struct vw_json_writer *w)
{
	if (!w->pretty)
		return;
	vw_buffer_putc(w->out, '\n');
	for (int i = 0; i < w->depth; i++)
		vw_buffer_append(w->out, "  ", 2);
}

/* What comes before any value or key: the comma and the line of its own. */
static void before_item(struct vw_json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->need_comma)
		vw_buffer_putc(w->out, ',');
	if (w->depth > 0)
		new_line(w);
}

static void begin(struct vw_json_writer *w, char bracket)
{
	before_item(w);
	vw_buffer_putc(w->out, bracket);
	w->depth++;
	w->need_comma = false;
}

static void end(struct vw_json_writer *w, char bracket)
{
	w->depth--;
	if (w->need_comma)
		new_line(w);
	vw_buffer_putc(w->out, bracket);
	w->need_comma = true;
}

void vw_json_begin_object(struct vw_json_writer *w)
{
	begin(w, '{');
}

void vw_json_end_object(struct vw_json_writer *w)
{
	end(w, '}');
}

void vw_json_begin_array(struct vw_json_writer *w)
{
	begin(w, '[');
}

void vw_json_end_array(struct vw_json_writer *w)
{
	end(w, ']');
}

/* A control character of ASCII; these and the two characters of JSON's own are escaped. */
static void put_escaped(struct vw_buffer *out, unsigned char c)
{
	switch (c) {
	case '"':
		vw_buffer_append(out, "\\\"", 2);
		return;
	case '\\':
		vw_buffer_append(out, "\\\\", 2);
		return;
	case '\n':
		vw_buffer_append(out, "\\n", 2);
		return;
	case '\r':
		vw_buffer_append(out, "\\r", 2);
		return;
	case '\t':
		vw_buffer_append(out, "\\t", 2);
		return;
	default:
		vw_buffer_printf(out, "\\u%04x", c);
	}
}

/* One character beyond ASCII; returns how many bytes it took. C1 controls are escaped: a terminal obeys them. */
static size_t put_wide(struct vw_buffer *out, const char *text)
{
	uint32_t point;
	size_t len = vw_utf8_decode(text, strnlen(text, 4), &point);

	if (len == 0) {
		vw_buffer_append(out, "\xef\xbf\xbd", 3);
		return 1;
	}
	if (point < 0xa0)
		vw_buffer_printf(out, "\\u%04x", (unsigned)point);
	else
		vw_buffer_append(out, text, len);
	return len;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_string(struct vw_buffer *out, const char *text)
{
	vw_buffer_putc(out, '"');
	while (*text) {
		size_t plain = 0;
		while (is_plain((unsigned char)text[plain]))
			plain++;
		vw_buffer_append(out, text, plain);
		text += plain;
		if (!*text)
			break;
		if ((unsigned char)*text < 0x80)
			put_escaped(out, (unsigned char)*text++);
		else
			text += put_wide(out, text);
	}
	vw_buffer_putc(out, '"');
}

void vw_json_key(struct vw_json_writer *w, const char *key)
{
	before_item(w);
	put_string(w->out, key);
	vw_buffer_puts(w->out, w->pretty ? ": " : ":");
	w->after_key = true;
}

void vw_json_put_raw(struct vw_json_writer *w, const char *text)
{
	before_item(w);
	vw_buffer_puts(w->out, text);
	w->need_comma = true;
}

void vw_json_put_text(struct vw_json_writer *w, const char *text)
{
	if (!text) {
		vw_json_put_null(w);
		return;
	}
	before_item(w);
	put_string(w->out, text);
	w->need_comma = true;
}

void vw_json_put_int64(struct vw_json_writer *w, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	vw_json_put_raw(w, text);
}

void vw_json_put_uint64(struct vw_json_writer *w, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	vw_json_put_raw(w, text);
}

const char *vw_double_format(double value, char out[VW_DOUBLE_TEXT])
{
	if (isnan(value))
		return "NaN";
	if (isinf(value))
		return value > 0 ? "Infinity" : "-Infinity";
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, VW_DOUBLE_TEXT, "%.*g", digits, value);
		double back = strtod(out, NULL);
		if (memcmp(&back, &value, sizeof(value)) == 0)
			break;
	}
	return out;
}

void vw_json_put_double(struct vw_json_writer *w, double value)
{
	char text[VW_DOUBLE_TEXT];

	if (isfinite(value))
		vw_json_put_raw(w, vw_double_format(value, text));
	else
		vw_json_put_text(w, vw_double_format(value, text));
}

void vw_json_put_bool(struct vw_json_writer *w, bool value)
{
	vw_json_put_raw(w, value ? "true" : "false");
}

void vw_json_put_null(struct vw_json_writer *w)
{
	vw_json_put_raw(w, "null");
}

void vw_json_put_time(struct vw_json_writer *w, int64_t ms)
{
	char text[VW_TIME_TEXT];

	vw_json_put_text(w, ms ? vw_clock_format(ms, text) : NULL);
}
