/* codec.h: messages between gRPC's byte buffers and protobuf-c, with caps. Both ends use it; which gRPC library is linked (the secure one, or the
 * one without TLS) is the program's choice. */
#ifndef FLEET_CODEC_H
#define FLEET_CODEC_H

#include "base/arena.h"
#include "base/error.h"

#include <grpc/byte_buffer.h>
#include <protobuf-c/protobuf-c.h>

#define VW_FLEET_METHOD "/verifywise.v1.Fleet/Session"

/* NULL without memory. The caller destroys it. */
grpc_byte_buffer *vw_codec_write(const ProtobufCMessage *message);
/* Into the arena; the buffer stays the caller's. VW_ELIMIT (more than `cap` bytes), VW_EINVAL (not this message, compressed), VW_ENOMEM. */
int vw_codec_read(grpc_byte_buffer *buffer, size_t cap, const ProtobufCMessageDescriptor *type, const char *what,
		  struct vw_arena *arena, void **out_message, struct vw_error *err);

#endif
