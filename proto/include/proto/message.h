/* message.h: what can be done with any message because its descriptor is known.
 *
 * One writer, one reader of fields, one comparison for all messages: nothing is listed twice, and a field added to
 * a .proto file is printed, compared and reachable from a policy without another line of code. */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A new, initialised message in the arena; NULL without memory. */
void *vw_message_new(struct vw_arena *arena, const ProtobufCMessageDescriptor *type);
/* Packs into the arena. NULL without memory. */
uint8_t *vw_message_pack(struct vw_arena *arena, const ProtobufCMessage *message, size_t *out_len);
/* Unpacks into the arena. VW_ECORRUPT naming `what` for bytes that are not this message; unpacking is bounded by
 * the arena's cap and by VW_MAX_ENTRIES elements in each repeated field. */
int vw_message_unpack(struct vw_arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
		      size_t len, const char *what, void **out_message, struct vw_error *err);
/* SHA-256 of the packed bytes. */
int vw_message_sha256(const ProtobufCMessage *message, uint8_t out[32]);

/* Sets an optional bytes field from a buffer that outlives the message. */
#define VW_SET_BYTES(message, field, bytes, length)                                                                  \
	((message)->has_##field = 1, (message)->field.data = (uint8_t *)(bytes), (message)->field.len = (length))
/* Sets an optional number. */
#define VW_SET(message, field, value) ((message)->has_##field = 1, (message)->field = (value))

/* As JSON, in the conventions of record.proto: every field is written, a missing one as null and a missing repeated one
 * as [] (or {} for KeyValue lists); at, *_at, *_not_after, since and timestamp as RFC 3339; *_sha256 and sha256 as hex; other bytes as base64;
 * enums as their lower-case value without the type's prefix ("SEVERITY_HIGH" is "high"); doubles that are no number as
 * words. A oneof's members that are not set are left out. A missing sub-message is null. */
void vw_message_json(struct vw_json_writer *w, const ProtobufCMessage *message);
/* The same for the fields alone, inside an object that the caller began. */
void vw_message_json_fields(struct vw_json_writer *w, const ProtobufCMessage *message);
/* The same without the fields that are named in `hidden` (NULL-terminated). */
void vw_message_json_fields_but(struct vw_json_writer *w, const ProtobufCMessage *message, const char *const *hidden);

/* The name that JSON shows for an enum's value: "high". Static storage; "unknown" for numbers that are not in it. */
const char *vw_enum_name(const ProtobufCEnumDescriptor *type, int value);
/* The value of such a name, case ignored; false when it is none. */
bool vw_enum_value(const ProtobufCEnumDescriptor *type, const char *name, int *out_value);

/* ---- Fields by path: "lifecycle.lifecycle_stage", "lifecycle.tags.team" ---- */

/* A path, resolved once against a message type. Resolution of a path behind a KeyValue map takes the rest as the key. */
struct vw_field_path {
	const ProtobufCFieldDescriptor *steps[4];
	int depth;
	const char *key; /* borrowed from the path given: a map's key, or NULL */
};
/* False when the type has no such field. */
bool vw_field_resolve(const ProtobufCMessageDescriptor *type, const char *path, struct vw_field_path *out);

/* The number of values there: 0 or 1 for a single one, the count of a repeated one; 0 if a message on the way is missing. */
size_t vw_field_count(const ProtobufCMessage *message, const struct vw_field_path *path);
/* The `index`th value as text, in the arena ("0.93", "high", a time in RFC 3339). NULL when there is none. Messages give NULL. */
char *vw_field_text(struct vw_arena *arena, const ProtobufCMessage *message, const struct vw_field_path *path,
		    size_t index);

/* ---- Comparison ---- */

/* The names of what differs between two messages of one type, two levels deep ("risk.risk_category", "warnings"), in
 * the order of fields; fields named in `ignore` (NULL-terminated, may be NULL) are passed over. Array in the arena. */
int vw_message_diff(struct vw_arena *arena, const ProtobufCMessage *a, const ProtobufCMessage *b,
		    const char *const *ignore, char ***out_names, size_t *out_count);

/* Sorts a KeyValue list by key (bytewise) as record.proto demands; of equal keys the last given stays, and the count shrinks. */
struct Verifywise__V1__KeyValue;
void vw_key_values_sort(struct Verifywise__V1__KeyValue **list, size_t *count);
/* Sorts a list of texts bytewise and removes duplicates. */
void vw_texts_sort(char **list, size_t *count);

#endif
