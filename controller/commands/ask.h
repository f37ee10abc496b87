/* ask.h: what most commands are: a request, and its answer printed as a table or as JSON. */
#ifndef CONTROLLER_COMMANDS_ASK_H
#define CONTROLLER_COMMANDS_ASK_H

#include "client.h"

/* A command under way. */
struct asking {
	const struct vw_cli_invocation *in;
	struct vw_controller_config *config;
	struct client *client;
	struct vw_buffer path;
	json_t *body; /* NULL: none */
	json_t *data; /* of the answer */
	struct vw_error err;
};

/* Opens configuration and client, and begins a path. EXIT_OK, or the exit code after having said why. */
int ask_begin(struct asking *asking, const struct vw_cli_invocation *in, const char *path);
/* Makes the request; says what is wrong. An exit code. */
int ask_for(struct asking *asking, const char *method);
/* Gives `code`. */
int ask_end(struct asking *asking, int code);
/* `organization` is an option of most commands: adds it to the query. */
void ask_organization(struct asking *asking);

struct column {
	const char *heading;
	const char *path; /* of names with dots, in a row */
};
/* Prints data.items: with --format table, json (the data as it is) or ndjson (a line for each item). With `follow`, all pages: `next` is put into the
 * query again. */
int ask_print_list(struct asking *asking, const struct column *columns, size_t count, size_t flexible);
/* Prints data's scalar fields, one a line, or as JSON. */
int ask_print_object(struct asking *asking);

/* Options that several commands share. */
extern const char *const formats_list[];
extern const char *const formats_object[];

#endif
