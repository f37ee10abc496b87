/* authority.h: how an authority is made, and made whole after a crash (S4.1). */
#include "founding.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const files[] = {"ca.key",       "ca.pem",       "server.key",  "server.pem",
				    "server.hosts", "receipts.key", "receipts.pem"};
#define FILES (sizeof(files) / sizeof(files[0]))

static int create(const char *folder, const char *key, const char *chain)
{
	struct vw_authority_settings settings = settings_of(folder);
	return vw_authority_create(&settings, key, chain, &err);
}

static bool has(const char *folder, const char *file)
{
	return sh_says("test -e %s/%s", folder, file);
}

static struct vw_certificate_facts facts_of(struct vw_bytes der)
{
	struct vw_certificate_facts facts;
	assert_ok(vw_certificate_read(der, arena, &facts, &err), err);
	return facts;
}

static struct vw_bytes first_of(const char *path)
{
	struct vw_bytes *list;
	size_t count;
	assert_ok(vw_certificates_read_file(path, arena, &list, &count, &err), err);
	return list[0];
}

static void test_made(void **state)
{
	(void)state;
	int64_t now = vw_clock_now();
	assert_ok(create("a", NULL, NULL), err);
	for (size_t i = 0; i < FILES; i++) {
		char path[64];
		struct stat st;
		snprintf(path, sizeof(path), "a/%s", files[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, strstr(files[i], ".key") ? 0600 : 0644);
	}
	struct vw_bytes ca = first_of("a/ca.pem"), server = first_of("a/server.pem"),
			signer = first_of("a/receipts.pem");
	assert_ok(vw_certificate_check(server, NULL, 0, &ca, 1, VW_USE_CONTROLLER, now + 89 * DAY, &err), err);
	assert_ok(vw_certificate_check(signer, NULL, 0, &ca, 1, VW_USE_RECEIPTS, now + 3649 * DAY, &err), err);
	assert_in_range(facts_of(ca).not_after - now, 3649 * DAY, 3651 * DAY);
	assert_int_equal(facts_of(signer).not_after, facts_of(ca).not_after);
	assert_in_range(now - facts_of(server).not_before, 4 * 60000, 6 * 60000);
	sh("openssl verify -CAfile a/ca.pem -verify_hostname localhost a/server.pem");
	sh("openssl verify -CAfile a/ca.pem -verify_ip 127.0.0.1 a/server.pem");
	assert_false(sh_says("openssl verify -CAfile a/ca.pem -verify_hostname other.example a/server.pem"));
	sh("openssl x509 -in a/server.pem -noout -ext subjectAltName | grep -q 'URI:spiffe://" DOMAIN "/controller'");
}

static void test_made_twice(void **state)
{
	struct vw_bytes before[FILES];
	(void)state;
	for (size_t i = 0; i < FILES; i++)
		before[i] = content("a", files[i]);
	assert_fails(create("a", NULL, NULL), VW_EBUSY, err, "a holds a certificate authority already");
	make_corporation();
	assert_fails(create("a", "ca.key", "chain.pem"), VW_EBUSY, err, "another certificate authority");
	for (size_t i = 0; i < FILES; i++)
		assert_same(content("a", files[i]), before[i]);
}

static void test_an_intermediate(void **state)
{
	size_t count;
	uint8_t pin[32];
	char hex[128];
	struct vw_authority_settings settings = settings_of("b");
	(void)state;
	assert_ok(create("b", "ca.key", "chain.pem"), err);
	assert_same(content("b", "ca.pem"), slurp("chain.pem"));
	struct vw_authority *a = reopen(&settings);
	const struct vw_bytes *chain = vw_authority_chain(a, &count);
	assert_int_equal(count, 2);
	assert_same(chain[1], first_of("root.pem"));
	vw_authority_pin(a, pin);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02X", pin[i]);
	sh("openssl x509 -in root.pem -noout -fingerprint -sha256 | tr -d : | grep -q %s", hex);
	/* what it issues leads to the root, by way of the intermediate, for us and for openssl */
	struct vw_bytes agent = issue_agent(a, vw_clock_now());
	assert_ok(vw_certificate_check(agent, chain, 1, &chain[1], 1, VW_USE_AGENT, vw_clock_now(), &err), err);
	assert_ok(vw_certificates_write_file("agent.pem", &agent, 1, 0644, &err), err);
	sh("openssl verify -purpose sslclient -CAfile root.pem -untrusted ca.pem agent.pem");
	sh("openssl verify -purpose sslserver -CAfile root.pem -untrusted ca.pem b/server.pem");
	const struct vw_bytes *signer = vw_authority_receipt_chain(a, &count);
	assert_int_equal(count, 2);
	assert_same(signer[1], chain[0]);
	/* nothing that is issued begins before the youngest above it or ends after the first to end */
	struct vw_certificate_facts ca = facts_of(chain[0]);
	assert_int_equal(facts_of(signer[0]).not_after, ca.not_after);
	assert_true(facts_of(agent).not_before >= ca.not_before);
	assert_ok(vw_certificate_check(agent, chain, 1, &chain[1], 1, VW_USE_AGENT, facts_of(agent).not_before + 1000,
				       &err),
		  err);
	vw_authority_close(a);
	assert_fails(create("b", "ca.key", "chain.pem"), VW_EBUSY, err, "already");
}

/* What an operator brings is looked at before anything is written. */
static void test_what_cannot_be_an_authority(void **state)
{
	(void)state;
	sh("openssl ecparam -name prime256v1 -genkey -noout -out other.key && chmod 600 other.key && cat root.pem "
	   "ca.pem >upside.pem && "
	   "cp ca.key open.key && chmod 644 open.key && openssl ecparam -name secp384r1 -genkey -noout -out p384.key "
	   "&& "
	   "chmod 600 p384.key && echo garbage >garbage && chmod 600 garbage && "
	   "openssl req -x509 -key other.key -subj /CN=leaf -addext basicConstraints=critical,CA:false -days 10 -out "
	   "leaf.pem");
	write_ca("old", vw_clock_now() - 10 * DAY, vw_clock_now() - 9 * DAY);
	static const struct {
		const char *key, *chain, *said;
	} cases[] = {
	    {"other.key", "chain.pem", "other.key is not the key of the first certificate in chain.pem"},
	    {"ca.key", "upside.pem", "is not the key of the first certificate"},
	    {"ca.key", "ca.pem", "its last certificate must be a root"},
	    {"other.key", "leaf.pem", "root"},
	    {"old/ca.key", "old/ca.pem", "expired on"},
	    {"open.key", "chain.pem", "chmod 600 open.key"},
	    {"p384.key", "chain.pem", "not a P-256 key"},
	    {"garbage", "chain.pem", "garbage"},
	    {"ca.key", "garbage", "holds no certificate in PEM"},
	    {"nowhere", "chain.pem", "nowhere"},
	    {"ca.key", "nowhere", "nowhere"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(create("c", cases[i].key, cases[i].chain), VW_ECONFIG, err, cases[i].said);
		assert_false(has("c", "ca.key") || has("c", "ca.pem"));
	}
	assert_ok(create("c", "ca.key", "chain.pem"), err);
}

/* As if it had ended there: each file that comes later is not there yet. */
static void test_cut_off(void **state)
{
	static const char *const order[] = {"ca.pem",       "ca.key",       "server.key",  "server.pem",
					    "server.hosts", "receipts.key", "receipts.pem"};
	(void)state;
	for (size_t kept = 0; kept < FILES; kept++) {
		sh("rm -rf d && cp -a a d");
		for (size_t i = kept; i < FILES; i++)
			sh("rm d/%s", order[i]);
		assert_ok(create("d", NULL, NULL), err);
		struct vw_authority_settings settings = settings_of("d");
		vw_authority_close(reopen(&settings));
		/* a CA that may have issued something stays; and so does all that was whole */
		assert_int_equal(same_bytes(content("a", "ca.key"), content("d", "ca.key")), kept >= 2);
		assert_int_equal(same_bytes(content("a", "server.pem"), content("d", "server.pem")), kept >= 5);
		assert_int_equal(same_bytes(content("a", "receipts.key"), content("d", "receipts.key")), kept >= 6);
		assert_fails(create("d", NULL, NULL), VW_EBUSY, err, "already");
	}
}

static void test_cut_off_with_an_intermediate(void **state)
{
	(void)state;
	sh("rm -rf d && mkdir -m 700 d && cp ca.key chain.pem d && mv d/chain.pem d/ca.pem");
	assert_ok(create("d", "ca.key", "chain.pem"), err);
	assert_same(content("d", "ca.pem"), slurp("chain.pem"));
	assert_true(has("d", "receipts.pem"));
}

/* A key without its certificate, a certificate without its key: somebody lost a file, and we make nothing in its place. */
static void test_lost_files_are_not_made_up(void **state)
{
	static const struct {
		const char *lost, *said;
	} cases[] = {{"ca.pem", "ca.pem is missing; put it back"},
		     {"ca.key", "ca.key is missing; put it back"},
		     {"receipts.key", "receipts.key is missing"}};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		sh("rm -rf d && cp -a a d && rm d/%s", cases[i].lost);
		assert_fails(create("d", NULL, NULL), VW_ECONFIG, err, cases[i].said);
		assert_false(has("d", cases[i].lost));
	}
	/* the way out that it names */
	sh("mv d/receipts.pem d/receipts-until-today.pem");
	assert_ok(create("d", NULL, NULL), err);
	assert_false(same_bytes(content("a", "receipts.pem"), content("d", "receipts.pem")));
}

static void test_one_at_a_time(void **state)
{
	(void)state;
	sh("mkdir -m 700 e");
	int fd = open("e", O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_fails(create("e", NULL, NULL), VW_EAGAIN, err, "another process");
	close(fd);
	assert_ok(create("e", NULL, NULL), err);
}

static void test_folders_and_names(void **state)
{
	char folder[5000];
	struct vw_authority_settings settings = settings_of("f");
	(void)state;
	sh("mkdir -m 755 f");
	assert_fails(create("f", NULL, NULL), VW_ECONFIG, err, "chmod 700 f");
	sh("touch g");
	assert_true(create("g/a", NULL, NULL) < 0);
	memset(folder, 'x', sizeof(folder) - 1);
	folder[sizeof(folder) - 1] = 0;
	assert_fails(create(folder, NULL, NULL), VW_ECONFIG, err, "too long");
	settings.folder = "h";
	settings.trust_domain = "Not A Domain";
	assert_fails(vw_authority_create(&settings, NULL, NULL, &err), VW_ECONFIG, err, "trust_domain");
	settings.trust_domain = DOMAIN;
	settings.hosts = (const char *const[]){"no host", NULL};
	assert_true(vw_authority_create(&settings, NULL, NULL, &err) < 0);
	assert_false(has("h", "server.pem"));
	settings.hosts = NULL;
	assert_ok(vw_authority_create(&settings, NULL, NULL, &err), err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_made),
	    cmocka_unit_test(test_made_twice),
	    cmocka_unit_test(test_an_intermediate),
	    cmocka_unit_test(test_what_cannot_be_an_authority),
	    cmocka_unit_test(test_cut_off),
	    cmocka_unit_test(test_cut_off_with_an_intermediate),
	    cmocka_unit_test(test_lost_files_are_not_made_up),
	    cmocka_unit_test(test_one_at_a_time),
	    cmocka_unit_test(test_folders_and_names),
	};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
