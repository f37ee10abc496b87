#include "remote.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "proto/message.h"
#include "remote_given.h"
#include "storage/uplink.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct remote {
	struct remote_host host;
	struct vw_store *store;
	struct vw_uplink_settings settings;
	struct vw_arena *lasting; /* of the settings: the configuration they came from is replaced by reloads */
	struct vw_arena *arena;   /* of one command */
	pthread_mutex_t lock;     /* of the two that follow: the health server's thread looks at them */
	struct vw_uplink *uplink; /* NULL: it could not be started, because of `trouble` */
	struct vw_error trouble;
	const char *running; /* id of the command that is being done; NULL: none */
	bool paused;
	bool stuck; /* the oldest command cannot be read: the next call of remote_work() tries again */
};

/* How a command went, for the controller. */
struct outcome {
	struct vw_buffer json;
	struct vw_error note; /* what is to be said of one that succeeded */
};

/* ---- pause and resume ---- */

struct pause {
	struct remote *remote;
	bool paused;
};

/* Done twice it is one entry. */
static int write_pause(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct pause *pause = arg;
	struct vw_arena *arena = pause->remote->arena;
	vw_uplink_state *state;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	int code = vw_store_uplink(txn, arena, &state, err);
	if (code < 0 || (state->paused != 0) == pause->paused)
		return code;
	VW_SET(state, paused, pause->paused);
	code = vw_store_put_uplink(txn, arena, state, err);
	if (code < 0)
		return code;
	VW_SET(&entry, recorded_at, vw_clock_now());
	VW_SET(&audit, kind, pause->paused ? VW_AUDIT_PAUSED : VW_AUDIT_RESUMED);
	audit.subject = (char *)"controller";
	audit.text = (char *)(pause->paused ? "syncs are paused until the controller resumes them" : "syncs go on");
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	return vw_store_append(txn, pause->remote->store, arena, &entry, NULL, NULL, err);
}

static int do_pause(struct remote *r, bool paused, struct vw_error *err)
{
	struct pause pause = {r, paused};
	int code = vw_kv_write(vw_store_kv(r->store), write_pause, &pause, err);
	if (code < 0)
		return code;
	r->paused = paused;
	r->host.pause(r->host.arg);
	return 0;
}

/* ---- sync ---- */

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

/* The deepest that there is reads everything: what "reconcile" asks for beyond that, artifacts, no agent of this version reads. */
static int depth_of(const vw_command *command, enum vw_depth *out, struct vw_error *err)
{
	const char *depth = command->depth && command->depth[0] ? command->depth : "full";
	bool quick = strcmp(depth, "quick") == 0;
	if (!quick && strcmp(depth, "full") != 0 && strcmp(depth, "reconcile") != 0)
		return vw_error_set(err, VW_EINVAL, "there is no depth %.32s: quick, full, reconcile", depth);
	*out = quick ? VW_DEPTH_QUICK : VW_DEPTH_FULL;
	return 0;
}

static int do_sync(struct remote *r, const vw_command *command, struct outcome *out, struct vw_error *err)
{
	struct vw_sync_result result;
	enum vw_depth depth = VW_DEPTH_FULL;
	const char *model = command->model && command->model[0] ? command->model : NULL;
	int code = depth_of(command, &depth, err);
	if (code == 0)
		code = r->host.sync(r->host.arg, depth, model, &result, err);
	if (code < 0)
		return code;
	put_result(&out->json, &result);
	return result.outcome == VW_SYNC_SUSPECT ? vw_error_set(err, VW_EINVAL, "%s", result.reason.message) : 0;
}

static int do_reevaluate(struct remote *r, struct outcome *out, struct vw_error *err)
{
	struct vw_sync_result result;
	int code = r->host.reevaluate(r->host.arg, &result, err);
	if (code == 0)
		put_result(&out->json, &result);
	return code;
}

/* ---- policy ---- */

/* It is in force once it is kept: that not all could be judged by it at once does not undo that, and the next sync does it. */
static int do_policy(struct remote *r, const vw_command *command, struct outcome *out, struct vw_error *err)
{
	struct vw_error why = VW_ERROR_INIT;
	int code = remote_take_policy(&r->host, r->settings.state_dir, command, r->arena, err);
	if (code < 0)
		return code;
	code = do_reevaluate(r, out, &why);
	if (code == VW_ECANCELLED)
		return vw_error_set(err, code, "%s", why.message);
	if (code < 0)
		vw_error_set(&out->note, code, "in force; not all was judged by it yet: %s", why.message);
	return 0;
}

/* ---- all of them ---- */

static int do_command(struct remote *r, const vw_command *command, struct outcome *out, struct vw_error *err)
{
	switch (command->kind) {
	case VW_COMMAND_SYNC:
		return do_sync(r, command, out, err);
	case VW_COMMAND_REEVALUATE:
		return do_reevaluate(r, out, err);
	case VW_COMMAND_SET_POLICY:
		return do_policy(r, command, out, err);
	case VW_COMMAND_SET_CONFIGURATION:
		return remote_take_configuration(&r->host, r->settings.state_dir, command, r->arena, err);
	case VW_COMMAND_SET_SECRETS:
		return remote_take_secrets(&r->host, r->store, r->settings.state_dir, command, r->arena, err);
	case VW_COMMAND_PAUSE:
	case VW_COMMAND_RESUME:
		return do_pause(r, command->kind == VW_COMMAND_PAUSE, err);
	case VW_COMMAND_DIAGNOSE:
		return r->host.diagnose(r->host.arg, &out->json, err);
	default:
		return vw_error_set(err, VW_EUNSUPPORTED, "this agent does not know the command");
	}
}

static void finish(struct remote *r, const vw_command *command, int code, struct outcome *out, struct vw_error *err)
{
	struct vw_error why = VW_ERROR_INIT;
	if (code == 0 && vw_buffer_error(&out->json))
		code = vw_error_set(err, VW_ELIMIT,
				    "the result has more than %zu bytes (VW_MAX_COMMAND_RESULT) and was left out",
				    VW_MAX_COMMAND_RESULT);
	struct vw_bytes result = {vw_buffer_text(&out->json), vw_buffer_error(&out->json) ? 0 : out->json.len};
	vw_command_state state = code == 0 ? VW_COMMAND_STATE_DONE : VW_COMMAND_STATE_FAILED;
	const char *text = code < 0 ? err->message : out->note.code < 0 ? out->note.message : "done";
	if (vw_uplink_command_finish(r->uplink, command->id, state, text, result, &why) < 0)
		vw_log(VW_LOG_ERROR, "command_result_lost", VW_LOG_S("id", command->id),
		       VW_LOG_S("reason", why.message));
}

static void do_one(struct remote *r, const vw_command *command)
{
	struct vw_error err = VW_ERROR_INIT;
	struct outcome out = {.note = VW_ERROR_INIT};
	vw_buffer_init(&out.json, VW_MAX_COMMAND_RESULT);
	r->running = command->id;
	int code = do_command(r, command, &out, &err);
	r->running = NULL;
	/* a command that a stop cut off is done in the next life */
	if (code != VW_ECANCELLED)
		finish(r, command, code, &out, &err);
	vw_buffer_reset(&out.json);
	vw_uplink_wake(r->uplink);
}

/* ---- the uplink's life ---- */

/* By their names, "all" spelt out: the controller is told which they are. */
static const char *const *list_refusals(struct vw_arena *arena, const struct vw_config *config)
{
	const ProtobufCEnumDescriptor *kinds = &verifywise__v1__command_kind__descriptor;
	size_t count = 0;
	const char **list = vw_arena_array(arena, kinds->n_values + 1, sizeof(*list));
	for (unsigned i = 0; list && i < kinds->n_values; i++) {
		const char *name = vw_enum_name(kinds, kinds->values[i].value);
		if (vw_config_refuses(config, name))
			list[count++] = vw_arena_strdup(arena, name);
	}
	return list;
}

/* On failure the old ones stay. */
static int copy_settings(struct remote *r, const struct vw_config *config, struct vw_error *err)
{
	struct vw_arena *arena = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for the uplink");
	struct vw_uplink_settings settings = {.store = r->store,
					      .state_dir = vw_arena_strdup(arena, config->state_dir),
					      .agent_version = VW_AGENT_VERSION,
					      .source_uri = vw_arena_strdup(arena, config->mlflow.tracking_uri),
					      .refuses = list_refusals(arena, config),
					      .secrets = config->controller_secrets};
	settings.route = (struct vw_uplink_route){.proxy = vw_arena_strdup(arena, config->controller_proxy),
						  .connect_timeout_ms = config->controller_connect_timeout_ms,
						  .request_timeout_ms = config->controller_request_timeout_ms,
						  .cancel = &vw_cli_cancelled};
	if (vw_arena_failed(arena)) {
		vw_arena_close(arena);
		return vw_error_set(err, VW_ENOMEM, "no memory for the uplink");
	}
	vw_arena_close(r->lasting);
	r->lasting = arena;
	r->settings = settings;
	return 0;
}

static int start(struct remote *r, struct vw_error *err)
{
	struct vw_uplink *uplink = NULL;
	struct vw_error why = VW_ERROR_INIT;
	int code = vw_uplink_start(&r->settings, &uplink, &why);
	if (code == 0)
		why = (struct vw_error)VW_ERROR_INIT; /* also what was tried in vain on the way is written there */
	pthread_mutex_lock(&r->lock);
	r->uplink = uplink;
	r->trouble = why;
	pthread_mutex_unlock(&r->lock);
	return code < 0 ? vw_error_set(err, code, "%s", why.message) : 0;
}

static void stop(struct remote *r)
{
	pthread_mutex_lock(&r->lock);
	struct vw_uplink *uplink = r->uplink;
	r->uplink = NULL;
	pthread_mutex_unlock(&r->lock);
	vw_uplink_stop(uplink);
}

static void start_again(struct remote *r)
{
	struct vw_error err = VW_ERROR_INIT;
	if (start(r, &err) < 0)
		vw_log(VW_LOG_ERROR, "uplink_failed", VW_LOG_S("reason", err.message));
}

static int recall(struct remote *r, struct vw_error *err)
{
	struct vw_txn *txn;
	vw_uplink_state *state;
	int code = vw_txn_begin_read(vw_store_kv(r->store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_uplink(txn, r->arena, &state, err);
	vw_txn_end(txn);
	if (code == 0)
		r->paused = state->paused;
	return code;
}

static int prepare(struct remote *r, const struct vw_config *config, struct vw_error *err)
{
	r->arena = vw_arena_open(0);
	if (!r->arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for the uplink");
	int code = copy_settings(r, config, err);
	if (code == 0)
		code = recall(r, err);
	if (code == 0)
		code = remote_settle(config, r->store, r->arena, err);
	return code < 0 ? code : start(r, err);
}

int remote_open(const struct vw_config *config, struct vw_store *store, const struct remote_host *host,
		struct remote **out, struct vw_error *err)
{
	struct remote *r = calloc(1, sizeof(*r));
	if (!r)
		return vw_error_set(err, VW_ENOMEM, "no memory for the uplink");
	r->host = *host;
	r->store = store;
	pthread_mutex_init(&r->lock, NULL);
	int code = prepare(r, config, err);
	if (code < 0)
		remote_close(r);
	*out = code < 0 ? NULL : r;
	return code == VW_ENOTFOUND ? 0 : code;
}

void remote_restart(struct remote *r, const struct vw_config *config)
{
	struct vw_error err = VW_ERROR_INIT;
	if (!r)
		return;
	stop(r);
	vw_arena_reset(r->arena);
	if (copy_settings(r, config, &err) < 0 || remote_settle(config, r->store, r->arena, &err) < 0)
		vw_log(VW_LOG_ERROR, "uplink_settings_kept", VW_LOG_S("reason", err.message));
	start_again(r);
}

void remote_close(struct remote *r)
{
	if (!r)
		return;
	stop(r);
	vw_arena_close(r->arena);
	vw_arena_close(r->lasting);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- work ---- */

int remote_fd(const struct remote *r)
{
	return r && r->uplink && !r->stuck ? vw_uplink_fd(r->uplink) : -1;
}

static bool more_waits(const struct remote *r)
{
	struct pollfd fd = {.fd = vw_uplink_fd(r->uplink), .events = POLLIN};
	return !vw_cli_cancelled && poll(&fd, 1, 0) > 0;
}

/* One may come just when the last was done; asked for twice in vain, the oldest cannot be read. */
static void do_all(struct remote *r)
{
	int vain = 0;
	while (vain < 2 && more_waits(r)) {
		vw_arena_reset(r->arena);
		vw_command *command = vw_uplink_next_command(r->uplink, r->arena);
		if (command)
			do_one(r, command);
		vain = command ? 0 : vain + 1;
	}
	r->stuck = vain == 2 && more_waits(r);
}

void remote_work(struct remote *r)
{
	if (!r)
		return;
	if (!r->uplink)
		start_again(r);
	if (r->uplink)
		do_all(r);
}

void remote_wake(struct remote *r)
{
	if (r && r->uplink)
		vw_uplink_wake(r->uplink);
}

void remote_progress(struct remote *r, const struct vw_progress *progress)
{
	if (!r || !r->uplink)
		return;
	vw_uplink_wake(r->uplink);
	if (r->running)
		vw_uplink_command_progress(r->uplink, r->running, progress->step, progress->done, progress->total);
}

void remote_health(struct remote *r, const vw_health *health)
{
	if (r && r->uplink)
		vw_uplink_set_health(r->uplink, health);
}

bool remote_paused(const struct remote *r)
{
	return r && r->paused;
}

bool remote_status(struct remote *r, struct vw_uplink_status *out)
{
	if (!r)
		return false;
	pthread_mutex_lock(&r->lock);
	if (r->uplink)
		vw_uplink_look(r->uplink, out);
	else
		*out = (struct vw_uplink_status){.phase = VW_UPLINK_IDLE, .last_error = r->trouble};
	pthread_mutex_unlock(&r->lock);
	return true;
}
