/* diagnose.c: a bundle that can be sent to support: versions, configuration without secrets, state, the last audit entries; names of
 * models, people and hosts are replaced by short keyed digests, which still show what is the same. */
#include "audit_view.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "proto/message.h"
#include "storage/uplink.h"
#include "uplink/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define LAST_ENTRIES  200
#define LAST_COMMANDS 50

struct bundle {
	struct vw_json_writer w;
	const vw_agent_identity *identity;
	const struct vw_uplink_status *live; /* NULL: not of the daemon */
};

/* "x3fa1…": the same name gives the same digest within one state, and nothing else. */
static void put_name(struct bundle *b, const char *key, const char *name)
{
	uint8_t hash[VW_SHA256_SIZE];
	char hex[VW_SHA256_HEX];
	vw_json_key(&b->w, key);
	if (!name) {
		vw_json_put_null(&b->w);
		return;
	}
	vw_hmac_sha256(b->identity->fingerprint_key.data, b->identity->fingerprint_key.len, name, strlen(name), hash);
	vw_hex_encode(hash, 6, hex);
	vw_json_put_text(&b->w, hex);
}

static void put_text(struct bundle *b, const char *key, const char *text)
{
	vw_json_key(&b->w, key);
	vw_json_put_text(&b->w, text);
}

static void put_int(struct bundle *b, const char *key, int64_t value)
{
	vw_json_key(&b->w, key);
	vw_json_put_int64(&b->w, value);
}

static void put_bool(struct bundle *b, const char *key, bool value)
{
	vw_json_key(&b->w, key);
	vw_json_put_bool(&b->w, value);
}

static void put_time(struct bundle *b, const char *key, int64_t at)
{
	vw_json_key(&b->w, key);
	vw_json_put_time(&b->w, at);
}

static int put_row(const struct audit_row *row, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct bundle *b = arg;
	(void)arena;
	(void)err;
	vw_json_begin_object(&b->w);
	put_text(b, "id", row->id);
	vw_json_key(&b->w, "recorded_at");
	vw_json_put_time(&b->w, row->at);
	put_text(b, "kind", row->kind);
	put_name(b, "model", row->model);
	if (row->audit && row->audit->counts) {
		put_text(b, "depth", row->audit->depth);
		put_text(b, "outcome", row->audit->outcome);
		put_int(b, "duration_ms", row->audit->duration_ms);
		vw_json_key(&b->w, "counts");
		vw_message_json(&b->w, &row->audit->counts->base);
	}
	if (row->recorded) {
		vw_json_key(&b->w, "changed");
		vw_json_begin_array(&b->w);
		for (size_t i = 0; i < row->recorded->n_changed; i++)
			vw_json_put_text(&b->w, row->recorded->changed[i]);
		vw_json_end_array(&b->w);
	}
	vw_json_end_object(&b->w);
	return 0;
}

static void put_system(struct bundle *b)
{
	struct utsname name;
	vw_json_key(&b->w, "system");
	vw_json_begin_object(&b->w);
	if (uname(&name) == 0) {
		put_text(b, "kernel", name.release);
		put_text(b, "machine", name.machine);
	}
	vw_json_end_object(&b->w);
}

static void put_list(struct bundle *b, const char *key, const char *const *list)
{
	vw_json_key(&b->w, key);
	vw_json_begin_array(&b->w);
	for (; *list; list++)
		vw_json_put_text(&b->w, *list);
	vw_json_end_array(&b->w);
}

static void put_config(struct bundle *b, const struct vw_config *config)
{
	vw_json_key(&b->w, "config");
	vw_json_begin_object(&b->w);
	put_name(b, "tracking_uri", config->mlflow.tracking_uri);
	put_text(b, "scheme",
		 config->mlflow.tracking_uri && strncmp(config->mlflow.tracking_uri, "https", 5) == 0 ? "https"
												      : "http");
	put_int(b, "connections", config->mlflow.connections);
	put_int(b, "retries", config->mlflow.retries);
	put_int(b, "quick_interval_ms", config->quick_interval_ms);
	put_int(b, "full_interval_ms", config->full_interval_ms);
	put_bool(b, "own_policy", config->policy_file != NULL);
	put_bool(b, "private_ca", config->mlflow.ca_file != NULL);
	put_bool(b, "proxy", config->mlflow.proxy != NULL);
	put_bool(b, "controller_proxy", config->controller_proxy != NULL);
	put_bool(b, "controller_secrets", config->controller_secrets);
	put_list(b, "controller_refuse", config->controller_refuse);
	put_list(b, "controller_settings", config->controller_settings);
	vw_json_end_object(&b->w);
}

static int put_state(struct bundle *b, struct vw_store *store, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_txn *txn;
	struct vw_ledger_head head;
	struct vw_kv_stat stat;
	vw_sync_state *state;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory");
	int code = vw_txn_begin_read(vw_store_kv(store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_sync_state(txn, arena, &state, err);
	if (code == 0)
		code = vw_store_head(txn, &head, err);
	if (code == 0)
		code = vw_kv_stat(vw_store_kv(store), &stat, err);
	if (code == 0) {
		vw_json_key(&b->w, "state");
		vw_json_begin_object(&b->w);
		put_text(b, "server_version", state->server_version);
		put_text(b, "last_outcome", state->last_outcome);
		vw_json_key(&b->w, "last_finished_at");
		vw_json_put_time(&b->w, state->last_finished_at);
		vw_json_key(&b->w, "last_full_finished_at");
		vw_json_put_time(&b->w, state->last_full_finished_at);
		put_int(b, "ledger_sequence", (int64_t)head.sequence);
		put_int(b, "used_bytes", (int64_t)stat.used_bytes);
		put_int(b, "file_bytes", (int64_t)stat.file_bytes);
		vw_json_end_object(&b->w);
	}
	vw_txn_end(txn);
	return code;
}

/* ---- the controller ---- */

static void put_certificate(struct bundle *b, const char *state_dir)
{
	struct vw_identity *identity;
	struct vw_identity_pair pair;
	struct vw_error err = VW_ERROR_INIT;
	int code = vw_identity_open(state_dir, &identity, &err);
	put_bool(b, "enrolled", code != VW_ENOTFOUND);
	put_text(b, "identity_error", code < 0 && code != VW_ENOTFOUND ? vw_code_name(code) : NULL);
	if (code < 0)
		return;
	vw_identity_pair(identity, &pair);
	put_text(b, "organization", vw_identity_issued(identity)->organization);
	put_name(b, "endpoint", vw_identity_issued(identity)->session_endpoint);
	put_time(b, "certificate_not_before", pair.not_before);
	put_time(b, "certificate_not_after", pair.not_after);
	put_bool(b, "certificate_pending", pair.pending);
	vw_identity_close(identity);
}

static void put_given(struct bundle *b, const vw_uplink_state *state)
{
	put_int(b, "acknowledged_sequence", (int64_t)state->acknowledged_sequence);
	put_time(b, "acknowledged_at", state->acknowledged_at);
	put_bool(b, "receipt", state->receipt != NULL);
	put_int(b, "join_sequence", (int64_t)state->join_sequence);
	put_bool(b, "paused", state->paused);
	put_bool(b, "controllers_policy", state->has_policy_sha256);
	put_bool(b, "controllers_policy_failed", state->has_failed_policy_sha256);
	put_bool(b, "controllers_configuration", state->has_config_sha256);
	put_bool(b, "controllers_configuration_failed", state->has_failed_config_sha256);
}

/* No text of theirs: it names files, addresses and people. */
static void put_commands(struct bundle *b, vw_held_command *const *held, size_t count)
{
	vw_json_key(&b->w, "commands");
	vw_json_begin_array(&b->w);
	for (size_t i = count > LAST_COMMANDS ? count - LAST_COMMANDS : 0; i < count; i++) {
		const vw_command *command = held[i]->command;
		const vw_command_update *update = held[i]->update;
		if (!command || !update)
			continue;
		vw_json_begin_object(&b->w);
		put_text(b, "id", command->id);
		put_text(b, "kind", vw_enum_name(&verifywise__v1__command_kind__descriptor, (int)command->kind));
		put_text(b, "state", vw_enum_name(&verifywise__v1__command_state__descriptor, (int)update->state));
		put_time(b, "received_at", held[i]->received_at);
		put_time(b, "state_at", update->at);
		vw_json_end_object(&b->w);
	}
	vw_json_end_array(&b->w);
}

/* Names and times, no fingerprints. */
static void put_secrets(struct bundle *b, vw_held_secret *const *held, size_t count)
{
	vw_json_key(&b->w, "secrets");
	vw_json_begin_array(&b->w);
	for (size_t i = 0; i < count; i++) {
		vw_json_begin_object(&b->w);
		put_text(b, "name", held[i]->secret->name);
		put_time(b, "received_at", held[i]->received_at);
		vw_json_end_object(&b->w);
	}
	vw_json_end_array(&b->w);
}

static void put_live(struct bundle *b)
{
	const struct vw_uplink_status *u = b->live;
	if (!u)
		return;
	put_int(b, "phase", u->phase);
	put_time(b, "phase_since", u->since);
	put_time(b, "connected_at", u->connected_at);
	put_text(b, "rejection",
		 u->rejection ? vw_enum_name(&verifywise__v1__rejection_reason__descriptor, u->rejection) : NULL);
	put_text(b, "last_error", u->last_error.code < 0 ? vw_code_name(u->last_error.code) : NULL);
	put_int(b, "sent_sequence", (int64_t)u->sent_sequence);
	put_int(b, "connects", (int64_t)u->connects);
	put_int(b, "entries_sent", (int64_t)u->entries_sent);
	put_int(b, "clock_offset_ms", u->clock_offset_ms);
}

static int put_controller(struct bundle *b, const struct session *session, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_txn *txn;
	vw_uplink_state *state;
	vw_held_command **commands;
	vw_held_secret **secrets;
	size_t command_count, secret_count;
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory");
	int code = vw_txn_begin_read(vw_store_kv(session->store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_uplink(txn, arena, &state, err);
	if (code == 0)
		code = vw_store_commands(txn, arena, &commands, &command_count, err);
	if (code == 0)
		code = vw_store_secrets(txn, arena, &secrets, &secret_count, err);
	vw_txn_end(txn);
	if (code < 0)
		return code;
	vw_json_key(&b->w, "controller");
	vw_json_begin_object(&b->w);
	put_certificate(b, session->config->state_dir);
	put_given(b, state);
	put_live(b);
	put_commands(b, commands, command_count);
	put_secrets(b, secrets, secret_count);
	vw_json_end_object(&b->w);
	return 0;
}

static int make(struct bundle *b, struct session *session, struct vw_error *err)
{
	struct audit_filter last = {.limit = LAST_ENTRIES};
	vw_json_begin_object(&b->w);
	put_text(b, "vw_agent", VW_AGENT_VERSION);
	put_text(b, "agent_id", b->identity->agent_id);
	put_system(b);
	put_config(b, session->config);
	int code = put_state(b, session->store, err);
	if (code == 0)
		code = put_controller(b, session, err);
	vw_json_key(&b->w, "audit");
	vw_json_begin_array(&b->w);
	if (code == 0)
		code = audit_each(session->store, &last, put_row, b, err);
	vw_json_end_array(&b->w);
	vw_json_end_object(&b->w);
	return code;
}

int diagnose_write(struct session *session, const struct vw_uplink_status *live, struct vw_buffer *out,
		   struct vw_error *err)
{
	struct bundle bundle = {.identity = vw_store_identity(session->store), .live = live};
	vw_json_writer_init(&bundle.w, out, true);
	return make(&bundle, session, err);
}

int run_diagnose(struct vw_cli_invocation *in)
{
	struct session session;
	struct vw_buffer out;
	struct vw_error err = VW_ERROR_INIT;
	const char *path = vw_cli_value(in, "output");
	int code = session_open(in, VW_KV_READ, &session);
	if (code != EXIT_OK)
		return code;
	vw_buffer_init(&out, 0);
	code = diagnose_write(&session, NULL, &out, &err);
	FILE *file = code == 0 && path ? fopen(path, "we") : stdout;
	if (!file)
		code = vw_error_set(&err, VW_EIO, "cannot write %s: %s", path, strerror(errno));
	if (code == 0)
		fprintf(file, "%s\n", vw_buffer_text(&out));
	if (file && file != stdout && fclose(file) != 0)
		code = vw_error_set(&err, VW_EIO, "cannot write %s: %s", path, strerror(errno));
	vw_buffer_reset(&out);
	session_close(&session);
	return code < 0 ? report_error(&err) : EXIT_OK;
}
