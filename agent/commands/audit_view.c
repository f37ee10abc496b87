#include "audit_view.h"

#include "base/clock.h"
#include "base/pattern.h"
#include "base/text.h"
#include "proto/message.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

struct walk {
	const struct audit_filter *filter;
	each_row each;
	void *arg;
	uint64_t from; /* the first entry */
	uint64_t skip; /* rows of it in front of the newest `limit` */
	uint64_t rows;
	bool counting;
};

static bool wanted(const struct audit_filter *f, const struct audit_row *row)
{
	bool event = strcmp(row->kind, "deployment_event") == 0 || strcmp(row->kind, "removed") == 0;
	if (f->events_only && !(event && row->event))
		return false;
	if (f->kind && !vw_text_equal_nocase(f->kind, row->kind))
		return false;
	if (f->model_glob && !(row->model && vw_glob_match(f->model_glob, row->model)))
		return false;
	return row->at >= f->since;
}

static int give(struct walk *walk, struct audit_row *row, struct vw_arena *arena, struct vw_error *err)
{
	if (!wanted(walk->filter, row))
		return 0;
	walk->rows++;
	if (walk->counting || walk->rows <= walk->skip)
		return 0;
	return walk->each(row, arena, walk->arg, err);
}

static char *joined(struct vw_arena *arena, char *const *list, size_t count)
{
	struct vw_buffer text;
	vw_buffer_init(&text, 4096);
	for (size_t i = 0; i < count; i++) {
		vw_buffer_puts(&text, i ? ", " : "");
		vw_buffer_puts(&text, list[i]);
	}
	char *copy = vw_arena_strdup(arena, vw_buffer_text(&text));
	vw_buffer_reset(&text);
	return copy;
}

static const char *ingested_text(const vw_version_recorded *v, struct vw_arena *arena)
{
	if (v->n_changed > 0)
		return vw_arena_printf(arena, "changed: %s", joined(arena, v->changed, v->n_changed));
	return v->n_events > 0 ? "first record" : "judged anew";
}

/* A deleted run that still gives all of its data is a reason, and leaves the record complete. */
static bool is_partial(const vw_record *record)
{
	const vw_completeness *c = record->completeness;
	return c && c->n_reasons > 0 && c->state && strcmp(c->state, "partial") == 0;
}

static const char *incomplete_text(const vw_record *record, struct vw_arena *arena)
{
	const vw_completeness *c = record->completeness;
	char **codes = vw_arena_array(arena, c->n_reasons + 1, sizeof(*codes));
	size_t count = 0;
	for (size_t i = 0; codes && i < c->n_reasons; i++)
		codes[count++] = vw_arena_printf(arena, "%s (%s)", c->reasons[i]->code, c->reasons[i]->text);
	return joined(arena, codes, count);
}

static const char *event_text(const vw_deployment_event *e, struct vw_arena *arena)
{
	if (e->from && e->to)
		return vw_arena_printf(arena, "%s: %s -> %s", e->field, e->from, e->to);
	if (e->to)
		return vw_arena_printf(arena, "%s: %s", e->field, e->to);
	return e->from ? vw_arena_printf(arena, "%s (was %s)", e->field, e->from) : e->field;
}

static int give_version(struct walk *walk, const vw_entry *entry, struct audit_row row, struct vw_arena *arena,
			struct vw_error *err)
{
	vw_record *record;
	int code = vw_store_record(arena, entry->version, &record, err);
	if (code < 0)
		return code;
	if (!record->model_name || !record->version_number)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %llu holds a record without a name",
				    (unsigned long long)row.sequence);
	row.workspace = record->workspace;
	row.model = record->model_name;
	row.version = record->version_number;
	row.recorded = entry->version;
	row.kind = "ingested";
	row.text = ingested_text(entry->version, arena);
	code = give(walk, &row, arena, err);
	if (code == 0 && is_partial(record)) {
		row.kind = "incomplete";
		row.text = incomplete_text(record, arena);
		code = give(walk, &row, arena, err);
	}
	row.recorded = NULL;
	row.kind = "deployment_event";
	for (size_t i = 0; i < entry->version->n_events && code == 0; i++) {
		row.event = entry->version->events[i];
		row.id = vw_arena_printf(arena, "%llu.%zu", (unsigned long long)row.sequence, i + 1);
		row.text = event_text(row.event, arena);
		code = give(walk, &row, arena, err);
	}
	return code;
}

static int give_removal(struct walk *walk, const vw_entry *entry, struct audit_row row, struct vw_arena *arena,
			struct vw_error *err)
{
	row.kind = "removed";
	row.workspace = entry->removal->workspace;
	row.model = entry->removal->model_name;
	row.version = entry->removal->version_number;
	row.event = entry->removal->event;
	row.text = row.event ? event_text(row.event, arena) : "removed";
	return give(walk, &row, arena, err);
}

static const char *audit_text(const vw_audit *a, struct vw_arena *arena)
{
	const vw_sync_counts *c = a->counts;
	if (a->has_kind && a->kind == VW_AUDIT_SYNC_FINISHED && c)
		return vw_arena_printf(
		    arena, "%s %s: %lld new, %lld changed, %lld unchanged, %lld removed; %lld requests%s%s", a->depth,
		    a->outcome, (long long)c->created, (long long)c->updated, (long long)c->unchanged,
		    (long long)c->removed, (long long)c->requests, a->text ? "; " : "", a->text ? a->text : "");
	if (a->has_kind && a->kind == VW_AUDIT_SYNC_STARTED)
		return a->depth;
	/* of a hash the beginning is enough to tell it apart */
	int shown = a->has_kind && a->kind == VW_AUDIT_CREDENTIAL_CHANGED ? INT_MAX : 16;
	if (a->from && a->to)
		return vw_arena_printf(arena, "%s: %.*s -> %.*s", a->text, shown, a->from, shown, a->to);
	return a->subject ? vw_arena_printf(arena, "%s: %s", a->subject, a->text) : a->text;
}

static int look_at(uint64_t sequence, const vw_entry *entry, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct walk *walk = arg;
	struct audit_row row = {.sequence = sequence,
				.id = vw_arena_printf(arena, "%llu", (unsigned long long)sequence),
				.at = entry->recorded_at,
				.access = entry->access};
	switch (entry->body_case) {
	case VERIFYWISE__V1__ENTRY__BODY_VERSION:
		return give_version(walk, entry, row, arena, err);
	case VERIFYWISE__V1__ENTRY__BODY_REMOVAL:
		return give_removal(walk, entry, row, arena, err);
	case VERIFYWISE__V1__ENTRY__BODY_AUDIT:
		row.audit = entry->audit;
		row.kind = vw_enum_name(&verifywise__v1__audit_kind__descriptor, (int)entry->audit->kind);
		row.text = audit_text(entry->audit, arena);
		return give(walk, &row, arena, err);
	default:
		return 0;
	}
}

/* Which entries can give such rows: the ledger's others are not read. */
static unsigned kinds_of(const struct audit_filter *filter)
{
	static const struct {
		const char *row;
		unsigned entries;
	} known[] = {{"ingested", VW_LEDGER_VERSION},
		     {"deployment_event", VW_LEDGER_VERSION},
		     {"incomplete", VW_LEDGER_VERSION | VW_LEDGER_AUDIT},
		     {"removed", VW_LEDGER_REMOVAL}};
	unsigned kinds = filter->events_only ? VW_LEDGER_VERSION | VW_LEDGER_REMOVAL : VW_LEDGER_ALL;
	if (!filter->kind)
		return kinds;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (vw_text_equal_nocase(filter->kind, known[i].row))
			return known[i].entries;
	return VW_LEDGER_AUDIT;
}

/* From the end, until there are enough rows: a long ledger is not read for a few of them. */
static int count_back(uint64_t sequence, const vw_entry *entry, struct vw_arena *arena, void *arg,
		      struct vw_error *err)
{
	struct walk *walk = arg;
	int code = look_at(sequence, entry, arena, walk, err);
	walk->from = sequence;
	if (code < 0 || walk->rows < walk->filter->limit)
		return code;
	walk->skip = walk->rows - walk->filter->limit;
	return 1;
}

static int find_newest(struct walk *walk, struct vw_txn *txn, struct vw_error *err)
{
	walk->counting = true;
	int code = vw_store_each_entry(txn, kinds_of(walk->filter), 0, true, count_back, walk, err);
	walk->counting = false;
	walk->rows = 0;
	return code;
}

int audit_each(struct vw_store *store, const struct audit_filter *filter, each_row each, void *arg,
	       struct vw_error *err)
{
	struct walk walk = {.filter = filter, .each = each, .arg = arg, .from = 1};
	struct vw_txn *txn;
	int code = vw_txn_begin_read(vw_store_kv(store), &txn, err);
	if (code < 0)
		return code;
	if (filter->limit > 0)
		code = find_newest(&walk, txn, err);
	if (code == 0)
		code = vw_store_each_entry(txn, kinds_of(filter), walk.from, false, look_at, &walk, err);
	vw_txn_end(txn);
	return code;
}

int audit_filter_of(const struct vw_cli_invocation *in, struct audit_filter *out)
{
	const char *since = vw_cli_value(in, "since"), *limit = vw_cli_value(in, "limit");
	int64_t ms;
	int unused;
	*out = (struct audit_filter){.kind = vw_cli_value(in, "kind"), .model_glob = vw_cli_value(in, "model")};
	if (out->kind && !vw_enum_value(&verifywise__v1__audit_kind__descriptor, out->kind, &unused)) {
		fprintf(stderr, "vw-agent: --kind cannot be '%s'; a kind such as sync_finished or ingested\n",
			out->kind);
		return EXIT_USAGE;
	}
	if (since && vw_clock_parse_date(since, &ms))
		out->since = ms;
	else if (since && vw_clock_parse_duration(since, &ms))
		out->since = vw_clock_now() - ms;
	else if (since) {
		fprintf(
		    stderr,
		    "vw-agent: --since cannot be '%s'; a time such as 90m, 6h, 7d, or a date such as 2026-03-01\n",
		    since);
		return EXIT_USAGE;
	}
	if (limit && (!vw_text_int64(limit, &ms) || ms < 1)) {
		fprintf(stderr, "vw-agent: --limit cannot be '%s'; a number from 1\n", limit);
		return EXIT_USAGE;
	}
	out->limit = limit ? (uint64_t)ms : 0;
	return EXIT_OK;
}
