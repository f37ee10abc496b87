/* enroll_command.c: `enroll` and `unenroll`. */
#include "command.h"

#include "cli/terminal.h"
#include "remote.h"
#include "uplink/identity.h"

#include <stdio.h>
#include <string.h>

static int read_token(const struct vw_cli_invocation *in, struct vw_secret **out, struct vw_error *err)
{
	bool open_to_others = false;
	const char *file = vw_cli_value(in, "token-file");
	if (!file)
		return vw_error_set(
		    err, VW_EUSAGE,
		    "say where the token is: --token-file FILE, or - for standard input (a token on the command "
		    "line could be read by others)");
	if (strcmp(file, "-") == 0)
		return vw_secret_read_input(out, err);
	int code = vw_secret_read_file(file, out, &open_to_others, err);
	if (code == 0 && open_to_others)
		fprintf(stderr,
			"vw-agent: warning: others can read %s; chmod 600 it, or delete it when this is done\n",
			file);
	return code < 0 && code != VW_ENOMEM ? vw_error_set(err, VW_ECONFIG, "%s", err->message) : code;
}

static void print_issued(const vw_issued *issued, struct vw_arena *arena)
{
	const char *name = issued->organization_name ? vw_cli_safe(arena, issued->organization_name) : "";
	printf("enrolled as agent %s of organization %s%s%s%s\nstreams go to %s; start vw-agent run\n",
	       vw_cli_safe(arena, issued->agent_id), vw_cli_safe(arena, issued->organization), name[0] ? " (" : "",
	       name, name[0] ? ")" : "", vw_cli_safe(arena, issued->session_endpoint));
}

/* What an earlier controller gave does not count for the next one. Dropped last: until it is enrolled as another, the agent is what it was. */
static int enroll(const struct vw_cli_invocation *in, const struct session *session, const struct vw_secret *token,
		  struct vw_error *err)
{
	vw_issued *issued;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	const struct vw_config *config = session->config;
	bool other = vw_cli_given(in, "new-agent");
	struct vw_enrollment enrollment = {.url = in->positional[0],
					   .token = token,
					   .state_dir = config->state_dir,
					   .agent_version = VW_AGENT_VERSION,
					   .route = {.proxy = config->controller_proxy,
						     .connect_timeout_ms = config->controller_connect_timeout_ms,
						     .request_timeout_ms = config->controller_request_timeout_ms,
						     .cancel = &vw_cli_cancelled}};
	if (!arena)
		return vw_error_set(err, VW_ENOMEM, "no memory for the enrolment");
	int code = vw_identity_enroll(session->store, &enrollment, other, arena, &issued, err);
	if (code == 0)
		code = remote_forget(session->store, config->state_dir, other, err);
	if (code == 0)
		print_issued(issued, arena);
	return code;
}

int run_enroll(struct vw_cli_invocation *in)
{
	struct vw_error err = VW_ERROR_INIT;
	struct session session;
	struct vw_secret *token = NULL;
	if (read_token(in, &token, &err) < 0)
		return report_error(&err);
	int code = session_open(in, VW_KV_WRITE, &session);
	if (code == EXIT_OK) {
		if (enroll(in, &session, token, &err) < 0)
			code = report_error(&err);
		session_close(&session);
	}
	vw_secret_close(token);
	return code;
}

/* The identity goes last: until then all of it can be done again. */
static int leave(const struct session *session, struct vw_error *err)
{
	struct vw_identity *identity = NULL;
	const char *state_dir = session->config->state_dir;
	int code = vw_identity_open(state_dir, &identity, err);
	vw_identity_close(identity);
	if (code == VW_ENOTFOUND)
		return vw_error_set(err, VW_EUSAGE, "%s is not enrolled with a controller", state_dir);
	/* any other failure: the identity is broken, and goes all the same */
	code = remote_forget(session->store, state_dir, false, err);
	return code < 0 ? code : vw_identity_forget(session->store, state_dir, err);
}

int run_unenroll(struct vw_cli_invocation *in)
{
	struct vw_error err = VW_ERROR_INIT;
	struct session session;
	int code = session_open(in, VW_KV_WRITE, &session);
	if (code != EXIT_OK)
		return code;
	if (leave(&session, &err) < 0)
		code = report_error(&err);
	else
		printf("left the controller; the ledger stays in %s\n", session.config->state_dir);
	session_close(&session);
	return code;
}
