/* gaps.c: `gaps`: what the policy misses, collected, put in order, handed to one of the forms. */
#include "gaps.h"

#include "base/pattern.h"
#include "cli/terminal.h"
#include "command.h"
#include "proto/message.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

/* ---- collecting ---- */

struct collect {
	struct gap_list *list;
	const struct gap_filter *filter;
	struct vw_txn *txn;
};

/* The same text for each of its findings. NULL without memory. */
static const char *rule_name(struct gap_list *list, const char *rule)
{
	for (size_t i = 0; i < list->rule_count; i++)
		if (strcmp(list->rules[i], rule) == 0)
			return list->rules[i];
	if (list->rule_count == list->rule_size) {
		size_t size = list->rule_size ? 2 * list->rule_size : 64;
		const char **rules = vw_arena_array(list->arena, size, sizeof(*rules));
		if (!rules)
			return NULL;
		if (list->rule_count)
			memcpy(rules, list->rules, list->rule_count * sizeof(*rules));
		list->rules = rules;
		list->rule_size = size;
	}
	const char *copy = vw_arena_strdup(list->arena, rule);
	if (copy)
		list->rules[list->rule_count++] = copy;
	return copy;
}

static const struct gap_version *copy_version(struct gap_list *list, const vw_version_index *index,
					      const vw_record *record)
{
	const char *stage = record->lifecycle ? record->lifecycle->lifecycle_stage : NULL;
	const char *workspace = index->workspace && index->workspace[0] ? index->workspace : NULL;
	struct gap_version version = {vw_arena_strdup(list->arena, workspace),
				      vw_arena_strdup(list->arena, index->model_name),
				      vw_arena_strdup(list->arena, index->version_number),
				      vw_arena_strdup(list->arena, stage),
				      index->sequence,
				      list->versions};
	const struct gap_version *copy = vw_arena_memdup(list->arena, &version, sizeof(version));
	return vw_arena_failed(list->arena) ? NULL : copy;
}

static int add(struct gap_list *list, const struct gap_version *version, const vw_finding *finding, unsigned at,
	       struct vw_error *err)
{
	const char *rule = version ? rule_name(list, finding->rule) : NULL;
	if (!rule)
		return vw_error_set(err, VW_ENOMEM, "no memory for the findings");
	if (list->count == list->size) {
		size_t size = list->size ? 2 * list->size : 1024;
		struct gap *items = realloc(list->items, size * sizeof(*items));
		if (!items)
			return vw_error_set(err, VW_ENOMEM, "no memory for the findings");
		list->items = items;
		list->size = size;
	}
	list->items[list->count++] = (struct gap){version, rule, at, finding->severity, finding->state};
	return 0;
}

static int read_version(struct collect *c, const vw_version_index *index, struct vw_arena *arena,
			vw_entry **out_entry, vw_record **out_record, struct vw_error *err)
{
	int code = vw_store_entry(c->txn, arena, index->sequence, out_entry, err);
	if (code == 0 && !(*out_entry)->version)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %llu should hold a record",
				    (unsigned long long)index->sequence);
	return code == 0 ? vw_store_record(arena, (*out_entry)->version, out_record, err) : code;
}

static int collect_version(const vw_version_index *index, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct collect *c = arg;
	const struct gap_version *version = NULL;
	vw_entry *entry;
	vw_record *record;
	bool gap = false;
	if (c->filter->model && !vw_glob_match(c->filter->model, index->model_name))
		return 0;
	c->list->versions++;
	if (index->has_status && index->n_gaps == 0 && index->unknown == 0)
		return 0; /* the index says that there is nothing to be found */
	int code = read_version(c, index, arena, &entry, &record, err);
	const vw_compliance *compliance = code == 0 ? entry->version->compliance : NULL;
	for (size_t i = 0; compliance && i < compliance->n_findings && code == 0; i++) {
		const vw_finding *f = compliance->findings[i];
		bool is_gap = f->state == VW_FINDING_GAP, is_unknown = f->state == VW_FINDING_UNKNOWN;
		if (!f->rule || (c->filter->rule && !vw_glob_match(c->filter->rule, f->rule)))
			continue;
		gap = gap || is_gap;
		c->list->unknown += is_unknown;
		if (!is_gap && !(c->filter->unknown && is_unknown))
			continue;
		version = version ? version : copy_version(c->list, index, record);
		code = add(c->list, version, f, (unsigned)i, err);
	}
	c->list->with_gaps += gap;
	return code;
}

int gaps_collect(struct vw_store *store, const struct gap_filter *filter, struct gap_list *out, struct vw_error *err)
{
	struct collect c = {.list = out, .filter = filter};
	*out = (struct gap_list){.store = store, .arena = vw_arena_open(0)};
	if (!out->arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for the findings");
	int code = vw_txn_begin_read(vw_store_kv(store), &c.txn, err);
	if (code < 0)
		return code;
	code = vw_store_each_version(c.txn, false, collect_version, &c, err);
	vw_txn_end(c.txn);
	return code;
}

void gaps_close(struct gap_list *list)
{
	free(list->items);
	vw_arena_close(list->arena);
	*list = (struct gap_list){0};
}

/* ---- order ---- */

static int by_model(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;
	if (x->version != y->version)
		return x->version->order < y->version->order ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int by_rule(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;
	int order = strcmp(x->rule, y->rule);
	return order ? order : by_model(a, b);
}

static int by_severity(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;
	if (x->severity != y->severity)
		return x->severity < y->severity ? 1 : -1;
	return by_rule(a, b);
}

void gaps_sort(struct gap_list *list, enum gap_order order)
{
	static int (*const compare[])(const void *, const void *) = {by_severity, by_rule, by_model};
	if (list->count > 0)
		qsort(list->items, list->count, sizeof(*list->items), compare[order]);
}

/* ---- reading again ---- */

static int read_finding(const struct gap *gap, struct vw_txn *txn, struct vw_arena *arena, vw_finding **out,
			struct vw_error *err)
{
	vw_entry *entry;
	int code = vw_store_entry(txn, arena, gap->version->sequence, &entry, err);
	if (code < 0)
		return code;
	const vw_compliance *compliance = entry->version ? entry->version->compliance : NULL;
	if (!compliance || gap->at >= compliance->n_findings)
		return vw_error_set(err, VW_ECORRUPT, "ledger entry %llu is not what it was",
				    (unsigned long long)gap->version->sequence);
	*out = compliance->findings[gap->at];
	return 0;
}

int gaps_each(const struct gap_list *list, size_t first, size_t count, each_gap each, void *arg, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_txn *txn;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for a finding");
	int code = vw_txn_begin_read(vw_store_kv(list->store), &txn, err);
	if (code < 0)
		return code;
	for (size_t i = first; i < first + count && code == 0; i++) {
		vw_finding *finding = NULL;
		vw_arena_reset(arena);
		code = read_finding(&list->items[i], txn, arena, &finding, err);
		if (code == 0)
			code = each(&list->items[i], finding, arena, arg, err);
	}
	vw_txn_end(txn);
	return code;
}

/* ---- the command ---- */

static bool fails(const struct gap_list *list, const char *severity)
{
	int threshold;
	if (!vw_enum_value(&verifywise__v1__severity__descriptor, severity, &threshold))
		return false; /* "none" */
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].state == VW_FINDING_GAP && (int)list->items[i].severity >= threshold)
			return true;
	return false;
}

static int print_sarif(const struct gap_list *list, const struct session *session, struct vw_error *err)
{
	struct vw_policy *policy;
	int code = policy_open(session, &policy, err);
	if (code < 0)
		return code;
	code = gaps_print_sarif(list, policy, err);
	vw_policy_close(policy);
	return code;
}

static int print(const struct vw_cli_invocation *in, const struct session *session, const struct gap_list *list,
		 enum gap_order order, struct vw_error *err)
{
	const char *format = vw_cli_value(in, "format");
	if (strcmp(format, "json") == 0)
		return gaps_print_json(list, err);
	if (strcmp(format, "junit") == 0)
		return gaps_print_junit(list, err);
	if (strcmp(format, "sarif") == 0)
		return print_sarif(list, session, err);
	return gaps_print_table(list, order, vw_cli_colours(vw_cli_value(in, "color")), err);
}

int run_gaps(struct vw_cli_invocation *in)
{
	struct session session;
	struct gap_list list = {0};
	struct gap_filter filter = {vw_cli_value(in, "model"), vw_cli_value(in, "rule"), vw_cli_given(in, "unknown")};
	struct vw_error err = VW_ERROR_INIT;
	const char *by = vw_cli_value(in, "by");
	enum gap_order order = strcmp(by, "rule") == 0 ? GAPS_BY_RULE : GAPS_BY_SEVERITY;
	int code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	order = strcmp(by, "model") == 0 ? GAPS_BY_MODEL : order;
	code = gaps_collect(session.store, &filter, &list, &err);
	if (code == 0) {
		gaps_sort(&list, order);
		code = print(in, &session, &list, order, &err);
	}
	bool failed = code == 0 && fails(&list, vw_cli_value(in, "fail-on"));
	gaps_close(&list);
	session_close(&session);
	if (code < 0)
		return report_error(&err);
	return failed ? EXIT_GAPS : EXIT_OK;
}
