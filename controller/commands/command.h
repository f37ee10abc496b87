/* command.h: the controller's commands. Most of them are a request of the REST interface (api/api.h), made in this process or, while a server runs
 * on the same data, over its control socket: so the command line can do what the interface can, and obeys the same rules. */
#ifndef CONTROLLER_COMMANDS_COMMAND_H
#define CONTROLLER_COMMANDS_COMMAND_H

#include "cli/program.h"
#include "controller_config/config.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "identity/authority.h"

#include <jansson.h>

#define CONTROLLER_VERSION "0.1.0"

/* Between those that every program has (cli/program.h). */
enum controller_exit {
	EXIT_REFUSED = 4, /* the interface answered 4xx: no such object, not allowed, not valid */
	EXIT_STORE = 5,   /* the store cannot be reached, is another process', or is damaged */
	EXIT_CHAIN = 7    /* a ledger does not verify */
};

extern const struct vw_cli_program controller_program;

int run_init(struct vw_cli_invocation *in);
int run_migrate(struct vw_cli_invocation *in);
int run_serve(struct vw_cli_invocation *in);
int run_org_create(struct vw_cli_invocation *in);
int run_org_list(struct vw_cli_invocation *in);
int run_org_disable(struct vw_cli_invocation *in);
int run_org_enable(struct vw_cli_invocation *in);
int run_token_create(struct vw_cli_invocation *in);
int run_token_list(struct vw_cli_invocation *in);
int run_token_revoke(struct vw_cli_invocation *in);
int run_agents_list(struct vw_cli_invocation *in);
int run_agents_show(struct vw_cli_invocation *in);
int run_agents_revoke(struct vw_cli_invocation *in);
int run_agents_activate(struct vw_cli_invocation *in);
int run_agents_command(struct vw_cli_invocation *in);
int run_agents_commands(struct vw_cli_invocation *in);
int run_records(struct vw_cli_invocation *in);
int run_ledger_verify(struct vw_cli_invocation *in);
int run_ledger_export(struct vw_cli_invocation *in);
int run_users_create(struct vw_cli_invocation *in);
int run_users_list(struct vw_cli_invocation *in);
int run_users_revoke(struct vw_cli_invocation *in);
int run_secrets_put(struct vw_cli_invocation *in);
int run_secrets_list(struct vw_cli_invocation *in);
int run_secrets_delete(struct vw_cli_invocation *in);
int run_trail(struct vw_cli_invocation *in);
int run_config_check(struct vw_cli_invocation *in);
int run_config_show(struct vw_cli_invocation *in);
int run_doctor(struct vw_cli_invocation *in);

#define STORE_WAIT_MS 5000   /* for another process to let go of the embedded store */
#define STORE_STEP_US 100000 /* between two looks whether it did */

/* Says that another process has the store and nobody answers at the control socket: VW_EAGAIN. */
int store_busy(struct vw_error *err, const char *socket);
/* The authority's, of this configuration; `folder` holds its folder, which is cut if it is too long: then opening it fails. */
struct vw_authority_settings authority_settings(const struct vw_controller_config *config, char *folder, size_t size);

/* The configuration that the global options ask for. Prints what is wrong; EXIT code. */
int config_open(const struct vw_cli_invocation *in, struct vw_controller_config **out);
int controller_exit_code(int code);

#endif
