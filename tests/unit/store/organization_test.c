/* Organizations, tokens, users; opening a store. */
#include "suite.h"

static vw_organization *create(struct shop *s, int32_t id, const char *name)
{
	vw_organization *o = NULL;
	shop_ok(s, vw_fleet_organization_create(s->store, s->arena, id, name, &o, &s->err));
	return o;
}

static void organizations(void **state)
{
	struct shop *s = shop_of(state);
	vw_organization *o = create(s, 0, "first"), **list;
	size_t count;
	assert_int_equal(o->id, 1);
	assert_string_equal(o->name, "first");
	assert_false(o->disabled);
	assert_true(o->created_at > 0);
	assert_int_equal(create(s, 7, "seventh")->id, 7);
	assert_int_equal(create(s, 0, "next")->id, 8);
	shop_fails(s, vw_fleet_organization_create(s->store, s->arena, 7, "again", &o, &s->err), VW_EBUSY);
	shop_fails(s, vw_fleet_organization_create(s->store, s->arena, 9, "first", &o, &s->err), VW_EBUSY);
	shop_fails(s, vw_fleet_organization_create(s->store, s->arena, -1, "minus", &o, &s->err), VW_EINVAL);
	shop_fails(s, vw_fleet_organization_create(s->store, s->arena, 0, "", &o, &s->err), VW_EINVAL);
	shop_fails(s, vw_fleet_organization_create(s->store, s->arena, 0, "\xff", &o, &s->err), VW_EINVAL);
	shop_ok(s, vw_fleet_organization_list(s->store, s->arena, 0, 10, &list, &count, &s->err));
	assert_int_equal(count, 3);
	assert_int_equal(list[2]->id, 8);
	shop_ok(s, vw_fleet_organization_list(s->store, s->arena, 1, 1, &list, &count, &s->err));
	assert_int_equal(count, 1);
	assert_int_equal(list[0]->id, 7);
	shop_ok(s, vw_fleet_organization_list(s->store, s->arena, INT32_MAX, 10, &list, &count, &s->err));
	assert_int_equal(count, 0);
}

static void one_is_disabled(void **state)
{
	struct shop *s = shop_of(state);
	vw_organization *o;
	create(s, 0, "first");
	shop_ok(s, vw_fleet_organization_disable(s->store, 1, true, &s->err));
	shop_ok(s, vw_fleet_organization_get(s->store, s->arena, 1, &o, &s->err));
	assert_true(o->disabled);
	assert_string_equal(o->name, "first");
	shop_ok(s, vw_fleet_organization_disable(s->store, 1, false, &s->err));
	shop_ok(s, vw_fleet_organization_get(s->store, s->arena, 1, &o, &s->err));
	assert_false(o->disabled);
	shop_fails(s, vw_fleet_organization_disable(s->store, 2, true, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_organization_get(s->store, s->arena, 2, &o, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_organization_get(s->store, s->arena, 0, &o, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_organization_get(s->store, s->arena, -1, &o, &s->err), VW_ENOTFOUND);
}

/* ---- Tokens ---- */

static vw_enrollment_token token_of(const char *public_id, int32_t organization)
{
	static uint8_t digest[32];
	vw_enrollment_token t = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
	t.public_id = (char *)public_id;
	VW_SET(&t, organization, organization);
	VW_SET_BYTES(&t, secret_sha256, digest, sizeof(digest));
	VW_SET(&t, uses_allowed, 2);
	t.label = (char *)"rack 4";
	return t;
}

static void tokens(void **state)
{
	struct shop *s = shop_of(state);
	vw_enrollment_token t = token_of("00000000000000aa", 1), *got, **list;
	size_t count;
	shop_fails(s, vw_fleet_token_create(s->store, &t, &s->err), VW_ENOTFOUND);
	create(s, 1, "one");
	create(s, 2, "two");
	shop_ok(s, vw_fleet_token_create(s->store, &t, &s->err));
	shop_fails(s, vw_fleet_token_create(s->store, &t, &s->err), VW_EBUSY);
	t.organization = 2; /* enrolment knows the id alone */
	shop_fails(s, vw_fleet_token_create(s->store, &t, &s->err), VW_EBUSY);
	t.public_id = (char *)"00000000000000bb";
	shop_ok(s, vw_fleet_token_create(s->store, &t, &s->err));
	shop_ok(s, vw_fleet_token_get(s->store, s->arena, "00000000000000aa", &got, &s->err));
	assert_int_equal(got->organization, 1);
	assert_string_equal(got->label, "rack 4");
	assert_int_equal(got->uses_allowed, 2);
	assert_int_equal(got->secret_sha256.len, 32);
	assert_false(got->has_revoked_at);
	shop_fails(s, vw_fleet_token_get(s->store, s->arena, "00000000000000cc", &got, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_token_get(s->store, s->arena, "", &got, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_token_list(s->store, s->arena, 1, &list, &count, &s->err));
	assert_int_equal(count, 1);
	assert_string_equal(list[0]->public_id, "00000000000000aa");
	shop_fails(s, vw_fleet_token_revoke(s->store, 2, "00000000000000aa", NOW, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_token_revoke(s->store, 1, "00000000000000aa", NOW, &s->err));
	shop_ok(s, vw_fleet_token_get(s->store, s->arena, "00000000000000aa", &got, &s->err));
	assert_int_equal(got->revoked_at, NOW);
	shop_fails(s, vw_fleet_token_revoke(s->store, 1, "00000000000000cc", NOW, &s->err), VW_ENOTFOUND);
}

static void tokens_that_are_none(void **state)
{
	struct shop *s = shop_of(state);
	vw_enrollment_token t = token_of(NULL, 1);
	create(s, 1, "one");
	shop_fails(s, vw_fleet_token_create(s->store, &t, &s->err), VW_EINVAL);
	t = token_of("00000000000000aa", 1);
	t.secret_sha256.len = 31;
	shop_fails(s, vw_fleet_token_create(s->store, &t, &s->err), VW_EINVAL);
	t = token_of("00000000000000aa", 0);
	shop_fails(s, vw_fleet_token_create(s->store, &t, &s->err), VW_ENOTFOUND);
}

/* ---- Users ---- */

static vw_user user_of(const char *public_id, int32_t organization, vw_role role)
{
	static uint8_t digest[32];
	vw_user u = VERIFYWISE__V1__USER__INIT;
	u.public_id = (char *)public_id;
	u.name = (char *)"alice";
	VW_SET(&u, organization, organization);
	VW_SET(&u, role, role);
	VW_SET_BYTES(&u, secret_sha256, digest, sizeof(digest));
	VW_SET(&u, expires_at, NOW);
	return u;
}

static void users(void **state)
{
	struct shop *s = shop_of(state);
	vw_user u = user_of("00000000000000aa", 1, VW_ROLE_AUDITOR), *got, **list;
	size_t count;
	shop_fails(s, vw_fleet_user_create(s->store, &u, &s->err), VW_ENOTFOUND);
	create(s, 1, "one");
	create(s, 2, "two");
	shop_ok(s, vw_fleet_user_create(s->store, &u, &s->err));
	shop_fails(s, vw_fleet_user_create(s->store, &u, &s->err), VW_EBUSY);
	u = user_of("00000000000000bb", 0, VW_ROLE_ADMIN); /* the operator, of every organization */
	shop_ok(s, vw_fleet_user_create(s->store, &u, &s->err));
	u = user_of("00000000000000cc", 2, VW_ROLE_ADMIN);
	shop_ok(s, vw_fleet_user_create(s->store, &u, &s->err));
	shop_ok(s, vw_fleet_user_get(s->store, s->arena, "00000000000000aa", &got, &s->err));
	assert_string_equal(got->name, "alice");
	assert_int_equal(got->role, VW_ROLE_AUDITOR);
	assert_int_equal(got->expires_at, NOW);
	shop_fails(s, vw_fleet_user_get(s->store, s->arena, "00000000000000dd", &got, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_user_list(s->store, s->arena, 2, &list, &count, &s->err));
	assert_int_equal(count, 1);
	assert_string_equal(list[0]->public_id, "00000000000000cc");
	shop_ok(s, vw_fleet_user_list(s->store, s->arena, 0, &list, &count, &s->err));
	assert_int_equal(count, 3);
	shop_fails(s, vw_fleet_user_revoke(s->store, 1, "00000000000000cc", NOW, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_user_revoke(s->store, 1, "00000000000000bb", NOW, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_user_revoke(s->store, 2, "00000000000000cc", NOW, &s->err));
	shop_ok(s, vw_fleet_user_get(s->store, s->arena, "00000000000000cc", &got, &s->err));
	assert_int_equal(got->revoked_at, NOW);
	/* a token and a user are not one another */
	vw_enrollment_token t = token_of("00000000000000aa", 1), *token;
	shop_fails(s, vw_fleet_token_get(s->store, s->arena, "00000000000000aa", &token, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_token_create(s->store, &t, &s->err));
}

/* ---- Opening ---- */

static void opened_again(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_fleet_store_settings settings = place_settings(s->place);
	struct vw_fleet_store *second = NULL;
	vw_organization *o;
	create(s, 3, "three");
	shop_ok(s, vw_fleet_store_ping(s->store, &s->err));
	shop_reopen(s);
	shop_ok(s, vw_fleet_organization_get(s->store, s->arena, 3, &o, &s->err));
	assert_string_equal(o->name, "three");
	vw_fleet_store_close(s->store);
	s->store = NULL;
	settings.create = true; /* only where nothing is */
	shop_fails(s, vw_fleet_store_open(&settings, &second, &s->err), VW_EBUSY);
	settings.create = false;
	settings.migrate = true; /* there is nothing to bring forward */
	shop_ok(s, vw_fleet_store_open(&settings, &s->store, &s->err));
	shop_ok(s, vw_fleet_organization_get(s->store, s->arena, 3, &o, &s->err));
}

static void nothing_to_open(void **state)
{
	struct shop *s = shop_of(state);
	struct place *place = place_make();
	struct vw_fleet_store_settings settings = place_settings(place);
	struct vw_fleet_store *store = NULL;
	shop_fails(s, vw_fleet_store_open(&settings, &store, &s->err), VW_ECONFIG);
	settings.url = "mysql://x";
	shop_fails(s, vw_fleet_store_open(&settings, &store, &s->err), VW_ECONFIG);
	assert_null(store);
	place_drop(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test(organizations),        suite_test(one_is_disabled), suite_test(tokens),
	    suite_test(tokens_that_are_none), suite_test(users),           suite_test(opened_again),
	    suite_test(nothing_to_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
