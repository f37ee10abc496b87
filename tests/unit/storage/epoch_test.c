/* uplink.h, ledger.h: the chain gets another owner, and stays one chain (S10.4). */
#include "fixture.h"

#include "storage/uplink.h"

#include "proto/message.h"

#define OTHER_AGENT "0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8e"

/* Tables by their index in store.c. */
enum { META = 0, LEDGER = 1 };

struct state {
	char *dir;
	struct vw_store *store;
	struct vw_arena *arena;
	struct vw_error err;
	struct vw_ledger_check check;
	char first[VW_LEDGER_AGENT_MAX]; /* the agent's id at the beginning */
};

static int setup(void **out)
{
	struct state *s = calloc(1, sizeof(*s));
	s->dir = make_dir();
	s->arena = vw_arena_open(0);
	assert_ok(vw_store_open(s->dir, VW_KV_WRITE, &s->store, &s->err), s->err);
	snprintf(s->first, sizeof(s->first), "%s", vw_store_identity(s->store)->agent_id);
	*out = s;
	return 0;
}

static int teardown(void **in)
{
	struct state *s = *in;
	vw_store_close(s->store);
	vw_arena_close(s->arena);
	drop_dir(s->dir);
	free(s);
	return 0;
}

static void reopen(struct state *s, enum vw_kv_mode mode)
{
	vw_store_close(s->store);
	s->store = NULL;
	assert_ok(vw_store_open(s->dir, mode, &s->store, &s->err), s->err);
}

static void owner_is(struct state *s, const char *organization, const char *agent, uint64_t epoch)
{
	struct vw_ledger_owner owner = vw_store_owner(s->store);
	assert_string_equal(owner.organization, organization);
	assert_string_equal(owner.agent, agent);
	assert_int_equal(owner.epoch, epoch);
}

static void sound(struct state *s, uint64_t entries)
{
	assert_ok(vw_store_verify(s->store, &s->check, NULL, NULL, &s->err), s->err);
	if (s->check.first_bad)
		fail_msg("bad at %d: %s", (int)s->check.first_bad, s->check.reason);
	assert_int_equal(s->check.entries, entries);
	assert_int_equal(python_verifies(s->store), 0);
}

static void bad_at(struct state *s, uint64_t sequence, const char *reason)
{
	assert_ok(vw_store_verify(s->store, &s->check, NULL, NULL, &s->err), s->err);
	if (s->check.first_bad != sequence || !strstr(s->check.reason, reason))
		fail_msg("bad at %d: %s", (int)s->check.first_bad, s->check.reason);
	assert_int_equal(python_verifies(s->store), 1);
}

struct change {
	struct vw_store *store;
	const char *organization;
	const char *agent;
	const char *then; /* an entry in the same transaction */
	int result;       /* of the step */
	uint64_t sequence;
};

static int begin_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct change *c = arg;
	struct vw_arena *arena = vw_arena_open(0);
	int rc = vw_store_begin_epoch(txn, c->store, arena, c->organization, c->agent, &c->sequence, err);
	vw_arena_close(arena);
	if (rc == 0 && c->then)
		rc = append_audit(txn, c->store, c->then, err);
	return rc == 0 && c->result ? vw_error_set(err, c->result, "no") : rc;
}

static int begin(struct state *s, struct change c)
{
	c.store = s->store;
	int rc = vw_kv_write(vw_store_kv(s->store), begin_step, &c, &s->err);
	if (rc == 0) {
		struct vw_ledger_check check;
		assert_ok(vw_store_verify(s->store, &check, NULL, NULL, &s->err), s->err);
		assert_int_equal(c.sequence, check.entries - (c.then != NULL));
	}
	return rc;
}

static void test_ledger_goes_on_under_another_owner(void **in)
{
	struct state *s = *in;
	vw_entry *entry;
	struct vw_txn *view;
	const vw_epoch_started *epoch;
	const vw_agent_identity *before = vw_store_identity(s->store);
	record_audit(s->store, "alone");
	record_many(s->store, "m", 1, 3, 10);
	assert_ok(begin(s, (struct change){.organization = "7", .agent = s->first, .then = "enrolled"}), s->err);
	owner_is(s, "7", s->first, 2);
	assert_string_equal(before->organization, ""); /* who held it still may look at it */
	sound(s, 6);
	record_many(s->store, "m", 4, 1, 10);
	sound(s, 7);
	reopen(s, VW_KV_READ);
	owner_is(s, "7", s->first, 2);
	assert_string_equal(vw_store_identity(s->store)->genesis_agent_id, s->first);
	assert_int_equal(vw_store_identity(s->store)->fingerprint_key.len, 32);
	sound(s, 7);
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &view, &s->err), s->err);
	assert_ok(vw_store_entry(view, s->arena, 5, &entry, &s->err), s->err);
	vw_txn_end(view);
	assert_int_equal(vw_ledger_epoch_of(entry, &epoch), 1);
	assert_string_equal(epoch->organization, "7");
	assert_string_equal(epoch->agent_id, s->first);
	assert_int_equal(epoch->epoch, 2);
	assert_true(entry->has_recorded_at);
}

static void test_owners_follow_one_another(void **in)
{
	struct state *s = *in;
	assert_ok(begin(s, (struct change){.organization = "7", .agent = s->first}), s->err); /* an empty ledger */
	assert_ok(begin(s, (struct change){.organization = "7", .agent = OTHER_AGENT}), s->err);
	reopen(s, VW_KV_WRITE);
	owner_is(s, "7", OTHER_AGENT, 3);
	assert_string_equal(vw_store_identity(s->store)->genesis_agent_id, s->first); /* where it all began */
	assert_ok(begin(s, (struct change){.organization = "", .agent = OTHER_AGENT}), s->err);
	record_audit(s->store, "nobody's");
	sound(s, 4);
	owner_is(s, "", OTHER_AGENT, 4);
}

static void test_aborted_epoch_changes_nothing(void **in)
{
	struct state *s = *in;
	record_audit(s->store, "one");
	assert_int_equal(
	    begin(s, (struct change){.organization = "7", .agent = s->first, .then = "x", .result = VW_ECANCELLED}),
	    VW_ECANCELLED);
	owner_is(s, "", s->first, 1);
	record_audit(s->store, "two");
	sound(s, 2);
	reopen(s, VW_KV_READ);
	owner_is(s, "", s->first, 1);
}

static void test_owner_that_is_none_is_refused(void **in)
{
	struct state *s = *in;
	static const char *const organizations[] = {"acme", "7 ", "-7", "1234567890123456"};
	static const char *const agents[] = {"", "x", "0B5C1F5E-7F6E-4D0A-9F0E-3D2C1B0A9F8E", OTHER_AGENT "0"};
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(begin(s, (struct change){.organization = organizations[i], .agent = s->first}),
				 VW_EINVAL);
		assert_int_equal(begin(s, (struct change){.organization = "7", .agent = agents[i]}), VW_EINVAL);
	}
	assert_int_equal(begin(s, (struct change){.organization = "", .agent = s->first}), VW_EINVAL);
	assert_says(s->err, "already");
	assert_ok(begin(s, (struct change){.organization = "123456789012345", .agent = s->first}), s->err);
	sound(s, 1);
}

static int append_epoch(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct vw_arena *arena = vw_arena_open(0);
	vw_epoch_started epoch = VERIFYWISE__V1__EPOCH_STARTED__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	audit.epoch = &epoch;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	int rc = vw_store_append(txn, arg, arena, &entry, NULL, NULL, err);
	vw_arena_close(arena);
	return rc;
}

static void test_epoch_is_no_ordinary_entry(void **in)
{
	struct state *s = *in;
	assert_int_equal(vw_kv_write(vw_store_kv(s->store), append_epoch, s->store, &s->err), VW_EINVAL);
	assert_says(s->err, "vw_store_begin_epoch");
}

/* ---- By someone who knows the format ---- */

/* An entry that was put behind the last one, chained under any owner. */
struct forged {
	struct vw_ledger_owner owner;
	vw_epoch_started epoch;
	bool nameless; /* says that an epoch begins, and not whose */
};

static int forge_step(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct forged *f = arg;
	struct vw_arena *arena = vw_arena_open(0);
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_chained_entry chained = VERIFYWISE__V1__CHAINED_ENTRY__INIT;
	struct vw_ledger_head head;
	uint8_t hash[VW_LEDGER_HASH], key[9] = {VW_LEDGER_AUDIT};
	size_t len, chained_len;
	VW_SET(&audit, kind, VW_AUDIT_EPOCH_STARTED);
	audit.epoch = f->nameless ? NULL : &f->epoch;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	const uint8_t *bytes = vw_message_pack(arena, &entry.base, &len);
	vw_store_head(txn, &head, err);
	vw_ledger_hash(&f->owner, head.sequence + 1, head.hash, bytes, len, hash);
	VW_SET_BYTES(&chained, payload, bytes, len);
	VW_SET_BYTES(&chained, chain_sha256, hash, sizeof(hash));
	bytes = vw_message_pack(arena, &chained.base, &chained_len);
	key[8] = (uint8_t)(head.sequence + 1);
	vw_kv_append(txn, LEDGER, (struct vw_bytes){key + 1, 8}, (struct vw_bytes){bytes, chained_len}, err);
	int rc = vw_kv_put(txn, LEDGER + 1, (struct vw_bytes){key, 9}, (struct vw_bytes){"", 0}, err);
	vw_arena_close(arena);
	return rc;
}

/* Behind two entries, the second of which gave the ledger to organization 7. */
static void forge(struct state *s, const char *organization, uint64_t epoch, struct vw_ledger_owner owner,
		  bool nameless)
{
	struct forged f = {.owner = owner, .nameless = nameless};
	reopen(s, VW_KV_WRITE);
	verifywise__v1__epoch_started__init(&f.epoch);
	f.epoch.organization = (char *)organization;
	f.epoch.agent_id = s->first;
	VW_SET(&f.epoch, epoch, epoch);
	assert_ok(vw_kv_write(vw_store_kv(s->store), forge_step, &f, &s->err), s->err);
}

static int delete_last(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	uint8_t key[9] = {VW_LEDGER_AUDIT, 0, 0, 0, 0, 0, 0, 0, 3};
	(void)arg;
	vw_kv_delete(txn, LEDGER, (struct vw_bytes){key + 1, 8}, err);
	return vw_kv_delete(txn, LEDGER + 1, (struct vw_bytes){key, 9}, err);
}

static void test_false_epochs_are_found(void **in)
{
	struct state *s = *in;
	const struct vw_ledger_owner now = {"7", s->first, 2}, next = {"8", s->first, 3}, later = {"8", s->first, 4};
	record_audit(s->store, "one");
	assert_ok(begin(s, (struct change){.organization = "7", .agent = s->first}), s->err);
	static const char *const reasons[] = {"hash is not", "not the next one", "does not say whose",
					      "does not say whose",
					      "by its entries the ledger belongs to organization '8'"};
	for (size_t i = 0; i < 5; i++) {
		if (i == 0)
			forge(s, "8", 3, now, false); /* under the owner of before */
		if (i == 1)
			forge(s, "8", 4, now, false); /* one left out */
		if (i == 2)
			forge(s, "8", 3, now, true);
		if (i == 3)
			forge(s, "a name that is far too long", 3, now, false);
		if (i == 4)
			forge(s, "8", 3, next, false); /* right, but the identity knows nothing of it */
		bad_at(s, i == 4 ? 4 : 3, reasons[i]);
		assert_ok(vw_kv_write(vw_store_kv(s->store), delete_last, NULL, &s->err), s->err);
	}
	forge(s, "8", 4, later, false);
	bad_at(s, 3, "hash is not");
}

static int put_identity(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct vw_arena *arena = vw_arena_open(0);
	size_t len;
	const uint8_t *bytes = vw_message_pack(arena, arg, &len);
	int rc = vw_kv_put(txn, META, text("identity"), (struct vw_bytes){bytes, len}, err);
	vw_arena_close(arena);
	return rc;
}

static void test_identity_of_another_owner_is_found(void **in)
{
	struct state *s = *in;
	record_audit(s->store, "one");
	assert_ok(begin(s, (struct change){.organization = "7", .agent = s->first}), s->err);
	for (int i = 0; i < 5; i++) {
		vw_agent_identity id = *vw_store_identity(s->store);
		if (i == 0)
			id.organization = (char *)"8";
		if (i == 1)
			id.epoch = 3;
		if (i == 2)
			id.agent_id = (char *)OTHER_AGENT;
		if (i == 3)
			id.genesis_agent_id = (char *)OTHER_AGENT;
		assert_ok(vw_kv_write(vw_store_kv(s->store), put_identity, &id, &s->err), s->err);
		if (i == 4)
			sound(s, 2);
		else
			bad_at(s, i == 3 ? 1 : 3, i == 3 ? "hash is not" : "by the state's identity to");
	}
}

int main(void)
{
#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_STORE(test_ledger_goes_on_under_another_owner), WITH_STORE(test_owners_follow_one_another),
	    WITH_STORE(test_aborted_epoch_changes_nothing),      WITH_STORE(test_owner_that_is_none_is_refused),
	    WITH_STORE(test_epoch_is_no_ordinary_entry),         WITH_STORE(test_false_epochs_are_found),
	    WITH_STORE(test_identity_of_another_owner_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
