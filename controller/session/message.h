/* message.h: the controller's small messages, and what every message of a peer must keep to. */
#ifndef SESSION_MESSAGE_H
#define SESSION_MESSAGE_H

#include "base/arena.h"
#include "proto/model.h"

#include <grpc/byte_buffer.h>
#include <grpc/status.h>
#include <stdbool.h>
#include <stddef.h>

/* NULL without memory. */
grpc_byte_buffer *vw_message_rejection(int reason, const char *text, int64_t server_time, uint32_t retry_after_ms);
grpc_byte_buffer *vw_message_reconnect(uint32_t after_ms, const char *text);
grpc_byte_buffer *vw_message_resume(uint64_t sequence);
/* Any of them, by the number of its oneof. */
grpc_byte_buffer *vw_message_wrap(int body_case, void *body);

/* "revoked": the reason as logs and JSON have it. Static storage. */
const char *vw_rejection_name(int reason);
/* What is told to a person when there is nothing more to say. Static storage. */
const char *vw_rejection_text(int reason);
grpc_status_code vw_rejection_status(int reason);

/* Every text in the message is UTF-8 (proto2's own demand) of at most `max` bytes. */
bool vw_message_texts_valid(const ProtobufCMessage *message, size_t max);

#endif
