/* YAML against a schema: what is said about files that are not as they should be. */
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct rule {
	char *id;
	int severity;
	char **tags;
	unsigned tags_count;
};

struct policy {
	struct rule *rules;
	unsigned rules_count;
	char *name;
	unsigned version;
	bool strict;
	double share;
	int offset;
	unsigned *limit;
	int *numbers;
	unsigned numbers_count;
};

static const cyaml_strval_t severities[] = {{"low", 1}, {"high", 2}};
static const cyaml_schema_value_t tag_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 10)};
static const cyaml_schema_value_t number_schema = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int)};
static const cyaml_schema_field_t rule_fields[] = {
    CYAML_FIELD_STRING_PTR("id", CYAML_FLAG_POINTER, struct rule, id, 1, 8),
    CYAML_FIELD_ENUM("severity", CYAML_FLAG_STRICT, struct rule, severity, severities, 2),
    CYAML_FIELD_SEQUENCE("tags", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct rule, tags, &tag_schema, 1, 3),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t rule_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct rule, rule_fields)};
static const cyaml_schema_field_t policy_fields[] = {
    CYAML_FIELD_SEQUENCE("rules", CYAML_FLAG_POINTER, struct policy, rules, &rule_schema, 0, 3),
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct policy, name, 0, 100),
    CYAML_FIELD_UINT("version", CYAML_FLAG_OPTIONAL, struct policy, version),
    CYAML_FIELD_BOOL("strict", CYAML_FLAG_OPTIONAL, struct policy, strict),
    CYAML_FIELD_FLOAT("share", CYAML_FLAG_OPTIONAL, struct policy, share),
    CYAML_FIELD_INT("offset", CYAML_FLAG_OPTIONAL, struct policy, offset),
    CYAML_FIELD_UINT_PTR("limit", CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, struct policy, limit),
    CYAML_FIELD_SEQUENCE("numbers", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct policy, numbers, &number_schema,
			 0, 9),
    CYAML_FIELD_IGNORE("extra", CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct policy, policy_fields)};

static const cyaml_schema_field_t lenient_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct policy, name, 0, 100),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t lenient = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct policy, lenient_fields)};

static void test_load(void **state)
{
	static const char text[] = "# comment\n"
				   "rules:\n"
				   "  - {id: a, severity: high, tags: [x, 'y']}\n"
				   "  - id: b\n"
				   "    severity: low\n"
				   "name: caf\xc3\xa9\n"
				   "version: 3\n";
	cyaml_data_t *data = NULL;
	struct vw_error err = VW_ERROR_INIT;

	(void)state;
	if (vw_yaml_load(text, strlen(text), "p.yaml", &schema, &data, &err))
		fail_msg("%s", err.message);
	const struct policy *policy = data;
	assert_int_equal(policy->rules_count, 2);
	assert_string_equal(policy->rules[0].id, "a");
	assert_int_equal(policy->rules[0].severity, 2);
	assert_int_equal(policy->rules[0].tags_count, 2);
	assert_string_equal(policy->rules[0].tags[1], "y");
	assert_string_equal(policy->name, "caf\xc3\xa9");
	assert_int_equal(policy->version, 3);
	vw_yaml_free(&schema, data);
	vw_yaml_free(&schema, NULL);
}

static void test_scalars(void **state)
{
	static const char text[] = "extra: {strict: maybe, list: [3x, {version: a}]}\n"
				   "rules: []\nversion: 0\nstrict: Yes\nshare: 0.25\noffset: -3\nlimit: null\n"
				   "numbers: [1, -2, 30]\n";
	cyaml_data_t *data = NULL;
	struct vw_error err = VW_ERROR_INIT;

	(void)state;
	if (vw_yaml_load(text, strlen(text), "p.yaml", &schema, &data, &err))
		fail_msg("%s", err.message);
	const struct policy *policy = data;
	assert_int_equal(policy->version, 0);
	assert_true(policy->strict);
	assert_true(policy->share == 0.25);
	assert_int_equal(policy->offset, -3);
	assert_null(policy->limit);
	assert_int_equal(policy->numbers[2], 30);
	vw_yaml_free(&schema, data);
}

static void test_empty_file_is_an_empty_mapping(void **state)
{
	static const char *const texts[] = {"", "# name: x\n", "{}", "\n\n"};
	cyaml_data_t *data = NULL;
	struct vw_error err = VW_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (vw_yaml_load(texts[i], strlen(texts[i]), "c.yaml", &lenient, &data, &err))
			fail_msg("%s", err.message);
		assert_non_null(data);
		assert_null(((const struct policy *)data)->name);
		vw_yaml_free(&lenient, data);
	}
	assert_int_equal(vw_yaml_load("", 0, "p.yaml", &schema, &data, &err), VW_ECONFIG);
	assert_string_equal(err.message, "p.yaml:1: Missing required mapping field: rules");
}

static void refused(const char *text, const char *message)
{
	cyaml_data_t *data = (cyaml_data_t *)0x1;
	struct vw_error err = VW_ERROR_INIT;

	if (vw_yaml_load(text, strlen(text), "p.yaml", &schema, &data, &err) != VW_ECONFIG)
		fail_msg("not refused: %s", text);
	assert_ptr_equal(data, (cyaml_data_t *)0x1);
	assert_string_equal(err.message, message);
	assert_int_equal(vw_yaml_load(text, strlen(text), "p.yaml", &schema, &data, NULL), VW_ECONFIG);
}

static void test_wrong_values(void **state)
{
	(void)state;
	refused("rules:\n- id: a\n  severity: low\n- id: b\n  severity: bad\n",
		"p.yaml:5: rules[1].severity: Invalid ENUM value: bad");
	refused("rules:\n- id: aaaaaaaaaaaa\n  severity: low\n",
		"p.yaml:2: rules[0].id: STRING length > 8: aaaaaaaaaaaa");
	refused("rules: 5\n", "p.yaml:1: rules: Expecting SEQUENCE, got event: SCALAR");
	refused("rules: []\nname: [a]\n", "p.yaml:2: name: Expecting STRING, got event: SEQUENCE_START");
	refused("rules: [1]\n", "p.yaml:1: rules[0]: Expecting MAPPING, got event: SCALAR");
	refused("rules: []\nname: x\nversion: -1\n", "p.yaml:3: version: Invalid UINT value: '-1'");
	refused("rules: []\nversion: 3x\n", "p.yaml:2: version: not a whole number: 3x");
	refused("rules: []\nversion: 010\n", "p.yaml:2: version: not a whole number: 010");
	refused("rules: []\nversion: 0x10\n", "p.yaml:2: version: not a whole number: 0x10");
	refused("rules: []\noffset: 1.5\n", "p.yaml:2: offset: not a whole number: 1.5");
	refused("rules: []\noffset: 9999999999\n", "p.yaml:2: offset: Invalid INT value: '9999999999'");
	refused("rules: []\nnumbers:\n- 1\n- 2 3\n", "p.yaml:4: not a whole number: 2 3");
	refused("rules: []\nshare: 0.5%\n", "p.yaml:2: share: not a number: 0.5%");
	refused("rules: []\nlimit: 6h\n", "p.yaml:2: limit: not a whole number: 6h");
	refused("rules: []\nstrict: nope\n", "p.yaml:2: strict: neither true nor false: nope");
	refused("- a\n", "p.yaml: Expecting MAPPING, got event: SEQUENCE_START");
	refused("rules:\n- id: a\n  severity: low\n  tags:\n  - ok\n  - much too long\n",
		"p.yaml:6: rules[0].tags[1]: STRING length > 10: much too long");
}

static void test_missing_and_too_many(void **state)
{
	(void)state;
	refused("rules:\n- id: a\n", "p.yaml:2: rules[0]: Missing required mapping field: severity");
	refused("name: x\n", "p.yaml:1: Missing required mapping field: rules");
	refused("rules:\n- {}\n", "p.yaml:2: rules[0]: Missing required mapping field: id");
	refused("rules:\n- {id: a, severity: low}\n- {id: a, severity: low}\n- {id: a, severity: low}\n"
		"- {id: a, severity: low}\n",
		"p.yaml:5: rules: Excessive entries (3 max) in sequence.");
	refused("rules:\n- id: a\n  severity: low\n  tags: []\n",
		"p.yaml:4: rules[0].tags: Insufficient entries (0 of 1 min) in sequence.");
}

/* A typo in a policy must not silently mean nothing, and the line must be the typo's. */
static void test_keys(void **state)
{
	(void)state;
	refused("rules:\n- id: a\n  sevrity: low\n", "p.yaml:3: rules[0]: Unexpected key: sevrity");
	refused("# c\n\nrulez: []\n", "p.yaml:3: Unexpected key: rulez");
	refused("name: x\n\n\nrulez: []\n", "p.yaml:4: Unexpected key: rulez");
	refused("rules:\n- id: a\n  severity: low\n\nid: b\n", "p.yaml:5: Unexpected key: id");
	refused("rules:\n- {id: a,\n   severity: low,\n   bogus: 1}\n", "p.yaml:4: rules[0]: Unexpected key: bogus");
	refused("rules:\n- {\n   bogus: 1}\n", "p.yaml:3: rules[0]: Unexpected key: bogus");
	refused("name: bogus\nrules: []\nbogus: name\n", "p.yaml:3: Unexpected key: bogus");
	refused("rules: []\nname: x\nrules: []\n", "p.yaml:3: Mapping field already seen: rules");
	refused("rules:\n- id: a\n  severity: low\n  id: b\n", "p.yaml:4: rules[0]: Mapping field already seen: id");
}

static void test_not_yaml(void **state)
{
	(void)state;
	refused("rules: [\n", "p.yaml:2:1: did not find expected node content");
	refused("rules: []\nname: a\n b:c\n d: e\n", "p.yaml:4:3: mapping values are not allowed in this context");
	refused("rules: []\n\tname: x\n", "p.yaml:2:1: found character that cannot start any token");
	refused("rules: []\nname: \"x\n", "p.yaml:3:1: found unexpected end of stream");
	refused("rules: []\nname: \x01\n", "p.yaml:2:7: control characters are not allowed");
	refused("rules: []\nname: ab\xff\n", "p.yaml:2:9: invalid leading UTF-8 octet");
}

/* A bomb needs aliases; the rest is what libcyaml would pass over or cut short. */
static void test_refused_features(void **state)
{
	(void)state;
	refused("rules:\n- id: &x a\n  severity: low\nname: *x\n", "p.yaml:4:7: aliases are not allowed");
	refused("rules: &a [*a]\n", "p.yaml:1:12: aliases are not allowed");
	refused("rules: []\n---\nfoo: 1\n", "p.yaml:2:1: a second document begins, but only one is allowed");
	refused("rules: []\nname: \"a\\0b\"\n", "p.yaml:2:7: a text holds a zero byte");
}

static void test_depth(void **state)
{
	char text[300];
	cyaml_data_t *data = NULL;
	struct vw_error err = VW_ERROR_INIT;

	(void)state;
	memset(text, '[', 150);
	memset(text + 150, ']', 150);
	assert_int_equal(vw_yaml_load(text, sizeof(text), "p.yaml", &schema, &data, &err), VW_ECONFIG);
	assert_string_equal(err.message, "p.yaml:1:65: too many levels");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_load),
	    cmocka_unit_test(test_scalars),
	    cmocka_unit_test(test_empty_file_is_an_empty_mapping),
	    cmocka_unit_test(test_wrong_values),
	    cmocka_unit_test(test_missing_and_too_many),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_not_yaml),
	    cmocka_unit_test(test_refused_features),
	    cmocka_unit_test(test_depth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
