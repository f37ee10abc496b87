/* config_command.c: `config check`, `config show`, `config policy`. */
#include "source.h"

#include "base/file.h"
#include "base/limits.h"

#include <stdio.h>

int run_config_check(struct invocation *in)
{
	struct vw_config *config;
	struct vw_policy *policy = NULL;
	struct vw_masker *masker = NULL;
	struct vw_error err = VW_ERROR_INIT;
	int code = vw_config_load(in->config_path, in->state_dir, &config, &err);
	if (code < 0)
		return report_error(&err);
	code = policy_open(config, &policy, &err);
	if (code == 0)
		code = vw_masker_open(config->mask_patterns, &masker, &err);
	if (code == 0) {
		size_t rules = 0;
		while (vw_policy_rule(policy, rules))
			rules++;
		printf("configuration %s is valid\npolicy %s version %lld (%s) is valid: %zu rules\n",
		       config->path ? config->path : "(no file, defaults and environment)", vw_policy_id(policy),
		       (long long)vw_policy_version(policy), config->policy_file ? config->policy_file : "built-in",
		       rules);
		if (!config->mlflow.tracking_uri)
			puts(
			    "note: no tracking server is set; sync needs MLFLOW_TRACKING_URI or mlflow.tracking_uri");
	}
	vw_masker_close(masker);
	vw_policy_close(policy);
	vw_config_close(config);
	return code < 0 ? report_error(&err) : EXIT_OK;
}

int run_config_show(struct invocation *in)
{
	struct vw_config *config;
	struct vw_buffer out;
	struct vw_error err = VW_ERROR_INIT;
	int code = vw_config_load(in->config_path, in->state_dir, &config, &err);
	if (code < 0)
		return report_error(&err);
	vw_buffer_init(&out, 0);
	vw_config_show(config, &out);
	fputs(vw_buffer_text(&out), stdout);
	vw_buffer_reset(&out);
	vw_config_close(config);
	return EXIT_OK;
}

int run_config_policy(struct invocation *in)
{
	struct vw_config *config;
	struct vw_buffer text;
	struct vw_error err = VW_ERROR_INIT;
	size_t len;
	int code = vw_config_load(in->config_path, in->state_dir, &config, &err);
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
