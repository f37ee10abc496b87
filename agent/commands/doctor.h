/* doctor.h: what the parts of `doctor` share: one line for each thing that is looked at. */
#ifndef COMMANDS_DOCTOR_H
#define COMMANDS_DOCTOR_H

#include "command.h"

#define DOCTOR_CHECKS_MAX 40

enum doctor_result { GOOD, POOR, BAD };

struct doctor_check {
	const char *name;
	enum doctor_result result;
	char text[VW_ERROR_MESSAGE_MAX];
	const char *hint; /* what to do; NULL: nothing */
};

struct doctor {
	struct doctor_check checks[DOCTOR_CHECKS_MAX];
	size_t count;
	int worst_code; /* of the failed check that decides the exit code */
	/* what the searches found first; NULL for nothing */
	char *experiment;
	char *text; /* of the last answer that had any: the server's version, a workspace */
	char *model;
	char *version_of, *version, *run;
	struct vw_arena *arena;
};

void doctor_add(struct doctor *doctor, const char *name, enum doctor_result result, const char *hint, const char *fmt,
		...) __attribute__((format(printf, 5, 6)));
/* One that failed with `code`. */
void doctor_fail(struct doctor *doctor, const char *name, int code, const char *hint, const char *text);

/* doctor_controller.c: the way to the controller and the agent's standing there; nothing when it is not enrolled. */
void doctor_check_controller(struct doctor *doctor, const struct session *session);

#endif
