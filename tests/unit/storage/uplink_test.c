/* uplink.h: the send cursor, what is sent, commands done once, sealed secrets (S4.5, S11.1). */
#include "fixture.h"

#include "storage/uplink.h"

#include "base/limits.h"
#include "proto/message.h"

struct state {
	char *dir;
	struct vw_store *store;
	struct vw_txn *view;
	struct vw_arena *arena;
	struct vw_error err;
};

static int setup(void **out)
{
	struct state *s = calloc(1, sizeof(*s));
	s->dir = make_dir();
	s->arena = vw_arena_open(0);
	assert_ok(vw_store_open(s->dir, VW_KV_WRITE, &s->store, &s->err), s->err);
	*out = s;
	return 0;
}

static int teardown(void **in)
{
	struct state *s = *in;
	vw_txn_end(s->view);
	vw_store_close(s->store);
	vw_arena_close(s->arena);
	drop_dir(s->dir);
	free(s);
	return 0;
}

static struct vw_txn *look(struct state *s)
{
	vw_txn_end(s->view);
	s->view = NULL;
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &s->view, &s->err), s->err);
	return s->view;
}

static void reopen(struct state *s, enum vw_kv_mode mode)
{
	vw_txn_end(s->view);
	s->view = NULL;
	vw_store_close(s->store);
	s->store = NULL;
	assert_ok(vw_store_open(s->dir, mode, &s->store, &s->err), s->err);
}

/* What one write puts. */
struct put {
	const vw_uplink_state *uplink;
	const vw_held_command *command;
	const vw_held_secret *const *secrets;
	size_t secret_count;
};

static int put_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct put *p = arg;
	struct vw_arena *arena = vw_arena_open(0);
	int rc;
	if (p->uplink)
		rc = vw_store_put_uplink(txn, arena, p->uplink, err);
	else if (p->command)
		rc = vw_store_put_command(txn, arena, p->command, err);
	else
		rc = vw_store_put_secrets(txn, arena, p->secrets, p->secret_count, err);
	vw_arena_close(arena);
	return rc;
}

static int put(struct state *s, struct put p)
{
	return vw_kv_write(vw_store_kv(s->store), put_step, &p, &s->err);
}

/* ---- Cursor ---- */

static void test_state_is_zeroed_at_first(void **in)
{
	struct state *s = *in;
	vw_uplink_state *state;
	vw_receipt receipt = VERIFYWISE__V1__RECEIPT__INIT;
	assert_ok(vw_store_uplink(look(s), s->arena, &state, &s->err), s->err);
	assert_false(state->has_acknowledged_sequence);
	assert_null(state->receipt);
	VW_SET(state, acknowledged_sequence, 42);
	VW_SET(state, join_sequence, 3);
	VW_SET_BYTES(&receipt, body, "body", 4);
	state->receipt = &receipt;
	assert_ok(put(s, (struct put){.uplink = state}), s->err);
	reopen(s, VW_KV_READ);
	assert_ok(vw_store_uplink(look(s), s->arena, &state, &s->err), s->err);
	assert_int_equal(state->acknowledged_sequence, 42);
	assert_int_equal(state->join_sequence, 3);
	assert_memory_equal(state->receipt->body.data, "body", 4);
}

/* ---- What is sent ---- */

static size_t chained(struct state *s, uint64_t from, size_t max_entries, size_t max_bytes, vw_chained_entry ***out)
{
	size_t count = 99;
	assert_ok(vw_store_chained_entries(look(s), s->arena, from, max_entries, max_bytes, out, &count, &s->err),
		  s->err);
	return count;
}

static void test_entries_are_given_as_stored(void **in)
{
	struct state *s = *in;
	vw_chained_entry **entries;
	assert_int_equal(chained(s, 1, 10, VW_MIB, &entries), 0);
	for (int i = 0; i < 20; i++)
		record_audit(s->store, "entry");
	assert_int_equal(chained(s, 1, 100, VW_MIB, &entries), 20);
	assert_int_equal(chained(s, 6, 10, VW_MIB, &entries), 10);
	assert_int_equal(chained(s, 20, 10, VW_MIB, &entries), 1);
	assert_int_equal(chained(s, 21, 10, VW_MIB, &entries), 0);
	assert_int_equal(chained(s, UINT64_MAX, 10, VW_MIB, &entries), 0);
	assert_int_equal(chained(s, 1, 0, VW_MIB, &entries), 0);
	assert_int_equal(chained(s, 6, 10, VW_MIB, &entries), 10);
	for (uint64_t i = 0; i < 10; i++) {
		struct vw_bytes payload;
		const uint8_t *hash;
		assert_ok(vw_store_entry_bytes(s->view, 6 + i, &payload, &hash, &s->err), s->err);
		assert_int_equal(entries[i]->payload.len, payload.len);
		assert_memory_equal(entries[i]->payload.data, payload.data, payload.len);
		assert_ptr_not_equal(entries[i]->payload.data, payload.data); /* outlives the view */
		assert_int_equal(entries[i]->chain_sha256.len, VW_LEDGER_HASH);
		assert_memory_equal(entries[i]->chain_sha256.data, hash, VW_LEDGER_HASH);
	}
	size_t count;
	assert_int_equal(vw_store_chained_entries(s->view, s->arena, 0, 1, 1, &entries, &count, &s->err), VW_EINVAL);
}

static void test_batch_ends_at_its_size(void **in)
{
	struct state *s = *in;
	vw_chained_entry **entries;
	record_many(s->store, "m", 1, 4, 1000);
	record_many(s->store, "m", 5, 1, 50000);
	record_many(s->store, "m", 6, 1, 1000);
	assert_int_equal(chained(s, 1, 10, SIZE_MAX, &entries), 6);
	size_t one = entries[0]->payload.len;
	assert_int_equal(chained(s, 1, 10, 2 * one, &entries), 2);
	assert_int_equal(chained(s, 1, 10, 3 * one - 1, &entries), 2);
	assert_int_equal(chained(s, 1, 10, 0, &entries), 1);   /* always one */
	assert_int_equal(chained(s, 5, 10, one, &entries), 1); /* also when it is larger than all of it */
	assert_int_equal(chained(s, 4, 10, 2 * one, &entries), 1);
}

static int delete_entry(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	static const uint8_t third[8] = {0, 0, 0, 0, 0, 0, 0, 3};
	(void)arg;
	return vw_kv_delete(txn, 1, (struct vw_bytes){third, 8}, err);
}

static void test_hole_is_not_passed_over(void **in)
{
	struct state *s = *in;
	vw_chained_entry **entries;
	size_t count;
	for (int i = 0; i < 5; i++)
		record_audit(s->store, "entry");
	assert_ok(vw_kv_write(vw_store_kv(s->store), delete_entry, NULL, &s->err), s->err);
	assert_int_equal(vw_store_chained_entries(look(s), s->arena, 1, 9, VW_MIB, &entries, &count, &s->err),
			 VW_ECORRUPT);
	assert_says(s->err, "entry 3 is missing");
	assert_int_equal(vw_store_chained_entries(s->view, s->arena, 3, 9, VW_MIB, &entries, &count, &s->err),
			 VW_ECORRUPT);
	assert_int_equal(chained(s, 4, 9, VW_MIB, &entries), 2);
}

/* ---- Commands ---- */

/* State 0: none yet. */
static int put_command(struct state *s, const char *id, int state, const char *said)
{
	vw_held_command held = VERIFYWISE__V1__HELD_COMMAND__INIT;
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	vw_command_update update = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	vw_sealed_secret secret = VERIFYWISE__V1__SEALED_SECRET__INIT, *secrets[] = {&secret};
	command.id = (char *)id;
	VW_SET(&command, kind, VW_COMMAND_SET_SECRETS);
	VW_SET_BYTES(&command, content, "content", 7);
	command.n_secrets = 1;
	command.secrets = secrets;
	VW_SET(&update, state, state);
	update.text = (char *)said;
	held.command = &command;
	held.update = state ? &update : NULL;
	VW_SET(&held, received_at, 5);
	return put(s, (struct put){.command = &held});
}

static vw_held_command *get_command(struct state *s, const char *id)
{
	vw_held_command *held;
	int rc = vw_store_command(look(s), s->arena, id, &held, &s->err);
	assert_true(rc == 0 || rc == VW_ENOTFOUND);
	return rc == 0 ? held : NULL;
}

static size_t commands(struct state *s, vw_held_command ***out)
{
	size_t count;
	assert_ok(vw_store_commands(look(s), s->arena, out, &count, &s->err), s->err);
	return count;
}

static void test_command_is_kept_with_its_update(void **in)
{
	struct state *s = *in;
	assert_null(get_command(s, "one"));
	assert_says(s->err, "command one never came");
	assert_ok(put_command(s, "one", 0, NULL), s->err);
	assert_ok(put_command(s, "one", VW_COMMAND_STATE_RUNNING, "half"), s->err);
	vw_held_command *held = get_command(s, "one");
	assert_string_equal(held->update->text, "half");
	assert_int_equal(held->command->content.len, 7);
	assert_int_equal(held->command->n_secrets, 1);
	assert_ok(put_command(s, "one", VW_COMMAND_STATE_DONE, "all"), s->err);
	reopen(s, VW_KV_READ);
	held = get_command(s, "one");
	assert_string_equal(held->update->text, "all");
	assert_int_equal(held->received_at, 5);
	assert_int_equal(held->command->kind, VW_COMMAND_SET_SECRETS);
	assert_false(held->command->has_content); /* nobody needs it any more */
	assert_int_equal(held->command->n_secrets, 0);
}

static void test_commands_are_listed_in_their_order(void **in)
{
	struct state *s = *in;
	vw_held_command **list;
	assert_int_equal(commands(s, &list), 0);
	assert_ok(put_command(s, "zebra", 0, NULL), s->err);
	assert_ok(put_command(s, "ant", 0, NULL), s->err);
	assert_ok(put_command(s, "mouse", 0, NULL), s->err);
	assert_ok(put_command(s, "zebra", VW_COMMAND_STATE_FAILED, "no"), s->err); /* stays the oldest */
	assert_int_equal(commands(s, &list), 3);
	assert_string_equal(list[0]->command->id, "zebra");
	assert_string_equal(list[1]->command->id, "ant");
	assert_string_equal(list[2]->command->id, "mouse");
}

static void test_oldest_finished_commands_are_dropped(void **in)
{
	static const int endings[] = {VW_COMMAND_STATE_DONE, VW_COMMAND_STATE_FAILED, VW_COMMAND_STATE_REFUSED,
				      VW_COMMAND_STATE_EXPIRED, VW_COMMAND_STATE_UNSUPPORTED};
	struct state *s = *in;
	vw_held_command **list;
	char id[16];
	assert_ok(put_command(s, "open", VW_COMMAND_STATE_RUNNING, NULL), s->err);
	for (int i = 0; i < VW_MAX_HELD_COMMANDS + 5; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		assert_ok(put_command(s, id, endings[i % 5], NULL), s->err);
	}
	assert_int_equal(commands(s, &list), VW_MAX_HELD_COMMANDS + 1);
	assert_string_equal(list[0]->command->id, "open"); /* however old it is */
	assert_string_equal(list[1]->command->id, "c5");
	assert_null(get_command(s, "c4"));
	assert_ok(put_command(s, "c5", VW_COMMAND_STATE_DONE, "again"),
		  s->err); /* none is dropped for one that is there */
	assert_int_equal(commands(s, &list), VW_MAX_HELD_COMMANDS + 1);
	assert_ok(put_command(s, "open", VW_COMMAND_STATE_DONE, NULL), s->err); /* the newest to finish is kept */
	assert_non_null(get_command(s, "open"));
	assert_null(get_command(s, "c5"));
}

static void test_too_many_open_commands_are_refused(void **in)
{
	struct state *s = *in;
	char id[16];
	for (int i = 0; i < VW_MAX_OPEN_COMMANDS; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		assert_ok(put_command(s, id, i % 2 ? VW_COMMAND_STATE_RUNNING : 0, NULL), s->err);
	}
	assert_int_equal(put_command(s, "more", 0, NULL), VW_ELIMIT);
	assert_says(s->err, "VW_MAX_OPEN_COMMANDS");
	assert_ok(put_command(s, "c7", VW_COMMAND_STATE_RUNNING, "one that is there"), s->err);
	assert_ok(put_command(s, "more", VW_COMMAND_STATE_REFUSED, "too many"), s->err);
	assert_ok(put_command(s, "c7", VW_COMMAND_STATE_DONE, NULL), s->err);
	assert_ok(put_command(s, "room", 0, NULL), s->err);
}

static void test_command_out_of_bounds_is_refused(void **in)
{
	struct state *s = *in;
	vw_held_command held = VERIFYWISE__V1__HELD_COMMAND__INIT;
	vw_command command = VERIFYWISE__V1__COMMAND__INIT;
	vw_command_update update = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	char id[VW_STORE_COMMAND_ID_MAX + 2];
	char *large = calloc(1, VW_MAX_FLEET_CONTROL);
	assert_int_equal(put(s, (struct put){.command = &held}), VW_EINVAL);
	assert_int_equal(put_command(s, "", 0, NULL), VW_EINVAL);
	assert_int_equal(put_command(s, NULL, 0, NULL), VW_EINVAL);
	memset(id, 'x', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	assert_int_equal(put_command(s, id, 0, NULL), VW_EINVAL);
	id[sizeof(id) - 2] = '\0';
	assert_ok(put_command(s, id, 0, NULL), s->err);
	command.id = (char *)"large";
	held.command = &command;
	held.update = &update;
	VW_SET_BYTES(&command, content, large, VW_MAX_FLEET_CONTROL);
	assert_int_equal(put(s, (struct put){.command = &held}), VW_ELIMIT);
	assert_says(s->err, "VW_MAX_FLEET_CONTROL");
	command.has_content = 0;
	VW_SET_BYTES(&update, result, large, VW_MAX_COMMAND_RESULT);
	assert_ok(put(s, (struct put){.command = &held}), s->err);
	update.result.len++;
	assert_int_equal(put(s, (struct put){.command = &held}), VW_ELIMIT);
	assert_says(s->err, "VW_MAX_COMMAND_RESULT");
	free(large);
}

/* ---- Secrets ---- */

static int put_secrets(struct state *s, const char *const *names, size_t count, size_t sealed)
{
	vw_held_secret held[VW_MAX_SECRETS + 1];
	vw_sealed_secret secrets[VW_MAX_SECRETS + 1];
	const vw_held_secret *list[VW_MAX_SECRETS + 1];
	uint8_t *bytes = calloc(1, sealed + 1);
	for (size_t i = 0; i < count; i++) {
		verifywise__v1__held_secret__init(&held[i]);
		verifywise__v1__sealed_secret__init(&secrets[i]);
		secrets[i].name = (char *)names[i];
		VW_SET(&secrets[i], version, 1);
		VW_SET_BYTES(&secrets[i], sealed, bytes, sealed);
		held[i].secret = &secrets[i];
		held[i].fingerprint = (char *)"f";
		list[i] = &held[i];
	}
	int rc = put(s, (struct put){.secrets = list, .secret_count = count});
	free(bytes);
	return rc;
}

static void secrets_are(struct state *s, const char *expected)
{
	vw_held_secret **list;
	size_t count;
	char names[256] = "";
	assert_ok(vw_store_secrets(look(s), s->arena, &list, &count, &s->err), s->err);
	for (size_t i = 0; i < count; i++) {
		strcat(names, list[i]->secret->name);
		strcat(names, " ");
	}
	assert_string_equal(names, expected);
}

static void test_secrets_are_replaced_together(void **in)
{
	struct state *s = *in;
	static const char *const two[] = {"mlflow.username", "mlflow.password"}, *const one[] = {"mlflow.token"};
	secrets_are(s, "");
	assert_ok(put_secrets(s, two, 2, VW_MAX_SEALED), s->err);
	secrets_are(s, "mlflow.password mlflow.username ");
	assert_ok(put_secrets(s, two, 1, 10), s->err);
	secrets_are(s, "mlflow.username ");
	assert_ok(put_secrets(s, one, 1, 10), s->err);
	reopen(s, VW_KV_WRITE);
	secrets_are(s, "mlflow.token ");
	assert_ok(put_secrets(s, NULL, 0, 0), s->err);
	secrets_are(s, "");
}

static void test_secrets_out_of_bounds_are_refused(void **in)
{
	struct state *s = *in;
	static const char *const good[] = {"a"}, *const twice[] = {"a", "b", "a"}, *const nameless[] = {""};
	const char *none[] = {NULL}, *many[VW_MAX_SECRETS + 1];
	char text[VW_MAX_SECRETS + 1][8], name[VW_STORE_SECRET_NAME_MAX + 2];
	const char *names[] = {name};
	assert_ok(put_secrets(s, good, 1, 10), s->err);
	assert_int_equal(put_secrets(s, twice, 3, 1), VW_EINVAL);
	assert_says(s->err, "'a' is there twice");
	assert_int_equal(put_secrets(s, nameless, 1, 1), VW_EINVAL);
	assert_int_equal(put_secrets(s, none, 1, 1), VW_EINVAL);
	assert_int_equal(put_secrets(s, twice, 2, VW_MAX_SEALED + 1), VW_ELIMIT);
	assert_says(s->err, "VW_MAX_SEALED");
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(put_secrets(s, names, 1, 1), VW_EINVAL);
	for (size_t i = 0; i <= VW_MAX_SECRETS; i++) {
		snprintf(text[i], sizeof(text[i]), "s%zu", i);
		many[i] = text[i];
	}
	assert_int_equal(put_secrets(s, many, VW_MAX_SECRETS + 1, 1), VW_ELIMIT);
	assert_says(s->err, "VW_MAX_SECRETS");
	secrets_are(s, "a "); /* of all that, nothing was written */
	assert_ok(put_secrets(s, many, VW_MAX_SECRETS, 1), s->err);
}

int main(void)
{
#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_STORE(test_state_is_zeroed_at_first),
	    WITH_STORE(test_entries_are_given_as_stored),
	    WITH_STORE(test_batch_ends_at_its_size),
	    WITH_STORE(test_hole_is_not_passed_over),
	    WITH_STORE(test_command_is_kept_with_its_update),
	    WITH_STORE(test_commands_are_listed_in_their_order),
	    WITH_STORE(test_oldest_finished_commands_are_dropped),
	    WITH_STORE(test_too_many_open_commands_are_refused),
	    WITH_STORE(test_command_out_of_bounds_is_refused),
	    WITH_STORE(test_secrets_are_replaced_together),
	    WITH_STORE(test_secrets_out_of_bounds_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
