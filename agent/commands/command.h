/* command.h: what the agent's commands share: its program, exit codes, configuration and store.
 *
 * table.c lists every command and option once; cli/program.h says what is made from it. */
#ifndef COMMANDS_COMMAND_H
#define COMMANDS_COMMAND_H

#include "cli/program.h"
#include "config/config.h"
#include "storage/store.h"

extern const struct vw_cli_program agent_program;

/* Documented in vw-agent(1) and in --help. */
enum exit_code {
	EXIT_OK = VW_CLI_EXIT_OK,
	EXIT_FAILED = VW_CLI_EXIT_FAILED,
	EXIT_USAGE = VW_CLI_EXIT_USAGE,
	EXIT_CONFIG = VW_CLI_EXIT_CONFIG, /* configuration, policy or credential file */
	EXIT_SOURCE = 4,                  /* MLflow or the controller cannot be reached, or refuses */
	EXIT_STORE = 5,                   /* the state database */
	EXIT_SUSPECT = 6,                 /* the listing was empty where it was not before; nothing was removed */
	EXIT_CHAIN = 7,                   /* the audit chain is broken */
	EXIT_GAPS = 10,                   /* gaps --fail-on: there are some */
	EXIT_CANCELLED = VW_CLI_EXIT_CANCELLED
};

/* Prints "vw-agent: message" to standard error and gives the exit code for it. */
int report_error(const struct vw_error *err);
int exit_code_of(int code);

/* The configuration that the command line and the environment ask for. */
int config_load(const struct vw_cli_invocation *in, struct vw_config **out, struct vw_error *err);
/* The same with `given` in place of what the controller gave; NULL: what it gave. */
int config_try(const struct vw_cli_invocation *in, const struct vw_config_given *given, struct vw_config **out,
	       struct vw_error *err);

/* For commands that only read: the configuration and the store, opened; NULL-safe to close. Prints what is wrong. */
struct session {
	struct vw_config *config;
	struct vw_store *store;
	const struct trial
	    *trial; /* what is tried in place of what the controller gave; NULL: nothing, as ever but in a reload */
};
int session_open(const struct vw_cli_invocation *in, enum vw_kv_mode mode, struct session *out);
void session_close(struct session *session);

/* The bundle of `diagnose`, as JSON. `live`: how the uplink is, for the daemon, or NULL. */
struct vw_uplink_status;
int diagnose_write(struct session *session, const struct vw_uplink_status *live, struct vw_buffer *out,
		   struct vw_error *err);

#define VW_AGENT_VERSION "0.1.0"

void list_libraries(struct vw_cli_library out[VW_CLI_MAX_LIBRARIES]);

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
int run_enroll(struct vw_cli_invocation *in);
int run_unenroll(struct vw_cli_invocation *in);
int run_status(struct vw_cli_invocation *in);
int run_doctor(struct vw_cli_invocation *in);
int run_diagnose(struct vw_cli_invocation *in);
int run_config_check(struct vw_cli_invocation *in);
int run_config_show(struct vw_cli_invocation *in);
int run_config_policy(struct vw_cli_invocation *in);

#endif
