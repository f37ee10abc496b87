/* work_state.c: commands, presence, and whether a stream may go on. On a worker's thread. */
#include "session.h"

#include "message.h"
#include "work.h"

#include "base/clock.h"
#include "base/limits.h"
#include "fleet/codec.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

/* ---- Commands ---- */

static bool is_known(const struct vw_task *task, const char *id)
{
	for (size_t i = 0; i < task->known_count; i++) {
		if (strcmp(task->known[i], id) == 0)
			return true;
	}
	return false;
}

/* Secrets are not in the stored command: what the agent is to hold now is what it gets. */
static int say_command(struct vw_work *work, struct vw_task *task, vw_command *command, struct vw_error *err)
{
	vw_secret_set *set;
	if (command->kind == VW_COMMAND_SET_SECRETS) {
		int rc = vw_desired_secrets(work, task, &set, err);
		if (rc < 0)
			return rc;
		command->n_secrets = set->n_secrets;
		command->secrets = set->secrets;
	}
	return vw_task_say(task, vw_message_wrap(VERIFYWISE__V1__CONTROLLER_MESSAGE__BODY_COMMAND, command),
			   command->id, err);
}

void vw_work_commands(struct vw_work *work, struct vw_task *task)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_stored_command **commands;
	size_t count;
	int rc = vw_fleet_command_open(work->settings->store, work->arena, task->tenant->organization,
				       task->peer->agent_id, vw_clock_now(), &commands, &count, &err);
	for (size_t i = 0; i < (rc < 0 ? 0 : count) && rc == 0; i++) {
		if (commands[i]->command && commands[i]->command->id && !is_known(task, commands[i]->command->id))
			rc = say_command(work, task, commands[i]->command, &err);
	}
	if (rc < 0)
		vw_task_fail(work, task, rc, &err);
}

static const char *flaw_of(const vw_command_update *update)
{
	if (!update || !update->id || strlen(update->id) >= VW_UUID_TEXT || !update->has_state)
		return "an update of no command";
	if (update->state == VW_COMMAND_STATE_QUEUED)
		return "a command that an agent says is queued";
	if (update->result.len > VW_MAX_COMMAND_RESULT)
		return "a command's result that is too large";
	return vw_message_texts_valid(&update->base, VW_MAX_ROW_TEXT) ? NULL : "a text that is too long or no UTF-8";
}

/* Of a task without a message: the command was delivered. */
static const char *read_update(struct vw_work *work, const struct vw_task *task, vw_command_update *delivered,
			       const vw_command_update **out)
{
	struct vw_error err = VW_ERROR_INIT;
	void *message;
	if (!task->message) {
		delivered->id = (char *)task->command_id;
		VW_SET(delivered, state, VW_COMMAND_STATE_DELIVERED);
		VW_SET(delivered, at, task->server_time);
		*out = delivered;
		return NULL;
	}
	if (vw_codec_read(task->message, VW_MAX_FLEET_CONTROL, &verifywise__v1__agent_message__descriptor,
			  "command update", work->arena, &message, &err) < 0)
		return "a message that cannot be read";
	const vw_agent_message *opened = message;
	*out = opened->body_case == VERIFYWISE__V1__AGENT_MESSAGE__BODY_COMMAND ? opened->command : NULL;
	return flaw_of(*out);
}

bool vw_work_update(struct vw_work *work, struct vw_task *task)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_command_update delivered = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	const vw_command_update *update = NULL;
	if (task->message && atomic_load(&task->stream->stopped))
		return true;
	const char *flaw = read_update(work, task, &delivered, &update);
	if (flaw) {
		vw_task_reject(task, VW_REJECTION_MALFORMED, flaw);
		return true;
	}
	int rc = vw_fleet_command_update(work->settings->store, task->tenant->organization, task->peer->agent_id,
					 update, &err);
	if (rc == 0 || rc == VW_ENOTFOUND)
		return true;
	vw_task_fail(work, task, rc, &err);
	return rc != VW_EAGAIN && rc != VW_EFULL && rc != VW_ETIMEOUT && rc != VW_EBUSY;
}

/* ---- Presence ---- */

/* A newer stream of this agent, here or at another replica, has put down its own. */
static bool is_outdated(struct vw_work *work, const struct vw_task *task)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_agent_presence *stored;
	int rc = vw_fleet_presence_get(work->settings->store, work->arena, task->tenant->organization,
				       task->peer->agent_id, &stored, &err);
	return rc == 0 && stored->session_id && strcmp(stored->session_id, task->stream->session_id) != 0;
}

void vw_work_presence(struct vw_work *work, struct vw_task *task)
{
	struct vw_error err = VW_ERROR_INIT;
	void *presence;
	int rc = vw_message_unpack(work->arena, &verifywise__v1__agent_presence__descriptor, task->presence,
				   task->presence_len, "presence", &presence, &err);
	if (rc == 0 && is_outdated(work, task))
		return;
	if (rc == 0)
		rc = vw_fleet_presence_put(work->settings->store, presence, &err);
	if (rc < 0)
		vw_task_fail(work, task, rc, &err);
}

/* ---- May it go on ---- */

/* Only one process has the embedded store. */
static bool has_replicas(const struct vw_work *work)
{
	return strcmp(vw_fleet_store_kind(work->settings->store), "lmdb") != 0;
}

static bool is_on_another(struct vw_work *work, const struct vw_task *task)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_agent_presence *stored;
	if (!has_replicas(work) ||
	    vw_fleet_presence_get(work->settings->store, work->arena, task->tenant->organization,
				  task->peer->agent_id, &stored, &err) < 0)
		return false;
	return stored->connected && stored->replica && strcmp(stored->replica, work->settings->replica) != 0 &&
	       stored->session_id && strcmp(stored->session_id, task->stream->session_id) != 0;
}

static void judge(struct vw_task *task, const vw_agent *agent)
{
	const char *serial = task->stream->serial;
	if (agent->status == VW_AGENT_REVOKED)
		vw_task_reject(task, VW_REJECTION_REVOKED, NULL);
	else if (agent->status == VW_AGENT_QUARANTINED)
		vw_task_reject(task, VW_REJECTION_REVOKED, agent->status_reason);
	else if ((!agent->serial || strcmp(agent->serial, serial) != 0) &&
		 (!agent->pending_serial || strcmp(agent->pending_serial, serial) != 0))
		vw_task_reject(task, VW_REJECTION_REVOKED, "another certificate of this agent is in use");
}

void vw_work_look(struct vw_work *work, struct vw_task *task)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_agent *agent;
	int rc = vw_fleet_agent_get(work->settings->store, work->arena, task->tenant->organization,
				    task->peer->agent_id, &agent, &err);
	if (rc == VW_ENOTFOUND)
		vw_task_reject(task, VW_REJECTION_UNKNOWN_AGENT, NULL);
	else if (rc < 0)
		vw_task_fail(work, task, rc, &err);
	else
		judge(task, agent);
	if (rc == 0 && task->rejection == 0)
		task->moved = is_on_another(work, task);
}

void vw_work_tenant(struct vw_work *work, struct vw_task *task)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_organization *organization;
	int rc = vw_fleet_organization_get(work->settings->store, work->arena, task->tenant->organization,
					   &organization, &err);
	if (rc < 0 && rc != VW_ENOTFOUND)
		vw_task_fail(work, task, rc, &err);
	else if (rc == VW_ENOTFOUND || organization->disabled)
		vw_task_reject(task, VW_REJECTION_TENANT_DISABLED, NULL);
}
