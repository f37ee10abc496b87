/* session.c: what commands share: errors and exit codes, configuration and store. */
#include "command.h"

#include <stdio.h>
#include <string.h>

int exit_code_of(int code)
{
	switch (code) {
	case VW_EAUTH:
	case VW_EFORBIDDEN:
	case VW_EAGAIN:
	case VW_ETIMEOUT:
	case VW_EINVAL:
	case VW_ELIMIT:
	case VW_ENOTFOUND:
	case VW_EUNSUPPORTED:
		return EXIT_SOURCE;
	case VW_ECORRUPT:
	case VW_EFULL:
	case VW_EBUSY:
	case VW_EIO:
		return EXIT_STORE;
	default:
		return vw_cli_exit_code(code);
	}
}

int report_error(const struct vw_error *err)
{
	return vw_cli_report(&agent_program, err);
}

int config_load(const struct vw_cli_invocation *in, struct vw_config **out, struct vw_error *err)
{
	return config_try(in, NULL, out, err);
}

int config_try(const struct vw_cli_invocation *in, const struct vw_config_given *given, struct vw_config **out,
	       struct vw_error *err)
{
	return vw_config_try(vw_cli_value(in, "config"), vw_cli_value(in, "state"), given, out, err);
}

int session_open(const struct vw_cli_invocation *in, enum vw_kv_mode mode, struct session *out)
{
	struct vw_error err = VW_ERROR_INIT;
	memset(out, 0, sizeof(*out));
	if (config_load(in, &out->config, &err) < 0)
		return report_error(&err);
	vw_log_setup(out->config->log_level, out->config->log_format);
	int code = vw_store_open(out->config->state_dir, mode, &out->store, &err);
	if (code == 0)
		return EXIT_OK;
	if (code == VW_ENOTFOUND) {
		fprintf(stderr, "vw-agent: nothing is stored in %s yet; run vw-agent sync first\n",
			out->config->state_dir);
		code = EXIT_STORE;
	} else {
		code = report_error(&err);
	}
	session_close(out);
	return code;
}

void session_close(struct session *session)
{
	vw_store_close(session->store);
	vw_config_close(session->config);
	memset(session, 0, sizeof(*session));
}
