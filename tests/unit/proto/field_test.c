/* Fields by path. */
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const ProtobufCMessageDescriptor *const type = &verifywise__v1__record__descriptor;

static void test_resolve(void **state)
{
	static const char *const good[] = {"model_name",
					   "risk",
					   "risk.risk_category",
					   "lifecycle.tags",
					   "lifecycle.tags.a.b.c",
					   "training.metrics",
					   "artifacts.runtime_environment.packages"};
	static const char *const bad[] = {"",
					  "nothing",
					  "risk.",
					  ".risk",
					  "risk..risk_category",
					  "risk.risk",
					  "risk.risk_category.x",
					  "model_name.x",
					  "lifecycle.tags.",
					  "training.metrics.key",
					  "warnings.code",
					  "lifecycle.aliases.x",
					  "Risk.risk_category"};
	struct vw_field_path path;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!vw_field_resolve(type, good[i], &path))
			fail_msg("not resolved: %s", good[i]);
	memset(&path, 7, sizeof(path));
	struct vw_field_path before = path;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (vw_field_resolve(type, bad[i], &path))
			fail_msg("resolved: %s", bad[i]);
		assert_memory_equal(&path, &before, sizeof(path));
	}
}

static void check(const ProtobufCMessage *message, const char *text, size_t count, const char *first)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct vw_field_path path;

	assert_true(vw_field_resolve(message->descriptor, text, &path));
	assert_int_equal(vw_field_count(message, &path), count);
	char *value = vw_field_text(arena, message, &path, 0);
	if (first)
		assert_string_equal(value, first);
	else
		assert_null(value);
	assert_null(vw_field_text(arena, message, &path, count));
}

static void test_values(void **state)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	vw_record *record = sample_record(arena);
	struct vw_field_path path;

	(void)state;
	check(&record->base, "model_name", 1, "churn");
	check(&record->base, "workspace", 0, NULL);
	check(&record->base, "risk.risk_category", 0, NULL);
	check(&record->base, "risk", 0, NULL);
	check(&record->base, "artifacts.runtime_environment.packages", 0, NULL);
	check(&record->base, "lifecycle", 1, NULL);
	check(&record->base, "lifecycle.version_status", 1, "");
	check(&record->base, "lifecycle.created_at", 1, "2026-03-01T12:00:00.000Z");
	check(&record->base, "lifecycle.last_updated_at", 0, NULL);
	VW_SET(record->lifecycle, last_updated_at, 0);
	check(&record->base, "lifecycle.last_updated_at", 0, NULL); /* as in JSON, 0 is no time */
	check(&record->base, "training.metrics", 2, NULL);
	check(&record->base, "lifecycle.aliases", 2, "champion");
	assert_true(vw_field_resolve(type, "lifecycle.aliases", &path));
	assert_string_equal(vw_field_text(arena, &record->base, &path, 1), "prod");
}

static void test_maps(void **state)
{
	static const char *const pairs[] = {"Data-Owner", "loose", "data_owner", "exact", "gone", NULL};
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	vw_record *record = sample_record(arena);

	(void)state;
	check(&record->base, "lifecycle.tags", 3, NULL);
	check(&record->base, "lifecycle.tags.team", 1, "risk");
	check(&record->base, "lifecycle.tags.team.lead", 1, "eve"); /* the rest is the key, dots and all */
	check(&record->base, "lifecycle.tags.absent", 0, NULL);
	check(&record->base, "training.hyperparameters.lr", 0, NULL);
	check(&record->base, "identity.tags.team", 0, NULL);
	record->lifecycle->tags = sample_map(arena, pairs, 3);
	check(&record->base, "lifecycle.tags.data_owner", 1, "exact");
	check(&record->base, "lifecycle.tags.DATA OWNER", 1, "loose");
	check(&record->base, "lifecycle.tags.gone", 0, NULL);
}

static void test_other_types(void **state)
{
	static const uint8_t digest[] = {0x01, 0xfe};
	vw_finding finding = VERIFYWISE__V1__FINDING__INIT;
	vw_metric metric = VERIFYWISE__V1__METRIC__INIT;
	vw_policy_reference policy = VERIFYWISE__V1__POLICY_REFERENCE__INIT;
	vw_agent_identity identity = VERIFYWISE__V1__AGENT_IDENTITY__INIT;
	vw_entry entry = VERIFYWISE__V1__ENTRY__INIT;

	(void)state;
	check(&finding.base, "severity", 0, NULL);
	VW_SET(&finding, severity, VW_SEVERITY_HIGH);
	check(&finding.base, "severity", 1, "high");
	VW_SET(&metric, value, 0.93);
	VW_SET(&metric, step, -4);
	check(&metric.base, "value", 1, "0.93");
	VW_SET(&metric, value, (double)-INFINITY);
	check(&metric.base, "value", 1, "-Infinity");
	check(&metric.base, "step", 1, "-4");
	VW_SET_BYTES(&policy, sha256, digest, sizeof(digest));
	check(&policy.base, "sha256", 1, "01fe");
	VW_SET(&identity, epoch, UINT64_MAX);
	VW_SET_BYTES(&identity, fingerprint_key, "ab", 2);
	check(&identity.base, "epoch", 1, "18446744073709551615");
	check(&identity.base, "fingerprint_key", 1, "YWI=");
	check(&entry.base, "audit.subject", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_resolve),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_maps),
	    cmocka_unit_test(test_other_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
