/* gaps_table.c: gaps for people: under a heading for each rule with its clauses, or for each version. */
#include "gaps.h"

#include "base/buffer.h"
#include "cli/terminal.h"
#include "proto/message.h"

#include <stdio.h>
#include <string.h>

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

static const char *model_name(const struct gap_version *v, struct vw_arena *arena)
{
	return v->workspace ? vw_arena_printf(arena, "%s/%s", v->workspace, v->model) : v->model;
}

/* One heading for all gaps of a rule, or of a version when the order is by model. */
struct group {
	bool of_version;
	bool colours;
	size_t count;
	bool begun;
	struct vw_cli_table table;
};

static void print_heading(const struct group *group, const struct gap *gap, const vw_finding *f,
			  struct vw_arena *arena)
{
	const char *severity = vw_enum_name(&verifywise__v1__severity__descriptor, (int)gap->severity);
	const struct gap_version *v = gap->version;
	struct vw_buffer out;
	vw_buffer_init(&out, 0);
	if (group->of_version) {
		vw_cli_tone_append(&out, VW_CLI_STRONG, group->colours,
				   vw_arena_printf(arena, "%s version %s", model_name(v, arena), v->number));
		vw_cli_tone_append(&out, vw_cli_tone_of_stage(v->stage), group->colours,
				   vw_arena_printf(arena, "  %s", v->stage ? v->stage : ""));
	} else {
		vw_cli_tone_append(&out, vw_cli_tone_of_severity(severity), group->colours,
				   vw_arena_printf(arena, "%-8s ", severity));
		vw_cli_tone_append(&out, VW_CLI_STRONG, group->colours, gap->rule);
		vw_cli_tone_append(&out, VW_CLI_PLAIN, group->colours,
				   vw_arena_printf(arena, ": %s (%zu)", f->title ? f->title : "", group->count));
		vw_buffer_putc(&out, '\n');
		vw_cli_tone_append(&out, VW_CLI_QUIET, group->colours,
				   vw_arena_printf(arena, "         %s", clauses_text(f, arena)));
	}
	printf("%s\n", vw_buffer_text(&out));
	vw_buffer_reset(&out);
}

static int add_row(const struct gap *gap, const vw_finding *f, struct vw_arena *arena, void *arg,
		   struct vw_error *err)
{
	struct group *group = arg;
	const struct gap_version *v = gap->version;
	const char *severity = vw_enum_name(&verifywise__v1__severity__descriptor, (int)gap->severity);
	const char *state = vw_enum_name(&verifywise__v1__finding_state__descriptor, (int)gap->state);
	const char *rule_cells[] = {"", vw_arena_printf(arena, "%s %s", model_name(v, arena), v->number), v->stage,
				    state, f->message};
	const char *version_cells[] = {severity, gap->rule, state, f->message};
	const enum vw_cli_tone rule_tones[] = {VW_CLI_PLAIN, VW_CLI_PLAIN, vw_cli_tone_of_stage(v->stage),
					       vw_cli_tone_of_status(state), VW_CLI_PLAIN};
	const enum vw_cli_tone version_tones[] = {vw_cli_tone_of_severity(severity), VW_CLI_STRONG,
						  vw_cli_tone_of_status(state), VW_CLI_PLAIN};
	if (!group->begun)
		print_heading(group, gap, f, arena);
	group->begun = true;
	if (!vw_cli_table_add(&group->table, group->of_version ? version_cells : rule_cells,
			      group->of_version ? version_tones : rule_tones))
		return vw_error_set(err, VW_ENOMEM, "no memory for the table");
	return 0;
}

static size_t group_size(const struct gap_list *list, size_t first, bool of_version)
{
	const struct gap *a = &list->items[first];
	size_t n = 1;
	while (first + n < list->count &&
	       (of_version ? list->items[first + n].version == a->version : list->items[first + n].rule == a->rule))
		n++;
	return n;
}

static void print_totals(const struct gap_list *list)
{
	size_t counts[VW_SEVERITY_CRITICAL + 1] = {0};
	bool shown = false;
	for (size_t i = 0; i < list->count; i++) {
		const struct gap *gap = &list->items[i];
		shown = shown || gap->state == VW_FINDING_UNKNOWN;
		if (gap->state == VW_FINDING_GAP && gap->severity <= VW_SEVERITY_CRITICAL)
			counts[gap->severity]++;
	}
	printf("%zu of %zu versions have gaps: %zu critical, %zu high, %zu medium, %zu low, %zu info",
	       list->with_gaps, list->versions, counts[VW_SEVERITY_CRITICAL], counts[VW_SEVERITY_HIGH],
	       counts[VW_SEVERITY_MEDIUM], counts[VW_SEVERITY_LOW], counts[VW_SEVERITY_INFO]);
	if (list->unknown)
		printf("; %zu findings could not be judged%s", list->unknown, shown ? "" : " (--unknown shows them)");
	putchar('\n');
}

int gaps_print_table(const struct gap_list *list, enum gap_order order, bool colours, struct vw_error *err)
{
	bool of_version = order == GAPS_BY_MODEL;
	for (size_t at = 0; at < list->count;) {
		struct group group = {.of_version = of_version, .colours = colours};
		group.count = group_size(list, at, of_version);
		vw_cli_table_begin(&group.table, NULL, of_version ? 4 : 5, of_version ? 1 << 3 : 1 << 1 | 1 << 4,
				   colours);
		int code = gaps_each(list, at, group.count, add_row, &group, err);
		if (code < 0) {
			vw_cli_table_drop(&group.table);
			return code;
		}
		vw_cli_table_end(&group.table);
		putchar('\n');
		at += group.count;
	}
	print_totals(list);
	return 0;
}
