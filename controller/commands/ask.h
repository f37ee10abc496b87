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
/* A field of the body; nothing for NULL. VW_EUSAGE: no UTF-8. */
int ask_set(struct asking *asking, const char *field, const char *text);
/* A file that the command line names could not be read: its error is one of the operator's files. Gives the code. */
int ask_file_failed(struct asking *asking, int code);

/* Prints data.items of all pages (`next` is put into the query again): with --format table, ndjson (a line for each item) or json (the object that one page
 * would be). */
int ask_print_list(struct asking *asking, const struct column *columns, size_t count, size_t flexible);
/* Prints data's fields, one a line, those of what is inside it too, or as JSON. */
int ask_print_object(struct asking *asking);

#endif
