/* fields.h: the fields of one JSON object into the message of the same name.
 *
 * mlflow.proto uses MLflow's own field names, so that a message's descriptor says all that is needed. */
#ifndef MLFLOW_FIELDS_H
#define MLFLOW_FIELDS_H

#include "base/arena.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct vw_fields {
	struct vw_arena *arena;
	unsigned flaws; /* VW_FLAW_... of what was read so far */
};

/* Fills those fields of the message that the object has. */
void vw_fields_read(struct vw_fields *in, const json_t *object, ProtobufCMessage *message);
/* A text over VW_MAX_VALUE, or no text: NULL and a flaw. Missing and null: NULL. */
char *vw_fields_text(struct vw_fields *in, const json_t *object, const char *key);
/* A list of messages made of the objects of an array member. Entries without their first field (the key) or without a value are left out;
 * those after VW_MAX_ENTRIES too. `fill` may be NULL: vw_fields_read(). */
typedef void (*vw_fields_fill)(struct vw_fields *in, const json_t *object, ProtobufCMessage *message);
void vw_fields_list(struct vw_fields *in, const json_t *object, const char *key,
		    const ProtobufCMessageDescriptor *type, vw_fields_fill fill, size_t *out_count, void *out_list);
/* The texts of an array member; of its objects' member `inner` if that is not NULL. */
void vw_fields_texts(struct vw_fields *in, const json_t *object, const char *key, const char *inner,
		     size_t *out_count, char ***out_list);

#endif
