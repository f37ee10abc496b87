/* help.h: --help, made from a program's tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/program.h"

#include <stdio.h>

/* The last of the global options. */
extern const struct vw_cli_option help_option;

void help_overview(const struct vw_cli_program *program, FILE *out);
void help_command(const struct vw_cli_program *program, FILE *out, const struct vw_cli_command *command);
/* `help [COMMAND…]`: prints to standard output; an exit code. */
int help_topic(const struct vw_cli_program *program, int argc, char **argv);
/* For "audit" without its second word: lists what there is. False if no command begins so. */
bool help_group(const struct vw_cli_program *program, FILE *out, const char *first);

#endif
