/* api.c: from a request to its route: who asks, what for, how often, and the answer when something is wrong. */
#include "visit.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "feed.h"
#include "percent.h"
#include "principal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int vw_api_open(const struct vw_api_settings *settings, struct vw_api **out, struct vw_error *err)
{
	struct vw_api *api = calloc(1, sizeof(*api));
	if (!api)
		return vw_error_set(err, VW_ENOMEM, "no memory for the interface");
	api->settings = *settings;
	api->started_at = vw_clock_now();
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

/* ---- errors as answers ---- */

static int status_of(int code)
{
	switch (code) {
	case VW_EINVAL:
	case VW_EUSAGE:
		return 400;
	case VW_EAUTH:
		return 401;
	case VW_EFORBIDDEN:
		return 403;
	case VW_ENOTFOUND:
		return 404;
	case VW_EBUSY:
		return 409;
	case VW_ELIMIT:
		return 413;
	case VW_EAGAIN:
	case VW_EFULL:
		return 503;
	default:
		return 500;
	}
}

/* What went wrong inside is logged, not told: it may name hosts or tables. */
static void answer_error(struct visit *v, int status, const char *message)
{
	bool inside = status >= 500;
	v->out->next = NULL;
	visit_begin(v, status, inside ? "the controller cannot do this now" : message);
	if (inside)
		vw_json_put_text(&v->json, status == 503 ? "unavailable" : "internal");
	else
		vw_json_put_null(&v->json);
	visit_end(v);
	if (status == 503)
		v->out->retry_after_s = 1;
	if (inside)
		vw_log(VW_LOG_ERROR, "request_failed", VW_LOG_S("method", v->request->method),
		       VW_LOG_S("path", v->request->path), VW_LOG_S("reason", message));
}

/* ---- finding the route ---- */

/* 1: the path is the pattern's, and its open segments are in v; 0: it is not; -1: a segment cannot be read. */
static int match(struct visit *v, const char *pattern, const char *path)
{
	size_t found = 0;
	while (*pattern && *path) {
		size_t wanted = strcspn(pattern + 1, "/"), given = strcspn(path + 1, "/");
		if (wanted == 2 && pattern[1] == '{') {
			v->segments[found] = percent_decode(v->arena, path + 1, given, false);
			if (given == 0 || !v->segments[found++])
				return given == 0 ? 0 : -1;
		} else if (wanted != given || strncmp(pattern, path, wanted + 1) != 0) {
			return 0;
		}
		pattern += wanted + 1;
		path += given + 1;
	}
	return !*pattern && !*path;
}

static const struct api_route *find_route(struct visit *v, int *out_status)
{
	*out_status = 404;
	for (const struct api_route *route = api_routes; route->method; route++) {
		int fits = match(v, route->pattern, v->request->path);
		if (fits < 0) {
			*out_status = 400;
			return NULL;
		}
		if (fits && strcmp(route->method, v->request->method) == 0)
			return route;
		if (fits)
			*out_status = 405;
	}
	return NULL;
}

/* ---- may they ---- */

/* An operator says which organization is meant; where there is only one, that one is. */
static int find_organization(struct visit *v, const struct api_route *route, struct vw_error *err)
{
	int64_t asked;
	bool given;
	size_t count;
	vw_organization **all;
	int code = visit_query_int(v, "organization", 1, INT32_MAX, &asked, &given, err);
	if (code < 0)
		return code;
	v->organization = given ? (int32_t)asked : v->who.organization;
	if (v->who.organization != 0 && v->organization != v->who.organization)
		return vw_error_set(err, VW_ENOTFOUND, "no such organization");
	if (!route->tenant || v->organization != 0)
		return 0;
	code = vw_fleet_organization_list(v->api->settings.store, v->arena, 0, 2, &all, &count, err);
	if (code < 0)
		return code;
	if (count != 1)
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
	if (!route->tenant)
		return 0;
	int code = vw_fleet_organization_get(v->api->settings.store, v->arena, v->organization, &organization, err);
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such organization") : code;
}

static int parse_body(struct visit *v, struct vw_error *err)
{
	if (v->request->body.len == 0)
		return 0;
	if (v->request->body.len > VW_MAX_REQUEST_BODY)
		return vw_error_set(err, VW_ELIMIT, "the body is larger than %zu bytes (VW_MAX_REQUEST_BODY)",
				    VW_MAX_REQUEST_BODY);
	int code = vw_json_parse(v->request->body.data, v->request->body.len, "the body", &v->input, err);
	if (code == 0 && !json_is_object(v->input))
		code = vw_error_set(err, VW_EINVAL, "the body is no JSON object");
	return code;
}

/* False when it was answered with 429. */
static bool within_rate(struct visit *v, const char *key)
{
	if (v->request->local)
		return true;
	v->out->retry_after_s = limiter_take(v->api->limiter, key, vw_clock_monotonic());
	if (v->out->retry_after_s == 0)
		return true;
	answer_error(v, 429, "too many requests; see Retry-After");
	return false;
}

static int serve_tenant(struct visit *v, const struct api_route *route, struct vw_error *err)
{
	int code = check_access(v, route, err);
	if (code == 0)
		code = find_organization(v, route, err);
	if (code == 0)
		code = check_tenant(v, route, err);
	if (code == 0)
		code = parse_body(v, err);
	return code < 0 ? code : route->run(v, err);
}

static void serve(struct visit *v, const struct api_route *route)
{
	struct vw_error err = VW_ERROR_INIT;
	char key[160];
	int code = 0;
	if (route->access != API_PUBLIC) {
		code = principal_find(v, &err);
		snprintf(key, sizeof(key), "%d %s", code == 0 ? v->who.organization : -1,
			 code == 0 ? v->who.name : v->request->peer);
		if (!within_rate(v, key))
			return;
		if (code == 0)
			code = serve_tenant(v, route, &err);
	} else if (within_rate(v, v->request->peer)) {
		code = route->run(v, &err);
	}
	if (code < 0)
		answer_error(v, status_of(code), err.message);
	else if (vw_buffer_error(&v->out->body))
		answer_error(v, 500, "the answer is too long");
}

void vw_api_handle(struct vw_api *api, const struct vw_api_request *request, struct vw_arena *arena,
		   struct vw_api_response *out)
{
	struct visit v = {.api = api, .request = request, .arena = arena, .now = vw_clock_now(), .out = out};
	int status;
	memset(out, 0, sizeof(*out));
	vw_buffer_init_secret(&out->body, 0);
	const struct api_route *route = find_route(&v, &status);
	if (route)
		serve(&v, route);
	else
		answer_error(&v, status,
			     status == 404   ? "no such path"
			     : status == 405 ? "the path does not take this method"
					     : "the path cannot be read");
	json_decref(v.input);
}
