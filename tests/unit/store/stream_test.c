/* Streams begin, or do not: what a store does of what join_test.c asks (S4.5). */
#include "suite.h"

static void the_first_stream(void **state)
{
	struct shop *s = shop_of(state);
	vw_hello *hello = hello_of(s, NULL, 0);
	hello->genesis_agent_id = (char *)GENESIS;
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello), 0);
	assert_string_equal(s->agent->serial, "aa");
	assert_int_equal(s->agent->serial_not_after, NOW + 1000);
	assert_null(s->agent->pending_serial);
	assert_int_equal(s->agent->pending_join_sequence, 1);
	vw_agent *a = get_agent(s, ORG, AGENT_A);
	assert_string_equal(a->serial, "aa");
	assert_string_equal(a->genesis_agent_id, GENESIS);
	assert_int_equal(a->join_sequence, 0);
	assert_int_equal(a->pending_join_sequence, 1);
	assert_null(get_agent(s, OTHER, AGENT_A)->serial);
}

static void a_new_certificate(void **state)
{
	struct shop *s = shop_of(state);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 0)), 0);
	shop_ok(s, vw_fleet_agent_set_pending_serial(s->store, ORG, AGENT_A, "bb", NOW + 7, &s->err));
	/* the old one works until the new one was shown */
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 1)), 0);
	assert_string_equal(get_agent(s, ORG, AGENT_A)->pending_serial, "bb");
	assert_int_equal(joined(s, ORG, AGENT_A, "bb", hello_of(s, NULL, 2)), 0);
	assert_string_equal(get_agent(s, ORG, AGENT_A)->serial, "bb");
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 3)), VW_REJECTION_REVOKED);
	assert_int_equal(get_agent(s, ORG, AGENT_A)->join_sequence, 2);
	assert_int_equal(get_agent(s, ORG, AGENT_A)->status, VW_AGENT_ACTIVE);
}

static void who_may_not(void **state)
{
	struct shop *s = shop_of(state);
	assert_int_equal(joined(s, ORG, AGENT_C, "aa", hello_of(s, NULL, 0)), VW_REJECTION_UNKNOWN_AGENT);
	assert_int_equal(joined(s, 99, AGENT_A, "aa", hello_of(s, NULL, 0)), VW_REJECTION_UNKNOWN_AGENT);
	assert_int_equal(joined(s, ORG, "no id", "aa", hello_of(s, NULL, 0)), VW_REJECTION_UNKNOWN_AGENT);
	assert_int_equal(joined(s, ORG, AGENT_A, "zz", hello_of(s, NULL, 0)), VW_REJECTION_REVOKED);
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_REVOKED, "x", "user:a", NOW, &s->err));
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 0)), VW_REJECTION_REVOKED);
	shop_ok(s, vw_fleet_organization_disable(s->store, ORG, true, &s->err));
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 0)), VW_REJECTION_TENANT_DISABLED);
	assert_int_equal(joined(s, ORG, AGENT_C, "aa", hello_of(s, NULL, 0)), VW_REJECTION_TENANT_DISABLED);
	assert_int_equal(joined(s, OTHER, AGENT_A, "aa", hello_of(s, NULL, 0)), 0);
}

static void a_clone(void **state)
{
	struct shop *s = shop_of(state);
	for (uint64_t join = 0; join < 3; join++)
		assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, join)), 0);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 1)), VW_REJECTION_DUPLICATE_INSTANCE);
	vw_agent *a = get_agent(s, ORG, AGENT_A);
	assert_int_equal(a->status, VW_AGENT_QUARANTINED);
	assert_int_equal(strncmp(a->status_reason, "duplicate_instance", 18), 0);
	assert_string_equal(a->status_by, "controller");
	assert_int_equal(a->join_sequence, 2);
	assert_int_equal(strncmp(trail_text(s, ORG, "clone_seen"), "duplicate_instance", 18), 0);
	/* the original one is held up too, until an operator says which it is */
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 3)), VW_REJECTION_DUPLICATE_INSTANCE);
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_ACTIVE, NULL, "user:a", NOW, &s->err));
	/* if the copy comes first, it is seen when both have come */
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 1)), 0);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 3)), 0);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 2)), VW_REJECTION_DUPLICATE_INSTANCE);
}

static void a_rollback(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l, before;
	ledger_begin(&l, s->arena, AGENT_A);
	ingest_versions(s, ORG, AGENT_A, &l, "m", 1, 3);
	before = l;
	ingest_versions(s, ORG, AGENT_A, &l, "m", 4, 1);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, &l, 0)), 0);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, &before, 1)), VW_REJECTION_ROLLED_BACK);
	assert_int_equal(get_agent(s, ORG, AGENT_A)->status, VW_AGENT_QUARANTINED);
	trail_text(s, ORG, "rollback_seen");
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, &l, 1)), VW_REJECTION_ROLLED_BACK);
}

static void a_fork(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l, other;
	ledger_begin(&l, s->arena, AGENT_A);
	ledger_begin(&other, s->arena, AGENT_A);
	ingest_versions(s, ORG, AGENT_A, &l, "m", 1, 3);
	for (int i = 0; i < 3; i++)
		ledger_audit(&other, "x");
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, &other, 0)), VW_REJECTION_FORKED);
	trail_text(s, ORG, "fork_seen");
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_ACTIVE, NULL, "user:a", NOW, &s->err));
	/* at the receipt it holds, further back */
	vw_hello *hello = hello_of(s, &l, 0);
	size_t count;
	vw_chained_entry **entries;
	shop_ok(s, vw_fleet_ledger_read(s->store, s->arena, ORG, AGENT_A, 2, 1, &entries, &count, &s->err));
	VW_SET(hello, acknowledged_sequence, 2);
	VW_SET_BYTES(hello, acknowledged_chain_sha256, entries[0]->chain_sha256.data, VW_LEDGER_HASH);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello), 0);
	hello = hello_of(s, &l, 1);
	VW_SET(hello, acknowledged_sequence, 2);
	VW_SET_BYTES(hello, acknowledged_chain_sha256, other.chain.head.hash, VW_LEDGER_HASH);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello), VW_REJECTION_FORKED);
	assert_int_equal(get_agent(s, ORG, AGENT_B)->status, VW_AGENT_ACTIVE);
}

static void a_store_that_was_put_back(void **state)
{
	struct shop *s = shop_of(state);
	struct ledger l;
	ledger_begin(&l, s->arena, AGENT_A);
	ingest_versions(s, ORG, AGENT_A, &l, "m", 1, 3);
	ledger_audit(&l, "acknowledged, and lost with the disk");
	vw_hello *hello = hello_of(s, &l, 0);
	VW_SET(hello, acknowledged_sequence, 4);
	VW_SET_BYTES(hello, acknowledged_chain_sha256, l.chain.head.hash, VW_LEDGER_HASH);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello), 0);
}

static void numbers_outlive_the_process(void **state)
{
	struct shop *s = shop_of(state);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 0)), 0);
	assert_false(s->agent->has_desired_policy_sha256);
	shop_reopen(s);
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 1)), 0);
	assert_int_equal(s->agent->pending_join_sequence, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(the_first_stream),
	    suite_test_agents(a_new_certificate),
	    suite_test_agents(who_may_not),
	    suite_test_agents(a_clone),
	    suite_test_agents(a_rollback),
	    suite_test_agents(a_fork),
	    suite_test_agents(numbers_outlive_the_process),
	    suite_test_agents(a_store_that_was_put_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
