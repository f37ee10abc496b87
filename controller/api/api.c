/* api.c: from a request to its route: who asks, what for, how often, and the answer when something is wrong. */
#include "visit.h"

#include "base/clock.h"
#include "base/limits.h"
#include "feed.h"
#include "limiter.h"
#include "principal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LISTENERS        400 /* event streams at a time, of all organizations */
#define LISTENERS_OF_ONE 64
#define WORKS            12 /* exports and verifications at a time */
#define WORKS_OF_ONE     3

int vw_api_open(const struct vw_api_settings *settings, struct vw_api **out, struct vw_error *err)
{
	struct vw_api *api = calloc(1, sizeof(*api));
	if (!api)
		return vw_error_set(err, VW_ENOMEM, "no memory for the interface");
	api->settings = *settings;
	api->started_at = vw_clock_now();
	quota_init(&api->listeners, LISTENERS, LISTENERS_OF_ONE);
	quota_init(&api->works, WORKS, WORKS_OF_ONE);
	int code = limiter_open(settings->requests_per_second, settings->burst, &api->limiter, err);
	if (code == 0)
		code = feed_open(&api->feed, err);
	if (code < 0) {
		vw_api_close(api);
		return code;
	}
	*out = api;
	return 0;
}

void vw_api_close(struct vw_api *api)
{
	if (!api)
		return;
	limiter_close(api->limiter);
	feed_close(api->feed);
	quota_reset(&api->listeners);
	quota_reset(&api->works);
	free(api);
}

void vw_api_change(struct vw_api *api, const struct vw_change *change)
{
	feed_put(api->feed, change);
}

void vw_api_response_close(struct vw_api_response *response)
{
	if (response->close)
		response->close(response->stream);
	response->close = NULL;
	vw_buffer_reset(&response->body);
}

/* ---- may they ---- */

/* An operator says which organization is meant; where there is only one, that one is. */
static int find_organization(struct visit *v, const struct api_route *route, struct vw_error *err)
{
	int64_t asked;
	bool given;
	size_t number;
	vw_organization **all;
	int code = visit_query_int(v, "organization", 1, INT32_MAX, &asked, &given, err);
	if (code < 0)
		return code;
	v->organization = given ? (int32_t)asked : v->who.organization;
	if (v->who.organization != 0 && v->organization != v->who.organization)
		return vw_error_set(err, VW_ENOTFOUND, "no such organization");
	if (!route->tenant || v->organization != 0)
		return 0;
	code = vw_fleet_organization_list(v->api->settings.store, v->arena, 0, 2, &all, &number, err);
	if (code < 0)
		return code;
	if (number != 1)
		return vw_error_set(err, VW_EINVAL, "say which organization: organization=ID");
	v->organization = all[0]->id;
	return 0;
}

static int check_access(const struct visit *v, const struct api_route *route, struct vw_error *err)
{
	if (route->access == API_OPERATOR && (v->who.organization != 0 || v->who.role != VW_ROLE_ADMIN))
		return vw_error_set(err, VW_EFORBIDDEN, "only an operator of this controller may do this");
	if (route->access == API_ADMIN && v->who.role != VW_ROLE_ADMIN)
		return vw_error_set(err, VW_EFORBIDDEN, "the role auditor reads and changes nothing");
	return 0;
}

/* A tenant that was named exists, or it is as if it did not. */
static int check_tenant(struct visit *v, const struct api_route *route, struct vw_error *err)
{
	vw_organization *organization;
	if (v->organization == 0 || !route_names(route->query, "organization"))
		return 0;
	int code = vw_fleet_organization_get(v->api->settings.store, v->arena, v->organization, &organization, err);
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such organization") : code;
}

/* ---- what they send ---- */

static int check_query(struct visit *v, struct vw_error *err)
{
	int code = query_parse(v->arena, v->request->query, v->parameters, &v->parameter_count, err);
	for (size_t i = 0; code == 0 && i < v->parameter_count; i++)
		if (!route_names(v->route->query, v->parameters[i].name))
			code = vw_error_set(err, VW_EINVAL, "there is no parameter %.40s here; this path takes: %s",
					    v->parameters[i].name, v->route->query[0] ? v->route->query : "none");
	return code;
}

/* A misspelt member would otherwise be a default that nobody wanted. */
static int check_members(const struct visit *v, struct vw_error *err)
{
	const char *name;
	json_t *value;
	json_object_foreach(v->input, name, value)
	{
		if (!route_names(v->route->body, name))
			return vw_error_set(err, VW_EINVAL, "there is no member %.40s here; this body has: %s", name,
					    v->route->body[0] ? v->route->body : "none");
	}
	return 0;
}

static int parse_body(struct visit *v, struct vw_error *err)
{
	if (!v->route->body || v->request->body.len == 0)
		return 0;
	int code = vw_json_parse(v->request->body.data, v->request->body.len, "the body", &v->input, err);
	if (code == VW_ELIMIT)
		return vw_error_set(err, VW_EINVAL, "the body is nested too deeply");
	if (code == 0 && !json_is_object(v->input))
		code = vw_error_set(err, VW_EINVAL, "the body is no JSON object");
	return code < 0 ? code : check_members(v, err);
}

static size_t most_of_body(const struct api_route *route)
{
	return route->body_most ? route->body_most : API_SMALL_BODY;
}

/* What a browser's form could send is none of ours. */
static bool type_fits(const struct visit *v)
{
	const char *type = v->request->header("Content-Type", v->request->arg);
	const char *wanted = v->route->body && v->route->body[0] == '*' ? "application/protobuf" : "application/json";
	size_t len = type ? strcspn(type, "; \t") : 0;
	return v->request->local || !v->route->body || (len == strlen(wanted) && strncasecmp(type, wanted, len) == 0);
}

/* ---- how often ---- */

/* An IPv6 network of 64 bits is one household, not 2^64 peers. */
static void name_peer(const char *peer, char *out, size_t size)
{
	struct in6_addr at;
	char text[INET6_ADDRSTRLEN] = "";
	if (inet_pton(AF_INET6, peer, &at) == 1) {
		memset(at.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &at, text, sizeof(text));
	}
	snprintf(out, size, "peer %s", text[0] ? text : peer);
}

/* False when it was answered with 429. `known`: asks as v->who, else as somebody at an address. */
static bool within_rate(struct visit *v, bool known)
{
	char key[VW_PRINCIPAL_NAME + 16];
	if (v->request->local)
		return true;
	if (known)
		snprintf(key, sizeof(key), "%d %s", (int)v->who.organization, v->who.name);
	else
		name_peer(v->request->peer, key, sizeof(key));
	v->out->retry_after_s = limiter_take(v->api->limiter, key, vw_clock_monotonic());
	if (v->out->retry_after_s == 0)
		return true;
	visit_refuse(v, 429, "too many requests; see Retry-After");
	return false;
}

/* ---- the whole ---- */

static int serve_known(struct visit *v, struct vw_error *err)
{
	int code = check_access(v, v->route, err);
	if (code == 0)
		code = check_query(v, err);
	if (code == 0)
		code = find_organization(v, v->route, err);
	if (code == 0)
		code = check_tenant(v, v->route, err);
	if (code == 0)
		code = parse_body(v, err);
	return code < 0 ? code : v->route->run(v, err);
}

static void serve(struct visit *v)
{
	struct vw_error err = VW_ERROR_INIT;
	bool is_public = v->route->access == API_PUBLIC;
	int code = is_public ? 0 : principal_find(v, &err);
	if (!within_rate(v, !is_public && code == 0))
		return;
	if (code == 0 && is_public)
		code = check_query(v, &err);
	if (code == 0)
		code = is_public ? v->route->run(v, &err) : serve_known(v, &err);
	if (code < 0)
		visit_refuse(v, visit_status_of(code), err.message);
	else if (vw_buffer_error(&v->out->body))
		visit_refuse(v, 500, "the answer is too long");
}

static void begin(struct visit *v, struct vw_api *api, const struct vw_api_request *request, struct vw_arena *arena,
		  struct vw_api_response *out)
{
	memset(v, 0, sizeof(*v));
	memset(out, 0, sizeof(*out));
	vw_buffer_init_secret(&out->body, 0);
	v->api = api;
	v->request = request;
	v->arena = arena;
	v->now = vw_clock_now();
	v->out = out;
}

/* False when it was answered: there is no such thing to ask for. */
static bool find_route(struct visit *v)
{
	int status;
	const char *allow;
	v->route = route_find(v, &status, &allow);
	if (v->route)
		return true;
	visit_refuse(v, status,
		     status == 404   ? "no such path"
		     : status == 405 ? "the path does not take this method"
				     : "the path cannot be read");
	v->out->allow = allow;
	return false;
}

static void count(struct visit *v)
{
	int first = v->out->status / 100;
	atomic_fetch_add_explicit(&v->api->answers[first >= 0 && first < 6 ? first : 0], 1, memory_order_relaxed);
}

/* Whoever may not ask is told so before the body is read: nobody else's body takes memory. */
static bool admit(struct visit *v)
{
	struct vw_error err = VW_ERROR_INIT;
	if (!find_route(v))
		return false;
	int code = v->route->access == API_PUBLIC ? 0 : principal_find(v, &err);
	if (code < 0) {
		if (within_rate(v, false))
			visit_refuse(v, visit_status_of(code), err.message);
		return false;
	}
	if (!type_fits(v))
		visit_refuse(v, 415,
			     v->route->body[0] == '*' ? "the body must be of type application/protobuf"
						      : "the body must be of type application/json");
	return v->out->status == 0;
}

bool vw_api_admit(struct vw_api *api, const struct vw_api_request *request, struct vw_arena *arena, size_t *out_most,
		  struct vw_api_response *out)
{
	struct visit v;
	begin(&v, api, request, arena, out);
	bool welcome = admit(&v);
	if (welcome)
		*out_most = most_of_body(v.route);
	else
		count(&v);
	return welcome;
}

void vw_api_handle(struct vw_api *api, const struct vw_api_request *request, struct vw_arena *arena,
		   struct vw_api_response *out)
{
	struct visit v;
	begin(&v, api, request, arena, out);
	if (find_route(&v)) {
		if (request->body.len > most_of_body(v.route))
			visit_refuse(&v, 413, "the body is larger than this path takes");
		else
			serve(&v);
	}
	count(&v);
	json_decref(v.input);
}
