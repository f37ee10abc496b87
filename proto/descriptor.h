/* descriptor.h: how protobuf-c lays out a message, for the files of this folder. */
#ifndef PROTO_DESCRIPTOR_H
#define PROTO_DESCRIPTOR_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True for a repeated KeyValue: a map. */
bool field_is_map(const ProtobufCFieldDescriptor *field);
/* True for an int64 named *_at or timestamp: milliseconds since the epoch. */
bool field_is_time(const ProtobufCFieldDescriptor *field);
/* True for bytes named *_sha256 or sha256. */
bool field_is_digest(const ProtobufCFieldDescriptor *field);
/* True for a member of a oneof. */
bool field_is_choice(const ProtobufCFieldDescriptor *field);

/* The number of values: of a repeated field its elements, otherwise 0 (missing) or 1. */
size_t field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* Where the `index`th value is (index < field_count): an int64_t, a double, a char *, a ProtobufCBinaryData,
 * a ProtobufCMessage * ... as the field's type says. */
const void *field_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t index);

/* What stands at field_value() of a text, a message, and of any type of whole numbers. */
const char *value_text(const void *value);
const ProtobufCMessage *value_message(const void *value);
const ProtobufCBinaryData *value_bytes(const void *value);
/* False for uint64 above INT64_MAX and for types that are no whole numbers. */
bool value_int64(const ProtobufCFieldDescriptor *field, const void *value, int64_t *out);
/* False for types other than double and float. */
bool value_double(const ProtobufCFieldDescriptor *field, const void *value, double *out);
/* Bytes of one value in memory. */
size_t value_size(ProtobufCType type);

#endif
