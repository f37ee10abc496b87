/* Messages as JSON, names of enum values. */
#include "proto/record_json.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const ProtobufCMessage *message, const char *expected)
{
	struct vw_buffer buf;
	struct vw_json_writer w;

	vw_buffer_init(&buf, 0);
	vw_json_writer_init(&w, &buf, false);
	vw_message_json(&w, message);
	assert_string_equal(vw_buffer_text(&buf), expected);
	vw_buffer_reset(&buf);
}

/* S7: every field is there; what is missing is null. */
static void test_record(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	vw_record *record = sample_record(arena);

	(void)state;
	check(&record->base,
	      "{\"model_name\":\"churn\",\"version_number\":\"12\",\"workspace\":null,\"identity\":null,"
	      "\"lifecycle\":{\"version_number\":null,\"lifecycle_stage\":\"Production\",\"mlflow_stage\":null,"
	      "\"deployment_status\":null,\"version_status\":\"\",\"version_description\":null,"
	      "\"aliases\":[\"champion\",\"prod\"],"
	      "\"tags\":{\"note\":\"a \\\"b\\\"\",\"team\":\"risk\",\"team.lead\":\"eve\"},"
	      "\"created_at\":\"2026-03-01T12:00:00.000Z\",\"last_updated_at\":null,\"source_run_id\":null,"
	      "\"source_artifact_uri\":null},"
	      "\"training\":{\"training_status\":null,\"training_started_at\":null,\"training_ended_at\":null,"
	      "\"metrics\":[{\"key\":\"auc\",\"value\":0.93,\"step\":3,\"timestamp\":\"2026-03-01T12:00:00.000Z\","
	      "\"dataset\":null},"
	      "{\"key\":\"loss\",\"value\":\"NaN\",\"step\":3,\"timestamp\":\"2026-03-01T12:00:00.000Z\",\"dataset\":"
	      "null}],"
	      "\"hyperparameters\":{},\"evaluation_tags\":{}},"
	      "\"lineage\":null,\"risk\":null,\"artifacts\":null,\"completeness\":null,\"provenance\":[],"
	      "\"warnings\":[]}");
}

static void test_digest_and_number(void **state)
{
	static const uint8_t digest[] = {0x00, 0xab, 0xff};
	vw_policy_reference policy = VERIFYWISE__V1__POLICY_REFERENCE__INIT;

	(void)state;
	policy.id = (char *)"p";
	VW_SET(&policy, version, -2);
	VW_SET_BYTES(&policy, sha256, digest, sizeof(digest));
	check(&policy.base, "{\"id\":\"p\",\"version\":-2,\"sha256\":\"00abff\"}");
	VW_SET_BYTES(&policy, sha256, NULL, 0);
	check(&policy.base, "{\"id\":\"p\",\"version\":-2,\"sha256\":\"\"}");
}

static void test_bytes_and_uint64(void **state)
{
	vw_agent_identity identity = VERIFYWISE__V1__AGENT_IDENTITY__INIT;

	(void)state;
	VW_SET(&identity, epoch, UINT64_MAX);
	VW_SET_BYTES(&identity, fingerprint_key, "ab", 2);
	check(&identity.base, "{\"agent_id\":null,\"organization\":null,\"epoch\":18446744073709551615,"
			      "\"created_at\":null,\"fingerprint_key\":\"YWI=\",\"genesis_agent_id\":null}");
	VW_SET(&identity, epoch, 5);
	VW_SET(&identity, created_at, 0); /* no time */
	check(&identity.base, "{\"agent_id\":null,\"organization\":null,\"epoch\":5,\"created_at\":null,"
			      "\"fingerprint_key\":\"YWI=\",\"genesis_agent_id\":null}");
}

/* A oneof's members that are not set are left out. */
static void test_choice(void **state)
{
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;
	vw_audit audit = VERIFYWISE__V1__AUDIT__INIT;

	(void)state;
	check(&entry.base, "{\"recorded_at\":null,\"access\":null}");
	VW_SET(&audit, kind, VW_AUDIT_SYNC_STARTED);
	entry.body_case = VERIFYWISE__V1__ENTRY__BODY_AUDIT;
	entry.audit = &audit;
	check(&entry.base,
	      "{\"recorded_at\":null,\"access\":null,\"audit\":{\"kind\":\"sync_started\",\"subject\":null,"
	      "\"text\":null,\"depth\":null,\"outcome\":null,\"started_at\":null,\"duration_ms\":null,"
	      "\"counts\":null,\"from\":null,\"to\":null,\"epoch\":null}}");
}

static void test_fields_in_a_larger_object(void **state)
{
	vw_reason reason = VERIFYWISE__V1__REASON__INIT;
	struct vw_buffer buf;
	struct vw_json_writer w;

	(void)state;
	reason.code = (char *)"run_deleted";
	vw_buffer_init(&buf, 0);
	vw_json_writer_init(&w, &buf, false);
	vw_json_begin_object(&w);
	vw_json_key(&w, "a");
	vw_json_put_int64(&w, 1);
	vw_message_json_fields(&w, &reason.base);
	vw_json_end_object(&w);
	assert_string_equal(vw_buffer_text(&buf), "{\"a\":1,\"code\":\"run_deleted\",\"text\":null}");
	vw_buffer_clear(&buf);
	vw_json_writer_init(&w, &buf, false);
	vw_json_begin_object(&w);
	vw_message_json_fields_but(&w, &reason.base, (const char *const[]){"code", "nothing", NULL});
	vw_json_key(&w, "raw");
	vw_json_put_raw(&w, "[1,{}]");
	vw_json_end_object(&w);
	assert_string_equal(vw_buffer_text(&buf), "{\"text\":null,\"raw\":[1,{}]}");
	vw_buffer_reset(&buf);
	check(NULL, "null");
}

/* record.md: the sections and names of the one JSON form; provenance names fields without their section. */
static void test_record_of_the_inventory(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	vw_record *record = vw_message_new(arena, &verifywise__v1__record__descriptor);
	vw_provenance owner = VERIFYWISE__V1__PROVENANCE__INIT, risk = owner, *list[] = {&owner, &risk};
	vw_version_recorded entry = VERIFYWISE__V1__VERSION_RECORDED__INIT;
	vw_access access = VERIFYWISE__V1__ACCESS__INIT;
	struct vw_buffer buf;
	struct vw_json_writer w;

	(void)state;
	record->model_name = (char *)"churn";
	record->version_number = (char *)"12";
	owner.field = (char *)"identity.owner";
	owner.from = (char *)"version_tag:owner";
	risk.field = (char *)"risk.risk_category";
	risk.from = (char *)"run_tag:ai_act_risk";
	risk.raw = (char *)"High-Risk";
	record->provenance = list;
	record->n_provenance = 2;
	access.source_uri = (char *)"http://mlflow";
	VW_SET(&entry, first_seen_at, SAMPLE_TIME);
	vw_buffer_init(&buf, 0);
	vw_json_writer_init(&w, &buf, false);
	vw_record_json(&w, &(struct vw_record_view){.record = record,
						    .entry = &entry,
						    .access = &access,
						    .recorded_at = SAMPLE_TIME,
						    .last_full_started_at = SAMPLE_TIME + 1});
	assert_string_equal(
	    vw_buffer_text(&buf),
	    "{\"model_name\":\"churn\",\"version_number\":\"12\",\"workspace\":null,\"identity\":null,"
	    "\"lifecycle\":null,\"training\":null,\"lineage\":null,\"risk\":null,\"artifacts\":null,"
	    "\"compliance\":null,\"completeness\":null,\"provenance\":{\"owner\":\"version_tag:owner\","
	    "\"risk_category\":{\"from\":\"run_tag:ai_act_risk\",\"raw\":\"High-Risk\"}},\"warnings\":[],"
	    "\"source\":{\"tracking_uri\":\"http://mlflow\",\"server_version\":null},\"record_sha256\":null,"
	    "\"first_seen_at\":\"2026-03-01T12:00:00.000Z\",\"last_synced_at\":\"2026-03-01T12:00:00.001Z\","
	    "\"removed_at\":null}");
	vw_buffer_reset(&buf);
}

static void test_enum(void **state)
{
	int value = 77;

	(void)state;
	const char *high = vw_enum_name(&verifywise__v1__severity__descriptor, VW_SEVERITY_HIGH);
	assert_string_equal(high, "high");
	assert_string_equal(vw_enum_name(&verifywise__v1__finding_state__descriptor, VW_FINDING_NOT_APPLICABLE),
			    "not_applicable");
	assert_string_equal(vw_enum_name(&verifywise__v1__compliance_status__descriptor, VW_COMPLIANCE_GAPS), "gaps");
	assert_string_equal(vw_enum_name(&verifywise__v1__audit_kind__descriptor, VW_AUDIT_DEPLOYMENT_EVENT),
			    "deployment_event");
	assert_string_equal(vw_enum_name(&verifywise__v1__severity__descriptor, 99), "unknown");
	assert_string_equal(high, "high");

	assert_true(vw_enum_value(&verifywise__v1__severity__descriptor, "Critical", &value));
	assert_int_equal(value, VW_SEVERITY_CRITICAL);
	value = 77;
	assert_false(vw_enum_value(&verifywise__v1__severity__descriptor, "SEVERITY_HIGH", &value));
	assert_false(vw_enum_value(&verifywise__v1__severity__descriptor, "", &value));
	assert_false(vw_enum_value(&verifywise__v1__severity__descriptor, "hig", &value));
	assert_false(vw_enum_value(&verifywise__v1__severity__descriptor, NULL, &value));
	assert_int_equal(value, 77);
}

/* Every name of every enum reads back as its value. */
static void test_enum_round_trip(void **state)
{
	static const ProtobufCEnumDescriptor *const types[] = {
	    &verifywise__v1__severity__descriptor, &verifywise__v1__finding_state__descriptor,
	    &verifywise__v1__compliance_status__descriptor, &verifywise__v1__audit_kind__descriptor};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (unsigned v = 0; v < types[i]->n_values; v++) {
			int value = -1;
			const char *name = vw_enum_name(types[i], types[i]->values[v].value);
			assert_null(strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
			assert_true(vw_enum_value(types[i], name, &value));
			assert_int_equal(value, types[i]->values[v].value);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_record),
	    cmocka_unit_test(test_digest_and_number),
	    cmocka_unit_test(test_bytes_and_uint64),
	    cmocka_unit_test(test_choice),
	    cmocka_unit_test(test_fields_in_a_larger_object),
	    cmocka_unit_test(test_record_of_the_inventory),
	    cmocka_unit_test(test_enum),
	    cmocka_unit_test(test_enum_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
