/* The truth of a condition about one record. */
#include "condition.h"

#include "base/text.h"

int vw_view_init(struct vw_view *view, struct vw_arena *arena, const struct vw_conditions *conditions,
		 const vw_record *record)
{
	*view = (struct vw_view){
	    .arena = arena,
	    .record = record,
	    .values = vw_arena_array(arena, conditions->field_count, sizeof(struct vw_policy_values)),
	    .truths = vw_arena_array(arena, conditions->count, sizeof(unsigned char)),
	    .matched = vw_arena_array(arena, conditions->count, sizeof(size_t)),
	};
	return vw_arena_failed(arena) ? VW_ENOMEM : 0;
}

const struct vw_policy_values *vw_view_values(struct vw_view *view, const struct vw_policy_field *field)
{
	struct vw_policy_values *values = &view->values[field->index];

	if (!values->gathered)
		vw_policy_field_values(view->arena, view->record, field, values);
	return values;
}

static enum vw_truth known(bool truth)
{
	return truth ? VW_TRUE : VW_FALSE;
}

static bool is_one_of(const struct vw_condition *condition, const char *text)
{
	for (size_t i = 0; i < condition->text_count; i++)
		if (vw_text_equal_nocase(condition->texts[i], text))
			return true;
	return false;
}

/* A value that is too hard for a pattern stays undecided, and so does the condition: it is not tried on the others. */
static enum vw_truth value_truth(const struct vw_condition *condition, const char *text)
{
	if (condition->op == VW_OP_IN)
		return known(is_one_of(condition, text));
	int matched = vw_pattern_match(condition->pattern, text);
	return matched < 0 ? VW_UNKNOWN : known(matched > 0);
}

static enum vw_truth any_value_truth(struct vw_view *view, const struct vw_condition *condition,
				     const struct vw_policy_values *values)
{
	enum vw_truth truth = VW_FALSE;

	for (size_t i = 0; values->items && i < values->count && truth == VW_FALSE; i++) {
		truth = value_truth(condition, values->items[i].text);
		if (truth == VW_TRUE)
			view->matched[condition->index] = i + 1;
	}
	return truth;
}

static enum vw_truth field_truth(struct vw_view *view, const struct vw_condition *condition)
{
	const struct vw_policy_values *values = vw_view_values(view, condition->field);
	size_t needed = condition->op == VW_OP_MIN_ITEMS ? condition->min_items : 1;

	if (values->count < needed && vw_policy_field_unseen(view->record, condition->field))
		return VW_UNKNOWN;
	if (condition->op == VW_OP_MIN_ITEMS)
		return known(values->count >= condition->min_items);
	if (condition->op == VW_OP_PRESENT)
		return known((values->count > 0) == condition->wanted);
	return any_value_truth(view, condition, values);
}

/* All parts are looked at, also when one decides: they are the finding's evidence. */
static enum vw_truth parts_truth(struct vw_view *view, const struct vw_condition *condition)
{
	enum vw_truth least = VW_TRUE, greatest = VW_FALSE;

	for (size_t i = 0; i < condition->part_count; i++) {
		enum vw_truth truth = vw_condition_truth(view, condition->parts[i]);
		least = truth < least ? truth : least;
		greatest = truth > greatest ? truth : greatest;
	}
	if (condition->op == VW_OP_ALL)
		return least;
	if (condition->op == VW_OP_ANY)
		return greatest;
	return (enum vw_truth)(VW_TRUE + VW_FALSE - least);
}

enum vw_truth vw_condition_truth(struct vw_view *view, const struct vw_condition *condition)
{
	unsigned char *truth = &view->truths[condition->index];

	if (*truth == VW_UNDECIDED)
		*truth =
		    (unsigned char)(condition->parts ? parts_truth(view, condition) : field_truth(view, condition));
	return (enum vw_truth) * truth;
}
