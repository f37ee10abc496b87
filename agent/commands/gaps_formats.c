/* gaps_formats.c: SARIF and JUnit. */
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

static void sarif_result(struct vw_json_writer *w, const struct gap *g)
{
	char name[1400];
	snprintf(name, sizeof(name), "%s%s%s/%s", g->workspace ? g->workspace : "", g->workspace ? "/" : "", g->model,
		 g->version);
	vw_json_begin_object(w);
	put(w, "ruleId", g->finding->rule);
	put(w, "level", sarif_level(g->finding->severity));
	put(w, "kind", g->finding->state == VW_FINDING_GAP ? "fail" : "open");
	put_message(w, "message", g->finding->message ? g->finding->message : g->finding->rule);
	vw_json_key(w, "locations");
	vw_json_begin_array(w);
	vw_json_begin_object(w);
	vw_json_key(w, "logicalLocations");
	vw_json_begin_array(w);
	vw_json_begin_object(w);
	put(w, "fullyQualifiedName", name);
	put(w, "kind", "resource");
	vw_json_end_object(w);
	vw_json_end_array(w);
	vw_json_end_object(w);
	vw_json_end_array(w);
	vw_json_end_object(w);
}

void gaps_print_sarif(const struct gap_list *list, const struct vw_policy *policy)
{
	struct vw_buffer out;
	struct vw_json_writer w;
	vw_buffer_init(&out, 0);
	vw_json_writer_init(&w, &out, true);
	vw_json_begin_object(&w);
	put(&w, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	put(&w, "version", "2.1.0");
	vw_json_key(&w, "runs");
	vw_json_begin_array(&w);
	vw_json_begin_object(&w);
	vw_json_key(&w, "tool");
	vw_json_begin_object(&w);
	vw_json_key(&w, "driver");
	vw_json_begin_object(&w);
	put(&w, "name", "vw-agent");
	put(&w, "version", VW_AGENT_VERSION);
	sarif_rules(&w, policy);
	vw_json_end_object(&w);
	vw_json_end_object(&w);
	vw_json_key(&w, "results");
	vw_json_begin_array(&w);
	for (size_t i = 0; i < list->count; i++)
		sarif_result(&w, &list->items[i]);
	vw_json_end_array(&w);
	vw_json_end_object(&w);
	vw_json_end_array(&w);
	vw_json_end_object(&w);
	puts(vw_buffer_text(&out));
	vw_buffer_reset(&out);
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

void gaps_print_junit(const struct gap_list *list)
{
	size_t failures = 0;
	for (size_t i = 0; i < list->count; i++)
		failures += list->items[i].finding->state == VW_FINDING_GAP;
	printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
	       "<testsuite name=\"vw-agent gaps\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n",
	       list->count, failures, list->count - failures);
	for (size_t i = 0; i < list->count; i++) {
		const struct gap *g = &list->items[i];
		fputs("<testcase classname=\"", stdout);
		xml(g->model);
		putchar('.');
		xml(g->version);
		fputs("\" name=\"", stdout);
		xml(g->finding->rule);
		fputs(g->finding->state == VW_FINDING_GAP ? "\"><failure type=\"" : "\"><skipped message=\"", stdout);
		if (g->finding->state == VW_FINDING_GAP) {
			xml(vw_enum_name(&verifywise__v1__severity__descriptor, (int)g->finding->severity));
			fputs("\" message=\"", stdout);
		}
		xml(g->finding->message);
		puts("\"/></testcase>");
	}
	puts("</testsuite>\n</testsuites>");
}
