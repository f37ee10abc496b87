/* command.h: one table describes every command; main, --help, completion and the man pages are made from it.
 *
 * A command is a function of an invocation: what was given on the command line, already checked against the table. It prints to
 * standard output what was asked for, to standard error what went wrong, and returns an exit code. */
#ifndef COMMANDS_COMMAND_H
#define COMMANDS_COMMAND_H

#include "base/error.h"
#include "config/config.h"
#include "storage/store.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Documented in vw-agent(1) and in --help. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_CONFIG = 3,  /* configuration, policy or credential file */
	EXIT_SOURCE = 4,  /* MLflow cannot be reached, or refuses */
	EXIT_STORE = 5,   /* the state database */
	EXIT_SUSPECT = 6, /* the listing was empty where it was not before; nothing was removed */
	EXIT_CHAIN = 7,   /* the audit chain is broken */
	EXIT_GAPS = 10,   /* gaps --fail-on: there are some */
	EXIT_CANCELLED = 130
};

struct vw_cli_option {
	const char *name;           /* "format"; on the command line --format */
	const char *argument;       /* "FORMAT"; NULL for a switch */
	const char *help;           /* a sentence without full stop */
	const char *const *choices; /* NULL-terminated; NULL: any text. The first is the default */
};

#define MAX_OPTIONS 12

struct vw_cli_invocation;
struct vw_cli_command {
	const char *name;       /* "sync", "audit verify" */
	const char *positional; /* "MODEL [VERSION]"; NULL: none */
	int min_positional, max_positional;
	const char *summary;               /* one line, for the list */
	const char *description;           /* paragraphs; for --help and the man page */
	const char *examples;              /* lines of shell */
	const struct vw_cli_option *options; /* ends with a NULL name; NULL: none */
	int (*run)(struct vw_cli_invocation *in);
};
extern const struct vw_cli_command commands[]; /* ends with a NULL name */
extern const struct vw_cli_option global_options[];

struct vw_cli_invocation {
	const struct vw_cli_command *command;
	const char *config_path; /* --config */
	const char *state_dir;   /* --state */
	const char *values
	    [MAX_OPTIONS]; /* by index of the command's options; "" for a switch that was given; the first choice by default */
	const char *positional[3];
	int positional_count;
};

/* Set by SIGINT and SIGTERM; handlers do nothing else. */
extern volatile sig_atomic_t cancelled;

/* The value of --name; NULL if it was not given and has no choices. */
const char *vw_cli_value(const struct vw_cli_invocation *in, const char *name);
bool vw_cli_given(const struct vw_cli_invocation *in, const char *name);

/* Prints "vw-agent: message" to standard error and gives the exit code for it. */
int report_error(const struct vw_error *err);
int exit_code_of(int code);

/* For commands that only read: the configuration and the store, opened; NULL-safe to close. Prints what is wrong. */
struct session {
	struct vw_config *config;
	struct vw_store *store;
};
int session_open(const struct vw_cli_invocation *in, enum vw_kv_mode mode, struct session *out);
void session_close(struct session *session);

#define VW_AGENT_VERSION "0.1.0"

int run_sync(struct vw_cli_invocation *in);
int run_daemon(struct vw_cli_invocation *in);
int run_evaluate(struct vw_cli_invocation *in);
int run_inventory(struct vw_cli_invocation *in);
int run_show(struct vw_cli_invocation *in);
int run_gaps(struct vw_cli_invocation *in);
int run_events(struct vw_cli_invocation *in);
int run_audit_list(struct vw_cli_invocation *in);
int run_audit_verify(struct vw_cli_invocation *in);
int run_audit_export(struct vw_cli_invocation *in);
int run_status(struct vw_cli_invocation *in);
int run_doctor(struct vw_cli_invocation *in);
int run_diagnose(struct vw_cli_invocation *in);
int run_config_check(struct vw_cli_invocation *in);
int run_config_show(struct vw_cli_invocation *in);
int run_config_policy(struct vw_cli_invocation *in);
int run_version(struct vw_cli_invocation *in);
int run_completion(struct vw_cli_invocation *in);

#endif
