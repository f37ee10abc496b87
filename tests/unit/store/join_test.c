/* May a stream begin? Each answer, their order, and what is changed by them. */
#include "join.h"

#include "ledger.h"

struct fixture {
	vw_organization organization;
	vw_agent agent;
	vw_hello hello;
	uint8_t head[VW_LEDGER_HASH], receipt[VW_LEDGER_HASH];
	const char *serial;
	struct vw_join_answer answer;
};

/* An agent with ten entries stored, a receipt for eight, its second stream. */
static void begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	verifywise__v1__organization__init(&f->organization);
	verifywise__v1__agent__init(&f->agent);
	verifywise__v1__hello__init(&f->hello);
	memset(f->head, 1, sizeof(f->head));
	memset(f->receipt, 2, sizeof(f->receipt));
	VW_SET(&f->organization, id, 3);
	VW_SET(&f->agent, organization, 3);
	f->agent.agent_id = (char *)AGENT_A;
	VW_SET(&f->agent, status, VW_AGENT_ACTIVE);
	f->agent.serial = (char *)"aa";
	VW_SET(&f->agent, serial_not_after, 100);
	f->agent.pending_serial = (char *)"bb";
	VW_SET(&f->agent, pending_not_after, 200);
	VW_SET(&f->agent, join_sequence, 4);
	VW_SET(&f->agent, pending_join_sequence, 5);
	VW_SET(&f->agent, sequence, 10);
	VW_SET_BYTES(&f->agent, chain_sha256, f->head, sizeof(f->head));
	f->serial = "aa";
	VW_SET(&f->hello, join_sequence, 5);
	VW_SET(&f->hello, last_sequence, 10);
	VW_SET_BYTES(&f->hello, last_chain_sha256, f->head, sizeof(f->head));
	VW_SET(&f->hello, acknowledged_sequence, 8);
	VW_SET_BYTES(&f->hello, acknowledged_chain_sha256, f->receipt, sizeof(f->receipt));
}

static int decide_with(struct fixture *f, bool has_organization, bool has_agent, bool has_hash)
{
	struct vw_join_facts facts = {.organization = has_organization ? &f->organization : NULL,
				      .agent = has_agent ? &f->agent : NULL,
				      .hash = has_hash ? f->receipt : NULL};
	struct vw_join join = {.serial = f->serial, .hello = &f->hello, .now = 77};
	vw_join_decide(&facts, &join, &f->answer);
	return f->answer.rejection;
}

static int decide(struct fixture *f)
{
	return decide_with(f, true, true, true);
}

static void assert_untouched(const struct fixture *f)
{
	assert_false(f->answer.is_quarantine);
	assert_false(f->answer.is_activation);
	assert_string_equal(f->agent.serial, "aa");
	assert_int_equal(f->agent.join_sequence, 4);
	assert_int_equal(f->agent.pending_join_sequence, 5);
}

static void assert_quarantined(const struct fixture *f, const char *action, const char *reason)
{
	assert_true(f->answer.is_quarantine);
	assert_int_equal(f->agent.status, VW_AGENT_QUARANTINED);
	assert_string_equal(f->answer.action, action);
	assert_int_equal(strncmp(f->agent.status_reason, reason, strlen(reason)), 0);
	assert_string_equal(f->agent.status_by, "controller");
	assert_int_equal(f->agent.status_at, 77);
	assert_string_equal(f->agent.serial, "aa");
	assert_int_equal(f->agent.join_sequence, 4);
}

static void it_begins(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f);
	assert_int_equal(decide(&f), 0);
	assert_false(f.answer.is_activation);
	assert_int_equal(f.agent.join_sequence, 5);
	assert_int_equal(f.agent.pending_join_sequence, 6);
	assert_string_equal(f.agent.serial, "aa");
	assert_string_equal(f.agent.pending_serial, "bb");
}

/* The welcome did not arrive: the agent shows the former number. */
static void a_number_is_good_until_the_next_is_shown(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f);
	f.hello.join_sequence = 4;
	assert_int_equal(decide(&f), 0);
	assert_int_equal(f.agent.join_sequence, 4);
	assert_int_equal(f.agent.pending_join_sequence, 5);
	f.hello.join_sequence = 5;
	assert_int_equal(decide(&f), 0);
	f.hello.join_sequence = 4;
	assert_int_equal(decide(&f), VW_REJECTION_DUPLICATE_INSTANCE);
}

static void the_first_stream(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f);
	f.agent.sequence = 0;
	f.agent.has_chain_sha256 = f.agent.has_pending_join_sequence = 0;
	f.agent.serial = NULL;
	f.agent.join_sequence = f.hello.join_sequence = 0;
	f.hello.acknowledged_sequence = 0;
	f.hello.genesis_agent_id = (char *)GENESIS;
	f.serial = "bb";
	assert_int_equal(decide_with(&f, true, true, false), 0);
	assert_true(f.answer.is_activation);
	assert_string_equal(f.agent.serial, "bb");
	assert_int_equal(f.agent.serial_not_after, 200);
	assert_null(f.agent.pending_serial);
	assert_false(f.agent.has_pending_not_after);
	assert_int_equal(f.agent.pending_join_sequence, 1);
	assert_string_equal(f.agent.genesis_agent_id, GENESIS);
}

static void a_genesis_that_is_none(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f);
	f.agent.sequence = 0;
	f.hello.genesis_agent_id = (char *)"x";
	assert_int_equal(decide(&f), VW_REJECTION_MALFORMED);
	assert_untouched(&f);
	begin(&f); /* with entries stored, the chain itself says it */
	f.hello.genesis_agent_id = (char *)AGENT_B;
	assert_int_equal(decide(&f), 0);
	assert_null(f.agent.genesis_agent_id);
}

static void who_may_not(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f);
	assert_int_equal(decide_with(&f, false, true, true), VW_REJECTION_UNKNOWN_AGENT);
	assert_int_equal(decide_with(&f, true, false, true), VW_REJECTION_UNKNOWN_AGENT);
	VW_SET(&f.agent, status, VW_AGENT_REVOKED);
	f.serial = "cc";
	assert_int_equal(decide(&f), VW_REJECTION_REVOKED);
	VW_SET(&f.organization, disabled, true);
	assert_int_equal(decide(&f), VW_REJECTION_TENANT_DISABLED);
	assert_int_equal(decide_with(&f, true, false, true), VW_REJECTION_TENANT_DISABLED);
	assert_untouched(&f);
	begin(&f);
	f.serial = "cc";
	f.hello.join_sequence = 1;
	assert_int_equal(decide(&f), VW_REJECTION_REVOKED);
	f.serial = "";
	f.agent.serial = (char *)"";
	assert_int_equal(decide(&f), VW_REJECTION_REVOKED);
}

static void a_quarantine_says_what_for(void **state)
{
	const struct {
		const char *reason;
		int rejection;
	} said[] = {{"forked: at 5", VW_REJECTION_FORKED},
		    {"rolled_back: to 2", VW_REJECTION_ROLLED_BACK},
		    {"duplicate_instance: x", VW_REJECTION_DUPLICATE_INSTANCE},
		    {"an operator's words", VW_REJECTION_DUPLICATE_INSTANCE},
		    {NULL, VW_REJECTION_DUPLICATE_INSTANCE}};
	struct fixture f;
	(void)state;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		begin(&f);
		VW_SET(&f.agent, status, VW_AGENT_QUARANTINED);
		f.agent.status_reason = (char *)said[i].reason;
		assert_int_equal(decide(&f), said[i].rejection);
		assert_untouched(&f);
	}
}

static void a_clone(void **state)
{
	struct fixture f;
	(void)state;
	for (uint64_t shown = 0; shown < 10; shown++) {
		begin(&f);
		f.hello.join_sequence = shown;
		f.serial = "bb";
		int rejection = decide(&f);
		/* 4 was shown last, 5 was given; what is later this store forgot, for it was put back */
		assert_int_equal(rejection, shown >= 4 ? 0 : VW_REJECTION_DUPLICATE_INSTANCE);
		if (rejection)
			assert_quarantined(&f, "clone_seen", "duplicate_instance: ");
	}
	begin(&f);
	f.hello.join_sequence = UINT64_MAX;
	assert_int_equal(decide(&f), VW_REJECTION_MALFORMED);
	assert_untouched(&f);
}

static void a_rollback(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f);
	f.hello.last_sequence = 9;
	assert_int_equal(decide(&f), VW_REJECTION_ROLLED_BACK);
	assert_quarantined(&f, "rollback_seen", "rolled_back: its ledger ends with entry 9, but 10 is stored");
}

static void a_fork(void **state)
{
	struct fixture f;
	uint8_t other[VW_LEDGER_HASH] = {9};
	(void)state;
	begin(&f);
	f.hello.acknowledged_chain_sha256.data = other;
	assert_int_equal(decide(&f), VW_REJECTION_FORKED);
	assert_quarantined(&f, "fork_seen", "forked: its entry 8 ");
	begin(&f);
	f.hello.acknowledged_chain_sha256.len = 31;
	assert_int_equal(decide(&f), VW_REJECTION_FORKED);
	begin(&f);
	assert_int_equal(decide_with(&f, true, true, false), VW_REJECTION_FORKED);
	begin(&f);
	f.hello.last_chain_sha256.data = other;
	assert_int_equal(decide(&f), VW_REJECTION_FORKED);
	assert_quarantined(&f, "fork_seen", "forked: its entry 10 ");
	begin(&f); /* ahead of what is stored, its head cannot be compared */
	f.hello.last_sequence = 11;
	f.hello.last_chain_sha256.data = other;
	assert_int_equal(decide(&f), 0);
}

/* The store was put back from a backup: the agent fills it again. */
static void a_receipt_for_more_than_is_stored(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f);
	f.hello.last_sequence = f.hello.acknowledged_sequence = 12;
	assert_int_equal(decide_with(&f, true, true, false), 0);
}

static void active_again(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f);
	f.hello.join_sequence = 1;
	assert_int_equal(decide(&f), VW_REJECTION_DUPLICATE_INSTANCE);
	vw_agent_put_status(&f.agent, VW_AGENT_ACTIVE, NULL, "user:alice", 88);
	assert_string_equal(f.agent.status_by, "user:alice");
	assert_null(f.agent.status_reason);
	assert_int_equal(decide(&f), 0);
	assert_int_equal(f.agent.join_sequence, 1);
	assert_int_equal(f.agent.pending_join_sequence, 2);
	f.hello.join_sequence = 0; /* once */
	assert_int_equal(decide(&f), VW_REJECTION_DUPLICATE_INSTANCE);
	vw_agent_put_status(&f.agent, VW_AGENT_ACTIVE, NULL, "user:alice", 88);
	f.hello.last_sequence = 3;
	assert_int_equal(decide(&f), VW_REJECTION_ROLLED_BACK);
	/* of an active one it changes no numbers */
	begin(&f);
	vw_agent_put_status(&f.agent, VW_AGENT_ACTIVE, NULL, "user:alice", 88);
	assert_int_equal(f.agent.join_sequence, 4);
}

static void whose_entries_are_taken(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f);
	assert_null(vw_agent_refused(&f.organization, &f.agent));
	VW_SET(&f.agent, status, VW_AGENT_REVOKED);
	assert_non_null(strstr(vw_agent_refused(&f.organization, &f.agent), "revoked"));
	VW_SET(&f.agent, status, VW_AGENT_QUARANTINED);
	assert_non_null(strstr(vw_agent_refused(&f.organization, &f.agent), "quarantined"));
	VW_SET(&f.agent, status, VW_AGENT_ACTIVE);
	VW_SET(&f.organization, disabled, true);
	assert_non_null(strstr(vw_agent_refused(&f.organization, &f.agent), "disabled"));
	assert_non_null(strstr(vw_agent_refused(NULL, &f.agent), "disabled"));
}

static void a_chain_in_a_row(void **state)
{
	struct fixture f;
	struct vw_chain chain;
	(void)state;
	begin(&f);
	f.agent.sequence = 0;
	vw_agent_chain(&f.agent, &chain);
	assert_string_equal(chain.agent_id, AGENT_A);
	f.agent.genesis_agent_id = (char *)GENESIS;
	vw_agent_chain(&f.agent, &chain);
	assert_string_equal(chain.agent_id, GENESIS);
	assert_int_equal(chain.epoch, 1);
	chain.epoch = 2;
	chain.head.sequence = 12;
	memset(chain.head.hash, 5, VW_LEDGER_HASH);
	snprintf(chain.organization, sizeof(chain.organization), "3");
	vw_agent_put_chain(&f.agent, &chain, 55);
	struct vw_chain back;
	vw_agent_chain(&f.agent, &back);
	assert_string_equal(back.organization, "3");
	assert_string_equal(back.agent_id, GENESIS);
	assert_int_equal(back.epoch, 2);
	assert_int_equal(back.head.sequence, 12);
	assert_memory_equal(back.head.hash, chain.head.hash, VW_LEDGER_HASH);
	assert_int_equal(f.agent.stored_at, 55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_begins),        cmocka_unit_test(a_number_is_good_until_the_next_is_shown),
	    cmocka_unit_test(the_first_stream), cmocka_unit_test(a_genesis_that_is_none),
	    cmocka_unit_test(who_may_not),      cmocka_unit_test(a_quarantine_says_what_for),
	    cmocka_unit_test(a_clone),          cmocka_unit_test(a_rollback),
	    cmocka_unit_test(a_fork),           cmocka_unit_test(a_receipt_for_more_than_is_stored),
	    cmocka_unit_test(active_again),     cmocka_unit_test(whose_entries_are_taken),
	    cmocka_unit_test(a_chain_in_a_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
