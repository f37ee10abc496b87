#include "census.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "command.h"
#include "proto/message.h"

#include "../base/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/vw_census_test.XXXXXX";
static struct vw_store *store;

static int open_store(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	vw_cli_cancelled = 0;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	return vw_store_open(folder, VW_KV_WRITE, &store, &err);
}

static int close_store(void **state)
{
	char command[64];
	(void)state;
	vw_store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

struct version {
	const char *model, *number;
	vw_compliance_status status;
	const char *completeness;
	struct {
		vw_severity severity;
		vw_finding_state state;
	} findings[4]; /* ends with a zero state */
};

static int put_version(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct version *v = arg;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_record record = VERIFYWISE__V1__RECORD__INIT;
	vw_completeness completeness = VERIFYWISE__V1__COMPLETENESS__INIT;
	vw_version_recorded body = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_compliance compliance = VERIFYWISE__V1__COMPLIANCE__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_finding findings[4], *list[4];
	uint8_t sha256[VW_SHA256_SIZE];
	size_t len;
	record.model_name = (char *)v->model;
	record.version_number = (char *)v->number;
	completeness.state = (char *)v->completeness;
	record.completeness = v->completeness ? &completeness : NULL;
	compliance.findings = list;
	for (size_t i = 0; i < 4 && v->findings[i].state; i++) {
		verifywise__v1__finding__init(&findings[i]);
		VW_SET(&findings[i], severity, v->findings[i].severity);
		VW_SET(&findings[i], state, v->findings[i].state);
		list[compliance.n_findings++] = &findings[i];
	}
	if (v->status)
		VW_SET(&compliance, status, v->status);
	uint8_t *bytes = vw_message_pack(arena, &record.base, &len);
	vw_sha256_of(bytes, len, sha256);
	VW_SET_BYTES(&body, record, bytes, len);
	VW_SET_BYTES(&body, record_sha256, sha256, sizeof(sha256));
	VW_SET(&body, first_seen_at, 1);
	VW_SET(&body, life, 1);
	body.compliance = v->status ? &compliance : NULL;
	VW_SET(&entry, recorded_at, 1);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_VERSION;
	entry.version = &body;
	return vw_store_append(txn, store, arena, &entry, &record, NULL, err);
}

static int remove_version(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct version *v = arg;
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_version_removed body = VERIFYWISE__V1__VERSION_REMOVED__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	body.model_name = (char *)v->model;
	body.version_number = (char *)v->number;
	VW_SET(&entry, recorded_at, 2);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_REMOVAL;
	entry.removal = &body;
	return vw_store_append(txn, store, arena, &entry, NULL, NULL, err);
}

static int put_model(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct vw_arena *arena VW_AUTO(vw_arena_cleanup) = vw_arena_open(0);
	vw_registered_model model = VERIFYWISE__V1__REGISTERED_MODEL__INIT;
	model.name = arg;
	return vw_store_put_model(txn, arena, NULL, &model, NULL, err);
}

static void write_step(int (*step)(struct vw_txn *txn, void *arg, struct vw_error *err), const void *arg)
{
	struct vw_error err = VW_ERROR_INIT;
	if (vw_kv_write(vw_store_kv(store), step, (void *)arg, &err) < 0)
		fail_msg("%s", err.message);
}

static struct census taken(void)
{
	struct census census;
	struct vw_error err = VW_ERROR_INIT;
	if (census_take(store, &census, &err) < 0)
		fail_msg("%s", err.message);
	return census;
}

static void an_empty_store_counts_nothing(void **state)
{
	(void)state;
	struct census census = taken();
	assert_int_equal(census.models, 0);
	assert_int_equal(
	    census.versions[CENSUS_COMPLIANT] + census.versions[CENSUS_GAPS] + census.versions[CENSUS_UNKNOWN], 0);
	assert_int_equal(census.sequence, 0);
	assert_true(census.file_bytes > 0);
}

static const struct version a1 = {"a",
				  "1",
				  VW_COMPLIANCE_GAPS,
				  "complete",
				  {{VW_SEVERITY_CRITICAL, VW_FINDING_GAP},
				   {VW_SEVERITY_CRITICAL, VW_FINDING_WAIVED},
				   {VW_SEVERITY_INFO, VW_FINDING_GAP},
				   {VW_SEVERITY_HIGH, VW_FINDING_UNKNOWN}}};
static const struct version a2 = {
    "a", "2", VW_COMPLIANCE_COMPLIANT, "partial", {{VW_SEVERITY_HIGH, VW_FINDING_PASS}, {0}, {0}, {0}}};
static const struct version b1 = {
    "b", "1", 0, NULL, {{VW_SEVERITY_CRITICAL, VW_FINDING_GAP}, {0}, {0}, {0}}}; /* never judged */

static void counts_what_is_current(void **state)
{
	(void)state;
	write_step(put_model, "a");
	write_step(put_model, "b");
	write_step(put_model, "without versions");
	write_step(put_version, &a1);
	write_step(put_version, &a2);
	write_step(put_version, &b1);
	struct census census = taken();
	assert_int_equal(census.models, 3);
	assert_int_equal(census.versions[CENSUS_GAPS], 1);
	assert_int_equal(census.versions[CENSUS_COMPLIANT], 1);
	assert_int_equal(census.versions[CENSUS_UNKNOWN], 1);
	assert_int_equal(census.incomplete, 1);
	assert_int_equal(census.unknown, 1);
	const int64_t gaps[VW_SEVERITIES] = {1, 0, 0, 0, 1};
	assert_memory_equal(census.gaps, gaps, sizeof(gaps));
	assert_int_equal(census.sequence, 3);
}

static void an_older_record_or_a_removed_version_does_not_count(void **state)
{
	(void)state;
	struct version mended = a1;
	write_step(put_version, &a1);
	write_step(put_version, &a2);
	mended.status = VW_COMPLIANCE_COMPLIANT;
	memset(mended.findings, 0, sizeof(mended.findings));
	write_step(put_version, &mended);
	write_step(remove_version, &a2);
	struct census census = taken();
	assert_int_equal(census.versions[CENSUS_COMPLIANT], 1);
	assert_int_equal(census.versions[CENSUS_GAPS], 0);
	assert_int_equal(census.gaps[VW_SEVERITY_CRITICAL - VW_SEVERITY_INFO], 0);
	assert_int_equal(census.incomplete, 0);
	assert_int_equal(census.sequence, 4);
}

static void sizes_leave_the_rest_alone(void **state)
{
	(void)state;
	struct census census = {.models = 7, .unknown = 8};
	struct vw_error err = VW_ERROR_INIT;
	write_step(put_version, &a1);
	assert_int_equal(census_sizes(store, &census, &err), 0);
	assert_int_equal(census.models, 7);
	assert_int_equal(census.unknown, 8);
	assert_int_equal(census.sequence, 1);
	assert_true(census.used_bytes > 0 && census.used_bytes <= census.file_bytes);
}

static void a_signal_ends_it(void **state)
{
	(void)state;
	struct census census = {.models = 7};
	struct vw_error err = VW_ERROR_INIT;
	write_step(put_version, &a1);
	vw_cli_cancelled = 1;
	assert_int_equal(census_take(store, &census, &err), VW_ECANCELLED);
	assert_int_equal(census.models, 7);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)
	const struct CMUnitTest tests[] = {
	    TEST(an_empty_store_counts_nothing),
	    TEST(counts_what_is_current),
	    TEST(an_older_record_or_a_removed_version_does_not_count),
	    TEST(sizes_leave_the_rest_alone),
	    TEST(a_signal_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
