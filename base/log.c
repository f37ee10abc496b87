#include "base/log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define VALUE_MAX ((size_t)4096) /* bytes of one value; longer ones are cut */

static _Atomic(enum vw_log_level) max_level = VW_LOG_WARN;
static _Atomic(enum vw_log_format) line_format = VW_LOG_TEXT;

static const char *level_name(enum vw_log_level level)
{
	switch (level) {
	case VW_LOG_ERROR:
		return "error";
	case VW_LOG_WARN:
		return "warn";
	case VW_LOG_INFO:
		return "info";
	case VW_LOG_DEBUG:
		return "debug";
	}
	return "error";
}

void vw_log_setup(enum vw_log_level level, enum vw_log_format format)
{
	max_level = level;
	line_format = format;
}

bool vw_log_enabled(enum vw_log_level level)
{
	return level <= max_level;
}

/* Cuts what is too long at a character's end; `room` holds the result then. */
static const char *shorten(const char *text, char room[VALUE_MAX + sizeof("\u2026")])
{
	size_t len = strnlen(text, VALUE_MAX + 1);
	if (len <= VALUE_MAX)
		return text;
	len = VALUE_MAX;
	while (len > VALUE_MAX - 4 && ((unsigned char)text[len] & 0xC0) == 0x80)
		len--;
	memcpy(room, text, len);
	memcpy(room + len, "\u2026", sizeof("\u2026"));
	return room;
}

/* Quotes and backslashes are escaped before the rest is made safe, so that what the latter writes stays readable. */
static void append_quoted(struct vw_buffer *out, const char *text)
{
	struct vw_buffer escaped;
	vw_buffer_init(&escaped, 0);
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			vw_buffer_putc(&escaped, '\\');
		vw_buffer_putc(&escaped, *p);
	}
	vw_buffer_putc(out, '"');
	vw_text_append_safe(out, vw_buffer_text(&escaped));
	vw_buffer_putc(out, '"');
	vw_buffer_reset(&escaped);
}

static void append_text(struct vw_buffer *out, const char *value)
{
	char room[VALUE_MAX + sizeof("\u2026")];
	const char *text = shorten(value, room);
	if (!text[0] || strpbrk(text, " \"=\\"))
		append_quoted(out, text);
	else
		vw_text_append_safe(out, text);
}

static void format_text(struct vw_buffer *line, enum vw_log_level level, const char *event,
			const struct vw_log_attr *attrs, int count)
{
	char now[VW_TIME_TEXT];
	vw_buffer_printf(line, "%s %s event=", vw_clock_format(vw_clock_now(), now), level_name(level));
	append_text(line, event);
	for (int i = 0; i < count; i++) {
		vw_buffer_printf(line, " %s=", attrs[i].key);
		if (attrs[i].text)
			append_text(line, attrs[i].text);
		else
			vw_buffer_printf(line, "%lld", (long long)attrs[i].number);
	}
}

static void put_safe(struct vw_json_writer *w, const char *value)
{
	char room[VALUE_MAX + sizeof("\u2026")];
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, shorten(value, room));
	vw_json_put_text(w, vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
}

static void format_json(struct vw_buffer *line, enum vw_log_level level, const char *event,
			const struct vw_log_attr *attrs, int count)
{
	struct vw_json_writer w;
	vw_json_writer_init(&w, line, false);
	vw_json_begin_object(&w);
	vw_json_key(&w, "time");
	vw_json_put_time(&w, vw_clock_now());
	vw_json_key(&w, "level");
	vw_json_put_text(&w, level_name(level));
	vw_json_key(&w, "event");
	put_safe(&w, event);
	for (int i = 0; i < count; i++) {
		vw_json_key(&w, attrs[i].key);
		if (attrs[i].text)
			put_safe(&w, attrs[i].text);
		else
			vw_json_put_int64(&w, attrs[i].number);
	}
	vw_json_end_object(&w);
}

/* One write, so that lines of several threads do not mix. A log that cannot be written is no reason to stop. */
static void write_line(const struct vw_buffer *line)
{
	size_t done = 0;
	while (done < line->len) {
		ssize_t n = write(STDERR_FILENO, line->data + done, line->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

void vw_log_write(enum vw_log_level level, const char *event, const struct vw_log_attr *attrs, int count)
{
	if (!vw_log_enabled(level))
		return;
	struct vw_buffer line;
	vw_buffer_init(&line, 0);
	if (line_format == VW_LOG_JSON)
		format_json(&line, level, event, attrs, count);
	else
		format_text(&line, level, event, attrs, count);
	vw_buffer_putc(&line, '\n');
	write_line(&line);
	vw_buffer_reset(&line);
}
