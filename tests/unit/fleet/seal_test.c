/* seal.h: what is sealed to one agent, only that agent opens (S4.5, S11.1). */
#include "fixture.h"

#include "base/limits.h"
#include "base/secret.h"
#include "fleet/seal.h"

#include <sodium.h>
#include <sys/stat.h>

static struct vw_error err;

static struct vw_sealing_key *generate(void)
{
	struct vw_sealing_key *key;
	assert_ok(vw_sealing_key_generate(&key, &err), err);
	return key;
}

static struct vw_bytes seal(const struct vw_sealing_key *to, const char *bytes, size_t len)
{
	struct vw_bytes sealed;
	struct vw_secret *secret = vw_secret_open(bytes, len);
	assert_non_null(secret);
	assert_ok(vw_seal(vw_sealing_key_public(to), secret, arena, &sealed, &err), err);
	vw_secret_close(secret);
	return sealed;
}

static void opens_as(const struct vw_sealing_key *key, struct vw_bytes sealed, const char *bytes, size_t len)
{
	struct vw_secret *secret;
	assert_ok(vw_seal_open(key, sealed, &secret, &err), err);
	assert_int_equal(vw_secret_length(secret), len);
	assert_memory_equal(vw_secret_text(secret), bytes, len);
	vw_secret_close(secret);
}

static void stays_shut(const struct vw_sealing_key *key, struct vw_bytes sealed)
{
	struct vw_secret *secret = NULL;
	assert_int_equal(vw_seal_open(key, sealed, &secret, &err), VW_EAUTH);
	assert_null(secret);
}

static void test_sealed_and_opened(void **state)
{
	struct vw_sealing_key *key = generate(), *other = generate();
	(void)state;
	struct vw_bytes sealed = seal(key, "hunter2", 7);
	assert_int_equal(sealed.len, 7 + crypto_box_SEALBYTES);
	assert_null(memmem(sealed.data, sealed.len, "hunter2", 7));
	opens_as(key, sealed, "hunter2", 7);
	stays_shut(other, sealed);
	for (size_t at = 0; at < sealed.len; at++)
		stays_shut(key, with_flip(sealed, at));
	for (size_t len = 0; len < sealed.len; len++)
		stays_shut(key, (struct vw_bytes){sealed.data, len});
	stays_shut(key, with_tail(sealed, "x"));
	/* twice the same is not the same */
	assert_false(same_bytes(sealed, seal(key, "hunter2", 7)));
	vw_sealing_key_close(key);
	vw_sealing_key_close(other);
	vw_sealing_key_close(NULL);
}

static void test_the_smallest_and_the_largest(void **state)
{
	struct vw_sealing_key *key = generate();
	char *large = vw_arena_alloc(arena, VW_MAX_SECRET_FILE);
	(void)state;
	memset(large, 'x', VW_MAX_SECRET_FILE);
	opens_as(key, seal(key, "", 0), "", 0);
	opens_as(key, seal(key, large, VW_MAX_SECRET_FILE), large, VW_MAX_SECRET_FILE);
	/* what nobody here would seal: larger than a secret may be, and larger than is read at all */
	static const size_t sizes[] = {VW_MAX_SECRET_FILE + 1, VW_MAX_SEALED + 1 - crypto_box_SEALBYTES};
	static const int codes[] = {VW_ENOMEM, VW_EAUTH};
	for (int i = 0; i < 2; i++) {
		struct vw_secret *secret = NULL;
		unsigned char *sealed = vw_arena_alloc(arena, sizes[i] + crypto_box_SEALBYTES);
		unsigned char *plain = vw_arena_alloc(arena, sizes[i]);
		assert_int_equal(crypto_box_seal(sealed, plain, sizes[i], vw_sealing_key_public(key)), 0);
		assert_int_equal(
		    vw_seal_open(key, (struct vw_bytes){sealed, sizes[i] + crypto_box_SEALBYTES}, &secret, &err),
		    codes[i]);
	}
	vw_sealing_key_close(key);
}

static void test_keys_in_files(void **state)
{
	struct vw_sealing_key *key = generate(), *read;
	struct stat st;
	(void)state;
	assert_ok(vw_sealing_key_write(key, "sealing.key", &err), err);
	assert_int_equal(stat("sealing.key", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 45); /* base64 of 32 bytes and a line end */
	assert_ok(vw_sealing_key_read("sealing.key", &read, &err), err);
	assert_memory_equal(vw_sealing_key_public(key), vw_sealing_key_public(read), VW_SEALING_KEY);
	opens_as(read, seal(key, "s", 1), "s", 1);
	vw_sealing_key_close(read);
	vw_sealing_key_close(key);
	/* RFC 7748, 6.1: Alice's pair */
	sh("umask 077; echo dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo= >alice.key");
	static const uint8_t alice[32] = {0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d,
					  0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38,
					  0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a};
	assert_ok(vw_sealing_key_read("alice.key", &read, &err), err);
	assert_memory_equal(vw_sealing_key_public(read), alice, 32);
	vw_sealing_key_close(read);
}

static void refuse(const char *path, int code, const char *says)
{
	struct vw_sealing_key *key = NULL;
	assert_fails(vw_sealing_key_read(path, &key, &err), code, err, says);
	assert_null(key);
}

static void test_other_files_are_refused(void **state)
{
	(void)state;
	refuse("no.key", VW_ENOTFOUND, "no.key");
	sh("umask 077; cp sealing.key open.key; chmod 604 open.key; head -c 40 sealing.key >short.key; "
	   "head -c 43 sealing.key >cut.key; echo >empty.key; { head -c 44 sealing.key; echo AAAA; } >long.key; "
	   "tr 'A-Za-z' '!' <sealing.key >odd.key; { printf '\\320\\322\\235\\223'; tail -c +5 sealing.key; } "
	   ">bytes.key");
	refuse("open.key", VW_ECONFIG, "chmod 600 open.key");
	refuse("short.key", VW_EINVAL, "no sealing key");
	refuse("cut.key", VW_EINVAL, "no sealing key");
	refuse("long.key", VW_EINVAL, "no sealing key");
	refuse("odd.key", VW_EINVAL, "no sealing key");
	refuse("bytes.key", VW_EINVAL, "no sealing key");
	refuse("empty.key", VW_ECONFIG, "empty");
}

/* A key of small order would make the sealed box readable by anyone. */
static void test_keys_that_seal_nothing(void **state)
{
	static const uint8_t zero[VW_SEALING_KEY] = {0};
	struct vw_secret *secret = vw_secret_open("x", 1);
	struct vw_bytes sealed;
	(void)state;
	assert_fails(vw_seal(zero, secret, arena, &sealed, &err), VW_EINVAL, err, "nothing can be sealed");
	vw_secret_close(secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sealed_and_opened),      cmocka_unit_test(test_the_smallest_and_the_largest),
	    cmocka_unit_test(test_keys_in_files),          cmocka_unit_test(test_other_files_are_refused),
	    cmocka_unit_test(test_keys_that_seal_nothing),
	};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
