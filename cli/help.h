/* help.h: --help, made from the table of commands. */
#ifndef COMMANDS_HELP_H
#define COMMANDS_HELP_H

#include "command.h"

#include <stdio.h>

void help_overview(FILE *out);
void help_command(FILE *out, const struct vw_cli_command *command);
/* `help [COMMAND…]`: prints to standard output; an exit code. */
int help_topic(int argc, char **argv);
/* For "audit" without its second word: lists what there is. False if no command begins so. */
bool help_group(FILE *out, const char *first);

#endif
