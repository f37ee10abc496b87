/* judge_test.c: judging again what is stored: all of it, and nothing lost when it is interrupted (S8, S12.3). */
#include "sync/sync.h"

#include "base/digest.h"
#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define VERSIONS 2500 /* more than two commits' worth */

static char folder[] = "/tmp/vw_judge_test.XXXXXX";
static struct vw_store *store;
static struct vw_policy *policies[2];
static volatile sig_atomic_t cancel;
static int64_t cancel_at; /* versions; negative: never */

static void count_progress(const struct vw_progress *progress, void *arg)
{
	(void)arg;
	if (cancel_at >= 0 && progress->done >= cancel_at)
		cancel = 1;
}

static struct vw_sync_context context_of(const struct vw_policy *policy)
{
	static const char *const none[] = {NULL};
	static const struct vw_scope scope = {none, none, none, none};
	return (struct vw_sync_context){.store = store,
					.policy = policy,
					.tracking_uri = "http://127.0.0.1:1",
					.agent_version = "test",
					.credential = "none",
					.scope = &scope,
					.cancel = &cancel,
					.progress = count_progress};
}

static int put_versions(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	int code = 0;
	(void)arg;
	for (int i = 1; i <= VERSIONS && code == 0; i++) {
		vw_record record = VERIFYWISE__V1__RECORD__INIT;
		vw_version_recorded body = VERIFYWISE__V1__VERSION_RECORDED__INIT;
		vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
		uint8_t sha256[VW_SHA256_SIZE];
		size_t len;
		record.model_name = (char *)"m";
		record.version_number = vw_arena_printf(arena, "%d", i);
		uint8_t *bytes = vw_message_pack(arena, &record.base, &len);
		vw_sha256_of(bytes, len, sha256);
		VW_SET_BYTES(&body, record, bytes, len);
		VW_SET_BYTES(&body, record_sha256, sha256, sizeof(sha256));
		VW_SET(&body, life, 1);
		entry.body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
		entry.version = &body;
		code = vw_store_append(txn, store, arena, &entry, &record, NULL, err);
	}
	return code;
}

static struct vw_policy *policy_of(const char *id)
{
	struct vw_policy *policy = NULL;
	struct vw_error err = VW_ERROR_INIT;
	char text[256];
	int len = snprintf(text, sizeof(text),
			   "policy: {id: %s, version: 1}\nrules:\n  - {id: r, title: t, severity: high, require: "
			   "{field: identity.owner, is: present}}\n",
			   id);
	if (vw_policy_load(text, (size_t)len, id, &policy, &err) < 0)
		fail_msg("%s", err.message);
	return policy;
}

static int setup(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	cancel = 0;
	cancel_at = -1;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (!mkdtemp(folder) || vw_store_open(folder, VW_KV_WRITE, &store, &err) < 0 ||
	    vw_kv_write(vw_store_kv(store), put_versions, NULL, &err) < 0)
		fail_msg("%s", err.message);
	policies[0] = policy_of("first");
	policies[1] = policy_of("second");
	return 0;
}

static int teardown(void **state)
{
	char command[64];
	(void)state;
	vw_policy_close(policies[0]);
	vw_policy_close(policies[1]);
	vw_store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static int judge(size_t policy, struct vw_sync_result *result)
{
	struct vw_sync_context context = context_of(policies[policy]);
	struct vw_error err = VW_ERROR_INIT;
	return vw_sync_reevaluate(&context, result, &err);
}

/* Which policy the state believes to be in force; its last outcome as a copy. -1: none. */
static int policy_in_force(char outcome[32])
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *txn;
	vw_sync_state *state;
	int found = -1;
	assert_int_equal(vw_txn_begin_read(vw_store_kv(store), &txn, &err), 0);
	assert_int_equal(vw_store_sync_state(txn, arena, &state, &err), 0);
	vw_txn_end(txn);
	snprintf(outcome, 32, "%s", state->last_outcome ? state->last_outcome : "none");
	for (int i = 0; i < 2 && state->policy_sha256.len == VW_SHA256_SIZE; i++)
		if (memcmp(state->policy_sha256.data, vw_policy_sha256(policies[i]), VW_SHA256_SIZE) == 0)
			found = i;
	return found;
}

static void judges_all_of_it_once(void **state)
{
	struct vw_sync_result result;
	char outcome[32];
	(void)state;
	assert_int_equal(judge(0, &result), 0);
	assert_int_equal(result.counts.reevaluated, VERSIONS);
	assert_int_equal(result.outcome, VW_SYNC_OK);
	assert_int_equal(policy_in_force(outcome), 0);
	assert_int_equal(judge(0, &result), 0);
	assert_int_equal(result.counts.reevaluated, 0);
	assert_int_equal(judge(1, &result), 0);
	assert_int_equal(result.counts.reevaluated, VERSIONS);
	assert_int_equal(policy_in_force(outcome), 1);
}

static void an_interrupted_judgement_goes_on_later(void **state)
{
	struct vw_sync_result result;
	char outcome[32];
	(void)state;
	assert_int_equal(judge(0, &result), 0);
	cancel_at = 1;
	assert_int_equal(judge(1, &result), VW_ECANCELLED);
	assert_int_equal(result.outcome, VW_SYNC_CANCELLED);
	int64_t before = result.counts.reevaluated;
	assert_in_range(before, 1, VERSIONS - 1);
	assert_int_equal(policy_in_force(outcome), 0);
	cancel = 0;
	cancel_at = -1;
	assert_int_equal(judge(1, &result), 0);
	assert_int_equal(result.counts.reevaluated, VERSIONS - before);
	assert_int_equal(policy_in_force(outcome), 1);
}

/* The cycle is recorded as cancelled, without a request, and the next one still knows that there is something to judge. */
static void so_it_does_in_a_cycle(void **state)
{
	struct vw_sync_result result;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_credential_settings none = {0};
	struct vw_credentials *credentials;
	struct vw_mlflow_settings settings = {.tracking_uri = "http://127.0.0.1:1", .retries = -1};
	struct vw_sync_context context = context_of(policies[1]);
	struct vw_sync_options options = {.depth = VW_DEPTH_FULL, .connections = 1};
	char outcome[32];
	(void)state;
	assert_int_equal(judge(0, &result), 0);
	assert_int_equal(vw_credentials_open(&none, &credentials, &err), 0);
	assert_int_equal(vw_mlflow_open(&settings, credentials, &cancel, &context.client, &err), 0);
	cancel_at = 1;
	assert_int_equal(vw_sync_run(&context, &options, &result, &err), VW_ECANCELLED);
	assert_int_equal(result.outcome, VW_SYNC_CANCELLED);
	assert_int_equal(result.counts.requests, 0);
	assert_int_equal(policy_in_force(outcome), 0);
	assert_string_equal(outcome, "cancelled");
	/* this one judges the rest, and then fails at the server */
	int64_t before = result.counts.reevaluated;
	cancel = 0;
	cancel_at = -1;
	assert_true(vw_sync_run(&context, &options, &result, &err) < 0);
	assert_int_equal(result.outcome, VW_SYNC_FAILED);
	assert_int_equal(result.counts.reevaluated, VERSIONS - before);
	assert_int_equal(policy_in_force(outcome), 1);
	vw_mlflow_close(context.client);
	vw_credentials_close(credentials);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(judges_all_of_it_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_interrupted_judgement_goes_on_later, setup, teardown),
	    cmocka_unit_test_setup_teardown(so_it_does_in_a_cycle, setup, teardown),
	};
	unsetenv("MLFLOW_TRACKING_TOKEN");
	setenv("HOME", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
