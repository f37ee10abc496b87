/* session.c: what commands share: options, errors and exit codes, configuration and store. */
#include "command.h"

#include "base/buffer.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

const char *vw_cli_value(const struct vw_cli_invocation *in, const char *name)
{
	for (int i = 0; in->command->options && in->command->options[i].name; i++)
		if (strcmp(in->command->options[i].name, name) == 0)
			return in->values[i];
	return NULL;
}

bool vw_cli_given(const struct vw_cli_invocation *in, const char *name)
{
	return vw_cli_value(in, name) != NULL;
}

int exit_code_of(int code)
{
	switch (code) {
	case VW_OK:
		return EXIT_OK;
	case VW_EUSAGE:
		return EXIT_USAGE;
	case VW_ECONFIG:
		return EXIT_CONFIG;
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
	case VW_ECANCELLED:
		return EXIT_CANCELLED;
	default:
		return EXIT_FAILED;
	}
}

int report_error(const struct vw_error *err)
{
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, err->message[0] ? err->message : "failed");
	fprintf(stderr, "vw-agent: %s\n", vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
	return err->code < 0 ? exit_code_of(err->code) : EXIT_FAILED;
}

int session_open(const struct vw_cli_invocation *in, enum vw_kv_mode mode, struct session *out)
{
	struct vw_error err = VW_ERROR_INIT;
	memset(out, 0, sizeof(*out));
	if (vw_config_load(in->config_path, in->state_dir, &out->config, &err) < 0)
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
