#include "base/digest.h"

#include "cmocka_all.h"

#include <string.h>

static void assert_sha256(const void *bytes, size_t len, const char *expected)
{
	uint8_t out[VW_SHA256_SIZE];
	char hex[VW_SHA256_HEX];
	vw_sha256_of(bytes, len, out);
	assert_string_equal(vw_hex_encode(out, sizeof(out), hex), expected);
}

/* The examples of FIPS 180-4's companion papers. */
static void hashes(void **state)
{
	(void)state;
	assert_sha256(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_sha256("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
		      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void hashes_in_pieces_and_starts_anew(void **state)
{
	(void)state;
	struct vw_sha256 sha;
	uint8_t once[VW_SHA256_SIZE], twice[VW_SHA256_SIZE];
	static char bytes[1000];
	memset(bytes, 'q', sizeof(bytes));
	vw_sha256_of(bytes, sizeof(bytes), once);
	vw_sha256_init(&sha);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(bytes); i += 125)
			vw_sha256_update(&sha, bytes + i, 125);
		vw_sha256_update(&sha, NULL, 0);
		vw_sha256_final(&sha, twice);
		assert_memory_equal(once, twice, sizeof(once));
	}
}

/* RFC 4231, cases 1, 2 and 6. */
static void authenticates(void **state)
{
	(void)state;
	uint8_t out[VW_SHA256_SIZE], key[131];
	char hex[VW_SHA256_HEX];
	memset(key, 0x0B, 20);
	vw_hmac_sha256(key, 20, "Hi There", 8, out);
	assert_string_equal(vw_hex_encode(out, 32, hex),
			    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	vw_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
	assert_string_equal(vw_hex_encode(out, 32, hex),
			    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xAA, sizeof(key));
	vw_hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
	assert_string_equal(vw_hex_encode(out, 32, hex),
			    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	vw_hmac_sha256(NULL, 0, NULL, 0, out);
	assert_string_equal(vw_hex_encode(out, 32, hex),
			    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void hex_goes_there_and_back(void **state)
{
	(void)state;
	uint8_t bytes[256], back[256];
	char text[513];
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	vw_hex_encode(bytes, sizeof(bytes), text);
	assert_int_equal(strlen(text), 512);
	assert_true(vw_hex_decode(text, back, sizeof(back)));
	assert_memory_equal(bytes, back, sizeof(bytes));
	assert_true(vw_hex_decode("DEADbeef", back, 4));
	assert_memory_equal(back, "\xDE\xAD\xBE\xEF", 4);
	assert_true(vw_hex_decode("", back, 0));
	assert_string_equal(vw_hex_encode(NULL, 0, text), "");
}

static void hex_refuses(void **state)
{
	(void)state;
	uint8_t out[4] = {1, 2, 3, 4};
	static const char *const bad[] = {"",          "0",        "012345",   "0123456",
					  "012345678", "0123456g", "01 34567", "0123456\xC3"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vw_hex_decode(bad[i], out, 4));
	assert_memory_equal(out, "\1\2\3\4", 4);
}

/* RFC 4648 section 10. */
static void encodes_base64(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {{"", ""},
					       {"f", "Zg=="},
					       {"fo", "Zm8="},
					       {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="},
					       {"fooba", "Zm9vYmE="},
					       {"foobar", "Zm9vYmFy"},
					       {"\xFB\xEF\xFF", "++//"}};
	char out[16];
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(vw_base64_encode(pairs[i][0], strlen(pairs[i][0]), out), pairs[i][1]);
}

static void random_is_random(void **state)
{
	(void)state;
	uint8_t a[600] = {0}, b[600] = {0};
	vw_random_bytes(a, sizeof(a));
	vw_random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + 568, b + 568, 32);
	vw_random_bytes(a, 0);
}

static void uuid_has_its_form(void **state)
{
	(void)state;
	char a[VW_UUID_TEXT], b[VW_UUID_TEXT];
	for (int i = 0; i < 200; i++) {
		vw_random_uuid(a);
		assert_int_equal(strlen(a), 36);
		assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
		assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
		assert_int_equal(a[14], '4');
		assert_non_null(strchr("89ab", a[19]));
	}
	assert_string_not_equal(a, vw_random_uuid(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hashes),           cmocka_unit_test(hashes_in_pieces_and_starts_anew),
	    cmocka_unit_test(authenticates),    cmocka_unit_test(hex_goes_there_and_back),
	    cmocka_unit_test(hex_refuses),      cmocka_unit_test(encodes_base64),
	    cmocka_unit_test(random_is_random), cmocka_unit_test(uuid_has_its_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
