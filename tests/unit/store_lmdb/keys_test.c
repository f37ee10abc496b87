/* Keys are in the order that listings want, stay within their tenant's range, and do not run into one another. */
#include "keys.h"

#include "suite.h"

static int compare(const struct vw_lmdb_key *a, const struct vw_lmdb_key *b)
{
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static struct vw_lmdb_key version(int32_t organization, const char *model, const char *number, const char *workspace,
				  const char *agent_id)
{
	const struct vw_version_key v = {agent_id, workspace, model, number};
	struct vw_lmdb_key key;
	assert_true(vw_lmdb_key_version(organization, &v, &key));
	return key;
}

static void versions_are_in_order(void **state)
{
	const struct vw_lmdb_key keys[] = {
	    version(1, "a", "1", "", AGENT_A),        version(1, "a", "2", "", AGENT_A),
	    version(1, "a", "10", "", AGENT_A),       version(1, "a", "18446744073709551615", "", AGENT_A),
	    version(1, "aa", "1", "", AGENT_A),       version(1, "b", "1", "", AGENT_A),
	    version(1, "b", "1", "", AGENT_B),        version(1, "b", "1", "x", AGENT_A),
	    version(2, "a", "1", "", AGENT_A),        version(256, "a", "1", "", AGENT_A),
	    version(INT32_MAX, "a", "1", "", AGENT_A)};
	(void)state;
	for (size_t i = 0; i + 1 < sizeof(keys) / sizeof(keys[0]); i++)
		if (compare(&keys[i], &keys[i + 1]) >= 0)
			fail_msg("key %zu is not in front of the next", i);
}

static void a_model_is_a_range(void **state)
{
	struct vw_lmdb_key model, tenant, a = version(7, "churn", "3", "w", AGENT_A),
					  b = version(7, "churn2", "3", "w", AGENT_A);
	(void)state;
	vw_lmdb_key_model(7, "churn", &model);
	vw_lmdb_key_organization(7, &tenant);
	assert_true(vw_lmdb_has_prefix(vw_lmdb_bytes(&a), vw_lmdb_bytes(&model)));
	assert_false(vw_lmdb_has_prefix(vw_lmdb_bytes(&b), vw_lmdb_bytes(&model)));
	assert_true(vw_lmdb_has_prefix(vw_lmdb_bytes(&a), vw_lmdb_bytes(&tenant)));
	assert_true(vw_lmdb_has_prefix(vw_lmdb_bytes(&a), (struct vw_bytes){NULL, 0}));
}

/* Names and workspaces beyond a key's parts: the hash tells them apart, and the longest fits. */
static void long_names(void **state)
{
	char name[2][VW_MAX_NAME + 1], space[2][240];
	struct vw_lmdb_key history, key;
	(void)state;
	for (int i = 0; i < 2; i++) {
		memset(name[i], 'n', VW_MAX_NAME);
		memset(space[i], 'w', 238);
		name[i][VW_MAX_NAME] = space[i][238] = 0;
	}
	name[1][VW_MAX_NAME - 1] = space[1][237] = 'x';
	struct vw_lmdb_key one = version(1, name[0], "1", space[0], AGENT_A),
			   two = version(1, name[1], "1", space[0], AGENT_A),
			   three = version(1, name[0], "1", space[1], AGENT_A);
	assert_true(compare(&one, &two) != 0 && compare(&one, &three) != 0 && compare(&two, &three) != 0);
	vw_lmdb_key_history(vw_lmdb_bytes(&one), 5, &history);
	assert_true(history.len <= VW_KEY_MAX);
	assert_int_equal(vw_lmdb_key_sequence(vw_lmdb_bytes(&history)), 5);
	assert_int_equal(vw_lmdb_key_version_agent(vw_lmdb_bytes(&one))[0], 0x11);
	/* no name can be made to look like another's next field */
	key = version(1, "ab", "1", "", AGENT_A);
	two = version(1, "a", "1", "b", AGENT_A);
	assert_true(compare(&key, &two) != 0);
}

static void secrets_have_a_longest_name(void **state)
{
	char name[300];
	struct vw_lmdb_key key;
	(void)state;
	memset(name, 's', sizeof(name));
	name[255] = 0;
	assert_true(vw_lmdb_key_secret(1, AGENT_A, name, &key));
	name[255] = 's';
	name[256] = 0;
	assert_false(vw_lmdb_key_secret(1, AGENT_A, name, &key));
}

static void what_is_no_id(void **state)
{
	static const char *const bad[] = {NULL,
					  "",
					  "x",
					  "11111111-1111-4111-8111-11111111111",
					  "11111111-1111-4111-8111-1111111111111",
					  "11111111-1111-4111-8111-11111111111G",
					  "AAAAAAAA-1111-4111-8111-111111111111",
					  "11111111111114111811111111111111111x",
					  "{1111111-1111-4111-8111-11111111111}"};
	struct vw_version_key v = {AGENT_A, NULL, "m", "1"};
	struct vw_lmdb_key key;
	uint8_t id[VW_LMDB_ID];
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(vw_lmdb_id(bad[i], id));
		assert_false(vw_lmdb_key_agent(1, bad[i], &key));
		assert_false(vw_lmdb_key_entry(1, bad[i], 1, &key));
		assert_false(vw_lmdb_key_command(1, bad[i], &key));
		v.agent_id = bad[i];
		assert_false(vw_lmdb_key_version(1, &v, &key));
	}
	assert_true(vw_lmdb_id(AGENT_C, id));
	assert_int_equal(id[0], 0xcc);
	assert_int_equal(id[6], 0x4c);
	v = (struct vw_version_key){AGENT_A, NULL, NULL, "1"};
	assert_false(vw_lmdb_key_version(1, &v, &key));
	assert_false(vw_lmdb_key_bearer(VW_LMDB_TOKEN, 1, "", &key));
	assert_false(vw_lmdb_key_bearer(VW_LMDB_TOKEN, 1, NULL, &key));
}

static void times_before_1970(void **state)
{
	static const int64_t times[] = {INT64_MIN, -5, 0, 7, NOW, INT64_MAX};
	struct vw_lmdb_key before, key;
	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		vw_lmdb_key_event_time(1, times[i], &key);
		assert_int_equal(vw_lmdb_key_event_at(vw_lmdb_bytes(&key)), times[i]);
		if (i > 0)
			assert_true(compare(&before, &key) < 0);
		before = key;
	}
	assert_int_equal(vw_lmdb_key_event_at((struct vw_bytes){"abc", 3}), INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions_are_in_order),
	    cmocka_unit_test(a_model_is_a_range),
	    cmocka_unit_test(long_names),
	    cmocka_unit_test(secrets_have_a_longest_name),
	    cmocka_unit_test(what_is_no_id),
	    cmocka_unit_test(times_before_1970),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
