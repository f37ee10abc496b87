/* given_test.c: a policy, settings and secrets are kept only when they were tried with success; the state says what is in force; leaving forgets all of it
 * (S4.2, S9, S11.1). The store and the sealed boxes are real; the daemon that tries is a stand-in. */
#include "remote_given.h"

#include "base/digest.h"
#include "base/limits.h"
#include "enrolled.h"
#include "proto/message.h"
#include "storage/uplink.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct vw_arena *arena;

/* The daemon: what it would say, and what it was asked to try. */
static struct {
	int code; /* of trying */
	int tries;
	struct trial seen;
	char first_secret[64];
} host;

static int reload(void *arg, const struct trial *trial, int (*keep)(void *keep_arg, struct vw_error *err),
		  void *keep_arg, struct vw_error *err)
{
	(void)arg;
	host.tries++;
	host.seen = *trial;
	if (host.code < 0)
		return vw_error_set(err, host.code, "the daemon does not like it");
	return keep(keep_arg, err);
}

static const struct remote_host daemon_stand_in = {.reload = reload};

static int setup(void **state)
{
	memset(&host, 0, sizeof(host));
	if (fixture_open(state) < 0)
		return -1;
	arena = vw_arena_open(0);
	enrolled_write();
	return 0;
}

static int teardown(void **state)
{
	vw_arena_close(arena);
	return fixture_close(state);
}

static vw_command *command_with(const char *content)
{
	vw_command *command = vw_message_new(arena, &verifywise__v1__command__descriptor);
	VW_SET_BYTES(command, content, (uint8_t *)vw_arena_strdup(arena, content), strlen(content));
	return command;
}

static int take_policy(const char *content)
{
	struct vw_error err = VW_ERROR_INIT;
	return remote_take_policy(&daemon_stand_in, fixture_folder, command_with(content), arena, &err);
}

/* ---- files ---- */

static void a_policy_is_kept_after_it_was_tried(void **state)
{
	struct stat st;
	char path[128];
	(void)state;
	assert_int_equal(take_policy("first"), 0);
	assert_true(host.seen.files.has_policy && !host.seen.files.has_configuration && !host.seen.has_secrets);
	assert_string_equal(enrolled_read_file(arena, "controller/policy.yaml"), "first");
	snprintf(path, sizeof(path), "%s/controller/policy.yaml", fixture_folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	host.code = VW_ECONFIG;
	assert_int_equal(take_policy("second"), VW_ECONFIG);
	assert_string_equal(enrolled_read_file(arena, "controller/policy.yaml"), "first");
	host.code = 0;
	assert_int_equal(take_policy(""), 0);
	assert_null(enrolled_read_file(arena, "controller/policy.yaml"));
	assert_int_equal(take_policy(""), 0); /* done twice */
}

static void a_configuration_is_another_file(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	assert_int_equal(
	    remote_take_configuration(&daemon_stand_in, fixture_folder, command_with("schedule: {}"), arena, &err),
	    0);
	assert_true(host.seen.files.has_configuration && !host.seen.files.has_policy);
	assert_string_equal(enrolled_read_file(arena, "controller/configuration.yaml"), "schedule: {}");
	assert_null(enrolled_read_file(arena, "controller/policy.yaml"));
}

static void what_is_too_large_is_not_even_tried(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	(void)state;
	command.content.len = VW_MAX_POLICY_FILE + 1;
	assert_int_equal(remote_take_policy(&daemon_stand_in, fixture_folder, &command, arena, &err), VW_ELIMIT);
	command.content.len = VW_MAX_CONFIG_FILE + 1;
	assert_int_equal(remote_take_configuration(&daemon_stand_in, fixture_folder, &command, arena, &err),
			 VW_ELIMIT);
	assert_int_equal(host.tries, 0);
}

static void a_folder_that_cannot_be_written_fails_the_command(void **state)
{
	char path[128];
	(void)state;
	snprintf(path, sizeof(path), "%s/controller", fixture_folder);
	FILE *file = fopen(path, "w"); /* where the folder should be */
	assert_non_null(file);
	fclose(file);
	assert_true(take_policy("first") < 0);
	assert_int_equal(host.tries, 1);
	unlink(path);
}

/* ---- what the state says ---- */

static void settle(bool refuses)
{
	static const char *const none[] = {NULL}, *const policy[] = {"set_policy", NULL};
	struct vw_error err = VW_ERROR_INIT;
	struct vw_config config = {.state_dir = fixture_folder, .controller_refuse = refuses ? policy : none};
	if (remote_settle(&config, fixture_store, arena, &err) < 0)
		fail_msg("%s", err.message);
}

static void is_hash_of(const ProtobufCBinaryData *field, const char *text)
{
	uint8_t hash[VW_SHA256_SIZE];
	vw_sha256_of(text, strlen(text), hash);
	assert_int_equal(field->len, sizeof(hash));
	assert_memory_equal(field->data, hash, sizeof(hash));
}

/* As after a crash between the file and the state, a backup put back, a file deleted by hand. */
static void the_state_follows_the_files(void **state)
{
	(void)state;
	enrolled_write_file("controller/policy.yaml", "mine");
	settle(false);
	is_hash_of(&enrolled_state(arena)->policy_sha256, "mine");
	assert_false(enrolled_state(arena)->has_config_sha256);
	enrolled_write_file("controller/policy.yaml", "another");
	enrolled_write_file("controller/configuration.yaml", "too");
	settle(false);
	is_hash_of(&enrolled_state(arena)->policy_sha256, "another");
	is_hash_of(&enrolled_state(arena)->config_sha256, "too");
	settle(true); /* the local file refuses it now: it is not in force */
	assert_false(enrolled_state(arena)->has_policy_sha256);
	is_hash_of(&enrolled_state(arena)->config_sha256, "too");
	assert_int_equal(take_policy(""), 0);
	settle(false);
	assert_false(enrolled_state(arena)->has_policy_sha256);
}

/* ---- secrets ---- */

static int take_secrets(vw_sealed_secret **secrets, size_t count, struct vw_error *err)
{
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	command.secrets = secrets;
	command.n_secrets = count;
	return remote_take_secrets(&daemon_stand_in, fixture_store, fixture_folder, &command, arena, err);
}

static void secrets_lie_sealed_and_are_named_by_fingerprint(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_held_secret **held;
	vw_sealed_secret *two[] = {enrolled_seal(arena, "mlflow.username", "alice"),
				   enrolled_seal(arena, "mlflow.password", "c0rrect-horse")};
	(void)state;
	assert_int_equal(take_secrets(two, 2, &err), 0);
	assert_true(host.seen.has_secrets);
	assert_int_equal(host.seen.secret_count, 2);
	assert_int_equal(enrolled_secrets(arena, &held), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(strlen(held[i]->fingerprint), strlen("sha256-8:") + 16);
		assert_null(memmem(held[i]->secret->sealed.data, held[i]->secret->sealed.len, "c0rrect", 7));
	}
	assert_int_equal(enrolled_count(VW_AUDIT_SECRET_CHANGED), 2);
	/* the same again, sealed anew: nothing changed */
	two[1] = enrolled_seal(arena, "mlflow.password", "c0rrect-horse");
	assert_int_equal(take_secrets(two, 2, &err), 0);
	assert_int_equal(enrolled_count(VW_AUDIT_SECRET_CHANGED), 2);
	/* one is another, one is gone */
	vw_sealed_secret *one = enrolled_seal(arena, "mlflow.password", "an0ther");
	assert_int_equal(take_secrets(&one, 1, &err), 0);
	assert_int_equal(enrolled_count(VW_AUDIT_SECRET_CHANGED), 4);
	assert_int_equal(enrolled_secrets(arena, &held), 1);
	assert_int_equal(take_secrets(NULL, 0, &err), 0);
	assert_int_equal(enrolled_secrets(arena, &held), 0);
}

static void secrets_that_cannot_be_used_leave_the_old_ones(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_held_secret **held;
	vw_sealed_secret *good = enrolled_seal(arena, "mlflow.token", "t0ken");
	(void)state;
	assert_int_equal(take_secrets(&good, 1, &err), 0);
	int tries = host.tries;

	vw_sealed_secret *bad = enrolled_seal(arena, "mlflow.token", "an0ther");
	bad->sealed.data[bad->sealed.len - 1] ^= 1;
	assert_int_equal(take_secrets(&bad, 1, &err), VW_EAUTH);
	assert_non_null(strstr(err.message, "mlflow.token"));
	vw_sealed_secret *unknown = enrolled_seal(arena, "s3.key", "an0ther");
	assert_int_equal(take_secrets(&unknown, 1, &err), VW_EUNSUPPORTED);
	assert_non_null(strstr(err.message, "s3.key"));
	vw_sealed_secret *nameless = enrolled_seal(arena, NULL, "an0ther");
	assert_int_equal(take_secrets(&nameless, 1, &err), VW_EUNSUPPORTED);
	vw_sealed_secret *twice[] = {good, good};
	assert_int_equal(take_secrets(twice, 2, &err), VW_EINVAL);
	assert_int_equal(host.tries, tries);

	host.code = VW_ECONFIG; /* what they make is no credential */
	vw_sealed_secret *other = enrolled_seal(arena, "mlflow.username", "alone");
	assert_int_equal(take_secrets(&other, 1, &err), VW_ECONFIG);
	assert_int_equal(enrolled_secrets(arena, &held), 1);
	assert_string_equal(held[0]->secret->name, "mlflow.token");
	assert_int_equal(enrolled_count(VW_AUDIT_SECRET_CHANGED), 1);
	assert_null(strstr(err.message, "an0ther"));
}

static void too_many_secrets(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_sealed_secret *many[VW_MAX_SECRETS + 1];
	(void)state;
	for (size_t i = 0; i <= VW_MAX_SECRETS; i++)
		many[i] = enrolled_seal(arena, "mlflow.token", "x");
	assert_int_equal(take_secrets(many, VW_MAX_SECRETS + 1, &err), VW_ELIMIT);
}

static const char *token_after(bool takes, const struct trial *trial)
{
	static char text[64];
	static const char *const none[] = {NULL};
	const struct vw_credential_settings settings = {0};
	struct vw_config config = {
	    .state_dir = fixture_folder, .controller_secrets = takes, .controller_refuse = none};
	struct vw_credentials *credentials;
	struct vw_error err = VW_ERROR_INIT;
	setenv("HOME", fixture_folder, 1);
	assert_int_equal(vw_credentials_open(&settings, &credentials, &err), 0);
	if (remote_give_secrets(&config, fixture_store, trial, credentials, &err) < 0)
		snprintf(text, sizeof(text), "(failed)");
	else
		snprintf(text, sizeof(text), "%s",
			 vw_credentials_token(credentials) ? vw_secret_text(vw_credentials_token(credentials))
							   : "(none)");
	vw_credentials_close(credentials);
	return text;
}

static void secrets_are_given_to_the_credentials(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_sealed_secret *token = enrolled_seal(arena, "mlflow.token", "t0ken");
	(void)state;
	assert_string_equal(token_after(true, NULL), "(none)");
	assert_int_equal(take_secrets(&token, 1, &err), 0);
	assert_string_equal(token_after(true, NULL), "t0ken");
	assert_string_equal(token_after(false, NULL), "(none)"); /* controller.secrets: false */
	/* what is tried counts in place of what is there */
	struct trial none = {.has_secrets = true}, other = {.files = {.has_policy = true}};
	assert_string_equal(token_after(true, &none), "(none)");
	assert_string_equal(token_after(true, &other), "t0ken");
}

/* An identity with other keys: the agent goes on with what else it has; but what is tried must open. */
static void secrets_of_another_key_are_left_out(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_held_secret **held;
	vw_sealed_secret *token = enrolled_seal(arena, "mlflow.token", "t0ken");
	(void)state;
	assert_int_equal(take_secrets(&token, 1, &err), 0);
	enrolled_write();
	assert_string_equal(token_after(true, NULL), "(none)");
	struct trial trial = {.has_secrets = true};
	trial.secret_count = enrolled_secrets(arena, &held);
	trial.secrets = held;
	assert_string_equal(token_after(true, &trial), "(failed)");
}

/* ---- leaving ---- */

static int put_command(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	return vw_store_put_command(txn, arena, arg, err);
}

static void hold_command(const char *id, vw_command_state state)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_held_command held = VERIFYWISE__V1__HELD_COMMAND__INIT;
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	vw_command_update update = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	command.id = update.id = (char *)(uintptr_t)id;
	VW_SET(&command, kind, VW_COMMAND_SYNC);
	VW_SET(&update, state, state);
	held.command = &command;
	held.update = &update;
	if (vw_kv_write(vw_store_kv(fixture_store), put_command, &held, &err) < 0)
		fail_msg("%s", err.message);
}

static void fill_all(void)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_uplink_state state = VERIFYWISE__V1__UPLINK_STATE__INIT;
	vw_sealed_secret *token = enrolled_seal(arena, "mlflow.token", "t0ken");
	VW_SET(&state, paused, 1);
	VW_SET(&state, acknowledged_sequence, 5);
	VW_SET(&state, join_sequence, 9);
	enrolled_put_state(&state);
	enrolled_write_file("controller/policy.yaml", "mine");
	enrolled_write_file("controller/configuration.yaml", "too");
	settle(false);
	assert_int_equal(take_secrets(&token, 1, &err), 0);
	hold_command("running", VW_COMMAND_STATE_RUNNING);
	hold_command("over", VW_COMMAND_STATE_DONE);
}

static void leaving_forgets_all_that_was_given(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_held_secret **held;
	vw_held_command *command;
	(void)state;
	fill_all();
	assert_int_equal(remote_forget(fixture_store, fixture_folder, false, &err), 0);
	assert_null(enrolled_read_file(arena, "controller/policy.yaml"));
	assert_null(enrolled_read_file(arena, "controller/configuration.yaml"));
	assert_int_equal(enrolled_secrets(arena, &held), 0);
	const vw_uplink_state *now = enrolled_state(arena);
	assert_true(!now->paused && !now->has_policy_sha256 && !now->has_config_sha256);
	/* the same agent shows where it stood when it comes back */
	assert_int_equal(now->acknowledged_sequence, 5);
	assert_int_equal(now->join_sequence, 9);
	struct vw_txn *txn;
	assert_int_equal(vw_txn_begin_read(vw_store_kv(fixture_store), &txn, &err), 0);
	assert_int_equal(vw_store_command(txn, arena, "running", &command, &err), 0);
	vw_txn_end(txn);
	assert_int_equal(command->update->state, VW_COMMAND_STATE_FAILED);
	assert_int_equal(enrolled_count(VW_AUDIT_RESUMED), 1);
	assert_int_equal(enrolled_count(VW_AUDIT_SECRET_CHANGED), 2);
	assert_int_equal(enrolled_count(VW_AUDIT_COMMAND_FINISHED), 1);
	assert_int_equal(remote_forget(fixture_store, fixture_folder, false, &err), 0); /* done twice */
	assert_int_equal(enrolled_count(VW_AUDIT_RESUMED), 1);
}

static void another_agent_has_no_receipts(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	fill_all();
	assert_int_equal(remote_forget(fixture_store, fixture_folder, true, &err), 0);
	assert_int_equal(enrolled_state(arena)->acknowledged_sequence, 0);
	assert_false(enrolled_state(arena)->has_join_sequence);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {TEST(a_policy_is_kept_after_it_was_tried),
					   TEST(a_configuration_is_another_file),
					   TEST(what_is_too_large_is_not_even_tried),
					   TEST(a_folder_that_cannot_be_written_fails_the_command),
					   TEST(the_state_follows_the_files),
					   TEST(secrets_lie_sealed_and_are_named_by_fingerprint),
					   TEST(secrets_that_cannot_be_used_leave_the_old_ones),
					   TEST(too_many_secrets),
					   TEST(secrets_are_given_to_the_credentials),
					   TEST(secrets_of_another_key_are_left_out),
					   TEST(leaving_forgets_all_that_was_given),
					   TEST(another_agent_has_no_receipts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
