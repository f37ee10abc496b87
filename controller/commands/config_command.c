#include "command.h"

#include <stdio.h>

int config_open(const struct vw_cli_invocation *in, struct vw_controller_config **out)
{
	struct vw_error err = VW_ERROR_INIT;
	if (vw_controller_config_load(vw_cli_value(in, "config"), vw_cli_value(in, "data"), out, &err) < 0)
		return vw_cli_report(in->program, &err);
	return VW_CLI_EXIT_OK;
}

int store_busy(struct vw_error *err, const char *socket)
{
	vw_error_context(err, VW_EBUSY, "nobody answers at %s", socket);
	err->code = VW_EAGAIN;
	return VW_EAGAIN;
}

struct vw_authority_settings authority_settings(const struct vw_controller_config *c, char *folder, size_t size)
{
	snprintf(folder, size, "%s/authority", c->data_dir);
	return (struct vw_authority_settings){.folder = folder,
					      .trust_domain = c->trust_domain,
					      .hosts = c->hosts,
					      .agent_life_ms = c->agent_life_ms,
					      .server_life_ms = c->server_life_ms};
}

int controller_exit_code(int code)
{
	switch (code) {
	case VW_EAUTH:
	case VW_EFORBIDDEN:
	case VW_ENOTFOUND:
	case VW_EINVAL:
	case VW_EBUSY:
		return EXIT_REFUSED;
	case VW_EAGAIN:
	case VW_ECORRUPT:
	case VW_EFULL:
		return EXIT_STORE;
	default:
		return vw_cli_exit_code(code);
	}
}

int run_config_check(struct vw_cli_invocation *in)
{
	struct vw_controller_config *config;
	int code = config_open(in, &config);
	if (code != VW_CLI_EXIT_OK)
		return code;
	printf("%s is valid\n", config->path ? config->path : "the configuration (no file)");
	vw_controller_config_close(config);
	return VW_CLI_EXIT_OK;
}

int run_config_show(struct vw_cli_invocation *in)
{
	struct vw_controller_config *config;
	struct vw_buffer text;
	int code = config_open(in, &config);
	if (code != VW_CLI_EXIT_OK)
		return code;
	vw_buffer_init(&text, 0);
	vw_controller_config_show(config, &text);
	fputs(vw_buffer_text(&text), stdout);
	vw_buffer_reset(&text);
	vw_controller_config_close(config);
	return VW_CLI_EXIT_OK;
}
