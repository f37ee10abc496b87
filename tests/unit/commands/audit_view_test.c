/* audit_view_test.c: one ledger entry as the rows that people ask for (S3.5, S10.4, S10.5). */
#include "audit_view.h"

#include "base/clock.h"
#include "fixture.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <string.h>

static const struct fixture_version first = {
    .model = "m",
    .number = "1",
    .stage = "Staging",
    .events = {{"first_seen", NULL, "Staging"}, {"aliases", "", "champion"}}};

static int write_ledger(void **state)
{
	if (fixture_open(state) < 0)
		return -1;
	fixture_put(&first, 1000); /* 1: ingested, 2 events */
	fixture_audit(VW_AUDIT_CREDENTIAL_CHANGED, NULL, "another credential", "basic:alice-with-a-long-name",
		      "bearer:hmac-8:0123456789abcdef", 2000); /* 2 */
	fixture_put(&(struct fixture_version){.workspace = "w",
					      .model = "m",
					      .number = "1",
					      .completeness = "partial",
					      .reason = "run_forbidden",
					      .events = {{"first_seen", NULL, NULL}}},
		    3000); /* 3: ingested, incomplete, 1 event */
	fixture_put(
	    &(struct fixture_version){.model = "m", .number = "1", .changed = "risk", .reason = "run_deleted"},
	    4000);                                 /* 4: ingested; complete all the same */
	fixture_remove("m", "1", "Staging", 5000); /* 5 */
	fixture_audit(VW_AUDIT_POLICY_CHANGED, NULL, "another policy", "0123456789abcdef0123456789abcdef",
		      "fedcba9876543210", 6000); /* 6 */
	fixture_finish("ok", 2, 7000);           /* 7 */
	return 0;
}

struct rows {
	char text[16][200]; /* "id kind workspace/model version: text" */
	size_t count;
};

static int keep(const struct audit_row *row, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	struct rows *rows = arg;
	(void)arena, (void)err;
	assert_true(rows->count < 16);
	assert_string_equal(row->access->credential, "basic:alice");
	snprintf(rows->text[rows->count++], sizeof(rows->text[0]), "%s %s %s%s%s%s%s: %s", row->id, row->kind,
		 row->workspace ? row->workspace : "", row->workspace ? "/" : "", row->model ? row->model : "-",
		 row->version ? " " : "", row->version ? row->version : "", row->text);
	return 0;
}

static struct rows rows_of(struct audit_filter filter)
{
	struct rows rows = {.count = 0};
	struct vw_error err = VW_ERROR_INIT;
	if (audit_each(fixture_store, &filter, keep, &rows, &err) < 0)
		fail_msg("%s", err.message);
	return rows;
}

static void expect(struct audit_filter filter, const char *const *wanted)
{
	struct rows rows = rows_of(filter);
	size_t i = 0;
	for (; wanted[i]; i++)
		assert_string_equal(i < rows.count ? rows.text[i] : "(no more)", wanted[i]);
	assert_int_equal(rows.count, i);
}

#define ROWS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const all[] = {
    "1 ingested m 1: first record",
    "1.1 deployment_event m 1: first_seen: Staging",
    "1.2 deployment_event m 1: aliases:  -> champion",
    "2 credential_changed -: another credential: basic:alice-with-a-long-name -> bearer:hmac-8:0123456789abcdef",
    "3 ingested w/m 1: first record",
    "3 incomplete w/m 1: run_forbidden (why)",
    "3.1 deployment_event w/m 1: first_seen",
    "4 ingested m 1: changed: risk",
    "5 removed m 1: removed (was Staging)",
    "6 policy_changed -: another policy: 0123456789abcdef -> fedcba9876543210",
    "7 sync_finished -: full ok: 2 new, 0 changed, 0 unchanged, 0 removed; 0 requests",
    NULL};

static void every_entry_gives_its_rows(void **state)
{
	(void)state;
	expect((struct audit_filter){0}, all);
}

/* Also in the middle of an entry; and more than there are. */
static void the_newest_are_counted_from_the_end(void **state)
{
	(void)state;
	for (size_t limit = 1; limit < 15; limit++) {
		size_t left_out = limit < 11 ? 11 - limit : 0;
		expect((struct audit_filter){.limit = limit}, all + left_out);
	}
	expect((struct audit_filter){.limit = 2, .events_only = true},
	       ROWS("3.1 deployment_event w/m 1: first_seen", "5 removed m 1: removed (was Staging)"));
	expect((struct audit_filter){.limit = 1, .kind = "deployment_event"},
	       ROWS("3.1 deployment_event w/m 1: first_seen"));
	expect((struct audit_filter){.limit = 1, .kind = "ingested", .model_glob = "none"},
	       (const char *const[]){NULL});
}

static void filters_choose_rows(void **state)
{
	(void)state;
	expect((struct audit_filter){.events_only = true}, ROWS(all[1], all[2], all[6], all[8]));
	expect((struct audit_filter){.kind = "Ingested"}, ROWS(all[0], all[4], all[7]));
	expect((struct audit_filter){.kind = "incomplete"}, ROWS(all[5]));
	expect((struct audit_filter){.kind = "removed"}, ROWS(all[8]));
	expect((struct audit_filter){.kind = "sync_finished"}, ROWS(all[10]));
	expect((struct audit_filter){.since = 5000}, ROWS(all[8], all[9], all[10]));
	expect((struct audit_filter){.model_glob = "m*", .kind = "ingested", .since = 3000}, ROWS(all[4], all[7]));
}

static void an_empty_ledger_has_no_rows(void **state)
{
	(void)state;
	expect((struct audit_filter){0}, (const char *const[]){NULL});
	expect((struct audit_filter){.limit = 3}, (const char *const[]){NULL});
}

static int stop_at_two(const struct audit_row *row, struct vw_arena *arena, void *arg, struct vw_error *err)
{
	(void)row, (void)arena;
	return ++*(int *)arg == 2 ? vw_error_set(err, VW_EIO, "enough") : 0;
}

static void a_row_that_fails_ends_the_walk(void **state)
{
	struct audit_filter filter = {0};
	struct vw_error err = VW_ERROR_INIT;
	int count = 0;
	(void)state;
	assert_int_equal(audit_each(fixture_store, &filter, stop_at_two, &count, &err), VW_EIO);
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_entry_gives_its_rows, write_ledger, fixture_close),
	    cmocka_unit_test_setup_teardown(the_newest_are_counted_from_the_end, write_ledger, fixture_close),
	    cmocka_unit_test_setup_teardown(filters_choose_rows, write_ledger, fixture_close),
	    cmocka_unit_test_setup_teardown(an_empty_ledger_has_no_rows, fixture_open, fixture_close),
	    cmocka_unit_test_setup_teardown(a_row_that_fails_ends_the_walk, write_ledger, fixture_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
