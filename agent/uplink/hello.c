/* hello.c: what the agent says of itself at a stream's beginning. */
#include "uplink_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "proto/message.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

static char *boot_id(struct vw_arena *arena)
{
	struct vw_buffer text;
	char *id = NULL;
	vw_buffer_init(&text, 128);
	if (vw_file_read(BOOT_ID_FILE, 128, &text, NULL) == 0)
		id = vw_text_trim(arena, vw_buffer_text(&text));
	vw_buffer_reset(&text);
	return id;
}

static char *host_name(struct vw_arena *arena)
{
	char name[HOST_NAME_MAX + 1] = "";
	if (gethostname(name, sizeof(name) - 1) < 0 || !vw_utf8_valid(name, strlen(name)))
		return NULL;
	return vw_arena_strdup(arena, name);
}

static void add_capabilities(vw_hello *hello, bool secrets)
{
	static const char *const all[] = {"commands", "policy", "configuration", "secrets"};
	hello->capabilities = (char **)all;
	hello->n_capabilities = sizeof(all) / sizeof(all[0]) - (secrets ? 0 : 1);
}

static void add_refusals(vw_hello *hello, const char *const *refuses)
{
	size_t count = 0;
	while (refuses && refuses[count])
		count++;
	hello->refuses = (char **)refuses;
	hello->n_refuses = count;
}

int uplink_secrets_held(struct vw_txn *txn, struct vw_arena *arena, vw_secret_held ***out, size_t *out_count,
			struct vw_error *err)
{
	vw_held_secret **held;
	size_t count;
	int code = vw_store_secrets(txn, arena, &held, &count, err);
	if (code < 0)
		return code;
	vw_secret_held **list = vw_arena_array(arena, count + 1, sizeof(*list));
	for (size_t i = 0; list && i < count; i++) {
		list[i] = vw_message_new(arena, &verifywise__v1__secret_held__descriptor);
		if (!list[i])
			break;
		list[i]->name = held[i]->secret->name;
		VW_SET(list[i], version, held[i]->secret->version);
		list[i]->fingerprint = held[i]->fingerprint;
	}
	if (vw_arena_failed(arena))
		return vw_error_set(err, VW_ENOMEM, "no memory for the names of secrets");
	*out = list;
	*out_count = count;
	return 0;
}

static int add_acknowledged(vw_hello *hello, struct vw_txn *txn, struct vw_arena *arena, const vw_uplink_state *state,
			    struct vw_error *err)
{
	struct vw_bytes payload;
	const uint8_t *hash;
	if (!state->has_acknowledged_sequence || state->acknowledged_sequence == 0)
		return 0;
	int code = vw_store_entry_bytes(txn, state->acknowledged_sequence, &payload, &hash, err);
	if (code < 0)
		return code;
	VW_SET(hello, acknowledged_sequence, state->acknowledged_sequence);
	VW_SET_BYTES(hello, acknowledged_chain_sha256, vw_arena_memdup(arena, hash, VW_LEDGER_HASH), VW_LEDGER_HASH);
	return 0;
}

/* The controller's own policy if it gave one, else what the last sync judged by. */
static int add_hashes(vw_hello *hello, struct vw_txn *txn, struct vw_arena *arena, const vw_uplink_state *state,
		      struct vw_error *err)
{
	vw_sync_state *sync;
	int code = vw_store_sync_state(txn, arena, &sync, err);
	if (code < 0)
		return code;
	const ProtobufCBinaryData *policy = state->has_policy_sha256 ? &state->policy_sha256 : &sync->policy_sha256;
	if (policy->len > 0)
		VW_SET_BYTES(hello, policy_sha256, policy->data, policy->len);
	if (state->has_config_sha256)
		VW_SET_BYTES(hello, config_sha256, state->config_sha256.data, state->config_sha256.len);
	return 0;
}

static int add_ledger(vw_hello *hello, struct vw_txn *txn, struct vw_arena *arena, struct vw_error *err)
{
	struct vw_ledger_head head;
	vw_agent_identity *identity;
	vw_uplink_state *state;
	int code = vw_store_head(txn, &head, err);
	if (code == 0)
		code = vw_store_identity_now(txn, arena, &identity, err);
	if (code == 0)
		code = vw_store_uplink(txn, arena, &state, err);
	if (code < 0)
		return code;
	hello->genesis_agent_id = identity->genesis_agent_id ? identity->genesis_agent_id : identity->agent_id;
	VW_SET(hello, epoch, identity->epoch);
	VW_SET(hello, last_sequence, head.sequence);
	VW_SET_BYTES(hello, last_chain_sha256, vw_arena_memdup(arena, head.hash, sizeof(head.hash)),
		     sizeof(head.hash));
	VW_SET(hello, join_sequence, state->join_sequence);
	code = add_acknowledged(hello, txn, arena, state, err);
	return code < 0 ? code : add_hashes(hello, txn, arena, state, err);
}

vw_agent_message *session_hello(struct session *session, struct vw_arena *arena, struct vw_error *err)
{
	struct vw_uplink *uplink = session->uplink;
	const struct vw_uplink_settings *settings = &uplink->settings;
	struct vw_txn *txn;
	vw_agent_message *message = vw_message_new(arena, &verifywise__v1__agent_message__descriptor);
	vw_hello *hello = vw_message_new(arena, &verifywise__v1__hello__descriptor);
	if (!message || !hello) {
		vw_error_set(err, VW_ENOMEM, "no memory for a greeting");
		return NULL;
	}
	message->body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_HELLO;
	message->hello = hello;
	VW_SET(hello, protocol_major, VW_PROTOCOL_MAJOR);
	VW_SET(hello, protocol_minor, VW_PROTOCOL_MINOR);
	VW_SET_BYTES(hello, instance_id, uplink->instance_id, sizeof(uplink->instance_id));
	hello->boot_id = boot_id(arena);
	hello->agent_version = vw_arena_strdup(arena, settings->agent_version);
	hello->hostname = host_name(arena);
	hello->source_uri = vw_uri_redact(arena, settings->source_uri);
	add_capabilities(hello, settings->secrets);
	add_refusals(hello, settings->refuses);
	if (vw_txn_begin_read(vw_store_kv(settings->store), &txn, err) < 0)
		return NULL;
	int code = add_ledger(hello, txn, arena, err);
	if (code == 0)
		code = uplink_secrets_held(txn, arena, &hello->secrets, &hello->n_secrets, err);
	vw_txn_end(txn);
	VW_SET(hello, sent_at, vw_clock_now());
	return code == 0 ? message : NULL;
}
