/* work_desired.c: what an agent is to have and has not: policy, configuration, secrets. On a worker's thread. */
#include "work.h"

#include "message.h"
#include "session.h"

#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "proto/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int vw_task_say(struct vw_task *task, grpc_byte_buffer *buffer, const char *command_id, struct vw_error *err)
{
	struct vw_outgoing *message = calloc(1, sizeof(*message));
	if (!buffer || !message) {
		if (buffer)
			grpc_byte_buffer_destroy(buffer);
		free(message);
		return vw_error_set(err, VW_ENOMEM, "no memory for a message");
	}
	message->buffer = buffer;
	snprintf(message->command_id, sizeof(message->command_id), "%s", command_id ? command_id : "");
	struct vw_outgoing **end = &task->commands;
	while (*end)
		end = &(*end)->next;
	*end = message;
	return 0;
}

void vw_apply_error_mark(const uint8_t sha256[32], char out[VW_APPLY_ERROR_MARK + 1])
{
	char hex[17];
	snprintf(out, VW_APPLY_ERROR_MARK + 1, "sha256-8:%s: ", vw_hex_encode(sha256, 8, hex));
}

/* ---- Does it want it, can it take it ---- */

static bool is_in(char *const *list, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i], word) == 0)
			return true;
	}
	return false;
}

static bool takes(const vw_hello *hello, const char *capability, const char *command)
{
	return is_in(hello->capabilities, hello->n_capabilities, capability) &&
	       !is_in(hello->refuses, hello->n_refuses, command);
}

static bool same(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* It was sent before and could not be applied: never the same again unchanged. */
static bool failed_before(const char *error, const uint8_t sha256[32])
{
	char mark[VW_APPLY_ERROR_MARK + 1];
	vw_apply_error_mark(sha256, mark);
	return error && strncmp(error, mark, VW_APPLY_ERROR_MARK) == 0;
}

/* ---- Files ---- */

static int read_file(struct vw_work *work, const struct vw_task *task, const ProtobufCBinaryData *sha256,
		     vw_desired_file **out, struct vw_error *err)
{
	vw_stored_file *stored;
	int rc = vw_fleet_file_get(work->settings->store, work->arena, task->tenant->organization, sha256->data,
				   &stored, err);
	if (rc < 0)
		return rc;
	vw_desired_file *file = vw_message_new(work->arena, &verifywise__v1__desired_file__descriptor);
	if (!file)
		return vw_error_set(err, VW_ENOMEM, "no memory for a file");
	file->has_sha256 = 1;
	file->sha256 = *sha256;
	file->has_content = 1;
	file->content = stored->content;
	*out = file;
	return 0;
}

static int find_file(struct vw_work *work, const struct vw_task *task, const ProtobufCBinaryData *wanted,
		     const ProtobufCBinaryData *held, const char *error, vw_desired_file **out, struct vw_error *err)
{
	if (wanted->len != VW_SHA256_SIZE || same(wanted, held) || failed_before(error, wanted->data))
		return 0;
	int rc = read_file(work, task, wanted, out, err);
	if (rc == VW_ENOTFOUND) {
		vw_log(VW_LOG_ERROR, "desired_file_missing", VW_LOG_I("organization", task->tenant->organization),
		       VW_LOG_S("agent", task->peer->agent_id));
		return 0;
	}
	return rc;
}

/* ---- Secrets ---- */

int vw_desired_secrets(struct vw_work *work, const struct vw_task *task, vw_secret_set **out, struct vw_error *err)
{
	vw_stored_secret **stored;
	size_t count;
	int rc = vw_fleet_secret_list(work->settings->store, work->arena, task->tenant->organization,
				      task->peer->agent_id, &stored, &count, err);
	if (rc < 0)
		return rc;
	vw_secret_set *set = vw_message_new(work->arena, &verifywise__v1__secret_set__descriptor);
	vw_sealed_secret **secrets = vw_arena_array(work->arena, count + 1, sizeof(*secrets));
	if (!set || !secrets)
		return vw_error_set(err, VW_ENOMEM, "no memory for secrets");
	for (size_t i = 0; i < count; i++)
		secrets[i] = stored[i]->secret;
	set->secrets = secrets;
	set->n_secrets = count;
	*out = set;
	return 0;
}

static bool holds(const vw_hello *hello, const vw_sealed_secret *secret)
{
	for (size_t i = 0; i < hello->n_secrets; i++) {
		const vw_secret_held *held = hello->secrets[i];
		if (held->name && secret->name && strcmp(held->name, secret->name) == 0)
			return held->version == secret->version;
	}
	return false;
}

static bool holds_just(const vw_hello *hello, const vw_secret_set *set)
{
	for (size_t i = 0; i < set->n_secrets; i++) {
		if (!holds(hello, set->secrets[i]))
			return false;
	}
	return hello->n_secrets == set->n_secrets;
}

/* ---- All of it ---- */

int vw_desired_find(struct vw_work *work, struct vw_task *task, struct vw_wanted *wanted, struct vw_error *err)
{
	const vw_hello *hello = wanted->hello;
	const vw_agent_presence *before = wanted->before;
	int rc = 0;
	if (takes(hello, "policy", "set_policy"))
		rc = find_file(work, task, &wanted->agent->desired_policy_sha256, &hello->policy_sha256,
			       before ? before->policy_error : NULL, &wanted->policy, err);
	if (rc == 0 && takes(hello, "configuration", "set_configuration"))
		rc = find_file(work, task, &wanted->agent->desired_config_sha256, &hello->config_sha256,
			       before ? before->config_error : NULL, &wanted->configuration, err);
	if (rc == 0 && takes(hello, "secrets", "set_secrets"))
		rc = vw_desired_secrets(work, task, &wanted->secrets, err);
	if (rc == 0 && wanted->secrets && holds_just(hello, wanted->secrets))
		wanted->secrets = NULL;
	return rc;
}

static int say_apart(const struct vw_wanted *wanted, struct vw_task *task, struct vw_error *err)
{
	vw_desired parts[3] = {VERIFYWISE__V1__DESIRED__INIT, VERIFYWISE__V1__DESIRED__INIT,
			       VERIFYWISE__V1__DESIRED__INIT};
	parts[0].policy = wanted->policy;
	parts[1].configuration = wanted->configuration;
	parts[2].secrets = wanted->secrets;
	for (int i = 0; i < 3; i++) {
		if (!parts[i].policy && !parts[i].configuration && !parts[i].secrets)
			continue;
		int rc = vw_task_say(
		    task, vw_message_wrap(VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_DESIRED, &parts[i]), NULL, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int vw_desired_attach(struct vw_work *work, const struct vw_wanted *wanted, vw_welcome *welcome, struct vw_task *task,
		      struct vw_error *err)
{
	vw_desired desired = VERIFYWISE__V1__DESIRED__INIT;
	if (!wanted->policy && !wanted->configuration && !wanted->secrets)
		return 0;
	desired.policy = wanted->policy;
	desired.configuration = wanted->configuration;
	desired.secrets = wanted->secrets;
	if (protobuf_c_message_get_packed_size(&welcome->base) + protobuf_c_message_get_packed_size(&desired.base) >
	    VW_MAX_FLEET_CONTROL - 64)
		return say_apart(wanted, task, err);
	welcome->desired = vw_arena_memdup(work->arena, &desired, sizeof(desired));
	return welcome->desired ? 0 : vw_error_set(err, VW_ENOMEM, "no memory for what is desired");
}
