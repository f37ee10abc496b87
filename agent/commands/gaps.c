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
	c->list.versions++;
	c->list.with_gaps += view_count(view, VW_FINDING_GAP) > 0;
	for (size_t i = 0; compliance && i < compliance->n_findings; i++) {
		const vw_finding *f = compliance->findings[i];
		if (f->state != VW_FINDING_GAP && !(c->unknown && f->state == VW_FINDING_UNKNOWN))
			continue;
		if (c->rule && !(f->rule && vw_glob_match(c->rule, f->rule)))
			continue;
		int code = add(c, view, f, err);
		if (code < 0)
			return code;
	}
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

static int print_table(const struct gap_list *list, struct vw_arena *arena, bool colours, struct vw_error *err)
{
	static const char *const columns[] = {"SEVERITY", "STATE", "RULE", "VERSION", "STAGE", "WHAT", "CLAUSES"};
	struct table table;
	size_t counts[6] = {0}, unknown = 0;
	table_init(&table, arena, columns, 7, 1 << 3 | 1 << 5 | 1 << 6);
	for (size_t i = 0; i < list->count; i++) {
		const struct gap *g = &list->items[i];
		const vw_finding *f = g->finding;
		const char *severity = vw_enum_name(&verifywise__v1__severity__descriptor, (int)f->severity);
		const char *state = vw_enum_name(&verifywise__v1__finding_state__descriptor, (int)f->state);
		const char *cells[] = {severity,
				       state,
				       f->rule,
				       vw_arena_printf(arena, "%s %s", g->model, g->version),
				       g->stage,
				       f->message,
				       clauses_text(f, arena)};
		enum tone tones[] = {tone_of_severity(severity),
				     tone_of_status(state),
				     TONE_STRONG,
				     TONE_PLAIN,
				     tone_of_stage(g->stage),
				     TONE_PLAIN,
				     TONE_QUIET};
		if (!table_add(&table, cells, tones))
			return vw_error_set(err, VW_ENOMEM, "no memory for the table");
		if (f->state == VW_FINDING_GAP)
			counts[f->severity % 6]++;
		else
			unknown++;
	}
	if (list->count)
		table_print(&table, colours);
	printf("%s%zu of %zu versions have gaps: %zu critical, %zu high, %zu medium, %zu low, %zu info",
	       list->count ? "\n" : "", list->with_gaps, list->versions, counts[VW_SEVERITY_CRITICAL],
	       counts[VW_SEVERITY_HIGH], counts[VW_SEVERITY_MEDIUM], counts[VW_SEVERITY_LOW],
	       counts[VW_SEVERITY_INFO]);
	if (unknown)
		printf("; %zu could not be judged", unknown);
	putchar('\n');
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
		return print_table(&c->list, c->arena, terminal_colours(option_value(in, "color")), err);
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
