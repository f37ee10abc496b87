/* Certificates that are made and read; openssl says what others see in them (S4.1). */
#include "fixture.h"

#include "base/digest.h"
#include "base/limits.h"

#include <sys/stat.h>

static struct vw_error err;
static struct authority ca;

static struct vw_certificate_facts facts_of(struct vw_bytes der)
{
	struct vw_certificate_facts facts;
	assert_ok(vw_certificate_read(der, arena, &facts, &err), err);
	return facts;
}

static void test_what_is_issued_is_read(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	uint8_t sha256[32];
	struct vw_bytes public;
	(void)state;
	struct vw_bytes der = issue(&ca, VW_USE_AGENT, &key);
	struct vw_certificate_facts facts = facts_of(der);
	assert_true(facts.has_id);
	assert_int_equal(facts.id.kind, VW_SPIFFE_AGENT);
	assert_int_equal(facts.id.organization, 7);
	assert_string_equal(facts.id.agent_id, AGENT);
	assert_string_equal(facts.id.trust_domain, DOMAIN);
	assert_false(facts.is_ca);
	assert_int_equal(facts.not_before, NOON);
	assert_int_equal(facts.not_after, NOON + DAY);
	assert_int_equal(strlen(facts.serial), 32);
	assert_ok(vw_key_public(key, arena, &public, &err), err);
	assert_true(same_bytes(facts.public_key, public));
	vw_sha256_of(der.data, der.len, sha256);
	assert_memory_equal(facts.sha256, sha256, 32);
	assert_true(facts_of(ca.der).is_ca);
	assert_false(facts_of(ca.der).has_id);
	assert_int_equal(facts_of(issue(&ca, VW_USE_CONTROLLER, NULL)).id.kind, VW_SPIFFE_CONTROLLER);
	assert_int_equal(facts_of(issue(&ca, VW_USE_RECEIPTS, NULL)).id.kind, VW_SPIFFE_RECEIPTS);
}

static void test_serials_are_random(void **state)
{
	char seen[20][VW_SERIAL_MAX];
	(void)state;
	for (int i = 0; i < 20; i++) {
		strcpy(seen[i], facts_of(issue(&ca, VW_USE_AGENT, NULL)).serial);
		for (int before = 0; before < i; before++)
			assert_string_not_equal(seen[i], seen[before]);
	}
}

static void pem(const char *path, struct vw_bytes der)
{
	assert_ok(vw_certificates_write_file(path, &der, 1, 0644, &err), err);
}

static bool openssl_verifies(const char *purpose)
{
	return sh_says("openssl verify -x509_strict -attime %lld -CAfile ca.pem -purpose %s leaf.pem",
		       (long long)NOON / 1000 + 3600, purpose);
}

static bool openssl_shows(const char *text)
{
	return sh_says("openssl x509 -in leaf.pem -noout -text | grep -F -- '%s'", text);
}

static void test_openssl_on_an_agents(void **state)
{
	(void)state;
	pem("ca.pem", ca.der);
	struct vw_bytes leaf = issue(&ca, VW_USE_AGENT, NULL);
	pem("leaf.pem", leaf);
	assert_true(openssl_verifies("sslclient"));
	assert_false(openssl_verifies("sslserver"));
	assert_true(openssl_shows("URI:" AGENT_ID));
	assert_false(openssl_shows("DNS:"));
	assert_true(openssl_shows("TLS Web Client Authentication"));
	assert_true(openssl_shows("CA:FALSE"));
	assert_true(openssl_shows("Subject: CN = a name for people"));
	assert_true(sh_says("openssl x509 -in leaf.pem -noout -serial | grep -i %s", facts_of(leaf).serial));
	assert_true(sh_says("openssl x509 -in leaf.pem -noout -startdate | grep 'Mar  1 12:00:00 2026'"));
	/* openssl would accept a chain without the two ids, GnuTLS too; with wrong ones neither */
	assert_true(openssl_shows("Subject Key Identifier"));
	assert_true(openssl_shows("Authority Key Identifier"));
}

static void test_openssl_on_a_controllers(void **state)
{
	(void)state;
	pem("ca.pem", ca.der);
	pem("leaf.pem", issue(&ca, VW_USE_CONTROLLER, NULL));
	assert_true(openssl_verifies("sslserver"));
	assert_false(openssl_verifies("sslclient"));
	assert_true(openssl_verifies("sslserver -verify_hostname controller.example"));
	assert_true(openssl_verifies("sslserver -verify_ip 127.0.0.1"));
	assert_true(openssl_verifies("sslserver -verify_ip ::1"));
	assert_false(openssl_verifies("sslserver -verify_hostname other.example"));
	assert_true(openssl_shows("URI:spiffe://" DOMAIN "/controller"));
}

static void test_openssl_on_a_receipts_signers(void **state)
{
	(void)state;
	pem("ca.pem", ca.der);
	pem("leaf.pem", issue(&ca, VW_USE_RECEIPTS, NULL));
	assert_true(openssl_verifies("any"));
	assert_false(openssl_verifies("sslserver"));
	assert_false(openssl_verifies("sslclient"));
	assert_true(openssl_shows("1.3.6.1.5.5.7.3.36"));
	assert_true(openssl_shows("Digital Signature, Non Repudiation"));
}

static void test_openssl_on_an_authority(void **state)
{
	(void)state;
	pem("ca.pem", ca.der);
	pem("leaf.pem", ca.der);
	assert_true(openssl_verifies("any"));
	assert_true(openssl_shows("CA:TRUE, pathlen:0"));
	assert_true(openssl_shows("Certificate Sign, CRL Sign"));
	assert_false(openssl_shows("URI:"));
}

/* An operator's intermediate: its name in strings of other kinds, in several parts, and a key id of its own making. */
static void test_under_an_operators_intermediate(void **state)
{
	struct authority intermediate;
	struct vw_bytes *read;
	size_t count;
	(void)state;
	sh("umask 077; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout root.key -out "
	   "root.pem "
	   "-subj '/C=DE/O=Root/CN=The Root' -days 3650 -addext keyUsage=critical,keyCertSign; "
	   "printf '%%s\\n' basicConstraints=critical,CA:TRUE keyUsage=keyCertSign subjectKeyIdentifier=01:02:03:04 "
	   "authorityKeyIdentifier=keyid >ext; "
	   "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout int.key -out int.csr "
	   "-utf8 -subj '/C=DE/O=Ä, \"B\" \\+ C/OU=One/OU=Two/CN=Models \\/ Fleet'; "
	   "openssl x509 -req -in int.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile ext -days 3650 -out "
	   "int.pem");
	assert_ok(vw_key_read("int.key", &intermediate.key, &err), err);
	assert_ok(vw_certificates_read_file("int.pem", arena, &read, &count, &err), err);
	intermediate.der = read[0];
	pem("leaf.pem", issue(&intermediate, VW_USE_AGENT, NULL));
	sh("openssl verify -x509_strict -no_check_time -CAfile root.pem -untrusted int.pem -purpose sslclient "
	   "leaf.pem");
	assert_true(openssl_shows("01:02:03:04"));
	sh("openssl x509 -in int.pem -noout -subject -nameopt RFC2253 | cut -d= -f2- >a; "
	   "openssl x509 -in leaf.pem -noout -issuer -nameopt RFC2253 | cut -d= -f2- >b; cmp a b");
	vw_key_close(intermediate.key);
}

static int issue_order(const struct vw_certificate_order *order, struct vw_bytes issuer, const struct vw_key *key)
{
	char serial[VW_SERIAL_MAX];
	struct vw_bytes der;
	return vw_certificate_issue(order, issuer, key, arena, &der, serial, &err);
}

static struct vw_certificate_order an_order(const struct vw_key *key)
{
	struct vw_certificate_order order = {
	    .use = VW_USE_AGENT, .common_name = "x", .not_before = NOON, .not_after = NOON + DAY};
	assert_ok(vw_spiffe_parse(AGENT_ID, strlen(AGENT_ID), &order.id, &err), err);
	assert_ok(vw_key_public(key, arena, &order.public_key, &err), err);
	return order;
}

/* mbedTLS writes one attribute in each part of a name: then the certificate would not lead to its issuer. */
static void test_an_issuers_name_of_merged_parts(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	struct vw_bytes *read;
	size_t count;
	(void)state;
	sh("umask 077; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout m.key -out m.pem "
	   "-multivalue-rdn -subj '/C=DE/O=x+CN=y'");
	assert_ok(vw_key_read("m.key", &key, &err), err);
	assert_ok(vw_certificates_read_file("m.pem", arena, &read, &count, &err), err);
	struct vw_certificate_order order = an_order(ca.key);
	assert_fails(issue_order(&order, read[0], key), VW_EUNSUPPORTED, err, "issuer's name");
}

static void test_orders_that_cannot_be_met(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	static const char *const bad_hosts[] = {"a", "b c", NULL}, *const empty_host[] = {"", NULL};
	const struct vw_bytes none = {NULL, 0};
	(void)state;
	struct vw_bytes leaf = issue(&ca, VW_USE_AGENT, &key);
	struct vw_certificate_order good = an_order(key), order = good;
	assert_ok(issue_order(&order, ca.der, ca.key), err);
	assert_fails(issue_order(&order, ca.der, key), VW_ECONFIG, err, "not that of the issuer");
	assert_fails(issue_order(&order, leaf, key), VW_ECONFIG, err, "may not issue");
	assert_fails(issue_order(&order, none, ca.key), VW_ECONFIG, err, "not that of the issuer");
	assert_fails(issue_order(&order, bytes_of("x"), ca.key), VW_EINVAL, err, "the issuer");
	order.not_after = order.not_before;
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "valid from");
	order.not_after = INT64_C(253402300800000); /* the year 10000 */
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "valid from");
	order.not_after = INT64_MAX;
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "valid from");
	order = good;
	order.not_before = -1;
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "valid from");
	order = good;
	order.common_name = "";
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "common name");
	order.common_name = NULL;
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "common name");
	order = good;
	order.hosts = bad_hosts;
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "host");
	order.hosts = empty_host;
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "host");
	order = good;
	sh("openssl genrsa 2048 | openssl pkey -pubout -outform DER -out rsa.pub");
	order.public_key = slurp("rsa.pub");
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "P-256");
	order.public_key = none;
	assert_fails(issue_order(&order, ca.der, ca.key), VW_EINVAL, err, "public key");
}

static void test_many_hosts(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	const char *hosts[102] = {NULL};
	(void)state;
	(void)issue(&ca, VW_USE_AGENT, &key);
	struct vw_certificate_order order = an_order(key);
	order.hosts = hosts;
	for (int i = 0; i < 100; i++)
		hosts[i] = vw_arena_printf(arena, "a-rather-long-name-of-host-%d.fleet.example", i);
	assert_ok(issue_order(&order, ca.der, ca.key), err);
	hosts[100] = "one-too-many";
	assert_fails(issue_order(&order, ca.der, ca.key), VW_ELIMIT, err, "100 hosts");
}

static void test_common_names(void **state)
{
	/* 63 bytes, and a character of two bytes that is cut as one */
	static const char long_name[] = "0123456789012345678901234567890123456789012345678901234567890123456789";
	static const char umlaut[] = "01234567890123456789012345678901234567890123456789012345678901\xc3\xa4\xc3\xa4";
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	struct vw_bytes der;
	char serial[VW_SERIAL_MAX];
	(void)state;
	(void)issue(&ca, VW_USE_AGENT, &key);
	struct vw_certificate_order order = an_order(key);
	static const struct {
		const char *name, *shown;
	} cases[] = {{"a,b=c+\"d\"#; ", "CN=a,b=c+\"d\"#; "},
		     {"\\2C", "CN=\\2C"},
		     {long_name, "CN=0123456789012345678901234567890123456789012345678901234567890123"},
		     {umlaut, "CN=01234567890123456789012345678901234567890123456789012345678901\xc3\xa4"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		order.common_name = cases[i].name;
		assert_ok(vw_certificate_issue(&order, ca.der, ca.key, arena, &der, serial, &err), err);
		pem("leaf.pem", der);
		sh("openssl x509 -in leaf.pem -noout -subject -nameopt utf8,sep_comma_plus >subject");
		const char *subject = slurp("subject").data;
		assert_string_equal(strstr(subject, "CN="), vw_arena_printf(arena, "%s\n", cases[i].shown));
	}
}

/* ---- Reading ---- */

/* openssl's certificate with these names (an extension line), DER. */
static struct vw_bytes with_names(const char *san)
{
	sh("umask 077; echo '%s' >ext; openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "
	   "n.key -subj "
	   "/CN=n -out n.csr; openssl x509 -req -in n.csr -signkey n.key -days 1 -extfile ext -outform DER -out "
	   "n.der",
	   san);
	return slurp("n.der");
}

static void test_which_names_make_an_id(void **state)
{
	static const struct {
		const char *san;
		bool has_id;
	} cases[] = {
	    {"subjectAltName=URI:" AGENT_ID, true},
	    {"subjectAltName=URI:" AGENT_ID ",DNS:a.example,IP:127.0.0.1", true},
	    {"subjectAltName=URI:" AGENT_ID ",URI:" AGENT_ID, false},
	    {"subjectAltName=URI:" AGENT_ID ",URI:spiffe://" DOMAIN "/org/8/agent/" AGENT, false},
	    {"subjectAltName=URI:" AGENT_ID ",URI:https://a.example", false},
	    {"subjectAltName=DNS:a.example", false},
	    {"subjectAltName=DNS:" AGENT_ID, false},
	    {"subjectAltName=email:" AGENT_ID, false},
	    {"subjectAltName=URI:spiffe://" DOMAIN "/org/007/agent/" AGENT, false},
	    {"subjectAltName=URI:https://" DOMAIN "/org/7/agent/" AGENT, false},
	    {"subjectAltName=otherName:1.2.3.4;UTF8:" AGENT_ID, false},
	    {"keyUsage=digitalSignature", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (facts_of(with_names(cases[i].san)).has_id != cases[i].has_id)
			fail_msg("%s", cases[i].san);
	}
}

static void test_certificates_of_others(void **state)
{
	(void)state;
	sh("umask 077; openssl req -x509 -newkey rsa:2048 -nodes -keyout o.key -subj /CN=o -set_serial 0x00f0 -days "
	   "1 "
	   "-outform DER -out o.der");
	struct vw_certificate_facts facts = facts_of(slurp("o.der"));
	assert_string_equal(facts.serial, "f0");
	assert_true(facts.is_ca);
	sh("openssl pkey -in o.key -pubout -outform DER -out o.pub");
	assert_true(same_bytes(facts.public_key, slurp("o.pub")));
	/* 20 bytes are the most there may be; 21 are refused */
	sh("openssl req -x509 -key o.key -subj /CN=o -set_serial 0x7f0102030405060708090a0b0c0d0e0f10111213 -outform "
	   "DER "
	   "-out o.der");
	assert_string_equal(facts_of(slurp("o.der")).serial, "7f0102030405060708090a0b0c0d0e0f10111213");
	sh("openssl req -x509 -key o.key -subj /CN=o -set_serial 0x7f0102030405060708090a0b0c0d0e0f1011121314 "
	   "-outform "
	   "DER -out o.der");
	assert_fails(vw_certificate_read(slurp("o.der"), arena, &facts, &err), VW_EINVAL, err, "serial");
}

static void test_no_part_and_no_more_of_it_will_do(void **state)
{
	struct vw_certificate_facts facts;
	(void)state;
	struct vw_bytes der = issue(&ca, VW_USE_AGENT, NULL);
	for (size_t len = 0; len < der.len; len++)
		assert_fails(vw_certificate_read((struct vw_bytes){der.data, len}, arena, &facts, &err), VW_EINVAL,
			     err, "not a certificate");
	assert_fails(vw_certificate_read(with_tail(der, "x"), arena, &facts, &err), VW_EINVAL, err, "follow");
	void *large = vw_arena_alloc(arena, VW_MAX_CERTIFICATE + 1);
	assert_fails(vw_certificate_read((struct vw_bytes){large, VW_MAX_CERTIFICATE + 1}, arena, &facts, &err),
		     VW_ELIMIT, err, "VW_MAX_CERTIFICATE");
}

/* ---- Files ---- */

static void test_files(void **state)
{
	struct vw_bytes written[] = {issue(&ca, VW_USE_AGENT, NULL), ca.der}, *read;
	size_t count;
	struct stat st;
	(void)state;
	assert_ok(vw_certificates_write_file("two.pem", written, 2, 0640, &err), err);
	assert_int_equal(stat("two.pem", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_ok(vw_certificates_read_file("two.pem", arena, &read, &count, &err), err);
	assert_int_equal(count, 2);
	assert_true(same_bytes(read[0], written[0]) && same_bytes(read[1], written[1]));
	/* what openssl writes: other words around it, other line ends */
	sh("openssl x509 -in two.pem -text | sed 's/$/\\r/' >text.pem");
	assert_ok(vw_certificates_read_file("text.pem", arena, &read, &count, &err), err);
	assert_int_equal(count, 1);
	assert_true(same_bytes(read[0], written[0]));
}

static void test_files_that_are_refused(void **state)
{
	struct vw_bytes nine[VW_MAX_CERTIFICATES + 1], *read = NULL;
	size_t count = 0;
	(void)state;
	assert_fails(vw_certificates_read_file("no.pem", arena, &read, &count, &err), VW_ENOTFOUND, err, "no.pem");
	sh(": >empty.pem; echo some words >words.pem; head -c 1000000 /dev/zero >large.pem");
	assert_fails(vw_certificates_read_file("empty.pem", arena, &read, &count, &err), VW_EINVAL, err, "empty.pem");
	assert_fails(vw_certificates_read_file("words.pem", arena, &read, &count, &err), VW_EINVAL, err,
		     "no certificate");
	assert_fails(vw_certificates_read_file("large.pem", arena, &read, &count, &err), VW_ELIMIT, err, "large.pem");
	pem("good.pem", ca.der);
	sh("{ cat good.pem; sed 4d good.pem; } >half.pem; head -n 5 good.pem >cut.pem");
	assert_fails(vw_certificates_read_file("half.pem", arena, &read, &count, &err), VW_EINVAL, err, "half.pem");
	assert_fails(vw_certificates_read_file("cut.pem", arena, &read, &count, &err), VW_EINVAL, err, "cut.pem");
	for (int i = 0; i <= VW_MAX_CERTIFICATES; i++)
		nine[i] = ca.der;
	assert_ok(vw_certificates_write_file("eight.pem", nine, VW_MAX_CERTIFICATES, 0644, &err), err);
	assert_ok(vw_certificates_read_file("eight.pem", arena, &read, &count, &err), err);
	assert_int_equal(count, VW_MAX_CERTIFICATES);
	assert_ok(vw_certificates_write_file("nine.pem", nine, VW_MAX_CERTIFICATES + 1, 0644, &err), err);
	assert_fails(vw_certificates_read_file("nine.pem", arena, &read, &count, &err), VW_ELIMIT, err,
		     "VW_MAX_CERTIFICATES");
}

static int parse(struct vw_bytes pem, struct vw_bytes **read, size_t *count)
{
	return vw_certificates_parse(pem.data, pem.len, "the answer", arena, read, count, &err);
}

/* What an HTTPS listener answers. */
static void test_pem_from_elsewhere(void **state)
{
	struct vw_bytes written[] = {ca.der, issue(&ca, VW_USE_AGENT, NULL)}, *read = NULL;
	size_t count = 0;
	(void)state;
	assert_ok(vw_certificates_write_file("two.pem", written, 2, 0644, &err), err);
	struct vw_bytes text = slurp("two.pem");
	assert_ok(parse(text, &read, &count), err);
	assert_int_equal(count, 2);
	assert_true(same_bytes(read[0], written[0]) && same_bytes(read[1], written[1]));
	/* whole lines may be left out at the end, and then there is less; never something else */
	for (size_t len = 0; len < text.len; len++) {
		if (parse((struct vw_bytes){text.data, len}, &read, &count) == 0)
			assert_true(count <= 2 && same_bytes(read[0], written[0]));
	}
	assert_fails(parse(bytes_of(""), &read, &count), VW_EINVAL, err, "the answer: holds no certificate");
	assert_fails(parse(bytes_of("<html>"), &read, &count), VW_EINVAL, err, "the answer");
	char *large = vw_arena_alloc(arena, VW_MIB);
	assert_fails(parse((struct vw_bytes){large, VW_MIB}, &read, &count), VW_ELIMIT, err, "the answer: too long");
}

static void test_pem_of_each_length(void **state)
{
	(void)state;
	struct vw_bytes der = issue(&ca, VW_USE_AGENT, NULL);
	for (size_t len = 0; len <= 100; len++) {
		struct vw_buffer text;
		vw_buffer_init(&text, 0);
		assert_int_equal(vw_certificate_pem((struct vw_bytes){der.data, len}, &text), 0);
		spill("x.pem", (struct vw_bytes){text.data, text.len});
		vw_buffer_reset(&text);
		sh("sed 1d x.pem | sed '$d' | base64 -d >x.der; awk 'length > 64 {exit 1}' x.pem");
		assert_true(same_bytes(slurp("x.der"), (struct vw_bytes){der.data, len}));
	}
}

static int enter(void **state)
{
	int rc = enter_folder(state);
	make_authority("Test CA", &ca);
	return rc;
}

static int leave(void **state)
{
	vw_key_close(ca.key);
	return leave_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_issued_is_read),
	    cmocka_unit_test(test_serials_are_random),
	    cmocka_unit_test(test_openssl_on_an_agents),
	    cmocka_unit_test(test_openssl_on_a_controllers),
	    cmocka_unit_test(test_openssl_on_a_receipts_signers),
	    cmocka_unit_test(test_openssl_on_an_authority),
	    cmocka_unit_test(test_under_an_operators_intermediate),
	    cmocka_unit_test(test_an_issuers_name_of_merged_parts),
	    cmocka_unit_test(test_orders_that_cannot_be_met),
	    cmocka_unit_test(test_many_hosts),
	    cmocka_unit_test(test_common_names),
	    cmocka_unit_test(test_which_names_make_an_id),
	    cmocka_unit_test(test_certificates_of_others),
	    cmocka_unit_test(test_no_part_and_no_more_of_it_will_do),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_files_that_are_refused),
	    cmocka_unit_test(test_pem_from_elsewhere),
	    cmocka_unit_test(test_pem_of_each_length),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
