/* config.h: what the operator decided, from one YAML file and the environment.
 *
 * All of it is optional: with MLFLOW_TRACKING_URI alone everything works. Order of precedence: command line, environment,
 * file, default. The file is the first of --config, $VW_CONFIG, $XDG_CONFIG_HOME/verifywise/agent.yaml, /etc/verifywise/agent.yaml.
 * Secrets are never in it, only names of files that hold them. Errors name file, line and key.
 *
 *	mlflow:
 *	  tracking_uri: https://mlflow.example.org/prefix
 *	  workspace: team-a
 *	  username: reader
 *	  password_file: /run/secrets/mlflow-password
 *	  token_file: ...
 *	  ca_file: ...            client_cert_file: ...   client_key_file: ...   insecure_tls: false
 *	  headers_file: ...       # lines "Name: value"
 *	  proxy: http://proxy.example.org:3128
 *	  aws_sigv4: false        aws_region: eu-central-1
 *	  connections: 4          requests_per_second: 20   burst: 40   retries: 5
 *	  page_versions: 400      page_models: 200
 *	  connect_timeout: 10s    request_timeout: 120s     cycle_timeout: 0
 *	scope:
 *	  include: [credit-*]     exclude: [sandbox-*]      include_tags: [tier=prod*]   exclude_tags: [ignore]
 *	state_dir: /var/lib/verifywise-agent
 *	policy_file: /etc/verifywise/policy.yaml
 *	mask_patterns: ['\b\d{3}-\d{2}-\d{4}\b']
 *	schedule: {quick: 5m, full: 6h}
 *	listen: 127.0.0.1:9477    # health and metrics of `run`; loopback addresses only; "off"
 *	controller:               # of `enroll` and `run`; without an enrolment none of it counts
 *	  refuse: [set_policy]    # kinds of commands that are not obeyed; "all": none is
 *	  settings: [schedule.quick, schedule.full]   # keys of this file that the controller may set
 *	  secrets: true           # takes credentials from the controller
 *	  proxy: http://proxy.example.org:3128
 *	  connect_timeout: 10s    request_timeout: 30s
 *	log: {level: info, format: text}
 *
 * What the controller gave lies in <state_dir>/controller/: policy.yaml, used in place of policy_file unless set_policy is refused, and
 * configuration.yaml, laid over this file for the keys that controller.settings names.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "mlflow/client.h"
#include "mlflow/credential.h"

#include <stdbool.h>
#include <stdint.h>

/* Borrowed from the configuration until it is closed. Lists are NULL-terminated, never NULL. */
struct vw_config {
	struct vw_mlflow_settings
	    mlflow; /* user_agent is left to the caller; tracking_uri is NULL if nothing names one */
	struct vw_credential_settings credential;
	const char *tracking_userinfo; /* NULL; "user:password" that stood in MLFLOW_TRACKING_URI: a secret */
	const char *headers_file;      /* lines "Name: value"; read at load, the values are secrets */
	const char *const *include;
	const char *const *exclude;
	const char *const *include_tags;
	const char *const *exclude_tags;
	const char *state_dir;   /* default: $XDG_STATE_HOME/verifywise-agent */
	const char *policy_file; /* NULL: the built-in policy */
	const char *const *mask_patterns;
	int64_t quick_interval_ms; /* [5 min] */
	int64_t full_interval_ms;  /* [6 h] */
	const char *listen;        /* [127.0.0.1:9477]; NULL: off */
	const char *const *controller_refuse;
	const char *const *controller_settings;
	bool controller_secrets;
	const char *controller_proxy; /* NULL: from the environment */
	int64_t controller_connect_timeout_ms, controller_request_timeout_ms;
	enum vw_log_level log_level;
	enum vw_log_format log_format;
	const char *path;   /* of the file that was read; NULL: none */
	uint8_t sha256[32]; /* of what is in force, without secrets: changes when a setting does */
};

/* `path`: --config, or NULL to look in the usual places (then a missing file is fine). `state_dir`: --state, or NULL.
 * VW_ECONFIG. The environment is looked at too, and what is secret in it is wiped where it stands (base/secret.h). */
int vw_config_load(const char *path, const char *state_dir, struct vw_config **out, struct vw_error *err);
void vw_config_close(struct vw_config *config); /* wipes; NULL is fine */

/* What the controller would give in place of what lies in <state_dir>/controller; borrowed for the call. */
struct vw_config_given {
	bool has_policy, has_configuration; /* otherwise what lies there counts */
	const char *policy, *configuration;
	size_t policy_len, configuration_len; /* 0: none, the local file counts */
};
/* vw_config_load() as it would be with them. A policy itself is not looked at: policy_file names where it would lie. */
int vw_config_try(const char *path, const char *state_dir, const struct vw_config_given *given,
		  struct vw_config **out, struct vw_error *err);

/* True if the local file forbids this kind of command ("set_policy"). */
bool vw_config_refuses(const struct vw_config *config, const char *kind);

/* What is in force, as YAML with a comment for each value's origin ("# MLFLOW_TRACKING_URI", "# default"); secrets are shown as "***". */
void vw_config_show(const struct vw_config *config, struct vw_buffer *out);

#endif
