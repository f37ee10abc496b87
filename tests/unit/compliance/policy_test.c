/* Loading: what is refused and how the message says where; what a loaded policy tells. */
#include "support.h"

#include "base/buffer.h"
#include "base/digest.h"
#include "base/limits.h"

#include <string.h>

static void check_error(const char *yaml, const char *message)
{
	struct vw_policy *untouched = (struct vw_policy *)1, *policy = untouched;
	struct vw_error err = VW_ERROR_INIT;

	int code = vw_policy_load(yaml, strlen(yaml), "p.yaml", &policy, &err);
	if (code != VW_ECONFIG && code != VW_ELIMIT)
		fail_msg("code %d (%s) for\n%s", code, err.message, yaml);
	if (strncmp(err.message, "p.yaml:", 7) != 0 || !strstr(err.message, message))
		fail_msg("'%s', expected '%s', for\n%s", err.message, message, yaml);
	assert_ptr_equal(policy, untouched);
}

/* errors.json: a file's text, and what its error must say. */
static void bad_files_name_the_place(void **state)
{
	json_t *cases = load_json("errors.json"), *one;
	size_t i;
	(void)state;

	assert_true(json_array_size(cases) > 30);
	json_array_foreach(cases, i, one) check_error(json_string_value(json_object_get(one, "yaml")),
						      json_string_value(json_object_get(one, "error")));
	json_decref(cases);
}

#define HEAD "policy: {id: t, version: 1}\n"
#define RULE "{id: r, title: T, severity: low, require: {field: identity.owner, present: true}}"

/* Builds `head`, then `count` entries from `entry` with the number in place of %d, then `tail`. */
static void check_cap(const char *head, const char *entry, int count, const char *tail, const char *cap)
{
	struct vw_buffer yaml;

	vw_buffer_init(&yaml, 0);
	vw_buffer_puts(&yaml, head);
	for (int i = 0; i < count; i++) {
		const char *place = strstr(entry, "%d");
		vw_buffer_append(&yaml, entry, (size_t)(place - entry));
		vw_buffer_printf(&yaml, "%d%s", i, place + 2);
	}
	vw_buffer_puts(&yaml, tail);
	check_error(vw_buffer_text(&yaml), cap);
	vw_buffer_reset(&yaml);
}

/* `head`, then `count` times `text`, then `middle`, `count` times `close`, `tail`. */
static void put_nested(struct vw_buffer *out, const char *head, size_t count, const char *text, const char *middle,
		       const char *close)
{
	vw_buffer_init(out, 0);
	vw_buffer_puts(out, head);
	for (size_t i = 0; i < count; i++)
		vw_buffer_puts(out, text);
	vw_buffer_puts(out, middle);
	for (size_t i = 0; i < count; i++)
		vw_buffer_puts(out, close);
	vw_buffer_puts(out, "}]\n");
}

static void check_long(const char *head, size_t count, const char *middle, const char *cap)
{
	struct vw_buffer yaml;

	put_nested(&yaml, head, count, "a", middle, "");
	check_error(vw_buffer_text(&yaml), cap);
	vw_buffer_reset(&yaml);
}

static void caps_have_names(void **state)
{
	(void)state;

	check_cap(HEAD "rules:\n",
		  "- {id: r%d, title: T, severity: low, require: {field: identity.owner, present: true}}\n",
		  VW_MAX_POLICY_RULES + 1, "", "VW_MAX_POLICY_RULES");
	check_cap(HEAD "conditions:\n", "- {id: c%d, when: {field: identity.owner, present: true}}\n",
		  VW_MAX_POLICY_RULES + 1, "rules: [" RULE "]\n", "VW_MAX_POLICY_RULES");
	check_cap(HEAD "rules: [" RULE "]\nwaivers:\n",
		  "- {rule: r, model: m%d, until: 2026-01-01, by: a, reason: b}\n", VW_MAX_WAIVERS + 1, "",
		  "VW_MAX_WAIVERS");
	check_cap(HEAD "rules: [{id: r, title: T, severity: low, require: {any: [\n",
		  "{field: identity.owner, is: '%d'},\n", VW_MAX_POLICY_CONDITIONS, "]}}]\n",
		  "VW_MAX_POLICY_CONDITIONS");
	check_long("", VW_MAX_POLICY_FILE, "", "VW_MAX_POLICY_FILE");
	check_long(HEAD "rules: [{id: r, severity: low, require: {field: identity.owner, present: true}, title: ",
		   VW_MAX_POLICY_TEXT + 1, "", "VW_MAX_POLICY_TEXT");
	check_long(HEAD "rules: [{id: r, title: T, severity: low, require: {field: identity.owner, matches: ",
		   VW_MAX_PATTERN, "}", "VW_MAX_PATTERN");
}

static void nesting_is_capped(void **state)
{
	(void)state;

	for (size_t depth = VW_MAX_CONDITION_DEPTH; depth <= VW_MAX_CONDITION_DEPTH + 1; depth++) {
		struct vw_buffer yaml;
		put_nested(&yaml, HEAD "rules: [{id: r, title: T, severity: low, require: ", depth,
			   "{not: ", "{field: identity.owner, present: true}", "}");
		if (depth > VW_MAX_CONDITION_DEPTH)
			check_error(vw_buffer_text(&yaml), "VW_MAX_CONDITION_DEPTH");
		else
			vw_policy_close(load_policy(vw_buffer_text(&yaml)));
		vw_buffer_reset(&yaml);
	}
}

/* ---- What a policy tells ---- */

static void policy_tells_what_it_is(void **state)
{
	static const char yaml[] =
	    HEAD "rules:\n"
		 "- {id: a, title: A rule, severity: critical, clauses: {gdpr: ['35'], iso_42001: "
		 "['5.3', A.3.2]},\n   require: {field: identity.owner, present: true}}\n"
		 "- " RULE "\n";
	struct vw_policy *policy = load_policy(yaml);
	uint8_t sha256[VW_SHA256_SIZE];
	(void)state;

	vw_sha256_of(yaml, strlen(yaml), sha256);
	assert_string_equal(vw_policy_id(policy), "t");
	assert_int_equal(vw_policy_version(policy), 1);
	assert_memory_equal(vw_policy_sha256(policy), sha256, sizeof(sha256));
	const struct vw_rule_info *rule = vw_policy_rule(policy, 0);
	assert_string_equal(rule->id, "a");
	assert_string_equal(rule->title, "A rule");
	assert_int_equal(rule->severity, VW_SEVERITY_CRITICAL);
	assert_int_equal(rule->clause_count, 2);
	assert_string_equal(rule->clauses[0]->framework, "gdpr");
	assert_string_equal(rule->clauses[1]->framework, "iso_42001");
	assert_int_equal(rule->clauses[1]->n_ids, 2);
	assert_string_equal(rule->clauses[1]->ids[1], "A.3.2");
	assert_int_equal(vw_policy_rule(policy, 1)->clause_count, 0);
	assert_null(vw_policy_rule(policy, 2));
	vw_policy_close(policy);
	vw_policy_close(NULL);
}

struct seen {
	char text[512];
	int stop_after;
};

static int note(const char *kind, const char *target, const char *word, void *arg, struct vw_error *err)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s %s %s; ", kind, target, word);
	if (--seen->stop_after == 0)
		return vw_error_set(err, VW_ECONFIG, "enough");
	return 0;
}

static void extensions_are_listed(void **state)
{
	struct vw_policy *policy =
	    load_policy(HEAD "rules: [" RULE "]\n"
			     "tags:\n- {field: risk.risk_category, spellings: [ai_class, klasse]}\n"
			     "stages:\n- {stage: Production, words: [blessed]}\n");
	struct seen all = {.stop_after = 0}, some = {.stop_after = 2};
	struct vw_error err = VW_ERROR_INIT;
	(void)state;

	assert_int_equal(vw_policy_each_extension(policy, note, &all, &err), 0);
	assert_string_equal(
	    all.text, "tag risk.risk_category ai_class; tag risk.risk_category klasse; stage Production blessed; ");
	assert_int_equal(vw_policy_each_extension(policy, note, &some, &err), VW_ECONFIG);
	assert_string_equal(some.text, "tag risk.risk_category ai_class; tag risk.risk_category klasse; ");
	assert_string_equal(err.message, "enough");
	vw_policy_close(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_files_name_the_place), cmocka_unit_test(caps_have_names),
	    cmocka_unit_test(nesting_is_capped),        cmocka_unit_test(policy_tells_what_it_is),
	    cmocka_unit_test(extensions_are_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
