#include "row.h"

#include "base/limits.h"
#include "proto/message.h"

#include <endian.h>
#include <string.h>

struct cell {
	const char *data; /* NULL: NULL */
	size_t len;
	Oid type;
};

static struct cell cell_at(const PGresult *result, int row, int column)
{
	struct cell cell = {.type = PQftype(result, column)};
	if (!PQgetisnull(result, row, column)) {
		cell.data = PQgetvalue(result, row, column);
		cell.len = (size_t)PQgetlength(result, row, column);
	}
	return cell;
}

/* ---- Numbers ---- */

static uint32_t read_u32(const char *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static int64_t integer(const char *data, size_t len)
{
	uint64_t wide;
	uint16_t narrow;
	if (len == sizeof(wide)) {
		memcpy(&wide, data, sizeof(wide));
		return (int64_t)be64toh(wide);
	}
	if (len == sizeof(uint32_t))
		return (int32_t)read_u32(data);
	if (len != sizeof(narrow))
		return len == 1 ? data[0] : 0;
	memcpy(&narrow, data, sizeof(narrow));
	return (int16_t)be16toh(narrow);
}

int64_t vw_pg_int(const PGresult *result, int row, int column)
{
	struct cell cell = cell_at(result, row, column);
	return cell.data ? integer(cell.data, cell.len) : 0;
}

/* ---- Arrays ---- */

#define ARRAY_HEAD  20 /* bytes of an array with one dimension: dimensions, NULLs, type, length, lower bound */
#define ARRAY_EMPTY 12

/* How many items it has; they begin behind the head. Our own arrays have one dimension. */
static size_t array_count(const struct cell *cell)
{
	if (!cell->data || cell->len < ARRAY_EMPTY || read_u32(cell->data) != 1 || cell->len < ARRAY_HEAD)
		return 0;
	return read_u32(cell->data + 12);
}

/* The item at *at, which moves on; false at the end. */
static bool array_next(const struct cell *cell, size_t *at, struct vw_bytes *out)
{
	if (cell->len - *at < sizeof(uint32_t))
		return false;
	uint32_t len = read_u32(cell->data + *at);
	*at += sizeof(uint32_t);
	*out = (struct vw_bytes){NULL, 0};
	if (len == UINT32_MAX)
		return true;
	if (len > cell->len - *at)
		return false;
	*out = (struct vw_bytes){cell->data + *at, len};
	*at += len;
	return true;
}

void vw_pg_ints(const PGresult *result, int row, int column, int64_t *out, size_t size)
{
	struct cell cell = cell_at(result, row, column);
	size_t count = array_count(&cell), at = ARRAY_HEAD;
	struct vw_bytes item;
	for (size_t i = 0; i < size; i++)
		out[i] = i < count && array_next(&cell, &at, &item) && item.data ? integer(item.data, item.len) : 0;
}

/* ---- Fields ---- */

static char *uuid_text(struct vw_arena *arena, const struct cell *cell)
{
	const unsigned char *b = (const unsigned char *)cell->data;
	return vw_arena_printf(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
			       b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
			       b[14], b[15]);
}

static int unpack(struct vw_arena *arena, const ProtobufCFieldDescriptor *field, struct vw_bytes bytes, void *member,
		  struct vw_error *err)
{
	void *inner;
	int rc = vw_message_unpack(arena, field->descriptor, bytes.data, bytes.len, field->name, &inner, err);
	if (rc == 0)
		memcpy(member, &inner, sizeof(inner));
	return rc;
}

static int set_list(struct vw_arena *arena, const struct cell *cell, const ProtobufCFieldDescriptor *field,
		    ProtobufCMessage *message, struct vw_error *err)
{
	size_t count = array_count(cell), at = ARRAY_HEAD;
	bool is_number = field->type == PROTOBUF_C_TYPE_UINT32;
	size_t width = is_number ? sizeof(uint32_t) : sizeof(void *);
	if (count > VW_MAX_ENTRIES)
		return vw_error_set(err, VW_ECORRUPT, "postgresql: %s has %zu items", field->name, count);
	char *list = vw_arena_array(arena, count, width);
	int rc = list ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for a row");
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct vw_bytes item;
		if (!array_next(cell, &at, &item) || !item.data)
			return vw_error_set(err, VW_ECORRUPT, "postgresql: %s is no list", field->name);
		uint32_t number = is_number ? (uint32_t)integer(item.data, item.len) : 0;
		if (is_number)
			memcpy(list + i * width, &number, sizeof(number));
		else
			rc = unpack(arena, field, item, list + i * width, err);
	}
	if (rc == 0) {
		memcpy((char *)message + field->offset, &list, sizeof(list));
		memcpy((char *)message + field->quantifier_offset, &count, sizeof(count));
	}
	return rc;
}

static int set_field(struct vw_arena *arena, const struct cell *cell, const ProtobufCFieldDescriptor *field,
		     ProtobufCMessage *message, struct vw_error *err)
{
	char *member = (char *)message + field->offset;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return set_list(arena, cell, field, message, err);
	if (field->quantifier_offset)
		*(protobuf_c_boolean *)((char *)message + field->quantifier_offset) = 1;
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_UINT32:
		*(int32_t *)member = (int32_t)integer(cell->data, cell->len);
		return 0;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		*(int64_t *)member = integer(cell->data, cell->len);
		return 0;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)member = integer(cell->data, cell->len) != 0;
		return 0;
	case PROTOBUF_C_TYPE_STRING:
		*(char **)member = cell->type == VW_PG_UUID && cell->len == 16
				       ? uuid_text(arena, cell)
				       : vw_arena_strndup(arena, cell->data, cell->len);
		return 0;
	case PROTOBUF_C_TYPE_BYTES:
		((ProtobufCBinaryData *)member)->data = vw_arena_memdup(arena, cell->data, cell->len);
		((ProtobufCBinaryData *)member)->len = cell->len;
		return 0;
	default:
		return unpack(arena, field, (struct vw_bytes){cell->data, cell->len}, member, err);
	}
}

void *vw_pg_row_of(struct vw_pg_tx *tx, const PGresult *result, int row, const char *prefix,
		   const ProtobufCMessageDescriptor *type, struct vw_arena *arena)
{
	ProtobufCMessage *message = vw_message_new(arena, type);
	size_t skip = strlen(prefix);
	for (int column = 0; message && tx->code == 0 && column < PQnfields(result); column++) {
		struct cell cell = cell_at(result, row, column);
		const char *name = PQfname(result, column);
		const ProtobufCFieldDescriptor *field =
		    strncmp(name, prefix, skip) == 0 && cell.data
			? protobuf_c_message_descriptor_get_field_by_name(type, name + skip)
			: NULL;
		if (field)
			tx->code = set_field(arena, &cell, field, message, tx->err);
	}
	if (vw_arena_failed(arena))
		vw_pg_refuse(tx, VW_ENOMEM, "no memory for rows");
	return tx->code == 0 ? message : NULL;
}

void *vw_pg_row(struct vw_pg_tx *tx, const PGresult *result, int row, const ProtobufCMessageDescriptor *type,
		struct vw_arena *arena)
{
	return vw_pg_row_of(tx, result, row, "", type, arena);
}

/* ---- Results ---- */

int vw_pg_rows(struct vw_pg_tx *tx, const ProtobufCMessageDescriptor *type, struct vw_arena *arena, void ***out,
	       size_t *out_count)
{
	const PGresult *result = vw_pg_result(tx);
	int count = result ? PQntuples(result) : 0;
	void **rows = vw_arena_array(arena, (size_t)count, sizeof(*rows));
	if (!rows)
		vw_pg_refuse(tx, VW_ENOMEM, "no memory for rows");
	for (int i = 0; tx->code == 0 && i < count; i++)
		rows[i] = vw_pg_row(tx, result, i, type, arena);
	if (tx->code == 0) {
		*out = rows;
		*out_count = (size_t)count;
	}
	return tx->code;
}

int vw_pg_one_if(struct vw_pg_tx *tx, const ProtobufCMessageDescriptor *type, struct vw_arena *arena, void **out)
{
	const PGresult *result = vw_pg_result(tx);
	void *row = result && PQntuples(result) > 0 ? vw_pg_row(tx, result, 0, type, arena) : NULL;
	if (tx->code == 0)
		*out = row;
	return tx->code;
}

int vw_pg_one(struct vw_pg_tx *tx, const ProtobufCMessageDescriptor *type, struct vw_arena *arena, const char *what,
	      void **out)
{
	void *row = NULL;
	if (vw_pg_one_if(tx, type, arena, &row) == 0 && !row)
		vw_pg_refuse(tx, VW_ENOTFOUND, "%s is not there", what);
	if (tx->code == 0)
		*out = row;
	return tx->code;
}
