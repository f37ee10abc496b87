#include "cli/terminal.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP       2 /* columns between two cells */
#define NARROWEST 8 /* a column is never cut below this */

size_t vw_cli_columns(void)
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

bool vw_cli_colours(const char *when)
{
	const char *none = getenv("NO_COLOR");
	if (strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return isatty(STDOUT_FILENO) && !(none && none[0]);
}

static const char *const tone_codes[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[1m"};

void vw_cli_tone_append(struct vw_buffer *out, enum vw_cli_tone tone, bool colours, const char *text)
{
	if (colours && tone != VW_CLI_PLAIN)
		vw_buffer_puts(out, tone_codes[tone]);
	vw_text_append_safe(out, text ? text : "");
	if (colours && tone != VW_CLI_PLAIN)
		vw_buffer_puts(out, "\033[0m");
}

void vw_cli_cell_append(struct vw_buffer *out, const char *text, size_t columns)
{
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, text ? text : "");
	vw_text_append_cell(out, vw_buffer_text(&safe), columns);
	vw_buffer_reset(&safe);
}

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words) != 0)
		words++;
	return *words;
}

enum vw_cli_tone vw_cli_tone_of_status(const char *status)
{
	static const char *const good[] = {"compliant", "pass", "active", NULL};
	static const char *const bad[] = {"gaps", "gap", "revoked", "quarantined", NULL};
	if (is_one_of(status, good))
		return VW_CLI_GOOD;
	if (is_one_of(status, bad))
		return VW_CLI_BAD;
	return strcmp(status, "not_applicable") == 0 ? VW_CLI_QUIET : VW_CLI_WARN;
}

enum vw_cli_tone vw_cli_tone_of_stage(const char *stage)
{
	if (stage && strcmp(stage, "Production") == 0)
		return VW_CLI_GOOD;
	if (stage && strcmp(stage, "Staging") == 0)
		return VW_CLI_WARN;
	return VW_CLI_QUIET;
}

enum vw_cli_tone vw_cli_tone_of_severity(const char *severity)
{
	if (strcmp(severity, "critical") == 0 || strcmp(severity, "high") == 0)
		return VW_CLI_BAD;
	return strcmp(severity, "medium") == 0 ? VW_CLI_WARN : VW_CLI_PLAIN;
}

void vw_cli_table_begin(struct vw_cli_table *table, const char *const *headings, size_t columns, size_t flexible,
			bool colours)
{
	*table =
	    (struct vw_cli_table){.headings = headings, .columns = columns, .flexible = flexible, .colours = colours};
}

const char *vw_cli_safe(struct vw_arena *arena, const char *text)
{
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, text ? text : "-");
	const char *copy = vw_arena_strdup(arena, vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
	return copy ? copy : "-";
}

static void natural_widths(const struct vw_cli_table *table, size_t *widths)
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
static bool narrow(const struct vw_cli_table *table, size_t *widths, size_t columns, size_t room)
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

/* Widths, and how many columns are shown: the last ones are left out where even narrow ones have no room. */
static void fit(struct vw_cli_table *table, size_t room)
{
	table->shown = table->columns;
	natural_widths(table, table->widths);
	while (room > 0 && table->shown > 1 && !narrow(table, table->widths, table->shown, room)) {
		natural_widths(table, table->widths);
		table->shown--;
	}
	table->cut = room > 0;
	table->fitted = true;
}

/* A later row may be wider than those that the widths were made for: it is only cut on a terminal. */
static void print_cell(const struct vw_cli_table *table, const struct vw_cli_row *row, size_t c,
		       struct vw_buffer *out)
{
	const char *text = row->cells[c];
	size_t width = table->widths[c], columns = vw_text_columns(text);
	bool tinted = table->colours && row->tones[c] != VW_CLI_PLAIN, last = c + 1 == table->shown;
	if (tinted)
		vw_buffer_puts(out, tone_codes[row->tones[c]]);
	if ((columns > width && !table->cut) || (last && columns <= width))
		vw_buffer_puts(out, text); /* no trailing spaces */
	else
		vw_text_append_cell(out, text, width);
	if (tinted)
		vw_buffer_puts(out, "\033[0m");
	vw_buffer_puts(out, last ? "\n" : "  ");
}

static void print_row(const struct vw_cli_table *table, const struct vw_cli_row *row)
{
	struct vw_buffer out;
	vw_buffer_init(&out, 0);
	for (size_t c = 0; c < table->shown; c++)
		print_cell(table, row, c, &out);
	fputs(vw_buffer_text(&out), stdout);
	vw_buffer_reset(&out);
}

/* Prints the rows that are held. */
static void flush_rows(struct vw_cli_table *table)
{
	if (!table->fitted) {
		struct vw_cli_row headings = {0};
		fit(table, vw_cli_columns());
		for (size_t c = 0; table->headings && c < table->columns; c++) {
			headings.cells[c] = table->headings[c];
			headings.tones[c] = VW_CLI_STRONG;
		}
		if (table->headings)
			print_row(table, &headings);
	}
	for (size_t r = 0; r < table->count; r++)
		print_row(table, &table->rows[r]);
	table->count = 0;
	if (table->arena)
		vw_arena_reset(table->arena);
	table->rows = NULL;
}

static bool make_room(struct vw_cli_table *table)
{
	if (table->count == VW_CLI_TABLE_ROWS)
		flush_rows(table);
	if (!table->arena)
		table->arena = vw_arena_open(0);
	if (!table->arena)
		return false;
	if (!table->rows)
		table->rows = vw_arena_array(table->arena, VW_CLI_TABLE_ROWS, sizeof(*table->rows));
	return table->rows;
}

bool vw_cli_table_add(struct vw_cli_table *table, const char *const *cells, const enum vw_cli_tone *tones)
{
	if (!make_room(table))
		return false;
	struct vw_cli_row *row = &table->rows[table->count];
	for (size_t i = 0; i < table->columns; i++) {
		/* only of safe text the width can be told */
		row->cells[i] = vw_cli_safe(table->arena, cells[i]);
		row->tones[i] = tones ? tones[i] : VW_CLI_PLAIN;
	}
	table->count++;
	return !vw_arena_failed(table->arena);
}

void vw_cli_table_end(struct vw_cli_table *table)
{
	flush_rows(table);
	vw_cli_table_drop(table);
}

void vw_cli_table_drop(struct vw_cli_table *table)
{
	vw_arena_close(table->arena);
	table->arena = NULL;
	table->rows = NULL;
	table->count = 0;
}
