/* terminal.h: tables that fit the terminal, colours where they are wanted. */
#ifndef COMMANDS_TERMINAL_H
#define COMMANDS_TERMINAL_H

#include "base/arena.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Columns of standard output's terminal; $COLUMNS wins; 0 when it is no terminal: then nothing is cut. */
size_t terminal_columns(void);
/* "auto", "always", "never"; auto is a terminal without NO_COLOR. */
bool terminal_colours(const char *when);

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_QUIET, TONE_STRONG };
/* Appends safe text in a tone, plain when colours are off. */
void tone_append(struct vw_buffer *out, enum tone tone, bool colours, const char *text);
/* A safe copy in the arena; "-" for NULL. */
const char *terminal_safe(struct vw_arena *arena, const char *text);
/* Exactly `columns` columns of safe text, cut or padded. */
void cell_append(struct vw_buffer *out, const char *text, size_t columns);
enum tone tone_of_status(const char *status);
enum tone tone_of_stage(const char *stage);
enum tone tone_of_severity(const char *severity);

#define TABLE_COLUMNS 8
#define TABLE_ROWS    2000
/* Holds so many rows to find the widths that fit them; those behind are printed in these widths, so that a table of any length costs the
 * same memory. */
struct table {
	const char *const *headings; /* `columns` of them; NULL: none */
	size_t columns;
	size_t
	    flexible; /* bits of columns that may be cut to fit, the widest first; then the last columns are left out */
	bool colours;
	struct vw_arena *arena; /* of the rows that are held */
	struct row {
		const char *cells[TABLE_COLUMNS];
		enum tone tones[TABLE_COLUMNS];
	} * rows;
	size_t count;
	bool fitted; /* the widths are final, and the headings printed */
	bool cut;    /* what is wider is cut */
	size_t widths[TABLE_COLUMNS], shown;
};
void table_begin(struct table *table, const char *const *headings, size_t columns, size_t flexible, bool colours);
/* Copies; NULL cells are shown as "-". False without memory. */
bool table_add(struct table *table, const char *const *cells, const enum tone *tones);
void table_end(struct table *table);  /* prints what is still held */
void table_drop(struct table *table); /* does not */

#endif
