/* Several threads issue, sign and take the server's certificate while it is renewed: for the thread sanitizer. */
#include "founding.h"

#include "proto/message.h"

#include <pthread.h>

#define ROUNDS 20

struct worker {
	pthread_t thread;
	struct vw_authority *authority;
	int failed; /* cmocka's asserts are the main thread's */
};

static int sign(struct vw_authority *a, struct vw_arena *scratch, struct vw_error *e)
{
	struct vw_receipt_facts facts = {.organization = "7",
					 .agent_id = AGENT,
					 .epoch = 1,
					 .head.sequence = 1,
					 .stored_at = NOON},
				read;
	size_t count, len;
	uint8_t signature[VW_SIGNATURE_MAX], signer[32];
	vw_receipt *receipt;
	int code = vw_authority_receipt(a, &facts, scratch, &receipt, e);
	if (code == 0)
		code = vw_receipt_read(receipt, vw_authority_receipt_chain(a, &count)[0], scratch, &read, e);
	return code < 0 ? code : vw_authority_sign(a, "domain", bytes_of("x"), signature, &len, signer, e);
}

static int issue_one(struct vw_authority *a, struct vw_bytes public, struct vw_arena *scratch, struct vw_error *e)
{
	char serial[VW_SERIAL_MAX], *chain, *ca;
	int64_t until;
	size_t count;
	struct vw_bytes der;
	struct vw_secret *key;
	int code = vw_authority_issue(a, 7, AGENT, public, vw_clock_now(), scratch, &der, serial, &until, e);
	if (code == 0)
		code = vw_certificate_check(der, NULL, 0, vw_authority_chain(a, &count), 1, VW_USE_AGENT,
					    vw_clock_now(), e);
	if (code == 0)
		code = vw_authority_server_pem(a, scratch, &chain, &key, &ca, e);
	if (code == 0)
		vw_secret_close(key);
	return code;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct vw_error e = VW_ERROR_INIT;
	struct vw_arena *scratch = vw_arena_open(0);
	struct vw_key *key = NULL;
	struct vw_bytes public;
	w->failed = vw_key_generate(&key, &e) < 0 || vw_key_public(key, scratch, &public, &e) < 0;
	for (int i = 0; i < ROUNDS && !w->failed; i++)
		w->failed = sign(w->authority, scratch, &e) < 0 || issue_one(w->authority, public, scratch, &e) < 0 ||
			    vw_authority_refresh(w->authority, &e) != 1;
	if (w->failed)
		fprintf(stderr, "%s\n", e.message);
	vw_key_close(key);
	vw_arena_close(scratch);
	return NULL;
}

static void test_all_at_once(void **state)
{
	struct worker workers[4];
	struct vw_authority_settings settings = settings_of("a");
	(void)state;
	settings.server_life_ms = 4 * 60000; /* past its half at once: each refresh makes another */
	struct vw_authority *a = found(&settings);
	assert_int_equal(vw_authority_refresh(a, &err), 1);
	for (int i = 0; i < 4; i++) {
		workers[i].authority = a;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].failed, 0);
	}
	vw_authority_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_at_once)};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
