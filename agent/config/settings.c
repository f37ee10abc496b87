#include "settings.h"

#define AT(member) offsetof(struct vw_config, member)
#define SECOND     1000.0
#define DAY        (86400.0 * SECOND)

/* One row, one setting. */
/* clang-format off */
const struct setting settings[SETTING_COUNT] = {
    {"mlflow", "tracking_uri", {"MLFLOW_TRACKING_URI"}, NULL, SETTING_URI, AT(mlflow.tracking_uri), 0, 0},
    {"mlflow", "workspace", {"MLFLOW_WORKSPACE"}, NULL, SETTING_TEXT, AT(mlflow.workspace), 0, 0},
    {"mlflow", "username", {NULL}, NULL, SETTING_TEXT, AT(credential.username), 0, 0},
    {"mlflow", "username_file", {NULL}, NULL, SETTING_TEXT, AT(credential.username_file), 0, 0},
    {"mlflow", "password_file", {NULL}, NULL, SETTING_TEXT, AT(credential.password_file), 0, 0},
    {"mlflow", "token_file", {NULL}, NULL, SETTING_TEXT, AT(credential.token_file), 0, 0},
    {"mlflow", "headers_file", {NULL}, NULL, SETTING_TEXT, AT(headers_file), 0, 0},
    {"mlflow", "ca_file", {"MLFLOW_TRACKING_SERVER_CERT_PATH"}, NULL, SETTING_TEXT, AT(mlflow.ca_file), 0, 0},
    {"mlflow", "client_cert_file", {"MLFLOW_TRACKING_CLIENT_CERT_PATH"}, NULL, SETTING_TEXT, AT(mlflow.client_cert_file), 0, 0},
    {"mlflow", "client_key_file", {NULL}, NULL, SETTING_TEXT, AT(mlflow.client_key_file), 0, 0},
    {"mlflow", "insecure_tls", {"MLFLOW_TRACKING_INSECURE_TLS"}, "false", SETTING_BOOL, AT(mlflow.insecure_tls), 0, 0},
    {"mlflow", "proxy", {NULL}, NULL, SETTING_TEXT, AT(mlflow.proxy), 0, 0},
    {"mlflow", "aws_sigv4", {"MLFLOW_TRACKING_AWS_SIGV4"}, "false", SETTING_BOOL, AT(credential.aws_sigv4), 0, 0},
    {"mlflow", "aws_region", {"AWS_REGION", "AWS_DEFAULT_REGION"}, NULL, SETTING_TEXT, AT(mlflow.aws_region), 0, 0},
    {"mlflow", "connections", {NULL}, "4", SETTING_INT, AT(mlflow.connections), 1, 16},
    {"mlflow", "requests_per_second", {NULL}, "20", SETTING_NUMBER, AT(mlflow.requests_per_second), 0.1, 1000},
    {"mlflow", "burst", {NULL}, "40", SETTING_INT, AT(mlflow.burst), 1, 10000},
    {"mlflow", "retries", {"MLFLOW_HTTP_REQUEST_MAX_RETRIES"}, "5", SETTING_INT, AT(mlflow.retries), 0, 20},
    {"mlflow", "connect_timeout", {NULL}, "10s", SETTING_DURATION, AT(mlflow.connect_timeout_ms), SECOND, DAY},
    {"mlflow", "request_timeout", {"MLFLOW_HTTP_REQUEST_TIMEOUT"}, "120s", SETTING_DURATION, AT(mlflow.request_timeout_ms), SECOND, DAY},
    {"mlflow", "cycle_timeout", {NULL}, "0s", SETTING_DURATION, AT(mlflow.cycle_timeout_ms), 0, 30 * DAY},
    {"mlflow", "page_versions", {NULL}, "400", SETTING_INT, AT(mlflow.page_versions), 1, 10000},
    {"mlflow", "page_models", {NULL}, "200", SETTING_INT, AT(mlflow.page_models), 1, 1000},
    {NULL, "state_dir", {"VW_STATE_DIR", "STATE_DIRECTORY"}, NULL, SETTING_TEXT, AT(state_dir), 0, 0},
    {NULL, "policy_file", {"VW_POLICY_FILE"}, NULL, SETTING_TEXT, AT(policy_file), 0, 0},
    {"schedule", "quick", {NULL}, "5m", SETTING_DURATION, AT(quick_interval_ms), 5 * SECOND, 365 * DAY},
    {"schedule", "full", {NULL}, "6h", SETTING_DURATION, AT(full_interval_ms), 5 * SECOND, 365 * DAY},
    {NULL, "listen", {"VW_LISTEN"}, "127.0.0.1:9477", SETTING_LISTEN, AT(listen), 0, 0},
    {"log", "level", {"VW_LOG_LEVEL"}, "info", SETTING_LEVEL, AT(log_level), 0, 0},
    {"log", "format", {"VW_LOG_FORMAT"}, "text", SETTING_FORMAT, AT(log_format), 0, 0},
};
/* clang-format on */

const struct list_setting list_settings[LIST_COUNT] = {
    {"scope", "include", AT(include)},           {"scope", "exclude", AT(exclude)},
    {"scope", "include_tags", AT(include_tags)}, {"scope", "exclude_tags", AT(exclude_tags)},
    {NULL, "mask_patterns", AT(mask_patterns)},
};
