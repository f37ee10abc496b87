/* key.h: keys in files, signatures, and openssl's word on both (S11.1). */
#include "fixture.h"

#include "base/digest.h"
#include "fleet/key.h"

#include <sys/stat.h>
#include <unistd.h>

static struct vw_error err;
static const struct vw_bytes none = {NULL, 0};

static struct vw_bytes public_of(const struct vw_key *key)
{
	struct vw_bytes out;
	assert_ok(vw_key_public(key, arena, &out, &err), err);
	return out;
}

static struct vw_bytes sign(const struct vw_key *key, const char *domain, struct vw_bytes a, struct vw_bytes b)
{
	uint8_t *signature = vw_arena_alloc(arena, VW_SIGNATURE_MAX);
	size_t len = 0;
	assert_ok(vw_key_sign(key, domain, a, b, signature, &len, &err), err);
	assert_true(len > 0 && len <= VW_SIGNATURE_MAX);
	return (struct vw_bytes){signature, len};
}

static void test_written_and_read(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	VW_AUTO(vw_key_cleanup) struct vw_key *read = NULL;
	struct stat st;
	(void)state;
	assert_ok(vw_key_generate(&key, &err), err);
	assert_ok(vw_key_write(key, "own.key", &err), err);
	assert_int_equal(stat("own.key", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_ok(vw_key_read("own.key", &read, &err), err);
	assert_true(same_bytes(public_of(key), public_of(read)));
	/* openssl reads it, and has the same public key of it */
	sh("openssl pkey -in own.key -pubout -outform DER -out own.pub");
	assert_true(same_bytes(public_of(key), slurp("own.pub")));
	assert_non_null(vw_key_context(key));
	vw_key_close(NULL);
}

static void test_keys_of_openssl(void **state)
{
	static const char *const commands[] = {
	    "openssl ecparam -name prime256v1 -genkey -noout -out k.pem",                /* SEC1 */
	    "openssl ecparam -name prime256v1 -genkey -out k.pem",                       /* with its parameters */
	    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out k.pem", /* PKCS#8 */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
		sh("%s && chmod 600 k.pem", commands[i]);
		assert_ok(vw_key_read("k.pem", &key, &err), err);
		sh("openssl pkey -in k.pem -pubout -outform DER -out k.pub");
		assert_true(same_bytes(public_of(key), slurp("k.pub")));
	}
}

static void refuse(const char *path, int code, const char *says)
{
	struct vw_key *key = NULL;
	assert_fails(vw_key_read(path, &key, &err), code, err, says);
	assert_null(key);
	assert_null(strstr(err.message, "BEGIN"));
}

static void test_other_files_are_refused(void **state)
{
	(void)state;
	sh("umask 077; openssl ecparam -name prime256v1 -genkey -noout -out open.key; chmod 640 open.key");
	refuse("open.key", VW_ECONFIG, "chmod 600 open.key");
	refuse("no.key", VW_ENOTFOUND, "no.key");
	refuse(".", VW_ECONFIG, "regular file");
	sh("umask 077; openssl genrsa -out rsa.key 2048");
	refuse("rsa.key", VW_EINVAL, "not a P-256 key");
	sh("umask 077; openssl ecparam -name secp384r1 -genkey -noout -out p384.key");
	refuse("p384.key", VW_EINVAL, "not a P-256 key");
	sh("umask 077; openssl ecparam -name secp256k1 -genkey -noout -out k1.key");
	refuse("k1.key", VW_EINVAL, "not a P-256 key");
	sh("umask 077; openssl pkcs8 -topk8 -in open.key -passout pass:x -out locked.key");
	refuse("locked.key", VW_EINVAL, "password");
	sh("umask 077; openssl pkey -in open.key -pubout -out public.key");
	refuse("public.key", VW_EINVAL, "not a private key");
	sh("umask 077; : >empty.key; head -c 5000 open.key | head -n 2 >cut.key; head -c 100000 /dev/zero "
	   ">large.key");
	refuse("empty.key", VW_EINVAL, "not a private key");
	refuse("cut.key", VW_EINVAL, "not a private key");
	refuse("large.key", VW_ELIMIT, "large.key");
}

/* A file may hold a public key beside the private one: it must be that one's. */
static void test_a_foreign_public_key_is_noticed(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		sh("umask 077; openssl ecparam -name prime256v1 -genkey -noout -outform DER -out %d.der", i);
	struct vw_bytes a = slurp("0.der"), b = slurp("1.der");
	assert_int_equal(a.len, b.len);
	/* its last 65 bytes are the point */
	uint8_t *mixed = vw_arena_memdup(arena, a.data, a.len);
	memcpy(mixed + a.len - 65, (const uint8_t *)b.data + b.len - 65, 65);
	spill("mixed.der", (struct vw_bytes){mixed, a.len});
	sh("umask 077; { echo -----BEGIN EC PRIVATE KEY-----; base64 -w 64 mixed.der; echo -----END EC PRIVATE "
	   "KEY-----; } >mixed.key");
	refuse("mixed.key", VW_EINVAL, "not a pair");
}

static void test_signature_is_over_all_of_it(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	VW_AUTO(vw_key_cleanup) struct vw_key *other = NULL;
	struct vw_bytes a = bytes_of("one"), b = bytes_of("two");
	(void)state;
	assert_ok(vw_key_generate(&key, &err), err);
	assert_ok(vw_key_generate(&other, &err), err);
	struct vw_bytes public = public_of(key), signature = sign(key, "domain", a, b);
	assert_ok(vw_signature_check(public, "domain", a, b, signature, &err), err);
	assert_fails(vw_signature_check(public, "domain2", a, b, signature, &err), VW_EAUTH, err, "signature");
	assert_int_equal(vw_signature_check(public, "domain", b, a, signature, NULL), VW_EAUTH);
	assert_int_equal(vw_signature_check(public, "domain", a, none, signature, NULL), VW_EAUTH);
	assert_int_equal(vw_signature_check(public, "domain", bytes_of("onet"), bytes_of("wo"), signature, NULL),
			 VW_EAUTH);
	assert_int_equal(vw_signature_check(public, "domainone", none, b, signature, NULL), VW_EAUTH);
	assert_int_equal(vw_signature_check(public_of(other), "domain", a, b, signature, NULL), VW_EAUTH);
	for (size_t i = 0; i < signature.len; i++)
		assert_int_equal(vw_signature_check(public, "domain", a, b, with_flip(signature, i), NULL), VW_EAUTH);
	for (size_t len = 0; len < signature.len; len++)
		assert_int_equal(
		    vw_signature_check(public, "domain", a, b, (struct vw_bytes){signature.data, len}, NULL),
		    VW_EAUTH);
	assert_int_equal(vw_signature_check(public, "domain", a, b, with_tail(signature, "x"), NULL), VW_EAUTH);
	assert_int_equal(vw_signature_check(public, "domain", a, b, none, NULL), VW_EAUTH);
	/* empty parts are parts too */
	assert_ok(vw_signature_check(public, "", none, none, sign(key, "", none, none), &err), err);
}

static void check_key(struct vw_bytes public, const char *says)
{
	assert_fails(vw_signature_check(public, "d", none, none, bytes_of("x"), &err), VW_EINVAL, err, says);
}

static void test_other_public_keys_are_refused(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	(void)state;
	assert_ok(vw_key_generate(&key, &err), err);
	struct vw_bytes public = public_of(key);
	check_key(none, "not a public key");
	check_key(with_tail(public, "x"), "follow");
	for (size_t len = 1; len < public.len; len++)
		check_key((struct vw_bytes){public.data, len}, "not a public key");
	check_key(with_flip(public, public.len - 1), "not a public key"); /* a point beside the curve */
	sh("openssl ecparam -name secp384r1 -genkey -noout | openssl pkey -pubout -outform DER -out p384.pub");
	check_key(slurp("p384.pub"), "P-256");
	sh("openssl genrsa 2048 | openssl pkey -pubout -outform DER -out rsa.pub");
	check_key(slurp("rsa.pub"), "P-256");
	/* PEM with its zero: mbedTLS would take it */
	sh("umask 077; openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -out pem.pub");
	struct vw_bytes pem = slurp("pem.pub");
	check_key((struct vw_bytes){pem.data, pem.len + 1}, "not a public key");
}

/* What a signature is over, made by hand: the lengths as big-endian u32 and the parts. */
static const char signed_bytes[] = "\0\0\0\6domain\0\0\0\3one\0\0\0\0";

static void test_openssl_verifies_ours(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	(void)state;
	assert_ok(vw_key_generate(&key, &err), err);
	spill("signed", (struct vw_bytes){signed_bytes, sizeof(signed_bytes) - 1});
	spill("signature", sign(key, "domain", bytes_of("one"), none));
	spill("signer.pub", public_of(key));
	sh("openssl dgst -sha256 -keyform DER -verify signer.pub -signature signature signed");
	spill("signed", bytes_of("something else"));
	assert_false(sh_says("openssl dgst -sha256 -keyform DER -verify signer.pub -signature signature signed"));
}

static void test_openssl_signs_ours(void **state)
{
	(void)state;
	spill("signed", (struct vw_bytes){signed_bytes, sizeof(signed_bytes) - 1});
	sh("umask 077; openssl ecparam -name prime256v1 -genkey -noout -out o.key; openssl dgst -sha256 -sign o.key "
	   "-out signature signed; openssl pkey -in o.key -pubout -outform DER -out o.pub");
	assert_ok(vw_signature_check(slurp("o.pub"), "domain", bytes_of("one"), none, slurp("signature"), &err), err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_written_and_read),
	    cmocka_unit_test(test_keys_of_openssl),
	    cmocka_unit_test(test_other_files_are_refused),
	    cmocka_unit_test(test_a_foreign_public_key_is_noticed),
	    cmocka_unit_test(test_signature_is_over_all_of_it),
	    cmocka_unit_test(test_other_public_keys_are_refused),
	    cmocka_unit_test(test_openssl_verifies_ours),
	    cmocka_unit_test(test_openssl_signs_ours),
	};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
