/* peek_fuzz.c: a message of an agent, cut into two slices: what peek.h says of it is what protobuf-c finds in it. */
#include "peek.h"

#include "base/error.h"
#include "proto/model.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	size_t len = size - 1, cut = data[0] < len ? data[0] : len;
	data++;
	grpc_slice slices[2] = {grpc_slice_from_static_buffer(data, cut),
				grpc_slice_from_static_buffer(data + cut, len - cut)};
	grpc_slice one = grpc_slice_from_static_buffer(data, len);
	int body = vw_peek_body(slices, 2);
	if (vw_peek_body(&one, 1) != body)
		abort();
	if (len > 65536)
		return 0;
	vw_agent_message *message = verifywise__v1__agent_message__unpack(NULL, len, data);
	if (!message)
		return 0;
	if (body != VW_EINVAL && (int)message->body_case != body)
		abort();
	verifywise__v1__agent_message__free_unpacked(message, NULL);
	return 0;
}
