/* routes.c: every path of the interface, once, and the way from a request to one. docs/openapi.yaml says what each takes and gives. */
#include "routes.h"

#include "base/limits.h"

#include <string.h>

#define ORG    "/api/v1/organizations"
#define AGENT  "/api/v1/agents/{}"
#define RECORD "/api/v1/records/{}/{}/{}" /* agent, model, version */

#define O       "organization "
#define PAGE    "cursor limit "
#define FILTERS "agent workspace model text stage owner risk status severity with_removed order descending "
#define COMMAND "kind depth model content from_sequence expires_in_s "

const struct api_route api_routes[] = {
    {"GET", ORG, API_READ, false, PAGE, NULL, 0, api_organization_list},
    {"POST", ORG, API_OPERATOR, false, "", "id name ", 0, api_organization_create},
    {"GET", ORG "/{}", API_READ, false, "", NULL, 0, api_organization_get},
    {"POST", ORG "/{}/disable", API_OPERATOR, false, "", "", 0, api_organization_disable},
    {"POST", ORG "/{}/enable", API_OPERATOR, false, "", "", 0, api_organization_enable},
    {"GET", "/api/v1/tokens", API_ADMIN, true, O, NULL, 0, api_token_list},
    {"POST", "/api/v1/tokens", API_ADMIN, true, O, "label expires_in_s uses ", 0, api_token_create},
    {"DELETE", "/api/v1/tokens/{}", API_ADMIN, true, O, NULL, 0, api_token_revoke},
    {"GET", "/api/v1/users", API_ADMIN, false, O, NULL, 0, api_user_list},
    {"POST", "/api/v1/users", API_ADMIN, false, O, "name role expires_in_s all_organizations ", 0, api_user_create},
    {"DELETE", "/api/v1/users/{}", API_ADMIN, false, O, NULL, 0, api_user_revoke},
    {"GET", "/api/v1/trail", API_READ, false, O PAGE, NULL, 0, api_trail},

    {"GET", "/api/v1/agents", API_READ, true, O PAGE "text status connected ", NULL, 0, api_agent_list},
    {"GET", AGENT, API_READ, true, O, NULL, 0, api_agent_get},
    {"POST", AGENT "/revoke", API_ADMIN, true, O, "reason ", 0, api_agent_revoke},
    {"POST", AGENT "/activate", API_ADMIN, true, O, "reason ", 0, api_agent_activate},
    {"GET", AGENT "/quarantine", API_READ, true, O, NULL, 0, api_agent_quarantine},
    {"GET", AGENT "/secrets", API_ADMIN, true, O, NULL, 0, api_secret_list},
    {"PUT", AGENT "/secrets/{}", API_ADMIN, true, O, "sealed ", 2 * VW_MAX_SEALED, api_secret_put},
    {"DELETE", AGENT "/secrets/{}", API_ADMIN, true, O, NULL, 0, api_secret_delete},
    {"POST", AGENT "/commands", API_ADMIN, true, O, COMMAND, VW_MAX_REQUEST_BODY, api_command_create},
    {"GET", AGENT "/commands", API_READ, true, O PAGE, NULL, 0, api_command_list_of_agent},
    {"GET", "/api/v1/commands", API_READ, true, O PAGE, NULL, 0, api_command_list},
    {"POST", "/api/v1/commands", API_ADMIN, true, O, COMMAND, VW_MAX_REQUEST_BODY, api_command_create_for_all},
    {"GET", "/api/v1/commands/{}", API_READ, true, O, NULL, 0, api_command_get},

    {"GET", "/api/v1/overview", API_READ, false, O, NULL, 0, api_overview},
    {"GET", "/api/v1/records", API_READ, true, O PAGE FILTERS, NULL, 0, api_record_list},
    {"GET", "/api/v1/records/export", API_READ, true, O FILTERS "format ", NULL, 0, api_record_export},
    {"GET", RECORD, API_READ, true, O "workspace ", NULL, 0, api_record_get},
    {"GET", RECORD "/history", API_READ, true, O PAGE "workspace ", NULL, 0, api_record_history},
    {"GET", "/api/v1/gaps", API_READ, true, O PAGE "agent model rule framework severity ", NULL, 0, api_gap_list},
    {"GET", "/api/v1/events", API_READ, true, O PAGE "agent model field since ", NULL, 0, api_event_list},
    {"GET", "/api/v1/changes", API_READ, true, O "last_event_id ", NULL, 0, api_changes},

    {"GET", AGENT "/ledger", API_READ, true, O PAGE "from ", NULL, 0, api_ledger_read},
    {"GET", AGENT "/ledger/verify", API_READ, true, O, NULL, 0, api_ledger_verify},
    {"GET", AGENT "/ledger/export", API_READ, true, O, NULL, 0, api_ledger_export},
    {"GET", "/api/v1/ledger/export", API_READ, true, O, NULL, 0, api_ledger_export_all},

    {"GET", "/enroll/v1/authorities", API_PUBLIC, false, "", NULL, 0, api_enroll_authorities},
    {"POST", "/enroll/v1/enroll", API_PUBLIC, false, "", "*", VW_MAX_FLEET_HELLO, api_enroll_enroll},
    {"POST", "/enroll/v1/renew", API_PUBLIC, false, "", "*", VW_MAX_FLEET_HELLO, api_enroll_renew},
    {"GET", "/healthz", API_PUBLIC, false, "", NULL, 0, api_health},
    {"GET", "/readyz", API_PUBLIC, false, "", NULL, 0, api_ready},
    {"GET", "/metrics", API_READ, false, "", NULL, 0, api_metrics},
    {"GET", "/api/v1/openapi.yaml", API_PUBLIC, false, "", NULL, 0, api_openapi},
    {NULL, NULL, API_PUBLIC, false, NULL, NULL, 0, NULL},
};

bool route_takes(const struct api_route *route, const char *method)
{
	return strcmp(route->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

bool route_names(const char *words, const char *name)
{
	size_t len = strlen(name);
	for (const char *at = words; *at; at += strcspn(at, " ") + 1)
		if (strcspn(at, " ") == len && memcmp(at, name, len) == 0)
			return true;
	return false;
}

/* 1: the path is the pattern's, and its open segments are in v; 0: it is not; -1: a segment cannot be read. */
static int match(struct visit *v, const char *pattern, const char *path)
{
	size_t found = 0;
	bool unreadable = false;
	while (*pattern && *path) {
		size_t wanted = strcspn(pattern + 1, "/"), given = strcspn(path + 1, "/");
		if (wanted == 2 && pattern[1] == '{') {
			if (given == 0)
				return 0;
			v->segments[found] = percent_decode(v->arena, path + 1, given, false);
			unreadable = unreadable || !v->segments[found++];
		} else if (wanted != given || strncmp(pattern, path, wanted + 1) != 0) {
			return 0;
		}
		pattern += wanted + 1;
		path += given + 1;
	}
	return *pattern || *path ? 0 : unreadable ? -1 : 1;
}

static const char *add_method(struct vw_arena *arena, const char *allow, const struct api_route *route)
{
	const char *also = strcmp(route->method, "GET") == 0 ? ", HEAD" : "";
	return allow ? vw_arena_printf(arena, "%s, %s%s", allow, route->method, also)
		     : vw_arena_printf(arena, "%s%s", route->method, also);
}

const struct api_route *route_find(struct visit *v, int *out_status, const char **out_allow)
{
	*out_status = 404;
	*out_allow = NULL;
	for (const struct api_route *route = api_routes; route->method; route++) {
		int fits = match(v, route->pattern, v->request->path);
		if (fits < 0) {
			*out_status = 400;
			return NULL;
		}
		if (fits && route_takes(route, v->request->method))
			return route;
		if (fits) {
			*out_status = 405;
			*out_allow = add_method(v->arena, *out_allow, route);
		}
	}
	return NULL;
}
