/* desk.h: the controller's command line, run in this process, in a folder of its own. */
#ifndef TEST_CONTROLLER_COMMANDS_DESK_H
#define TEST_CONTROLLER_COMMANDS_DESK_H

#include "command.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Group setup and teardown: HOME is an empty folder, and nothing of ours is in the environment. */
extern char desk_folder[64];
int desk_open(void **state);
int desk_close(void **state);
/* A path in it; one of a few buffers that come round again. */
const char *desk_path(const char *name);
void desk_write(const char *name, const char *text, unsigned mode);

/* What a command line printed, and its exit code. The texts live until the next one. */
struct told {
	int code;
	char *out, *err;
};
extern struct told told;
/* Words up to NULL, behind "vw-controller". `columns`: standard output is a terminal of that width; 0: a file. */
int run(const char *first, ...) __attribute__((sentinel));
extern unsigned short desk_columns;
extern const char *desk_input; /* on standard input; NULL: nothing */

#define assert_exit(code_, ...)                                                                                      \
	do {                                                                                                         \
		if (run(__VA_ARGS__, NULL) != (code_))                                                               \
			fail_msg("exit code %d\n%s\n%s", told.code, told.out, told.err);                             \
	} while (0)
#define assert_says(text, part)                                                                                      \
	do {                                                                                                         \
		if (!strstr((text), (part)))                                                                         \
			fail_msg("'%s' is not in '%s'", (part), (text));                                             \
	} while (0)

#endif
