/* What agents send is stored once, in order, as they sent it, or not at all. */
#include "suite.h"

/* An agent's ledger as the tests begin it: entries before enrolment, then ORG's. */
static struct ledger begun(struct shop *s, const char *agent_id)
{
	struct ledger l;
	ledger_begin(&l, s->arena, agent_id);
	return l;
}

static void assert_head(struct shop *s, const struct ledger *l, const char *agent_id)
{
	vw_agent *agent = get_agent(s, ORG, agent_id);
	assert_int_equal(agent->sequence, l->chain.head.sequence);
	assert_int_equal(agent->chain_sha256.len, VW_LEDGER_HASH);
	assert_memory_equal(agent->chain_sha256.data, l->chain.head.hash, VW_LEDGER_HASH);
	assert_string_equal(agent->chain_organization, l->chain.organization);
	assert_string_equal(agent->chain_agent_id, l->chain.agent_id);
	assert_int_equal(agent->epoch, l->chain.epoch);
	assert_int_equal(agent->stored_at, NOW);
}

static vw_chained_entry **read_ledger(struct shop *s, const char *agent_id, uint64_t from, size_t limit,
				      size_t *out_count)
{
	vw_chained_entry **entries;
	shop_ok(s,
		vw_fleet_ledger_read(s->store, s->arena, ORG, agent_id, from, limit, &entries, out_count, &s->err));
	return entries;
}

static struct vw_fleet_counts counts(struct shop *s, int32_t organization)
{
	struct vw_fleet_counts c;
	shop_ok(s, vw_fleet_count(s->store, organization, &c, &s->err));
	return c;
}

static vw_version_row *get_version(struct shop *s, const char *agent_id, const char *model, const char *version)
{
	struct vw_version_key key = {.agent_id = agent_id, .workspace = "", .model = model, .version = version};
	vw_version_row *row;
	shop_ok(s, vw_fleet_version_get(s->store, s->arena, ORG, &key, &row, &s->err));
	return row;
}

static void in_order(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	struct seen seen = {.model = "m", .version = "1", .owner = "alice", .at = NOW, .gap = "owner:high"};
	size_t count;
	vw_chained_entry *one = ledger_audit(&l, "begun"), *two = ledger_version(&l, &seen);
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 2, one, two));
	assert_int_equal(r.outcome, VW_INGEST_STORED);
	assert_int_equal(r.stored, 2);
	assert_int_equal(r.duplicates, 0);
	assert_int_equal(r.chain.head.sequence, 2);
	assert_memory_equal(r.chain.head.hash, l.chain.head.hash, VW_LEDGER_HASH);
	assert_head(s, &l, AGENT_A);
	vw_chained_entry **entries = read_ledger(s, AGENT_A, 1, 10, &count);
	assert_int_equal(count, 2);
	assert_int_equal(entries[1]->payload.len, two->payload.len);
	assert_memory_equal(entries[1]->payload.data, two->payload.data, two->payload.len);
	assert_memory_equal(entries[1]->chain_sha256.data, two->chain_sha256.data, VW_LEDGER_HASH);
	vw_version_row *row = get_version(s, AGENT_A, "m", "1");
	assert_string_equal(row->owner, "alice");
	assert_int_equal(row->sequence, 2);
	assert_int_equal(row->organization, ORG);
	assert_int_equal(row->n_gaps, 5);
	assert_int_equal(row->gaps[VW_SEVERITY_HIGH - 1], 1);
	struct vw_fleet_counts c = counts(s, ORG);
	assert_int_equal(c.entries, 2);
	assert_int_equal(c.versions, 1);
	assert_int_equal(c.versions_with_gaps, 1);
	assert_int_equal(c.gaps[VW_SEVERITY_HIGH - 1], 1);
	assert_int_equal(counts(s, OTHER).entries, 0);
}

static void an_empty_batch(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 0));
	assert_int_equal(r.outcome, VW_INGEST_STORED);
	assert_int_equal(r.stored, 0);
	assert_int_equal(r.chain.head.sequence, 0);
}

static void duplicates(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	vw_chained_entry *one = ledger_audit(&l, "a"), *two = ledger_audit(&l, "b");
	ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 2, one, two));
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 2, one, two));
	assert_int_equal(r.outcome, VW_INGEST_STORED);
	assert_int_equal(r.stored, 0);
	assert_int_equal(r.duplicates, 2);
	assert_int_equal(r.chain.head.sequence, 2);
	r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 2, 2, two, ledger_audit(&l, "c")));
	assert_int_equal(r.stored, 1);
	assert_int_equal(r.duplicates, 1);
	assert_head(s, &l, AGENT_A);
	assert_int_equal(counts(s, ORG).entries, 3);
}

static void a_gap(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	ledger_audit(&l, "a");
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 2, 1, ledger_audit(&l, "b")));
	assert_int_equal(r.outcome, VW_INGEST_GAP);
	assert_int_equal(r.chain.head.sequence, 0);
	assert_int_equal(counts(s, ORG).entries, 0);
	assert_int_equal(get_agent(s, ORG, AGENT_A)->sequence, 0);
}

static void a_fork(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A), other;
	vw_quarantined_entry **kept;
	size_t count;
	vw_chained_entry *one = ledger_audit(&l, "a");
	other = l;
	ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 2, one, ledger_audit(&l, "b")));
	vw_chained_entry *forked = ledger_audit(&other, "another b"), *more = ledger_audit(&other, "c");
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 3, one, forked, more));
	assert_int_equal(r.outcome, VW_INGEST_FORK);
	assert_int_equal(r.stored, 0);
	assert_int_equal(r.chain.head.sequence, 2);
	assert_true(strlen(r.reason) > 0);
	assert_int_equal(get_agent(s, ORG, AGENT_A)->status, VW_AGENT_QUARANTINED);
	assert_int_equal(strncmp(get_agent(s, ORG, AGENT_A)->status_reason, "forked", 6), 0);
	assert_head(s, &l, AGENT_A); /* never overwritten */
	shop_ok(s, vw_fleet_quarantine_list(s->store, s->arena, ORG, AGENT_A, &kept, &count, &s->err));
	assert_int_equal(count, 1);
	assert_int_equal(kept[0]->sequence, 2);
	assert_string_equal(kept[0]->session_id, "session");
	assert_int_equal(kept[0]->received_at, NOW);
	assert_int_equal(kept[0]->payload.len, forked->payload.len);
	assert_memory_equal(kept[0]->payload.data, forked->payload.data, forked->payload.len);
	assert_memory_equal(kept[0]->chain_sha256.data, forked->chain_sha256.data, VW_LEDGER_HASH);
	assert_non_null(strstr(trail_text(s, ORG, "fork_seen"), "entry 2"));
	/* until an operator has looked at it, nothing more is taken */
	r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 3, 1, ledger_audit(&l, "c")));
	assert_int_equal(r.outcome, VW_INGEST_REFUSED);
	assert_int_equal(r.chain.head.sequence, 2);
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_ACTIVE, NULL, "user:a", NOW, &s->err));
	vw_chained_entry *three = ledger_audit(&l, "d"); /* the one that was refused is missing now */
	assert_int_equal(ingest(s, ORG, AGENT_A, batch_of(s->arena, 4, 1, three)).outcome, VW_INGEST_GAP);
}

static void a_broken_chain(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A), good;
	vw_chained_entry *one = ledger_audit(&l, "a");
	good = l;
	vw_chained_entry *two = ledger_audit(&l, "b"), *three = ledger_audit(&l, "c");
	two->payload.data[two->payload.len - 1] ^= 1;
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 3, one, two, three));
	assert_int_equal(r.outcome, VW_INGEST_REFUSED);
	assert_int_equal(r.stored, 1);
	assert_int_equal(r.chain.head.sequence, 1);
	assert_true(strlen(r.reason) > 0);
	assert_head(s, &good, AGENT_A);
	assert_int_equal(get_agent(s, ORG, AGENT_A)->status, VW_AGENT_ACTIVE);
	two->payload.data[two->payload.len - 1] ^= 1;
	assert_int_equal(ingest(s, ORG, AGENT_A, batch_of(s->arena, 2, 2, two, three)).outcome, VW_INGEST_STORED);
	assert_head(s, &l, AGENT_A);
}

static void a_ledger_from_before_enrolment(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, GENESIS);
	vw_hello *hello = hello_of(s, NULL, 0);
	hello->genesis_agent_id = (char *)GENESIS;
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello), 0);
	vw_chained_entry *one = ledger_audit(&l, "a"), *two = ledger_epoch(&l, "1", AGENT_A, 2),
			 *three = ledger_audit(&l, "b");
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 2, one, two));
	assert_int_equal(r.outcome, VW_INGEST_STORED);
	assert_int_equal(r.chain.epoch, 2);
	assert_string_equal(r.chain.organization, "1");
	assert_int_equal(ingest(s, ORG, AGENT_A, batch_of(s->arena, 3, 1, three)).outcome, VW_INGEST_STORED);
	assert_head(s, &l, AGENT_A);
}

/* Who sends it was proven; what it says of itself must not differ (S4.5). */
static void an_epoch_of_another_organization(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	vw_chained_entry *one = ledger_audit(&l, "a"), *two = ledger_epoch(&l, "2", AGENT_A, 2);
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 2, one, two));
	assert_int_equal(r.outcome, VW_INGEST_REFUSED);
	assert_int_equal(r.stored, 1);
	assert_string_equal(r.chain.organization, "");
}

static void an_entry_that_is_too_large(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	size_t len = VW_MAX_ENTRY + 1;
	vw_chained_entry *large = ledger_bytes(&l, vw_arena_alloc(s->arena, len), len);
	struct vw_ingest_result r = ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 1, large));
	assert_int_equal(r.outcome, VW_INGEST_REFUSED);
	assert_int_equal(r.stored, 0);
}

static void an_entry_that_is_as_large_as_may_be(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	struct seen seen = {.model = "m", .version = "1", .padding = VW_MAX_RECORD - VW_KIB, .at = NOW};
	size_t count;
	uint64_t sequence = ingest_one(s, ORG, AGENT_A, &l, &seen);
	vw_chained_entry **entries = read_ledger(s, AGENT_A, sequence, 10, &count);
	assert_int_equal(count, 1); /* more than VW_MAX_BATCH_BYTES, but one there is */
	assert_true(entries[0]->payload.len > VW_MAX_RECORD - VW_KIB);
	assert_string_equal(get_version(s, AGENT_A, "m", "1")->model_name, "m");
}

static void a_version_that_cannot_be_read(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	struct seen bad = {.model = "m", .version = "x", .at = NOW},
		    text = {.model = "n", .version = "1", .owner = "\xff"};
	size_t count;
	assert_int_equal(ingest_one(s, ORG, AGENT_A, &l, &bad), 1);
	assert_int_equal(ingest_one(s, ORG, AGENT_A, &l, &text), 2);
	read_ledger(s, AGENT_A, 1, 10, &count);
	assert_int_equal(count, 2);
	assert_int_equal(counts(s, ORG).versions, 1);
	assert_string_equal(get_version(s, AGENT_A, "n", "1")->owner, "\xef\xbf\xbd");
}

static void a_version_changes_and_goes(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	struct seen seen = {.model = "m", .version = "1", .owner = "a", .at = NOW, .gap = "x:high y:low"};
	ingest_one(s, ORG, AGENT_A, &l, &seen);
	seen.owner = "b";
	seen.gap = "y:low";
	uint64_t second = ingest_one(s, ORG, AGENT_A, &l, &seen);
	vw_version_row *row = get_version(s, AGENT_A, "m", "1");
	assert_string_equal(row->owner, "b");
	assert_int_equal(row->sequence, second);
	struct vw_fleet_counts c = counts(s, ORG);
	assert_int_equal(c.versions, 1);
	assert_int_equal(c.gaps[VW_SEVERITY_HIGH - 1], 0);
	assert_int_equal(c.gaps[VW_SEVERITY_LOW - 1], 1);
	uint64_t at = l.chain.head.sequence + 1;
	vw_chained_entry *gone = ledger_removal(&l, NULL, "m", "1", NOW + 5),
			 *unknown = ledger_removal(&l, NULL, "never seen", "1", NOW + 5);
	assert_int_equal(ingest(s, ORG, AGENT_A, batch_of(s->arena, at, 2, gone, unknown)).stored, 2);
	row = get_version(s, AGENT_A, "m", "1");
	assert_int_equal(row->removed_at, NOW + 5);
	assert_int_equal(row->sequence, second); /* of the last record */
	assert_string_equal(row->owner, "b");
	c = counts(s, ORG);
	assert_int_equal(c.versions, 0);
	assert_int_equal(c.versions_with_gaps, 0);
	assert_int_equal(c.gaps[VW_SEVERITY_LOW - 1], 0);
	ingest_one(s, ORG, AGENT_A, &l, &seen); /* made anew */
	row = get_version(s, AGENT_A, "m", "1");
	assert_false(row->has_removed_at);
	assert_int_equal(counts(s, ORG).versions, 1);
	assert_int_equal(counts(s, 0).versions, 1);
}

static void one_version_twice_in_a_batch(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	struct seen first = {.model = "m", .version = "1", .gap = "x:high", .at = NOW},
		    second = {.model = "m", .version = "1", .owner = "b", .at = NOW};
	vw_chained_entry *one = ledger_version(&l, &first), *two = ledger_version(&l, &second),
			 *three = ledger_removal(&l, NULL, "m", "1", NOW), *four = ledger_version(&l, &second);
	ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 4, one, two, three, four));
	vw_version_row *row = get_version(s, AGENT_A, "m", "1");
	assert_int_equal(row->sequence, 4);
	assert_false(row->has_removed_at);
	struct vw_fleet_counts c = counts(s, ORG);
	assert_int_equal(c.versions, 1);
	assert_int_equal(c.versions_with_gaps, 0);
	assert_int_equal(c.gaps[VW_SEVERITY_HIGH - 1], 0);
}

static void whose_entries_are_not_taken(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	vw_entry_batch *batch = batch_of(s->arena, 1, 1, ledger_audit(&l, "a"));
	struct vw_ingest_batch b = {.organization = ORG, .agent_id = AGENT_C, .batch = batch, .now = NOW};
	struct vw_ingest_result r;
	shop_fails(s, vw_fleet_ingest(s->store, s->arena, &b, &r, &s->err), VW_ENOTFOUND);
	b.agent_id = "no id";
	shop_fails(s, vw_fleet_ingest(s->store, s->arena, &b, &r, &s->err), VW_ENOTFOUND);
	b.agent_id = AGENT_A;
	b.organization = 99;
	shop_fails(s, vw_fleet_ingest(s->store, s->arena, &b, &r, &s->err), VW_ENOTFOUND);
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_REVOKED, "x", "user:a", NOW, &s->err));
	r = ingest(s, ORG, AGENT_A, batch);
	assert_int_equal(r.outcome, VW_INGEST_REFUSED);
	assert_non_null(strstr(r.reason, "revoked"));
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_ACTIVE, "x", "user:a", NOW, &s->err));
	shop_ok(s, vw_fleet_organization_disable(s->store, ORG, true, &s->err));
	r = ingest(s, ORG, AGENT_A, batch);
	assert_int_equal(r.outcome, VW_INGEST_REFUSED);
	assert_non_null(strstr(r.reason, "disabled"));
	shop_ok(s, vw_fleet_organization_disable(s->store, ORG, false, &s->err));
	assert_int_equal(ingest(s, ORG, AGENT_A, batch).outcome, VW_INGEST_STORED);
}

static void a_ledger_is_read_in_pieces(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	struct seen large = {.model = "m", .version = "1", .padding = 400 * VW_KIB, .at = NOW};
	size_t count;
	for (int i = 0; i < 5; i++)
		ingest_one(s, ORG, AGENT_A, &l, &large);
	read_ledger(s, AGENT_A, 1, 100, &count);
	assert_int_equal(count, 2); /* VW_MAX_BATCH_BYTES */
	read_ledger(s, AGENT_A, 3, 1, &count);
	assert_int_equal(count, 1);
	read_ledger(s, AGENT_A, 5, 100, &count);
	assert_int_equal(count, 1);
	read_ledger(s, AGENT_A, 6, 100, &count);
	assert_int_equal(count, 0);
	read_ledger(s, AGENT_B, 1, 100, &count);
	assert_int_equal(count, 0);
}

static void it_is_there_after_a_restart(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l = begun(s, AGENT_A);
	ingest_versions(s, ORG, AGENT_A, &l, "m", 1, 700);
	shop_reopen(s);
	assert_head(s, &l, AGENT_A);
	assert_int_equal(counts(s, ORG).versions, 700);
	assert_string_equal(get_version(s, AGENT_A, "m", "700")->version_number, "700");
	ingest_versions(s, ORG, AGENT_A, &l, "m", 701, 1);
	assert_head(s, &l, AGENT_A);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(in_order),
	    suite_test_agents(an_empty_batch),
	    suite_test_agents(duplicates),
	    suite_test_agents(a_gap),
	    suite_test_agents(a_fork),
	    suite_test_agents(a_broken_chain),
	    suite_test_agents(a_ledger_from_before_enrolment),
	    suite_test_agents(an_epoch_of_another_organization),
	    suite_test_agents(an_entry_that_is_too_large),
	    suite_test_agents(an_entry_that_is_as_large_as_may_be),
	    suite_test_agents(a_version_that_cannot_be_read),
	    suite_test_agents(a_version_changes_and_goes),
	    suite_test_agents(one_version_twice_in_a_batch),
	    suite_test_agents(whose_entries_are_not_taken),
	    suite_test_agents(a_ledger_is_read_in_pieces),
	    suite_test_agents(it_is_there_after_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
