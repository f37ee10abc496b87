/* terminal.h: tables that fit the terminal, colours where they are wanted. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "base/arena.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Columns of standard output's terminal; $COLUMNS wins; 0 when it is no terminal: then nothing is cut. */
size_t vw_cli_columns(void);
/* "auto", "always", "never"; auto is a terminal without NO_COLOR. */
bool vw_cli_colours(const char *when);

enum vw_cli_tone { VW_CLI_PLAIN, VW_CLI_GOOD, VW_CLI_WARN, VW_CLI_BAD, VW_CLI_QUIET, VW_CLI_STRONG };
/* Appends safe text in a tone, plain when colours are off. */
void vw_cli_tone_append(struct vw_buffer *out, enum vw_cli_tone tone, bool colours, const char *text);
/* A safe copy in the arena; "-" for NULL. */
const char *vw_cli_safe(struct vw_arena *arena, const char *text);
/* Exactly `columns` columns of safe text, cut or padded. */
void vw_cli_cell_append(struct vw_buffer *out, const char *text, size_t columns);

/* The tones of words that our tables are full of; of others as of an unknown one. A stage may be NULL. */
enum vw_cli_tone
vw_cli_tone_of_status(const char *status); /* compliant, gaps, unknown; pass, gap, ...; active, revoked */
enum vw_cli_tone vw_cli_tone_of_stage(const char *stage);       /* Production, Staging, ... */
enum vw_cli_tone vw_cli_tone_of_severity(const char *severity); /* critical, high, medium, ... */

#define VW_CLI_TABLE_COLUMNS 8
#define VW_CLI_TABLE_ROWS    2000
/* Holds so many rows to find the widths that fit them; those behind are printed in these widths, so that a table of any length costs the
 * same memory. */
struct vw_cli_table {
	const char *const *headings; /* `columns` of them; NULL: none */
	size_t columns;
	size_t
	    flexible; /* bits of columns that may be cut to fit, the widest first; then the last columns are left out */
	bool colours;
	struct vw_arena *arena; /* of the rows that are held */
	struct vw_cli_row {
		const char *cells[VW_CLI_TABLE_COLUMNS];
		enum vw_cli_tone tones[VW_CLI_TABLE_COLUMNS];
	} * rows;
	size_t count;
	bool fitted; /* the widths are final, and the headings printed */
	bool cut;    /* what is wider is cut */
	size_t widths[VW_CLI_TABLE_COLUMNS], shown;
};
void vw_cli_table_begin(struct vw_cli_table *table, const char *const *headings, size_t columns, size_t flexible,
			bool colours);
/* Copies; NULL cells are shown as "-". False without memory. */
bool vw_cli_table_add(struct vw_cli_table *table, const char *const *cells, const enum vw_cli_tone *tones);
void vw_cli_table_end(struct vw_cli_table *table);  /* prints what is still held */
void vw_cli_table_drop(struct vw_cli_table *table); /* does not */

#endif
