/* What is read off an entry (S3.5, S8, S10.5). */
#include "ledger.h"

#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"
#include "project.h"

static int setup(void **state)
{
	*state = vw_arena_open(0);
	return 0;
}

static int teardown(void **state)
{
	vw_arena_close(*state);
	return 0;
}

static struct vw_projection projected(struct vw_arena *arena, const vw_entry *entry)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_projection p;
	assert_ok(vw_project(3, AGENT_A, 7, entry, arena, &p, &err), err);
	return p;
}

static void a_version_becomes_a_row(void **state)
{
	struct seen seen = {.workspace = "w",
			    .model = "churn",
			    .version = "12",
			    .owner = "alice",
			    .description = "predicts churn",
			    .stage = "Production",
			    .risk = "high",
			    .at = 1000,
			    .updated_at = 900,
			    .gap = "owner:high baseline:low other:high",
			    .partial = true};
	struct vw_projection p = projected(*state, version_entry(*state, &seen));
	const vw_version_row *r = p.row;
	assert_int_equal(r->organization, 3);
	assert_string_equal(r->agent_id, AGENT_A);
	assert_string_equal(r->workspace, "w");
	assert_string_equal(r->model_name, "churn");
	assert_string_equal(r->version_number, "12");
	assert_int_equal(r->sequence, 7);
	assert_string_equal(r->stage, "Production");
	assert_string_equal(r->owner, "alice");
	assert_string_equal(r->risk_category, "high");
	assert_string_equal(r->description, "predicts churn");
	assert_string_equal(r->experiment_name, "experiment");
	assert_string_equal(r->source_uri, "http://mlflow:5000");
	assert_int_equal(r->status, VW_COMPLIANCE_GAPS);
	assert_int_equal(r->n_gaps, VW_SEVERITIES);
	assert_int_equal(r->gaps[VW_SEVERITY_LOW - 1], 1);
	assert_int_equal(r->gaps[VW_SEVERITY_HIGH - 1], 2);
	assert_int_equal(r->gaps[VW_SEVERITY_CRITICAL - 1], 0); /* that one passed */
	assert_int_equal(r->first_seen_at, 1000);
	assert_int_equal(r->recorded_at, 1000);
	assert_int_equal(r->updated_at, 900);
	assert_int_equal(r->created_at, 5);
	assert_true(r->partial);
	assert_false(r->has_removed_at);
	assert_int_equal(r->record_sha256.len, 32);
	assert_string_equal(p.record->model_name, "churn");
	assert_false(p.is_removal);
}

static void open_findings_become_gaps(void **state)
{
	struct seen seen = {.model = "m", .version = "1", .gap = "owner:high baseline:low", .at = 4};
	struct vw_projection p = projected(*state, version_entry(*state, &seen));
	assert_int_equal(p.gap_count, 2);
	assert_string_equal(p.gaps[0]->finding->rule, "owner");
	assert_string_equal(p.gaps[1]->finding->rule, "baseline");
	assert_int_equal(p.gaps[1]->finding->severity, VW_SEVERITY_LOW);
	assert_int_equal(p.gaps[1]->sequence, 7);
	assert_int_equal(p.gaps[1]->recorded_at, 4);
	assert_string_equal(p.gaps[1]->workspace, "");
	seen.gap = NULL;
	p = projected(*state, version_entry(*state, &seen));
	assert_int_equal(p.gap_count, 0);
	assert_int_equal(p.row->status, VW_COMPLIANCE_COMPLIANT);
}

static void events_have_parts(void **state)
{
	struct seen seen = {.model = "m", .version = "1", .event = "Staging", .at = 4};
	vw_entry *entry = version_entry(*state, &seen);
	vw_deployment_event *twice[2] = {entry->version->events[0], entry->version->events[0]};
	entry->version->events = twice;
	entry->version->n_events = 2;
	struct vw_projection p = projected(*state, entry);
	assert_int_equal(p.event_count, 2);
	assert_int_equal(p.events[0]->part, 1);
	assert_int_equal(p.events[1]->part, 2);
	assert_string_equal(p.events[1]->field, "lifecycle_stage");
	assert_string_equal(p.events[1]->to, "Staging");
	assert_null(p.events[1]->from);
	assert_int_equal(p.events[1]->recorded_at, 4);
}

static void a_removal_is_a_key_and_a_time(void **state)
{
	struct vw_projection p = projected(*state, removal_entry(*state, NULL, "m", "3", 44));
	assert_true(p.is_removal);
	assert_null(p.record);
	assert_int_equal(p.row->removed_at, 44);
	assert_string_equal(p.row->version_number, "3");
	assert_string_equal(p.row->workspace, "");
	assert_int_equal(p.gap_count, 0);
	assert_int_equal(p.event_count, 1);
	assert_string_equal(p.events[0]->field, "removed");
	vw_entry *entry = removal_entry(*state, NULL, "m", "3", 44);
	entry->removal->event = NULL;
	assert_int_equal(projected(*state, entry).event_count, 0);
}

static void an_audit_event_is_about_no_version(void **state)
{
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	struct vw_projection p = projected(*state, &entry);
	assert_null(p.row);
	assert_int_equal(p.gap_count, 0);
	assert_int_equal(p.event_count, 0);
}

static void assert_refused(struct vw_arena *arena, const vw_entry *entry, const char *part)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_projection p = {.gap_count = 99};
	assert_int_equal(vw_project(3, AGENT_A, 7, entry, arena, &p, &err), VW_EINVAL);
	assert_says(err, part);
	assert_int_equal(p.gap_count, 99);
}

static void keys_that_are_none(void **state)
{
	char long_name[VW_MAX_NAME + 2], long_space[300];
	memset(long_name, 'x', sizeof(long_name));
	memset(long_space, 'x', sizeof(long_space));
	long_name[VW_MAX_NAME + 1] = long_space[299] = 0;
	const struct {
		struct seen seen;
		const char *part;
	} bad[] = {
	    {{.model = NULL, .version = "1"}, "names no model"},
	    {{.model = "", .version = "1"}, "names no model"},
	    {{.model = "\xff", .version = "1"}, "names no model"},
	    {{.model = long_name, .version = "1"}, "VW_MAX_NAME"},
	    {{.model = "m", .version = NULL}, "version number"},
	    {{.model = "m", .version = ""}, "version number"},
	    {{.model = "m", .version = "01"}, "version number"},
	    {{.model = "m", .version = "1x"}, "version number"},
	    {{.model = "m", .version = "-1"}, "version number"},
	    {{.model = "m", .version = "18446744073709551616"}, "version number"},
	    {{.model = "m", .version = "1", .workspace = long_space}, "VW_STORE_WORKSPACE_MAX"},
	    {{.model = "m", .version = "1", .workspace = "\xc3"}, "VW_STORE_WORKSPACE_MAX"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_refused(*state, version_entry(*state, &bad[i].seen), bad[i].part);
		assert_refused(
		    *state, removal_entry(*state, bad[i].seen.workspace, bad[i].seen.model, bad[i].seen.version, 1),
		    bad[i].part);
	}
	struct seen largest = {.model = "m", .version = "18446744073709551615"};
	projected(*state, version_entry(*state, &largest));
}

static void records_that_are_none(void **state)
{
	struct seen seen = {.model = "m", .version = "1"};
	vw_entry *entry = version_entry(*state, &seen);
	entry->version->record.data[3] ^= 1;
	assert_refused(*state, entry, "hash it names");
	entry = version_entry(*state, &seen);
	entry->version->has_record_sha256 = 0;
	assert_refused(*state, entry, "hash it names");
	entry = version_entry(*state, &seen);
	entry->version->record_sha256.len = 31;
	assert_refused(*state, entry, "hash it names");
	entry = version_entry(*state, &seen);
	entry->version->has_record = 0;
	assert_refused(*state, entry, "holds no record");
	entry = version_entry(*state, &seen);
	memset(entry->version->record.data, 0xff, entry->version->record.len);
	vw_sha256_of(entry->version->record.data, entry->version->record.len, entry->version->record_sha256.data);
	assert_refused(*state, entry, "holds no record");
}

static void too_many_findings(void **state)
{
	struct seen seen = {.model = "m", .version = "1", .gap = "owner:high"};
	vw_entry *entry = version_entry(*state, &seen);
	vw_finding *many[VW_MAX_POLICY_RULES + 1];
	for (size_t i = 0; i <= VW_MAX_POLICY_RULES; i++)
		many[i] = entry->version->compliance->findings[1];
	entry->version->compliance->findings = many;
	entry->version->compliance->n_findings = VW_MAX_POLICY_RULES + 1;
	assert_refused(*state, entry, "VW_MAX_POLICY_RULES");
	entry->version->compliance->n_findings = VW_MAX_POLICY_RULES;
	assert_int_equal(projected(*state, entry).gap_count, VW_MAX_POLICY_RULES);
}

static void values_out_of_range_count_for_nothing(void **state)
{
	struct seen seen = {.model = "m", .version = "1", .gap = "owner:high x:low"};
	vw_entry *entry = version_entry(*state, &seen);
	entry->version->compliance->findings[1]->severity = (vw_severity)6;
	entry->version->compliance->findings[2]->severity = (vw_severity)0;
	entry->version->compliance->status = (vw_compliance_status)99;
	struct vw_projection p = projected(*state, entry);
	assert_int_equal(p.gap_count, 0);
	assert_false(p.row->has_status);
}

static void no_judgement_is_no_judgement(void **state)
{
	struct seen seen = {.model = "m", .version = "1"};
	vw_entry *entry = version_entry(*state, &seen);
	entry->version->compliance = NULL;
	struct vw_projection p = projected(*state, entry);
	assert_false(p.row->has_status);
	assert_int_equal(p.row->n_gaps, 0);
}

/* PostgreSQL refuses what is no UTF-8, and one such text must not hold up an agent's ledger. */
static void texts_are_made_sound(void **state)
{
	char long_text[VW_MAX_ROW_TEXT + 10];
	memset(long_text, 'a', sizeof(long_text));
	memcpy(long_text + VW_MAX_ROW_TEXT - 1, "\xe2\x82\xac", 3); /* a euro sign across the cut */
	long_text[sizeof(long_text) - 1] = 0;
	struct seen seen = {.model = "m",
			    .version = "1",
			    .owner = "a\xff"
				     "b\xc3",
			    .description = long_text,
			    .gap = "r\x80:low",
			    .event = "\xfe"};
	struct vw_projection p = projected(*state, version_entry(*state, &seen));
	assert_string_equal(p.row->owner, "a\xef\xbf\xbd"
					  "b\xef\xbf\xbd");
	assert_int_equal(strlen(p.row->description), VW_MAX_ROW_TEXT - 1);
	assert_string_equal(p.gaps[0]->finding->rule, "r\xef\xbf\xbd");
	assert_string_equal(p.events[0]->to, "\xef\xbf\xbd");
	char all_bad[VW_MAX_ROW_TEXT + 1];
	memset(all_bad, 0xff, sizeof(all_bad));
	all_bad[VW_MAX_ROW_TEXT] = 0;
	seen.owner = all_bad;
	p = projected(*state, version_entry(*state, &seen));
	assert_true(strlen(p.row->owner) <= VW_MAX_ROW_TEXT && strlen(p.row->owner) > VW_MAX_ROW_TEXT - 4);
	assert_true(vw_utf8_valid(p.row->owner, strlen(p.row->owner)));
}

static void a_whole_message_is_cleaned(void **state)
{
	vw_key_value tag = VERIFYWISE__V1__KEY_VALUE__INIT, *tags[1] = {&tag};
	vw_identity identity = VERIFYWISE__V1__IDENTITY__INIT;
	vw_record record = VERIFYWISE__V1__RECORD__INIT;
	char *scope[2] = {(char *)"gdpr", (char *)"\xff"};
	vw_risk risk = VERIFYWISE__V1__RISK__INIT;
	tag.key = (char *)"k\xff";
	tag.value = (char *)"value";
	identity.tags = tags;
	identity.n_tags = 1;
	record.identity = &identity;
	risk.regulatory_scope = scope;
	risk.n_regulatory_scope = 2;
	record.risk = &risk;
	assert_true(vw_project_clean(&record.base, 4, *state));
	assert_string_equal(tag.key, "k\xef\xbf\xbd");
	assert_string_equal(tag.value, "valu");
	assert_string_equal(scope[0], "gdpr");
	assert_string_equal(scope[1], "\xef\xbf\xbd");
}

static void no_memory_is_said(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_projection p;
	struct seen seen = {.model = "m", .version = "1", .gap = "a:low", .event = "x", .owner = "\xff"};
	vw_entry *entry = version_entry(*state, &seen);
	struct vw_arena *plenty = vw_arena_open(0);
	assert_ok(vw_project(3, AGENT_A, 7, entry, plenty, &p, &err), err);
	size_t needed = vw_arena_used(plenty);
	for (size_t cap = 1; cap < needed; cap += 16) {
		struct vw_arena *small = vw_arena_open(cap);
		/* cleaned texts stay with the entry */
		vw_entry *anew = version_entry(*state, &seen);
		assert_int_equal(vw_project(3, AGENT_A, 7, anew, small, &p, &err), VW_ENOMEM);
		vw_arena_close(small);
	}
	vw_arena_close(plenty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_version_becomes_a_row, setup, teardown),
	    cmocka_unit_test_setup_teardown(open_findings_become_gaps, setup, teardown),
	    cmocka_unit_test_setup_teardown(events_have_parts, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_removal_is_a_key_and_a_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_audit_event_is_about_no_version, setup, teardown),
	    cmocka_unit_test_setup_teardown(keys_that_are_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(records_that_are_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_many_findings, setup, teardown),
	    cmocka_unit_test_setup_teardown(values_out_of_range_count_for_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_judgement_is_no_judgement, setup, teardown),
	    cmocka_unit_test_setup_teardown(texts_are_made_sound, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_whole_message_is_cleaned, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_memory_is_said, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
