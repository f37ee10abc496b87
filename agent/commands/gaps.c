#include "gaps.h"

#include "base/pattern.h"
#include "base/text.h"
#include "proto/message.h"
#include "source.h"
#include "terminal.h"
#include "views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct collect {
	struct gap_list list;
	struct vw_arena *arena;
	const char *rule;
	bool unknown;
};

static int copy_finding(struct collect *c, const vw_finding *finding, vw_finding **out, struct vw_error *err)
{
	size_t len;
	void *copy;
	uint8_t *bytes = vw_message_pack(c->arena, &finding->base, &len);
	if (!bytes)
		return vw_error_set(err, VW_ENOMEM, "no memory for the findings");
	int code = vw_message_unpack(c->arena, finding->base.descriptor, bytes, len, "finding", &copy, err);
	if (code == 0)
		*out = copy;
	return code;
}

static int add(struct collect *c, const struct vw_record_view *view, const vw_finding *finding, struct vw_error *err)
{
	struct gap_list *list = &c->list;
	vw_finding *copy = NULL;
	int code = copy_finding(c, finding, &copy, err);
	if (code < 0)
		return code;
	if (list->count == list->size) {
		size_t size = list->size ? 2 * list->size : 128;
		struct gap *items = vw_arena_array(c->arena, size, sizeof(*items));
		if (!items)
			return vw_error_set(err, VW_ENOMEM, "no memory for the findings");
		if (list->count)
			memcpy(items, list->items, list->count * sizeof(*items));
		list->items = items;
		list->size = size;
	}
	const vw_record *r = view->record;
	list->items[list->count++] =
	    (struct gap){vw_arena_strdup(c->arena, r->workspace), vw_arena_strdup(c->arena, r->model_name),
			 vw_arena_strdup(c->arena, r->version_number),
			 vw_arena_strdup(c->arena, r->lifecycle ? r->lifecycle->lifecycle_stage : NULL), copy};
	return 0;
}

static int collect(const struct vw_record_view *view, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct collect *c = arg;
	const vw_compliance *compliance = view->entry->compliance;
	(void)arena;
	bool gap = false;
	c->list.versions++;
	for (size_t i = 0; compliance && i < compliance->n_findings; i++) {
		const vw_finding *f = compliance->findings[i];
		if (c->rule && !(f->rule && vw_glob_match(c->rule, f->rule)))
			continue;
		gap = gap || f->state == VW_FINDING_GAP;
		c->list.unknown += f->state == VW_FINDING_UNKNOWN;
		if (f->state != VW_FINDING_GAP && !(c->unknown && f->state == VW_FINDING_UNKNOWN))
			continue;
		int code = add(c, view, f, err);
		if (code < 0)
			return code;
	}
	c->list.with_gaps += gap;
	return 0;
}

/* ---- order ---- */

static int by_model(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;
	int order = strcmp(x->model, y->model);
	int64_t v = 0, w = 0;
	if (order == 0 && vw_text_int64(x->version, &v) && vw_text_int64(y->version, &w))
		order = (v > w) - (v < w);
	return order;
}

static int by_severity(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;
	if (x->finding->severity != y->finding->severity)
		return x->finding->severity < y->finding->severity ? 1 : -1;
	int order = strcmp(x->finding->rule, y->finding->rule);
	return order ? order : by_model(a, b);
}

static int by_rule(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;
	int order = strcmp(x->finding->rule, y->finding->rule);
	return order ? order : by_model(a, b);
}

/* ---- table ---- */

static const char *clauses_text(const vw_finding *f, struct vw_arena *arena)
{
	static const char *const names[][2] = {
	    {"eu_ai_act", "AI Act"}, {"gdpr", "GDPR"}, {"iso_42001", "ISO 42001"}, {"nist_ai_rmf", "NIST"}};
	struct vw_buffer out;
	vw_buffer_init(&out, 0);
	for (size_t i = 0; i < f->n_clauses; i++) {
		for (size_t n = 0; n < 4; n++) {
			if (!f->clauses[i]->framework || strcmp(f->clauses[i]->framework, names[n][0]) != 0)
				continue;
			vw_buffer_printf(&out, "%s%s ", out.len ? "; " : "", names[n][1]);
			for (size_t k = 0; k < f->clauses[i]->n_ids; k++)
				vw_buffer_printf(&out, "%s%s", k ? ", " : "", f->clauses[i]->ids[k]);
		}
	}
	char *text = vw_arena_strdup(arena, vw_buffer_text(&out));
	vw_buffer_reset(&out);
	return text;
}

/* One heading for all gaps of a rule, or of a version when the order is by model. */
static bool same_group(const struct gap *a, const struct gap *b, bool by_model_name)
{
	if (by_model_name)
		return strcmp(a->model, b->model) == 0 && strcmp(a->version, b->version) == 0;
	return strcmp(a->finding->rule, b->finding->rule) == 0;
}

static void print_heading(const struct gap *g, size_t count, bool by_model_name, struct vw_arena *arena, bool colours)
{
	const vw_finding *f = g->finding;
	const char *severity = vw_enum_name(&verifywise__v1__severity__descriptor, (int)f->severity);
	struct vw_buffer out;
	vw_buffer_init(&out, 0);
	if (by_model_name) {
		tone_append(&out, TONE_STRONG, colours,
			    vw_arena_printf(arena, "%s version %s", g->model, g->version));
		tone_append(&out, tone_of_stage(g->stage), colours,
			    vw_arena_printf(arena, "  %s", g->stage ? g->stage : ""));
	} else {
		tone_append(&out, tone_of_severity(severity), colours, vw_arena_printf(arena, "%-8s ", severity));
		tone_append(&out, TONE_STRONG, colours, f->rule);
		tone_append(&out, TONE_PLAIN, colours, vw_arena_printf(arena, ": %s (%zu)", f->title, count));
		vw_buffer_putc(&out, '\n');
		tone_append(&out, TONE_QUIET, colours, vw_arena_printf(arena, "         %s", clauses_text(f, arena)));
	}
	printf("%s\n", vw_buffer_text(&out));
	vw_buffer_reset(&out);
}

static int print_group(const struct gap *items, size_t count, bool by_model_name, struct vw_arena *arena,
		       bool colours, struct vw_error *err)
{
	struct table table;
	table_init(&table, arena, NULL, by_model_name ? 4 : 5, by_model_name ? 1 << 3 : 1 << 1 | 1 << 4);
	for (size_t i = 0; i < count; i++) {
		const vw_finding *f = items[i].finding;
		const char *severity = vw_enum_name(&verifywise__v1__severity__descriptor, (int)f->severity);
		const char *state = vw_enum_name(&verifywise__v1__finding_state__descriptor, (int)f->state);
		const char *rule_cells[] = {"", vw_arena_printf(arena, "%s %s", items[i].model, items[i].version),
					    items[i].stage, state, f->message};
		const char *model_cells[] = {severity, f->rule, state, f->message};
		const enum tone rule_tones[] = {TONE_PLAIN, TONE_PLAIN, tone_of_stage(items[i].stage),
						tone_of_status(state), TONE_PLAIN};
		const enum tone model_tones[] = {tone_of_severity(severity), TONE_STRONG, tone_of_status(state),
						 TONE_PLAIN};
		if (!table_add(&table, by_model_name ? model_cells : rule_cells,
			       by_model_name ? model_tones : rule_tones))
			return vw_error_set(err, VW_ENOMEM, "no memory for the table");
	}
	print_heading(items, count, by_model_name, arena, colours);
	table_print(&table, colours);
	putchar('\n');
	return 0;
}

static void print_totals(const struct gap_list *list)
{
	size_t counts[VW_SEVERITY_CRITICAL + 1] = {0};
	bool shown = false;
	for (size_t i = 0; i < list->count; i++) {
		const vw_finding *f = list->items[i].finding;
		shown = shown || f->state == VW_FINDING_UNKNOWN;
		if (f->state == VW_FINDING_GAP && f->severity <= VW_SEVERITY_CRITICAL)
			counts[f->severity]++;
	}
	printf("%zu of %zu versions have gaps: %zu critical, %zu high, %zu medium, %zu low, %zu info",
	       list->with_gaps, list->versions, counts[VW_SEVERITY_CRITICAL], counts[VW_SEVERITY_HIGH],
	       counts[VW_SEVERITY_MEDIUM], counts[VW_SEVERITY_LOW], counts[VW_SEVERITY_INFO]);
	if (list->unknown)
		printf("; %zu findings could not be judged%s", list->unknown, shown ? "" : " (--unknown shows them)");
	putchar('\n');
}

static int print_table(const struct gap_list *list, bool by_model_name, struct vw_arena *arena, bool colours,
		       struct vw_error *err)
{
	for (size_t at = 0, n; at < list->count; at += n) {
		for (n = 1;
		     at + n < list->count && same_group(&list->items[at], &list->items[at + n], by_model_name);)
			n++;
		int code = print_group(list->items + at, n, by_model_name, arena, colours, err);
		if (code < 0)
			return code;
	}
	print_totals(list);
	return 0;
}

static void print_json(const struct gap_list *list)
{
	struct vw_buffer out;
	struct vw_json_writer w;
	fputs("[", stdout);
	vw_buffer_init(&out, 0);
	for (size_t i = 0; i < list->count; i++) {
		const struct gap *g = &list->items[i];
		vw_buffer_clear(&out);
		vw_json_writer_init(&w, &out, false);
		vw_json_begin_object(&w);
		vw_json_key(&w, "workspace");
		vw_json_put_text(&w, g->workspace);
		vw_json_key(&w, "model_name");
		vw_json_put_text(&w, g->model);
		vw_json_key(&w, "version_number");
		vw_json_put_text(&w, g->version);
		vw_json_key(&w, "lifecycle_stage");
		vw_json_put_text(&w, g->stage);
		vw_message_json_fields(&w, &g->finding->base);
		vw_json_end_object(&w);
		printf("%s\n%s", i ? "," : "", vw_buffer_text(&out));
	}
	vw_buffer_reset(&out);
	puts(list->count ? "\n]" : "]");
}

/* ---- the command ---- */

static bool fails(const struct gap_list *list, const char *severity)
{
	int threshold;
	if (!vw_enum_value(&verifywise__v1__severity__descriptor, severity, &threshold))
		return false; /* "none" */
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].finding->state == VW_FINDING_GAP &&
		    (int)list->items[i].finding->severity >= threshold)
			return true;
	return false;
}

static int print(const struct invocation *in, const struct session *session, const struct collect *c,
		 struct vw_error *err)
{
	const char *format = option_value(in, "format");
	struct vw_policy *policy;
	if (strcmp(format, "json") == 0) {
		print_json(&c->list);
		return 0;
	}
	if (strcmp(format, "junit") == 0) {
		gaps_print_junit(&c->list);
		return 0;
	}
	if (strcmp(format, "table") == 0)
		return print_table(&c->list, strcmp(option_value(in, "by"), "model") == 0, c->arena,
				   terminal_colours(option_value(in, "color")), err);
	int code = policy_open(session->config, &policy, err);
	if (code < 0)
		return code;
	gaps_print_sarif(&c->list, policy);
	vw_policy_close(policy);
	return 0;
}

int run_gaps(struct invocation *in)
{
	struct session session;
	struct view_filter filter = {.model_glob = option_value(in, "model")};
	struct vw_error err = VW_ERROR_INIT;
	const char *by = option_value(in, "by");
	int code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct collect c = {.arena = arena, .rule = option_value(in, "rule"), .unknown = option_given(in, "unknown")};
	code = arena ? views_each(session.store, &filter, collect, &c, &err)
		     : vw_error_set(&err, VW_ENOMEM, "no memory");
	if (code == 0 && c.list.count > 0)
		qsort(c.list.items, c.list.count, sizeof(*c.list.items),
		      strcmp(by, "rule") == 0 ? by_rule : (strcmp(by, "model") == 0 ? by_model : by_severity));
	if (code == 0)
		code = print(in, &session, &c, &err);
	bool failed = code == 0 && fails(&c.list, option_value(in, "fail-on"));
	session_close(&session);
	if (code < 0)
		return report_error(&err);
	return failed ? EXIT_GAPS : EXIT_OK;
}
