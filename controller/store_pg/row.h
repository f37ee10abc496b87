/* row.h: rows of results as messages. A column is the field of its name; one without a field is passed over. */
#ifndef STORE_PG_ROW_H
#define STORE_PG_ROW_H

#include "transaction.h"

/* All rows of the transaction's next result. */
int vw_pg_rows(struct vw_pg_tx *tx, const ProtobufCMessageDescriptor *type, struct vw_arena *arena, void ***out,
	       size_t *out_count);
/* The only row of the next result; VW_ENOTFOUND (`what` is not there) if there is none. */
int vw_pg_one(struct vw_pg_tx *tx, const ProtobufCMessageDescriptor *type, struct vw_arena *arena, const char *what,
	      void **out);
/* The first row, or NULL without one; no failure then. */
int vw_pg_one_if(struct vw_pg_tx *tx, const ProtobufCMessageDescriptor *type, struct vw_arena *arena, void **out);
/* One row of a result; NULL when it cannot be read: then the transaction has failed. */
void *vw_pg_row(struct vw_pg_tx *tx, const PGresult *result, int row, const ProtobufCMessageDescriptor *type,
		struct vw_arena *arena);
/* The same of columns that begin with `prefix`: two messages in one row. */
void *vw_pg_row_of(struct vw_pg_tx *tx, const PGresult *result, int row, const char *prefix,
		   const ProtobufCMessageDescriptor *type, struct vw_arena *arena);

/* One integer of a result, of 16 to 64 bits; 0 for NULL. */
int64_t vw_pg_int(const PGresult *result, int row, int column);
/* One array of bigint, at most `size` of it, into out; NULL items are 0. */
void vw_pg_ints(const PGresult *result, int row, int column, int64_t *out, size_t size);

#endif
