/* remote_given.c: the controller's policy and settings, as files; what the state says of them; and their end. */
#include "remote_given.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "proto/message.h"
#include "storage/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POLICY        "policy.yaml"
#define CONFIGURATION "configuration.yaml"

static char *path_of(struct vw_arena *arena, const char *state_dir, const char *name)
{
	return vw_arena_printf(arena, "%s/controller%s%s", state_dir, name[0] ? "/" : "", name);
}

static int remove_file(const char *path, struct vw_error *err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return vw_error_set(err, VW_EIO, "cannot delete %s: %s", path, strerror(errno));
	return 0;
}

/* ---- taking ---- */

struct file {
	const char *folder, *path;
	const ProtobufCBinaryData *content; /* empty: none, the local file is in force again */
};

static int keep_file(void *arg, struct vw_error *err)
{
	const struct file *file = arg;
	if (file->content->len == 0)
		return remove_file(file->path, err);
	int code = vw_dir_make_private(file->folder, err);
	return code < 0 ? code : vw_file_write(file->path, file->content->data, file->content->len, 0600, err);
}

static int take(const struct remote_host *host, const char *state_dir, const char *name, const struct trial *trial,
		const ProtobufCBinaryData *content, struct vw_arena *arena, struct vw_error *err)
{
	struct file file = {path_of(arena, state_dir, ""), path_of(arena, state_dir, name), content};
	if (!file.folder || !file.path)
		return vw_error_set(err, VW_ENOMEM, "no memory for %s", name);
	return host->reload(host->arg, trial, keep_file, &file, err);
}

int remote_take_policy(const struct remote_host *host, const char *state_dir, const vw_command *command,
		       struct vw_arena *arena, struct vw_error *err)
{
	const ProtobufCBinaryData *content = &command->content;
	struct trial trial = {
	    .files = {.has_policy = true, .policy = (const char *)content->data, .policy_len = content->len}};
	if (content->len > VW_MAX_POLICY_FILE)
		return vw_error_set(err, VW_ELIMIT, "the policy has more than %zu bytes (VW_MAX_POLICY_FILE)",
				    VW_MAX_POLICY_FILE);
	return take(host, state_dir, POLICY, &trial, content, arena, err);
}

int remote_take_configuration(const struct remote_host *host, const char *state_dir, const vw_command *command,
			      struct vw_arena *arena, struct vw_error *err)
{
	const ProtobufCBinaryData *content = &command->content;
	struct trial trial = {.files = {.has_configuration = true,
					.configuration = (const char *)content->data,
					.configuration_len = content->len}};
	if (content->len > VW_MAX_CONFIG_FILE)
		return vw_error_set(err, VW_ELIMIT, "the configuration has more than %zu bytes (VW_MAX_CONFIG_FILE)",
				    VW_MAX_CONFIG_FILE);
	return take(host, state_dir, CONFIGURATION, &trial, content, arena, err);
}

/* ---- what the state says ---- */

struct settle {
	struct vw_arena *arena;
	const uint8_t *policy, *config; /* SHA-256 of the file in force; NULL: none is */
};

static int hash_of(const struct vw_config *config, const char *refusal, const char *name, size_t cap,
		   struct vw_arena *arena, const uint8_t **out, struct vw_error *err)
{
	struct vw_buffer text;
	uint8_t hash[VW_SHA256_SIZE];
	const char *path = path_of(arena, config->state_dir, name);
	if (!path)
		return vw_error_set(err, VW_ENOMEM, "no memory for %s", name);
	*out = NULL;
	if (vw_config_refuses(config, refusal) || access(path, F_OK) != 0)
		return 0;
	vw_buffer_init(&text, cap);
	int code = vw_file_read(path, cap, &text, err);
	if (code == 0) {
		vw_sha256_of(vw_buffer_text(&text), text.len, hash);
		*out = vw_arena_memdup(arena, hash, sizeof(hash));
	}
	vw_buffer_reset(&text);
	return code;
}

/* True when it was another. */
static bool put_hash(protobuf_c_boolean *has, ProtobufCBinaryData *field, const uint8_t *hash)
{
	bool same =
	    hash ? *has && field->len == VW_SHA256_SIZE && memcmp(field->data, hash, VW_SHA256_SIZE) == 0 : !*has;
	*has = hash != NULL;
	*field = (ProtobufCBinaryData){hash ? VW_SHA256_SIZE : 0, (uint8_t *)hash};
	return !same;
}

static int settle_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct settle *s = arg;
	vw_uplink_state *state;
	int code = vw_store_uplink(txn, s->arena, &state, err);
	if (code < 0)
		return code;
	bool policy = put_hash(&state->has_policy_sha256, &state->policy_sha256, s->policy);
	bool config = put_hash(&state->has_config_sha256, &state->config_sha256, s->config);
	return policy || config ? vw_store_put_uplink(txn, s->arena, state, err) : 0;
}

int remote_settle(const struct vw_config *config, struct vw_store *store, struct vw_arena *arena,
		  struct vw_error *err)
{
	struct settle settle = {.arena = arena};
	int code = hash_of(config, "set_policy", POLICY, VW_MAX_POLICY_FILE, arena, &settle.policy, err);
	if (code == 0)
		code = hash_of(config, "set_configuration", CONFIGURATION, VW_MAX_CONFIG_FILE, arena, &settle.config,
			       err);
	return code < 0 ? code : vw_kv_write(vw_store_kv(store), settle_step, &settle, err);
}

/* ---- forgetting ---- */

struct forget {
	struct vw_store *store;
	struct vw_arena *arena;
	bool other;
};

static int note(struct forget *f, struct vw_txn *txn, vw_audit *audit, struct vw_error *err)
{
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	VW_SET(&entry, recorded_at, vw_clock_now());
	audit->text = (char *)"the agent's controller is another one, or none, from now on";
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = audit;
	return vw_store_append(txn, f->store, f->arena, &entry, NULL, NULL, err);
}

static int forget_secrets(struct forget *f, struct vw_txn *txn, struct vw_error *err)
{
	vw_held_secret **held;
	size_t count;
	int code = vw_store_secrets(txn, f->arena, &held, &count, err);
	for (size_t i = 0; code == 0 && i < count; i++) {
		vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
		VW_SET(&audit, kind, VW_AUDIT_SECRET_CHANGED);
		audit.subject = held[i]->secret->name;
		audit.from = held[i]->fingerprint;
		code = note(f, txn, &audit, err);
	}
	return code < 0 || count == 0 ? code : vw_store_put_secrets(txn, f->arena, NULL, 0, err);
}

/* Nobody waits for them any more. */
static int forget_commands(struct forget *f, struct vw_txn *txn, struct vw_error *err)
{
	vw_held_command **held;
	size_t count;
	int code = vw_store_commands(txn, f->arena, &held, &count, err);
	for (size_t i = 0; code == 0 && i < count; i++) {
		vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
		if (!held[i]->update || held[i]->update->state != VW_COMMAND_STATE_RUNNING)
			continue;
		VW_SET(&audit, kind, VW_AUDIT_COMMAND_FINISHED);
		audit.subject = held[i]->update->id;
		audit.outcome = (char *)"failed";
		VW_SET(held[i]->update, state, VW_COMMAND_STATE_FAILED);
		code = note(f, txn, &audit, err);
		if (code == 0)
			code = vw_store_put_command(txn, f->arena, held[i], err);
	}
	return code;
}

static int forget_state(struct forget *f, struct vw_txn *txn, struct vw_error *err)
{
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	vw_uplink_state *state, fresh = VERIFYWISE__V1__UPLINK_STATE__INIT;
	int code = vw_store_uplink(txn, f->arena, &state, err);
	if (code == 0 && state->paused) {
		VW_SET(&audit, kind, VW_AUDIT_RESUMED);
		audit.subject = (char *)"controller";
		code = note(f, txn, &audit, err);
	}
	if (code < 0)
		return code;
	if (!f->other) {
		fresh.has_acknowledged_sequence = state->has_acknowledged_sequence;
		fresh.acknowledged_sequence = state->acknowledged_sequence;
		fresh.has_acknowledged_at = state->has_acknowledged_at;
		fresh.acknowledged_at = state->acknowledged_at;
		fresh.receipt = state->receipt;
		fresh.has_receipt_certificate = state->has_receipt_certificate;
		fresh.receipt_certificate = state->receipt_certificate;
		fresh.has_join_sequence = state->has_join_sequence;
		fresh.join_sequence = state->join_sequence;
	}
	return vw_store_put_uplink(txn, f->arena, &fresh, err);
}

static int forget_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct forget *f = arg;
	int code = forget_secrets(f, txn, err);
	if (code == 0)
		code = forget_commands(f, txn, err);
	return code < 0 ? code : forget_state(f, txn, err);
}

int remote_forget(struct vw_store *store, const char *state_dir, bool other, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct forget forget = {store, arena, other};
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory");
	const char *policy = path_of(arena, state_dir, POLICY), *config = path_of(arena, state_dir, CONFIGURATION);
	if (!policy || !config)
		return vw_error_set(err, VW_ENOMEM, "no memory");
	int code = remove_file(policy, err);
	if (code == 0)
		code = remove_file(config, err);
	return code < 0 ? code : vw_kv_write(vw_store_kv(store), forget_step, &forget, err);
}
