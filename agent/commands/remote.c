#include "remote.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "proto/message.h"
#include "remote_secrets.h"
#include "storage/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct remote {
	struct remote_host host;
	struct vw_arena *lasting; /* copies of settings: the configuration they came from is replaced by reloads */
	struct vw_arena *arena;   /* of one command */
	struct vw_store *store;
	struct vw_uplink *uplink;
	const char *state_dir;
	const char *running; /* id of the command that is being done; NULL: none */
	bool paused;
};

/* ---- settings ---- */

static const char *const *copy_list(struct vw_arena *arena, const char *const *list)
{
	size_t count = 0;
	while (list[count])
		count++;
	const char **copy = vw_arena_array(arena, count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++)
		copy[i] = vw_arena_strdup(arena, list[i]);
	return copy;
}

static int copy_settings(struct remote *r, const struct vw_config *config, struct vw_uplink_settings *out,
			 struct vw_error *err)
{
	r->state_dir = vw_arena_strdup(r->lasting, config->state_dir);
	*out = (struct vw_uplink_settings){.store = r->store,
					   .state_dir = r->state_dir,
					   .agent_version = VW_AGENT_VERSION,
					   .source_uri = vw_arena_strdup(r->lasting, config->mlflow.tracking_uri),
					   .refuses = copy_list(r->lasting, config->controller_refuse),
					   .secrets = config->controller_secrets};
	out->route.proxy = vw_arena_strdup(r->lasting, config->controller_proxy);
	out->route.connect_timeout_ms = config->controller_connect_timeout_ms;
	out->route.request_timeout_ms = config->controller_request_timeout_ms;
	out->route.cancel = &vw_cli_cancelled;
	return vw_arena_failed(r->lasting) ? vw_error_set(err, VW_ENOMEM, "no memory for the uplink") : 0;
}

/* ---- the state ---- */

static int read_state(struct remote *r, vw_uplink_state **out, struct vw_error *err)
{
	struct vw_txn *txn;
	int code = vw_txn_begin_read(vw_store_kv(r->store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_uplink(txn, r->arena, out, err);
	vw_txn_end(txn);
	return code;
}

/* One change of the uplink's state and the audit entry for it, in one transaction. */
struct change {
	struct remote *remote;
	void (*apply)(vw_uplink_state *state, const struct change *change);
	bool paused;
	const uint8_t *sha256; /* of what was taken over; NULL: the agent's own again */
	vw_audit_kind kind;    /* 0: no entry */
	const char *text;
};

static int write_change(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct change *change = arg;
	struct vw_arena *arena = change->remote->arena;
	vw_uplink_state *state;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	uint64_t sequence;
	int code = vw_store_uplink(txn, arena, &state, err);
	if (code < 0)
		return code;
	change->apply(state, change);
	code = vw_store_put_uplink(txn, arena, state, err);
	if (code < 0 || !change->kind)
		return code;
	VW_SET(&entry, recorded_at, vw_clock_now());
	VW_SET(&audit, kind, change->kind);
	audit.subject = (char *)"controller";
	audit.text = (char *)(uintptr_t)change->text;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	return vw_store_append(txn, change->remote->store, arena, &entry, NULL, &sequence, err);
}

static int make_change(struct remote *r, struct change *change, struct vw_error *err)
{
	change->remote = r;
	return vw_kv_write(vw_store_kv(r->store), write_change, change, err);
}

/* ---- pause and resume ---- */

static void apply_pause(vw_uplink_state *state, const struct change *change)
{
	VW_SET(state, paused, change->paused);
}

static int do_pause(struct remote *r, bool paused, struct vw_error *err)
{
	struct change change = {.apply = apply_pause,
				.paused = paused,
				.kind = paused ? VW_AUDIT_PAUSED : VW_AUDIT_RESUMED,
				.text =
				    paused ? "syncs are paused until the controller resumes them" : "syncs go on"};
	int code = make_change(r, &change, err);
	if (code < 0)
		return code;
	r->paused = paused;
	r->host.pause(r->host.arg, paused);
	return 0;
}

/* ---- policy and configuration ---- */

static void apply_policy(vw_uplink_state *state, const struct change *change)
{
	state->has_policy_sha256 = change->sha256 != NULL;
	state->policy_sha256 = (ProtobufCBinaryData){change->sha256 ? 32 : 0, (uint8_t *)(uintptr_t)change->sha256};
}

static void apply_config(vw_uplink_state *state, const struct change *change)
{
	state->has_config_sha256 = change->sha256 != NULL;
	state->config_sha256 = (ProtobufCBinaryData){change->sha256 ? 32 : 0, (uint8_t *)(uintptr_t)change->sha256};
}

/* Puts `content` at `path`, or nothing when it is empty. */
static int put_file(const char *path, struct vw_bytes content, struct vw_error *err)
{
	if (content.len > 0)
		return vw_file_write(path, content.data, content.len, 0600, err);
	if (unlink(path) < 0 && errno != ENOENT)
		return vw_error_set(err, VW_EIO, "cannot delete %s: %s", path, strerror(errno));
	return 0;
}

/* The new file, then everything read anew; what cannot be taken over leaves the old file, and the daemon as it was. */
static int replace_file(struct remote *r, const char *name, struct vw_bytes content, struct vw_error *err)
{
	struct vw_buffer before;
	struct vw_error unused;
	char *folder = vw_arena_printf(r->arena, "%s/controller", r->state_dir);
	char *path = vw_arena_printf(r->arena, "%s/controller/%s", r->state_dir, name);
	if (!folder || !path)
		return vw_error_set(err, VW_ENOMEM, "no memory for %s", name);
	vw_buffer_init(&before, VW_MAX_POLICY_FILE);
	int code = vw_dir_make_private(folder, err);
	if (code == 0 && access(path, F_OK) == 0)
		code = vw_file_read(path, VW_MAX_POLICY_FILE, &before, err);
	if (code == 0)
		code = put_file(path, content, err);
	if (code == 0) {
		code = r->host.reload(r->host.arg, err);
		if (code < 0 && put_file(path, (struct vw_bytes){vw_buffer_text(&before), before.len}, &unused) < 0)
			vw_log(VW_LOG_ERROR, "file_not_restored", VW_LOG_S("file", path),
			       VW_LOG_S("reason", unused.message));
	}
	vw_buffer_reset(&before);
	return code;
}

static int do_policy(struct remote *r, const vw_command *command, struct vw_error *err)
{
	uint8_t digest[32];
	struct vw_bytes content = {command->content.data, command->content.len};
	struct change change = {.apply = apply_policy, .sha256 = content.len ? digest : NULL};
	struct vw_sync_result result;
	if (content.len > VW_MAX_POLICY_FILE)
		return vw_error_set(err, VW_ELIMIT, "the policy is larger than %zu bytes (VW_MAX_POLICY_FILE)",
				    VW_MAX_POLICY_FILE);
	vw_sha256_of(content.data, content.len, digest);
	int code = replace_file(r, "policy.yaml", content, err);
	if (code == 0)
		code = make_change(r, &change, err);
	return code < 0 ? code : r->host.reevaluate(r->host.arg, &result, err);
}

static int do_configuration(struct remote *r, const vw_command *command, struct vw_error *err)
{
	uint8_t digest[32];
	struct vw_bytes content = {command->content.data, command->content.len};
	struct change change = {.apply = apply_config, .sha256 = content.len ? digest : NULL};
	if (content.len > VW_MAX_CONFIG_FILE)
		return vw_error_set(err, VW_ELIMIT, "the configuration is larger than %zu bytes (VW_MAX_CONFIG_FILE)",
				    VW_MAX_CONFIG_FILE);
	vw_sha256_of(content.data, content.len, digest);
	int code = replace_file(r, "configuration.yaml", content, err);
	return code < 0 ? code : make_change(r, &change, err);
}

/* ---- sync ---- */

static enum vw_depth depth_of(const vw_command *command)
{
	return command->depth && strcmp(command->depth, "quick") == 0 ? VW_DEPTH_QUICK : VW_DEPTH_FULL;
}

static void put_result(struct vw_buffer *out, const struct vw_sync_result *result)
{
	struct vw_json_writer w;
	vw_json_writer_init(&w, out, false);
	vw_json_begin_object(&w);
	vw_json_key(&w, "sync_id");
	vw_json_put_text(&w, result->sync_id);
	vw_json_key(&w, "duration_ms");
	vw_json_put_int64(&w, result->duration_ms);
	vw_json_key(&w, "counts");
	vw_message_json(&w, &result->counts.base);
	vw_json_end_object(&w);
}

static int do_sync(struct remote *r, const vw_command *command, struct vw_buffer *out, struct vw_error *err)
{
	struct vw_sync_result result;
	int code = command->kind == VW_COMMAND_SYNC
		       ? r->host.sync(r->host.arg, depth_of(command), command->model, &result, err)
		       : r->host.reevaluate(r->host.arg, &result, err);
	if (code < 0)
		return code;
	put_result(out, &result);
	if (result.outcome == VW_SYNC_SUSPECT)
		return vw_error_set(err, VW_EINVAL, "%s", result.reason.message);
	return 0;
}

/* ---- all of them ---- */

static int do_command(struct remote *r, const vw_command *command, struct vw_buffer *out, struct vw_error *err)
{
	switch (command->kind) {
	case VW_COMMAND_SYNC:
	case VW_COMMAND_REEVALUATE:
		return do_sync(r, command, out, err);
	case VW_COMMAND_SET_POLICY:
		return do_policy(r, command, err);
	case VW_COMMAND_SET_CONFIGURATION:
		return do_configuration(r, command, err);
	case VW_COMMAND_SET_SECRETS: {
		int code = remote_secrets_take(r->store, r->state_dir, command, r->arena, err);
		return code < 0 ? code : r->host.reload(r->host.arg, err);
	}
	case VW_COMMAND_PAUSE:
	case VW_COMMAND_RESUME:
		return do_pause(r, command->kind == VW_COMMAND_PAUSE, err);
	case VW_COMMAND_DIAGNOSE:
		return r->host.diagnose(r->host.arg, out, err);
	default:
		return vw_error_set(err, VW_EUNSUPPORTED, "this agent does not know the command");
	}
}

static void finish(struct remote *r, const vw_command *command, int code, struct vw_buffer *out, struct vw_error *err)
{
	struct vw_error why = VW_ERROR_INIT;
	struct vw_bytes result = {vw_buffer_text(out), out->len};
	vw_command_state state = code == 0 ? VW_COMMAND_STATE_DONE : VW_COMMAND_STATE_FAILED;
	if (vw_buffer_error(out))
		result.len = 0;
	if (vw_uplink_command_finish(r->uplink, command->id, state, code == 0 ? "done" : err->message, result, &why) <
	    0)
		vw_log(VW_LOG_ERROR, "command_result_lost", VW_LOG_S("id", command->id),
		       VW_LOG_S("reason", why.message));
}

void remote_work(struct remote *r)
{
	vw_command *command;
	if (!r)
		return;
	vw_arena_reset(r->arena);
	while (!vw_cli_cancelled && (command = vw_uplink_next_command(r->uplink, r->arena))) {
		struct vw_error err = VW_ERROR_INIT;
		struct vw_buffer out;
		vw_buffer_init(&out, VW_MAX_COMMAND_RESULT);
		r->running = command->id;
		int code = do_command(r, command, &out, &err);
		r->running = NULL;
		/* a command that a stop cut off is done in the next life */
		if (code != VW_ECANCELLED)
			finish(r, command, code, &out, &err);
		vw_buffer_reset(&out);
		vw_uplink_wake(r->uplink);
		vw_arena_reset(r->arena);
	}
}

/* ---- life ---- */

static int start(struct remote *r, const struct vw_config *config, struct vw_error *err)
{
	struct vw_uplink_settings settings;
	vw_uplink_state *state;
	r->lasting = vw_arena_open(0);
	r->arena = vw_arena_open(0);
	if (!r->lasting || !r->arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for the uplink");
	int code = copy_settings(r, config, &settings, err);
	if (code == 0)
		code = read_state(r, &state, err);
	if (code < 0)
		return code;
	r->paused = state->paused;
	return vw_uplink_start(&settings, &r->uplink, err);
}

int remote_open(const struct vw_config *config, struct vw_store *store, const struct remote_host *host,
		struct remote **out, struct vw_error *err)
{
	struct remote *r = calloc(1, sizeof(*r));
	if (!r)
		return vw_error_set(err, VW_ENOMEM, "no memory for the uplink");
	r->host = *host;
	r->store = store;
	int code = start(r, config, err);
	if (code < 0)
		remote_close(r);
	*out = code < 0 ? NULL : r;
	return code == VW_ENOTFOUND ? 0 : code;
}

void remote_close(struct remote *r)
{
	if (!r)
		return;
	vw_uplink_stop(r->uplink);
	vw_arena_close(r->arena);
	vw_arena_close(r->lasting);
	free(r);
}

int remote_fd(const struct remote *r)
{
	return r ? vw_uplink_fd(r->uplink) : -1;
}

void remote_wake(struct remote *r)
{
	if (r)
		vw_uplink_wake(r->uplink);
}

void remote_progress(struct remote *r, const struct vw_progress *progress)
{
	if (!r)
		return;
	vw_uplink_wake(r->uplink);
	if (r->running)
		vw_uplink_command_progress(r->uplink, r->running, progress->step, progress->done, progress->total);
}

void remote_health(struct remote *r, const vw_health *health)
{
	if (r)
		vw_uplink_set_health(r->uplink, health);
}

bool remote_paused(const struct remote *r)
{
	return r && r->paused;
}

bool remote_status(const struct remote *r, struct vw_uplink_status *out)
{
	if (r)
		vw_uplink_look(r->uplink, out);
	return r != NULL;
}
