/* report.c: what commands share: their options' values, errors and exit codes. */
#include "cli/program.h"

#include "base/buffer.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const char *value_of(const struct vw_cli_option *options, int cap, const char *const *values, const char *name)
{
	for (int i = 0; options && options[i].name && i < cap; i++)
		if (strcmp(options[i].name, name) == 0)
			return values[i];
	return NULL;
}

const char *vw_cli_value(const struct vw_cli_invocation *in, const char *name)
{
	const char *value = value_of(in->command->options, VW_CLI_MAX_OPTIONS, in->values, name);
	return value ? value : value_of(in->program->globals, VW_CLI_MAX_GLOBALS, in->globals, name);
}

bool vw_cli_given(const struct vw_cli_invocation *in, const char *name)
{
	return vw_cli_value(in, name) != NULL;
}

int vw_cli_exit_code(int code)
{
	switch (code) {
	case VW_OK:
		return VW_CLI_EXIT_OK;
	case VW_EUSAGE:
		return VW_CLI_EXIT_USAGE;
	case VW_ECONFIG:
		return VW_CLI_EXIT_CONFIG;
	case VW_ECANCELLED:
		return VW_CLI_EXIT_CANCELLED;
	default:
		return VW_CLI_EXIT_FAILED;
	}
}

int vw_cli_report(const struct vw_cli_program *program, const struct vw_error *err)
{
	struct vw_buffer safe;
	vw_buffer_init(&safe, 0);
	vw_text_append_safe(&safe, err->message[0] ? err->message : "failed");
	fprintf(stderr, "%s: %s\n", program->name, vw_buffer_text(&safe));
	vw_buffer_reset(&safe);
	if (err->code >= 0) /* whoever fails without a word still fails */
		return VW_CLI_EXIT_FAILED;
	return program->exit_code ? program->exit_code(err->code) : vw_cli_exit_code(err->code);
}
