/* token.h: what is printed is what is read, and nothing else is (S4.1, S11.1). */
#include "fixture.h"

#include "base/digest.h"
#include "fleet/token.h"

static struct vw_error err;

static const char known[] = "vwt1.0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8."
			    "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA";

static void test_the_documented_form(void **state)
{
	struct vw_token token;
	struct vw_secret *line;
	uint8_t digest[32], expected[32];
	(void)state;
	assert_ok(vw_token_parse(known, strlen(known), &token, &err), err);
	assert_int_equal(token.kind, VW_TOKEN_ENROLLMENT);
	assert_string_equal(token.public_id, "0123456789abcdef");
	for (int i = 0; i < 32; i++) {
		assert_int_equal(token.secret[i], i);
		assert_int_equal(token.pin[i], 255 - i);
	}
	assert_ok(vw_token_print(&token, &line, &err), err);
	assert_string_equal(vw_secret_text(line), known);
	vw_secret_close(line);
	/* printf %s 000102…1f | xxd -r -p | sha256sum */
	assert_true(vw_hex_decode("630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd", expected, 32));
	vw_token_digest(&token, digest);
	assert_memory_equal(digest, expected, 32);
	assert_true(vw_token_matches(&token, digest));
	for (int bit = 0; bit < 256; bit++) {
		digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(vw_token_matches(&token, digest));
		digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void round_trip(enum vw_token_kind kind, const uint8_t *pin)
{
	struct vw_token made, read;
	struct vw_secret *line;
	vw_token_make(kind, pin, &made);
	assert_ok(vw_token_print(&made, &line, &err), err);
	assert_true(vw_secret_length(line) < VW_TOKEN_MAX);
	assert_ok(vw_token_parse(vw_secret_text(line), vw_secret_length(line), &read, &err), err);
	assert_int_equal(read.kind, kind);
	assert_string_equal(read.public_id, made.public_id);
	assert_memory_equal(read.secret, made.secret, 32);
	assert_memory_equal(read.pin, made.pin, 32);
	vw_secret_close(line);
}

static void test_made_ones_are_read(void **state)
{
	uint8_t pin[32];
	(void)state;
	for (int i = 0; i < 100; i++) {
		vw_random_bytes(pin, sizeof(pin));
		round_trip(VW_TOKEN_ENROLLMENT, pin);
		round_trip(VW_TOKEN_USER, NULL);
	}
}

static void test_no_two_are_alike(void **state)
{
	struct vw_token a, b;
	(void)state;
	vw_token_make(VW_TOKEN_USER, NULL, &a);
	vw_token_make(VW_TOKEN_USER, NULL, &b);
	assert_string_not_equal(a.public_id, b.public_id);
	assert_memory_not_equal(a.secret, b.secret, 32);
}

static void refuse(const char *text, size_t len)
{
	struct vw_token token = {.public_id = "untouched"};
	assert_int_equal(vw_token_parse(text, len, &token, &err), VW_EINVAL);
	assert_string_equal(token.public_id, "untouched");
	/* the message goes into logs: not one piece of the token may be in it */
	assert_null(strstr(err.message, "0123456789"));
	assert_null(strstr(err.message, "AAECAw"));
	assert_null(strstr(err.message, "__79"));
}

static void test_other_lines_are_refused(void **state)
{
	char text[VW_TOKEN_MAX + 8];
	size_t len = strlen(known);
	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		refuse(known, cut);
	snprintf(text, sizeof(text), "%s\n", known);
	refuse(text, len + 1);
	snprintf(text, sizeof(text), "%s=", known);
	refuse(text, len + 1);
	refuse(known, len + 1); /* the terminating zero */
	snprintf(text, sizeof(text), " %s", known);
	refuse(text, len + 1);
	/* an enrolment token's line under a user's prefix, and the other way round */
	memcpy(text, known, len + 1);
	text[2] = 'u';
	refuse(text, len);
	refuse("vwt1.0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", 65);
	refuse("vwt2.", 5);
	refuse("", 0);
}

/* Each character of the line matters, and 256 bits have one spelling in 43 characters. */
static void test_each_character_matters(void **state)
{
	static const char others[] = "ABab01-_.=+/ F\x80\xd0\xff";
	struct vw_token original, token;
	char text[VW_TOKEN_MAX];
	size_t len = strlen(known);
	(void)state;
	assert_ok(vw_token_parse(known, len, &original, &err), err);
	for (size_t at = 0; at < len; at++) {
		for (size_t i = 0; i < strlen(others); i++) {
			memcpy(text, known, len + 1);
			if (text[at] == others[i])
				continue;
			text[at] = others[i];
			if (vw_token_parse(text, len, &token, NULL) == 0)
				assert_memory_not_equal(&token, &original, sizeof(token));
		}
	}
	memcpy(text, known, len + 1);
	text[64] = '9'; /* as '8', with a bit too much behind the 32 bytes */
	refuse(text, len);
	memcpy(text, known, len + 1);
	text[15] = 'A'; /* of the public id */
	refuse(text, len);
	/* bytes of no alphabet, in which libsodium sees 32 others */
	memcpy(text, known, len + 1);
	memcpy(text + 98, "\xd0\xd2\x9d\x93", 4);
	refuse(text, len);
}

static void test_wiped(void **state)
{
	const struct vw_token zero = {0};
	struct vw_token token;
	(void)state;
	memset(&token, 0, sizeof(token));
	vw_token_make(VW_TOKEN_USER, NULL, &token);
	vw_token_wipe(&token);
	assert_memory_equal(&token, &zero, sizeof(token));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_documented_form),    cmocka_unit_test(test_made_ones_are_read),
	    cmocka_unit_test(test_no_two_are_alike),       cmocka_unit_test(test_other_lines_are_refused),
	    cmocka_unit_test(test_each_character_matters), cmocka_unit_test(test_wiped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
