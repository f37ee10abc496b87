/* authority.h: an authority is opened, renews its own certificate, and signs. */
#include "founding.h"

#include "proto/message.h"

static int open_code(const struct vw_authority_settings *settings)
{
	struct vw_authority *authority;
	int code = vw_authority_open(settings, &authority, &err);
	if (code == 0)
		vw_authority_close(authority);
	return code;
}

static void test_nothing_there(void **state)
{
	struct vw_authority_settings settings = settings_of("nowhere");
	(void)state;
	assert_fails(open_code(&settings), VW_ECONFIG, err, "run vw-controller init");
}

static void test_what_does_not_fit(void **state)
{
	struct vw_authority_settings settings = settings_of("x");
	static const struct {
		const char *done, *said;
	} cases[] = {
	    {"rm x/ca.key", "x/ca.key"},
	    {"rm x/ca.pem", "x/ca.pem"},
	    {"cp b/ca.key x/ca.key", "x/ca.key is not the key of the first certificate"},
	    {"cp b/ca.* x", "receipts.pem was not issued by ca.pem"},
	    {"rm x/receipts.key", "run vw-controller init"},
	    {"rm x/receipts.pem", "run vw-controller init"},
	    {"cp b/receipts.key x", "is not the key"},
	    {"chmod 644 x/ca.key", "chmod 600 x/ca.key"},
	    {"chmod 640 x/receipts.key", "chmod 600 x/receipts.key"},
	    {"echo garbage >x/ca.pem", "x/ca.pem"},
	    {"echo garbage >x/receipts.key", "x/receipts.key"},
	    {"cp x/server.pem x/receipts.pem && cp x/server.key x/receipts.key",
	     "receipts.pem was not issued by ca.pem"},
	};
	struct vw_authority_settings other = settings_of("b");
	(void)state;
	settings.folder = "a";
	vw_authority_close(found(&settings));
	vw_authority_close(found(&other));
	settings.folder = "x";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sh("rm -rf x && cp -a a x && %s", cases[i].done);
		assert_fails(open_code(&settings), VW_ECONFIG, err, cases[i].said);
	}
	sh("rm -rf x && cp -a a x");
	assert_ok(open_code(&settings), err);
	settings.trust_domain = "other.example";
	assert_fails(open_code(&settings), VW_ECONFIG, err, "put trust_domain back");
	/* init with the wrong one: what it made is made again once it is put back */
	assert_fails(vw_authority_create(&settings, NULL, NULL, &err), VW_ECONFIG, err, "put trust_domain back");
	settings.trust_domain = DOMAIN;
	struct vw_authority *a = reopen(&settings);
	assert_int_equal(vw_authority_refresh(a, &err), 1);
	vw_authority_close(a);
}

static void test_an_expired_ca(void **state)
{
	struct vw_authority_settings settings = settings_of("old");
	(void)state;
	write_ca("old", vw_clock_now() - 10 * DAY, vw_clock_now() - DAY);
	assert_fails(open_code(&settings), VW_ECONFIG, err, "expired on");
	assert_fails(vw_authority_create(&settings, NULL, NULL, &err), VW_ECONFIG, err, "expired on");
	write_ca("young", vw_clock_now() + DAY, vw_clock_now() + 2 * DAY);
	settings.folder = "young";
	assert_fails(vw_authority_create(&settings, NULL, NULL, &err), VW_ECONFIG, err, "not valid before");
}

/* ---- the server's certificate ---- */

struct pem {
	char *chain, *ca, *key;
};

static struct pem server_pem(struct vw_authority *a)
{
	struct pem pem;
	struct vw_secret *key;
	assert_ok(vw_authority_server_pem(a, arena, &pem.chain, &key, &pem.ca, &err), err);
	pem.key = vw_arena_strdup(arena, vw_secret_text(key));
	vw_secret_close(key);
	return pem;
}

static int refuses(struct vw_authority *a)
{
	char *chain, *ca;
	struct vw_secret *key;
	return vw_authority_server_pem(a, arena, &chain, &key, &ca, &err);
}

static void check_pem(struct pem pem)
{
	spill("pem.chain", bytes_of(pem.chain));
	spill("pem.key", bytes_of(pem.key));
	spill("pem.ca", bytes_of(pem.ca));
	sh("test \"$(openssl x509 -in pem.chain -noout -pubkey)\" = \"$(openssl pkey -in pem.key -pubout)\"");
	sh("openssl verify -purpose sslserver -CAfile pem.ca pem.chain");
}

static void test_fresh_stays(void **state)
{
	struct vw_authority_settings settings = settings_of("a");
	struct vw_authority *a = reopen(&settings);
	(void)state;
	struct pem before = server_pem(a);
	check_pem(before);
	assert_int_equal(vw_authority_refresh(a, &err), 0);
	assert_string_equal(server_pem(a).chain, before.chain);
	assert_string_equal(server_pem(a).key, before.key);
	vw_authority_close(a);
}

/* Its files may be in any state: it opens, and another is made. */
static void test_broken_is_made_again(void **state)
{
	static const char *const cases[] = {"rm x/server.key",
					    "rm x/server.pem",
					    "rm x/server.hosts",
					    "cp b/server.key x", /* the new key, and the old certificate */
					    "echo garbage >x/server.pem",
					    "echo garbage >x/server.key",
					    "cp b/server.* x" /* of another CA */};
	struct vw_authority_settings settings = settings_of("x");
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sh("rm -rf x && cp -a a x && %s", cases[i]);
		struct vw_authority *a = reopen(&settings);
		assert_fails(refuses(a), VW_ECONFIG, err, "no server certificate");
		assert_int_equal(vw_authority_refresh(a, &err), 1);
		check_pem(server_pem(a));
		assert_int_equal(vw_authority_refresh(a, &err), 0);
		vw_authority_close(a);
		assert_false(same_bytes(content("a", "server.pem"), content("x", "server.pem")));
		assert_same(content("a", "ca.key"), content("x", "ca.key"));
	}
	sh("rm -rf x && cp -a a x && chmod 644 x/server.key");
	struct vw_authority *a = reopen(&settings);
	assert_fails(vw_authority_refresh(a, &err), VW_ECONFIG, err, "chmod 600 x/server.key");
	vw_authority_close(a);
}

static void test_other_hosts(void **state)
{
	struct vw_authority_settings settings = settings_of("x");
	(void)state;
	sh("rm -rf x && cp -a a x");
	settings.hosts = (const char *const[]){"localhost", "127.0.0.1", "new.example", NULL};
	struct vw_authority *a = reopen(&settings);
	assert_int_equal(vw_authority_refresh(a, &err), 1);
	spill("pem.chain", bytes_of(server_pem(a).chain));
	sh("openssl verify -CAfile x/ca.pem -verify_hostname new.example pem.chain");
	vw_authority_close(a);
	a = reopen(&settings);
	assert_int_equal(vw_authority_refresh(a, &err), 0);
	vw_authority_close(a);
}

static void test_renewed_at_half_its_life(void **state)
{
	struct vw_authority_settings settings = settings_of("x"), longer;
	(void)state;
	sh("rm -rf x && cp -a a x && rm x/server.*");
	settings.server_life_ms = 4 * 60000; /* it begins five minutes ago: more than half is over */
	longer = settings;
	longer.server_life_ms = 90 * DAY;
	struct vw_authority *a = reopen(&settings);
	assert_int_equal(vw_authority_refresh(a, &err), 1);
	char *first = server_pem(a).chain;
	assert_int_equal(vw_authority_refresh(a, &err), 1);
	assert_string_not_equal(server_pem(a).chain, first);
	/* another process renews it: what it made is taken over */
	struct vw_authority *b = reopen(&longer);
	assert_int_equal(vw_authority_refresh(b, &err), 1);
	assert_int_equal(vw_authority_refresh(a, &err), 1);
	assert_string_equal(server_pem(a).chain, server_pem(b).chain);
	assert_int_equal(vw_authority_refresh(a, &err), 0);
	vw_authority_close(a);
	vw_authority_close(b);
}

static void test_what_cannot_be_renewed_stays(void **state)
{
	struct vw_authority_settings settings = settings_of("x");
	(void)state;
	sh("rm -rf x && cp -a a x && rm x/server.*");
	settings.server_life_ms = 4 * 60000;
	struct vw_authority *a = reopen(&settings);
	assert_int_equal(vw_authority_refresh(a, &err), 1);
	char *first = server_pem(a).chain;
	sh("mv x away"); /* nothing can be written any more */
	assert_true(vw_authority_refresh(a, &err) < 0);
	assert_string_equal(server_pem(a).chain, first);
	sh("mv away x");
	assert_int_equal(vw_authority_refresh(a, &err), 1);
	vw_authority_close(a);
}

/* ---- what is signed ---- */

static void test_agents_certificates(void **state)
{
	struct vw_authority_settings settings = settings_of("short");
	struct vw_certificate_facts facts, ca;
	int64_t now = vw_clock_now();
	size_t count;
	(void)state;
	write_ca("short", now - HOUR, now + 30 * HOUR);
	struct vw_authority *a = found(&settings);
	assert_ok(vw_certificate_read(vw_authority_chain(a, &count)[0], arena, &ca, &err), err);
	struct vw_bytes der = issue_agent(a, now);
	assert_ok(vw_certificate_check(der, NULL, 0, vw_authority_chain(a, &count), 1, VW_USE_AGENT, now, &err), err);
	assert_ok(vw_certificate_read(der, arena, &facts, &err), err);
	assert_true(facts.has_id);
	assert_int_equal(facts.id.kind, VW_SPIFFE_AGENT);
	assert_int_equal(facts.id.organization, 7);
	assert_string_equal(facts.id.agent_id, AGENT);
	assert_string_equal(facts.id.trust_domain, DOMAIN);
	assert_in_range(facts.not_after - now, 24 * HOUR - 1000, 24 * HOUR);
	/* never longer than the CA, and not at all once that is over */
	assert_ok(vw_certificate_read(issue_agent(a, now + 20 * HOUR), arena, &facts, &err), err);
	assert_int_equal(facts.not_after, ca.not_after);
	char serial[VW_SERIAL_MAX];
	int64_t until;
	assert_fails(
	    vw_authority_issue(a, 7, AGENT, ca.public_key, now + 31 * HOUR, arena, &der, serial, &until, &err),
	    VW_ECONFIG, err, "enrolled again");
	vw_authority_close(a);
}

static void test_receipts_and_exports(void **state)
{
	struct vw_authority_settings settings = settings_of("a");
	struct vw_receipt_facts said = {.organization = "7", .agent_id = AGENT, .epoch = 2, .stored_at = NOON}, read;
	struct vw_certificate_facts facts;
	vw_receipt *receipt;
	size_t count, len;
	uint8_t signature[VW_SIGNATURE_MAX], signer[32];
	(void)state;
	struct vw_authority *a = reopen(&settings);
	const struct vw_bytes *chain = vw_authority_receipt_chain(a, &count);
	said.head.sequence = 9;
	assert_int_equal(count, 1);
	assert_ok(vw_authority_receipt(a, &said, arena, &receipt, &err), err);
	assert_ok(vw_receipt_read(receipt, chain[0], arena, &read, &err), err);
	assert_int_equal(read.head.sequence, 9);
	assert_ok(vw_certificate_read(chain[0], arena, &facts, &err), err);
	assert_memory_equal(receipt->signer_sha256.data, facts.sha256, 32);
	assert_ok(vw_authority_sign(a, "some.domain", bytes_of("bytes"), signature, &len, signer, &err), err);
	assert_memory_equal(signer, facts.sha256, 32);
	struct vw_bytes signed_by = {signature, len}, none = {NULL, 0};
	assert_ok(vw_signature_check(facts.public_key, "some.domain", bytes_of("bytes"), none, signed_by, &err), err);
	assert_true(vw_signature_check(facts.public_key, "other.domain", bytes_of("bytes"), none, signed_by, &err) <
		    0);
	vw_authority_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_there),
	    cmocka_unit_test(test_what_does_not_fit),
	    cmocka_unit_test(test_an_expired_ca),
	    cmocka_unit_test(test_fresh_stays),
	    cmocka_unit_test(test_broken_is_made_again),
	    cmocka_unit_test(test_other_hosts),
	    cmocka_unit_test(test_renewed_at_half_its_life),
	    cmocka_unit_test(test_what_cannot_be_renewed_stays),
	    cmocka_unit_test(test_agents_certificates),
	    cmocka_unit_test(test_receipts_and_exports),
	};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
