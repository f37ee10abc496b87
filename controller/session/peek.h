/* peek.h: which member a message of an agent has, without unpacking it: batches go to the threads that store as they came.
 *
 * Source: protocol buffers' encoding, "Message Structure": tags and lengths are varints; of a oneof the last member counts. Pure. */
#ifndef SESSION_PEEK_H
#define SESSION_PEEK_H

#include <grpc/slice.h>
#include <stddef.h>

/* The field number of AgentMessage's body; 0 when there is none that this side knows (a newer minor version's); VW_EINVAL when the bytes are no
 * message, or have more than VW_MAX_MESSAGE_FIELDS fields side by side. What is inside of the fields is not looked at. */
int vw_peek_body(const grpc_slice *slices, size_t count);

#endif
