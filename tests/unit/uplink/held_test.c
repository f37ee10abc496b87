/* A command's life in a real store: what is written with what, in one transaction (S9, S10). */
#include "cmocka_all.h"

#include "held.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "proto/message.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct state {
	char dir[64];
	struct vw_store *store;
	struct vw_arena *arena;
	struct vw_held_rules rules;
	struct vw_error err;
};

static int setup(void **out)
{
	struct state *s = calloc(1, sizeof(*s));
	snprintf(s->dir, sizeof(s->dir), "/tmp/uplink-held-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	s->arena = vw_arena_open(0);
	assert_int_equal(vw_store_open(s->dir, VW_KV_WRITE, &s->store, &s->err), 0);
	s->rules = (struct vw_held_rules){.agent_version = "1.2.3", .secrets = true, .now = vw_clock_now()};
	*out = s;
	return 0;
}

static int teardown(void **in)
{
	struct state *s = *in;
	char path[512];
	vw_store_close(s->store);
	vw_arena_close(s->arena);
	DIR *dir = opendir(s->dir);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, e->d_name);
		unlink(path);
	}
	closedir(dir);
	rmdir(s->dir);
	free(s);
	return 0;
}

/* ---- what is asked of the store ---- */

static vw_held_command *held(struct state *s, const char *id)
{
	struct vw_txn *txn;
	vw_held_command *found = NULL;
	assert_int_equal(vw_txn_begin_read(vw_store_kv(s->store), &txn, &s->err), 0);
	if (vw_store_command(txn, s->arena, id, &found, &s->err) < 0)
		found = NULL;
	vw_txn_end(txn);
	return found;
}

static vw_uplink_state *uplink_state(struct state *s)
{
	struct vw_txn *txn;
	vw_uplink_state *found;
	assert_int_equal(vw_txn_begin_read(vw_store_kv(s->store), &txn, &s->err), 0);
	assert_int_equal(vw_store_uplink(txn, s->arena, &found, &s->err), 0);
	vw_txn_end(txn);
	return found;
}

static uint64_t ledger_end(struct state *s)
{
	struct vw_txn *txn;
	struct vw_ledger_head head;
	assert_int_equal(vw_txn_begin_read(vw_store_kv(s->store), &txn, &s->err), 0);
	assert_int_equal(vw_store_head(txn, &head, &s->err), 0);
	vw_txn_end(txn);
	return head.sequence;
}

static const vw_audit *audit(struct state *s, uint64_t sequence)
{
	struct vw_txn *txn;
	vw_entry *entry;
	assert_int_equal(vw_txn_begin_read(vw_store_kv(s->store), &txn, &s->err), 0);
	assert_int_equal(vw_store_entry(txn, s->arena, sequence, &entry, &s->err), 0);
	vw_txn_end(txn);
	assert_int_equal(entry->body_case, VERIFYWISE__V1__ENTRY__BODY_AUDIT);
	return entry->audit;
}

/* ---- what is done ---- */

static char *words(const char *text)
{
	return (char *)(uintptr_t)text;
}

static vw_command command(const char *id, vw_command_kind kind)
{
	vw_command c = VERIFYWISE__V1__COMMAND__INIT;
	c.id = words(id);
	VW_SET(&c, kind, kind);
	return c;
}

static enum vw_held_outcome take(struct state *s, const vw_command *c)
{
	enum vw_held_outcome outcome;
	if (vw_held_take(s->store, &s->rules, c, &outcome, &s->err) != 0)
		fail_msg("%s: %s", c->id, s->err.message);
	return outcome;
}

static int finish(struct state *s, const char *id, vw_command_state end, const char *text)
{
	const struct vw_held_end order = {id, end, text, {"{}", 2}};
	return vw_held_finish(s->store, "1.2.3", &order, &s->err);
}

/* ---- tests ---- */

static void test_from_received_to_done(void **in)
{
	struct state *s = *in;
	vw_command c = command("one", VW_COMMAND_SYNC);
	c.depth = words("quick");
	c.model = words("churn");
	c.issued_by = words("alice");
	assert_int_equal(take(s, &c), VW_HELD_NEW);
	assert_int_equal(ledger_end(s), 1);
	const vw_audit *received = audit(s, 1);
	assert_int_equal(received->kind, VW_AUDIT_COMMAND_RECEIVED);
	assert_string_equal(received->subject, "one");
	assert_string_equal(received->text, "sync of churn, issued by alice");
	assert_string_equal(received->depth, "quick");
	assert_int_equal(held(s, "one")->update->state, VW_COMMAND_STATE_RUNNING);
	assert_false(vw_held_is_over(held(s, "one")));
	assert_int_equal(finish(s, "one", VW_COMMAND_STATE_DONE, "all of it"), 0);
	assert_int_equal(ledger_end(s), 2);
	const vw_audit *finished = audit(s, 2);
	assert_int_equal(finished->kind, VW_AUDIT_COMMAND_FINISHED);
	assert_string_equal(finished->outcome, "done");
	assert_string_equal(finished->text, "sync done: all of it");
	const vw_held_command *end = held(s, "one");
	assert_true(vw_held_is_over(end));
	assert_int_equal(end->finished_sequence, 2);
	assert_int_equal(end->update->result.len, 2);
}

static void test_known_is_not_written_again(void **in)
{
	struct state *s = *in;
	vw_command c = command("one", VW_COMMAND_SYNC);
	assert_int_equal(take(s, &c), VW_HELD_NEW);
	assert_int_equal(take(s, &c), VW_HELD_KNOWN);
	assert_int_equal(finish(s, "one", VW_COMMAND_STATE_FAILED, NULL), 0);
	assert_int_equal(take(s, &c), VW_HELD_ANSWERED);
	assert_int_equal(ledger_end(s), 2);
}

static void test_it_ends_once_and_in_a_state_to_end_in(void **in)
{
	struct state *s = *in;
	vw_command c = command("one", VW_COMMAND_SYNC);
	assert_int_equal(finish(s, "one", VW_COMMAND_STATE_DONE, NULL), VW_ENOTFOUND);
	take(s, &c);
	assert_int_equal(finish(s, "one", VW_COMMAND_STATE_RUNNING, NULL), VW_EINVAL);
	assert_int_equal(finish(s, "one", 0, NULL), VW_EINVAL);
	assert_int_equal(finish(s, "one", VW_COMMAND_STATE_DONE, NULL), 0);
	assert_int_equal(finish(s, "one", VW_COMMAND_STATE_FAILED, NULL), VW_EINVAL);
	assert_int_equal(held(s, "one")->update->state, VW_COMMAND_STATE_DONE);
	assert_int_equal(ledger_end(s), 2);
}

static void answered(struct state *s, const vw_command *c, vw_command_state end)
{
	uint64_t before = ledger_end(s);
	assert_int_equal(take(s, c), VW_HELD_ANSWERED);
	assert_int_equal(ledger_end(s), before + 2);
	assert_int_equal(held(s, c->id)->update->state, end);
	assert_non_null(held(s, c->id)->update->text);
	assert_int_equal(held(s, c->id)->finished_sequence, before + 2);
}

static void test_what_is_decided_at_once(void **in)
{
	struct state *s = *in;
	static const char *const refuses[] = {"DIAGNOSE", "set_policy", NULL};
	vw_command late = command("late", VW_COMMAND_SYNC), forbidden = command("no", VW_COMMAND_SET_POLICY),
		   other = command("no2", VW_COMMAND_DIAGNOSE), strange = command("what", (vw_command_kind)99),
		   none = command("none", VW_COMMAND_SYNC), secrets = command("secret", VW_COMMAND_SET_SECRETS);
	s->rules.refuses = refuses;
	s->rules.secrets = false;
	VW_SET(&late, expires_at, s->rules.now);
	none.has_kind = 0;
	answered(s, &late, VW_COMMAND_STATE_EXPIRED);
	answered(s, &forbidden, VW_COMMAND_STATE_REFUSED);
	answered(s, &other, VW_COMMAND_STATE_REFUSED);
	answered(s, &secrets, VW_COMMAND_STATE_REFUSED);
	answered(s, &strange, VW_COMMAND_STATE_UNSUPPORTED);
	answered(s, &none, VW_COMMAND_STATE_UNSUPPORTED);
	VW_SET(&late, expires_at, s->rules.now + 1);
	late.id = words("in-time");
	assert_int_equal(take(s, &late), VW_HELD_NEW);
}

static void test_ids_that_cannot_be(void **in)
{
	struct state *s = *in;
	enum vw_held_outcome outcome;
	char longest[VW_STORE_COMMAND_ID_MAX + 2];
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	const char *const ids[] = {NULL, "", "a b", "a\n", "\xc3\xa4", longest};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		vw_command c = command(ids[i], VW_COMMAND_SYNC);
		assert_int_equal(vw_held_take(s->store, &s->rules, &c, &outcome, &s->err), VW_EINVAL);
	}
	vw_command c = command(longest + 1, VW_COMMAND_SYNC);
	assert_int_equal(take(s, &c), VW_HELD_NEW);
}

static void test_too_many_are_refused(void **in)
{
	struct state *s = *in;
	char id[32];
	for (int i = 0; i < VW_MAX_OPEN_COMMANDS; i++) {
		snprintf(id, sizeof(id), "%d", i);
		vw_command c = command(id, VW_COMMAND_SYNC);
		assert_int_equal(take(s, &c), VW_HELD_NEW);
	}
	vw_command more = command("more", VW_COMMAND_SYNC);
	answered(s, &more, VW_COMMAND_STATE_REFUSED);
}

/* The controller's words are made safe before they are kept. */
static void test_hostile_texts(void **in)
{
	struct state *s = *in;
	char *endless = malloc(100001);
	memset(endless, '\x1b', 100000);
	endless[100000] = '\0';
	vw_command c = command("one", VW_COMMAND_SYNC);
	c.issued_by = endless;
	c.model = words("\xff\xfe\x1b[31m");
	take(s, &c);
	assert_null(strchr(audit(s, 1)->text, '\x1b'));
	assert_true(strlen(audit(s, 1)->text) < 20000);
	assert_int_equal(finish(s, "one", VW_COMMAND_STATE_FAILED, c.model), 0);
	assert_null(strchr(held(s, "one")->update->text, '\x1b'));
	free(endless);
}

static void set(struct state *s, const char *id, vw_command_kind kind, const char *content, vw_command_state end)
{
	vw_command c = command(id, kind);
	c.has_content = 1;
	c.content = (ProtobufCBinaryData){strlen(content), (uint8_t *)(uintptr_t)content};
	assert_int_equal(take(s, &c), VW_HELD_NEW);
	assert_int_equal(finish(s, id, end, NULL), 0);
}

static void assert_hash(const ProtobufCBinaryData *field, const char *content)
{
	uint8_t hash[VW_SHA256_SIZE];
	vw_sha256_of(content, strlen(content), hash);
	assert_int_equal(field->len, sizeof(hash));
	assert_memory_equal(field->data, hash, sizeof(hash));
}

static void test_what_is_in_force_changes_with_the_end(void **in)
{
	struct state *s = *in;
	set(s, "a", VW_COMMAND_SET_POLICY, "first", VW_COMMAND_STATE_DONE);
	assert_hash(&uplink_state(s)->policy_sha256, "first");
	set(s, "b", VW_COMMAND_SET_POLICY, "bad", VW_COMMAND_STATE_FAILED);
	assert_hash(&uplink_state(s)->policy_sha256, "first");
	assert_hash(&uplink_state(s)->failed_policy_sha256, "bad");
	set(s, "c", VW_COMMAND_SET_CONFIGURATION, "conf", VW_COMMAND_STATE_DONE);
	assert_hash(&uplink_state(s)->config_sha256, "conf");
	assert_hash(&uplink_state(s)->policy_sha256, "first");
	set(s, "d", VW_COMMAND_SET_POLICY, "", VW_COMMAND_STATE_DONE);
	assert_false(uplink_state(s)->has_policy_sha256);
	assert_false(uplink_state(s)->has_failed_policy_sha256);
	set(s, "e", VW_COMMAND_PAUSE, "", VW_COMMAND_STATE_DONE);
	assert_true(uplink_state(s)->paused);
	set(s, "f", VW_COMMAND_RESUME, "", VW_COMMAND_STATE_FAILED);
	assert_true(uplink_state(s)->paused);
	set(s, "g", VW_COMMAND_RESUME, "", VW_COMMAND_STATE_DONE);
	assert_false(uplink_state(s)->paused);
}

/* The send cursor stands in the same value: it is not lost. */
static void test_the_cursor_stays(void **in)
{
	struct state *s = *in;
	struct vw_ledger_check check;
	set(s, "a", VW_COMMAND_SET_POLICY, "first", VW_COMMAND_STATE_DONE);
	set(s, "b", VW_COMMAND_PAUSE, "", VW_COMMAND_STATE_DONE);
	assert_hash(&uplink_state(s)->policy_sha256, "first");
	assert_int_equal(vw_store_verify(s->store, &check, NULL, NULL, &s->err), 0);
	assert_int_equal(check.first_bad, 0);
	assert_int_equal(check.entries, 4);
}

/* What is desired is an id of its hash: after something else it may be wanted again. */
static void test_desired_again(void **in)
{
	struct state *s = *in;
	vw_command c = command("desired:00ff", VW_COMMAND_SET_POLICY);
	assert_true(vw_held_is_desired(c.id));
	assert_false(vw_held_is_desired("desire"));
	assert_true(vw_held_is_reserved(c.id));
	assert_true(vw_held_is_reserved("applied:policy"));
	assert_false(vw_held_is_reserved("0d5f"));
	assert_int_equal(take(s, &c), VW_HELD_NEW);
	assert_int_equal(take(s, &c), VW_HELD_KNOWN);
	assert_int_equal(finish(s, c.id, VW_COMMAND_STATE_DONE, NULL), 0);
	assert_int_equal(take(s, &c), VW_HELD_NEW);
	assert_false(vw_held_is_over(held(s, c.id)));
}

static void test_names(void **in)
{
	vw_command c = command("x", VW_COMMAND_ROTATE_CERTIFICATE);
	(void)in;
	assert_string_equal(vw_held_kind_name(&c), "rotate_certificate");
	c.kind = (vw_command_kind)1000;
	assert_string_equal(vw_held_kind_name(&c), "unknown");
	assert_string_equal(vw_held_what(VW_COMMAND_SET_POLICY), "policy");
	assert_string_equal(vw_held_what(VW_COMMAND_SET_CONFIGURATION), "configuration");
	assert_string_equal(vw_held_what(VW_COMMAND_SET_SECRETS), "secrets");
	assert_null(vw_held_what(VW_COMMAND_SYNC));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_from_received_to_done),
	    TEST(test_known_is_not_written_again),
	    TEST(test_it_ends_once_and_in_a_state_to_end_in),
	    TEST(test_what_is_decided_at_once),
	    TEST(test_ids_that_cannot_be),
	    TEST(test_too_many_are_refused),
	    TEST(test_hostile_texts),
	    TEST(test_what_is_in_force_changes_with_the_end),
	    TEST(test_the_cursor_stays),
	    TEST(test_desired_again),
	    TEST(test_names),
	};
	return cmocka_run_group_tests_name("uplink_held", tests, NULL, NULL);
}
