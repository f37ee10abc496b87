/* Fields by path, their values as text. */
#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"
#include "descriptor.h"
#include "proto/message.h"
#include "proto/model.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_STEPS = sizeof(((struct vw_field_path *)NULL)->steps) / sizeof(ProtobufCFieldDescriptor *) };

/* ---- Paths ---- */

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type, const char *name,
						  size_t len)
{
	for (unsigned i = 0; i < type->n_fields; i++) {
		const char *field = type->fields[i].name;
		if (strlen(field) == len && memcmp(field, name, len) == 0)
			return &type->fields[i];
	}
	return NULL;
}

/* What a path may go on with behind `field`: the fields of a single message. */
static const ProtobufCMessageDescriptor *inner_type(const ProtobufCFieldDescriptor *field)
{
	bool single = field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED;
	return single ? field->descriptor : NULL;
}

bool vw_field_resolve(const ProtobufCMessageDescriptor *type, const char *path, struct vw_field_path *out)
{
	struct vw_field_path found = {.depth = 0};
	bool more = true;

	while (more) {
		size_t len = strcspn(path, ".");
		const ProtobufCFieldDescriptor *field = type ? find_field(type, path, len) : NULL;
		if (!field || found.depth == MAX_STEPS)
			return false;
		found.steps[found.depth++] = field;
		more = path[len] == '.';
		path += len + (more ? 1 : 0);
		type = inner_type(field);
		if (more && field_is_map(field)) {
			found.key = path;
			more = false;
		}
	}
	if (found.key && !found.key[0])
		return false;
	*out = found;
	return true;
}

/* The message that holds the path's last field, or NULL. */
static const ProtobufCMessage *holder(const ProtobufCMessage *message, const struct vw_field_path *path)
{
	for (int i = 0; message && i + 1 < path->depth; i++) {
		if (field_count(message, path->steps[i]) == 0)
			return NULL;
		message = value_message(field_value(message, path->steps[i], 0));
	}
	return message;
}

/* The value under a map's key. A key that is written another way counts too, but the exact one wins. */
static const char *map_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const char *key)
{
	const char *alike = NULL;
	size_t count = field_count(message, field);

	for (size_t i = 0; i < count; i++) {
		const vw_key_value *entry = (const vw_key_value *)value_message(field_value(message, field, i));
		if (!entry->key || !entry->value)
			continue;
		if (strcmp(entry->key, key) == 0)
			return entry->value;
		if (!alike && vw_key_equal(entry->key, key))
			alike = entry->value;
	}
	return alike;
}

/* ---- Values ---- */

static char *bytes_text(struct vw_arena *arena, const ProtobufCBinaryData *bytes, bool as_hex)
{
	char *text = vw_arena_alloc(arena, as_hex ? 2 * bytes->len + 1 : 4 * ((bytes->len + 2) / 3) + 1);

	if (!text)
		return NULL;
	return as_hex ? vw_hex_encode(bytes->data, bytes->len, text)
		      : vw_base64_encode(bytes->data, bytes->len, text);
}

static char *number_text(struct vw_arena *arena, const ProtobufCFieldDescriptor *field, const void *value)
{
	char text[VW_DOUBLE_TEXT > VW_TIME_TEXT ? VW_DOUBLE_TEXT : VW_TIME_TEXT];
	int64_t whole;
	double real;

	if (field->type == PROTOBUF_C_TYPE_BOOL)
		return vw_arena_strdup(arena, *(const protobuf_c_boolean *)value ? "true" : "false");
	if (value_double(field, value, &real))
		return vw_arena_strdup(arena, vw_double_format(real, text));
	if (!value_int64(field, value, &whole))
		return vw_arena_printf(arena, "%" PRIu64, *(const uint64_t *)value);
	if (field_is_time(field))
		return vw_arena_strdup(arena, vw_clock_format(whole, text));
	if (field->type == PROTOBUF_C_TYPE_ENUM)
		return vw_arena_strdup(arena, vw_enum_name(field->descriptor, (int)whole));
	return vw_arena_printf(arena, "%" PRId64, whole);
}

static char *value_as_text(struct vw_arena *arena, const ProtobufCFieldDescriptor *field, const void *value)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return vw_arena_strdup(arena, value_text(value));
	case PROTOBUF_C_TYPE_BYTES:
		return bytes_text(arena, value_bytes(value), field_is_digest(field));
	case PROTOBUF_C_TYPE_MESSAGE:
		return NULL;
	default:
		return number_text(arena, field, value);
	}
}

/* A time of 0 is no time: JSON shows null for it. */
static bool is_no_time(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	int64_t ms;

	return field_is_time(field) && value_int64(field, field_value(message, field, 0), &ms) && ms == 0;
}

size_t vw_field_count(const ProtobufCMessage *message, const struct vw_field_path *path)
{
	const ProtobufCFieldDescriptor *field = path->steps[path->depth - 1];

	message = holder(message, path);
	if (!message)
		return 0;
	if (path->key)
		return map_value(message, field, path->key) != NULL;
	size_t count = field_count(message, field);
	return count == 1 && field->label != PROTOBUF_C_LABEL_REPEATED && is_no_time(message, field) ? 0 : count;
}

char *vw_field_text(struct vw_arena *arena, const ProtobufCMessage *message, const struct vw_field_path *path,
		    size_t index)
{
	const ProtobufCFieldDescriptor *field = path->steps[path->depth - 1];

	if (index >= vw_field_count(message, path))
		return NULL;
	message = holder(message, path);
	if (path->key)
		return vw_arena_strdup(arena, map_value(message, field, path->key));
	return value_as_text(arena, field, field_value(message, field, index));
}
