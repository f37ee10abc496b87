/* params.h: the parameters of one statement, in PostgreSQL's binary formats; the first is always the organization.
 *
 * Everything is in the transaction's arena. What goes wrong on the way is remembered and said when the statement is queued. */
#ifndef STORE_PG_PARAMS_H
#define STORE_PG_PARAMS_H

#include "base/arena.h"
#include "proto/model.h"
#include "storage/kv.h" /* struct vw_bytes */

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#define VW_PG_PARAMS 32 /* of one statement */

/* Source: pg_type.dat; these numbers are part of the protocol. */
enum vw_pg_type {
	VW_PG_BOOL = 16,
	VW_PG_BYTEA = 17,
	VW_PG_INT8 = 20,
	VW_PG_INT2 = 21,
	VW_PG_INT4 = 23,
	VW_PG_TEXT = 25,
	VW_PG_UUID = 2950,
	VW_PG_BYTEA_ARRAY = 1001,
	VW_PG_INT4_ARRAY = 1007,
	VW_PG_TEXT_ARRAY = 1009,
	VW_PG_INT8_ARRAY = 1016,
	VW_PG_UUID_ARRAY = 2951,
	VW_PG_BOOL_ARRAY = 1000
};

struct vw_pg_params {
	struct vw_arena *arena;
	int count;
	bool failed;
	Oid types[VW_PG_PARAMS];
	const char *values[VW_PG_PARAMS];
	int lengths[VW_PG_PARAMS];
	int formats[VW_PG_PARAMS];
};

/* Without an arena, of a transaction that failed to begin, it has failed from the start. */
void vw_pg_params_init(struct vw_pg_params *p, struct vw_arena *arena, int32_t organization);
void vw_pg_int4(struct vw_pg_params *p, int32_t value);
void vw_pg_int8(struct vw_pg_params *p, int64_t value);
void vw_pg_bool(struct vw_pg_params *p, bool value);
/* NULL is NULL. Bytes that are no UTF-8 become U+FFFD: the server would refuse them. */
void vw_pg_text(struct vw_pg_params *p, const char *text);
/* The same in lower case, ASCII alone: as SQL's lower() has it for our columns, which are COLLATE "C". */
void vw_pg_lower(struct vw_pg_params *p, const char *text);
void vw_pg_bytes(struct vw_pg_params *p, const void *data, size_t len); /* data NULL: NULL */
void vw_pg_uuid(struct vw_pg_params *p, const uint8_t uuid[16]);
/* Packed; NULL is NULL. */
void vw_pg_packed(struct vw_pg_params *p, const ProtobufCMessage *message);

/* One parameter for each of the fields, whose names are separated by blanks: what is not set is NULL. Integers of 32 bits and enums are int4, wider or unsigned ones
 * int8, messages are packed, lists of messages arrays of packed ones. */
void vw_pg_fields(struct vw_pg_params *p, const ProtobufCMessage *message, const char *names);

/* An array of `type`; an item without data is NULL. */
void vw_pg_array(struct vw_pg_params *p, enum vw_pg_type type, const struct vw_bytes *items, size_t count);
/* For unnest(): for each of the fields one array over all messages. `messages` points to `count` pointers. Not of repeated fields. */
void vw_pg_columns(struct vw_pg_params *p, const void *messages, size_t count, const char *names);

/* Items for vw_pg_array(). In the arena; without data if there is no memory, then the arena says so. */
struct vw_bytes vw_pg_item_int4(struct vw_arena *arena, int32_t value);
struct vw_bytes vw_pg_item_int8(struct vw_arena *arena, int64_t value);
struct vw_bytes vw_pg_item_text(struct vw_arena *arena, const char *text);

#endif
