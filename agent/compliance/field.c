/* The values that a field has in a record. */
#include "field.h"

#include "base/text.h"

#include <fnmatch.h>
#include <string.h>

#define MAX_NAME 256 /* bytes of a field's name, without a map's key */

static bool is_map(const ProtobufCFieldDescriptor *step)
{
	return step->label == PROTOBUF_C_LABEL_REPEATED && step->type == PROTOBUF_C_TYPE_MESSAGE &&
	       step->descriptor == &verifywise__v1__key_value__descriptor;
}

static bool is_list_of_messages(const ProtobufCFieldDescriptor *step)
{
	return step->label == PROTOBUF_C_LABEL_REPEATED && step->type == PROTOBUF_C_TYPE_MESSAGE && !is_map(step);
}

bool vw_policy_glob_ok(const char *glob)
{
	int stars = 0;

	for (const char *p = glob; *p; p++)
		stars += *p == '*';
	return stars <= VW_MAX_GLOB_STARS;
}

/* "training.metrics.key": the list by its path, then a member of its messages. */
static bool resolve_member(const char *name, struct vw_field_path *out)
{
	const ProtobufCMessageDescriptor *type = &verifywise__v1__record__descriptor;
	const char *dot = strrchr(name, '.');
	struct vw_field_path path;
	char list[MAX_NAME];

	if (!dot || (size_t)(dot - name) >= sizeof(list))
		return false;
	memcpy(list, name, (size_t)(dot - name));
	list[dot - name] = '\0';
	if (!vw_field_resolve(type, list, &path) || path.key || path.depth < 1 ||
	    (size_t)path.depth >= sizeof(path.steps) / sizeof(path.steps[0]))
		return false;
	const ProtobufCFieldDescriptor *step = path.steps[path.depth - 1];
	if (!is_list_of_messages(step))
		return false;
	path.steps[path.depth] = protobuf_c_message_descriptor_get_field_by_name(step->descriptor, dot + 1);
	if (!path.steps[path.depth++])
		return false;
	*out = path;
	return true;
}

bool vw_policy_field_resolve(const char *name, struct vw_policy_field *out)
{
	struct vw_field_path path;

	if (!vw_field_resolve(&verifywise__v1__record__descriptor, name, &path) && !resolve_member(name, &path))
		return false;
	if (path.key && !vw_policy_glob_ok(path.key))
		return false;
	out->name = name;
	out->path = path;
	return true;
}

bool vw_policy_field_has_text(const struct vw_policy_field *field)
{
	const ProtobufCFieldDescriptor *last = field->path.steps[field->path.depth - 1];
	return last->type != PROTOBUF_C_TYPE_MESSAGE || is_map(last);
}

/* ---- Values ---- */

static void add(struct vw_arena *arena, struct vw_policy_values *values, const char *key, const char *text)
{
	if (vw_text_blank(text))
		return;
	if (values->count == values->room) {
		size_t room = values->room ? 2 * values->room : 4;
		struct vw_policy_value *items = vw_arena_array(arena, room, sizeof(*items));
		if (!items)
			return;
		if (values->count)
			memcpy(items, values->items, values->count * sizeof(*items));
		values->items = items;
		values->room = room;
	}
	values->items[values->count++] = (struct vw_policy_value){key, text};
}

/* A map without a key, or with one that holds a star: any number of its entries. */
static bool takes_many(const struct vw_field_path *path)
{
	return is_map(path->steps[path->depth - 1]) && (!path->key || strchr(path->key, '*'));
}

static const void *member(const ProtobufCMessage *message, size_t offset)
{
	return (const char *)message + offset;
}

/* The messages that a step leads to: an array and its length. */
static ProtobufCMessage *const *children(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *step,
					 size_t *out_count)
{
	if (step->label == PROTOBUF_C_LABEL_REPEATED) {
		*out_count = *(const size_t *)member(message, step->quantifier_offset);
		return *(ProtobufCMessage *const *const *)member(message, step->offset);
	}
	ProtobufCMessage *const *single = member(message, step->offset);
	*out_count = *single ? 1 : 0;
	return single;
}

static void gather_map(struct vw_arena *arena, const ProtobufCMessage *message, const struct vw_field_path *path,
		       struct vw_policy_values *out)
{
	size_t count;
	ProtobufCMessage *const *entries = children(message, path->steps[path->depth - 1], &count);

	for (size_t i = 0; i < count; i++) {
		const vw_key_value *entry = (const vw_key_value *)entries[i];
		if (entry->key && (!path->key || fnmatch(path->key, entry->key, FNM_CASEFOLD) == 0))
			add(arena, out, entry->key, entry->value);
	}
}

/* The values of one message's own field. */
static void gather_last(struct vw_arena *arena, const ProtobufCMessage *message, const struct vw_field_path *path,
			struct vw_policy_values *out)
{
	const ProtobufCFieldDescriptor *last = path->steps[path->depth - 1];
	const struct vw_field_path own = {.steps = {last}, .depth = 1, .key = path->key};

	if (takes_many(path)) {
		gather_map(arena, message, path, out);
		return;
	}
	size_t count = vw_field_count(message, &own);
	if (last->type == PROTOBUF_C_TYPE_MESSAGE && !path->key) {
		out->count += count;
		return;
	}
	for (size_t i = 0; i < count; i++)
		add(arena, out, NULL, vw_field_text(arena, message, &own, i));
}

/* Recursion is as deep as the path has steps. */
static void gather(struct vw_arena *arena, const ProtobufCMessage *message, const struct vw_field_path *path,
		   int step, struct vw_policy_values *out)
{
	size_t count;

	if (step == path->depth - 1) {
		gather_last(arena, message, path, out);
		return;
	}
	ProtobufCMessage *const *inner = children(message, path->steps[step], &count);
	for (size_t i = 0; i < count; i++)
		gather(arena, inner[i], path, step + 1, out);
}

void vw_policy_field_values(struct vw_arena *arena, const vw_record *record, const struct vw_policy_field *field,
			    struct vw_policy_values *out)
{
	*out = (struct vw_policy_values){.gathered = true};
	gather(arena, &record->base, &field->path, 0, out);
}
