/* issued.h: an agent takes a certificate only if it is what it asked for (S4.1). */
#include "issued.h"

#include "base/limits.h"
#include "proto/message.h"

#include "../fleet/fixture.h"

static struct vw_error err;
static struct authority ca, other;
static struct vw_key *key, *other_key;

static int set_up(void **state)
{
	if (enter_folder(state) != 0)
		return -1;
	make_authority("ours", &ca);
	make_authority("other", &other);
	assert_ok(vw_key_generate(&key, &err), err);
	assert_ok(vw_key_generate(&other_key, &err), err);
	return 0;
}

static int tear_down(void **state)
{
	vw_key_close(key);
	vw_key_close(other_key);
	vw_key_close(ca.key);
	vw_key_close(other.key);
	return leave_folder(state);
}

struct order {
	const struct authority *by;
	const struct vw_key *key;
	const char *id;
	enum vw_certificate_use use;
};

static struct vw_bytes make(struct order o)
{
	char serial[VW_SERIAL_MAX];
	struct vw_bytes der;
	struct vw_certificate_order order = {
	    .use = o.use, .common_name = "vw-agent", .not_before = NOON, .not_after = NOON + DAY};
	assert_ok(vw_spiffe_parse(o.id, strlen(o.id), &order.id, &err), err);
	assert_ok(vw_key_public(o.key, arena, &order.public_key, &err), err);
	assert_ok(vw_certificate_issue(&order, o.by->der, o.by->key, arena, &der, serial, &err), err);
	return der;
}

static void put(vw_issued *issued, size_t at, struct vw_bytes der)
{
	issued->certificates[at] = (ProtobufCBinaryData){der.len, (uint8_t *)(uintptr_t)der.data};
}

/* A good answer. */
static vw_issued *answer(struct vw_bytes der)
{
	vw_issued *issued = vw_message_new(arena, &verifywise__v1__issued__descriptor);
	issued->certificates = vw_arena_array(arena, 2 * VW_MAX_CERTIFICATES, sizeof(*issued->certificates));
	issued->n_certificates = 1;
	put(issued, 0, der);
	issued->organization = (char *)"7";
	issued->organization_name = (char *)"ACME";
	issued->trust_domain = (char *)DOMAIN;
	issued->agent_id = (char *)AGENT;
	issued->session_endpoint = (char *)"controller.example:8444";
	return issued;
}

static vw_issued *good(void)
{
	return answer(make((struct order){&ca, key, AGENT_ID, VW_USE_AGENT}));
}

static int check_as(const vw_issued *issued, const char *organization, const char *domain)
{
	struct vw_expected expected = {.key = key,
				       .agent_id = AGENT,
				       .organization = organization,
				       .trust_domain = domain,
				       .authorities = &ca.der,
				       .authority_count = 1};
	return vw_issued_check(issued, &expected, arena, &err);
}

static int check(const vw_issued *issued)
{
	return check_as(issued, NULL, NULL);
}

static void test_good(void **state)
{
	(void)state;
	assert_ok(check(good()), err);
	assert_ok(check_as(good(), "7", DOMAIN), err);
	vw_issued *issued = good();
	issued->organization_name = NULL;
	issued->session_endpoint = (char *)"[::1]:8444";
	assert_ok(check(issued), err);
}

static void test_for_somebody_else(void **state)
{
	static const char *const ids[] = {
	    ("spiffe://" DOMAIN "/org/8/agent/" AGENT),
	    ("spiffe://" DOMAIN "/org/7/agent/11111111-7f6e-4d0a-9f0e-3d2c1b0a9f8e"),
	    ("spiffe://other.example/org/7/agent/" AGENT),
	};
	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_fails(check(answer(make((struct order){&ca, key, ids[i], VW_USE_AGENT}))), VW_EINVAL, err,
			     "another key, agent or organization");
	assert_fails(check(answer(make((struct order){&ca, other_key, AGENT_ID, VW_USE_AGENT}))), VW_EINVAL, err,
		     "another key");
	/* the answer's words agree with the certificate, and both are not what we are */
	vw_issued *issued = answer(make((struct order){&ca, key, ids[0], VW_USE_AGENT}));
	issued->organization = (char *)"8";
	assert_ok(check(issued), err);
	assert_fails(check_as(issued, "7", NULL), VW_EINVAL, err, "organization");
	issued = answer(make((struct order){&ca, key, ids[1], VW_USE_AGENT}));
	issued->agent_id = (char *)"11111111-7f6e-4d0a-9f0e-3d2c1b0a9f8e";
	assert_fails(check(issued), VW_EINVAL, err, "agent");
	issued = answer(make((struct order){&ca, key, ids[2], VW_USE_AGENT}));
	issued->trust_domain = (char *)"other.example";
	assert_ok(check(issued), err);
	assert_fails(check_as(issued, "7", DOMAIN), VW_EINVAL, err, "organization");
	/* the certificate is ours, and the words are not */
	issued = good();
	issued->organization = (char *)"07";
	assert_fails(check(issued), VW_EINVAL, err, "organization");
}

static void test_by_somebody_else(void **state)
{
	struct authority between;
	(void)state;
	vw_issued *issued = answer(make((struct order){&other, key, AGENT_ID, VW_USE_AGENT}));
	assert_fails(check(issued), VW_EAUTH, err, "authorities trusted");
	/* that the answer brings its own authority along changes nothing */
	ProtobufCBinaryData root = {other.der.len, (uint8_t *)(uintptr_t)other.der.data};
	issued->n_authorities = 1;
	issued->authorities = &root;
	assert_fails(check(issued), VW_EAUTH, err, "authorities trusted");
	issued->n_certificates = 2;
	put(issued, 1, other.der);
	assert_fails(check(issued), VW_EAUTH, err, "authorities trusted");
	/* nor may an agent of ours issue others */
	between.der = make((struct order){&ca, key, AGENT_ID, VW_USE_AGENT});
	between.key = key;
	struct vw_certificate_order order = {.use = VW_USE_AGENT};
	char serial[VW_SERIAL_MAX];
	struct vw_bytes der;
	assert_true(vw_certificate_issue(&order, between.der, between.key, arena, &der, serial, &err) < 0);
	/* for another use */
	assert_fails(
	    check(answer(make((struct order){&ca, key, "spiffe://" DOMAIN "/controller", VW_USE_CONTROLLER}))),
	    VW_EAUTH, err, "not for use by an agent");
	/* under an authority that was over before */
	struct authority old;
	struct vw_certificate_order of_old = {
	    .use = VW_USE_CA, .common_name = "old", .not_before = NOON - 9 * DAY, .not_after = NOON - 8 * DAY};
	assert_ok(vw_key_generate(&old.key, &err), err);
	assert_ok(vw_key_public(old.key, arena, &of_old.public_key, &err), err);
	assert_ok(vw_certificate_issue(&of_old, (struct vw_bytes){NULL, 0}, old.key, arena, &old.der, serial, &err),
		  err);
	issued = answer(make((struct order){&old, key, AGENT_ID, VW_USE_AGENT}));
	struct vw_expected expected = {.key = key, .agent_id = AGENT, .authorities = &old.der, .authority_count = 1};
	assert_fails(vw_issued_check(issued, &expected, arena, &err), VW_EAUTH, err, "expired");
	vw_key_close(old.key);
}

static void test_something_is_missing_or_too_much(void **state)
{
	vw_issued *issued;
	(void)state;
#define without(field)                                                                                               \
	issued = good();                                                                                             \
	issued->field = NULL;                                                                                        \
	assert_fails(check(issued), VW_EINVAL, err, "lacks something")
	without(organization);
	without(trust_domain);
	without(agent_id);
	without(session_endpoint);
	issued = good();
	issued->n_certificates = 0;
	assert_fails(check(issued), VW_EINVAL, err, "lacks something");
	issued->n_certificates = VW_MAX_CERTIFICATES + 1;
	assert_fails(check(issued), VW_EINVAL, err, "lacks something");
	issued->n_certificates = 1;
	put(issued, 0, bytes_of("garbage"));
	assert_true(check(issued) < 0);
	put(issued, 0, (struct vw_bytes){"", 0});
	assert_true(check(issued) < 0);
}

static void test_words_that_cannot_be(void **state)
{
	static const char *const endpoints[] = {"",
						"controller.example",
						"controller.example:",
						"a:b",
						"a:99999",
						"u@a:1",
						"a:1/x",
						"a:1?x",
						"http://a:1",
						"a b:1"};
	(void)state;
	vw_issued *issued = good();
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		issued->session_endpoint = (char *)endpoints[i];
		assert_fails(check(issued), VW_ECONFIG, err, "host:port");
	}
	issued = good();
	issued->organization_name = (char *)"\xff";
	assert_fails(check(issued), VW_EINVAL, err, "organization's name");
	issued->organization_name = memset(vw_arena_alloc(arena, 300), 'x', 299);
	assert_fails(check(issued), VW_EINVAL, err, "organization's name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_for_somebody_else),
	    cmocka_unit_test(test_by_somebody_else),
	    cmocka_unit_test(test_something_is_missing_or_too_much),
	    cmocka_unit_test(test_words_that_cannot_be),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
