/* config_command.c: `config check`, `config show`, `config policy`. */
#include "source.h"

#include "base/file.h"
#include "base/limits.h"

#include <stdio.h>

static void print_valid(const struct vw_config *config, const struct vw_policy *policy)
{
	size_t rules = 0;
	while (vw_policy_rule(policy, rules))
		rules++;
	printf("configuration %s is valid\npolicy %s version %lld (%s) is valid: %zu rules\n",
	       config->path ? config->path : "(no file, defaults and environment)", vw_policy_id(policy),
	       (long long)vw_policy_version(policy), config->policy_file ? config->policy_file : "built-in", rules);
	if (!config->mlflow.tracking_uri)
		puts("note: no tracking server is set; sync needs MLFLOW_TRACKING_URI or mlflow.tracking_uri");
}

/* All that a sync takes from them is opened, but for the client, which may need credentials that are not here. */
int run_config_check(struct vw_cli_invocation *in)
{
	struct session session = {0};
	struct source source;
	struct vw_error err = VW_ERROR_INIT;
	int code = config_load(in, &session.config, &err);
	if (code < 0)
		return report_error(&err);
	code = source_open(&session, false, &source, &err);
	if (code == 0) {
		print_valid(session.config, source.policy);
		source_close(&source);
	}
	session_close(&session);
	return code < 0 ? report_error(&err) : EXIT_OK;
}

int run_config_show(struct vw_cli_invocation *in)
{
	struct vw_config *config;
	struct vw_buffer out;
	struct vw_error err = VW_ERROR_INIT;
	int code = config_load(in, &config, &err);
	if (code < 0)
		return report_error(&err);
	vw_buffer_init(&out, 0);
	vw_config_show(config, &out);
	fputs(vw_buffer_text(&out), stdout);
	vw_buffer_reset(&out);
	vw_config_close(config);
	return EXIT_OK;
}

int run_config_policy(struct vw_cli_invocation *in)
{
	struct vw_config *config;
	struct vw_buffer text;
	struct vw_error err = VW_ERROR_INIT;
	size_t len;
	int code = config_load(in, &config, &err);
	if (code < 0)
		return report_error(&err);
	vw_buffer_init(&text, VW_MAX_POLICY_FILE);
	if (config->policy_file) {
		code = vw_file_read(config->policy_file, VW_MAX_POLICY_FILE, &text, &err);
	} else {
		const char *builtin = vw_policy_baseline(&len);
		vw_buffer_append(&text, builtin, len);
	}
	if (code == 0)
		fwrite(vw_buffer_text(&text), 1, text.len, stdout);
	vw_buffer_reset(&text);
	vw_config_close(config);
	return code < 0 ? report_error(&err) : EXIT_OK;
}
