#include "settings.h"

#define AT(member) .offset = offsetof(struct vw_config, member)
#define SECOND     1000.0
#define DAY        (86400.0 * SECOND)

/* One row, one setting. */
/* clang-format off */
static const struct vw_setting rows[] = {
    {.section = "mlflow", .key = "tracking_uri", .env = {"MLFLOW_TRACKING_URI"}, .type = VW_SETTING_URI, AT(mlflow.tracking_uri), .flags = VW_SETTING_WIPED, .prepare = config_take_userinfo},
    {.section = "mlflow", .key = "workspace", .env = {"MLFLOW_WORKSPACE"}, .type = VW_SETTING_TEXT, AT(mlflow.workspace)},
    {.section = "mlflow", .key = "username", .type = VW_SETTING_TEXT, AT(credential.username)},
    {.section = "mlflow", .key = "username_file", .type = VW_SETTING_TEXT, AT(credential.username_file)},
    {.section = "mlflow", .key = "password_file", .type = VW_SETTING_TEXT, AT(credential.password_file)},
    {.section = "mlflow", .key = "token_file", .type = VW_SETTING_TEXT, AT(credential.token_file)},
    {.section = "mlflow", .key = "headers_file", .type = VW_SETTING_TEXT, AT(headers_file)},
    {.section = "mlflow", .key = "ca_file", .env = {"MLFLOW_TRACKING_SERVER_CERT_PATH"}, .type = VW_SETTING_TEXT, AT(mlflow.ca_file)},
    {.section = "mlflow", .key = "client_cert_file", .env = {"MLFLOW_TRACKING_CLIENT_CERT_PATH"}, .type = VW_SETTING_TEXT, AT(mlflow.client_cert_file)},
    {.section = "mlflow", .key = "client_key_file", .type = VW_SETTING_TEXT, AT(mlflow.client_key_file)},
    {.section = "mlflow", .key = "insecure_tls", .env = {"MLFLOW_TRACKING_INSECURE_TLS"}, .fallback = "false", .type = VW_SETTING_BOOL, AT(mlflow.insecure_tls)},
    {.section = "mlflow", .key = "proxy", .type = VW_SETTING_TEXT, AT(mlflow.proxy), .flags = VW_SETTING_USERINFO},
    {.section = "mlflow", .key = "aws_sigv4", .env = {"MLFLOW_TRACKING_AWS_SIGV4"}, .fallback = "false", .type = VW_SETTING_BOOL, AT(credential.aws_sigv4)},
    {.section = "mlflow", .key = "aws_region", .env = {"AWS_REGION", "AWS_DEFAULT_REGION"}, .type = VW_SETTING_TEXT, AT(mlflow.aws_region)},
    {.section = "mlflow", .key = "connections", .fallback = "4", .type = VW_SETTING_INT, AT(mlflow.connections), .min = 1, .max = 16},
    {.section = "mlflow", .key = "requests_per_second", .fallback = "20", .type = VW_SETTING_NUMBER, AT(mlflow.requests_per_second), .min = 0.1, .max = 1000},
    {.section = "mlflow", .key = "burst", .fallback = "40", .type = VW_SETTING_INT, AT(mlflow.burst), .min = 1, .max = 10000},
    {.section = "mlflow", .key = "retries", .env = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES"}, .fallback = "5", .type = VW_SETTING_INT, AT(mlflow.retries), .min = 0, .max = 20},
    {.section = "mlflow", .key = "connect_timeout", .fallback = "10s", .type = VW_SETTING_DURATION, AT(mlflow.connect_timeout_ms), .min = SECOND, .max = DAY},
    {.section = "mlflow", .key = "request_timeout", .env = {"MLFLOW_HTTP_REQUEST_TIMEOUT"}, .fallback = "120s", .type = VW_SETTING_DURATION, AT(mlflow.request_timeout_ms), .min = SECOND, .max = DAY},
    {.section = "mlflow", .key = "cycle_timeout", .fallback = "0s", .type = VW_SETTING_DURATION, AT(mlflow.cycle_timeout_ms), .min = 0, .max = 30 * DAY},
    {.section = "mlflow", .key = "page_versions", .fallback = "400", .type = VW_SETTING_INT, AT(mlflow.page_versions), .min = 1, .max = 10000},
    {.section = "mlflow", .key = "page_models", .fallback = "200", .type = VW_SETTING_INT, AT(mlflow.page_models), .min = 1, .max = 1000},
    {.section = "scope", .key = "include", .type = VW_SETTING_LIST, AT(include)},
    {.section = "scope", .key = "exclude", .type = VW_SETTING_LIST, AT(exclude)},
    {.section = "scope", .key = "include_tags", .type = VW_SETTING_LIST, AT(include_tags)},
    {.section = "scope", .key = "exclude_tags", .type = VW_SETTING_LIST, AT(exclude_tags)},
    {.key = "state_dir", .env = {"VW_STATE_DIR", "STATE_DIRECTORY"}, .type = VW_SETTING_TEXT, AT(state_dir)},
    {.key = "policy_file", .env = {"VW_POLICY_FILE"}, .type = VW_SETTING_TEXT, AT(policy_file)},
    {.section = "schedule", .key = "quick", .fallback = "5m", .type = VW_SETTING_DURATION, AT(quick_interval_ms), .min = 5 * SECOND, .max = 365 * DAY},
    {.section = "schedule", .key = "full", .fallback = "6h", .type = VW_SETTING_DURATION, AT(full_interval_ms), .min = 5 * SECOND, .max = 365 * DAY},
    {.key = "listen", .env = {"VW_LISTEN"}, .fallback = "127.0.0.1:9477", .type = VW_SETTING_LISTEN, AT(listen)},
    {.key = "mask_patterns", .type = VW_SETTING_LIST, AT(mask_patterns)},
    {.section = "controller", .key = "refuse", .type = VW_SETTING_LIST, AT(controller_refuse)},
    {.section = "controller", .key = "settings", .type = VW_SETTING_LIST, AT(controller_settings)},
    {.section = "controller", .key = "secrets", .fallback = "true", .type = VW_SETTING_BOOL, AT(controller_secrets)},
    {.section = "controller", .key = "proxy", .type = VW_SETTING_TEXT, AT(controller_proxy), .flags = VW_SETTING_USERINFO},
    {.section = "controller", .key = "connect_timeout", .fallback = "10s", .type = VW_SETTING_DURATION, AT(controller_connect_timeout_ms), .min = SECOND, .max = DAY},
    {.section = "controller", .key = "request_timeout", .fallback = "30s", .type = VW_SETTING_DURATION, AT(controller_request_timeout_ms), .min = SECOND, .max = DAY},
    {.section = "log", .key = "level", .env = {"VW_LOG_LEVEL"}, .fallback = "info", .type = VW_SETTING_CHOICE, AT(log_level), .choices = vw_setting_log_levels},
    {.section = "log", .key = "format", .env = {"VW_LOG_FORMAT"}, .fallback = "text", .type = VW_SETTING_CHOICE, AT(log_format), .choices = vw_setting_log_formats},
};
/* clang-format on */

const struct vw_settings_table config_settings = {rows, sizeof(rows) / sizeof(rows[0]), "VW_CONFIG",
						  "verifywise/agent.yaml"};
