/* Conditions as written into conditions as evaluated. */
#include "condition.h"

#include "base/limits.h"
#include "base/text.h"

#include <string.h>

#define IGNORE_CASE "(?i)" /* a pattern ignores case as the other operators do */

/* Functions that make something give NULL when they cannot; `err` says why and is never NULL here. */

static struct vw_condition *new_condition(struct vw_conditions *conditions, enum vw_operator op, struct vw_error *err)
{
	if (conditions->count >= VW_MAX_POLICY_CONDITIONS) {
		vw_error_set(err, VW_ELIMIT, "the policy has more than %d conditions (VW_MAX_POLICY_CONDITIONS)",
			     VW_MAX_POLICY_CONDITIONS);
		return NULL;
	}
	struct vw_condition *condition = vw_arena_alloc(conditions->arena, sizeof(*condition));
	if (!condition) {
		vw_error_set(err, VW_ENOMEM, "no memory for a condition");
		return NULL;
	}
	condition->op = op;
	condition->index = conditions->count++;
	condition->next = conditions->all;
	conditions->all = condition;
	return condition;
}

/* ---- Fields ---- */

static struct vw_policy_field *new_field(struct vw_conditions *conditions, const char *name, struct vw_error *err)
{
	struct vw_policy_field *field = vw_arena_alloc(conditions->arena, sizeof(*field));

	if (!field) {
		vw_error_set(err, VW_ENOMEM, "no memory for a field");
		return NULL;
	}
	if (!vw_policy_glob_ok(name)) {
		vw_error_set(err, VW_ECONFIG, "field '%s' has more than %d stars", name, VW_MAX_GLOB_STARS);
		return NULL;
	}
	if (!vw_policy_field_resolve(name, field)) {
		vw_error_set(err, VW_ECONFIG, "there is no field '%s' in the record", name);
		return NULL;
	}
	field->next = conditions->fields;
	field->index = conditions->field_count++;
	conditions->fields = field;
	return field;
}

/* Each name stands once in the list, so that its values are looked up once for each record. */
static const struct vw_policy_field *find_field(struct vw_conditions *conditions, const char *name,
						struct vw_error *err)
{
	for (const struct vw_policy_field *known = conditions->fields; known; known = known->next)
		if (strcmp(known->name, name) == 0)
			return known;
	return new_field(conditions, name, err);
}

/* ---- Operators over a field ---- */

static int compile_pattern(struct vw_conditions *conditions, const char *text, struct vw_pattern **out,
			   struct vw_error *err)
{
	const char *pattern = vw_arena_printf(conditions->arena, IGNORE_CASE "%s", text);

	if (!pattern)
		return vw_error_set(err, VW_ENOMEM, "no memory for a pattern");
	return vw_pattern_open(pattern, out, err);
}

static enum vw_operator operator_of(const struct vw_yaml_condition *yaml)
{
	if (yaml->is || yaml->in)
		return VW_OP_IN;
	if (yaml->matches)
		return VW_OP_MATCHES;
	return yaml->min_items ? VW_OP_MIN_ITEMS : VW_OP_PRESENT;
}

static struct vw_condition *compile_leaf(struct vw_conditions *conditions, const struct vw_yaml_condition *yaml,
					 const char *name, struct vw_error *err)
{
	const struct vw_policy_field *field = find_field(conditions, name, err);
	struct vw_condition *leaf = field ? new_condition(conditions, operator_of(yaml), err) : NULL;

	if (!leaf)
		return NULL;
	leaf->field = field;
	leaf->texts = yaml->is ? &yaml->is : yaml->in;
	leaf->text_count = yaml->is ? 1 : yaml->in_count;
	leaf->wanted = yaml->present == VW_YAML_TRUE;
	leaf->min_items = yaml->min_items ? *yaml->min_items : 0;
	if ((leaf->texts || yaml->matches) && !vw_policy_field_has_text(field)) {
		vw_error_set(err, VW_ECONFIG, "field '%s' has no text of its own: name a field inside it", name);
		return NULL;
	}
	if (yaml->matches && compile_pattern(conditions, yaml->matches, &leaf->pattern, err))
		return NULL;
	return leaf;
}

/* ---- Conditions over conditions ---- */

static struct vw_condition *new_whole(struct vw_conditions *conditions, enum vw_operator op, size_t parts,
				      struct vw_error *err)
{
	struct vw_condition *whole = new_condition(conditions, op, err);

	if (!whole)
		return NULL;
	whole->parts = vw_arena_array(conditions->arena, parts, sizeof(struct vw_condition *));
	if (whole->parts)
		return whole;
	vw_error_set(err, VW_ENOMEM, "no memory for a condition");
	return NULL;
}

/* Takes NULL for a part that could not be made. */
static bool add_part(struct vw_condition *whole, struct vw_condition *part, struct vw_error *err)
{
	if (!part)
		return false;
	whole->parts[whole->part_count++] = part;
	if (part->height >= whole->height)
		whole->height = part->height + 1;
	if (whole->height <= VW_MAX_CONDITION_DEPTH)
		return true;
	vw_error_set(err, VW_ELIMIT, "conditions are nested more than %d levels deep (VW_MAX_CONDITION_DEPTH)",
		     VW_MAX_CONDITION_DEPTH);
	return false;
}

/* Recursion is bounded by the reader's cap on levels. */
static struct vw_condition *compile_parts(struct vw_conditions *conditions, enum vw_operator op,
					  const struct vw_yaml_condition *yaml, size_t count, struct vw_error *err)
{
	struct vw_condition *whole = new_whole(conditions, op, count, err);

	for (size_t i = 0; whole && i < count; i++)
		if (!add_part(whole, vw_condition_compile(conditions, &yaml[i], err), err))
			return NULL;
	return whole;
}

/* One operator over several fields holds when it holds for any of them. */
static struct vw_condition *compile_fields(struct vw_conditions *conditions, const struct vw_yaml_condition *yaml,
					   struct vw_error *err)
{
	struct vw_condition *whole = new_whole(conditions, VW_OP_ANY, yaml->fields_count, err);

	for (size_t i = 0; whole && i < yaml->fields_count; i++)
		if (!add_part(whole, compile_leaf(conditions, yaml, yaml->fields[i], err), err))
			return NULL;
	return whole;
}

/* The condition under a name. Only what stands further up in the file can be named: so there are no circles. */
static struct vw_condition *find_named(const struct vw_conditions *conditions, const char *name, struct vw_error *err)
{
	for (size_t i = 0; i < conditions->named_count; i++)
		if (strcmp(conditions->names[i].id, name) == 0)
			return conditions->named[i];
	vw_error_set(err, VW_ECONFIG, "there is no condition '%s' further up under 'conditions'", name);
	return NULL;
}

/* ---- What a condition may hold ---- */

static int check_form(const struct vw_yaml_condition *yaml, struct vw_error *err)
{
	int operators =
	    !!yaml->is + !!yaml->in + (yaml->present != VW_YAML_UNSET) + !!yaml->matches + !!yaml->min_items;
	int subjects = !!yaml->field + !!yaml->fields;
	int others = !!yaml->condition + !!yaml->all + !!yaml->any + !!yaml->negated;

	if (subjects + others == 0)
		return vw_error_set(err, VW_ECONFIG,
				    "a condition needs 'field', 'fields', 'condition', 'all', 'any' or 'not'");
	if (subjects + others > 1)
		return vw_error_set(
		    err, VW_ECONFIG,
		    "a condition takes one of 'field', 'fields', 'condition', 'all', 'any' and 'not'");
	const char *subject = yaml->field ? yaml->field : yaml->fields ? yaml->fields[0] : NULL;
	if (subject && operators != 1)
		return vw_error_set(
		    err, VW_ECONFIG,
		    "field '%s' needs exactly one of 'is', 'in', 'present', 'matches' and 'min_items'", subject);
	if (!subject && operators > 0)
		return vw_error_set(err, VW_ECONFIG,
				    "'is', 'in', 'present', 'matches' and 'min_items' go with 'field' or 'fields'");
	return 0;
}

struct vw_condition *vw_condition_compile(struct vw_conditions *conditions, const struct vw_yaml_condition *yaml,
					  struct vw_error *err)
{
	if (check_form(yaml, err))
		return NULL;
	if (yaml->condition)
		return find_named(conditions, yaml->condition, err);
	if (yaml->all)
		return compile_parts(conditions, VW_OP_ALL, yaml->all, yaml->all_count, err);
	if (yaml->any)
		return compile_parts(conditions, VW_OP_ANY, yaml->any, yaml->any_count, err);
	if (yaml->negated)
		return compile_parts(conditions, VW_OP_NOT, yaml->negated, 1, err);
	if (yaml->fields)
		return compile_fields(conditions, yaml, err);
	return compile_leaf(conditions, yaml, yaml->field, err);
}

void vw_conditions_close(struct vw_conditions *conditions)
{
	for (struct vw_condition *c = conditions->all; c; c = c->next)
		vw_pattern_close(c->pattern);
}
