/* vw_store_verify(): the first bad entry is named, whoever made it bad. The tampering here goes through kv.h and so has right
 * checksums: as by someone who knows the format. */
#include "fixture.h"

#include "base/digest.h"
#include "proto/message.h"

/* Tables by their index in store.c. */
enum { LEDGER = 1, KINDS = 2, VERSIONS = 3 };

struct state {
	char *dir;
	struct vw_store *store;
	struct vw_arena *arena;
	struct vw_error err;
	struct vw_ledger_check check;
};

/* 1 audit, 2-6 versions 1-5 of m, 7 a removal of 5, 8 version 1 again, 9 audit */
static int setup(void **out)
{
	struct state *s = calloc(1, sizeof(*s));
	s->dir = make_dir();
	s->arena = vw_arena_open(0);
	assert_ok(vw_store_open(s->dir, VW_KV_WRITE, &s->store, &s->err), s->err);
	record_audit(s->store, "start");
	record_many(s->store, "m", 1, 5, 2500);
	record_removal(s->store, NULL, "m", "5", 50);
	record_many(s->store, "m", 1, 1, 100);
	assert_int_equal(record_audit(s->store, "end"), 9);
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

static void verify(struct state *s)
{
	assert_ok(vw_store_verify(s->store, &s->check, NULL, NULL, &s->err), s->err);
}

static void bad_at(struct state *s, uint64_t sequence, const char *reason)
{
	verify(s);
	if (s->check.first_bad != sequence || !strstr(s->check.reason, reason))
		fail_msg("bad at %d: %s", (int)s->check.first_bad, s->check.reason);
}

/* ---- Below the store ---- */

struct change {
	int table;
	struct vw_bytes key;
	struct vw_bytes value; /* data NULL: delete */
};

static int apply(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct change *c = arg;
	return c->value.data ? vw_kv_put(txn, c->table, c->key, c->value, err)
			     : vw_kv_delete(txn, c->table, c->key, err);
}

static void change(struct state *s, int table, struct vw_bytes key, struct vw_bytes value)
{
	struct change c = {table, key, value};
	assert_ok(vw_kv_write(vw_store_kv(s->store), apply, &c, &s->err), s->err);
}

static struct vw_bytes number(uint64_t n)
{
	static uint8_t bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(n >> (56 - 8 * i));
	return (struct vw_bytes){bytes, 8};
}

static struct vw_bytes kind(unsigned kind, uint64_t n)
{
	static uint8_t bytes[9];
	bytes[0] = (uint8_t)kind;
	memcpy(bytes + 1, number(n).data, 8);
	return (struct vw_bytes){bytes, 9};
}

/* A copy, in the arena. */
static struct vw_bytes get(struct state *s, int table, struct vw_bytes key)
{
	struct vw_txn *view;
	struct vw_bytes value;
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &view, &s->err), s->err);
	assert_ok(vw_kv_get(view, table, key, &value, &s->err), s->err);
	value.data = vw_arena_memdup(s->arena, value.data, value.len);
	vw_txn_end(view);
	return value;
}

/* The key of the only version whose name ends in these bytes: `m`, number. */
static struct vw_bytes version_key(struct state *s, uint8_t version)
{
	struct vw_txn *view;
	struct vw_cursor *cursor;
	struct vw_bytes key, value, found = {NULL, 0};
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &view, &s->err), s->err);
	assert_ok(vw_cursor_open(view, VERSIONS, text(""), false, &cursor, &s->err), s->err);
	while (vw_cursor_next(cursor, &key, &value, &s->err) == 1)
		if (((const uint8_t *)key.data)[key.len - 1] == version)
			found = (struct vw_bytes){vw_arena_memdup(s->arena, key.data, key.len), key.len};
	vw_cursor_close(cursor);
	vw_txn_end(view);
	assert_non_null(found.data);
	return found;
}

static vw_version_index *index_of(struct state *s, uint8_t version)
{
	struct vw_bytes value = get(s, VERSIONS, version_key(s, version));
	void *index;
	assert_ok(vw_message_unpack(s->arena, &verifywise__v1__version_index__descriptor, value.data, value.len, "",
				    &index, &s->err),
		  s->err);
	return index;
}

static void set_index(struct state *s, uint8_t version, const vw_version_index *index)
{
	size_t len;
	const uint8_t *bytes = vw_message_pack(s->arena, &index->base, &len);
	change(s, VERSIONS, version_key(s, version), (struct vw_bytes){bytes, len});
}

/* ---- Sound ---- */

static void test_empty_ledger_is_sound(void **in)
{
	struct state *s = *in;
	char *dir = make_dir();
	vw_store_close(s->store);
	assert_ok(vw_store_open(dir, VW_KV_WRITE, &s->store, &s->err), s->err);
	verify(s);
	assert_int_equal(s->check.first_bad, 0);
	assert_int_equal(s->check.entries, 0);
	assert_int_equal(s->check.head.sequence, 0);
	vw_store_close(s->store);
	s->store = NULL;
	drop_dir(dir);
}

static void count_progress(uint64_t done, uint64_t total, void *arg)
{
	uint64_t *last = arg;
	assert_int_equal(done, *last + 1);
	assert_int_equal(total, 9);
	*last = done;
}

static void test_sound_ledger(void **in)
{
	struct state *s = *in;
	uint64_t last = 0;
	assert_ok(vw_store_verify(s->store, &s->check, count_progress, &last, &s->err), s->err);
	assert_int_equal(s->check.first_bad, 0);
	assert_string_equal(s->check.reason, "");
	assert_int_equal(s->check.entries, 9);
	assert_int_equal(s->check.head.sequence, 9);
	assert_int_equal(last, 9);
}

/* ---- The chain ---- */

static void test_changed_payload(void **in)
{
	struct state *s = *in;
	struct vw_bytes value = get(s, LEDGER, number(3));
	((uint8_t *)value.data)[value.len / 2] ^= 1;
	change(s, LEDGER, number(3), value);
	bad_at(s, 3, "hash");
	assert_int_equal(s->check.entries, 2);
	assert_int_equal(s->check.head.sequence, 2); /* as far as it is sound */
}

static void test_payload_changed_with_its_hash(void **in)
{
	struct state *s = *in;
	struct vw_bytes value = get(s, LEDGER, number(1)), payload;
	const uint8_t *hash;
	const uint8_t zero[32] = {0};
	struct vw_ledger_owner owner = vw_store_owner(s->store);
	assert_true(vw_ledger_open_value(value, &payload, &hash));
	char *said = memmem(payload.data, payload.len, "start", 5);
	assert_non_null(said);
	memcpy(said, "START", 5);
	vw_ledger_hash(&owner, 1, zero, payload.data, payload.len, (uint8_t *)hash);
	change(s, LEDGER, number(1), value);
	bad_at(s, 2, "hash"); /* the next one does not follow any more */
}

static void test_missing_entries(void **in)
{
	struct state *s = *in;
	const struct vw_bytes none = {NULL, 0};
	change(s, LEDGER, number(9), none);
	bad_at(s, 9, "9 lines for 8 entries"); /* what was cut off at the end is still in the list of kinds */
}

static void test_missing_in_the_middle(void **in)
{
	struct state *s = *in;
	const struct vw_bytes none = {NULL, 0};
	change(s, LEDGER, number(4), none);
	bad_at(s, 4, "missing");
	change(s, LEDGER, number(1), none);
	bad_at(s, 1, "missing");
	/* and it is a hole for readers too, not an end */
	struct vw_txn *view;
	vw_entry *entry;
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &view, &s->err), s->err);
	assert_int_equal(vw_store_entry(view, s->arena, 4, &entry, &s->err), VW_ECORRUPT);
	assert_says(s->err, "entry 4 is missing");
	vw_txn_end(view);
}

static int ignore_entry(uint64_t sequence, const vw_entry *entry, struct vw_arena *arena, void *arg,
			struct vw_error *err)
{
	(void)sequence;
	(void)entry;
	(void)arena;
	(void)arg;
	(void)err;
	return 0;
}

static void test_walks_stop_at_holes(void **in)
{
	struct state *s = *in;
	struct vw_txn *view;
	change(s, LEDGER, number(4), (struct vw_bytes){NULL, 0});
	for (int backwards = 0; backwards < 2; backwards++) {
		assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &view, &s->err), s->err);
		assert_int_equal(vw_store_each_entry(view, VW_LEDGER_ALL, 0, backwards, ignore_entry, NULL, &s->err),
				 VW_ECORRUPT);
		assert_says(s->err, "entry 4 is missing");
		assert_int_equal(
		    vw_store_each_entry(view, VW_LEDGER_VERSION, 0, backwards, ignore_entry, NULL, &s->err),
		    VW_ECORRUPT);
		vw_txn_end(view);
	}
}

static void test_value_that_is_no_entry(void **in)
{
	struct state *s = *in;
	struct vw_txn *view;
	change(s, LEDGER, number(6), text("nonsense"));
	bad_at(s, 6, "not a chained entry");
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &view, &s->err), s->err);
	assert_int_equal(vw_store_each_entry(view, VW_LEDGER_ALL, 0, false, ignore_entry, NULL, &s->err),
			 VW_ECORRUPT);
	assert_says(s->err, "entry 6");
	vw_txn_end(view);
	change(s, LEDGER, text("no number"), text("nonsense"));
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &view, &s->err), s->err);
	assert_int_equal(vw_store_each_entry(view, VW_LEDGER_ALL, 7, false, ignore_entry, NULL, &s->err),
			 VW_ECORRUPT);
	vw_txn_end(view);
}

/* ---- What the entries hold ---- */

struct false_hash {
	struct vw_store *store;
	int how;
};

/* Chained as it should be, but saying what is not so. */
static int append_false(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct false_hash *f = arg;
	struct vw_arena *arena = vw_arena_open(0);
	vw_record record = VERIFYWISE__V1__RECORD__INIT;
	vw_version_recorded body = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	uint8_t sha256[32] = {0};
	size_t len;
	record.model_name = (char *)"n";
	record.version_number = (char *)"1";
	uint8_t *bytes = vw_message_pack(arena, &record.base, &len);
	if (f->how > 0)
		bytes[0] = 0xff; /* no record */
	if (f->how > 0)
		vw_sha256_of(bytes, len, sha256);
	VW_SET_BYTES(&body, record, bytes, len);
	VW_SET_BYTES(&body, record_sha256, sha256, 32);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry.version = &body;
	int rc = vw_store_append(txn, f->store, arena, &entry, &record, NULL, err);
	vw_arena_close(arena);
	return rc;
}

static void test_record_with_another_hash(void **in)
{
	struct state *s = *in;
	struct false_hash f = {s->store, 0};
	assert_ok(vw_kv_write(vw_store_kv(s->store), append_false, &f, &s->err), s->err);
	bad_at(s, 10, "does not have the hash");
}

static void test_record_that_is_none(void **in)
{
	struct state *s = *in;
	struct false_hash f = {s->store, 1};
	assert_ok(vw_kv_write(vw_store_kv(s->store), append_false, &f, &s->err), s->err);
	bad_at(s, 10, "not a packed Record");
}

/* ---- The indexes ---- */

static void test_kinds_must_match(void **in)
{
	struct state *s = *in;
	change(s, KINDS, kind(VW_LEDGER_AUDIT, 20), text(""));
	bad_at(s, 10, "list of kinds");
	change(s, KINDS, kind(VW_LEDGER_AUDIT, 1), (struct vw_bytes){NULL, 0});
	bad_at(s, 1, "list of its kind");
	/* a wrong kind must not hand a walk an entry it does not expect */
	change(s, KINDS, kind(VW_LEDGER_AUDIT, 3), text(""));
	struct vw_txn *view;
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &view, &s->err), s->err);
	assert_int_equal(vw_store_each_entry(view, VW_LEDGER_AUDIT, 0, false, ignore_entry, NULL, &s->err),
			 VW_ECORRUPT);
	assert_says(s->err, "entry 3 is not of the kind");
	vw_txn_end(view);
}

static void test_version_without_index(void **in)
{
	struct state *s = *in;
	change(s, VERSIONS, version_key(s, 2), (struct vw_bytes){NULL, 0});
	bad_at(s, 3, "no version 2");
}

static void test_index_of_an_older_entry(void **in)
{
	struct state *s = *in;
	vw_version_index *index = index_of(s, 1);
	assert_int_equal(index->sequence, 8);
	index->sequence = 2;
	set_index(s, 1, index);
	bad_at(s, 2, "other than the entry");
	index->sequence = 1;
	set_index(s, 1, index);
	bad_at(s, 2, "older");
	index->sequence = 99;
	set_index(s, 1, index);
	bad_at(s, 10, "5 versions are indexed, entries were found for 4");
}

static void test_index_that_says_otherwise(void **in)
{
	struct state *s = *in;
	for (int field = 0; field < 6; field++) {
		vw_version_index *index = index_of(s, 2), *right = index_of(s, 2);
		if (field == 0)
			index->record_sha256.data[0] ^= 1;
		if (field == 1)
			index->compliance_sha256.len = 31;
		index->life += field == 2;
		index->recorded_at += field == 3;
		index->first_seen_at += field == 4;
		index->created_at += field == 5;
		set_index(s, 2, index);
		bad_at(s, 3, "other than the entry");
		set_index(s, 2, right);
	}
	verify(s);
	assert_int_equal(s->check.first_bad, 0);
}

static void test_index_for_nothing(void **in)
{
	struct state *s = *in;
	vw_version_index *index = index_of(s, 2);
	size_t len;
	const uint8_t *bytes = vw_message_pack(s->arena, &index->base, &len);
	change(s, VERSIONS, text("another key"), (struct vw_bytes){bytes, len});
	bad_at(s, 10, "6 versions are indexed");
}

static void test_removal_must_match(void **in)
{
	struct state *s = *in;
	vw_version_index *index = index_of(s, 2);
	VW_SET(index, removed_at, 50);
	set_index(s, 2, index);
	bad_at(s, 10, "2 versions are marked as removed, entries say so of 1");
	index->has_removed_at = 0;
	set_index(s, 2, index);
	index = index_of(s, 5);
	index->removed_at = 51;
	set_index(s, 5, index);
	bad_at(s, 7, "does not say that it was removed");
	index->has_removed_at = 0;
	set_index(s, 5, index);
	bad_at(s, 7, "does not say that it was removed");
}

static void test_index_that_is_none(void **in)
{
	struct state *s = *in;
	change(s, VERSIONS, version_key(s, 3), text("\xff\xff"));
	bad_at(s, 4, "not a packed VersionIndex");
}

/* ---- Others can check it too ---- */

static void test_python_verifies_an_export(void **in)
{
	struct state *s = *in;
	assert_int_equal(python_verifies(s->store), 0);
}

int main(void)
{
#define WITH_LEDGER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_LEDGER(test_empty_ledger_is_sound),    WITH_LEDGER(test_sound_ledger),
	    WITH_LEDGER(test_changed_payload),          WITH_LEDGER(test_payload_changed_with_its_hash),
	    WITH_LEDGER(test_missing_entries),          WITH_LEDGER(test_missing_in_the_middle),
	    WITH_LEDGER(test_walks_stop_at_holes),      WITH_LEDGER(test_value_that_is_no_entry),
	    WITH_LEDGER(test_record_with_another_hash), WITH_LEDGER(test_record_that_is_none),
	    WITH_LEDGER(test_kinds_must_match),         WITH_LEDGER(test_version_without_index),
	    WITH_LEDGER(test_index_of_an_older_entry),  WITH_LEDGER(test_index_that_says_otherwise),
	    WITH_LEDGER(test_index_for_nothing),        WITH_LEDGER(test_removal_must_match),
	    WITH_LEDGER(test_index_that_is_none),       WITH_LEDGER(test_python_verifies_an_export),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
