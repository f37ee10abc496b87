#include "terminal.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP       2 /* columns between two cells */
#define NARROWEST 8 /* a column is never cut below this */

size_t terminal_columns(void)
{
	struct winsize size;
	const char *env = getenv("COLUMNS");
	int64_t columns;
	if (!isatty(STDOUT_FILENO))
		return 0;
	if (env && vw_text_int64(env, &columns) && columns > 20 && columns < 10000)
		return (size_t)columns;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

bool terminal_colours(const char *when)
{
	const char *none = getenv("NO_COLOR");
	if (strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return isatty(STDOUT_FILENO) && !(none && none[0]);
}

static const char *const tone_codes[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[1m"};

void tone_append(struct vw_buffer *out, enum tone tone, bool colours, const char *text)
{
	if (colours && tone != TONE_PLAIN)
		vw_buffer_puts(out, tone_codes[tone]);
	vw_text_append_safe(out, text ? text : "");
	if (colours && tone != TONE_PLAIN)
		vw_buffer_puts(out, "\033[0m");
}

void cell_append(struct vw_buffer *out, const char *text, size_t columns)
{
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, text ? text : "");
	vw_text_append_cell(out, vw_buffer_text(&safe), columns);
	vw_buffer_reset(&safe);
}

enum tone tone_of_status(const char *status)
{
	if (strcmp(status, "compliant") == 0 || strcmp(status, "pass") == 0)
		return TONE_GOOD;
	if (strcmp(status, "gaps") == 0 || strcmp(status, "gap") == 0)
		return TONE_BAD;
	return strcmp(status, "not_applicable") == 0 ? TONE_QUIET : TONE_WARN;
}

enum tone tone_of_stage(const char *stage)
{
	if (stage && strcmp(stage, "Production") == 0)
		return TONE_GOOD;
	if (stage && strcmp(stage, "Staging") == 0)
		return TONE_WARN;
	return TONE_QUIET;
}

enum tone tone_of_severity(const char *severity)
{
	if (strcmp(severity, "critical") == 0 || strcmp(severity, "high") == 0)
		return TONE_BAD;
	return strcmp(severity, "medium") == 0 ? TONE_WARN : TONE_PLAIN;
}

void table_init(struct table *table, struct vw_arena *arena, const char *const *headings, size_t columns,
		size_t flexible)
{
	*table = (struct table){.arena = arena, .headings = headings, .columns = columns, .flexible = flexible};
}

const char *terminal_safe(struct vw_arena *arena, const char *text)
{
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, text ? text : "-");
	const char *copy = vw_arena_strdup(arena, vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
	return copy ? copy : "-";
}

/* Cells are made safe when they are added: only then can their width be told. */
bool table_add(struct table *table, const char *const *cells, const enum tone *tones)
{
	if (table->count == table->size) {
		size_t size = table->size ? 2 * table->size : 64;
		struct row *rows = vw_arena_array(table->arena, size, sizeof(*rows));
		if (!rows)
			return false;
		if (table->count)
			memcpy(rows, table->rows, table->count * sizeof(*rows));
		table->rows = rows;
		table->size = size;
	}
	struct row *row = &table->rows[table->count];
	for (size_t i = 0; i < table->columns; i++) {
		row->cells[i] = terminal_safe(table->arena, cells[i]);
		row->tones[i] = tones ? tones[i] : TONE_PLAIN;
	}
	table->count++;
	return !vw_arena_failed(table->arena);
}

static void natural_widths(const struct table *table, size_t *widths)
{
	for (size_t c = 0; c < table->columns; c++) {
		widths[c] = table->headings ? vw_text_columns(table->headings[c]) : 0;
		for (size_t r = 0; r < table->count; r++) {
			size_t width = vw_text_columns(table->rows[r].cells[c]);
			widths[c] = width > widths[c] ? width : widths[c];
		}
	}
}

/* Takes room from the widest flexible column until a row of so many columns fits. False if it cannot. */
static bool narrow(const struct table *table, size_t *widths, size_t columns, size_t room)
{
	for (;;) {
		size_t sum = GAP * (columns - 1), widest = columns;
		for (size_t c = 0; c < columns; c++) {
			sum += widths[c];
			if ((table->flexible >> c & 1) && widths[c] > NARROWEST &&
			    (widest == columns || widths[c] > widths[widest]))
				widest = c;
		}
		if (sum <= room)
			return true;
		if (widest == columns)
			return false;
		widths[widest]--;
	}
}

/* How many columns are shown: the last ones are left out where even narrow ones have no room. */
static size_t fit(const struct table *table, size_t *widths, size_t room)
{
	size_t columns = table->columns;
	natural_widths(table, widths);
	while (room > 0 && columns > 1 && !narrow(table, widths, columns, room)) {
		natural_widths(table, widths);
		columns--;
	}
	return columns;
}

static void print_cell(struct vw_buffer *out, const char *text, size_t width, enum tone tone, bool colours, bool last)
{
	if (colours && tone != TONE_PLAIN)
		vw_buffer_puts(out, tone_codes[tone]);
	if (last && vw_text_columns(text) <= width)
		vw_buffer_puts(out, text); /* no trailing spaces */
	else
		vw_text_append_cell(out, text, width);
	if (colours && tone != TONE_PLAIN)
		vw_buffer_puts(out, "\033[0m");
	vw_buffer_puts(out, last ? "\n" : "  ");
}

void table_print(const struct table *table, bool colours)
{
	size_t widths[TABLE_COLUMNS], room = terminal_columns();
	struct vw_buffer out;
	size_t columns = fit(table, widths, room);
	vw_buffer_init(&out, 0);
	for (size_t c = 0; table->headings && c < columns; c++)
		print_cell(&out, table->headings[c], widths[c], TONE_STRONG, colours, c + 1 == columns);
	for (size_t r = 0; r < table->count; r++)
		for (size_t c = 0; c < columns; c++)
			print_cell(&out, table->rows[r].cells[c], widths[c], table->rows[r].tones[c], colours,
				   c + 1 == columns);
	fputs(vw_buffer_text(&out), stdout);
	vw_buffer_reset(&out);
}
