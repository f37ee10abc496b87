/* routes.c: every path of the interface, once. docs/openapi.yaml says what each takes and gives. */
#include "routes.h"

#define ORG    "/api/v1/organizations"
#define AGENT  "/api/v1/agents/{}"
#define RECORD "/api/v1/records/{}/{}/{}" /* agent, model, version */

const struct api_route api_routes[] = {
    {"GET", ORG, API_READ, false, api_organization_list},
    {"POST", ORG, API_OPERATOR, false, api_organization_create},
    {"GET", ORG "/{}", API_READ, false, api_organization_get},
    {"POST", ORG "/{}/disable", API_OPERATOR, false, api_organization_disable},
    {"POST", ORG "/{}/enable", API_OPERATOR, false, api_organization_enable},
    {"GET", "/api/v1/tokens", API_ADMIN, true, api_token_list},
    {"POST", "/api/v1/tokens", API_ADMIN, true, api_token_create},
    {"DELETE", "/api/v1/tokens/{}", API_ADMIN, true, api_token_revoke},
    {"GET", "/api/v1/users", API_ADMIN, false, api_user_list},
    {"POST", "/api/v1/users", API_ADMIN, false, api_user_create},
    {"DELETE", "/api/v1/users/{}", API_ADMIN, false, api_user_revoke},
    {"GET", "/api/v1/trail", API_READ, false, api_trail},

    {"GET", "/api/v1/agents", API_READ, true, api_agent_list},
    {"GET", AGENT, API_READ, true, api_agent_get},
    {"POST", AGENT "/revoke", API_ADMIN, true, api_agent_revoke},
    {"POST", AGENT "/activate", API_ADMIN, true, api_agent_activate},
    {"GET", AGENT "/quarantine", API_READ, true, api_agent_quarantine},
    {"GET", AGENT "/secrets", API_ADMIN, true, api_secret_list},
    {"PUT", AGENT "/secrets/{}", API_ADMIN, true, api_secret_put},
    {"DELETE", AGENT "/secrets/{}", API_ADMIN, true, api_secret_delete},
    {"POST", AGENT "/commands", API_ADMIN, true, api_command_create},
    {"GET", AGENT "/commands", API_READ, true, api_command_list_of_agent},
    {"GET", "/api/v1/commands", API_READ, true, api_command_list},
    {"POST", "/api/v1/commands", API_ADMIN, true, api_command_create_for_all},
    {"GET", "/api/v1/commands/{}", API_READ, true, api_command_get},

    {"GET", "/api/v1/overview", API_READ, false, api_overview},
    {"GET", "/api/v1/records", API_READ, true, api_record_list},
    {"GET", RECORD, API_READ, true, api_record_get},
    {"GET", RECORD "/history", API_READ, true, api_record_history},
    {"GET", "/api/v1/gaps", API_READ, true, api_gap_list},
    {"GET", "/api/v1/events", API_READ, true, api_event_list},
    {"GET", "/api/v1/changes", API_READ, true, api_changes},

    {"GET", AGENT "/ledger", API_READ, true, api_ledger_read},
    {"GET", AGENT "/ledger/verify", API_READ, true, api_ledger_verify},

    {"GET", "/enroll/v1/authorities", API_PUBLIC, false, api_enroll_authorities},
    {"POST", "/enroll/v1/enroll", API_PUBLIC, false, api_enroll_enroll},
    {"POST", "/enroll/v1/renew", API_PUBLIC, false, api_enroll_renew},
    {"GET", "/healthz", API_PUBLIC, false, api_health},
    {"GET", "/readyz", API_PUBLIC, false, api_ready},
    {"GET", "/metrics", API_READ, false, api_metrics},
    {"GET", "/api/v1/openapi.yaml", API_PUBLIC, false, api_openapi},
    {NULL, NULL, API_PUBLIC, false, NULL},
};
