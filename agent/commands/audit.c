/* audit.c: `events`, `audit list`, `audit verify`, `audit export`. */
#include "audit_view.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/terminal.h"
#include "proto/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- rows ---- */

struct printer {
	const char *format;
	bool events;
	struct vw_buffer buffer;
	struct vw_cli_table table;
	size_t count;
};

static void put_text(struct vw_json_writer *w, const char *key, const char *text)
{
	vw_json_key(w, key);
	vw_json_put_text(w, text);
}

static void put_row(struct vw_json_writer *w, const struct audit_row *row, bool events)
{
	vw_json_begin_object(w);
	put_text(w, "id", row->id);
	put_text(w, "model_name", row->model);
	put_text(w, "version_number", row->version);
	put_text(w, "workspace", row->workspace);
	if (events) {
		put_text(w, "field", row->event->field);
		put_text(w, "from", row->event->from);
		put_text(w, "to", row->event->to);
		vw_json_key(w, "detected_at");
		vw_json_put_time(w, row->at);
		vw_json_key(w, "mlflow_updated_at");
		vw_json_put_time(w, row->event->mlflow_updated_at);
		put_text(w, "source", row->event->source);
		vw_json_end_object(w);
		return;
	}
	vw_json_key(w, "sequence");
	vw_json_put_int64(w, (int64_t)row->sequence);
	vw_json_key(w, "recorded_at");
	vw_json_put_time(w, row->at);
	put_text(w, "kind", row->kind);
	put_text(w, "text", row->text);
	vw_json_key(w, "access");
	if (row->access)
		vw_message_json(w, &row->access->base);
	else
		vw_json_put_null(w);
	vw_json_key(w, "event");
	if (row->event)
		vw_message_json(w, &row->event->base);
	else
		vw_json_put_null(w);
	vw_json_key(w, "audit");
	if (row->audit)
		vw_message_json(w, &row->audit->base);
	else
		vw_json_put_null(w);
	vw_json_end_object(w);
}

static int print_row(const struct audit_row *row, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct printer *p = arg;
	char time[VW_TIME_TEXT];
	if (strcmp(p->format, "table") != 0) {
		struct vw_json_writer w;
		bool array = strcmp(p->format, "json") == 0;
		vw_buffer_clear(&p->buffer);
		vw_json_writer_init(&w, &p->buffer, false);
		put_row(&w, row, p->events);
		printf("%s%s%s", array ? (p->count ? ",\n" : "[\n") : "", vw_buffer_text(&p->buffer),
		       array ? "" : "\n");
		p->count++;
		return 0;
	}
	const char *subject = row->model ? vw_arena_printf(arena, "%s%s%s %s", row->workspace ? row->workspace : "",
							   row->workspace ? "/" : "", row->model, row->version)
					 : NULL;
	const char *at = vw_arena_printf(arena, "%.10s %.8s", vw_clock_format(row->at, time), time + 11);
	const char *event_cells[] = {row->id, at, subject, row->text};
	const char *audit_cells[] = {row->id, at,        row->kind,
				     subject, row->text, row->access ? row->access->credential : NULL};
	p->count++;
	return vw_cli_table_add(&p->table, p->events ? event_cells : audit_cells, NULL)
		   ? 0
		   : vw_error_set(err, VW_ENOMEM, "no memory for the table");
}

static int list(struct vw_cli_invocation *in, bool events)
{
	static const char *const audit_columns[] = {"ENTRY", "TIME (UTC)", "KIND", "VERSION", "WHAT", "CREDENTIAL"};
	static const char *const event_columns[] = {"EVENT", "TIME (UTC)", "VERSION", "WHAT"};
	struct session session;
	struct audit_filter filter;
	struct vw_error err = VW_ERROR_INIT;
	int code = audit_filter_of(in, &filter);
	if (code == EXIT_OK)
		code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	filter.events_only = events;
	bool colours = vw_cli_colours("auto");
	struct printer printer = {.format = vw_cli_value(in, "format"), .events = events};
	vw_buffer_init(&printer.buffer, 0);
	if (events)
		vw_cli_table_begin(&printer.table, event_columns, 4, 1 << 2 | 1 << 3, colours);
	else
		vw_cli_table_begin(&printer.table, audit_columns, 6, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5, colours);
	code = audit_each(session.store, &filter, print_row, &printer, &err);
	if (code == 0 && strcmp(printer.format, "json") == 0)
		puts(printer.count ? "\n]" : "[]");
	if (code == 0 && strcmp(printer.format, "table") == 0)
		vw_cli_table_end(&printer.table);
	vw_cli_table_drop(&printer.table);
	vw_buffer_reset(&printer.buffer);
	session_close(&session);
	return code < 0 ? report_error(&err) : EXIT_OK;
}

int run_events(struct vw_cli_invocation *in)
{
	return list(in, true);
}

int run_audit_list(struct vw_cli_invocation *in)
{
	return list(in, false);
}

/* ---- verify ---- */

static void verify_progress(uint64_t done, uint64_t total, void *arg)
{
	(void)arg;
	fprintf(stderr, "\r\033[Kchecking %llu/%llu", (unsigned long long)done, (unsigned long long)total);
	if (done == total)
		fputs("\r\033[K", stderr);
}

static void print_check(const struct vw_ledger_check *check, bool json)
{
	char hex[VW_SHA256_HEX];
	vw_hex_encode(check->head.hash, VW_LEDGER_HASH, hex);
	if (json) {
		struct vw_buffer out;
		struct vw_json_writer w;
		vw_buffer_init(&out, 0);
		vw_json_writer_init(&w, &out, true);
		vw_json_begin_object(&w);
		vw_json_key(&w, "sound");
		vw_json_put_bool(&w, check->first_bad == 0 && check->reason[0] == '\0');
		vw_json_key(&w, "entries");
		vw_json_put_int64(&w, (int64_t)check->entries);
		vw_json_key(&w, "first_bad");
		if (check->first_bad)
			vw_json_put_int64(&w, (int64_t)check->first_bad);
		else
			vw_json_put_null(&w);
		put_text(&w, "reason", check->reason[0] ? check->reason : NULL);
		put_text(&w, "head_sha256", hex);
		vw_json_end_object(&w);
		printf("%s\n", vw_buffer_text(&out));
		vw_buffer_reset(&out);
		return;
	}
	if (check->first_bad == 0)
		printf("the chain of %llu entries is sound; its head is %s\n", (unsigned long long)check->entries,
		       hex);
	else
		printf("the chain is broken at entry %llu: %s\n", (unsigned long long)check->first_bad,
		       check->reason);
}

int run_audit_verify(struct vw_cli_invocation *in)
{
	struct session session;
	struct vw_ledger_check check;
	struct vw_error err = VW_ERROR_INIT;
	int code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	code = vw_store_verify(session.store, &check, isatty(STDERR_FILENO) ? verify_progress : NULL, NULL, &err);
	session_close(&session);
	if (code < 0)
		return report_error(&err);
	print_check(&check, strcmp(vw_cli_value(in, "format"), "json") == 0);
	return check.first_bad ? EXIT_CHAIN : EXIT_OK;
}

/* ---- export ---- */

struct export
{
	FILE *out;
	struct vw_txn *txn;
	struct vw_buffer line;
};

static void export_head(struct export *e, const vw_agent_identity *id, const struct vw_ledger_head *head)
{
	struct vw_json_writer w;
	char hex[VW_SHA256_HEX];
	vw_json_writer_init(&w, &e->line, false);
	vw_json_begin_object(&w);
	put_text(&w, "ledger", VW_LEDGER_DOMAIN);
	put_text(&w, "organization", id->organization ? id->organization : "");
	put_text(&w, "agent", id->agent_id);
	vw_json_key(&w, "epoch");
	vw_json_put_int64(&w, (int64_t)id->epoch);
	put_text(&w, "genesis_agent", id->genesis_agent_id ? id->genesis_agent_id : id->agent_id);
	vw_json_key(&w, "head");
	vw_json_begin_object(&w);
	vw_json_key(&w, "sequence");
	vw_json_put_int64(&w, (int64_t)head->sequence);
	put_text(&w, "chain_sha256", vw_hex_encode(head->hash, VW_LEDGER_HASH, hex));
	vw_json_end_object(&w);
	vw_json_end_object(&w);
	fprintf(e->out, "%s\n", vw_buffer_text(&e->line));
}

/* The record is bytes inside the entry; for people it is shown beside it. */
static int put_entry(struct vw_json_writer *w, const vw_entry *entry, struct vw_arena *arena, struct vw_error *err)
{
	vw_record *record;
	vw_json_key(w, "entry");
	vw_message_json(w, &entry->base);
	if (entry->body_case != VERIFYWISE__V1__ENTRY__BODY_VERSION)
		return 0;
	int code = vw_store_record(arena, entry->version, &record, err);
	if (code < 0)
		return code;
	vw_json_key(w, "record");
	vw_message_json(w, &record->base);
	return 0;
}

static int export_entry(uint64_t sequence, const vw_entry *entry, struct vw_arena *arena, void *arg,
			struct vw_error *err)
{
	struct export *e = arg;
	struct vw_json_writer w;
	struct vw_bytes payload;
	const uint8_t *hash;
	char hex[VW_SHA256_HEX];
	int code = vw_store_entry_bytes(e->txn, sequence, &payload, &hash, err);
	if (code < 0)
		return code;
	char *base64 = vw_arena_alloc(arena, 4 * ((payload.len + 2) / 3) + 1);
	if (!base64)
		return vw_error_set(err, VW_ENOMEM, "no memory for ledger entry %llu", (unsigned long long)sequence);
	vw_buffer_clear(&e->line);
	vw_json_writer_init(&w, &e->line, false);
	vw_json_begin_object(&w);
	vw_json_key(&w, "sequence");
	vw_json_put_int64(&w, (int64_t)sequence);
	put_text(&w, "payload", vw_base64_encode(payload.data, payload.len, base64));
	put_text(&w, "chain_sha256", vw_hex_encode(hash, VW_LEDGER_HASH, hex));
	code = put_entry(&w, entry, arena, err);
	vw_json_end_object(&w);
	if (code == 0 && fprintf(e->out, "%s\n", vw_buffer_text(&e->line)) < 0)
		code = vw_error_set(err, VW_EIO, "cannot write the export: %s", strerror(errno));
	return code;
}

/* All of it as one view sees it, the owner in the first line too. */
static int export_view(struct export *e, uint64_t from, struct vw_arena *arena, struct vw_error *err)
{
	vw_agent_identity *identity;
	struct vw_ledger_head head;
	int code = vw_store_identity_now(e->txn, arena, &identity, err);
	if (code == 0)
		code = vw_store_head(e->txn, &head, err);
	if (code < 0)
		return code;
	export_head(e, identity, &head);
	return vw_store_each_entry(e->txn, VW_LEDGER_ALL, from, false, export_entry, e, err);
}

static int export_all(struct session *session, uint64_t from, FILE *out, struct vw_error *err)
{
	struct export e = {.out = out};
	struct vw_arena *arena = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for the export");
	vw_buffer_init(&e.line, 0);
	int code = vw_txn_begin_read(vw_store_kv(session->store), &e.txn, err);
	if (code == 0)
		code = export_view(&e, from, arena, err);
	vw_txn_end(e.txn);
	vw_buffer_reset(&e.line);
	vw_arena_close(arena);
	return code;
}

int run_audit_export(struct vw_cli_invocation *in)
{
	struct session session;
	struct vw_error err = VW_ERROR_INIT;
	const char *from_text = vw_cli_value(in, "from"), *path = vw_cli_value(in, "output");
	int64_t from = 1;
	if (from_text && (!vw_text_int64(from_text, &from) || from < 1)) {
		fprintf(stderr, "vw-agent: --from cannot be '%s'; a sequence number from 1\n", from_text);
		return EXIT_USAGE;
	}
	int code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	FILE *out = path ? fopen(path, "we") : stdout;
	if (!out)
		code = vw_error_set(&err, VW_EIO, "cannot write %s: %s", path, strerror(errno));
	else
		code = export_all(&session, (uint64_t)from, out, &err);
	bool unwritten = !out || ferror(out);
	if (out && path && fclose(out) != 0)
		unwritten = true;
	if (code == 0 && unwritten && path)
		code = vw_error_set(&err, VW_EIO, "cannot write %s: %s", path, strerror(errno));
	session_close(&session);
	if (code == 0)
		return EXIT_OK;
	int exit_code = report_error(&err);
	return unwritten ? EXIT_FAILED : exit_code; /* nothing is wrong with the state then */
}
