/* remote_test.c: the controller's commands, one by one: what is asked of the daemon, what is told, what a stop cuts off, what a pause outlives; and an uplink that
 * cannot be started (S9, S11.1). The uplink and the daemon are stand-ins, the store is real. */
#include "remote.h"

#include "base/limits.h"
#include "enrolled.h"
#include "proto/message.h"
#include "stand_in.h"
#include "storage/uplink.h"

#include "../base/cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the daemon's ---- */

static struct {
	char calls[256]; /* "sync full credit-risk;" */
	int sync_code, reevaluate_code, reload_code;
	enum vw_sync_outcome outcome;
	size_t bundle; /* bytes that diagnose writes */
	struct remote *progress_of;
	bool cancel; /* a signal comes while it works */
} daemon_;

static void note(const char *what, const char *more)
{
	size_t at = strlen(daemon_.calls);
	snprintf(daemon_.calls + at, sizeof(daemon_.calls) - at, "%s%s%s;", what, more ? " " : "", more ? more : "");
}

static int end(int code, struct vw_error *err)
{
	if (daemon_.cancel) {
		vw_cli_cancelled = 15;
		return vw_error_set(err, VW_ECANCELLED, "cancelled");
	}
	return code < 0 ? vw_error_set(err, code, "MLflow says no") : 0;
}

static int do_sync(void *arg, enum vw_depth depth, const char *model, struct vw_sync_result *out,
		   struct vw_error *err)
{
	struct vw_progress progress = {.step = "versions", .done = 3, .total = 9};
	(void)arg;
	note(depth == VW_DEPTH_QUICK ? "quick" : "full", model);
	remote_progress(daemon_.progress_of, &progress);
	*out = (struct vw_sync_result){.outcome = daemon_.outcome, .sync_id = "a-sync", .duration_ms = 12};
	verifywise__v1__sync_counts__init(&out->counts);
	vw_error_set(&out->reason, VW_EINVAL, "suspiciously empty");
	return end(daemon_.sync_code, err);
}

static int do_reevaluate(void *arg, struct vw_sync_result *out, struct vw_error *err)
{
	(void)arg;
	note("reevaluate", NULL);
	*out = (struct vw_sync_result){.sync_id = "a-judgement"};
	verifywise__v1__sync_counts__init(&out->counts);
	return end(daemon_.reevaluate_code, err);
}

static int do_reload(void *arg, const struct trial *trial, int (*keep)(void *keep_arg, struct vw_error *err),
		     void *keep_arg, struct vw_error *err)
{
	(void)arg, (void)trial;
	note("reload", NULL);
	return daemon_.reload_code < 0 ? vw_error_set(err, daemon_.reload_code, "line 3: no") : keep(keep_arg, err);
}

static void do_pause(void *arg)
{
	(void)arg;
	note("pause", remote_paused(daemon_.progress_of) ? "on" : "off");
}

static int do_diagnose(void *arg, struct vw_buffer *out, struct vw_error *err)
{
	(void)arg, (void)err;
	for (size_t i = 0; i < daemon_.bundle; i++)
		vw_buffer_putc(out, 'x');
	return 0;
}

static const struct remote_host host = {NULL, do_sync, do_reevaluate, do_reload, do_pause, do_diagnose};

/* ---- the tests' own ---- */

static const char *const no_words[] = {NULL};
static struct vw_config config = {.state_dir = fixture_folder,
				  .mlflow = {.tracking_uri = "http://127.0.0.1:1"},
				  .controller_refuse = no_words,
				  .controller_settings = no_words};
static struct remote *remote;
static struct vw_arena *arena;

static void open_remote(void)
{
	struct vw_error err = VW_ERROR_INIT;
	if (remote_open(&config, fixture_store, &host, &remote, &err) < 0)
		fail_msg("%s", err.message);
	daemon_.progress_of = remote;
}

static int setup(void **state)
{
	memset(&daemon_, 0, sizeof(daemon_));
	config.controller_proxy = NULL;
	vw_cli_cancelled = 0;
	stand_in_open();
	arena = vw_arena_open(0);
	if (fixture_open(state) < 0)
		return -1;
	open_remote();
	return 0;
}

static int teardown(void **state)
{
	vw_cli_cancelled = 0;
	remote_close(remote);
	remote = NULL;
	vw_arena_close(arena);
	stand_in_close();
	return fixture_close(state);
}

static vw_command *queue(const char *id, vw_command_kind kind)
{
	vw_command *command = vw_message_new(arena, &verifywise__v1__command__descriptor);
	command->id = vw_arena_strdup(arena, id);
	VW_SET(command, kind, kind);
	up.waiting[up.count++] = command;
	stand_in_signal();
	return command;
}

static void ended(size_t at, const char *id, vw_command_state state, const char *text)
{
	assert_true(up.end_count > at);
	assert_string_equal(up.ends[at].id, id);
	assert_int_equal(up.ends[at].state, state);
	if (!strstr(up.ends[at].text, text))
		fail_msg("'%s' is not in: %s", text, up.ends[at].text);
}

/* ---- commands ---- */

static void syncs_are_done_in_order(void **state)
{
	(void)state;
	queue("1", VW_COMMAND_SYNC);
	queue("2", VW_COMMAND_SYNC)->depth = (char *)"quick";
	vw_command *one = queue("3", VW_COMMAND_SYNC);
	one->depth = (char *)"reconcile";
	one->model = (char *)"credit-risk";
	queue("4", VW_COMMAND_REEVALUATE);
	remote_work(remote);
	assert_string_equal(daemon_.calls, "full;quick;full credit-risk;reevaluate;");
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(up.ends[i].state, VW_COMMAND_STATE_DONE);
	assert_string_equal(up.progress, "3 versions 3/9");
	assert_non_null(strstr(up.ends[0].result, "\"sync_id\":\"a-sync\""));
	assert_non_null(strstr(up.ends[3].result, "a-judgement"));
	assert_int_equal(remote_fd(remote), stand_in_fd());
}

static void what_fails_says_why(void **state)
{
	(void)state;
	daemon_.sync_code = VW_EAUTH;
	queue("1", VW_COMMAND_SYNC);
	queue("2", VW_COMMAND_SYNC)->depth = (char *)"deeper";
	queue("3", (vw_command_kind)4711);
	remote_work(remote);
	ended(0, "1", VW_COMMAND_STATE_FAILED, "MLflow says no");
	ended(1, "2", VW_COMMAND_STATE_FAILED, "deeper");
	ended(2, "3", VW_COMMAND_STATE_FAILED, "does not know");
	daemon_.sync_code = 0;
	daemon_.outcome = VW_SYNC_SUSPECT;
	queue("4", VW_COMMAND_SYNC);
	remote_work(remote);
	ended(3, "4", VW_COMMAND_STATE_FAILED, "suspiciously empty");
}

static void a_result_that_is_too_large_is_no_result(void **state)
{
	(void)state;
	daemon_.bundle = VW_MAX_COMMAND_RESULT;
	queue("1", VW_COMMAND_DIAGNOSE);
	remote_work(remote);
	ended(0, "1", VW_COMMAND_STATE_DONE, "done");
	daemon_.bundle++;
	queue("2", VW_COMMAND_DIAGNOSE);
	remote_work(remote);
	ended(1, "2", VW_COMMAND_STATE_FAILED, "VW_MAX_COMMAND_RESULT");
	assert_string_equal(up.ends[1].result, "");
}

/* What a signal cuts off stays as it is in the store, where the next life finds it; and no other is begun. */
static void a_stop_cuts_off(void **state)
{
	static const vw_command_kind kinds[] = {VW_COMMAND_SYNC, VW_COMMAND_REEVALUATE, VW_COMMAND_SET_POLICY};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		up.count = 0;
		vw_cli_cancelled = 0;
		daemon_.cancel = true;
		queue("cut", kinds[i]);
		queue("later", VW_COMMAND_DIAGNOSE);
		remote_work(remote);
		assert_int_equal(up.end_count, 0);
		assert_int_equal(up.count, 1);
	}
}

static void an_end_that_cannot_be_stored_is_logged(void **state)
{
	(void)state;
	up.finish_code = VW_EFULL;
	queue("1", VW_COMMAND_DIAGNOSE);
	queue("2", VW_COMMAND_DIAGNOSE);
	remote_work(remote);
	assert_int_equal(up.count, 0);
}

/* The main loop must not spin on it, and must look again. */
static void a_command_that_cannot_be_read_is_left_for_later(void **state)
{
	(void)state;
	up.unreadable = true;
	queue("1", VW_COMMAND_DIAGNOSE);
	remote_work(remote);
	assert_int_equal(remote_fd(remote), -1);
	up.unreadable = false;
	remote_work(remote);
	ended(0, "1", VW_COMMAND_STATE_DONE, "done");
	assert_int_equal(remote_fd(remote), stand_in_fd());
}

/* ---- pause ---- */

static void a_pause_outlives_the_process(void **state)
{
	(void)state;
	queue("1", VW_COMMAND_PAUSE);
	queue("2", VW_COMMAND_PAUSE);
	remote_work(remote);
	assert_true(remote_paused(remote));
	assert_int_equal(enrolled_count(VW_AUDIT_PAUSED), 1);
	remote_close(remote);
	open_remote();
	assert_true(remote_paused(remote));
	remote_restart(remote, &config);
	assert_true(remote_paused(remote));
	queue("3", VW_COMMAND_RESUME);
	remote_work(remote);
	assert_false(remote_paused(remote));
	assert_false(enrolled_state(arena)->paused);
	assert_int_equal(enrolled_count(VW_AUDIT_RESUMED), 1);
	assert_string_equal(daemon_.calls, "pause on;pause on;pause off;");
}

/* ---- what is given ---- */

static void give(const char *id, vw_command_kind kind, const char *content)
{
	vw_command *command = queue(id, kind);
	VW_SET_BYTES(command, content, (uint8_t *)vw_arena_strdup(arena, content), strlen(content));
}

static void a_policy_is_judged_by_at_once(void **state)
{
	(void)state;
	give("1", VW_COMMAND_SET_POLICY, "mine");
	remote_work(remote);
	ended(0, "1", VW_COMMAND_STATE_DONE, "done");
	assert_string_equal(daemon_.calls, "reload;reevaluate;");
	assert_string_equal(enrolled_read_file(arena, "controller/policy.yaml"), "mine");
	daemon_.reload_code = VW_ECONFIG;
	give("2", VW_COMMAND_SET_POLICY, "broken");
	give("3", VW_COMMAND_SET_CONFIGURATION, "broken");
	remote_work(remote);
	ended(1, "2", VW_COMMAND_STATE_FAILED, "line 3");
	ended(2, "3", VW_COMMAND_STATE_FAILED, "line 3");
	assert_string_equal(daemon_.calls, "reload;reevaluate;reload;reload;");
	assert_string_equal(enrolled_read_file(arena, "controller/policy.yaml"), "mine");
}

/* It is in force: to call it failed would be wrong. */
static void a_policy_by_which_not_all_was_judged_is_in_force(void **state)
{
	(void)state;
	daemon_.reevaluate_code = VW_EFULL;
	give("1", VW_COMMAND_SET_POLICY, "mine");
	remote_work(remote);
	ended(0, "1", VW_COMMAND_STATE_DONE, "in force; not all was judged by it yet: MLflow says no");
}

/* ---- the uplink's life ---- */

static void not_enrolled_there_is_nothing(void **state)
{
	struct vw_uplink_status status;
	struct vw_error err = VW_ERROR_INIT;
	struct remote *none = (struct remote *)(uintptr_t)1;
	struct vw_progress progress = {.step = "models"};
	struct health_facts facts = {0};
	(void)state;
	up.start_code = VW_ENOTFOUND;
	assert_int_equal(remote_open(&config, fixture_store, &host, &none, &err), 0);
	assert_null(none);
	assert_false(remote_status(none, &status));
	assert_int_equal(remote_fd(none), -1);
	assert_false(remote_paused(none));
	remote_work(none);
	remote_wake(none);
	remote_progress(none, &progress);
	remote_tell(none, &facts, "none");
	remote_restart(none, &config);
	remote_close(none);
	up.start_code = VW_ECORRUPT;
	assert_int_equal(remote_open(&config, fixture_store, &host, &none, &err), VW_ECORRUPT);
}

static void it_begins_anew_with_other_settings(void **state)
{
	struct vw_uplink_status status;
	char proxy[] = "http://127.0.0.1:2";
	(void)state;
	assert_true(remote_status(remote, &status));
	assert_int_equal(status.phase, VW_UPLINK_CONNECTED);
	config.controller_proxy = proxy;
	remote_restart(remote, &config);
	memset(proxy, 'x', sizeof(proxy) - 1); /* the configuration is gone after a reload */
	assert_string_equal(up.proxy, "http://127.0.0.1:2");
	assert_int_equal(up.starts, 2);
	assert_int_equal(up.stops, 1);
	/* it fails, is seen to, and is tried again with the same settings */
	config.controller_proxy = "http://127.0.0.1:3";
	up.start_code = VW_EIO;
	remote_restart(remote, &config);
	assert_true(remote_status(remote, &status));
	assert_int_equal(status.phase, VW_UPLINK_IDLE);
	assert_int_equal(status.last_error.code, VW_EIO);
	assert_int_equal(remote_fd(remote), -1);
	remote_wake(remote);
	up.start_code = 0;
	remote_work(remote);
	assert_string_equal(up.proxy, "http://127.0.0.1:3");
	assert_true(remote_status(remote, &status));
	assert_int_equal(status.phase, VW_UPLINK_CONNECTED);
	assert_int_equal(status.last_error.code, 0);
}

/* The controller is told which they are. */
static void refusals_are_spelt_out(void **state)
{
	static const char *const one[] = {"Set_Policy", NULL}, *const all[] = {"all", NULL};
	(void)state;
	assert_int_equal(up.refuses, 0);
	config.controller_refuse = one;
	remote_restart(remote, &config);
	assert_int_equal(up.refuses, 1);
	config.controller_refuse = all;
	remote_restart(remote, &config);
	assert_int_equal(up.refuses, verifywise__v1__command_kind__descriptor.n_values);
	config.controller_refuse = no_words;
}

static atomic_bool looking;

static void *look_on(void *arg)
{
	struct vw_uplink_status status;
	while (atomic_load(&looking))
		if (!remote_status(arg, &status))
			abort();
	return NULL;
}

/* The health server's thread looks whenever it wants: the stand-in aborts when it is asked after its end. */
static void who_looks_never_sees_one_that_is_gone(void **state)
{
	pthread_t thread;
	(void)state;
	atomic_store(&looking, true);
	assert_int_equal(pthread_create(&thread, NULL, look_on, remote), 0);
	for (int i = 0; i < 200; i++)
		remote_restart(remote, &config);
	atomic_store(&looking, false);
	pthread_join(thread, NULL);
}

static void health_is_told(void **state)
{
	struct health_facts facts = {.paused = true, .census = {.versions = {1, 2, 4}}};
	(void)state;
	remote_tell(remote, &facts, "basic:alice");
	assert_string_equal(up.credential, "basic:alice");
	assert_string_equal(up.outcome, ""); /* no sync yet */
	assert_true(up.ok && up.paused);
	assert_int_equal(up.versions, 7);
	assert_int_equal(up.gaps, 2);
	assert_int_equal(up.wakes, 1);
	facts.last.finished_at = 1;
	facts.last.outcome = VW_SYNC_FAILED;
	facts.last.code = VW_EAUTH;
	remote_tell(remote, &facts, "basic:alice");
	assert_string_equal(up.outcome, "failed");
	assert_false(up.ok);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {TEST(syncs_are_done_in_order),
					   TEST(what_fails_says_why),
					   TEST(a_result_that_is_too_large_is_no_result),
					   TEST(a_stop_cuts_off),
					   TEST(an_end_that_cannot_be_stored_is_logged),
					   TEST(a_command_that_cannot_be_read_is_left_for_later),
					   TEST(a_pause_outlives_the_process),
					   TEST(a_policy_is_judged_by_at_once),
					   TEST(a_policy_by_which_not_all_was_judged_is_in_force),
					   TEST(not_enrolled_there_is_nothing),
					   TEST(it_begins_anew_with_other_settings),
					   TEST(refusals_are_spelt_out),
					   TEST(who_looks_never_sees_one_that_is_gone),
					   TEST(health_is_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
