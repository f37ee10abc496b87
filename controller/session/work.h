/* work.h: what the workers' files share. */
#ifndef SESSION_WORK_H
#define SESSION_WORK_H

#include "task.h"

#include <stdbool.h>

#define VW_PROTOCOL_MAJOR 1
#define VW_PROTOCOL_MINOR 0

/* A stream that cannot begin or go on because of the store: OVERLOADED, with a time to come again. */
void vw_work_overload(struct vw_work *work, struct vw_task *task, int code, const struct vw_error *err);

/* "1.2.3" compared by its numbers. Pure. */
bool vw_version_below(const char *version, const char *minimum);

/* What the agent is to have and has not (S4.5 for secrets). */
struct vw_wanted {
	const vw_agent *agent;
	const vw_hello *hello;
	const vw_agent_presence *before; /* may be NULL */
	vw_desired_file *policy, *configuration;
	vw_secret_set *secrets;
};
int vw_desired_find(struct vw_work *work, struct vw_task *task, struct vw_wanted *wanted, struct vw_error *err);
/* Into the Welcome if that stays below VW_MAX_FLEET_CONTROL, else as messages behind it. */
int vw_desired_attach(struct vw_work *work, const struct vw_wanted *wanted, vw_welcome *welcome, struct vw_task *task,
		      struct vw_error *err);
/* All secrets of the task's agent, in the worker's arena. */
int vw_desired_secrets(struct vw_work *work, const struct vw_task *task, vw_secret_set **out, struct vw_error *err);

/* "sha256-8:0123456789abcdef: text": why a policy or configuration was not applied, and which one that was. */
#define VW_APPLY_ERROR_MARK 27 /* characters before the text */
void vw_apply_error_mark(const uint8_t sha256[32], char out[VW_APPLY_ERROR_MARK + 1]);

/* Appends a message to the task's `commands`. Takes the buffer; NULL is VW_ENOMEM. */
int vw_task_say(struct vw_task *task, grpc_byte_buffer *buffer, const char *command_id, struct vw_error *err);

#endif
