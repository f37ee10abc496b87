/* program.h: a program described by one table; its main, --help, completion and manual page are made from it.
 *
 *	static const struct vw_cli_command commands[] = {{.name = "serve", ..., .run = run_serve}, {.name = NULL}};
 *	const struct vw_cli_program controller = {.name = "vw-controller", .version = "0.1.0", .commands = commands, ...};
 *
 *	int main(int argc, char **argv)
 *	{
 *		return vw_cli_main(&controller, argc, argv);
 *	}
 *
 * A command is a function of an invocation: what was given on the command line, already checked against the table. It prints to
 * standard output what was asked for, to standard error what went wrong, and returns an exit code. All of the tables are static;
 * nothing is copied or freed. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define VW_CLI_MAX_OPTIONS    16 /* of one command; a unit test of each program's table looks at these three */
#define VW_CLI_MAX_GLOBALS    6
#define VW_CLI_MAX_POSITIONAL 4

/* What every program means by them; a program's own codes lie between. */
enum vw_cli_exit {
	VW_CLI_EXIT_OK = 0,
	VW_CLI_EXIT_FAILED = 1,
	VW_CLI_EXIT_USAGE = 2,
	VW_CLI_EXIT_CONFIG = 3, /* a file that the operator wrote */
	VW_CLI_EXIT_CANCELLED = 130
};

struct vw_cli_option {
	const char *name;           /* "format"; on the command line --format */
	const char *argument;       /* "FORMAT"; NULL for a switch. Shells complete a FILE and a FOLDER */
	const char *help;           /* a sentence without full stop */
	const char *const *choices; /* NULL-terminated; NULL: any text. The first is the default */
};

struct vw_cli_invocation;
struct vw_cli_command {
	const char *name;       /* "sync", "audit verify"; those with the same first word stand together */
	const char *positional; /* "MODEL [VERSION]"; NULL: none */
	int min_positional, max_positional;
	const char *summary;                 /* one line, for the list; without capital and full stop */
	const char *description;             /* paragraphs with an empty line between; NULL: none */
	const char *examples;                /* lines of shell; NULL: none */
	const struct vw_cli_option *options; /* ends with a NULL name; NULL: none */
	int (*run)(struct vw_cli_invocation *in);
	bool
	    orderly; /* SIGINT and SIGTERM only set vw_cli_cancelled, and a closed pipe is an error like any other: for what writes
			 or asks a server. What only reads and prints ends at once, as any tool does */
};

/* One row of "exit codes" in --help and of EXIT STATUS in the manual. */
struct vw_cli_status {
	int code;
	const char *brief; /* for --help: a few words */
	const char *text;  /* for the manual: sentences */
};

/* One row of ENVIRONMENT in the manual. */
struct vw_cli_variable {
	const char *names; /* "NO_COLOR, COLUMNS" */
	const char *text;  /* sentences */
};

/* A library that is linked, for `version`. */
struct vw_cli_library {
	const char *name, *version;
};
#define VW_CLI_MAX_LIBRARIES 20

struct vw_cli_program {
	const char *name; /* "vw-agent" */
	const char *version;
	const char *about;       /* what it is for, as lines of at most 100 columns */
	const char *first_steps; /* lines of shell to begin with */
	const struct vw_cli_option
	    *globals; /* of every command, ends with a NULL name; --help comes by itself, last */
	const struct vw_cli_command *commands;   /* ends with a NULL name */
	const struct vw_cli_status *statuses;    /* ends with a NULL brief */
	const struct vw_cli_variable *variables; /* ends with NULL names */
	int (*exit_code)(int code);              /* of an enum vw_code; NULL: vw_cli_exit_code */
	void (*libraries)(struct vw_cli_library out[VW_CLI_MAX_LIBRARIES]); /* ends with a NULL name; NULL: none */
};

struct vw_cli_invocation {
	const struct vw_cli_program *program;
	const struct vw_cli_command *command;
	const char *values[VW_CLI_MAX_OPTIONS];  /* by index of the command's options; see vw_cli_value() */
	const char *globals[VW_CLI_MAX_GLOBALS]; /* by index of the program's */
	const char *positional[VW_CLI_MAX_POSITIONAL];
	int positional_count;
};

/* The number of the signal, SIGINT or SIGTERM, that asked an orderly command to end; handlers do nothing else. */
extern volatile sig_atomic_t vw_cli_cancelled;
/* For handlers: signals are the main thread's, which may sleep until one comes, but a library's thread may get one. True: it was passed on to the
 * main thread, whose handler runs then. */
bool vw_cli_pass_on(int number);

/* Hardens the process, reads the command line, runs the command. Gives main's result. */
int vw_cli_main(const struct vw_cli_program *program, int argc, char **argv);

/* The value of --name, of the command's or a global one; the first choice if it was not given, NULL if it has no choices;
 * "" for a switch that was given. */
const char *vw_cli_value(const struct vw_cli_invocation *in, const char *name);
bool vw_cli_given(const struct vw_cli_invocation *in, const char *name);

/* Prints "vw-agent: message" to standard error and gives the exit code for it. */
int vw_cli_report(const struct vw_cli_program *program, const struct vw_error *err);
/* For codes that mean the same in every program; all others have failed. */
int vw_cli_exit_code(int code);

/* Commands that every program has: `completion SHELL` (bash, zsh, fish) and `version` (with an option format: text, json). */
int vw_cli_run_completion(struct vw_cli_invocation *in);
int vw_cli_run_version(struct vw_cli_invocation *in);

/* The program that writes OPTIONS and COMMANDS, ENVIRONMENT and EXIT STATUS of the manual page, each between its marks; the rest of the
 * page is written by people. Built beside the tests, not installed.
 *
 *	vw-agent-manual docs/man/vw-agent.1            # brings the page up to date
 *	vw-agent-manual --check docs/man/vw-agent.1    # fails if it is not */
int vw_cli_manual_main(const struct vw_cli_program *program, int argc, char **argv);

#endif
