/* desired.c: what the controller wants to be so becomes a command of our own making, unless it is so already or could not be made so. */
#include "uplink_private.h"

#include "base/digest.h"
#include "base/log.h"
#include "proto/message.h"

#include <stdio.h>
#include <string.h>

#define ID_MAX (sizeof(VW_DESIRED_PREFIX) + 2 * VW_SHA256_SIZE)

static void make_id(const uint8_t hash[VW_SHA256_SIZE], char out[ID_MAX])
{
	char hex[VW_SHA256_HEX];
	snprintf(out, ID_MAX, "%s%s", VW_DESIRED_PREFIX, vw_hex_encode(hash, VW_SHA256_SIZE, hex));
}

static bool same(protobuf_c_boolean has, const ProtobufCBinaryData *field, const uint8_t *hash)
{
	if (!hash)
		return !has;
	return has && field->len == VW_SHA256_SIZE && memcmp(field->data, hash, VW_SHA256_SIZE) == 0;
}

/* What the store knows of it. */
struct known {
	bool in_force;
	bool held, over, done;
};

static int ask(struct vw_uplink *uplink, const vw_command *command, const uint8_t *hash, struct known *out,
	       struct vw_error *err)
{
	struct vw_txn *txn;
	vw_uplink_state *state;
	vw_held_command *held;
	vw_arena_reset(uplink->scratch);
	int code = vw_txn_begin_read(vw_store_kv(uplink->settings.store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_uplink(txn, uplink->scratch, &state, err);
	if (code == 0 && command->kind == VW_COMMAND_SET_POLICY)
		out->in_force = same(state->has_policy_sha256, &state->policy_sha256, hash);
	else if (code == 0 && command->kind == VW_COMMAND_SET_CONFIGURATION)
		out->in_force = same(state->has_config_sha256, &state->config_sha256, hash);
	if (code == 0)
		code = vw_store_command(txn, uplink->scratch, command->id, &held, err);
	if (code == 0) {
		out->held = true;
		out->over = vw_held_is_over(held);
		out->done = out->over && held->update->state == VW_COMMAND_STATE_DONE;
	}
	vw_txn_end(txn);
	return code == VW_ENOTFOUND ? 0 : code;
}

/* `hash`: NULL when the local file is to be in force again. */
static void want(struct session *session, const vw_command *command, const uint8_t *hash)
{
	struct vw_uplink *uplink = session->uplink;
	struct vw_error err = VW_ERROR_INIT;
	struct known known = {0};
	if (ask(uplink, command, hash, &known, &err) < 0) {
		session_fail(session, NEXT_RETRY, &err);
		return;
	}
	bool settled = known.in_force || (known.over && !known.done); /* what failed is not tried again unchanged */
	if (!settled)
		uplink_command_take(uplink, command);
	else if (known.held)
		uplink_command_tell(uplink, command->id);
}

static void want_file(struct session *session, const vw_desired_file *file, vw_command_kind kind)
{
	char id[ID_MAX];
	uint8_t hash[VW_SHA256_SIZE];
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	if (!file || !file->has_content)
		return; /* it says that we have it already */
	vw_sha256_of(file->content.data, file->content.len, hash);
	if (file->has_sha256 &&
	    (file->sha256.len != sizeof(hash) || memcmp(file->sha256.data, hash, sizeof(hash)) != 0)) {
		vw_log(VW_LOG_ERROR, "desired_file_damaged", VW_LOG_S("what", vw_held_what(kind)));
		return;
	}
	make_id(hash, id);
	command.id = id;
	VW_SET(&command, kind, kind);
	command.has_content = 1;
	command.content = file->content;
	want(session, &command, file->content.len > 0 ? hash : NULL);
}

static void want_secrets(struct session *session, const vw_secret_set *set)
{
	char id[ID_MAX];
	uint8_t hash[VW_SHA256_SIZE];
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	if (!set)
		return;
	if (vw_message_sha256(&set->base, hash) < 0) {
		vw_log(VW_LOG_ERROR, "desired_secrets_lost", VW_LOG_S("reason", "no memory"));
		return;
	}
	make_id(hash, id);
	command.id = id;
	VW_SET(&command, kind, VW_COMMAND_SET_SECRETS);
	command.secrets = set->secrets;
	command.n_secrets = set->n_secrets;
	want(session, &command, hash);
}

void session_desired(struct session *session, const vw_desired *desired)
{
	want_file(session, desired->policy, VW_COMMAND_SET_POLICY);
	want_file(session, desired->configuration, VW_COMMAND_SET_CONFIGURATION);
	want_secrets(session, desired->secrets);
}
