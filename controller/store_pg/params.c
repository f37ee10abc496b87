#include "params.h"

#include "base/text.h"
#include "proto/message.h"

#include <endian.h>
#include <limits.h>
#include <string.h>

/* PostgreSQL takes a NULL pointer for NULL, so what is there but empty points here. */
static const char nothing[1];

static void add(struct vw_pg_params *p, enum vw_pg_type type, struct vw_bytes item)
{
	if (p->failed || p->count == VW_PG_PARAMS || item.len > INT_MAX || vw_arena_failed(p->arena)) {
		p->failed = true;
		return;
	}
	p->types[p->count] = (Oid)type;
	p->values[p->count] = item.data;
	p->lengths[p->count] = (int)item.len;
	p->formats[p->count++] = 1;
}

void vw_pg_params_init(struct vw_pg_params *p, struct vw_arena *arena, int32_t organization)
{
	p->arena = arena;
	p->count = 0;
	p->failed = !arena;
	vw_pg_int4(p, organization);
}

/* ---- Items ---- */

static struct vw_bytes item(struct vw_arena *arena, const void *bytes, size_t len)
{
	return (struct vw_bytes){vw_arena_memdup(arena, bytes, len), len};
}

struct vw_bytes vw_pg_item_int4(struct vw_arena *arena, int32_t value)
{
	uint32_t bits = htobe32((uint32_t)value);
	return item(arena, &bits, sizeof(bits));
}

struct vw_bytes vw_pg_item_int8(struct vw_arena *arena, int64_t value)
{
	uint64_t bits = htobe64((uint64_t)value);
	return item(arena, &bits, sizeof(bits));
}

static struct vw_bytes item_bytes(const void *data, size_t len)
{
	return (struct vw_bytes){data || len == 0 ? (data ? data : nothing) : NULL, len};
}

struct vw_bytes vw_pg_item_text(struct vw_arena *arena, const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t len = text ? strlen(text) : 0, used = 0;
	if (!text || vw_utf8_valid(text, len))
		return (struct vw_bytes){text, len};
	char *out = vw_arena_array(arena, len, sizeof(replacement) - 1);
	for (size_t i = 0; out && i < len;) {
		uint32_t point;
		size_t n = vw_utf8_decode(text + i, len - i, &point);
		memcpy(out + used, n > 0 ? text + i : replacement, n > 0 ? n : sizeof(replacement) - 1);
		used += n > 0 ? n : sizeof(replacement) - 1;
		i += n > 0 ? n : 1;
	}
	return (struct vw_bytes){out, used};
}

static struct vw_bytes item_packed(struct vw_arena *arena, const ProtobufCMessage *message)
{
	size_t len = 0;
	const uint8_t *bytes = vw_message_pack(arena, message, &len);
	return item_bytes(bytes, len);
}

/* ---- Single values ---- */

void vw_pg_int4(struct vw_pg_params *p, int32_t value)
{
	if (p->failed)
		return;
	add(p, VW_PG_INT4, vw_pg_item_int4(p->arena, value));
}

void vw_pg_int8(struct vw_pg_params *p, int64_t value)
{
	if (p->failed)
		return;
	add(p, VW_PG_INT8, vw_pg_item_int8(p->arena, value));
}

void vw_pg_bool(struct vw_pg_params *p, bool value)
{
	add(p, VW_PG_BOOL, (struct vw_bytes){value ? "\1" : "\0", 1});
}

void vw_pg_text(struct vw_pg_params *p, const char *text)
{
	if (p->failed)
		return;
	add(p, VW_PG_TEXT, vw_pg_item_text(p->arena, text));
}

void vw_pg_lower(struct vw_pg_params *p, const char *text)
{
	if (p->failed)
		return;
	char *copy = vw_arena_strdup(p->arena, text);
	for (char *c = copy; c && *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
	vw_pg_text(p, copy);
}

void vw_pg_bytes(struct vw_pg_params *p, const void *data, size_t len)
{
	add(p, VW_PG_BYTEA, (struct vw_bytes){data, len});
}

void vw_pg_uuid(struct vw_pg_params *p, const uint8_t uuid[16])
{
	add(p, VW_PG_UUID, (struct vw_bytes){uuid, 16});
}

void vw_pg_packed(struct vw_pg_params *p, const ProtobufCMessage *message)
{
	if (p->failed)
		return;
	add(p, VW_PG_BYTEA, message ? item_packed(p->arena, message) : (struct vw_bytes){NULL, 0});
}

void vw_pg_array(struct vw_pg_params *p, enum vw_pg_type type, const struct vw_bytes *items, size_t count)
{
	if (p->failed)
		return;
	static const enum vw_pg_type arrays[][2] = {{VW_PG_BOOL, VW_PG_BOOL_ARRAY}, {VW_PG_BYTEA, VW_PG_BYTEA_ARRAY},
						    {VW_PG_INT8, VW_PG_INT8_ARRAY}, {VW_PG_INT4, VW_PG_INT4_ARRAY},
						    {VW_PG_TEXT, VW_PG_TEXT_ARRAY}, {VW_PG_UUID, VW_PG_UUID_ARRAY}};
	/* dimensions, whether there are NULLs, type; then length and lower bound of the one dimension; then each item behind its length */
	uint32_t head[5] = {htobe32(count > 0), htobe32(1), htobe32((uint32_t)type), htobe32((uint32_t)count),
			    htobe32(1)};
	size_t head_len = count > 0 ? sizeof(head) : 3 * sizeof(head[0]);
	size_t len = head_len, array = 0;
	while (arrays[array][0] != type)
		array++;
	for (size_t i = 0; i < count; i++)
		len += sizeof(uint32_t) + (items[i].data ? items[i].len : 0);
	char *out = vw_arena_alloc(p->arena, len), *at = out;
	if (out) {
		memcpy(at, head, head_len);
		at += head_len;
	}
	for (size_t i = 0; out && i < count; i++) {
		uint32_t item_len = htobe32(items[i].data ? (uint32_t)items[i].len : UINT32_MAX);
		memcpy(at, &item_len, sizeof(item_len));
		at += sizeof(item_len);
		if (items[i].data) {
			memcpy(at, items[i].data, items[i].len);
			at += items[i].len;
		}
	}
	add(p, arrays[array][1], (struct vw_bytes){out, len});
}

/* ---- Fields of messages ---- */

static enum vw_pg_type type_of(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
		return VW_PG_INT4;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		return VW_PG_INT8;
	case PROTOBUF_C_TYPE_BOOL:
		return VW_PG_BOOL;
	case PROTOBUF_C_TYPE_STRING:
		return VW_PG_TEXT;
	default:
		return VW_PG_BYTEA;
	}
}

static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return field->quantifier_offset == 0 ||
	       *(const protobuf_c_boolean *)((const char *)message + field->quantifier_offset);
}

static struct vw_bytes item_of(struct vw_arena *arena, const ProtobufCMessage *message,
			       const ProtobufCFieldDescriptor *field)
{
	const void *member = (const char *)message + field->offset;
	const ProtobufCBinaryData *bytes = member;
	static const char truth[2] = {0, 1};
	if (!is_set(message, field))
		return (struct vw_bytes){NULL, 0};
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
		return vw_pg_item_int4(arena, *(const int32_t *)member);
	case PROTOBUF_C_TYPE_UINT32:
		return vw_pg_item_int8(arena, (int64_t) * (const uint32_t *)member);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		return vw_pg_item_int8(arena, *(const int64_t *)member);
	case PROTOBUF_C_TYPE_BOOL:
		return (struct vw_bytes){&truth[*(const protobuf_c_boolean *)member ? 1 : 0], 1};
	case PROTOBUF_C_TYPE_STRING:
		return vw_pg_item_text(arena, *(char *const *)member);
	case PROTOBUF_C_TYPE_BYTES:
		return item_bytes(bytes->data, bytes->len);
	default: {
		const ProtobufCMessage *inner = *(ProtobufCMessage *const *)member;
		return inner ? item_packed(arena, inner) : (struct vw_bytes){NULL, 0};
	}
	}
}

static void add_list(struct vw_pg_params *p, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	size_t count = *(const size_t *)((const char *)message + field->quantifier_offset);
	ProtobufCMessage *const *list = *(ProtobufCMessage *const *const *)((const char *)message + field->offset);
	struct vw_bytes *items = vw_arena_array(p->arena, count, sizeof(*items));
	for (size_t i = 0; items && i < count; i++)
		items[i] = item_packed(p->arena, list[i]);
	vw_pg_array(p, VW_PG_BYTEA, items, items ? count : 0);
}

/* The field of the first name in *names, which moves on; NULL at the end, or (then p has failed) for a name that is none. */
static const ProtobufCFieldDescriptor *next_field(struct vw_pg_params *p, const ProtobufCMessageDescriptor *type,
						  const char **names)
{
	char name[64];
	size_t len = strcspn(*names, " ");
	if (len == 0)
		return NULL;
	memcpy(name, *names, len);
	name[len] = 0;
	*names += len + strspn(*names + len, " ");
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, name);
	p->failed |= !field;
	return field;
}

void vw_pg_fields(struct vw_pg_params *p, const ProtobufCMessage *message, const char *names)
{
	if (p->failed)
		return;
	const ProtobufCFieldDescriptor *field;
	while ((field = next_field(p, message->descriptor, &names))) {
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			add_list(p, message, field);
		else
			add(p, type_of(field), item_of(p->arena, message, field));
	}
}

static const ProtobufCMessage *message_at(const void *messages, size_t i)
{
	const ProtobufCMessage *message;
	memcpy(&message, (const char *)messages + i * sizeof(message), sizeof(message));
	return message;
}

void vw_pg_columns(struct vw_pg_params *p, const void *messages, size_t count, const char *names)
{
	if (p->failed)
		return;
	const ProtobufCFieldDescriptor *field;
	struct vw_bytes *items = vw_arena_array(p->arena, count, sizeof(*items));
	while (items && count > 0 && (field = next_field(p, message_at(messages, 0)->descriptor, &names))) {
		for (size_t i = 0; i < count; i++)
			items[i] = item_of(p->arena, message_at(messages, i), field);
		vw_pg_array(p, type_of(field), items, count);
	}
}
