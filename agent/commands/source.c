#include "source.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/limits.h"
#include "remote.h"

#include <string.h>

int policy_open(const struct session *session, struct vw_policy **out, struct vw_error *err)
{
	const struct vw_config *config = session->config;
	const struct vw_config_given *tried = session->trial ? &session->trial->files : NULL;
	struct vw_buffer text;
	size_t len;
	if (tried && tried->policy_len > 0)
		return vw_policy_load(tried->policy, tried->policy_len, "the controller's policy", out, err);
	if (!config->policy_file) {
		const char *builtin = vw_policy_baseline(&len);
		return vw_policy_load(builtin, len, "built-in policy", out, err);
	}
	vw_buffer_init(&text, VW_MAX_POLICY_FILE);
	int code = vw_file_read(config->policy_file, VW_MAX_POLICY_FILE, &text, err);
	if (code == 0)
		code = vw_policy_load(vw_buffer_text(&text), text.len, config->policy_file, out, err);
	vw_buffer_reset(&text);
	return code < 0 && code != VW_ENOMEM ? vw_error_set(err, VW_ECONFIG, "%s", err->message) : code;
}

static int extend(const char *kind, const char *target, const char *word, void *arg, struct vw_error *err)
{
	struct source *source = arg;
	bool person = strcmp(target, "identity.owner") == 0 || strcmp(target, "risk.compliance_approver") == 0;
	if (strcmp(kind, "tag") == 0) {
		int code = vw_mapping_add_tag(source->mapping, target, word, err);
		return code == 0 && person ? vw_masker_spare(source->masker, word, err) : code;
	}
	return vw_mapping_add_stage(source->mapping, target, word, err);
}

static int open_client(const struct session *session, struct source *s, struct vw_error *err)
{
	const struct vw_config *config = session->config;
	const vw_agent_identity *identity = vw_store_identity(session->store);
	if (!config->mlflow.tracking_uri)
		return vw_error_set(
		    err, VW_ECONFIG,
		    "no tracking server: set MLFLOW_TRACKING_URI, or mlflow.tracking_uri in the configuration");
	int code = vw_credentials_open(&config->credential, &s->credentials, err);
	if (code == 0 && config->tracking_userinfo)
		code = vw_credentials_add_userinfo(s->credentials, config->tracking_userinfo, err);
	if (code == 0)
		code = remote_give_secrets(config, session->store, session->trial, s->credentials, err);
	if (code < 0)
		return code;
	if (identity->fingerprint_key.len != 32)
		return vw_error_set(err, VW_ECORRUPT, "the state's fingerprint key has the wrong size");
	vw_credentials_label(s->credentials, identity->fingerprint_key.data, s->label);
	s->settings = config->mlflow;
	s->settings.user_agent = "vw-agent/" VW_AGENT_VERSION;
	if (config->mlflow.retries == 0)
		s->settings.retries = -1; /* the client's word for none; 0 is its default */
	return vw_mlflow_open(&s->settings, s->credentials, &vw_cli_cancelled, &s->client, err);
}

static int open_all(const struct session *session, bool ask, struct source *s, struct vw_error *err)
{
	const struct vw_config *config = session->config;
	s->arena = vw_arena_open(0);
	s->mapping = s->arena ? vw_mapping_open(s->arena) : NULL;
	if (!s->mapping)
		return vw_error_set(err, VW_ENOMEM, "no memory for the mapping of tags");
	int code = policy_open(session, &s->policy, err);
	if (code == 0)
		code = vw_masker_open(config->mask_patterns, &s->masker, err);
	if (code == 0)
		code = vw_policy_each_extension(s->policy, extend, s, err);
	if (code == 0 && ask)
		code = open_client(session, s, err);
	return code;
}

int source_open(const struct session *session, bool ask, struct source *out, struct vw_error *err)
{
	const struct vw_config *config = session->config;
	memset(out, 0, sizeof(*out));
	int code = open_all(session, ask, out, err);
	if (code < 0) {
		source_close(out);
		return code;
	}
	out->scope = (struct vw_scope){config->include, config->exclude, config->include_tags, config->exclude_tags};
	out->context = (struct vw_sync_context){.store = session->store,
						.client = out->client,
						.masker = out->masker,
						.mapping = out->mapping,
						.policy = out->policy,
						.tracking_uri = config->mlflow.tracking_uri,
						.agent_version = VW_AGENT_VERSION,
						.credential = ask ? out->label : NULL,
						.config_sha256 = config->sha256,
						.scope = &out->scope,
						.workspace = config->mlflow.workspace,
						.cancel = &vw_cli_cancelled};
	return 0;
}

void source_close(struct source *source)
{
	vw_mlflow_close(source->client);
	vw_credentials_close(source->credentials);
	vw_masker_close(source->masker);
	vw_policy_close(source->policy);
	vw_arena_close(source->arena);
	memset(source, 0, sizeof(*source));
}
