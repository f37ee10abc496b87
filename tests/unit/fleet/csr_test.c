/* Requests for certificates: of one only the key is taken, and only from who holds it (S4.1). */
#include "fixture.h"

#include "base/limits.h"

static struct vw_error err;

static struct vw_bytes public_of(struct vw_bytes csr)
{
	struct vw_bytes out = {NULL, 0};
	assert_ok(vw_csr_public(csr, arena, &out, &err), err);
	return out;
}

static void refuse(struct vw_bytes csr, const char *says)
{
	struct vw_bytes out = {NULL, 0};
	assert_fails(vw_csr_public(csr, arena, &out, &err), VW_EINVAL, err, says);
	assert_null(out.data);
}

/* openssl's request with these options, DER. */
static struct vw_bytes openssl_request(const char *options)
{
	sh("umask 077; openssl req -new -nodes -keyout r.key -subj /CN=x -outform DER -out r.csr %s", options);
	return slurp("r.csr");
}

#define P256 "-newkey ec -pkeyopt ec_paramgen_curve:P-256"

static void test_made_and_read(void **state)
{
	VW_AUTO(vw_key_cleanup) struct vw_key *key = NULL;
	struct vw_bytes csr, public;
	(void)state;
	assert_ok(vw_key_generate(&key, &err), err);
	assert_ok(vw_csr_make(key, arena, &csr, &err), err);
	assert_true(csr.len < VW_MAX_CSR);
	assert_ok(vw_key_public(key, arena, &public, &err), err);
	assert_true(same_bytes(public_of(csr), public));
	spill("own.csr", csr);
	sh("openssl req -inform DER -in own.csr -verify -noout");
	sh("openssl req -inform DER -in own.csr -pubkey -noout | openssl pkey -pubin -outform DER -out own.pub");
	assert_true(same_bytes(slurp("own.pub"), public));
}

static void test_requests_of_openssl(void **state)
{
	static const char *const options[] = {P256, P256 " -sha384", P256 " -sha512",
					      P256 " -addext subjectAltName=URI:spiffe://evil.example/controller",
					      P256 " -addext basicConstraints=CA:TRUE"};
	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct vw_bytes csr = openssl_request(options[i]);
		sh("openssl pkey -in r.key -pubout -outform DER -out r.pub");
		assert_true(same_bytes(public_of(csr), slurp("r.pub")));
	}
}

/* A compressed point is the same key: it comes out in the one form that is compared and stored. */
static void test_a_compressed_point_is_written_whole(void **state)
{
	(void)state;
	sh("umask 077; openssl ecparam -name prime256v1 -genkey -noout -conv_form compressed -out r.key; "
	   "openssl req -new -key r.key -subj /CN=x -outform DER -out r.csr");
	struct vw_bytes csr = slurp("r.csr");
	assert_true(csr.len < 240); /* it is compressed */
	sh("openssl ec -in r.key -conv_form uncompressed -pubout -outform DER -out r.pub");
	assert_true(same_bytes(public_of(csr), slurp("r.pub")));
}

static void test_other_keys_are_refused(void **state)
{
	(void)state;
	refuse(openssl_request("-newkey rsa:2048"), "P-256");
	refuse(openssl_request("-newkey ec -pkeyopt ec_paramgen_curve:P-384"), "P-256");
	refuse(openssl_request("-newkey ec -pkeyopt ec_paramgen_curve:secp256k1"), "P-256");
	refuse(openssl_request("-newkey ed25519"), "not a certificate request");
	refuse(openssl_request(P256 " -sha1"), "SHA-2");
	refuse(openssl_request(P256 " -addext basicConstraints=critical,CA:TRUE"), "not a certificate request");
}

static void test_a_wrong_signature_is_refused(void **state)
{
	(void)state;
	struct vw_bytes csr = openssl_request(P256);
	refuse(with_flip(csr, csr.len - 1), "signed by the key");
	/* someone else's key under our signature */
	struct vw_bytes mine = openssl_request(P256);
	sh("openssl pkey -in r.key -pubout -outform DER -out mine.pub");
	struct vw_bytes theirs_csr = openssl_request(P256);
	sh("openssl pkey -in r.key -pubout -outform DER -out theirs.pub");
	struct vw_bytes own = slurp("mine.pub"), theirs = slurp("theirs.pub");
	(void)theirs_csr;
	uint8_t *forged = vw_arena_memdup(arena, mine.data, mine.len);
	uint8_t *at = memmem(forged, mine.len, own.data, own.len);
	assert_non_null(at);
	memcpy(at, theirs.data, theirs.len);
	refuse((struct vw_bytes){forged, mine.len}, "signed by the key");
}

static void test_no_part_and_no_more_of_it_will_do(void **state)
{
	(void)state;
	struct vw_bytes csr = openssl_request(P256);
	for (size_t len = 1; len < csr.len; len++)
		refuse((struct vw_bytes){csr.data, len}, "not a certificate request");
	refuse((struct vw_bytes){NULL, 0}, "VW_MAX_CSR");
	refuse(with_tail(csr, "x"), "not a certificate request");
	void *large = vw_arena_alloc(arena, VW_MAX_CSR + 1);
	refuse((struct vw_bytes){large, VW_MAX_CSR + 1}, "VW_MAX_CSR");
	refuse((struct vw_bytes){large, VW_MAX_CSR}, "not a certificate request");
	sh("openssl req -inform DER -in r.csr -out pem.csr");
	struct vw_bytes pem = slurp("pem.csr");
	refuse((struct vw_bytes){pem.data, pem.len + 1}, "not a certificate request");
}

/* Whatever byte is changed, the key that comes out is never another one than that of the request. */
static void test_flipped_bytes_give_no_other_key(void **state)
{
	(void)state;
	struct vw_bytes csr = openssl_request(P256), public = public_of(csr), out;
	for (size_t at = 0; at < csr.len; at++) {
		if (vw_csr_public(with_flip(csr, at), arena, &out, NULL) == 0)
			assert_true(same_bytes(out, public));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_made_and_read),
	    cmocka_unit_test(test_requests_of_openssl),
	    cmocka_unit_test(test_a_compressed_point_is_written_whole),
	    cmocka_unit_test(test_other_keys_are_refused),
	    cmocka_unit_test(test_a_wrong_signature_is_refused),
	    cmocka_unit_test(test_no_part_and_no_more_of_it_will_do),
	    cmocka_unit_test(test_flipped_bytes_give_no_other_key),
	};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
