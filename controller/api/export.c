/* export.c: all versions that a filter lets through, as lines of JSON with their whole records, or as a table. A page is in memory at a time. */
#include "routes.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"
#include "entry_json.h"
#include "filter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT_ROWS  200 /* of one page */
#define EXPORT_PIECE (256 * VW_KIB)

struct export
{
	struct vw_fleet_store *store;
	int32_t organization;
	struct vw_arena *arena;  /* the filter */
	struct vw_arena *page;   /* rows */
	struct vw_arena *record; /* one of them */
	struct filter filter;
	struct vw_buffer cursor; /* of the page behind this one; empty: there is none */
	vw_version_row **rows;
	size_t count, at;
	bool csv, begun;
};

/* ---- lines of JSON ---- */

static int put_line(const struct export *e, const vw_version_row *row, struct vw_buffer *out, struct vw_error *err)
{
	vw_chained_entry **entries;
	size_t count;
	struct entry_view view;
	struct vw_json_writer w;
	vw_arena_reset(e->record);
	int code = vw_fleet_ledger_read(e->store, e->record, e->organization, row->agent_id, row->sequence, 1,
					&entries, &count, err);
	if (code == 0 && count != 1)
		code = vw_error_set(err, VW_ECORRUPT, "the ledger of agent %s has no entry %" PRIu64, row->agent_id,
				    row->sequence);
	if (code == 0)
		code = entry_open(entries[0], row->sequence, e->record, &view, err);
	if (code < 0)
		return code;
	vw_json_writer_init(&w, out, false);
	vw_json_begin_object(&w);
	vw_json_key(&w, "version");
	vw_message_json(&w, &row->base);
	vw_json_key(&w, "newest");
	vw_json_begin_object(&w);
	entry_put(&w, &view);
	entry_put_record(&w, &view, row->has_removed_at ? row->removed_at : 0);
	vw_json_end_object(&w);
	vw_json_end_object(&w);
	vw_buffer_putc(out, '\n');
	return 0;
}

/* ---- a table ---- */

static const char *const columns[] = {
    "organization",  "agent_id",      "workspace",  "model_name",      "version_number", "stage",
    "owner",         "risk_category", "status",     "gaps_info",       "gaps_low",       "gaps_medium",
    "gaps_high",     "gaps_critical", "unknown",    "partial",         "first_seen_at",  "recorded_at",
    "created_at",    "updated_at",    "removed_at", "experiment_name", "description",    "source_uri",
    "record_sha256", "sequence",
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct line {
	struct vw_buffer *out;
	size_t cells;
};

static void put_cell(struct line *line, const char *text)
{
	line->cells++;
	vw_text_append_csv(line->out, text, line->cells == COLUMNS);
}

static void put_number(struct line *line, uint64_t number)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, number);
	put_cell(line, text);
}

static void put_time(struct line *line, bool there, int64_t ms)
{
	char text[VW_TIME_TEXT];
	put_cell(line, there && ms ? vw_clock_format(ms, text) : NULL);
}

static void put_hash(struct line *line, const ProtobufCBinaryData *hash)
{
	char hex[VW_SHA256_HEX];
	put_cell(line, hash->len == VW_SHA256_SIZE ? vw_hex_encode(hash->data, hash->len, hex) : NULL);
}

static void put_row(const vw_version_row *row, struct vw_buffer *out)
{
	struct line line = {out, 0};
	put_number(&line, (uint64_t)row->organization);
	put_cell(&line, row->agent_id);
	put_cell(&line, row->workspace);
	put_cell(&line, row->model_name);
	put_cell(&line, row->version_number);
	put_cell(&line, row->stage);
	put_cell(&line, row->owner);
	put_cell(&line, row->risk_category);
	put_cell(&line, row->has_status
			    ? vw_enum_name(&verifywise__v1__compliance_status__descriptor, (int)row->status)
			    : NULL);
	for (size_t i = 0; i < VW_SEVERITIES; i++)
		put_number(&line, i < row->n_gaps ? row->gaps[i] : 0);
	put_number(&line, row->unknown);
	put_cell(&line, row->partial ? "true" : "false");
	put_time(&line, row->has_first_seen_at, row->first_seen_at);
	put_time(&line, row->has_recorded_at, row->recorded_at);
	put_time(&line, row->has_created_at, row->created_at);
	put_time(&line, row->has_updated_at, row->updated_at);
	put_time(&line, row->has_removed_at, row->removed_at);
	put_cell(&line, row->experiment_name);
	put_cell(&line, row->description);
	put_cell(&line, row->source_uri);
	put_hash(&line, &row->record_sha256);
	put_number(&line, row->sequence);
}

static void put_heading(struct vw_buffer *out)
{
	for (size_t i = 0; i < COLUMNS; i++)
		vw_text_append_csv(out, columns[i], i == COLUMNS - 1);
}

/* ---- page by page ---- */

static int read_page(struct export *e, struct vw_error *err)
{
	struct vw_page page = {.cursor = e->begun ? vw_buffer_text(&e->cursor) : NULL, .limit = EXPORT_ROWS};
	char *next;
	vw_arena_reset(e->page);
	int code = vw_fleet_version_list(e->store, e->page, e->organization, &e->filter.query, &page, &e->rows,
					 &e->count, &next, err);
	if (code < 0)
		return code;
	vw_buffer_clear(&e->cursor);
	vw_buffer_puts(&e->cursor, next ? next : "");
	e->begun = true;
	e->at = 0;
	return vw_buffer_error(&e->cursor) ? vw_error_set(err, VW_ENOMEM, "no memory for an export") : 0;
}

static int export_next(void *stream, struct vw_buffer *out, struct vw_error *err)
{
	struct export *e = stream;
	int code = 0;
	if (e->csv && !e->begun)
		put_heading(out);
	if (e->at == e->count)
		code = read_page(e, err);
	for (; code == 0 && e->at < e->count && out->len < EXPORT_PIECE; e->at++) {
		if (e->csv)
			put_row(e->rows[e->at], out);
		else
			code = put_line(e, e->rows[e->at], out, err);
	}
	if (code == 0 && vw_buffer_error(out))
		code = vw_error_set(err, vw_buffer_error(out), "no memory for an export");
	return code < 0 ? code : e->at < e->count || e->cursor.len > 0;
}

static void export_close(void *stream)
{
	struct export *e = stream;
	vw_arena_close(e->arena);
	vw_arena_close(e->page);
	vw_arena_close(e->record);
	vw_buffer_reset(&e->cursor);
	free(e);
}

static int export_open(struct visit *v, struct export **out, struct vw_error *err)
{
	struct export *e = calloc(1, sizeof(*e));
	if (!e)
		return vw_error_set(err, VW_ENOMEM, "no memory for an export");
	e->store = v->api->settings.store;
	e->organization = v->organization;
	vw_buffer_init(&e->cursor, VW_MAX_QUERY);
	e->arena = vw_arena_open(0);
	e->page = vw_arena_open(0);
	e->record = vw_arena_open(0);
	int code = e->arena && e->page && e->record ? filter_read(v, e->arena, &e->filter, err)
						    : vw_error_set(err, VW_ENOMEM, "no memory for an export");
	if (code < 0) {
		export_close(e);
		return code;
	}
	*out = e;
	return 0;
}

int api_record_export(struct visit *v, struct vw_error *err)
{
	struct export *e = NULL;
	const char *format = visit_query(v, "format");
	bool csv = format && strcmp(format, "csv") == 0;
	if (format && !csv && strcmp(format, "ndjson") != 0)
		return vw_error_set(err, VW_EINVAL, "format must be ndjson or csv");
	if (!visit_enter(v, &v->api->works))
		return 0;
	int code = export_open(v, &e, err);
	if (code < 0) {
		quota_leave(&v->api->works, v->organization);
		return code;
	}
	e->csv = csv;
	v->out->file_name =
	    vw_arena_printf(v->arena, "records-%" PRId32 ".%s", v->organization, csv ? "csv" : "ndjson");
	const struct visit_stream stream = {csv ? "text/csv; charset=utf-8" : "application/x-ndjson", export_next,
					    export_close, e, &v->api->works};
	return visit_stream(v, &stream, err);
}
