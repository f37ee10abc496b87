/* commands.c: the controller's commands between the stream, the store and the main thread. */
#include "uplink_private.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"
#include "proto/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- the descriptor ---- */

/* Under the lock: readable exactly while a command waits. */
static void signal_waiting(struct vw_uplink *uplink)
{
	eventfd_t count;
	if (vw_todo_waiting(&uplink->todo))
		(void)eventfd_write(uplink->event_fd, 1);
	else
		(void)eventfd_read(uplink->event_fd, &count);
}

static bool wait_in_line(struct vw_uplink *uplink, const char *id)
{
	pthread_mutex_lock(&uplink->lock);
	bool added = vw_todo_add(&uplink->todo, id);
	signal_waiting(uplink);
	pthread_mutex_unlock(&uplink->lock);
	return added;
}

void uplink_command_tell(struct vw_uplink *uplink, const char *id)
{
	pthread_mutex_lock(&uplink->lock);
	vw_outbox_add(&uplink->outbox, id);
	pthread_mutex_unlock(&uplink->lock);
}

static int64_t controller_now(struct vw_uplink *uplink)
{
	pthread_mutex_lock(&uplink->lock);
	int64_t now =
	    uplink->server_time ? uplink->server_time + vw_clock_monotonic() - uplink->told_at : vw_clock_now();
	pthread_mutex_unlock(&uplink->lock);
	return now;
}

/* ---- ending ---- */

static int finish(struct vw_uplink *uplink, const struct vw_held_end *end, struct vw_error *err)
{
	pthread_mutex_lock(&uplink->lock);
	uplink->finishing++;
	pthread_mutex_unlock(&uplink->lock);
	int code = vw_held_finish(uplink->settings.store, uplink->settings.agent_version, end, err);
	pthread_mutex_lock(&uplink->lock);
	uplink->finishing--;
	if (code == 0) {
		vw_todo_remove(&uplink->todo, end->id);
		vw_outbox_add(&uplink->outbox, end->id);
		signal_waiting(uplink);
	}
	uplink->woken = true; /* its audit entry is to be sent too */
	pthread_mutex_unlock(&uplink->lock);
	if (code == 0)
		vw_log(VW_LOG_INFO, "command_finished", VW_LOG_S("id", end->id),
		       VW_LOG_S("state", vw_enum_name(&verifywise__v1__command_state__descriptor, (int)end->state)),
		       VW_LOG_S("text", end->text));
	return code;
}

void uplink_command_end(struct vw_uplink *uplink, const char *id, vw_command_state state, const char *text)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_held_end end = {.id = id, .state = state, .text = text};
	if (finish(uplink, &end, &err) < 0)
		vw_log(VW_LOG_ERROR, "command_not_ended", VW_LOG_S("id", id), VW_LOG_S("reason", err.message));
}

int vw_uplink_command_finish(struct vw_uplink *uplink, const char *id, vw_command_state state, const char *text,
			     struct vw_bytes result, struct vw_error *err)
{
	struct vw_held_end end = {id, state, text, result};
	if (result.len > VW_MAX_COMMAND_RESULT)
		return vw_error_set(err, VW_ELIMIT,
				    "the result of command %.64s has more than %zu bytes "
				    "(VW_MAX_COMMAND_RESULT)",
				    id, VW_MAX_COMMAND_RESULT);
	int code = finish(uplink, &end, err);
	vw_waker_wake(&uplink->waker);
	return code;
}

/* ---- what the uplink does itself ---- */

static void rotate(struct vw_uplink *uplink, const char *id)
{
	uplink_rotate_end(uplink, VW_COMMAND_STATE_FAILED, "another one took its place");
	snprintf(uplink->rotating, sizeof(uplink->rotating), "%s", id);
	uplink->renew_now = true;
	uplink->renew_after = 0;
}

void uplink_rotate_end(struct vw_uplink *uplink, vw_command_state state, const char *text)
{
	if (!uplink->rotating[0])
		return;
	uplink_command_end(uplink, uplink->rotating, state, text);
	uplink->rotating[0] = '\0';
	uplink->renew_now = false;
}

static void resend(struct vw_uplink *uplink, const vw_command *command)
{
	uint64_t end = uplink_ledger_end(uplink);
	if (uplink->resending[0])
		uplink_command_end(uplink, uplink->resending, VW_COMMAND_STATE_FAILED, "another one took its place");
	uplink->resending[0] = '\0';
	if (command->from_sequence == 0 || command->from_sequence > end) {
		uplink_command_end(uplink, command->id, VW_COMMAND_STATE_FAILED, "the ledger has no such entry");
		return;
	}
	snprintf(uplink->resending, sizeof(uplink->resending), "%s", command->id);
	uplink->resend_from = command->from_sequence;
	uplink->resend_until = end;
	if (uplink->live && uplink->live->phase == SESSION_OPEN)
		uplink_resend_begin(uplink, uplink->live);
}

void uplink_resend_begin(struct vw_uplink *uplink, struct session *session)
{
	if (!uplink->resending[0] || session->next_sequence <= uplink->resend_from)
		return;
	uplink_status_begin(uplink)->duplicates_asked += session->next_sequence - uplink->resend_from;
	uplink_status_end(uplink);
	session->next_sequence = uplink->resend_from;
	session->more = true;
}

void uplink_resend_check(struct vw_uplink *uplink, const struct session *session)
{
	char text[96];
	if (!uplink->resending[0] || session->window.count > 0 || session->next_sequence <= uplink->resend_until)
		return;
	snprintf(text, sizeof(text), "entries %llu to %llu were sent again", (unsigned long long)uplink->resend_from,
		 (unsigned long long)uplink->resend_until);
	uplink_command_end(uplink, uplink->resending, VW_COMMAND_STATE_DONE, text);
	uplink->resending[0] = '\0';
}

/* Whoever does it. */
static void begin(struct vw_uplink *uplink, const vw_command *command)
{
	if (command->kind == VW_COMMAND_RESEND)
		resend(uplink, command);
	else if (command->kind == VW_COMMAND_ROTATE_CERTIFICATE)
		rotate(uplink, command->id);
	else if (!wait_in_line(uplink, command->id))
		uplink_command_end(uplink, command->id, VW_COMMAND_STATE_FAILED, "too many commands wait already");
}

/* ---- coming ---- */

void uplink_command_take(struct vw_uplink *uplink, const vw_command *command)
{
	struct vw_error err = VW_ERROR_INIT;
	enum vw_held_outcome outcome;
	struct vw_held_rules rules = {.agent_version = uplink->settings.agent_version,
				      .refuses = uplink->settings.refuses,
				      .secrets = uplink->settings.secrets,
				      .now = controller_now(uplink)};
	/* not stored, not taken: it comes again with the next stream */
	if (vw_held_take(uplink->settings.store, &rules, command, &outcome, &err) < 0) {
		vw_log(VW_LOG_ERROR, "command_not_taken", VW_LOG_S("reason", err.message));
		return;
	}
	vw_log(VW_LOG_INFO, "command_received", VW_LOG_S("id", command->id),
	       VW_LOG_S("kind", vw_held_kind_name(command)), VW_LOG_I("new", outcome == VW_HELD_NEW));
	pthread_mutex_lock(&uplink->lock);
	uplink->woken = true; /* its audit entry is to be sent */
	pthread_mutex_unlock(&uplink->lock);
	if (outcome == VW_HELD_NEW)
		begin(uplink, command);
	else
		uplink_command_tell(uplink, command->id);
}

/* ---- after a start, at a stream's beginning ---- */

static int read_all(struct vw_uplink *uplink, struct vw_arena *arena, vw_held_command ***out, size_t *out_count,
		    struct vw_error *err)
{
	struct vw_txn *txn;
	int code = vw_txn_begin_read(vw_store_kv(uplink->settings.store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_commands(txn, arena, out, out_count, err);
	vw_txn_end(txn);
	return code;
}

int uplink_commands_load(struct vw_uplink *uplink, struct vw_error *err)
{
	vw_held_command **all;
	size_t count;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for the controller's commands");
	int code = read_all(uplink, arena, &all, &count, err);
	for (size_t i = 0; code == 0 && i < count; i++) {
		if (!vw_held_is_over(all[i]))
			begin(uplink, all[i]->command);
	}
	return code;
}

int uplink_commands_tell_again(struct vw_uplink *uplink, uint64_t acknowledged, struct vw_error *err)
{
	vw_held_command **all;
	size_t count;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for the controller's commands");
	int code = read_all(uplink, arena, &all, &count, err);
	for (size_t i = 0; code == 0 && i < count; i++) {
		if (!vw_held_is_over(all[i]) || all[i]->finished_sequence > acknowledged)
			uplink_command_tell(uplink, all[i]->command->id);
	}
	return code;
}

/* ---- telling ---- */

static vw_apply_state apply_state(const vw_command_update *update)
{
	if (update->state == VW_COMMAND_STATE_DONE)
		return VW_APPLY_APPLIED;
	return update->state == VW_COMMAND_STATE_RUNNING ? VW_APPLY_APPLYING : VW_APPLY_FAILED;
}

static int fill_applied(vw_applied *applied, const vw_held_command *held, struct vw_txn *txn, struct vw_arena *arena,
			struct vw_error *err)
{
	const char *hex = held->command->id + strlen(VW_DESIRED_PREFIX);
	uint8_t *hash = vw_arena_alloc(arena, VW_SHA256_SIZE);
	if (!hash)
		return vw_error_set(err, VW_ENOMEM, "no memory for a message to the controller");
	applied->what = (char *)vw_held_what(held->command->kind);
	if (strlen(hex) == 2 * VW_SHA256_SIZE && vw_hex_decode(hex, hash, VW_SHA256_SIZE))
		VW_SET_BYTES(applied, sha256, hash, VW_SHA256_SIZE);
	VW_SET(applied, state, apply_state(held->update));
	applied->text = held->update->text;
	if (held->command->kind != VW_COMMAND_SET_SECRETS)
		return 0;
	return uplink_secrets_held(txn, arena, &applied->secrets, &applied->n_secrets, err);
}

static int fill(vw_agent_message *message, const vw_held_command *held, struct vw_txn *txn, struct vw_arena *arena,
		struct vw_error *err)
{
	if (!held->update || !held->command || !held->command->id)
		return vw_error_set(err, VW_ECORRUPT, "a held command is not whole");
	if (!vw_held_is_desired(held->command->id)) {
		message->body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_COMMAND;
		message->command = held->update;
		return 0;
	}
	message->applied = vw_message_new(arena, &verifywise__v1__applied__descriptor);
	if (!message->applied)
		return vw_error_set(err, VW_ENOMEM, "no memory for a message to the controller");
	message->body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_APPLIED;
	return fill_applied(message->applied, held, txn, arena, err);
}

/* What is in force after a command changed it: the controller knows it without waiting for the next hello. */
static int fill_in_force(vw_agent_message *message, const char *what, struct vw_txn *txn, struct vw_arena *arena,
			 struct vw_error *err)
{
	vw_uplink_state *state;
	vw_applied *applied = vw_message_new(arena, &verifywise__v1__applied__descriptor);
	if (!applied)
		return vw_error_set(err, VW_ENOMEM, "no memory for a message to the controller");
	int code = vw_store_uplink(txn, arena, &state, err);
	if (code < 0)
		return code;
	message->body_case = VERIFYWISE__V1__AGENT_MESSAGE__BODY_APPLIED;
	message->applied = applied;
	VW_SET(applied, state, VW_APPLY_APPLIED);
	applied->what = vw_arena_strdup(arena, what);
	if (strcmp(what, "secrets") == 0)
		return uplink_secrets_held(txn, arena, &applied->secrets, &applied->n_secrets, err);
	bool policy = strcmp(what, "policy") == 0;
	applied->has_sha256 = policy ? state->has_policy_sha256 : state->has_config_sha256;
	applied->sha256 = policy ? state->policy_sha256 : state->config_sha256;
	return 0;
}

/* Told behind the command's own end. */
static void tell_in_force(struct vw_uplink *uplink, const vw_held_command *held)
{
	char id[VW_STORE_COMMAND_ID_MAX + 1];
	const char *what = vw_held_what(held->command->kind);
	if (!what || vw_held_is_desired(held->command->id) || held->update->state != VW_COMMAND_STATE_DONE)
		return;
	snprintf(id, sizeof(id), VW_IN_FORCE_PREFIX "%s", what);
	uplink_command_tell(uplink, id);
}

int uplink_command_message(struct vw_uplink *uplink, const char *id, struct vw_arena *arena, vw_agent_message **out,
			   struct vw_error *err)
{
	struct vw_txn *txn;
	vw_held_command *held;
	vw_agent_message *message = vw_message_new(arena, &verifywise__v1__agent_message__descriptor);
	if (!message)
		return vw_error_set(err, VW_ENOMEM, "no memory for a message to the controller");
	int code = vw_txn_begin_read(vw_store_kv(uplink->settings.store), &txn, err);
	if (code < 0)
		return code;
	if (strncmp(id, VW_IN_FORCE_PREFIX, strlen(VW_IN_FORCE_PREFIX)) == 0) {
		code = fill_in_force(message, id + strlen(VW_IN_FORCE_PREFIX), txn, arena, err);
	} else {
		code = vw_store_command(txn, arena, id, &held, err);
		if (code == 0)
			code = fill(message, held, txn, arena, err);
		if (code == 0)
			tell_in_force(uplink, held);
	}
	vw_txn_end(txn);
	if (code == 0)
		*out = message;
	return code;
}

/* ---- the main thread's side ---- */

int vw_uplink_fd(const struct vw_uplink *uplink)
{
	return uplink->event_fd;
}

static bool take_waiting(struct vw_uplink *uplink, char id[VW_STORE_COMMAND_ID_MAX + 1])
{
	pthread_mutex_lock(&uplink->lock);
	struct vw_todo_item *item = vw_todo_waiting(&uplink->todo);
	if (item) {
		item->begun = true;
		item->progress = true; /* that it runs is told too */
		memcpy(id, item->id, sizeof(item->id));
	}
	signal_waiting(uplink);
	pthread_mutex_unlock(&uplink->lock);
	return item != NULL;
}

static void put_back(struct vw_uplink *uplink, const char *id, bool drop)
{
	pthread_mutex_lock(&uplink->lock);
	struct vw_todo_item *item = vw_todo_find(&uplink->todo, id);
	if (item && drop)
		vw_todo_remove(&uplink->todo, id);
	else if (item)
		item->begun = false;
	signal_waiting(uplink);
	pthread_mutex_unlock(&uplink->lock);
}

static int read_command(struct vw_uplink *uplink, struct vw_arena *arena, const char *id, vw_held_command **out,
			struct vw_error *err)
{
	struct vw_txn *txn;
	int code = vw_txn_begin_read(vw_store_kv(uplink->settings.store), &txn, err);
	if (code < 0)
		return code;
	code = vw_store_command(txn, arena, id, out, err);
	vw_txn_end(txn);
	return code;
}

vw_command *vw_uplink_next_command(struct vw_uplink *uplink, struct vw_arena *arena)
{
	char id[VW_STORE_COMMAND_ID_MAX + 1];
	while (take_waiting(uplink, id)) {
		struct vw_error err = VW_ERROR_INIT;
		vw_held_command *held;
		int code = read_command(uplink, arena, id, &held, &err);
		if (code < 0 && code != VW_ENOTFOUND) {
			vw_log(VW_LOG_ERROR, "command_unreadable", VW_LOG_S("id", id),
			       VW_LOG_S("reason", err.message));
			put_back(uplink, id, false);
			return NULL;
		}
		if (code == VW_ENOTFOUND || vw_held_is_over(held) || !held->command) {
			put_back(uplink, id, true);
			continue;
		}
		/* it may have waited for a long sync, or for the agent's next start */
		if (held->command->has_expires_at && held->command->expires_at <= controller_now(uplink)) {
			uplink_command_end(uplink, id, VW_COMMAND_STATE_EXPIRED,
					   "it waited here until its time was over");
			vw_waker_wake(&uplink->waker);
			continue;
		}
		vw_waker_wake(&uplink->waker);
		return held->command;
	}
	return NULL;
}

/* As much as fits, in whole characters. */
static void fit(char *out, size_t size, const char *text)
{
	size_t at = 0, len = strlen(text);
	while (at < len) {
		uint32_t point;
		size_t step = vw_utf8_decode(text + at, len - at, &point);
		if (step == 0 || at + step >= size)
			break;
		memcpy(out + at, text + at, step);
		at += step;
	}
	out[at] = '\0';
}

void vw_uplink_command_progress(struct vw_uplink *uplink, const char *id, const char *text, int64_t done,
				int64_t total)
{
	pthread_mutex_lock(&uplink->lock);
	struct vw_todo_item *item = vw_todo_find(&uplink->todo, id);
	bool wake = item && !item->progress;
	if (item) {
		fit(item->text, sizeof(item->text), text ? text : "");
		item->done = done;
		item->total = total;
		item->progress = true;
	}
	pthread_mutex_unlock(&uplink->lock);
	if (wake)
		vw_waker_wake(&uplink->waker);
}
