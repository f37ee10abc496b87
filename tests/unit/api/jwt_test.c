/* VerifyWise's tokens: what is taken, and every way in which one is not. */
#include "fixture.h"
#include "principal.h"

#include "base/digest.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define NOW   INT64_C(1795500000000)
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS                                                                                                       \
	"{\"id\":5,\"email\":\"a@example.org\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":"              \
	"1795500000001}"

static struct vw_secret *secret;

static void encode(const void *bytes, size_t len, char *out, size_t size)
{
	assert_non_null(sodium_bin2base64(out, size, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
}

static const char *sign(const char *header, const char *claims, const char *key)
{
	static char token[4096];
	char part[2048];
	uint8_t mac[32];
	encode(header, strlen(header), token, sizeof(token));
	encode(claims, strlen(claims), part, sizeof(part));
	strcat(strcat(token, "."), part);
	vw_hmac_sha256(key, strlen(key), token, strlen(token), mac);
	encode(mac, sizeof(mac), part, sizeof(part));
	return strcat(strcat(token, "."), part);
}

static int read(const char *token, struct vw_principal *out, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	err->message[0] = 0;
	return principal_of_jwt(token, strlen(token), secret, NOW, arena, out, err);
}

/* One answer for whatever is wrong: nobody learns which part it was. */
static void refuse(const char *token)
{
	struct vw_principal who;
	struct vw_error err;
	assert_int_equal(read(token, &who, &err), VW_EAUTH);
	assert_string_equal(err.message, "the Authorization header has no valid Bearer token");
}

static void refuse_claims(const char *claims)
{
	refuse(sign(HS256, claims, JWT_KEY));
}

static void takes_admins_and_auditors(void **state)
{
	struct vw_principal who;
	struct vw_error err;
	(void)state;
	assert_int_equal(read(sign(HS256, CLAIMS, JWT_KEY), &who, &err), 0);
	assert_int_equal(who.organization, 7);
	assert_int_equal(who.role, VW_ROLE_ADMIN);
	assert_string_equal(who.name, "verifywise:a@example.org");
	assert_string_equal(who.user, "");
	assert_int_equal(who.expires_at, NOW + 1);
	assert_int_equal(read(sign(HS256,
				   "{\"email\":\"b\",\"roleName\":\"Auditor\",\"organizationId\":2147483647,"
				   "\"expire\":9223372036854775807,\"iat\":1,\"exp\":1795500001,\"nbf\":1795500000}",
				   JWT_KEY),
			      &who, &err),
			 0);
	assert_int_equal(who.role, VW_ROLE_AUDITOR);
	assert_int_equal(who.organization, INT32_MAX);
}

static void tells_other_roles(void **state)
{
	struct vw_principal who;
	struct vw_error err;
	(void)state;
	const char *editor =
	    "{\"email\":\"b\",\"roleName\":\"Editor\",\"organizationId\":1,\"expire\":1795500000001}";
	assert_int_equal(read(sign(HS256, editor, JWT_KEY), &who, &err), VW_EFORBIDDEN);
	assert_non_null(strstr(err.message, "Editor"));
}

static void refuses_other_algorithms(void **state)
{
	char unsigned_token[512];
	(void)state;
	refuse(sign("{\"alg\":\"none\"}", CLAIMS, JWT_KEY));
	refuse(sign("{\"alg\":\"None\"}", CLAIMS, JWT_KEY));
	refuse(sign("{\"alg\":\"HS512\"}", CLAIMS, JWT_KEY));
	refuse(sign("{\"alg\":\"hs256\"}", CLAIMS, JWT_KEY));
	refuse(sign("{\"alg\":[\"HS256\"]}", CLAIMS, JWT_KEY));
	refuse(sign("{}", CLAIMS, JWT_KEY));
	refuse(sign("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", CLAIMS, JWT_KEY));
	/* RFC 7515, A.5: an empty signature */
	snprintf(unsigned_token, sizeof(unsigned_token), "%s", sign("{\"alg\":\"none\"}", CLAIMS, JWT_KEY));
	*(strrchr(unsigned_token, '.') + 1) = 0;
	refuse(unsigned_token);
}

static void refuses_other_keys(void **state)
{
	(void)state;
	refuse(sign(HS256, CLAIMS, "another"));
	refuse(sign(HS256, CLAIMS, ""));
	struct vw_secret *kept = secret;
	secret = NULL; /* VerifyWise's tokens are not configured */
	refuse(sign(HS256, CLAIMS, JWT_KEY));
	secret = kept;
}

static void refuses_what_was_changed(void **state)
{
	char token[4096];
	(void)state;
	snprintf(token, sizeof(token), "%s", sign(HS256, CLAIMS, JWT_KEY));
	size_t len = strlen(token);
	for (size_t i = 0; i < len; i++) {
		char was = token[i];
		token[i] = was == 'A' ? 'B' : 'A';
		refuse(token);
		token[i] = was;
	}
	for (size_t cut = 0; cut < len; cut++) {
		char was = token[cut];
		token[cut] = 0;
		refuse(token);
		token[cut] = was;
	}
	snprintf(token + len, sizeof(token) - len, "=");
	refuse(token);
	snprintf(token + len, sizeof(token) - len, ".x");
	refuse(token);
}

static void refuses_expired(void **state)
{
	(void)state;
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":1795500000000}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":0}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":-1}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":1795500000001,\"exp\":"
		      "1795500000}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":1795500000001,\"nbf\":"
		      "1795500001}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":1795500000001,\"exp\":"
		      "\"never\"}");
}

static void refuses_wrong_types(void **state)
{
	(void)state;
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":\"7\",\"expire\":1795500000001}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":7.0,\"expire\":1795500000001}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":0,\"expire\":1795500000001}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":-7,\"expire\":1795500000001}");
	refuse_claims(
	    "{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":2147483648,\"expire\":1795500000001}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":[7],\"expire\":1795500000001}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":true,\"expire\":1795500000001}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":\"1795500000001\"}");
	refuse_claims("{\"email\":\"a\",\"roleName\":[\"Admin\"],\"organizationId\":7,\"expire\":1795500000001}");
	refuse_claims("{\"email\":5,\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":1795500000001}");
	refuse_claims("{\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":1795500000001}");
	refuse_claims("{\"email\":\"a\",\"organizationId\":7,\"expire\":1795500000001}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"expire\":1795500000001}");
	refuse_claims("{\"email\":\"a\",\"roleName\":\"Admin\",\"organizationId\":7}");
	refuse_claims(
	    "{\"email\":\"a\",\"email\":\"b\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":1795500000001}");
	refuse_claims("[1]");
	refuse_claims("null");
	refuse_claims("");
}

static void refuses_long_ones(void **state)
{
	char email[400], text[600];
	static char huge[20000];
	(void)state;
	memset(email, 'x', sizeof(email));
	email[255] = 0;
	snprintf(text, sizeof(text),
		 "{\"email\":\"%s\",\"roleName\":\"Admin\",\"organizationId\":7,\"expire\":1795500000001}", email);
	refuse_claims(text);
	memset(huge, 'a', sizeof(huge) - 1);
	huge[100] = huge[200] = '.';
	refuse(huge);
}

static int open_secret(void **state)
{
	(void)state;
	secret = vw_secret_open(JWT_KEY, strlen(JWT_KEY));
	return 0;
}

static int close_secret(void **state)
{
	(void)state;
	vw_secret_close(secret);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_admins_and_auditors), cmocka_unit_test(tells_other_roles),
	    cmocka_unit_test(refuses_other_algorithms),  cmocka_unit_test(refuses_other_keys),
	    cmocka_unit_test(refuses_what_was_changed),  cmocka_unit_test(refuses_expired),
	    cmocka_unit_test(refuses_wrong_types),       cmocka_unit_test(refuses_long_ones),
	};
	return cmocka_run_group_tests(tests, open_secret, close_secret);
}
