/* What differs between two messages. */
#include "descriptor.h"
#include "proto/message.h"

#include <stdio.h>
#include <string.h>

static bool messages_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);

static bool values_equal(const ProtobufCFieldDescriptor *field, const void *a, const void *b)
{
	const ProtobufCBinaryData *x = a, *y = b;

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return strcmp(value_text(a), value_text(b)) == 0;
	case PROTOBUF_C_TYPE_BYTES:
		return x->len == y->len && (x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
	case PROTOBUF_C_TYPE_MESSAGE:
		return messages_equal(value_message(a), value_message(b));
	default:
		/* bitwise, as the hash sees them: NaN equals itself, 0 differs from -0 */
		return memcmp(a, b, value_size(field->type)) == 0;
	}
}

static bool fields_equal(const ProtobufCMessage *a, const ProtobufCMessage *b, const ProtobufCFieldDescriptor *field)
{
	size_t count = field_count(a, field);

	if (count != field_count(b, field))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!values_equal(field, field_value(a, field, i), field_value(b, field, i)))
			return false;
	return true;
}

static bool messages_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	for (unsigned i = 0; i < a->descriptor->n_fields; i++)
		if (!fields_equal(a, b, &a->descriptor->fields[i]))
			return false;
	return true;
}

/* ---- Names ---- */

struct names {
	struct vw_arena *arena;
	const char *const *ignore;
	char **list;
	size_t count;
	size_t size;
};

static bool is_ignored(const struct names *names, const char *name)
{
	for (const char *const *p = names->ignore; p && *p; p++)
		if (strcmp(*p, name) == 0)
			return true;
	return false;
}

static int add_name(struct names *names, const char *name)
{
	if (names->count == names->size) {
		size_t size = names->size ? 2 * names->size : 16;
		char **list = vw_arena_array(names->arena, size, sizeof(*list));
		if (!list)
			return VW_ENOMEM;
		if (names->count)
			memcpy(list, names->list, names->count * sizeof(*list));
		names->list = list;
		names->size = size;
	}
	char *copy = vw_arena_strdup(names->arena, name);
	if (!copy)
		return VW_ENOMEM;
	names->list[names->count++] = copy;
	return 0;
}

/* The fields of one section that differ, as "section.field". */
static int add_section(struct names *names, const char *section, const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	for (unsigned i = 0; i < a->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &a->descriptor->fields[i];
		char name[160];
		snprintf(name, sizeof(name), "%s.%s", section, field->name);
		if (is_ignored(names, name) || fields_equal(a, b, field))
			continue;
		if (add_name(names, name))
			return VW_ENOMEM;
	}
	return 0;
}

static int add_field(struct names *names, const ProtobufCMessage *a, const ProtobufCMessage *b,
		     const ProtobufCFieldDescriptor *field)
{
	if (is_ignored(names, field->name) || fields_equal(a, b, field))
		return 0;
	bool section = field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED;
	if (section && field_count(a, field) && field_count(b, field))
		return add_section(names, field->name, value_message(field_value(a, field, 0)),
				   value_message(field_value(b, field, 0)));
	return add_name(names, field->name);
}

int vw_message_diff(struct vw_arena *arena, const ProtobufCMessage *a, const ProtobufCMessage *b,
		    const char *const *ignore, char ***out_names, size_t *out_count)
{
	struct names names = {.arena = arena, .ignore = ignore};

	for (unsigned i = 0; i < a->descriptor->n_fields; i++)
		if (add_field(&names, a, b, &a->descriptor->fields[i]))
			return VW_ENOMEM;
	*out_names = names.list;
	*out_count = names.count;
	return 0;
}
