/* Entries of the ledger and the index of versions (S10.2, S10.4, S10.5). */
#include "fixture.h"

#include "proto/message.h"

struct state {
	char *dir;
	struct vw_store *store;
	struct vw_txn *view;
	struct vw_arena *arena;
	struct vw_error err;
};

static int setup(void **out)
{
	struct state *s = calloc(1, sizeof(*s));
	s->dir = make_dir();
	s->arena = vw_arena_open(0);
	assert_ok(vw_store_open(s->dir, VW_KV_WRITE, &s->store, &s->err), s->err);
	*out = s;
	return 0;
}

static int teardown(void **in)
{
	struct state *s = *in;
	vw_txn_end(s->view);
	vw_store_close(s->store);
	vw_arena_close(s->arena);
	drop_dir(s->dir);
	free(s);
	return 0;
}

static struct vw_txn *look(struct state *s)
{
	vw_txn_end(s->view);
	s->view = NULL;
	assert_ok(vw_txn_begin_read(vw_store_kv(s->store), &s->view, &s->err), s->err);
	return s->view;
}

static vw_version_index *index_of(struct state *s, const char *workspace, const char *model, const char *version)
{
	vw_version_index *index;
	assert_ok(vw_store_version(look(s), s->arena, workspace, model, version, &index, &s->err), s->err);
	return index;
}

/* ---- The ledger ---- */

static void test_entries_are_numbered_and_chained(void **in)
{
	struct state *s = *in;
	struct vw_ledger_head head;
	assert_ok(vw_store_head(look(s), &head, &s->err), s->err);
	assert_int_equal(head.sequence, 0);
	assert_int_equal(record_audit(s->store, "one"), 1);
	struct seen seen = {.model = "m", .version = "1", .owner = "o", .at = 5};
	assert_int_equal(record_version(s->store, &seen), 2);
	assert_int_equal(record_audit(s->store, "three"), 3);
	vw_entry *entry;
	assert_ok(vw_store_entry(look(s), s->arena, 1, &entry, &s->err), s->err);
	assert_string_equal(entry->audit->text, "one");
	assert_ok(vw_store_entry(s->view, s->arena, 2, &entry, &s->err), s->err);
	vw_record *record;
	assert_ok(vw_store_record(s->arena, entry->version, &record, &s->err), s->err);
	assert_string_equal(record->identity->owner, "o");
	/* h(3) from h(2), by the owner's own words */
	struct vw_bytes payload;
	const uint8_t *before, *hash;
	uint8_t computed[32];
	struct vw_ledger_owner owner = vw_store_owner(s->store);
	assert_ok(vw_store_entry_bytes(s->view, 2, &payload, &before, &s->err), s->err);
	assert_ok(vw_store_entry_bytes(s->view, 3, &payload, &hash, &s->err), s->err);
	vw_ledger_hash(&owner, 3, before, payload.data, payload.len, computed);
	assert_memory_equal(computed, hash, 32);
	assert_ok(vw_store_head(s->view, &head, &s->err), s->err);
	assert_int_equal(head.sequence, 3);
	assert_memory_equal(head.hash, hash, 32);
	assert_int_equal(vw_store_entry(s->view, s->arena, 4, &entry, &s->err), VW_ENOTFOUND);
	assert_says(s->err, "no entry 4; its last is 3");
	assert_int_equal(vw_store_entry(s->view, s->arena, 0, &entry, &s->err), VW_ENOTFOUND);
}

static void test_clock_does_not_matter_to_order(void **in)
{
	struct state *s = *in;
	struct seen seen = {.model = "m", .version = "1", .owner = "late", .at = 2000};
	record_version(s->store, &seen);
	seen.owner = "early"; /* the clock went back in between */
	seen.at = 1000;
	uint64_t second = record_version(s->store, &seen);
	assert_int_equal(index_of(s, NULL, "m", "1")->sequence, second);
	assert_int_equal(index_of(s, NULL, "m", "1")->recorded_at, 1000);
	struct vw_ledger_check check;
	assert_ok(vw_store_verify(s->store, &check, NULL, NULL, &s->err), s->err);
	assert_int_equal(check.first_bad, 0);
}

static int list_entry(uint64_t sequence, const vw_entry *entry, struct vw_arena *arena, void *arg,
		      struct vw_error *err)
{
	struct listing *l = arg;
	(void)arena;
	(void)err;
	size_t len = strlen(l->text);
	snprintf(l->text + len, sizeof(l->text) - len, "%d%c ", (int)sequence, ".VR.A"[vw_ledger_kind_of(entry)]);
	return --l->stop_after == 0;
}

static void walks(struct state *s, unsigned kinds, uint64_t from, bool backwards, int stop_after,
		  const char *expected)
{
	struct listing l = {.stop_after = stop_after};
	assert_ok(vw_store_each_entry(look(s), kinds, from, backwards, list_entry, &l, &s->err), s->err);
	assert_string_equal(l.text, expected);
}

static void test_entries_are_walked_by_kind(void **in)
{
	struct state *s = *in;
	walks(s, VW_LEDGER_ALL, 0, false, 0, "");
	walks(s, VW_LEDGER_AUDIT, 0, true, 0, "");
	record_audit(s->store, "start");
	record_many(s->store, "m", 1, 2, 0);
	record_removal(s->store, NULL, "m", "2", 9);
	record_audit(s->store, "end");
	walks(s, VW_LEDGER_ALL, 0, false, 0, "1A 2V 3V 4R 5A ");
	walks(s, VW_LEDGER_ALL, 0, true, 0, "5A 4R 3V 2V 1A ");
	walks(s, VW_LEDGER_ALL, 3, false, 0, "3V 4R 5A ");
	walks(s, VW_LEDGER_ALL, 3, true, 0, "3V 2V 1A ");
	walks(s, VW_LEDGER_ALL, 9, false, 0, "");
	walks(s, VW_LEDGER_ALL, 9, true, 2, "5A 4R ");
	walks(s, VW_LEDGER_AUDIT, 0, false, 0, "1A 5A ");
	walks(s, VW_LEDGER_AUDIT, 4, true, 0, "1A ");
	walks(s, VW_LEDGER_VERSION, 0, true, 0, "3V 2V ");
	walks(s, VW_LEDGER_VERSION, 3, false, 0, "3V ");
	walks(s, VW_LEDGER_REMOVAL, 0, false, 0, "4R ");
	walks(s, VW_LEDGER_VERSION | VW_LEDGER_REMOVAL, 0, true, 2, "4R 3V ");
}

static int refuse(uint64_t sequence, const vw_entry *entry, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	(void)sequence;
	(void)entry;
	(void)arena;
	(void)arg;
	return vw_error_set(err, VW_ECANCELLED, "enough");
}

static void test_walk_hands_failures_on(void **in)
{
	struct state *s = *in;
	record_audit(s->store, "x");
	assert_int_equal(vw_store_each_entry(look(s), VW_LEDGER_ALL, 0, false, refuse, NULL, &s->err), VW_ECANCELLED);
	assert_string_equal(s->err.message, "enough");
}

/* ---- Versions ---- */

static void test_index_follows_a_version(void **in)
{
	struct state *s = *in;
	struct seen seen = {.workspace = "w", .model = "m", .version = "12", .owner = "a", .at = 100};
	uint64_t first = record_version(s->store, &seen);
	vw_version_index *index = index_of(s, "w", "m", "12");
	assert_string_equal(index->workspace, "w");
	assert_string_equal(index->model_name, "m");
	assert_string_equal(index->version_number, "12");
	assert_int_equal(index->sequence, first);
	assert_int_equal(index->first_seen_at, 100);
	assert_int_equal(index->created_at, 100);
	assert_int_equal(index->life, 1);
	assert_int_equal(index->record_sha256.len, 32);
	assert_int_equal(index->compliance_sha256.len, 32);
	assert_false(index->has_removed_at);
	seen.owner = "b";
	uint64_t second = record_version(s->store, &seen);
	assert_int_equal(index_of(s, "w", "m", "12")->sequence, second);
	record_removal(s->store, "w", "m", "12", 300);
	index = index_of(s, "w", "m", "12");
	assert_int_equal(index->removed_at, 300);
	assert_int_equal(index->sequence, second); /* its last record is still to be found */
	seen.life = 2;
	uint64_t third = record_version(s->store, &seen);
	index = index_of(s, "w", "m", "12");
	assert_false(index->has_removed_at);
	assert_int_equal(index->sequence, third);
	assert_int_equal(index->life, 2);
	assert_int_equal(vw_store_version(s->view, s->arena, "v", "m", "12", &index, &s->err), VW_ENOTFOUND);
	assert_int_equal(vw_store_version(s->view, s->arena, "w", "m", "1", &index, &s->err), VW_ENOTFOUND);
	assert_says(s->err, "model 'm' has no version 1");
}

static void test_version_numbers_are_checked(void **in)
{
	static const char *const bad[] = {"",
					  "x",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "01",
					  "00",
					  "1.0",
					  "0x1",
					  "18446744073709551616",
					  "99999999999999999999999",
					  NULL};
	struct state *s = *in;
	vw_version_index *index;
	look(s);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = vw_store_version(s->view, s->arena, NULL, "fraud", bad[i], &index, &s->err);
		assert_int_equal(rc, VW_EINVAL);
		assert_says(s->err, "'fraud'");
		assert_says(s->err, bad[i] ? bad[i] : "''");
	}
	assert_int_equal(vw_store_version(s->view, s->arena, NULL, "m", "18446744073709551615", &index, &s->err),
			 VW_ENOTFOUND);
	assert_int_equal(vw_store_version(s->view, s->arena, NULL, "m", "0", &index, &s->err), VW_ENOTFOUND);
}

static int list_version(const vw_version_index *index, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct listing *l = arg;
	(void)arena;
	(void)err;
	size_t len = strlen(l->text);
	snprintf(l->text + len, sizeof(l->text) - len, "%s/%s/%s ", index->workspace ? index->workspace : "",
		 index->model_name, index->version_number);
	return --l->stop_after == 0;
}

static void test_versions_are_in_order_of_number(void **in)
{
	static const struct seen seen[] = {
	    {.model = "b", .version = "10", .at = 1},
	    {.model = "b", .version = "9", .at = 1},
	    {.model = "a b", .version = "2", .at = 1},
	    {.model = "a", .version = "100", .at = 1},
	    {.workspace = "w", .model = "a", .version = "3", .at = 1},
	    {.model = "\xc3\xa9", .version = "1", .at = 1},
	};
	struct state *s = *in;
	struct listing l = {.stop_after = 0}, without = {.stop_after = 0}, two = {.stop_after = 2};
	for (size_t i = 0; i < 6; i++)
		record_version(s->store, &seen[i]);
	record_removal(s->store, NULL, "b", "9", 2);
	assert_ok(vw_store_each_version(look(s), true, list_version, &l, &s->err), s->err);
	assert_string_equal(l.text, "/a/100 /a b/2 /b/9 /b/10 /\xc3\xa9/1 w/a/3 ");
	assert_ok(vw_store_each_version(s->view, false, list_version, &without, &s->err), s->err);
	assert_string_equal(without.text, "/a/100 /a b/2 /b/10 /\xc3\xa9/1 w/a/3 ");
	assert_ok(vw_store_each_version(s->view, true, list_version, &two, &s->err), s->err);
	assert_string_equal(two.text, "/a/100 /a b/2 ");
}

/* Longer than a key of LMDB, and alike in the part that fits. */
static void test_long_names_stay_apart(void **in)
{
	struct state *s = *in;
	char a[1025], b[1025], space[VW_STORE_WORKSPACE_MAX + 2];
	memset(a, 'n', sizeof(a));
	a[1024] = '\0';
	memcpy(b, a, sizeof(b));
	b[1023] = 'm';
	memset(space, 'w', sizeof(space));
	space[VW_STORE_WORKSPACE_MAX] = '\0';
	struct seen seen = {.workspace = space, .model = a, .version = "18446744073709551615", .owner = "a", .at = 1};
	uint64_t first = record_version(s->store, &seen);
	seen.model = b;
	uint64_t second = record_version(s->store, &seen);
	assert_int_equal(index_of(s, space, a, "18446744073709551615")->sequence, first);
	assert_int_equal(index_of(s, space, b, "18446744073709551615")->sequence, second);
	assert_string_equal(index_of(s, space, b, "18446744073709551615")->model_name, b);
	space[VW_STORE_WORKSPACE_MAX] = 'w';
	space[VW_STORE_WORKSPACE_MAX + 1] = '\0';
	vw_version_index *index;
	assert_int_equal(vw_store_version(s->view, s->arena, space, "m", "1", &index, &s->err), VW_ELIMIT);
	assert_says(s->err, "VW_STORE_WORKSPACE_MAX");
	/* where one text ends and the next begins is part of the key */
	struct seen ab = {.workspace = "a", .model = "b", .version = "1", .at = 1};
	record_version(s->store, &ab);
	assert_int_equal(vw_store_version(look(s), s->arena, NULL, "ab", "1", &index, &s->err), VW_ENOTFOUND);
}

/* ---- What is wrong with an entry ---- */

struct attempt {
	struct vw_store *store;
	const vw_entry *entry;
	const vw_record *record;
};

static int append_only(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct attempt *a = arg;
	struct vw_error inner = VW_ERROR_INIT;
	struct vw_arena *arena = vw_arena_open(0);
	int rc = vw_store_append(txn, a->store, arena, a->entry, a->record, NULL, err);
	vw_arena_close(arena);
	/* nothing was written yet, so the step can go on without this object */
	assert_int_equal(append_audit(txn, a->store, "after", &inner), 0);
	return rc;
}

static void refused(struct state *s, const vw_entry *entry, const vw_record *record, int code, const char *says)
{
	struct attempt a = {s->store, entry, record};
	assert_int_equal(vw_kv_write(vw_store_kv(s->store), append_only, &a, &s->err), code);
	assert_says(s->err, says);
	struct vw_ledger_head head;
	assert_ok(vw_store_head(look(s), &head, &s->err), s->err);
	assert_int_equal(head.sequence, 0);
}

static void test_bad_entries_are_refused(void **in)
{
	struct state *s = *in;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_version_recorded body = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_record record = VERIFYWISE__V1__RECORD__INIT;
	vw_version_removed removal = VERIFYWISE__V1__VERSION_REMOVED__INIT;
	uint8_t byte = 0;
	refused(s, &entry, NULL, VW_EINVAL, "needs a body");
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry.version = &body;
	refused(s, &entry, NULL, VW_EINVAL, "needs its record");
	refused(s, &entry, &record, VW_EINVAL, "needs its record");
	VW_SET_BYTES(&body, record, &byte, 1);
	VW_SET_BYTES(&body, record_sha256, &byte, 1);
	refused(s, &entry, &record, VW_EINVAL, "without a name");
	record.model_name = (char *)"m";
	record.version_number = (char *)"1a";
	refused(s, &entry, &record, VW_EINVAL, "model 'm': version '1a' is not a version number");
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_REMOVAL;
	entry.removal = &removal;
	refused(s, &entry, NULL, VW_EINVAL, "without a name");
	removal.model_name = (char *)"m";
	removal.version_number = (char *)"1";
	refused(s, &entry, NULL, VW_EINVAL, "not there to be removed");
}

static void test_too_large_an_entry_is_refused(void **in)
{
	struct state *s = *in;
	static uint8_t bytes[16 * 1024 * 1024 + 1];
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_version_recorded body = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_record record = VERIFYWISE__V1__RECORD__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	record.model_name = (char *)"m";
	record.version_number = (char *)"1";
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry.version = &body;
	VW_SET_BYTES(&body, record, bytes, sizeof(bytes));
	VW_SET_BYTES(&body, record_sha256, bytes, 32);
	refused(s, &entry, &record, VW_ELIMIT, "VW_MAX_RECORD");
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	audit.text = malloc(18 * 1024 * 1024);
	memset(audit.text, 'x', 18 * 1024 * 1024);
	audit.text[18 * 1024 * 1024 - 1] = '\0';
	refused(s, &entry, NULL, VW_ELIMIT, "VW_MAX_ENTRY");
	free(audit.text);
}

/* Counts of findings are kept beside the version, so that `inventory` opens no entry for them. */
static void test_index_counts_findings(void **in)
{
	struct state *s = *in;
	static const struct {
		vw_severity severity;
		vw_finding_state state;
	} given[] = {{VW_SEVERITY_HIGH, VW_FINDING_GAP},           {VW_SEVERITY_CRITICAL, VW_FINDING_GAP},
		     {VW_SEVERITY_HIGH, VW_FINDING_GAP},           {VW_SEVERITY_INFO, VW_FINDING_GAP},
		     {VW_SEVERITY_HIGH, VW_FINDING_PASS},          {VW_SEVERITY_LOW, VW_FINDING_UNKNOWN},
		     {VW_SEVERITY_LOW, VW_FINDING_WAIVED},         {(vw_severity)99, VW_FINDING_GAP},
		     {VW_SEVERITY_HIGH, VW_FINDING_NOT_APPLICABLE}};
	vw_finding findings[9], *list[9];
	vw_compliance compliance = VERIFYWISE__V1__COMPLIANCE__INIT;
	vw_completeness completeness = VERIFYWISE__V1__COMPLETENESS__INIT;
	vw_record record = VERIFYWISE__V1__RECORD__INIT;
	vw_version_recorded body = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	uint8_t byte = 0;
	for (size_t i = 0; i < 9; i++) {
		verifywise__v1__finding__init(&findings[i]);
		VW_SET(&findings[i], severity, given[i].severity);
		VW_SET(&findings[i], state, given[i].state);
		list[i] = &findings[i];
	}
	compliance.findings = list;
	compliance.n_findings = 9;
	VW_SET(&compliance, status, VW_COMPLIANCE_GAPS);
	completeness.state = (char *)"partial";
	record.model_name = (char *)"m";
	record.version_number = (char *)"1";
	record.completeness = &completeness;
	VW_SET_BYTES(&body, record, &byte, 1);
	VW_SET_BYTES(&body, record_sha256, &byte, 1);
	body.compliance = &compliance;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry.version = &body;
	struct attempt a = {s->store, &entry, &record};
	assert_ok(vw_kv_write(vw_store_kv(s->store), append_only, &a, &s->err), s->err);
	vw_version_index *index = index_of(s, NULL, "m", "1");
	assert_int_equal(index->status, VW_COMPLIANCE_GAPS);
	assert_true(index->partial);
	assert_int_equal(index->unknown, 1);
	assert_int_equal(index->n_gaps, 5);
	static const uint32_t expected[] = {1, 0, 0, 2, 1};
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(index->gaps[i], expected[i]);
}

static void test_a_version_is_removed_once(void **in)
{
	struct state *s = *in;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_version_removed removal = VERIFYWISE__V1__VERSION_REMOVED__INIT;
	struct seen seen = {.model = "m", .version = "1", .at = 1};
	struct attempt a = {s->store, &entry, NULL};
	record_version(s->store, &seen);
	record_removal(s->store, NULL, "m", "1", 2);
	removal.model_name = (char *)"m";
	removal.version_number = (char *)"1";
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_REMOVAL;
	entry.removal = &removal;
	assert_int_equal(vw_kv_write(vw_store_kv(s->store), append_only, &a, &s->err), VW_EINVAL);
}

static void test_record_that_is_none(void **in)
{
	struct state *s = *in;
	vw_version_recorded body = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_record *record;
	assert_int_equal(vw_store_record(s->arena, &body, &record, &s->err), VW_ECORRUPT);
	uint8_t bytes[] = {0x0a, 9, 'x'};
	VW_SET_BYTES(&body, record, bytes, sizeof(bytes));
	assert_int_equal(vw_store_record(s->arena, &body, &record, &s->err), VW_ECORRUPT);
	assert_says(s->err, "record");
}

int main(void)
{
#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_STORE(test_entries_are_numbered_and_chained),
	    WITH_STORE(test_clock_does_not_matter_to_order),
	    WITH_STORE(test_entries_are_walked_by_kind),
	    WITH_STORE(test_walk_hands_failures_on),
	    WITH_STORE(test_index_follows_a_version),
	    WITH_STORE(test_version_numbers_are_checked),
	    WITH_STORE(test_versions_are_in_order_of_number),
	    WITH_STORE(test_long_names_stay_apart),
	    WITH_STORE(test_bad_entries_are_refused),
	    WITH_STORE(test_too_large_an_entry_is_refused),
	    WITH_STORE(test_index_counts_findings),
	    WITH_STORE(test_a_version_is_removed_once),
	    WITH_STORE(test_record_that_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
