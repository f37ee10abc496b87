/* Commands, the files they give out, sealed secrets. */
#include "suite.h"

#include "base/digest.h"

static const char *id_of(struct shop *s, int number)
{
	return vw_arena_printf(s->arena, "dddddddd-dddd-4ddd-8ddd-%012d", number);
}

static vw_stored_command *command_of(struct shop *s, const char *agent_id, int number, vw_command_kind kind)
{
	vw_stored_command *c = vw_message_new(s->arena, &verifywise__v1__stored_command__descriptor);
	c->command = vw_message_new(s->arena, &verifywise__v1__command__descriptor);
	VW_SET(c, organization, ORG);
	c->agent_id = (char *)agent_id;
	c->command->id = (char *)id_of(s, number);
	VW_SET(c->command, kind, kind);
	VW_SET(c->command, issued_at, NOW + number);
	VW_SET(c->command, expires_at, NOW + 1000);
	c->command->issued_by = (char *)"user:alice";
	return c;
}

static void create(struct shop *s, const char *agent_id, int number, vw_command_kind kind)
{
	shop_ok(s, vw_fleet_command_create(s->store, command_of(s, agent_id, number, kind), &s->err));
}

static vw_stored_command *get(struct shop *s, int number)
{
	vw_stored_command *c;
	shop_ok(s, vw_fleet_command_get(s->store, s->arena, ORG, id_of(s, number), &c, &s->err));
	return c;
}

static size_t open_commands(struct shop *s, const char *agent_id, int64_t now, vw_stored_command ***out)
{
	size_t count;
	shop_ok(s, vw_fleet_command_open(s->store, s->arena, ORG, agent_id, now, out, &count, &s->err));
	return count;
}

static int say(struct shop *s, const char *agent_id, int number, vw_command_state state, const char *text)
{
	vw_command_update u = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	u.id = (char *)id_of(s, number);
	VW_SET(&u, state, state);
	VW_SET(&u, at, NOW + 500);
	u.text = (char *)text;
	return vw_fleet_command_update(s->store, ORG, agent_id, &u, &s->err);
}

static void a_life(void **state)
{
	struct shop *s = shop_of(state);
	vw_stored_command **open;
	create(s, AGENT_A, 1, VW_COMMAND_SYNC);
	vw_stored_command *c = get(s, 1);
	assert_int_equal(c->state, VW_COMMAND_STATE_QUEUED);
	assert_string_equal(c->agent_id, AGENT_A);
	assert_string_equal(c->command->issued_by, "user:alice");
	assert_false(c->has_delivered_at);
	assert_null(c->update);
	assert_int_equal(open_commands(s, AGENT_A, NOW, &open), 1);
	assert_string_equal(open[0]->command->id, id_of(s, 1));
	shop_ok(s, say(s, AGENT_A, 1, VW_COMMAND_STATE_DELIVERED, NULL));
	c = get(s, 1);
	assert_int_equal(c->state, VW_COMMAND_STATE_DELIVERED);
	assert_int_equal(c->delivered_at, NOW + 500);
	shop_ok(s, say(s, AGENT_A, 1, VW_COMMAND_STATE_RUNNING, "12 of 40"));
	assert_string_equal(get(s, 1)->update->text, "12 of 40");
	shop_ok(s, say(s, AGENT_A, 1, VW_COMMAND_STATE_RUNNING, "40 of 40"));
	assert_string_equal(get(s, 1)->update->text, "40 of 40");
	shop_ok(s, say(s, AGENT_A, 1, VW_COMMAND_STATE_DELIVERED, "late")); /* delivered again to one at work */
	assert_int_equal(get(s, 1)->state, VW_COMMAND_STATE_RUNNING);
	assert_int_equal(open_commands(s, AGENT_A, NOW, &open), 1);
	shop_ok(s, say(s, AGENT_A, 1, VW_COMMAND_STATE_DONE, "done"));
	c = get(s, 1);
	assert_int_equal(c->state, VW_COMMAND_STATE_DONE);
	assert_int_equal(c->finished_at, NOW + 500);
	assert_int_equal(open_commands(s, AGENT_A, NOW, &open), 0);
	shop_ok(s, say(s, AGENT_A, 1, VW_COMMAND_STATE_FAILED, "no"));
	assert_int_equal(get(s, 1)->state, VW_COMMAND_STATE_DONE);
	assert_string_equal(get(s, 1)->update->text, "done");
}

static void words_about_what_is_not_there(void **state)
{
	struct shop *s = shop_of(state);
	vw_command_update u = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	vw_stored_command *c;
	create(s, AGENT_A, 1, VW_COMMAND_SYNC);
	shop_fails(s, say(s, AGENT_B, 1, VW_COMMAND_STATE_DONE, NULL), VW_ENOTFOUND);
	shop_fails(s, say(s, AGENT_A, 2, VW_COMMAND_STATE_DONE, NULL), VW_ENOTFOUND);
	shop_fails(s, say(s, AGENT_A, 1, VW_COMMAND_STATE_QUEUED, NULL), VW_EINVAL);
	shop_fails(s, say(s, AGENT_A, 1, (vw_command_state)99, NULL), VW_EINVAL);
	VW_SET(&u, state, VW_COMMAND_STATE_DONE);
	shop_fails(s, vw_fleet_command_update(s->store, ORG, AGENT_A, &u, &s->err), VW_ENOTFOUND);
	u.id = (char *)id_of(s, 1);
	VW_SET_BYTES(&u, result, vw_arena_alloc(s->arena, VW_MAX_COMMAND_RESULT + 1), VW_MAX_COMMAND_RESULT + 1);
	shop_fails(s, vw_fleet_command_update(s->store, ORG, AGENT_A, &u, &s->err), VW_ELIMIT);
	u.result.len--;
	shop_ok(s, vw_fleet_command_update(s->store, ORG, AGENT_A, &u, &s->err));
	assert_int_equal(get(s, 1)->update->result.len, VW_MAX_COMMAND_RESULT);
	shop_fails(s, vw_fleet_command_get(s->store, s->arena, ORG, id_of(s, 2), &c, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_command_get(s->store, s->arena, ORG, "no id", &c, &s->err), VW_ENOTFOUND);
}

static void commands_that_are_none(void **state)
{
	struct shop *s = shop_of(state);
	vw_stored_command *c = command_of(s, AGENT_A, 1, VW_COMMAND_SYNC);
	shop_ok(s, vw_fleet_command_create(s->store, c, &s->err));
	shop_fails(s, vw_fleet_command_create(s->store, c, &s->err), VW_EBUSY);
	c->agent_id = (char *)AGENT_B;
	shop_fails(s, vw_fleet_command_create(s->store, c, &s->err), VW_EBUSY);
	c->agent_id = (char *)AGENT_C;
	shop_fails(s, vw_fleet_command_create(s->store, c, &s->err), VW_ENOTFOUND);
	c = command_of(s, AGENT_A, 2, VW_COMMAND_SYNC);
	c->command->id = (char *)"x";
	shop_fails(s, vw_fleet_command_create(s->store, c, &s->err), VW_EINVAL);
	c = command_of(s, AGENT_A, 2, VW_COMMAND_SYNC);
	c->command->has_kind = 0;
	shop_fails(s, vw_fleet_command_create(s->store, c, &s->err), VW_EINVAL);
	c->command = NULL;
	shop_fails(s, vw_fleet_command_create(s->store, c, &s->err), VW_EINVAL);
}

static void oldest_first_and_expired(void **state)
{
	struct shop *s = shop_of(state);
	vw_stored_command **open;
	for (int i = 4; i >= 1; i--)
		create(s, AGENT_A, i, VW_COMMAND_PAUSE);
	create(s, AGENT_B, 5, VW_COMMAND_PAUSE);
	vw_stored_command *forever = command_of(s, AGENT_A, 6, VW_COMMAND_RESUME);
	forever->command->has_expires_at = 0;
	shop_ok(s, vw_fleet_command_create(s->store, forever, &s->err));
	assert_int_equal(open_commands(s, AGENT_A, NOW, &open), 5);
	assert_string_equal(open[0]->command->id, id_of(s, 1));
	assert_string_equal(open[4]->command->id, id_of(s, 6));
	shop_ok(s, say(s, AGENT_A, 2, VW_COMMAND_STATE_DELIVERED, NULL));
	/* what was delivered in time is the agent's to answer */
	assert_int_equal(open_commands(s, AGENT_A, NOW + 1000, &open), 2);
	assert_string_equal(open[0]->command->id, id_of(s, 2));
	assert_string_equal(open[1]->command->id, id_of(s, 6));
	assert_int_equal(get(s, 1)->state, VW_COMMAND_STATE_EXPIRED);
	assert_int_equal(get(s, 1)->finished_at, NOW + 1000);
	assert_int_equal(get(s, 5)->state, VW_COMMAND_STATE_QUEUED);
	assert_int_equal(open_commands(s, AGENT_A, NOW + 1000, &open), 2);
}

static void too_many_open(void **state)
{
	struct shop *s = shop_of(state);
	vw_stored_command **open;
	for (int i = 1; i <= VW_MAX_OPEN_COMMANDS; i++)
		create(s, AGENT_A, i, VW_COMMAND_SYNC);
	vw_stored_command *more = command_of(s, AGENT_A, 100, VW_COMMAND_SYNC);
	shop_fails(s, vw_fleet_command_create(s->store, more, &s->err), VW_ELIMIT);
	create(s, AGENT_B, 101, VW_COMMAND_SYNC);
	shop_ok(s, say(s, AGENT_A, 7, VW_COMMAND_STATE_REFUSED, NULL));
	shop_ok(s, vw_fleet_command_create(s->store, more, &s->err));
	/* those of an agent that is away for long do not stand in the way */
	more = command_of(s, AGENT_A, 102, VW_COMMAND_SYNC);
	VW_SET(more->command, issued_at, NOW + 2000);
	VW_SET(more->command, expires_at, NOW + 3000);
	shop_ok(s, vw_fleet_command_create(s->store, more, &s->err));
	assert_int_equal(open_commands(s, AGENT_A, NOW + 2000, &open), 1);
	assert_int_equal(get(s, 1)->state, VW_COMMAND_STATE_EXPIRED);
}

static const char *listed(struct shop *s, const char *agent_id, size_t limit)
{
	static char out[256];
	struct vw_page page = {.limit = limit};
	out[0] = 0;
	do {
		vw_stored_command **commands;
		size_t count;
		char *cursor;
		shop_ok(s, vw_fleet_command_list(s->store, s->arena, ORG, agent_id, &page, &commands, &count, &cursor,
						 &s->err));
		for (size_t i = 0; i < count; i++) {
			size_t len = strlen(out);
			snprintf(out + len, sizeof(out) - len, "%d ", atoi(commands[i]->command->id + 24));
		}
		page.cursor = cursor;
	} while (page.cursor);
	return out;
}

static void listed_newest_first(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_page page = {.limit = 2};
	vw_stored_command **commands;
	size_t count;
	char *cursor;
	for (int i = 1; i <= 5; i++)
		create(s, i % 2 ? AGENT_A : AGENT_B, i, VW_COMMAND_SYNC);
	shop_ok(s, say(s, AGENT_A, 3, VW_COMMAND_STATE_DONE, NULL));
	for (size_t limit = 1; limit < 7; limit++) {
		assert_string_equal(listed(s, NULL, limit), "5 4 3 2 1 ");
		assert_string_equal(listed(s, AGENT_A, limit), "5 3 1 ");
		assert_string_equal(listed(s, AGENT_B, limit), "4 2 ");
		assert_string_equal(listed(s, AGENT_C, limit), "");
	}
	shop_ok(s, vw_fleet_command_list(s->store, s->arena, ORG, NULL, &page, &commands, &count, &cursor, &s->err));
	create(s, AGENT_A, 6, VW_COMMAND_SYNC);
	page.cursor = cursor;
	shop_ok(s, vw_fleet_command_list(s->store, s->arena, ORG, NULL, &page, &commands, &count, &cursor, &s->err));
	assert_string_equal(commands[0]->command->id, id_of(s, 3));
	page.cursor = "garbage";
	shop_fails(s,
		   vw_fleet_command_list(s->store, s->arena, ORG, NULL, &page, &commands, &count, &cursor, &s->err),
		   VW_EINVAL);
}

/* ---- What is desired ---- */

static void give(struct shop *s, const char *agent_id, int number, vw_command_kind kind, const char *content)
{
	vw_stored_command *c = command_of(s, agent_id, number, kind);
	VW_SET_BYTES(c->command, content, content, strlen(content));
	shop_ok(s, vw_fleet_command_create(s->store, c, &s->err));
}

static void files(void **state)
{
	struct shop *s = shop_of(state);
	uint8_t sha256[VW_SHA256_SIZE], other[VW_SHA256_SIZE] = {0};
	vw_stored_file *file;
	give(s, AGENT_A, 1, VW_COMMAND_SET_POLICY, "rules: []\n");
	give(s, AGENT_A, 2, VW_COMMAND_SET_CONFIGURATION, "sync: 1h\n");
	give(s, AGENT_B, 3, VW_COMMAND_SET_POLICY, "rules: []\n");
	vw_agent *a = get_agent(s, ORG, AGENT_A);
	vw_sha256_of("rules: []\n", 10, sha256);
	assert_int_equal(a->desired_policy_sha256.len, 32);
	assert_memory_equal(a->desired_policy_sha256.data, sha256, 32);
	shop_ok(s, vw_fleet_file_get(s->store, s->arena, ORG, sha256, &file, &s->err));
	assert_int_equal(file->content.len, 10);
	assert_memory_equal(file->content.data, "rules: []\n", 10);
	assert_memory_equal(file->sha256.data, sha256, 32);
	vw_sha256_of("sync: 1h\n", 9, sha256);
	assert_memory_equal(a->desired_config_sha256.data, sha256, 32);
	assert_int_equal(get(s, 1)->command->content.len, 10);
	shop_fails(s, vw_fleet_file_get(s->store, s->arena, ORG, other, &file, &s->err), VW_ENOTFOUND);
	give(s, AGENT_A, 4, VW_COMMAND_SET_POLICY, "");
	a = get_agent(s, ORG, AGENT_A);
	assert_false(a->has_desired_policy_sha256);
	assert_true(a->has_desired_config_sha256);
	assert_true(get_agent(s, ORG, AGENT_B)->has_desired_policy_sha256);
	vw_stored_command *c = command_of(s, AGENT_A, 5, VW_COMMAND_SET_POLICY);
	VW_SET_BYTES(c->command, content, vw_arena_alloc(s->arena, VW_MAX_POLICY_FILE + 1), VW_MAX_POLICY_FILE + 1);
	shop_fails(s, vw_fleet_command_create(s->store, c, &s->err), VW_ELIMIT);
}

/* What failed is not desired any more, unless something else is by now. */
static void failed_files(void **state)
{
	struct shop *s = shop_of(state);
	give(s, AGENT_A, 1, VW_COMMAND_SET_POLICY, "rules: []\n");
	give(s, AGENT_A, 2, VW_COMMAND_SET_CONFIGURATION, "sync: 1h\n");
	shop_ok(s, say(s, AGENT_A, 1, VW_COMMAND_STATE_FAILED, NULL));
	assert_false(get_agent(s, ORG, AGENT_A)->has_desired_policy_sha256);
	assert_true(get_agent(s, ORG, AGENT_A)->has_desired_config_sha256);
	shop_ok(s, say(s, AGENT_A, 2, VW_COMMAND_STATE_DONE, NULL));
	assert_true(get_agent(s, ORG, AGENT_A)->has_desired_config_sha256);
	give(s, AGENT_A, 3, VW_COMMAND_SET_CONFIGURATION, "sync: 2h\n");
	give(s, AGENT_A, 4, VW_COMMAND_SET_CONFIGURATION, "sync: 3h\n");
	shop_ok(s, say(s, AGENT_A, 3, VW_COMMAND_STATE_REFUSED, NULL));
	assert_true(get_agent(s, ORG, AGENT_A)->has_desired_config_sha256);
	shop_ok(s, say(s, AGENT_A, 4, VW_COMMAND_STATE_REFUSED, NULL));
	assert_false(get_agent(s, ORG, AGENT_A)->has_desired_config_sha256);
}

/* ---- Secrets ---- */

static int put_secret(struct shop *s, const char *agent_id, const char *name, uint64_t version, const char *sealed)
{
	vw_sealed_secret inner = VERIFYWISE__V1__SEALED_SECRET__INIT;
	vw_stored_secret secret = VERIFYWISE__V1__STORED_SECRET__INIT;
	inner.name = (char *)name;
	VW_SET(&inner, version, version);
	VW_SET_BYTES(&inner, sealed, sealed, strlen(sealed));
	VW_SET(&secret, organization, ORG);
	secret.agent_id = (char *)agent_id;
	secret.secret = &inner;
	secret.created_by = (char *)"user:alice";
	VW_SET(&secret, created_at, NOW);
	return vw_fleet_secret_put(s->store, &secret, &s->err);
}

static size_t secrets(struct shop *s, const char *agent_id, vw_stored_secret ***out)
{
	size_t count;
	shop_ok(s, vw_fleet_secret_list(s->store, s->arena, ORG, agent_id, out, &count, &s->err));
	return count;
}

static void secrets_have_versions(void **state)
{
	struct shop *s = shop_of(state);
	vw_stored_secret **list;
	shop_fails(s, put_secret(s, AGENT_A, "mlflow.token", 2, "x"), VW_EBUSY);
	shop_ok(s, put_secret(s, AGENT_A, "mlflow.token", 1, "first"));
	shop_fails(s, put_secret(s, AGENT_A, "mlflow.token", 1, "x"), VW_EBUSY);
	shop_fails(s, put_secret(s, AGENT_A, "mlflow.token", 3, "x"), VW_EBUSY);
	shop_ok(s, put_secret(s, AGENT_A, "mlflow.token", 2, "second"));
	shop_ok(s, put_secret(s, AGENT_A, "mlflow.password", 1, "p"));
	shop_ok(s, put_secret(s, AGENT_B, "mlflow.token", 1, "of b"));
	assert_int_equal(secrets(s, AGENT_A, &list), 2);
	assert_string_equal(list[0]->secret->name, "mlflow.password");
	assert_string_equal(list[1]->secret->name, "mlflow.token");
	assert_int_equal(list[1]->secret->version, 2);
	assert_int_equal(list[1]->secret->sealed.len, 6);
	assert_memory_equal(list[1]->secret->sealed.data, "second", 6);
	assert_string_equal(list[1]->created_by, "user:alice");
	shop_ok(s, vw_fleet_secret_delete(s->store, ORG, AGENT_A, "mlflow.token", &s->err));
	shop_fails(s, vw_fleet_secret_delete(s->store, ORG, AGENT_A, "mlflow.token", &s->err), VW_ENOTFOUND);
	assert_int_equal(secrets(s, AGENT_A, &list), 1);
	assert_int_equal(secrets(s, AGENT_B, &list), 1);
	shop_ok(s, put_secret(s, AGENT_A, "mlflow.token", 1, "anew"));
}

static void secrets_that_are_none(void **state)
{
	struct shop *s = shop_of(state);
	char *large = vw_arena_alloc(s->arena, VW_MAX_SEALED + 2);
	memset(large, 'x', VW_MAX_SEALED + 1);
	shop_fails(s, put_secret(s, AGENT_C, "n", 1, "x"), VW_ENOTFOUND);
	shop_fails(s, put_secret(s, AGENT_A, "", 1, "x"), VW_EINVAL);
	shop_fails(s, put_secret(s, AGENT_A, "\xff", 1, "x"), VW_EINVAL);
	shop_fails(s, put_secret(s, AGENT_A, "n", 1, ""), VW_EINVAL);
	shop_fails(s, put_secret(s, AGENT_A, "n", 1, large), VW_ELIMIT);
	large[300] = 0;
	shop_fails(s, put_secret(s, AGENT_A, large, 1, "x"), VW_EINVAL);
	for (int i = 0; i < VW_MAX_SECRETS; i++)
		shop_ok(s, put_secret(s, AGENT_A, vw_arena_printf(s->arena, "s%d", i), 1, "x"));
	shop_fails(s, put_secret(s, AGENT_A, "more", 1, "x"), VW_ELIMIT);
	shop_ok(s, put_secret(s, AGENT_A, "s0", 2, "x"));
}

/* Whatever a command brings of secrets is in their own table already. */
static void no_secret_is_stored_twice(void **state)
{
	struct shop *s = shop_of(state);
	vw_stored_command *c = command_of(s, AGENT_A, 1, VW_COMMAND_SET_SECRETS);
	vw_sealed_secret *sealed = vw_message_new(s->arena, &verifywise__v1__sealed_secret__descriptor);
	sealed->name = (char *)"mlflow.token";
	c->command->secrets = &sealed;
	c->command->n_secrets = 1;
	shop_ok(s, vw_fleet_command_create(s->store, c, &s->err));
	assert_int_equal(get(s, 1)->command->n_secrets, 0);
	assert_int_equal(get(s, 1)->command->kind, VW_COMMAND_SET_SECRETS);
	assert_int_equal(c->command->n_secrets, 1); /* borrowed, not changed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(a_life),
	    suite_test_agents(words_about_what_is_not_there),
	    suite_test_agents(commands_that_are_none),
	    suite_test_agents(oldest_first_and_expired),
	    suite_test_agents(too_many_open),
	    suite_test_agents(listed_newest_first),
	    suite_test_agents(files),
	    suite_test_agents(failed_files),
	    suite_test_agents(secrets_have_versions),
	    suite_test_agents(secrets_that_are_none),
	    suite_test_agents(no_secret_is_stored_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
