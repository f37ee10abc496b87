#include "base/text.h"

#include "width.h"

#include <string.h>

size_t vw_utf8_decode(const char *bytes, size_t len, uint32_t *out_point)
{
	/* by length: what the first byte must look like, and the least code point that needs it */
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {{0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
	if (len == 0)
		return 0;
	unsigned char first = (unsigned char)bytes[0];
	size_t n = 0;
	while (n < 4 && (first & forms[n].mask) != forms[n].lead)
		n++;
	if (n == 4 || n + 1 > len)
		return 0;
	uint32_t point = first & (unsigned char)~forms[n].mask;
	for (size_t i = 1; i <= n; i++) {
		unsigned char next = (unsigned char)bytes[i];
		if ((next & 0xC0) != 0x80)
			return 0;
		point = point << 6 | (next & 0x3F);
	}
	if (point < forms[n].least || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
		return 0;
	*out_point = point;
	return n + 1;
}

bool vw_utf8_valid(const char *bytes, size_t len)
{
	uint32_t point;
	for (size_t i = 0; i < len;) {
		size_t n = vw_utf8_decode(bytes + i, len - i, &point);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

static bool is_unsafe(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7F && c <= 0x9F))
		return true;
	return c == 0x061C || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

void vw_text_append_safe(struct vw_buffer *out, const char *text)
{
	size_t len = strlen(text);
	size_t start = 0; /* of what is safe and not yet appended */
	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		size_t n = vw_utf8_decode(text + i, len - i, &point);
		if (n && !is_unsafe(point)) {
			i += n;
			continue;
		}
		vw_buffer_append(out, text + start, i - start);
		if (n)
			vw_buffer_printf(out, "\\u{%02x}", (unsigned)point);
		else
			vw_buffer_printf(out, "\\x%02x", (unsigned char)text[i]);
		i += n ? n : 1;
		start = i;
	}
	vw_buffer_append(out, text + start, len - start);
}

/* OWASP, "CSV Injection": = + - @, tab and line ends, and the first four in full width. */
static bool begins_formula(const char *text)
{
	uint32_t point = 0;
	vw_utf8_decode(text, strlen(text), &point);
	return point == 0xFF1D || point == 0xFF0B || point == 0xFF0D || point == 0xFF20 ||
	       (point != 0 && point < 0x80 && strchr("=+-@\t\r\n", (int)point));
}

void vw_text_append_csv(struct vw_buffer *out, const char *text, bool last)
{
	text = text ? text : "";
	vw_buffer_puts(out, begins_formula(text) ? "\"'" : "\"");
	for (size_t left = strlen(text), n; left > 0; text += n, left -= n) {
		uint32_t point = 0;
		n = vw_utf8_decode(text, left, &point);
		if (n == 0) {
			vw_buffer_puts(out, "\uFFFD");
			n = 1;
		} else if ((point < 0x20 && !strchr("\t\n\r", *text)) || (point >= 0x7F && point < 0xA0)) {
			vw_buffer_printf(out, "\\u{%02x}", (unsigned)point); /* people look at it in a terminal too */
		} else {
			vw_buffer_puts(out, *text == '"' ? "\"" : "");
			vw_buffer_append(out, text, n);
		}
	}
	vw_buffer_puts(out, last ? "\"\r\n" : "\",");
}

/* Of the first character; an ill-formed byte counts as one column. */
static size_t measure(const char *text, size_t len, size_t *out_columns)
{
	uint32_t point;
	size_t n = vw_utf8_decode(text, len, &point);
	*out_columns = n ? vw_point_columns(point) : 1;
	return n ? n : 1;
}

size_t vw_text_columns(const char *text)
{
	size_t len = strlen(text);
	size_t total = 0;
	for (size_t i = 0; i < len;) {
		size_t columns;
		i += measure(text + i, len - i, &columns);
		total += columns;
	}
	return total;
}

/* Bytes of `text` that fit into `columns`; *out_used is what they take. */
static size_t fit(const char *text, size_t columns, size_t *out_used)
{
	size_t len = strlen(text);
	size_t i = 0, used = 0;
	while (i < len) {
		size_t width;
		size_t n = measure(text + i, len - i, &width);
		if (used + width > columns)
			break;
		used += width;
		i += n;
	}
	*out_used = used;
	return i;
}

void vw_text_append_cell(struct vw_buffer *out, const char *text, size_t columns)
{
	size_t used;
	size_t len = fit(text, columns, &used);
	bool cut = text[len] != '\0';
	if (columns == 0)
		return;
	if (cut)
		len = fit(text, columns - 1, &used);
	vw_buffer_append(out, text, len);
	if (cut) {
		vw_buffer_puts(out, "\u2026");
		used++;
	}
	for (; used < columns; used++)
		vw_buffer_putc(out, ' ');
}
