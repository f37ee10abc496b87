/* Values that are not what this program writes are an error that says so, in each table and for each that reads it; never a crash, never a wrong answer. */
#include "embedded.h"
#include "suite.h"

#include "version.h"

#define COMMAND "dddddddd-dddd-4ddd-8ddd-000000000001"

struct put {
	enum vw_lmdb_table table;
	struct vw_lmdb_key key;
	struct vw_bytes value;
};

static int put_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct put *p = arg;
	return vw_lmdb_put_bytes(tx, p->table, &p->key, p->value, err);
}

static void spoil(struct shop *s, enum vw_lmdb_table table, const struct vw_lmdb_key *key, const char *bytes,
		  size_t len)
{
	struct put p = {table, *key, {bytes, len}};
	shop_ok(s, vw_lmdb_write(vw_lmdb_of(s->store), put_step, &p, &s->err));
}

#define GARBAGE "\xff\xff\xff", 3

static void fill(struct shop *s, struct ledger *l)
{
	vw_command inner = VERIFYWISE__V1__COMMAND__INIT;
	vw_stored_command command = VERIFYWISE__V1__STORED_COMMAND__INIT;
	struct seen seen = {.model = "m", .version = "1", .at = NOW, .gap = "owner:high", .event = "Staging"};
	ledger_begin(l, s->arena, AGENT_A);
	ingest_one(s, ORG, AGENT_A, l, &seen);
	inner.id = (char *)COMMAND;
	VW_SET(&inner, kind, VW_COMMAND_SYNC);
	VW_SET(&inner, issued_at, NOW);
	VW_SET(&command, organization, ORG);
	command.agent_id = (char *)AGENT_A;
	command.command = &inner;
	shop_ok(s, vw_fleet_command_create(s->store, &command, &s->err));
}

static struct vw_lmdb_key version_key(void)
{
	const struct vw_version_key v = {AGENT_A, NULL, "m", "1"};
	struct vw_lmdb_key key;
	assert_true(vw_lmdb_key_version(ORG, &v, &key));
	return key;
}

static void an_agent(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	struct vw_lmdb_key key;
	struct vw_agent_query q = {.limit = 10};
	struct vw_join join = {.serial = "aa", .hello = hello_of(s, NULL, 0), .now = NOW};
	struct vw_ingest_result result;
	vw_agent *agent, **agents;
	vw_agent_presence **presences;
	size_t count;
	int rejection;
	fill(s, &l);
	struct vw_ingest_batch b = {.organization = ORG,
				    .agent_id = AGENT_A,
				    .batch = batch_of(s->arena, 2, 1, ledger_audit(&l, "x")),
				    .now = NOW};
	assert_true(vw_lmdb_key_agent(ORG, AGENT_A, &key));
	spoil(s, VW_LMDB_AGENTS, &key, GARBAGE);
	shop_fails(s, vw_fleet_agent_get(s->store, s->arena, ORG, AGENT_A, &agent, &s->err), VW_ECORRUPT);
	shop_fails(s, vw_fleet_agent_list(s->store, s->arena, ORG, &q, &agents, &presences, &count, &s->err),
		   VW_ECORRUPT);
	shop_fails(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_REVOKED, "x", "y", NOW, &s->err),
		   VW_ECORRUPT);
	shop_fails(s, vw_fleet_agent_join(s->store, s->arena, ORG, AGENT_A, &join, &agent, &rejection, &s->err),
		   VW_ECORRUPT);
	shop_fails(s, vw_fleet_ingest(s->store, s->arena, &b, &result, &s->err), VW_ECORRUPT);
	shop_fails(
	    s, vw_fleet_agent_enroll(s->store, "0000000000000001", NOW, new_agent(s, ORG, AGENT_A, "bb", 7), &s->err),
	    VW_ECORRUPT);
	get_agent(s, ORG, AGENT_B); /* the others are as they were */
}

static void a_version(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	struct vw_lmdb_key key = version_key();
	struct vw_version_key v = {AGENT_A, NULL, "m", "1"};
	struct vw_version_query q = {.text = "m"}, newest = {.order = VW_BY_RECORDED};
	struct vw_gap_query gq = {0};
	struct vw_page page = {.limit = 10};
	struct seen seen = {.model = "m", .version = "1", .at = NOW};
	vw_version_row *row, **rows;
	vw_gap_row **gaps;
	size_t count;
	char *cursor, packed[64] = {1};
	fill(s, &l);
	static const struct {
		size_t len;
	} cases[] = {{3}, {40}};
	memset(packed + 29, 0xff, sizeof(packed) - 29); /* a header that is sound, a row that is none */
	packed[6] = 1;
	for (size_t i = 0; i < 2; i++) {
		spoil(s, VW_LMDB_VERSIONS, &key, i == 0 ? "\xff\xff\xff" : packed, cases[i].len);
		shop_fails(s, vw_fleet_version_get(s->store, s->arena, ORG, &v, &row, &s->err), VW_ECORRUPT);
		shop_fails(s,
			   vw_fleet_version_list(s->store, s->arena, ORG, &q, &page, &rows, &count, &cursor, &s->err),
			   VW_ECORRUPT);
		shop_fails(
		    s,
		    vw_fleet_version_list(s->store, s->arena, ORG, &newest, &page, &rows, &count, &cursor, &s->err),
		    VW_ECORRUPT);
		shop_fails(s, vw_fleet_gap_list(s->store, s->arena, ORG, &gq, &page, &gaps, &count, &cursor, &s->err),
			   VW_ECORRUPT);
	}
	spoil(s, VW_LMDB_VERSIONS, &key, GARBAGE);
	struct vw_ingest_batch b = {.organization = ORG,
				    .agent_id = AGENT_A,
				    .batch = batch_of(s->arena, 2, 1, ledger_version(&l, &seen)),
				    .now = NOW};
	struct vw_ingest_result result;
	shop_fails(s, vw_fleet_ingest(s->store, s->arena, &b, &result, &s->err), VW_ECORRUPT);
	assert_int_equal(get_agent(s, ORG, AGENT_A)->sequence, 1); /* nothing of it was stored */
}

static void an_entry(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	struct vw_lmdb_key key;
	struct vw_gap_query gq = {0};
	struct vw_page page = {.limit = 10};
	struct vw_ingest_result result;
	vw_chained_entry **entries;
	vw_gap_row **gaps;
	size_t count;
	char *cursor;
	fill(s, &l);
	shop_ok(s, vw_fleet_ledger_read(s->store, s->arena, ORG, AGENT_A, 1, 1, &entries, &count, &s->err));
	struct vw_ingest_batch again = {
	    .organization = ORG, .agent_id = AGENT_A, .batch = batch_of(s->arena, 1, 1, entries[0]), .now = NOW};
	assert_true(vw_lmdb_key_entry(ORG, AGENT_A, 1, &key));
	spoil(s, VW_LMDB_LEDGER, &key, GARBAGE);
	shop_fails(s, vw_fleet_ledger_read(s->store, s->arena, ORG, AGENT_A, 1, 1, &entries, &count, &s->err),
		   VW_ECORRUPT);
	shop_fails(s, vw_fleet_gap_list(s->store, s->arena, ORG, &gq, &page, &gaps, &count, &cursor, &s->err),
		   VW_ECORRUPT);
	shop_fails(s, vw_fleet_ingest(s->store, s->arena, &again, &result, &s->err), VW_ECORRUPT);
	vw_hello *hello = hello_of(s, &l, 0);
	struct vw_join join = {.serial = "aa", .hello = hello, .now = NOW};
	vw_agent *agent;
	int rejection;
	VW_SET(hello, acknowledged_sequence, 1);
	shop_fails(s, vw_fleet_agent_join(s->store, s->arena, ORG, AGENT_A, &join, &agent, &rejection, &s->err),
		   VW_ECORRUPT);
	/* an entry that the head says is there, and is not */
	assert_true(vw_lmdb_key_entry(ORG, AGENT_B, 1, &key));
	spoil(s, VW_LMDB_LEDGER, &key, GARBAGE);
	struct ledger other;
	ledger_begin(&other, s->arena, AGENT_B);
	struct vw_ingest_batch taken = {.organization = ORG,
					.agent_id = AGENT_B,
					.batch = batch_of(s->arena, 1, 1, ledger_audit(&other, "x")),
					.now = NOW};
	shop_fails(s, vw_fleet_ingest(s->store, s->arena, &taken, &result, &s->err), VW_ECORRUPT);
	assert_int_equal(get_agent(s, ORG, AGENT_B)->sequence, 0);
}

static void the_rest(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	struct vw_lmdb_key key;
	struct vw_page page = {.limit = 10};
	struct vw_event_query eq = {0};
	struct vw_fleet_counts counts;
	vw_organization *organization, **organizations;
	vw_enrollment_token *token, **tokens;
	vw_stored_command *command, **commands;
	vw_event_row **events;
	vw_controller_event **log;
	size_t count;
	char *cursor;
	fill(s, &l);
	vw_lmdb_key_counters(ORG, &key);
	spoil(s, VW_LMDB_META, &key, GARBAGE);
	shop_fails(s, vw_fleet_count(s->store, ORG, &counts, &s->err), VW_ECORRUPT);
	shop_fails(s, vw_fleet_count(s->store, 0, &counts, &s->err), VW_ECORRUPT);
	vw_lmdb_key_organization(OTHER, &key);
	spoil(s, VW_LMDB_ORGANIZATIONS, &key, GARBAGE);
	shop_fails(s, vw_fleet_organization_get(s->store, s->arena, OTHER, &organization, &s->err), VW_ECORRUPT);
	shop_fails(s, vw_fleet_organization_list(s->store, s->arena, 0, 10, &organizations, &count, &s->err),
		   VW_ECORRUPT);
	assert_true(vw_lmdb_key_bearer(VW_LMDB_TOKEN, ORG, "0000000000000001", &key));
	spoil(s, VW_LMDB_BEARERS, &key, GARBAGE);
	shop_fails(s, vw_fleet_token_get(s->store, s->arena, "0000000000000001", &token, &s->err), VW_ECORRUPT);
	shop_fails(s, vw_fleet_token_list(s->store, s->arena, ORG, &tokens, &count, &s->err), VW_ECORRUPT);
	assert_true(vw_lmdb_key_command(ORG, COMMAND, &key));
	spoil(s, VW_LMDB_COMMANDS, &key, "", 0); /* a message, but no command */
	shop_fails(s, vw_fleet_command_get(s->store, s->arena, ORG, COMMAND, &command, &s->err), VW_ECORRUPT);
	shop_fails(s,
		   vw_fleet_command_list(s->store, s->arena, ORG, NULL, &page, &commands, &count, &cursor, &s->err),
		   VW_ECORRUPT);
	shop_fails(s, vw_fleet_command_open(s->store, s->arena, ORG, AGENT_A, NOW, &commands, &count, &s->err),
		   VW_ECORRUPT);
	vw_lmdb_key_event_time(ORG, NOW + 1, &key);
	spoil(s, VW_LMDB_EVENTS, &key, GARBAGE);
	shop_fails(s, vw_fleet_event_list(s->store, s->arena, ORG, &eq, &page, &events, &count, &cursor, &s->err),
		   VW_ECORRUPT);
	vw_lmdb_key_trail(1, &key);
	spoil(s, VW_LMDB_TRAIL, &key, GARBAGE);
	shop_fails(s, vw_fleet_event_log(s->store, s->arena, 0, &page, &log, &count, &cursor, &s->err), VW_ECORRUPT);
}

/* A presence is no more than a guess: a bad one is said when the store is opened. */
static void a_presence(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_fleet_store_settings settings = place_settings(s->place);
	struct vw_lmdb_key key;
	assert_true(vw_lmdb_key_agent(ORG, AGENT_A, &key));
	spoil(s, VW_LMDB_PRESENCE, &key, GARBAGE);
	vw_fleet_store_close(s->store);
	s->store = NULL;
	shop_fails(s, vw_fleet_store_open(&settings, &s->store, &s->err), VW_ECORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(an_agent), suite_test_agents(a_version),  suite_test_agents(an_entry),
	    suite_test_agents(the_rest), suite_test_agents(a_presence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
