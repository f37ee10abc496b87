/* A finding in words, for a person who answers for the model and has never seen this program. */
#include "internal.h"

#include "base/clock.h"

#include <string.h>

#define MAX_NAMED  3   /* fields that a message names; the evidence has them all */
#define MAX_QUOTED 80  /* bytes of a value in a message */
#define MAX_REASON 300 /* bytes of a reason's text */

static void put_subject(struct vw_evaluation *e, const char *version_word)
{
	const vw_record *record = e->record;

	vw_buffer_printf(&e->text, "%s %s of %s", version_word, record->version_number ? record->version_number : "?",
			 record->model_name ? record->model_name : "an unnamed model");
}

/* ---- Gaps ---- */

static void put_value(struct vw_evaluation *e, const struct vw_policy_field *field)
{
	const struct vw_policy_values *values = vw_view_values(&e->view, field);

	vw_buffer_puts(&e->text, field->name);
	if (values->count == 0) {
		vw_buffer_puts(&e->text, " is missing");
		return;
	}
	if (!values->items || values->count > 1) {
		vw_buffer_printf(&e->text, " has %zu %s", values->count, values->count == 1 ? "entry" : "entries");
		return;
	}
	vw_buffer_puts(&e->text, " is \"");
	vw_append_cut(&e->text, values->items[0].text, MAX_QUOTED);
	vw_buffer_puts(&e->text, "\"");
}

static void put_gap(struct vw_evaluation *e, const struct vw_rule *rule)
{
	struct vw_leaves required = {.count = 0};

	put_subject(e, "Version");
	if (rule->gap)
		vw_buffer_printf(&e->text, " %s", rule->gap);
	else
		vw_buffer_printf(&e->text, " does not meet the rule \"%s\"", rule->info.title);
	vw_leaves_add(e, rule->require, &required);
	vw_buffer_puts(&e->text, " (");
	for (size_t i = 0; i < required.count && i < MAX_NAMED; i++) {
		vw_buffer_puts(&e->text, i ? ", " : "");
		put_value(e, required.items[i]->field);
	}
	vw_buffer_puts(&e->text, ").");
	if (rule->fix)
		vw_buffer_printf(&e->text, " %s", rule->fix);
}

static void put_waiver(struct vw_evaluation *e, const struct vw_waiver *waiver)
{
	const struct vw_yaml_waiver *text = waiver->text;

	if (e->now_ms < waiver->ends_at)
		vw_buffer_printf(&e->text, " Waived until %s by %s: %s", text->until, text->by, text->reason);
	else
		vw_buffer_printf(&e->text, " A waiver by %s ended on %s and no longer counts.", text->by,
				 text->until);
}

/* ---- What could not be seen ---- */

static bool is_unknown(const struct vw_evaluation *e, const struct vw_condition *leaf)
{
	return e->view.truths[leaf->index] == VW_UNKNOWN;
}

static bool hides_any(const struct vw_evaluation *e, const vw_reason *reason, const struct vw_leaves *leaves)
{
	for (size_t i = 0; i < leaves->count; i++)
		if (is_unknown(e, leaves->items[i]) && vw_policy_reason_hides(reason, leaves->items[i]->field))
			return true;
	return false;
}

/* The record's own words for why. */
static void put_reasons(struct vw_evaluation *e, const struct vw_leaves *leaves)
{
	const vw_completeness *completeness = e->record->completeness;

	for (size_t i = 0; completeness && i < completeness->n_reasons; i++) {
		const vw_reason *reason = completeness->reasons[i];
		if (!hides_any(e, reason, leaves))
			continue;
		vw_buffer_puts(&e->text, " ");
		vw_append_cut(&e->text, reason->text ? reason->text : reason->code, MAX_REASON);
	}
}

enum why { WHY_ARTIFACTS, WHY_UNSEEN, WHY_TOO_COMPLEX };

static enum why why_unknown(struct vw_evaluation *e, const struct vw_condition *leaf)
{
	if (!vw_policy_field_unseen(e->record, leaf->field))
		return WHY_TOO_COMPLEX;
	return strncmp(leaf->field->name, "artifacts", strlen("artifacts")) == 0 ? WHY_ARTIFACTS : WHY_UNSEEN;
}

/* The first fields that are unknown for this reason, behind `separator`. False when there are none. */
static bool put_fields(struct vw_evaluation *e, const struct vw_leaves *leaves, enum why why, const char *separator)
{
	size_t named = 0;

	for (size_t i = 0; i < leaves->count && named < MAX_NAMED; i++) {
		if (!is_unknown(e, leaves->items[i]) || why_unknown(e, leaves->items[i]) != why)
			continue;
		vw_buffer_puts(&e->text, named++ ? ", " : separator);
		vw_buffer_puts(&e->text, leaves->items[i]->field->name);
	}
	return named > 0;
}

static void put_unknown(struct vw_evaluation *e, const struct vw_leaves *leaves)
{
	const char *separator = ": ";

	put_subject(e, "It cannot be said yet whether version");
	vw_buffer_puts(&e->text, " meets this rule");
	if (put_fields(e, leaves, WHY_UNSEEN, separator)) {
		vw_buffer_puts(&e->text, " could not be seen");
		separator = "; ";
	}
	if (put_fields(e, leaves, WHY_TOO_COMPLEX, separator)) {
		vw_buffer_puts(&e->text, " took too long to compare with the rule's pattern");
		separator = "; ";
	}
	if (put_fields(e, leaves, WHY_ARTIFACTS, separator))
		vw_buffer_puts(&e->text, " cannot be known until the version's artifacts are read");
	vw_buffer_puts(&e->text, ".");
	put_reasons(e, leaves);
}

/* ---- How good the evidence is ---- */

/* S8.3: an account that ran the training is weaker evidence than a named owner. */
static void put_weakness(struct vw_evaluation *e, const struct vw_leaves *leaves)
{
	for (size_t i = 0; i < leaves->count; i++) {
		const struct vw_policy_field *field = leaves->items[i]->field;
		const char *source = vw_policy_field_weak_source(e->record, field);
		if (source)
			vw_buffer_printf(
			    &e->text,
			    " The value of %s is the account that ran the training (%s), which is weaker "
			    "evidence than a person or team named in a tag.",
			    field->name, source);
	}
}

static void put_staleness(struct vw_evaluation *e, const struct vw_leaves *leaves)
{
	const vw_completeness *completeness = e->record->completeness;
	char date[VW_TIME_TEXT];
	size_t named = 0;

	for (size_t i = 0; i < leaves->count && named < MAX_NAMED; i++) {
		const struct vw_policy_field *field = leaves->items[i]->field;
		if (vw_view_values(&e->view, field)->count == 0 || !vw_policy_field_stale(e->record, field))
			continue;
		vw_buffer_puts(&e->text, named++ ? ", " : " Stale: ");
		vw_buffer_puts(&e->text, field->name);
	}
	if (!named)
		return;
	vw_buffer_puts(&e->text, " cannot be read now");
	if (completeness->has_stale_since_at)
		vw_buffer_printf(&e->text, ", the value was last read on %s",
				 vw_clock_format_date(completeness->stale_since_at, date));
	vw_buffer_puts(&e->text, ".");
}

void vw_finding_explain(struct vw_evaluation *e, const struct vw_rule *rule, const struct vw_leaves *leaves,
			const struct vw_waiver *waiver, vw_finding *finding)
{
	vw_buffer_clear(&e->text);
	switch (finding->state) {
	case VW_FINDING_UNKNOWN:
		put_unknown(e, leaves);
		break;
	case VW_FINDING_PASS:
		put_subject(e, "Version");
		vw_buffer_puts(&e->text, " meets this rule.");
		put_weakness(e, leaves);
		break;
	default:
		put_gap(e, rule);
		if (waiver)
			put_waiver(e, waiver);
	}
	put_staleness(e, leaves);
	finding->message = vw_arena_strndup(e->arena, vw_buffer_text(&e->text), e->text.len);
}
