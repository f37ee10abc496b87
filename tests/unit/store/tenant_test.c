/* Tenants are kept apart (S4.5): each function, asked by one organization for what is another's, finds nothing and changes nothing. */
#include "suite.h"

#define COMMAND "dddddddd-dddd-4ddd-8ddd-000000000001"

/* Everything there is, OTHER's. */
struct things {
	struct ledger ledger;
	uint8_t file[32];
};

static vw_stored_command *command_of(struct shop *s, int32_t organization, const char *agent_id, const char *id)
{
	vw_stored_command *c = vw_message_new(s->arena, &verifywise__v1__stored_command__descriptor);
	c->command = vw_message_new(s->arena, &verifywise__v1__command__descriptor);
	VW_SET(c, organization, organization);
	c->agent_id = (char *)agent_id;
	c->command->id = (char *)id;
	VW_SET(c->command, kind, VW_COMMAND_SET_POLICY);
	VW_SET(c->command, issued_at, NOW);
	VW_SET_BYTES(c->command, content, "policy", 6);
	return c;
}

static vw_stored_secret *secret_of(struct shop *s, int32_t organization, const char *agent_id, uint64_t version)
{
	vw_stored_secret *secret = vw_message_new(s->arena, &verifywise__v1__stored_secret__descriptor);
	secret->secret = vw_message_new(s->arena, &verifywise__v1__sealed_secret__descriptor);
	VW_SET(secret, organization, organization);
	secret->agent_id = (char *)agent_id;
	secret->secret->name = (char *)"mlflow.token";
	VW_SET(secret->secret, version, version);
	VW_SET_BYTES(secret->secret, sealed, "sealed", 6);
	return secret;
}

static void fill(struct shop *s, struct things *t)
{
	struct seen seen = {
	    .model = "m", .version = "1", .owner = "o", .at = NOW, .gap = "owner:high", .event = "Staging"};
	vw_agent_presence presence = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
	vw_controller_event event = VERIFYWISE__V1__CONTROLLER_EVENT__INIT;
	struct ledger forked;
	ledger_begin(&t->ledger, s->arena, AGENT_C);
	forked = t->ledger;
	ingest_one(s, OTHER, AGENT_C, &t->ledger, &seen);
	shop_ok(s, vw_fleet_command_create(s->store, command_of(s, OTHER, AGENT_C, COMMAND), &s->err));
	shop_ok(s, vw_fleet_secret_put(s->store, secret_of(s, OTHER, AGENT_C, 1), &s->err));
	VW_SET(&presence, organization, OTHER);
	presence.agent_id = (char *)AGENT_C;
	VW_SET(&presence, connected, true);
	shop_ok(s, vw_fleet_presence_put(s->store, &presence, &s->err));
	VW_SET(&event, organization, OTHER);
	event.action = (char *)"secret_put";
	shop_ok(s, vw_fleet_event_put(s->store, &event, &s->err));
	memcpy(t->file, get_agent(s, OTHER, AGENT_C)->desired_policy_sha256.data, 32);
	vw_entry_batch *batch = batch_of(s->arena, 1, 1, ledger_audit(&forked, "x"));
	assert_int_equal(ingest(s, OTHER, AGENT_C, batch).outcome, VW_INGEST_FORK);
	shop_ok(s,
		vw_fleet_agent_set_status(s->store, OTHER, AGENT_C, VW_AGENT_ACTIVE, NULL, "user:a", NOW, &s->err));
}

/* OTHER's agent as it is now, to be compared. */
static struct vw_bytes packed_agent(struct shop *s)
{
	struct vw_bytes out;
	out.data = vw_message_pack(s->arena, &get_agent(s, OTHER, AGENT_C)->base, &out.len);
	return out;
}

static void reading(void **state)
{
	struct shop *s = shop_of(state);
	struct things t;
	struct vw_page page = {.limit = 100};
	struct vw_version_key key = {AGENT_C, NULL, "m", "1"};
	struct vw_version_query vq = {.with_removed = true}, of_agent = {.agent_id = AGENT_C};
	struct vw_gap_query gq = {0}, gaps_of_agent = {.agent_id = AGENT_C};
	struct vw_event_query eq = {0}, events_of_agent = {.agent_id = AGENT_C};
	struct vw_agent_query aq = {.limit = 100};
	vw_agent *agent, **agents;
	vw_agent_presence *presence, **presences;
	vw_version_row *row, **rows;
	vw_gap_row **gaps;
	vw_event_row **events;
	vw_chained_entry **entries;
	vw_quarantined_entry **kept;
	vw_stored_command *command, **commands;
	vw_stored_secret **secrets;
	vw_stored_file *file;
	vw_controller_event **log;
	uint64_t *sequences;
	size_t count;
	char *cursor;
	fill(s, &t);
	shop_fails(s, vw_fleet_agent_get(s->store, s->arena, ORG, AGENT_C, &agent, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_agent_list(s->store, s->arena, ORG, &aq, &agents, &presences, &count, &s->err));
	assert_int_equal(count, 2);
	shop_fails(s, vw_fleet_presence_get(s->store, s->arena, ORG, AGENT_C, &presence, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_version_get(s->store, s->arena, ORG, &key, &row, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_version_list(s->store, s->arena, ORG, &vq, &page, &rows, &count, &cursor, &s->err));
	assert_int_equal(count, 0);
	for (int order = VW_BY_NAME; order <= VW_BY_SEVERITY; order++) {
		of_agent.order = (enum vw_version_order)order;
		shop_ok(s, vw_fleet_version_list(s->store, s->arena, ORG, &of_agent, &page, &rows, &count, &cursor,
						 &s->err));
		assert_int_equal(count, 0);
	}
	shop_ok(s,
		vw_fleet_version_history(s->store, s->arena, ORG, &key, &page, &sequences, &count, &cursor, &s->err));
	assert_int_equal(count, 0);
	shop_ok(s, vw_fleet_gap_list(s->store, s->arena, ORG, &gq, &page, &gaps, &count, &cursor, &s->err));
	assert_int_equal(count, 0);
	shop_ok(s,
		vw_fleet_gap_list(s->store, s->arena, ORG, &gaps_of_agent, &page, &gaps, &count, &cursor, &s->err));
	assert_int_equal(count, 0);
	shop_ok(s, vw_fleet_event_list(s->store, s->arena, ORG, &eq, &page, &events, &count, &cursor, &s->err));
	assert_int_equal(count, 0);
	shop_ok(s, vw_fleet_event_list(s->store, s->arena, ORG, &events_of_agent, &page, &events, &count, &cursor,
				       &s->err));
	assert_int_equal(count, 0);
	shop_ok(s, vw_fleet_ledger_read(s->store, s->arena, ORG, AGENT_C, 1, 100, &entries, &count, &s->err));
	assert_int_equal(count, 0);
	shop_ok(s, vw_fleet_quarantine_list(s->store, s->arena, ORG, AGENT_C, &kept, &count, &s->err));
	assert_int_equal(count, 0);
	shop_fails(s, vw_fleet_command_get(s->store, s->arena, ORG, COMMAND, &command, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_command_list(s->store, s->arena, ORG, NULL, &page, &commands, &count, &cursor, &s->err));
	assert_int_equal(count, 0);
	shop_ok(s,
		vw_fleet_command_list(s->store, s->arena, ORG, AGENT_C, &page, &commands, &count, &cursor, &s->err));
	assert_int_equal(count, 0);
	shop_ok(s, vw_fleet_command_open(s->store, s->arena, ORG, AGENT_C, NOW, &commands, &count, &s->err));
	assert_int_equal(count, 0);
	shop_fails(s, vw_fleet_file_get(s->store, s->arena, ORG, t.file, &file, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_secret_list(s->store, s->arena, ORG, AGENT_C, &secrets, &count, &s->err));
	assert_int_equal(count, 0);
	shop_ok(s, vw_fleet_event_log(s->store, s->arena, ORG, &page, &log, &count, &cursor, &s->err));
	assert_int_equal(count, 0);
}

static void counting(void **state)
{
	struct shop *s = shop_of(state);
	struct things t;
	struct vw_fleet_counts c;
	fill(s, &t);
	shop_ok(s, vw_fleet_count(s->store, ORG, &c, &s->err));
	assert_int_equal(c.organizations, 1);
	assert_int_equal(c.agents, 2);
	assert_int_equal(c.agents_connected, 0);
	assert_int_equal(c.versions, 0);
	assert_int_equal(c.entries, 0);
	shop_ok(s, vw_fleet_count(s->store, OTHER, &c, &s->err));
	assert_int_equal(c.agents_connected, 1);
	assert_int_equal(c.versions_with_gaps, 1);
}

static void writing(void **state)
{
	struct shop *s = shop_of(state);
	struct things t;
	vw_agent_presence presence = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
	vw_command_update update = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	vw_stored_command **open;
	vw_stored_secret **secrets;
	size_t count;
	fill(s, &t);
	struct vw_bytes before = packed_agent(s);
	vw_entry_batch *batch = batch_of(s->arena, 2, 1, ledger_audit(&t.ledger, "x"));
	struct vw_ingest_batch b = {.organization = ORG, .agent_id = AGENT_C, .batch = batch, .now = NOW};
	struct vw_ingest_result result;
	shop_fails(s,
		   vw_fleet_agent_set_status(s->store, ORG, AGENT_C, VW_AGENT_REVOKED, "x", "user:a", NOW, &s->err),
		   VW_ENOTFOUND);
	shop_fails(s, vw_fleet_agent_set_pending_serial(s->store, ORG, AGENT_C, "zz", NOW, &s->err), VW_ENOTFOUND);
	assert_int_equal(joined(s, ORG, AGENT_C, "aa", hello_of(s, &t.ledger, 0)), VW_REJECTION_UNKNOWN_AGENT);
	shop_fails(s, vw_fleet_ingest(s->store, s->arena, &b, &result, &s->err), VW_ENOTFOUND);
	VW_SET(&presence, organization, ORG);
	presence.agent_id = (char *)AGENT_C;
	shop_fails(s, vw_fleet_presence_put(s->store, &presence, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_command_create(s->store, command_of(s, ORG, AGENT_C, COMMAND), &s->err), VW_ENOTFOUND);
	update.id = (char *)COMMAND;
	VW_SET(&update, state, VW_COMMAND_STATE_DONE);
	shop_fails(s, vw_fleet_command_update(s->store, ORG, AGENT_C, &update, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_secret_put(s->store, secret_of(s, ORG, AGENT_C, 2), &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_secret_delete(s->store, ORG, AGENT_C, "mlflow.token", &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_token_revoke(s->store, ORG, "0000000000000002", NOW, &s->err), VW_ENOTFOUND);
	struct vw_bytes after = packed_agent(s);
	assert_int_equal(after.len, before.len);
	assert_memory_equal(after.data, before.data, before.len);
	shop_ok(s, vw_fleet_command_open(s->store, s->arena, OTHER, AGENT_C, NOW, &open, &count, &s->err));
	assert_int_equal(count, 1);
	assert_int_equal(open[0]->state, VW_COMMAND_STATE_QUEUED);
	shop_ok(s, vw_fleet_secret_list(s->store, s->arena, OTHER, AGENT_C, &secrets, &count, &s->err));
	assert_int_equal(secrets[0]->secret->version, 1);
}

/* The same id in two organizations is two things. */
static void one_id_in_two_organizations(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger ours, theirs;
	struct seen seen = {.model = "m", .version = "1", .owner = "ours", .at = NOW},
		    other = {.model = "m", .version = "1", .owner = "theirs", .at = NOW};
	struct vw_version_key key = {AGENT_A, NULL, "m", "1"};
	vw_version_row *row;
	vw_stored_command *command;
	ledger_begin(&ours, s->arena, AGENT_A);
	ledger_begin(&theirs, s->arena, AGENT_A);
	ingest_one(s, ORG, AGENT_A, &ours, &seen);
	ingest_one(s, OTHER, AGENT_A, &theirs, &other);
	shop_ok(s, vw_fleet_version_get(s->store, s->arena, ORG, &key, &row, &s->err));
	assert_string_equal(row->owner, "ours");
	shop_ok(s, vw_fleet_version_get(s->store, s->arena, OTHER, &key, &row, &s->err));
	assert_string_equal(row->owner, "theirs");
	shop_ok(s, vw_fleet_command_create(s->store, command_of(s, ORG, AGENT_A, COMMAND), &s->err));
	shop_ok(s, vw_fleet_command_create(s->store, command_of(s, OTHER, AGENT_A, COMMAND), &s->err));
	shop_ok(s, vw_fleet_command_get(s->store, s->arena, OTHER, COMMAND, &command, &s->err));
	assert_int_equal(command->organization, OTHER);
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_REVOKED, "x", "user:a", NOW, &s->err));
	assert_int_equal(get_agent(s, OTHER, AGENT_A)->status, VW_AGENT_ACTIVE);
}

/* A cursor says where a page ended, nothing of whose it was. */
static void a_cursor_of_another(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	struct vw_version_query q = {0};
	struct vw_page page = {.limit = 1};
	vw_version_row **rows;
	size_t count;
	char *cursor;
	ledger_begin(&l, s->arena, AGENT_C);
	ingest_versions(s, OTHER, AGENT_C, &l, "m", 1, 3);
	shop_ok(s, vw_fleet_version_list(s->store, s->arena, OTHER, &q, &page, &rows, &count, &cursor, &s->err));
	page.cursor = cursor;
	shop_fails(s, vw_fleet_version_list(s->store, s->arena, ORG, &q, &page, &rows, &count, &cursor, &s->err),
		   VW_EINVAL);
}

/* Organizations that are none have nothing, and 0 is none either where one tenant's things are asked for. */
static void no_organization(void **state)
{
	struct shop *s = shop_of(state);
	static const int32_t none[] = {0, -1, 99, INT32_MAX, INT32_MIN};
	struct things t;
	struct vw_page page = {.limit = 100};
	struct vw_version_query q = {0};
	struct vw_agent_query aq = {.limit = 100};
	vw_version_row **rows;
	vw_agent **agents;
	vw_agent_presence **presences;
	vw_enrollment_token **tokens;
	size_t count;
	char *cursor;
	fill(s, &t);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		shop_ok(s, vw_fleet_version_list(s->store, s->arena, none[i], &q, &page, &rows, &count, &cursor,
						 &s->err));
		assert_int_equal(count, 0);
		shop_ok(s,
			vw_fleet_agent_list(s->store, s->arena, none[i], &aq, &agents, &presences, &count, &s->err));
		assert_int_equal(count, 0);
		shop_ok(s, vw_fleet_token_list(s->store, s->arena, none[i], &tokens, &count, &s->err));
		assert_int_equal(count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(reading),
	    suite_test_agents(counting),
	    suite_test_agents(writing),
	    suite_test_agents(one_id_in_two_organizations),
	    suite_test_agents(a_cursor_of_another),
	    suite_test_agents(no_organization),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
