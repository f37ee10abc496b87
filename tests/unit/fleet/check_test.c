/* vw_certificate_check(): who is let in, and why the others are not (S4.1). */
#include "fixture.h"

#include "base/limits.h"

static struct vw_error err;
static struct authority ca, other;

static int check(struct vw_bytes der, enum vw_certificate_use use, int64_t now)
{
	return vw_certificate_check(der, NULL, 0, &ca.der, 1, use, now, &err);
}

static void test_each_use(void **state)
{
	static const enum vw_certificate_use uses[] = {VW_USE_AGENT, VW_USE_CONTROLLER, VW_USE_RECEIPTS};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct vw_bytes der = issue(&ca, uses[i], NULL);
		for (size_t j = 0; j < 3; j++) {
			if (i == j)
				assert_ok(check(der, uses[j], NOON), err);
			else
				assert_fails(check(der, uses[j], NOON), VW_EAUTH, err, "not for use by");
		}
		assert_fails(check(der, VW_USE_CA, NOON), VW_EAUTH, err, "not an authority's");
	}
	assert_ok(check(ca.der, VW_USE_CA, NOON), err);
	assert_fails(check(ca.der, VW_USE_AGENT, NOON), VW_EAUTH, err, "not for use by an agent");
}

static void test_time(void **state)
{
	(void)state;
	struct vw_bytes der = issue(&ca, VW_USE_AGENT, NULL);
	assert_ok(check(der, VW_USE_AGENT, NOON + DAY), err);
	assert_fails(check(der, VW_USE_AGENT, NOON + DAY + 1000), VW_EAUTH, err,
		     "expired on 2026-03-02T12:00:00.000Z");
	assert_fails(check(der, VW_USE_AGENT, NOON - 1000), VW_EAUTH, err,
		     "not valid before 2026-03-01T12:00:00.000Z");
	assert_fails(check(der, VW_USE_AGENT, -1), VW_EINVAL, err, "at this time");
	assert_fails(check(der, VW_USE_AGENT, INT64_MAX), VW_EINVAL, err, "at this time");
	/* the authority has ended before what it issued */
	struct vw_certificate_order order = {.use = VW_USE_AGENT,
					     .common_name = "x",
					     .not_before = NOON,
					     .not_after = NOON + 9999 * DAY,
					     .public_key = {NULL, 0}};
	char serial[VW_SERIAL_MAX];
	assert_ok(vw_spiffe_parse(AGENT_ID, strlen(AGENT_ID), &order.id, &err), err);
	assert_ok(vw_key_public(other.key, arena, &order.public_key, &err), err);
	assert_ok(vw_certificate_issue(&order, ca.der, ca.key, arena, &der, serial, &err), err);
	assert_fails(check(der, VW_USE_AGENT, NOON + 3651 * DAY), VW_EAUTH, err, "of an authority above it expired");
}

static void test_another_authority(void **state)
{
	const struct vw_bytes both[] = {other.der, ca.der};
	(void)state;
	struct vw_bytes der = issue(&other, VW_USE_AGENT, NULL);
	assert_fails(check(der, VW_USE_AGENT, NOON), VW_EAUTH, err, "none of the authorities");
	assert_ok(vw_certificate_check(der, NULL, 0, both, 2, VW_USE_AGENT, NOON, &err), err);
	assert_fails(vw_certificate_check(der, NULL, 0, NULL, 0, VW_USE_AGENT, NOON, &err), VW_EAUTH, err, "none of");
	/* the same name, another key */
	struct authority impostor;
	make_authority("Test CA", &impostor);
	assert_fails(check(issue(&impostor, VW_USE_AGENT, NULL), VW_USE_AGENT, NOON), VW_EAUTH, err, "none of");
	vw_key_close(impostor.key);
}

static void test_changed_bytes(void **state)
{
	(void)state;
	struct vw_bytes der = issue(&ca, VW_USE_AGENT, NULL);
	for (size_t at = 0; at < der.len; at++)
		assert_int_not_equal(check(with_flip(der, at), VW_USE_AGENT, NOON), 0);
	assert_fails(check(with_tail(der, "x"), VW_USE_AGENT, NOON), VW_EINVAL, err, "follow");
}

/* An authority made by openssl, with a certificate under it: `ca_ext` and `ext` are lines of extensions. */
static int check_openssls(const char *ca_ext, const char *ext, const char *more)
{
	struct vw_bytes authority;
	sh("umask 077; printf '[req]\\ndistinguished_name=dn\\nprompt=no\\n[dn]\\nCN=o\\n[none]\\n' >conf; printf "
	   "'%s' >ca.ext; printf '%s' >ext; "
	   "openssl ecparam -name prime256v1 -genkey -noout -out o.key; openssl req -config conf -new -key o.key "
	   "-out o.csr; "
	   "openssl x509 -req -in o.csr -signkey o.key -days 10 -extfile ca.ext -outform DER -out o.der; "
	   "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout l.key -subj /CN=l -out "
	   "l.csr; "
	   "openssl x509 -req -in l.csr -CA o.der -CAkey o.key -CAcreateserial -days 5 -extfile ext %s -outform DER "
	   "-out "
	   "l.der",
	   ca_ext, ext, more);
	authority = slurp("o.der");
	struct vw_certificate_facts facts;
	assert_ok(vw_certificate_read(authority, arena, &facts, &err), err);
	return vw_certificate_check(slurp("l.der"), NULL, 0, &authority, 1, VW_USE_AGENT, facts.not_before + 3600000,
				    &err);
}

#define GOOD_CA "basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign\\n"
#define USAGES  "keyUsage=critical,digitalSignature\\nextendedKeyUsage=clientAuth\\n"
#define NAME    "subjectAltName=URI:" AGENT_ID "\\n"

static void test_certificates_of_openssl(void **state)
{
	static const struct {
		const char *ca, *leaf, *more, *says; /* NULL: it is good */
	} cases[] = {
	    {GOOD_CA, USAGES NAME, "", NULL},
	    {GOOD_CA, "keyUsage=digitalSignature\\nextendedKeyUsage=serverAuth,clientAuth\\n" NAME, "", NULL},
	    /* names */
	    {GOOD_CA, USAGES, "", "exactly one name"},
	    {GOOD_CA, USAGES "subjectAltName=URI:" AGENT_ID ",URI:spiffe://" DOMAIN "/org/8/agent/" AGENT, "",
	     "exactly one name"},
	    {GOOD_CA, USAGES "subjectAltName=URI:" AGENT_ID ",DNS:a.example", "", "exactly one name"},
	    {GOOD_CA, USAGES "subjectAltName=DNS:a.example", "", "exactly one name"},
	    {GOOD_CA, USAGES "subjectAltName=URI:spiffe://" DOMAIN "/controller", "", "exactly one name"},
	    {GOOD_CA, USAGES "subjectAltName=URI:spiffe://" DOMAIN "/org/7/agent/x", "", "exactly one name"},
	    /* usages */
	    {GOOD_CA, NAME, "", "not for use by an agent"},
	    {GOOD_CA, "keyUsage=digitalSignature\\n" NAME, "", "not for use by an agent"},
	    {GOOD_CA, "extendedKeyUsage=clientAuth\\n" NAME, "", "not for use by an agent"},
	    {GOOD_CA, "keyUsage=keyAgreement\\nextendedKeyUsage=clientAuth\\n" NAME, "", "not for use by an agent"},
	    {GOOD_CA, "keyUsage=digitalSignature\\nextendedKeyUsage=anyExtendedKeyUsage\\n" NAME, "",
	     "not for use by an agent"},
	    {GOOD_CA, USAGES "basicConstraints=critical,CA:TRUE\\n" NAME, "", "not for use by an agent"},
	    /* what is trusted must be an authority */
	    {"keyUsage=keyCertSign\\n", USAGES NAME, "", "may not issue"},
	    {"basicConstraints=critical,CA:FALSE\\n", USAGES NAME, "", "may not issue"},
	    {"basicConstraints=critical,CA:TRUE\\nkeyUsage=digitalSignature\\n", USAGES NAME, "", "none of"},
	    /* algorithms */
	    {GOOD_CA, USAGES NAME, "-sha1", "weak"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = check_openssls(cases[i].ca, cases[i].leaf, cases[i].more);
		if (!cases[i].says)
			assert_ok(rc, err);
		else
			assert_fails(rc, VW_EAUTH, err, cases[i].says);
	}
	/* version 1: it has no extensions to say that it is an authority */
	assert_fails(check_openssls("# none\\n[x]\\n", USAGES NAME, ""), VW_EAUTH, err, "may not issue");
}

/* A leaf that is listed among the authorities is not thereby trusted. */
static void test_a_trusted_leaf_is_no_authority(void **state)
{
	(void)state;
	struct vw_bytes der = issue(&other, VW_USE_AGENT, NULL);
	assert_fails(vw_certificate_check(der, NULL, 0, &der, 1, VW_USE_AGENT, NOON, &err), VW_EAUTH, err,
		     "may not issue");
}

/* Our own authorities allow none below; an operator's root does. */
static void test_intermediates(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	struct authority below;
	(void)state;
	below.der = issue(&ca, VW_USE_CA, &key);
	below.key = key;
	struct vw_bytes leaf = issue(&below, VW_USE_AGENT, NULL);
	assert_fails(vw_certificate_check(leaf, &below.der, 1, &ca.der, 1, VW_USE_AGENT, NOON, &err), VW_EAUTH, err,
		     "none of");
	sh("umask 077; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout root.key -out "
	   "root.der "
	   "-outform DER -subj /CN=root -days 10 -addext keyUsage=keyCertSign; openssl ecparam -name prime256v1 "
	   "-genkey "
	   "-noout -out int.key; openssl req -new -key int.key -subj /CN=int -out int.csr; printf '" GOOD_CA
	   "' >ext; "
	   "openssl x509 -req -in int.csr -CA root.der -CAkey root.key -CAcreateserial -days 10 -extfile ext "
	   "-outform DER "
	   "-out int.der");
	struct vw_bytes root = slurp("root.der"), intermediate = slurp("int.der");
	struct vw_certificate_facts facts;
	assert_ok(vw_certificate_read(intermediate, arena, &facts, &err), err);
	int64_t now = facts.not_before + 1000;
	VW_AUTO(vw_key_cleanup) struct vw_key *own = NULL;
	assert_ok(vw_key_read("int.key", &own, &err), err);
	struct vw_certificate_order order = {
	    .use = VW_USE_AGENT, .common_name = "x", .not_before = now, .not_after = now + DAY};
	char serial[VW_SERIAL_MAX];
	order.public_key = facts.public_key;
	assert_ok(vw_spiffe_parse(AGENT_ID, strlen(AGENT_ID), &order.id, &err), err);
	assert_ok(vw_certificate_issue(&order, intermediate, own, arena, &leaf, serial, &err), err);
	assert_ok(vw_certificate_check(leaf, &intermediate, 1, &root, 1, VW_USE_AGENT, now, &err), err);
	assert_ok(vw_certificate_check(intermediate, NULL, 0, &root, 1, VW_USE_CA, now, &err), err);
	assert_fails(vw_certificate_check(leaf, NULL, 0, &root, 1, VW_USE_AGENT, now, &err), VW_EAUTH, err,
		     "none of");
	/* a leaf cannot stand between */
	struct vw_bytes agents = issue(&ca, VW_USE_AGENT, NULL);
	assert_fails(vw_certificate_check(leaf, &agents, 1, &root, 1, VW_USE_AGENT, now, &err), VW_EAUTH, err,
		     "none of");
}

static void test_caps(void **state)
{
	struct vw_bytes many[VW_MAX_CERTIFICATES + 1];
	(void)state;
	struct vw_bytes der = issue(&ca, VW_USE_AGENT, NULL);
	for (int i = 0; i <= VW_MAX_CERTIFICATES; i++)
		many[i] = other.der;
	assert_ok(vw_certificate_check(der, many, VW_MAX_CERTIFICATES, &ca.der, 1, VW_USE_AGENT, NOON, &err), err);
	assert_fails(vw_certificate_check(der, many, VW_MAX_CERTIFICATES + 1, &ca.der, 1, VW_USE_AGENT, NOON, &err),
		     VW_ELIMIT, err, "intermediate");
	assert_fails(vw_certificate_check(der, NULL, 0, many, VW_MAX_CERTIFICATES + 1, VW_USE_AGENT, NOON, &err),
		     VW_ELIMIT, err, "authorities");
	many[1] = bytes_of("x");
	assert_fails(vw_certificate_check(der, many, 2, &ca.der, 1, VW_USE_AGENT, NOON, &err), VW_EINVAL, err,
		     "intermediate certificates");
	assert_fails(vw_certificate_check(der, NULL, 0, many, 2, VW_USE_AGENT, NOON, &err), VW_EINVAL, err,
		     "authorities");
}

static int enter(void **state)
{
	int rc = enter_folder(state);
	make_authority("Test CA", &ca);
	make_authority("Other CA", &other);
	return rc;
}

static int leave(void **state)
{
	vw_key_close(ca.key);
	vw_key_close(other.key);
	return leave_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_use),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_another_authority),
	    cmocka_unit_test(test_changed_bytes),
	    cmocka_unit_test(test_certificates_of_openssl),
	    cmocka_unit_test(test_a_trusted_leaf_is_no_authority),
	    cmocka_unit_test(test_intermediates),
	    cmocka_unit_test(test_caps),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
