/* chain.h: what a receiver of a ledger accepts, and under whose name (S3.5, S10.4). */
#include "fixture.h"

#include "base/digest.h"
#include "base/limits.h"
#include "fleet/chain.h"
#include "proto/message.h"

#define FORMER "11111111-2222-3333-4444-555555555555"

static struct vw_error err;

/* ---- A ledger as an agent writes it ---- */

struct writer {
	struct vw_ledger_owner owner;
	struct vw_ledger_head head;
};

static vw_entry *audit_entry(vw_audit_kind kind, const char *said)
{
	vw_entry *entry = vw_message_new(arena, &verifywise__v1__entry__descriptor);
	vw_audit *audit = vw_message_new(arena, &verifywise__v1__audit__descriptor);
	VW_SET(entry, recorded_at, NOON);
	entry->body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry->audit = audit;
	VW_SET(audit, kind, kind);
	audit->text = vw_arena_strdup(arena, said);
	return entry;
}

static vw_entry *epoch_entry(const char *organization, const char *agent, uint64_t epoch)
{
	vw_entry *entry = audit_entry(VW_AUDIT_EPOCH_STARTED, "from now on");
	vw_epoch_started *started = vw_message_new(arena, &verifywise__v1__epoch_started__descriptor);
	started->organization = vw_arena_strdup(arena, organization);
	started->agent_id = vw_arena_strdup(arena, agent);
	VW_SET(started, epoch, epoch);
	entry->audit->epoch = started;
	return entry;
}

static vw_chained_entry *chain_payload(struct writer *w, const void *payload, size_t len)
{
	vw_chained_entry *out = vw_message_new(arena, &verifywise__v1__chained_entry__descriptor);
	uint8_t *hash = vw_arena_alloc(arena, VW_LEDGER_HASH);
	vw_ledger_hash(&w->owner, ++w->head.sequence, w->head.hash, payload, len, hash);
	memcpy(w->head.hash, hash, VW_LEDGER_HASH);
	VW_SET_BYTES(out, payload, payload, len);
	VW_SET_BYTES(out, chain_sha256, hash, VW_LEDGER_HASH);
	return out;
}

static vw_chained_entry *append(struct writer *w, const vw_entry *entry)
{
	size_t len;
	uint8_t *payload = vw_message_pack(arena, &entry->base, &len);
	return chain_payload(w, payload, len);
}

static vw_chained_entry *append_epoch(struct writer *w, const char *organization, const char *agent, uint64_t epoch)
{
	w->owner = (struct vw_ledger_owner){organization, agent, epoch};
	return append(w, epoch_entry(organization, agent, epoch));
}

static struct writer begin(const char *agent)
{
	return (struct writer){.owner = {"", agent, 1}};
}

/* ---- The receiver ---- */

static int follow(struct vw_chain *chain, const vw_chained_entry *entry)
{
	vw_entry *out = NULL;
	struct vw_chain before = *chain;
	int rc = vw_chain_follow(chain, entry, "7", AGENT, arena, &out, &err);
	if (rc == 0) {
		assert_non_null(out);
		assert_int_equal(chain->head.sequence, before.head.sequence + 1);
		assert_memory_equal(chain->head.hash, entry->chain_sha256.data, VW_LEDGER_HASH);
		return 0;
	}
	/* a refused entry moves nothing */
	assert_memory_equal(chain, &before, sizeof(before));
	assert_null(out);
	return rc;
}

static void owner_is(const struct vw_chain *chain, const char *organization, const char *agent, uint64_t epoch)
{
	assert_string_equal(chain->organization, organization);
	assert_string_equal(chain->agent_id, agent);
	assert_int_equal(chain->epoch, epoch);
}

static void test_a_ledger_that_was_begun_before_enrolment(void **state)
{
	struct writer w = begin(AGENT);
	struct vw_chain chain;
	vw_entry *entry;
	(void)state;
	vw_chain_begin(&chain, AGENT);
	owner_is(&chain, "", AGENT, 1);
	assert_int_equal(chain.head.sequence, 0);
	vw_chained_entry *first = append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "first"));
	assert_ok(vw_chain_follow(&chain, first, "7", AGENT, arena, &entry, &err), err);
	assert_string_equal(entry->audit->text, "first");
	assert_ok(follow(&chain, append(&w, audit_entry(VW_AUDIT_SYNC_FINISHED, "second"))), err);
	owner_is(&chain, "", AGENT, 1);
	assert_ok(follow(&chain, append_epoch(&w, "7", AGENT, 2)), err);
	owner_is(&chain, "7", AGENT, 2);
	for (int i = 0; i < 10; i++)
		assert_ok(follow(&chain, append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "later"))), err);
	assert_int_equal(chain.head.sequence, 13);
	assert_memory_equal(chain.head.hash, w.head.hash, VW_LEDGER_HASH);
}

/* The vector of docs/ledger.md, whose first owner is "acme": the receiver begins where that is known. */
static void test_the_documented_vector(void **state)
{
	static const char *const payloads[] = {"08809494caca332a0908011a056669727374",
					       "08e89b94caca332a0a08021a067365636f6e64"};
	static const char *const hashes[] = {"a308801388f091a9771bc1f398b9b3e1f77b551f46d68264d3cf9ff91fd3b1dd",
					     "eefbdc6664242848502bc872f4769254921aca820219ba64b7bcc31d587773d9"};
	struct vw_chain chain;
	(void)state;
	vw_chain_begin(&chain, AGENT);
	strcpy(chain.organization, "acme");
	for (int i = 0; i < 2; i++) {
		vw_chained_entry entry = VERIFYWISE__V1__CHAINED_ENTRY__INIT;
		uint8_t payload[64], hash[32];
		size_t len = strlen(payloads[i]) / 2;
		assert_true(vw_hex_decode(payloads[i], payload, len) && vw_hex_decode(hashes[i], hash, 32));
		VW_SET_BYTES(&entry, payload, payload, len);
		VW_SET_BYTES(&entry, chain_sha256, hash, 32);
		assert_ok(follow(&chain, &entry), err);
	}
}

static void test_changed_entries(void **state)
{
	struct writer w = begin(AGENT);
	struct vw_chain chain;
	(void)state;
	vw_chain_begin(&chain, AGENT);
	vw_chained_entry *first = append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "first"));
	vw_chained_entry *second = append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "second"));
	vw_chained_entry *third = append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "third"));
	assert_fails(follow(&chain, second), VW_ECORRUPT, err,
		     "entry 1: its hash does not follow"); /* one left out */
	assert_ok(follow(&chain, first), err);
	assert_fails(follow(&chain, first), VW_ECORRUPT, err, "entry 2"); /* one twice */
	assert_fails(follow(&chain, third), VW_ECORRUPT, err, "entry 2"); /* one left out */
	for (size_t at = 0; at < second->payload.len; at++) {
		vw_chained_entry changed = *second;
		struct vw_bytes payload = {second->payload.data, second->payload.len};
		changed.payload.data = (uint8_t *)(uintptr_t)with_flip(payload, at).data;
		assert_int_not_equal(follow(&chain, &changed), 0);
	}
	for (size_t at = 0; at < VW_LEDGER_HASH; at++) {
		vw_chained_entry changed = *second;
		struct vw_bytes hash = {second->chain_sha256.data, VW_LEDGER_HASH};
		changed.chain_sha256.data = (uint8_t *)(uintptr_t)with_flip(hash, at).data;
		assert_fails(follow(&chain, &changed), VW_ECORRUPT, err, "entry 2");
	}
	assert_ok(follow(&chain, second), err);
	assert_ok(follow(&chain, third), err);
	/* under another's name it is another chain */
	vw_chain_begin(&chain, FORMER);
	assert_fails(follow(&chain, first), VW_ECORRUPT, err, "entry 1");
}

static void test_what_is_no_entry(void **state)
{
	struct vw_chain chain;
	vw_chained_entry entry = VERIFYWISE__V1__CHAINED_ENTRY__INIT;
	(void)state;
	vw_chain_begin(&chain, AGENT);
	assert_fails(follow(&chain, &entry), VW_EINVAL, err, "a payload of 0 bytes");
	struct writer w = begin(AGENT);
	vw_chained_entry good = *append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "x"));
	entry = good;
	entry.has_chain_sha256 = 0;
	assert_fails(follow(&chain, &entry), VW_EINVAL, err, "32 bytes");
	entry = good;
	entry.chain_sha256.len = 31;
	assert_fails(follow(&chain, &entry), VW_EINVAL, err, "32 bytes");
	entry = good;
	entry.payload.len = VW_MAX_ENTRY + 1;
	assert_fails(follow(&chain, &entry), VW_EINVAL, err, "VW_MAX_ENTRY");
	/* hashed rightly, but not what may be in a ledger */
	w = begin(AGENT);
	assert_fails(follow(&chain, chain_payload(&w, "\xff", 1)), VW_EINVAL, err, "not a packed Entry");
	w = begin(AGENT);
	assert_fails(follow(&chain, chain_payload(&w, "\x08\x01", 2)), VW_EINVAL, err, "without a body");
	w = begin(AGENT);
	assert_fails(follow(&chain, chain_payload(&w, "\x5a\x00", 2)), VW_EINVAL, err,
		     "without a body"); /* a later version's */
	assert_ok(follow(&chain, &good), err);
}

/* What is chained rightly under the owner that the entry names, and still not followed. */
static void refuse_epoch(struct vw_chain *chain, struct writer w, const char *organization, const char *agent,
			 uint64_t epoch, const char *says)
{
	assert_fails(follow(chain, append_epoch(&w, organization, agent, epoch)), VW_EFORBIDDEN, err, says);
}

static void test_owners_that_are_refused(void **state)
{
	struct writer w = begin(AGENT);
	struct vw_chain chain;
	(void)state;
	vw_chain_begin(&chain, AGENT);
	assert_ok(follow(&chain, append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "x"))), err);
	refuse_epoch(&chain, w, "8", AGENT, 2, "organization is not the sender's");
	refuse_epoch(&chain, w, "", AGENT, 2, "organization is not the sender's");
	refuse_epoch(&chain, w, "07", AGENT, 2, "organization is not the sender's");
	refuse_epoch(&chain, w, "7", AGENT, 3, "not one more");
	refuse_epoch(&chain, w, "7", "Agent", 2, "no UUID");
	assert_ok(follow(&chain, append_epoch(&w, "7", AGENT, 2)), err);
	refuse_epoch(&chain, w, "7", AGENT, 2, "not one more");
	refuse_epoch(&chain, w, "7", AGENT, 4, "not one more");
	refuse_epoch(&chain, w, "8", AGENT, 3, "organization is not the sender's");
	/* the chain is the sender's already: it cannot become another's under its hands */
	refuse_epoch(&chain, w, "7", FORMER, 3, "the sender's already");
}

/* The remedy for a clone is a new id: its ledger holds the epoch of the old one. */
static void test_a_new_id_in_the_same_organization(void **state)
{
	struct writer w = begin(FORMER);
	struct vw_chain chain;
	(void)state;
	vw_chain_begin(&chain, FORMER);
	assert_ok(follow(&chain, append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "x"))), err);
	assert_ok(follow(&chain, append_epoch(&w, "7", FORMER, 2)), err);
	assert_ok(follow(&chain, append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "y"))), err);
	assert_ok(follow(&chain, append_epoch(&w, "7", AGENT, 3)), err);
	owner_is(&chain, "7", AGENT, 3);
	assert_ok(follow(&chain, append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "z"))), err);
	refuse_epoch(&chain, w, "7", FORMER, 4, "the sender's already");
}

static void test_an_epoch_that_is_ill_formed(void **state)
{
	struct vw_chain chain;
	(void)state;
	vw_chain_begin(&chain, AGENT);
	for (int i = 0; i < 5; i++) {
		struct writer w = {.owner = {"7", AGENT, 2}};
		vw_entry *entry = epoch_entry("7", AGENT, 2);
		if (i == 0)
			entry->audit->epoch = NULL;
		if (i == 1)
			entry->audit->kind = VW_AUDIT_ENROLLED;
		if (i == 2)
			entry->audit->epoch->agent_id = NULL;
		if (i == 3)
			entry->audit->epoch->has_epoch = 0;
		if (i == 4)
			entry->audit->epoch->organization = vw_arena_strdup(arena, "12345678901234567890");
		assert_fails(follow(&chain, append(&w, entry)), VW_EINVAL, err, "entry 1: a new epoch");
	}
	/* chained under the owner before, as if it did not count for itself */
	struct writer w = begin(AGENT);
	assert_fails(follow(&chain, append(&w, epoch_entry("7", AGENT, 2))), VW_ECORRUPT, err, "entry 1");
}

static void test_the_last_number(void **state)
{
	struct writer w = begin(AGENT);
	struct vw_chain chain;
	(void)state;
	vw_chain_begin(&chain, AGENT);
	chain.head.sequence = INT64_MAX - 1;
	w.head.sequence = INT64_MAX - 1;
	assert_ok(follow(&chain, append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "x"))), err);
	assert_fails(follow(&chain, append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "x"))), VW_EINVAL, err,
		     "no number left");
}

static void test_without_memory(void **state)
{
	struct writer w = begin(AGENT);
	struct vw_chain chain;
	vw_entry *out;
	struct vw_arena *small = vw_arena_open(64);
	(void)state;
	vw_chain_begin(&chain, AGENT);
	vw_chained_entry *entry = append(&w, audit_entry(VW_AUDIT_SYNC_STARTED, "x"));
	assert_int_equal(vw_chain_follow(&chain, entry, "7", AGENT, small, &out, &err), VW_ELIMIT);
	assert_int_equal(chain.head.sequence, 0);
	vw_arena_close(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_ledger_that_was_begun_before_enrolment),
	    cmocka_unit_test(test_the_documented_vector),
	    cmocka_unit_test(test_changed_entries),
	    cmocka_unit_test(test_what_is_no_entry),
	    cmocka_unit_test(test_owners_that_are_refused),
	    cmocka_unit_test(test_a_new_id_in_the_same_organization),
	    cmocka_unit_test(test_an_epoch_that_is_ill_formed),
	    cmocka_unit_test(test_the_last_number),
	    cmocka_unit_test(test_without_memory),
	};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
