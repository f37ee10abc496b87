/* gaps_formats.c: gaps for programs: JSON, SARIF, JUnit. Written finding by finding: no document is held. */
#include "gaps.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include "command.h"
#include "proto/message.h"

#include <stdio.h>
#include <string.h>

static void put(struct vw_json_writer *w, const char *key, const char *text)
{
	vw_json_key(w, key);
	vw_json_put_text(w, text);
}

static void put_message(struct vw_json_writer *w, const char *key, const char *text)
{
	vw_json_key(w, key);
	vw_json_begin_object(w);
	put(w, "text", text);
	vw_json_end_object(w);
}

/* SARIF 2.1.0 section 3.27.10: error, warning, note. */
static const char *sarif_level(vw_severity severity)
{
	if (severity >= VW_SEVERITY_HIGH)
		return "error";
	return severity == VW_SEVERITY_MEDIUM ? "warning" : "note";
}

static void sarif_rules(struct vw_json_writer *w, const struct vw_policy *policy)
{
	const struct vw_rule_info *rule;
	vw_json_key(w, "rules");
	vw_json_begin_array(w);
	for (size_t i = 0; (rule = vw_policy_rule(policy, i)); i++) {
		vw_json_begin_object(w);
		put(w, "id", rule->id);
		put_message(w, "shortDescription", rule->title ? rule->title : rule->id);
		vw_json_key(w, "properties");
		vw_json_begin_object(w);
		for (size_t c = 0; c < rule->clause_count; c++) {
			vw_json_key(w, rule->clauses[c]->framework);
			vw_json_begin_array(w);
			for (size_t k = 0; k < rule->clauses[c]->n_ids; k++)
				vw_json_put_text(w, rule->clauses[c]->ids[k]);
			vw_json_end_array(w);
		}
		vw_json_end_object(w);
		vw_json_end_object(w);
	}
	vw_json_end_array(w);
}

/* One document, written piece by piece. */
struct document {
	struct vw_buffer piece;
	struct vw_json_writer w;
	size_t count;
};

static int flush_piece(struct document *d, struct vw_error *err)
{
	int code = vw_buffer_error(&d->piece);
	fputs(vw_buffer_text(&d->piece), stdout);
	vw_buffer_clear(&d->piece);
	return code < 0 ? vw_error_set(err, code, "a finding is too large to print") : 0;
}

static int sarif_result(const struct gap *gap, const vw_finding *f, struct vw_arena *arena, void *arg,
			struct vw_error *err)
{
	struct document *d = arg;
	struct vw_json_writer *w = &d->w;
	const struct gap_version *v = gap->version;
	bool fails = gap->state == VW_FINDING_GAP;
	vw_json_begin_object(w);
	put(w, "ruleId", gap->rule);
	/* only what fails has a level (SARIF 2.1.0 section 3.27.10) */
	put(w, "level", fails ? sarif_level(gap->severity) : "none");
	put(w, "kind", fails ? "fail" : "open");
	put_message(w, "message", f->message ? f->message : gap->rule);
	vw_json_key(w, "locations");
	vw_json_begin_array(w);
	vw_json_begin_object(w);
	vw_json_key(w, "logicalLocations");
	vw_json_begin_array(w);
	vw_json_begin_object(w);
	put(w, "fullyQualifiedName",
	    vw_arena_printf(arena, "%s%s%s/%s", v->workspace ? v->workspace : "", v->workspace ? "/" : "", v->model,
			    v->number));
	put(w, "kind", "resource");
	vw_json_end_object(w);
	vw_json_end_array(w);
	vw_json_end_object(w);
	vw_json_end_array(w);
	vw_json_end_object(w);
	return flush_piece(d, err);
}

static void sarif_begin(struct vw_json_writer *w, const struct vw_policy *policy)
{
	vw_json_begin_object(w);
	put(w, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	put(w, "version", "2.1.0");
	vw_json_key(w, "runs");
	vw_json_begin_array(w);
	vw_json_begin_object(w);
	vw_json_key(w, "tool");
	vw_json_begin_object(w);
	vw_json_key(w, "driver");
	vw_json_begin_object(w);
	put(w, "name", "vw-agent");
	put(w, "version", VW_AGENT_VERSION);
	sarif_rules(w, policy);
	vw_json_end_object(w);
	vw_json_end_object(w);
	vw_json_key(w, "results");
	vw_json_begin_array(w);
}

int gaps_print_sarif(const struct gap_list *list, const struct vw_policy *policy, struct vw_error *err)
{
	struct document d = {.count = 0};
	vw_buffer_init(&d.piece, 0);
	vw_json_writer_init(&d.w, &d.piece, true);
	sarif_begin(&d.w, policy);
	int code = gaps_each(list, 0, list->count, sarif_result, &d, err);
	vw_json_end_array(&d.w);
	vw_json_end_object(&d.w);
	vw_json_end_array(&d.w);
	vw_json_end_object(&d.w);
	vw_buffer_putc(&d.piece, '\n');
	if (code == 0)
		code = flush_piece(&d, err);
	vw_buffer_reset(&d.piece);
	return code;
}

static int json_gap(const struct gap *gap, const vw_finding *f, struct vw_arena *arena, void *arg,
		    struct vw_error *err)
{
	struct document *d = arg;
	struct vw_json_writer *w = &d->w;
	(void)arena;
	vw_buffer_puts(&d->piece, d->count++ ? ",\n" : "\n");
	vw_json_writer_init(w, &d->piece, false);
	vw_json_begin_object(w);
	put(w, "workspace", gap->version->workspace);
	put(w, "model_name", gap->version->model);
	put(w, "version_number", gap->version->number);
	put(w, "lifecycle_stage", gap->version->stage);
	vw_message_json_fields(w, &f->base);
	vw_json_end_object(w);
	return flush_piece(d, err);
}

int gaps_print_json(const struct gap_list *list, struct vw_error *err)
{
	struct document d = {.count = 0};
	vw_buffer_init(&d.piece, 0);
	putchar('[');
	int code = gaps_each(list, 0, list->count, json_gap, &d, err);
	puts(list->count ? "\n]" : "]");
	vw_buffer_reset(&d.piece);
	return code;
}

/* Text in an attribute. XML 1.0 has no way to write most control characters at all, nor U+FFFE and U+FFFF: they are written as they are
 * shown to people, and as '?'. */
static void xml(const char *text)
{
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, text ? text : "");
	for (const char *at = vw_buffer_text(&safe); *at; at++) {
		bool noncharacter = strncmp(at, "\xEF\xBF\xBE", 3) == 0 || strncmp(at, "\xEF\xBF\xBF", 3) == 0;
		if (*at == '&')
			fputs("&amp;", stdout);
		else if (*at == '<')
			fputs("&lt;", stdout);
		else if (*at == '>')
			fputs("&gt;", stdout);
		else if (*at == '"')
			fputs("&quot;", stdout);
		else
			putchar(noncharacter ? '?' : *at);
		at += noncharacter ? 2 : 0;
	}
	vw_buffer_reset(&safe);
}

static int junit_case(const struct gap *gap, const vw_finding *f, struct vw_arena *arena, void *arg,
		      struct vw_error *err)
{
	const struct gap_version *v = gap->version;
	bool fails = gap->state == VW_FINDING_GAP;
	(void)arena, (void)arg, (void)err;
	fputs("<testcase classname=\"", stdout);
	xml(v->workspace);
	fputs(v->workspace ? "/" : "", stdout);
	xml(v->model);
	putchar('.');
	xml(v->number);
	fputs("\" name=\"", stdout);
	xml(gap->rule);
	fputs(fails ? "\"><failure type=\"" : "\"><skipped message=\"", stdout);
	if (fails) {
		xml(vw_enum_name(&verifywise__v1__severity__descriptor, (int)gap->severity));
		fputs("\" message=\"", stdout);
	}
	xml(f->message);
	puts("\"/></testcase>");
	return 0;
}

int gaps_print_junit(const struct gap_list *list, struct vw_error *err)
{
	size_t failures = 0;
	for (size_t i = 0; i < list->count; i++)
		failures += list->items[i].state == VW_FINDING_GAP;
	printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
	       "<testsuite name=\"vw-agent gaps\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n",
	       list->count, failures, list->count - failures);
	int code = gaps_each(list, 0, list->count, junit_case, NULL, err);
	puts("</testsuite>\n</testsuites>");
	return code;
}
