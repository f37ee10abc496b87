/* spiffe.h: every spelling but the one that is printed is refused (S4.1). */
#include "fixture.h"

static struct vw_error err;

static int parse(const char *text, struct vw_spiffe *out)
{
	return vw_spiffe_parse(text, strlen(text), out, &err);
}

static void test_the_three_forms(void **state)
{
	static const struct {
		const char *text;
		enum vw_spiffe_kind kind;
		const char *domain;
		int32_t organization;
		const char *agent;
	} cases[] = {
	    {AGENT_ID, VW_SPIFFE_AGENT, DOMAIN, 7, AGENT},
	    {"spiffe://a/org/1/agent/00000000-0000-0000-0000-000000000000", VW_SPIFFE_AGENT, "a", 1,
	     "00000000-0000-0000-0000-000000000000"},
	    {"spiffe://a_b.c-9/org/2147483647/agent/" AGENT, VW_SPIFFE_AGENT, "a_b.c-9", INT32_MAX, AGENT},
	    {"spiffe://a.b/controller", VW_SPIFFE_CONTROLLER, "a.b", 0, ""},
	    {"spiffe://a.b/receipts", VW_SPIFFE_RECEIPTS, "a.b", 0, ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vw_spiffe id;
		char printed[VW_SPIFFE_MAX];
		assert_ok(parse(cases[i].text, &id), err);
		assert_int_equal(id.kind, cases[i].kind);
		assert_string_equal(id.trust_domain, cases[i].domain);
		assert_int_equal(id.organization, cases[i].organization);
		assert_string_equal(id.agent_id, cases[i].agent);
		vw_spiffe_print(&id, printed);
		assert_string_equal(printed, cases[i].text);
	}
}

static void test_other_spellings_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"", "begin"},
	    {"SPIFFE://a/controller", "begin"},
	    {"https://a/controller", "begin"},
	    {" spiffe://a/controller", "begin"},
	    {"spiffe:///controller", "trust domain"},
	    {"spiffe://", "trust domain"},
	    {"spiffe://A/controller", "trust domain"},
	    {"spiffe://a:1/controller", "trust domain"},
	    {"spiffe://u@a/controller", "trust domain"},
	    {"spiffe://a%62/controller", "trust domain"},
	    {"spiffe://\xc3\xa4/controller", "trust domain"},
	    {"spiffe://a", "path"},
	    {"spiffe://a/", "path"},
	    {"spiffe://a/controller/", "path"},
	    {"spiffe://a//controller", "path"},
	    {"spiffe://a/Controller", "path"},
	    {"spiffe://a/controller?x", "path"},
	    {"spiffe://a/controller#x", "path"},
	    {"spiffe://a/controllers", "path"},
	    {"spiffe://a/./controller", "path"},
	    {"spiffe://a/receipt", "path"},
	    {"spiffe://a/org/", "organization"},
	    {"spiffe://a/org//agent/" AGENT, "organization"},
	    {"spiffe://a/org/0/agent/" AGENT, "organization"},
	    {"spiffe://a/org/00/agent/" AGENT, "organization"},
	    {"spiffe://a/org/07/agent/" AGENT, "organization"},
	    {"spiffe://a/org/+7/agent/" AGENT, "organization"},
	    {"spiffe://a/org/-7/agent/" AGENT, "organization"},
	    {"spiffe://a/org/2147483648/agent/" AGENT, "organization"},
	    {"spiffe://a/org/99999999999999999999999999/agent/" AGENT, "organization"},
	    {"spiffe://a/org/7x/agent/" AGENT, "followed"},
	    {"spiffe://a/org/7", "followed"},
	    {"spiffe://a/org/7/agents/" AGENT, "followed"},
	    {"spiffe://a/org/7/../8/agent/" AGENT, "followed"},
	    {"spiffe://a/org/7/agent/", "UUID"},
	    {"spiffe://a/org/7/agent/" AGENT "/", "UUID"},
	    {"spiffe://a/org/7/agent/" AGENT "0", "UUID"},
	    {"spiffe://a/org/7/agent/0B5C1F5E-7f6e-4d0a-9f0e-3d2c1b0a9f8e", "UUID"},
	    {"spiffe://a/org/7/agent/0b5c1f5e7f6e-4d0a-9f0e-3d2c1b0a9f8e-", "UUID"},
	    {"spiffe://a/org/7/agent/{0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f}", "UUID"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vw_spiffe id = {.organization = -1};
		assert_fails(parse(cases[i].text, &id), VW_EINVAL, err, cases[i].says);
		assert_int_equal(id.organization, -1); /* untouched */
	}
}

static void test_no_part_and_no_more_of_it_will_do(void **state)
{
	struct vw_spiffe id;
	(void)state;
	for (size_t len = 0; len < strlen(AGENT_ID); len++)
		assert_int_equal(vw_spiffe_parse(AGENT_ID, len, &id, NULL), VW_EINVAL);
	assert_int_equal(vw_spiffe_parse(AGENT_ID "\0", strlen(AGENT_ID) + 1, &id, NULL), VW_EINVAL);
	assert_int_equal(vw_spiffe_parse("spiffe://a\0b/controller", 23, &id, NULL), VW_EINVAL);
	assert_int_equal(vw_spiffe_parse("spiffe://a/controller\0", 22, &id, NULL), VW_EINVAL);
}

static void test_the_longest(void **state)
{
	char domain[VW_TRUST_DOMAIN_MAX + 1], uri[2 * VW_SPIFFE_MAX], printed[VW_SPIFFE_MAX];
	struct vw_spiffe id;
	(void)state;
	memset(domain, 'a', sizeof(domain));
	domain[VW_TRUST_DOMAIN_MAX - 1] = '\0';
	assert_true(vw_trust_domain_valid(domain));
	snprintf(uri, sizeof(uri), "spiffe://%s/org/%d/agent/%s", domain, INT32_MAX, AGENT);
	assert_ok(parse(uri, &id), err);
	vw_spiffe_print(&id, printed);
	assert_string_equal(printed, uri);
	domain[VW_TRUST_DOMAIN_MAX - 1] = 'a';
	domain[VW_TRUST_DOMAIN_MAX] = '\0';
	assert_false(vw_trust_domain_valid(domain));
	snprintf(uri, sizeof(uri), "spiffe://%s/controller", domain);
	assert_fails(parse(uri, &id), VW_EINVAL, err, "trust domain");
}

static void test_parts_alone(void **state)
{
	(void)state;
	assert_true(vw_trust_domain_valid("a-b_c.d9"));
	assert_false(vw_trust_domain_valid(NULL));
	assert_false(vw_trust_domain_valid(""));
	assert_false(vw_trust_domain_valid("a/b"));
	assert_false(vw_trust_domain_valid("a b"));
	assert_true(vw_agent_id_valid(AGENT));
	assert_false(vw_agent_id_valid(NULL));
	assert_false(vw_agent_id_valid(""));
	assert_false(vw_agent_id_valid("0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8"));
	assert_false(vw_agent_id_valid("0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8g"));
	assert_false(vw_agent_id_valid(AGENT "0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_three_forms),
	    cmocka_unit_test(test_other_spellings_are_refused),
	    cmocka_unit_test(test_no_part_and_no_more_of_it_will_do),
	    cmocka_unit_test(test_the_longest),
	    cmocka_unit_test(test_parts_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
