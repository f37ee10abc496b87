#include "message.h"

#include "base/text.h"
#include "fleet/codec.h"
#include "proto/message.h"

#include <string.h>

#define MAX_DEPTH 8 /* of messages in messages; fleet.proto has 4 */

grpc_byte_buffer *vw_message_wrap(int body_case, void *body)
{
	vw_controller_message message = VERIFYWISE__V1__CONTROLLER_MESSAGE__INIT;
	message.body_case = (Verifywise__V1__ControllerMessage__BodyCase)body_case;
	message.welcome = body; /* all members are pointers in one place */
	return vw_codec_write(&message.base);
}

grpc_byte_buffer *vw_message_rejection(int reason, const char *text, int64_t server_time, uint32_t retry_after_ms)
{
	vw_rejection rejection = VERIFYWISE__V1__REJECTION__INIT;
	VW_SET(&rejection, reason, (vw_rejection_reason)reason);
	rejection.text = (char *)(text && *text ? text : vw_rejection_text(reason));
	VW_SET(&rejection, server_time, server_time);
	if (retry_after_ms > 0)
		VW_SET(&rejection, retry_after_ms, retry_after_ms);
	return vw_message_wrap(VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_REJECTION, &rejection);
}

grpc_byte_buffer *vw_message_reconnect(uint32_t after_ms, const char *text)
{
	vw_reconnect reconnect = VERIFYWISE__V1__RECONNECT__INIT;
	VW_SET(&reconnect, after_ms, after_ms);
	reconnect.text = (char *)text;
	return vw_message_wrap(VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_RECONNECT, &reconnect);
}

grpc_byte_buffer *vw_message_resume(uint64_t sequence)
{
	vw_resume resume = VERIFYWISE__V1__RESUME__INIT;
	VW_SET(&resume, sequence, sequence);
	return vw_message_wrap(VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_RESUME, &resume);
}

/* ---- Reasons ---- */

static const struct {
	const char *text;
	grpc_status_code status;
} reasons[] = {
    [VW_REJECTION_UNKNOWN_AGENT] = {"this controller knows no such agent", GRPC_STATUS_PERMISSION_DENIED},
    [VW_REJECTION_REVOKED] = {"this agent or its certificate was revoked", GRPC_STATUS_PERMISSION_DENIED},
    [VW_REJECTION_EXPIRED] = {"the certificate has expired: renew it", GRPC_STATUS_UNAUTHENTICATED},
    [VW_REJECTION_CLOCK_SKEW] = {"the clocks differ by too much", GRPC_STATUS_FAILED_PRECONDITION},
    [VW_REJECTION_DUPLICATE_INSTANCE] = {"another process is connected with this identity",
					 GRPC_STATUS_ALREADY_EXISTS},
    [VW_REJECTION_TENANT_DISABLED] = {"the organization is disabled", GRPC_STATUS_PERMISSION_DENIED},
    [VW_REJECTION_VERSION_TOO_OLD] = {"this version is too old for this controller", GRPC_STATUS_FAILED_PRECONDITION},
    [VW_REJECTION_ROLLED_BACK] = {"the ledger ends before what was acknowledged: a restored snapshot",
				  GRPC_STATUS_DATA_LOSS},
    [VW_REJECTION_FORKED] = {"the ledger holds another entry than the one that is stored under the same number",
			     GRPC_STATUS_DATA_LOSS},
    [VW_REJECTION_MALFORMED] = {"the message is not what the protocol says", GRPC_STATUS_INVALID_ARGUMENT},
    [VW_REJECTION_OVERLOADED] = {"the controller cannot take this now", GRPC_STATUS_RESOURCE_EXHAUSTED},
};

static bool is_known(int reason)
{
	return reason > 0 && (size_t)reason < sizeof(reasons) / sizeof(reasons[0]) && reasons[reason].text;
}

const char *vw_rejection_name(int reason)
{
	return vw_enum_name(&verifywise__v1__rejection_reason__descriptor, reason);
}

const char *vw_rejection_text(int reason)
{
	return is_known(reason) ? reasons[reason].text : "refused";
}

grpc_status_code vw_rejection_status(int reason)
{
	return is_known(reason) ? reasons[reason].status : GRPC_STATUS_UNAVAILABLE;
}

/* ---- Texts ---- */

static bool text_valid(const char *text, size_t max)
{
	size_t len = text ? strlen(text) : 0;
	return len <= max && (!text || vw_utf8_valid(text, len));
}

static bool message_valid(const ProtobufCMessage *message, size_t max, int depth);

static bool value_valid(const ProtobufCFieldDescriptor *field, const void *value, size_t max, int depth)
{
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return text_valid(*(const char *const *)value, max);
	return message_valid(*(const ProtobufCMessage *const *)value, max, depth);
}

static bool field_valid(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t max, int depth)
{
	const uint8_t *base = (const uint8_t *)message;
	const uint8_t *member = base + field->offset;
	if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(const void *)(base + field->quantifier_offset) != field->id ||
		       value_valid(field, member, max, depth);
	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return value_valid(field, member, max, depth);
	size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
	const void *const *values = *(const void *const *const *)(const void *)member;
	for (size_t i = 0; i < count; i++) {
		if (!value_valid(field, &values[i], max, depth))
			return false;
	}
	return true;
}

static bool message_valid(const ProtobufCMessage *message, size_t max, int depth)
{
	if (!message)
		return true;
	if (depth == 0)
		return false;
	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		if (!field_valid(message, &message->descriptor->fields[i], max, depth - 1))
			return false;
	}
	return true;
}

bool vw_message_texts_valid(const ProtobufCMessage *message, size_t max)
{
	return message_valid(message, max, MAX_DEPTH);
}
