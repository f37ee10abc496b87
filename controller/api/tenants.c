/* tenants.c: organizations, tokens for enrolment, users, and the trail of what was done to them. */
#include "routes.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "fleet/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 255
#define DAY_S        ((int64_t)24 * 3600)
#define YEARS_10_S   (3650 * DAY_S)

/* ---- organizations ---- */

static void put_organization(struct visit *v, size_t i, const void *items)
{
	vw_organization *const *list = items;
	visit_message(v, &list[i]->base);
}

int api_organization_list(struct visit *v, struct vw_error *err)
{
	struct vw_page page;
	vw_organization **list, *own;
	size_t count;
	int64_t after = 0;
	int code = visit_page(v, &page, err);
	if (code < 0)
		return code;
	if (v->who.organization != 0) {
		code = vw_fleet_organization_get(v->api->settings.store, v->arena, v->who.organization, &own, err);
		if (code == 0 || code == VW_ENOTFOUND)
			visit_list(v, &own, code == 0, NULL, put_organization);
		return code == VW_ENOTFOUND ? 0 : code;
	}
	if (page.cursor && (!vw_text_int64(page.cursor, &after) || after < 0 || after > INT32_MAX))
		return vw_error_set(err, VW_EINVAL, "cursor is none of this listing");
	code = vw_fleet_organization_list(v->api->settings.store, v->arena, (int32_t)after, page.limit, &list, &count,
					  err);
	if (code < 0)
		return code;
	char *next = count == page.limit ? vw_arena_printf(v->arena, "%" PRId32, list[count - 1]->id) : NULL;
	visit_list(v, list, count, next, put_organization);
	return 0;
}

/* The organization that a path names, if the caller may see it. */
static int named(struct visit *v, vw_organization **out, struct vw_error *err)
{
	int64_t id;
	if (!vw_text_int64(v->segments[0], &id) || id < 1 || id > INT32_MAX ||
	    (v->who.organization != 0 && id != v->who.organization))
		return vw_error_set(err, VW_ENOTFOUND, "no such organization");
	v->organization = (int32_t)id;
	int code = vw_fleet_organization_get(v->api->settings.store, v->arena, v->organization, out, err);
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such organization") : code;
}

int api_organization_get(struct visit *v, struct vw_error *err)
{
	vw_organization *organization;
	int code = named(v, &organization, err);
	if (code < 0)
		return code;
	visit_begin(v, 200, "OK");
	visit_message(v, &organization->base);
	visit_end(v);
	return 0;
}

int api_organization_create(struct visit *v, struct vw_error *err)
{
	const char *name;
	int64_t id = 0;
	bool given;
	vw_organization *organization;
	int code = visit_input_text(v, "name", NAME_MAX_LEN, &name, err);
	if (code == 0)
		code = visit_input_int(v, "id", 1, INT32_MAX, &id, &given, err);
	if (code == 0 && vw_text_blank(name))
		code = vw_error_set(err, VW_EINVAL, "name is missing");
	if (code == 0)
		code = vw_fleet_organization_create(v->api->settings.store, v->arena, (int32_t)id, name,
						    &organization, err);
	if (code == VW_EBUSY)
		return vw_error_set(err, code, "an organization with this id or name exists");
	if (code < 0)
		return code;
	v->organization = organization->id;
	code = visit_note(v, "organization_created", name, NULL, err);
	if (code < 0)
		return code;
	visit_begin(v, 201, "created");
	visit_message(v, &organization->base);
	visit_end(v);
	return 0;
}

static int set_disabled(struct visit *v, bool disabled, struct vw_error *err)
{
	vw_organization *organization;
	int code = named(v, &organization, err);
	if (code == 0)
		code = vw_fleet_organization_disable(v->api->settings.store, v->organization, disabled, err);
	if (code == 0)
		code = visit_note(v, disabled ? "organization_disabled" : "organization_enabled", organization->name,
				  NULL, err);
	if (code == 0)
		visit_done(v, disabled ? "disabled" : "enabled");
	return code;
}

int api_organization_disable(struct visit *v, struct vw_error *err)
{
	return set_disabled(v, true, err);
}

int api_organization_enable(struct visit *v, struct vw_error *err)
{
	return set_disabled(v, false, err);
}

/* ---- tokens ---- */

/* Nobody needs the hash of a secret. */
static void put_hidden(struct visit *v, const ProtobufCMessage *message)
{
	static const char *const hidden[] = {"secret_sha256", NULL};
	vw_json_begin_object(&v->json);
	vw_message_json_fields_but(&v->json, message, hidden);
	vw_json_end_object(&v->json);
}

static void put_token(struct visit *v, size_t i, const void *items)
{
	vw_enrollment_token *const *list = items;
	put_hidden(v, &list[i]->base);
}

int api_token_list(struct visit *v, struct vw_error *err)
{
	vw_enrollment_token **list;
	size_t count;
	int code = vw_fleet_token_list(v->api->settings.store, v->arena, v->organization, &list, &count, err);
	if (code == 0)
		visit_list(v, list, count, NULL, put_token);
	return code;
}

/* The secret itself, once: into a body that is wiped (vw_buffer_init_secret). */
static void put_new_token(struct visit *v, const char *id, const struct vw_secret *line, int64_t expires_at)
{
	visit_begin(v, 201, "created; this is the only time that the token is shown");
	vw_json_begin_object(&v->json);
	vw_json_key(&v->json, "public_id");
	vw_json_put_text(&v->json, id);
	vw_json_key(&v->json, "token");
	vw_json_put_text(&v->json, vw_secret_text(line));
	vw_json_key(&v->json, "expires_at");
	vw_json_put_time(&v->json, expires_at);
	vw_json_end_object(&v->json);
	visit_end(v);
}

int api_token_create(struct visit *v, struct vw_error *err)
{
	const char *label;
	char id[VW_TOKEN_ID_MAX];
	int64_t life = DAY_S, uses = 1;
	bool given;
	struct vw_secret *line = NULL;
	int code = visit_input_text(v, "label", NAME_MAX_LEN, &label, err);
	if (code == 0)
		code = visit_input_int(v, "expires_in_s", 1, YEARS_10_S, &life, &given, err);
	if (code == 0)
		code = visit_input_int(v, "uses", 1, 1000000, &uses, &given, err);
	if (code < 0)
		return code;
	int64_t expires_at = v->now + life * 1000;
	code = vw_enroll_token(v->api->settings.enroller, v->organization, label, expires_at, (uint32_t)uses,
			       v->who.name, v->now, &line, id, err);
	if (code == 0)
		code = visit_note(v, "token_created", id, label, err);
	if (code == 0)
		put_new_token(v, id, line, expires_at);
	vw_secret_close(line);
	return code;
}

int api_token_revoke(struct visit *v, struct vw_error *err)
{
	int code = vw_fleet_token_revoke(v->api->settings.store, v->organization, v->segments[0], v->now, err);
	if (code == 0)
		code = visit_note(v, "token_revoked", v->segments[0], NULL, err);
	if (code == 0)
		visit_done(v, "revoked");
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such token") : code;
}

/* ---- users ---- */

static void put_user(struct visit *v, size_t i, const void *items)
{
	vw_user *const *list = items;
	put_hidden(v, &list[i]->base);
}

int api_user_list(struct visit *v, struct vw_error *err)
{
	vw_user **list;
	size_t count;
	int code = vw_fleet_user_list(v->api->settings.store, v->arena, v->organization, &list, &count, err);
	if (code == 0)
		visit_list(v, list, count, NULL, put_user);
	return code;
}

/* Whom the new user belongs to: an operator may make operators. */
static int choose_organization(struct visit *v, struct vw_error *err)
{
	vw_organization *organization;
	bool all;
	int code = visit_input_bool(v, "all_organizations", &all, err);
	if (code < 0)
		return code;
	if (all && v->who.organization != 0)
		return vw_error_set(err, VW_EFORBIDDEN, "only an operator of this controller may do this");
	if (all) {
		v->organization = 0;
		return 0;
	}
	if (v->organization == 0)
		return vw_error_set(err, VW_EINVAL, "say which organization (organization=ID), or all_organizations");
	code = vw_fleet_organization_get(v->api->settings.store, v->arena, v->organization, &organization, err);
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such organization") : code;
}

static int fill_user(struct visit *v, vw_user *user, struct vw_error *err)
{
	const char *name, *role;
	int64_t life;
	int value = 0;
	bool given;
	int code = visit_input_text(v, "name", NAME_MAX_LEN, &name, err);
	if (code == 0)
		code = visit_input_text(v, "role", NAME_MAX_LEN, &role, err);
	if (code == 0)
		code = visit_input_int(v, "expires_in_s", 1, YEARS_10_S, &life, &given, err);
	if (code == 0)
		code = choose_organization(v, err);
	if (code < 0)
		return code;
	if (vw_text_blank(name))
		return vw_error_set(err, VW_EINVAL, "name is missing");
	if (!role || !vw_enum_value(&verifywise__v1__role__descriptor, role, &value))
		return vw_error_set(err, VW_EINVAL, "role must be admin or auditor");
	user->name = (char *)name;
	VW_SET(user, role, (vw_role)value);
	VW_SET(user, organization, v->organization);
	VW_SET(user, created_at, v->now);
	if (given)
		VW_SET(user, expires_at, v->now + life * 1000);
	return 0;
}

int api_user_create(struct visit *v, struct vw_error *err)
{
	uint8_t digest[32];
	struct vw_token token;
	struct vw_secret *line = NULL;
	vw_user user = VERIFYWISE__V1__USER__INIT;
	int code = fill_user(v, &user, err);
	if (code < 0)
		return code;
	vw_token_make(VW_TOKEN_USER, NULL, &token);
	vw_token_digest(&token, digest);
	user.public_id = token.public_id;
	VW_SET_BYTES(&user, secret_sha256, digest, sizeof(digest));
	code = vw_token_print(&token, &line, err);
	if (code == 0)
		code = vw_fleet_user_create(v->api->settings.store, &user, err);
	if (code == 0)
		code = visit_note(v, "user_created", user.name, token.public_id, err);
	if (code == 0)
		put_new_token(v, token.public_id, line, user.has_expires_at ? user.expires_at : 0);
	vw_secret_close(line);
	vw_token_wipe(&token);
	return code;
}

/* An operator need not say whose user it is; for anybody else it is one of their own or none. */
static int find_user_organization(struct visit *v, struct vw_error *err)
{
	vw_user *user;
	if (v->organization != 0)
		return 0;
	int code = vw_fleet_user_get(v->api->settings.store, v->arena, v->segments[0], &user, err);
	if (code == 0)
		v->organization = user->organization;
	return code;
}

int api_user_revoke(struct visit *v, struct vw_error *err)
{
	int code = find_user_organization(v, err);
	if (code == 0)
		code = vw_fleet_user_revoke(v->api->settings.store, v->organization, v->segments[0], v->now, err);
	if (code == 0)
		code = visit_note(v, "user_revoked", v->segments[0], NULL, err);
	if (code == 0)
		visit_done(v, "revoked");
	return code == VW_ENOTFOUND ? vw_error_set(err, code, "no such user") : code;
}

/* ---- the trail ---- */

static void put_event(struct visit *v, size_t i, const void *items)
{
	vw_controller_event *const *list = items;
	visit_message(v, &list[i]->base);
}

int api_trail(struct visit *v, struct vw_error *err)
{
	struct vw_page page;
	vw_controller_event **list;
	size_t count;
	char *next;
	int code = visit_page(v, &page, err);
	if (code == 0)
		code = vw_fleet_event_log(v->api->settings.store, v->arena, v->organization, &page, &list, &count,
					  &next, err);
	if (code == 0)
		visit_list(v, list, count, next, put_event);
	return code;
}
