/* What becomes of a batch: order, duplicates, gap, fork, broken chain, epoch change. */
#include "ledger.h"

#include "base/limits.h"
#include "plan.h"

struct fixture {
	struct vw_arena *arena;
	struct ledger agent;                /* as the agent has it */
	struct vw_chain stored;             /* as the store has it */
	uint8_t hashes[64][VW_LEDGER_HASH]; /* of what is stored, by sequence */
	int hash_fails;                     /* what asking for one gives */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->arena = vw_arena_open(0);
	ledger_begin(&f->agent, f->arena, AGENT_A);
	vw_chain_begin(&f->stored, AGENT_A);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	vw_arena_close(f->arena);
	free(f);
	return 0;
}

static int stored_hash(uint64_t sequence, uint8_t out[VW_LEDGER_HASH], void *arg, struct vw_error *err)
{
	const struct fixture *f = arg;
	if (f->hash_fails)
		return vw_error_set(err, f->hash_fails, "asked in vain");
	assert_true(sequence > 0 && sequence <= f->stored.head.sequence);
	memcpy(out, f->hashes[sequence], VW_LEDGER_HASH);
	return 0;
}

static int make(struct fixture *f, vw_entry_batch *batch, struct vw_plan *out, struct vw_error *err)
{
	struct vw_ingest_batch b = {
	    .organization = 3, .agent_id = AGENT_A, .session_id = "s", .batch = batch, .now = 9};
	return vw_plan_make(&f->stored, &b, stored_hash, f, f->arena, out, err);
}

static struct vw_plan plan(struct fixture *f, vw_entry_batch *batch)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_plan out;
	assert_ok(make(f, batch, &out, &err), err);
	return out;
}

/* As a store does. */
static void store(struct fixture *f, const struct vw_plan *p)
{
	for (size_t i = 0; i < p->count; i++)
		memcpy(f->hashes[p->entries[i].sequence], p->entries[i].chained->chain_sha256.data, VW_LEDGER_HASH);
	f->stored = p->chain;
}

static void assert_reason(const struct vw_plan *p, const char *part)
{
	if (!strstr(p->reason, part))
		fail_msg("'%s' does not say '%s'", p->reason, part);
}

static void in_order(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {.model = "m", .version = "1", .gap = "owner:high"};
	vw_chained_entry *one = ledger_audit(&f->agent, "a"), *two = ledger_version(&f->agent, &seen);
	struct vw_plan p = plan(f, batch_of(f->arena, 1, 2, one, two));
	assert_int_equal(p.outcome, VW_INGEST_STORED);
	assert_int_equal(p.count, 2);
	assert_int_equal(p.duplicates, 0);
	assert_int_equal(p.entries[1].sequence, 2);
	assert_ptr_equal(p.entries[1].chained, two);
	assert_int_equal(p.entries[1].projection.gap_count, 1);
	assert_int_equal(p.entries[1].projection.row->organization, 3);
	assert_null(p.entries[0].projection.row);
	assert_int_equal(p.chain.head.sequence, 2);
	assert_memory_equal(p.chain.head.hash, f->agent.chain.head.hash, VW_LEDGER_HASH);
	assert_string_equal(p.reason, "");
}

static void duplicates_are_passed_over(void **state)
{
	struct fixture *f = *state;
	vw_chained_entry *one = ledger_audit(&f->agent, "a"), *two = ledger_audit(&f->agent, "b");
	struct vw_plan p = plan(f, batch_of(f->arena, 1, 2, one, two));
	store(f, &p);
	p = plan(f, batch_of(f->arena, 1, 3, one, two, ledger_audit(&f->agent, "c")));
	assert_int_equal(p.outcome, VW_INGEST_STORED);
	assert_int_equal(p.duplicates, 2);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.entries[0].sequence, 3);
	store(f, &p);
	p = plan(f, batch_of(f->arena, 2, 1, two));
	assert_int_equal(p.outcome, VW_INGEST_STORED);
	assert_int_equal(p.duplicates, 1);
	assert_int_equal(p.count, 0);
	assert_int_equal(p.chain.head.sequence, 3);
}

static void a_gap(void **state)
{
	struct fixture *f = *state;
	ledger_audit(&f->agent, "a");
	struct vw_plan p = plan(f, batch_of(f->arena, 2, 1, ledger_audit(&f->agent, "b")));
	assert_int_equal(p.outcome, VW_INGEST_GAP);
	assert_int_equal(p.count, 0);
	assert_int_equal(p.chain.head.sequence, 0);
}

static void a_fork(void **state)
{
	struct fixture *f = *state;
	struct ledger other = f->agent;
	struct vw_plan p = plan(f, batch_of(f->arena, 1, 1, ledger_audit(&f->agent, "a")));
	store(f, &p);
	vw_chained_entry *forked = ledger_audit(&other, "another");
	p = plan(f, batch_of(f->arena, 1, 2, forked, ledger_audit(&other, "more")));
	assert_int_equal(p.outcome, VW_INGEST_FORK);
	assert_int_equal(p.fork_sequence, 1);
	assert_ptr_equal(p.fork, forked);
	assert_int_equal(p.count, 0);
	assert_int_equal(p.chain.head.sequence, 1);
	assert_memory_equal(p.chain.head.hash, f->agent.chain.head.hash, VW_LEDGER_HASH);
	assert_reason(&p, "entry 1 ");
	forked->chain_sha256.len = 31; /* no entry is no other entry */
	assert_int_equal(plan(f, batch_of(f->arena, 1, 1, forked)).outcome, VW_INGEST_REFUSED);
	forked->chain_sha256.len = 32;
	forked->payload.len = VW_MAX_ENTRY + 1;
	assert_int_equal(plan(f, batch_of(f->arena, 1, 1, forked)).outcome, VW_INGEST_REFUSED);
}

static void a_broken_chain_keeps_what_is_before(void **state)
{
	struct fixture *f = *state;
	vw_chained_entry *one = ledger_audit(&f->agent, "a"), *two = ledger_audit(&f->agent, "b"),
			 *three = ledger_audit(&f->agent, "c");
	two->chain_sha256.data[0] ^= 1;
	struct vw_plan p = plan(f, batch_of(f->arena, 1, 3, one, two, three));
	assert_int_equal(p.outcome, VW_INGEST_REFUSED);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.chain.head.sequence, 1);
	assert_true(strlen(p.reason) > 0);
	/* a payload that was changed breaks it as well */
	two->chain_sha256.data[0] ^= 1;
	two->payload.data[two->payload.len - 1] ^= 1;
	assert_int_equal(plan(f, batch_of(f->arena, 1, 2, one, two)).outcome, VW_INGEST_REFUSED);
}

static void what_is_no_entry(void **state)
{
	struct fixture *f = *state;
	struct ledger before = f->agent;
	vw_chained_entry *entry = ledger_bytes(&f->agent, "\xff\xff", 2);
	assert_int_equal(plan(f, batch_of(f->arena, 1, 1, entry)).outcome, VW_INGEST_REFUSED);
	f->agent = before;
	entry = ledger_bytes(&f->agent, "", 0); /* an Entry without a body */
	assert_int_equal(plan(f, batch_of(f->arena, 1, 1, entry)).outcome, VW_INGEST_REFUSED);
	f->agent = before;
	entry = ledger_audit(&f->agent, "a");
	entry->chain_sha256.len = 0;
	assert_int_equal(plan(f, batch_of(f->arena, 1, 1, entry)).outcome, VW_INGEST_REFUSED);
	f->agent = before;
	size_t len = VW_MAX_ENTRY + 1;
	entry = ledger_bytes(&f->agent, vw_arena_alloc(f->arena, len), len);
	assert_int_equal(plan(f, batch_of(f->arena, 1, 1, entry)).outcome, VW_INGEST_REFUSED);
}

static void a_version_that_cannot_be_read_is_stored_without_rows(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {.model = "m", .version = "no number"};
	vw_chained_entry *one = ledger_version(&f->agent, &seen), *two = ledger_audit(&f->agent, "a");
	struct vw_plan p = plan(f, batch_of(f->arena, 1, 2, one, two));
	assert_int_equal(p.outcome, VW_INGEST_STORED);
	assert_int_equal(p.count, 2);
	assert_null(p.entries[0].projection.row);
}

static void another_owner(void **state)
{
	struct fixture *f = *state;
	vw_chained_entry *one = ledger_audit(&f->agent, "a"), *two = ledger_epoch(&f->agent, "3", AGENT_A, 2),
			 *three = ledger_audit(&f->agent, "b");
	struct vw_plan p = plan(f, batch_of(f->arena, 1, 3, one, two, three));
	assert_int_equal(p.outcome, VW_INGEST_STORED);
	assert_int_equal(p.count, 3);
	assert_int_equal(p.chain.epoch, 2);
	assert_string_equal(p.chain.organization, "3");
	assert_string_equal(p.chain.agent_id, AGENT_A);
}

/* Who the sender was proven to be counts, not what it says (S4.5). */
static void an_owner_that_is_not_the_sender(void **state)
{
	struct fixture *f = *state;
	const struct {
		const char *organization, *agent_id;
		uint64_t epoch;
	} bad[] = {{"4", AGENT_A, 2}, {"3", AGENT_A, 3}, {"3", AGENT_A, 1}, {"03", AGENT_A, 2}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ledger l = f->agent;
		vw_chained_entry *one = ledger_audit(&l, "a"),
				 *two = ledger_epoch(&l, bad[i].organization, bad[i].agent_id, bad[i].epoch);
		struct vw_plan p = plan(f, batch_of(f->arena, 1, 2, one, two));
		assert_int_equal(p.outcome, VW_INGEST_REFUSED);
		assert_int_equal(p.count, 1);
		assert_string_equal(p.chain.organization, "");
	}
}

static void batches_that_are_none(void **state)
{
	struct fixture *f = *state;
	struct vw_plan p = plan(f, batch_of(f->arena, 0, 0));
	assert_int_equal(p.outcome, VW_INGEST_STORED);
	assert_int_equal(p.count, 0);
	vw_chained_entry *entry = ledger_audit(&f->agent, "a");
	assert_int_equal(plan(f, batch_of(f->arena, 0, 1, entry)).outcome, VW_INGEST_REFUSED);
	assert_int_equal(plan(f, batch_of(f->arena, UINT64_MAX, 1, entry)).outcome, VW_INGEST_REFUSED);
	vw_entry_batch *large = batch_of(f->arena, 1, 0);
	for (size_t i = 0; i <= VW_MAX_BATCH_ENTRIES; i++)
		batch_add(f->arena, large, entry);
	p = plan(f, large);
	assert_int_equal(p.outcome, VW_INGEST_REFUSED);
	assert_reason(&p, "VW_MAX_BATCH_ENTRIES");
	assert_int_equal(p.count, 0);
}

static void what_is_not_the_batchs_fault(void **state)
{
	struct fixture *f = *state;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_plan p = plan(f, batch_of(f->arena, 1, 1, ledger_audit(&f->agent, "a")));
	store(f, &p);
	vw_entry_batch *again = batch_of(f->arena, 1, 1, p.entries[0].chained);
	f->hash_fails = VW_EAGAIN;
	assert_int_equal(make(f, again, &p, &err), VW_EAGAIN);
	assert_says(err, "in vain");
	struct vw_arena *small = vw_arena_open(1100);
	struct seen seen = {.model = "m", .version = "1", .padding = 5000};
	struct vw_ingest_batch b = {.organization = 3,
				    .agent_id = AGENT_A,
				    .batch = batch_of(f->arena, 2, 1, ledger_version(&f->agent, &seen))};
	assert_true(vw_plan_make(&f->stored, &b, stored_hash, f, small, &p, &err) < 0);
	vw_arena_close(small);
}

struct seen_entries {
	struct vw_arena *scratch;
	size_t count;
	char models[4][8];
};

static int look(const struct vw_plan_entry *entry, void *arg, struct vw_error *err)
{
	struct seen_entries *seen = arg;
	assert_int_equal(entry->sequence, ++seen->count);
	if (seen->count == 4)
		return vw_error_set(err, VW_EIO, "enough");
	const vw_version_row *row = entry->projection.row;
	snprintf(seen->models[seen->count - 1], sizeof(seen->models[0]), "%s", row ? row->model_name : "none");
	return 0;
}

/* One by one it comes to the same, with memory for one. */
static void entry_by_entry(void **state)
{
	struct fixture *f = *state;
	struct vw_error err = VW_ERROR_INIT;
	struct seen m = {.model = "m", .version = "1"}, n = {.model = "n", .version = "1"};
	vw_chained_entry *one = ledger_version(&f->agent, &m), *two = ledger_audit(&f->agent, "a"),
			 *three = ledger_version(&f->agent, &n);
	struct seen_entries seen = {.scratch = vw_arena_open(0)};
	vw_entry_batch *batch = batch_of(f->arena, 1, 3, one, two, three);
	struct vw_ingest_batch b = {.organization = 3, .agent_id = AGENT_A, .batch = batch};
	struct vw_plan p = {0}, made = plan(f, batch);
	assert_ok(vw_plan_walk(&f->stored, &b, stored_hash, f, seen.scratch, look, &seen, &p, &err), err);
	assert_int_equal(seen.count, 3);
	assert_string_equal(seen.models[0], "m");
	assert_string_equal(seen.models[1], "none");
	assert_string_equal(seen.models[2], "n");
	assert_int_equal(vw_arena_used(seen.scratch), 0);
	assert_int_equal(p.outcome, made.outcome);
	assert_int_equal(p.count, made.count);
	assert_null(p.entries);
	assert_memory_equal(&p.chain, &made.chain, sizeof(p.chain));
	/* what `each` says ends it */
	batch_add(f->arena, batch, ledger_audit(&f->agent, "b"));
	seen.count = 0;
	assert_int_equal(vw_plan_walk(&f->stored, &b, stored_hash, f, seen.scratch, look, &seen, &p, &err), VW_EIO);
	assert_int_equal(p.count, 3);
	vw_arena_close(seen.scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(in_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(duplicates_are_passed_over, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_gap, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_fork, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_broken_chain_keeps_what_is_before, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_entry, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_version_that_cannot_be_read_is_stored_without_rows, setup, teardown),
	    cmocka_unit_test_setup_teardown(another_owner, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_owner_that_is_not_the_sender, setup, teardown),
	    cmocka_unit_test_setup_teardown(batches_that_are_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_not_the_batchs_fault, setup, teardown),
	    cmocka_unit_test_setup_teardown(entry_by_entry, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
