/* What a finding looked at. */
#include "internal.h"

#include <string.h>

void vw_append_cut(struct vw_buffer *out, const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max) {
		vw_buffer_append(out, text, len);
		return;
	}
	len = max;
	while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
		len--;
	vw_buffer_append(out, text, len);
	vw_buffer_puts(out, "\u2026");
}

/* ---- Which conditions ---- */

/* Of two conditions over one field, the one that says more about it is shown. */
static int rank(const struct vw_view *view, const struct vw_condition *leaf)
{
	if (view->truths[leaf->index] == VW_UNKNOWN)
		return 2;
	return view->matched[leaf->index] ? 1 : 0;
}

static void add_leaf(const struct vw_view *view, const struct vw_condition *leaf, struct vw_leaves *leaves)
{
	for (size_t i = 0; i < leaves->count; i++) {
		if (leaves->items[i]->field != leaf->field)
			continue;
		if (rank(view, leaf) > rank(view, leaves->items[i]))
			leaves->items[i] = leaf;
		return;
	}
	if (leaves->count < VW_MAX_EVIDENCE)
		leaves->items[leaves->count++] = leaf;
}

/* Shared conditions are visited once in a walk; recursion is as deep as VW_MAX_CONDITION_DEPTH. */
static void walk(struct vw_evaluation *e, const struct vw_condition *condition, struct vw_leaves *leaves)
{
	if (e->visited[condition->index] == e->walk)
		return;
	e->visited[condition->index] = e->walk;
	if (condition->field)
		add_leaf(&e->view, condition, leaves);
	for (size_t i = 0; i < condition->part_count; i++)
		walk(e, condition->parts[i], leaves);
}

void vw_leaves_add(struct vw_evaluation *e, const struct vw_condition *condition, struct vw_leaves *leaves)
{
	if (!condition)
		return;
	e->walk++;
	walk(e, condition, leaves);
}

/* ---- Their values ---- */

static char *text_so_far(struct vw_evaluation *e)
{
	return vw_arena_strndup(e->arena, vw_buffer_text(&e->text), e->text.len);
}

static char *joined(struct vw_evaluation *e, const struct vw_policy_values *values)
{
	vw_buffer_clear(&e->text);
	for (size_t i = 0; i < values->count && e->text.len <= VW_MAX_EVIDENCE_VALUE; i++) {
		vw_buffer_puts(&e->text, i ? ", " : "");
		vw_append_cut(&e->text, values->items[i].text, VW_MAX_EVIDENCE_VALUE);
	}
	char *all = text_so_far(e);
	vw_buffer_clear(&e->text);
	vw_append_cut(&e->text, all ? all : "", VW_MAX_EVIDENCE_VALUE);
	return text_so_far(e);
}

static char *counted(struct vw_evaluation *e, size_t count)
{
	return vw_arena_printf(e->arena, "%zu %s", count, count == 1 ? "entry" : "entries");
}

/* "identity.tags.use_case": the entry that matched. */
static char *entry_name(struct vw_evaluation *e, const struct vw_policy_field *field, const char *key)
{
	const char *own = field->path.key;
	size_t len = strlen(field->name) - (own ? strlen(own) + 1 : 0);

	return vw_arena_printf(e->arena, "%.*s.%s", (int)len, field->name, key);
}

static void set_entry(struct vw_evaluation *e, const struct vw_condition *leaf, vw_key_value *out)
{
	const struct vw_policy_values *values = vw_view_values(&e->view, leaf->field);
	size_t matched = e->view.matched[leaf->index];
	struct vw_policy_values one = *values;

	out->key = (char *)leaf->field->name;
	if (values->count == 0)
		return;
	if (!values->items || (values->items[0].key && !matched)) {
		out->value = counted(e, values->count);
		return;
	}
	if (values->items[0].key) {
		one.items = &values->items[matched - 1];
		one.count = 1;
		out->key = entry_name(e, leaf->field, one.items[0].key);
	}
	out->value = joined(e, &one);
}

void vw_finding_set_evidence(struct vw_evaluation *e, const struct vw_leaves *leaves, vw_finding *finding)
{
	finding->evidence = vw_arena_array(e->arena, leaves->count, sizeof(vw_key_value *));
	for (size_t i = 0; finding->evidence && i < leaves->count; i++) {
		vw_key_value *entry = vw_message_new(e->arena, &verifywise__v1__key_value__descriptor);
		if (!entry)
			return;
		set_entry(e, leaves->items[i], entry);
		finding->evidence[finding->n_evidence++] = entry;
	}
	vw_key_values_sort(finding->evidence, &finding->n_evidence);
}
