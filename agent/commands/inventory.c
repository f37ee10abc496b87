#include "views.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>

/* One shape of output; a run of `inventory` feeds every version to it. */
struct printer {
	const char *format;
	struct vw_buffer buffer; /* of one record */
	struct vw_cli_table table;
	size_t count;
};

static const char *const columns[] = {"MODEL", "VERSION", "STAGE", "STATUS", "GAPS", "RISK", "OWNER", "LAST UPDATED"};

static void version_cells(const struct vw_record_view *view, struct vw_arena *arena, const char **cells)
{
	const vw_record *r = view->record;
	char time[VW_TIME_TEXT];
	size_t gaps = view_count(view, VW_FINDING_GAP), unknown = view_count(view, VW_FINDING_UNKNOWN);
	cells[0] = r->workspace ? vw_arena_printf(arena, "%s/%s", r->workspace, r->model_name) : r->model_name;
	cells[1] = r->version_number;
	cells[2] = r->lifecycle ? r->lifecycle->lifecycle_stage : NULL;
	cells[3] = view->removed_at ? "removed" : view_status(view);
	cells[4] =
	    unknown ? vw_arena_printf(arena, "%zu (+%zu?)", gaps, unknown) : vw_arena_printf(arena, "%zu", gaps);
	cells[5] = r->risk ? r->risk->risk_category : NULL;
	cells[6] = r->identity ? r->identity->owner : NULL;
	cells[7] = r->lifecycle && r->lifecycle->has_last_updated_at
		       ? vw_arena_strdup(arena, vw_clock_format_date(r->lifecycle->last_updated_at, time))
		       : NULL;
}

static int print_json(struct printer *p, const struct vw_record_view *view)
{
	struct vw_json_writer w;
	bool array = strcmp(p->format, "json") == 0;
	vw_buffer_clear(&p->buffer);
	vw_json_writer_init(&w, &p->buffer, false);
	vw_record_json(&w, view);
	printf("%s%s%s", array ? (p->count ? ",\n" : "[\n") : "", vw_buffer_text(&p->buffer), array ? "" : "\n");
	return vw_buffer_error(&p->buffer);
}

#define CSV_COLUMNS 10

static int print_csv(struct printer *p, const char *const *cells)
{
	vw_buffer_clear(&p->buffer);
	for (size_t i = 0; i < CSV_COLUMNS; i++)
		vw_text_append_csv(&p->buffer, cells[i], i == CSV_COLUMNS - 1);
	fputs(vw_buffer_text(&p->buffer), stdout);
	return 0;
}

/* For machines: the table's cells, but what stands together there in columns of its own. */
static int print_csv_row(struct printer *p, const struct vw_record_view *view, const char *const *cells,
			 struct vw_arena *arena)
{
	const char *row[CSV_COLUMNS] = {view->record->model_name,
					cells[1],
					cells[2],
					cells[3],
					vw_arena_printf(arena, "%zu", view_count(view, VW_FINDING_GAP)),
					vw_arena_printf(arena, "%zu", view_count(view, VW_FINDING_UNKNOWN)),
					cells[5],
					cells[6],
					cells[7],
					view->record->workspace};
	return print_csv(p, row);
}

static int print_one(const struct vw_record_view *view, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct printer *p = arg;
	const char *cells[8];
	int code = 0;
	if (strstr(p->format, "json")) {
		code = print_json(p, view);
		p->count++;
		return code < 0 ? vw_error_set(err, code, "a record is too large to print") : 0;
	}
	version_cells(view, arena, cells);
	p->count++;
	if (strcmp(p->format, "csv") == 0)
		return print_csv_row(p, view, cells, arena);
	enum vw_cli_tone tones[8] = {VW_CLI_STRONG, VW_CLI_PLAIN, vw_cli_tone_of_stage(cells[2]),
				     vw_cli_tone_of_status(cells[3])};
	return vw_cli_table_add(&p->table, cells, tones) ? 0
							 : vw_error_set(err, VW_ENOMEM, "no memory for the table");
}

static void begin(struct printer *p)
{
	static const char *const names[CSV_COLUMNS] = {
	    "model_name",       "version_number", "lifecycle_stage", "compliance_status", "open_gaps",
	    "unknown_findings", "risk_category",  "owner",           "last_updated",      "workspace"};
	if (strcmp(p->format, "csv") == 0)
		print_csv(p, names);
}

static void end(struct printer *p)
{
	if (strcmp(p->format, "json") == 0)
		puts(p->count ? "\n]" : "[]");
	if (strcmp(p->format, "table") != 0)
		return;
	vw_cli_table_end(&p->table);
	printf("\n%zu versions\n", p->count);
}

int run_inventory(struct vw_cli_invocation *in)
{
	struct session session;
	struct view_filter filter;
	struct vw_error err = VW_ERROR_INIT;
	int code = view_filter_of(in, &filter);
	if (code == EXIT_OK)
		code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	struct printer printer = {.format = vw_cli_value(in, "format")};
	vw_buffer_init(&printer.buffer, 0);
	vw_cli_table_begin(&printer.table, columns, 8, 1 << 0 | 1 << 5 | 1 << 6,
			   vw_cli_colours(vw_cli_value(in, "color")));
	begin(&printer);
	code = views_each(session.store, &filter, print_one, &printer, &err);
	if (code == 0)
		end(&printer);
	vw_cli_table_drop(&printer.table);
	vw_buffer_reset(&printer.buffer);
	session_close(&session);
	return code < 0 ? report_error(&err) : EXIT_OK;
}
