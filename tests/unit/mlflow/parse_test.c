/* MLflow's answers into messages: what is there, what is missing, and what is broken (S3.2, S12.1). */
#include "cmocka_all.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "mlflow/parse.h"

#include <math.h>
#include <string.h>

struct fixture {
	struct vw_arena *arena;
	struct vw_mlflow_answer answer;
	struct vw_error err;
};

static int setup(void **state)
{
	static struct fixture fixture;
	fixture = (struct fixture){.arena = vw_arena_open(0)};
	*state = &fixture;
	return fixture.arena ? 0 : -1;
}

static int teardown(void **state)
{
	vw_arena_close(((struct fixture *)*state)->arena);
	return 0;
}

static int parse_bytes(struct fixture *f, enum vw_mlflow_shape shape, const char *bytes, size_t len)
{
	f->answer = (struct vw_mlflow_answer){.count = 0};
	return vw_mlflow_parse(shape, bytes, len, "a/call", f->arena, &f->answer, &f->err);
}

static int parse(struct fixture *f, enum vw_mlflow_shape shape, const char *json)
{
	return parse_bytes(f, shape, json, strlen(json));
}

static void registered_models(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(
	    parse(f, VW_SHAPE_MODELS,
		  "{\"registered_models\":[{\"name\":\"churn\",\"description\":\"d\","
		  "\"creation_timestamp\":1700000000000,\"last_updated_timestamp\":\"1700000000001\","
		  "\"latest_versions\":[{\"name\":\"churn\",\"version\":\"9\"},{\"version\":\"11\"},{\"version\":"
		  "\"x\"},7],"
		  "\"tags\":[{\"key\":\"team\",\"value\":\"risk\"},{\"key\":\"empty\"}],"
		  "\"aliases\":[{\"alias\":\"champion\",\"version\":\"3\"},{\"alias\":\"old\",\"version\":1}]}],"
		  "\"next_page_token\":\"t\\u00f6ken\"}"),
	    0);
	assert_int_equal(f->answer.count, 1);
	assert_string_equal(f->answer.next_page_token, "töken");
	const vw_registered_model *m = f->answer.models[0];
	assert_string_equal(m->name, "churn");
	assert_string_equal(m->description, "d");
	assert_true(m->has_creation_timestamp && m->creation_timestamp == 1700000000000);
	assert_true(m->has_last_updated_timestamp &&
		    m->last_updated_timestamp == 1700000000001); /* text, before 1.22 */
	assert_int_equal(m->n_tags, 2);
	assert_string_equal(m->tags[0]->value, "risk");
	assert_string_equal(m->tags[1]->value, ""); /* as MLflow's own client reads it */
	assert_int_equal(m->n_aliases, 2);
	assert_string_equal(m->aliases[0]->alias, "champion");
	assert_string_equal(m->aliases[1]->version, "1");
	assert_int_equal(m->newest_version, 11);
	assert_int_equal(vw_mlflow_flaws(&f->answer, m), 0);
}

static void missing_is_not_empty(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(
	    parse(f, VW_SHAPE_VERSION,
		  "{\"model_version\":{\"name\":\"m\",\"version\":\"1\",\"description\":\"\",\"run_id\":\"\","
		  "\"source\":null}}"),
	    0);
	const vw_model_version *v = f->answer.versions[0];
	assert_string_equal(v->description, "");
	assert_null(v->source);
	assert_null(v->run_id); /* "" is how some servers say that there is none */
	assert_null(v->user_id);
	assert_false(v->has_creation_timestamp);
	assert_int_equal(f->answer.count, 1);
	assert_null(f->answer.next_page_token);
}

static void model_versions(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(
	    parse(f, VW_SHAPE_VERSIONS,
		  "{\"model_versions\":[{\"name\":\"a/"
		  "b\",\"version\":\"12\",\"user_id\":\"u\",\"current_stage\":\"Production\","
		  "\"source\":\"runs:/x/model\",\"run_id\":\"abc\",\"status\":\"READY\",\"status_message\":\"\","
		  "\"tags\":[{\"key\":\"k\",\"value\":\"v\"}],\"aliases\":[\"champion\",\"x\"]},"
		  "{\"name\":\"n\",\"version\":7}],\"next_page_token\":\"\"}"),
	    0);
	assert_int_equal(f->answer.count, 2);
	assert_null(f->answer.next_page_token); /* empty is the end */
	const vw_model_version *v = f->answer.versions[0];
	assert_string_equal(v->current_stage, "Production");
	assert_string_equal(v->source, "runs:/x/model");
	assert_string_equal(v->status, "READY");
	assert_int_equal(v->n_aliases, 2);
	assert_string_equal(v->aliases[1], "x");
	assert_string_equal(f->answer.versions[1]->version, "7");
}

static void runs(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(
	    parse(f, VW_SHAPE_RUNS,
		  "{\"runs\":[{\"info\":{\"run_id\":\"r1\",\"run_uuid\":\"r1\",\"experiment_id\":\"3\",\"user_id\":"
		  "\"u\","
		  "\"status\":\"FINISHED\",\"start_time\":5,\"end_time\":6,\"artifact_uri\":\"s3://b\","
		  "\"lifecycle_stage\":\"deleted\"},"
		  "\"data\":{\"metrics\":[{\"key\":\"a\",\"value\":\"NaN\",\"timestamp\":9,\"step\":\"2\"},"
		  "{\"key\":\"b\",\"value\":\"-Infinity\"},{\"key\":\"c\",\"value\":1.5}],"
		  "\"params\":[{\"key\":\"p\",\"value\":\"1\"}],\"tags\":[{\"key\":\"t\",\"value\":\"2\"}]},"
		  "\"inputs\":{\"dataset_inputs\":[{\"tags\":[{\"key\":\"mlflow.data.context\",\"value\":"
		  "\"training\"}],"
		  "\"dataset\":{\"name\":\"d\",\"digest\":\"dg\",\"source_type\":\"s3\",\"source\":\"{}\","
		  "\"profile\":\"big\"}}]},"
		  "\"outputs\":{\"model_outputs\":[{\"model_id\":\"m-1\",\"step\":0},{\"model_id\":\"m-2\"}]}},"
		  "{\"info\":{\"run_uuid\":\"old\"}}]}"),
	    0);
	assert_int_equal(f->answer.count, 2);
	const vw_run *r = f->answer.runs[0];
	assert_string_equal(r->lifecycle_stage, "deleted");
	assert_true(r->start_time == 5 && r->end_time == 6);
	assert_int_equal(r->n_metrics, 3);
	assert_true(isnan(r->metrics[0]->value));
	assert_int_equal(r->metrics[0]->step, 2);
	assert_true(isinf(r->metrics[1]->value) && r->metrics[1]->value < 0);
	assert_false(r->metrics[1]->has_timestamp);
	assert_string_equal(r->params[0]->key, "p");
	assert_string_equal(r->tags[0]->key, "t");
	assert_int_equal(r->n_dataset_inputs, 1);
	assert_string_equal(r->dataset_inputs[0]->digest, "dg");
	assert_string_equal(r->dataset_inputs[0]->tags[0]->value, "training");
	assert_int_equal(r->n_model_outputs, 2);
	assert_string_equal(r->model_outputs[1], "m-2");
	assert_string_equal(f->answer.runs[1]->run_id, "old"); /* run_uuid, before 1.0 */
	assert_int_equal(f->answer.flaw_count, 0);
}

static void experiments_and_logged_models(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(
	    parse(f, VW_SHAPE_EXPERIMENT,
		  "{\"experiment\":{\"experiment_id\":\"0\",\"name\":\"Default\",\"artifact_location\":\"l\","
		  "\"lifecycle_stage\":\"active\",\"tags\":[]}}"),
	    0);
	assert_string_equal(f->answer.experiments[0]->name, "Default");
	assert_int_equal(parse(f, VW_SHAPE_LOGGED_MODELS,
			       "{\"models\":[{\"info\":{\"model_id\":\"m-1\",\"experiment_id\":\"1\",\"name\":\"n\","
			       "\"artifact_uri\":\"u\","
			       "\"status\":\"LOGGED_MODEL_READY\",\"source_run_id\":\"\",\"tags\":[{\"key\":\"a\","
			       "\"value\":\"b\"}]},"
			       "\"data\":{\"params\":[{\"key\":\"p\",\"value\":\"q\"}],\"metrics\":[{\"key\":\"acc\","
			       "\"value\":0.5,\"step\":1,"
			       "\"dataset_name\":\"ds\"},{\"key\":\"acc\",\"value\":0.6,\"step\":2}]}}]}"),
			 0);
	const vw_logged_model *m = f->answer.logged_models[0];
	assert_string_equal(m->status, "LOGGED_MODEL_READY");
	assert_null(m->source_run_id);
	assert_int_equal(m->n_metrics, 2);
	assert_string_equal(m->metrics[0]->dataset, "ds");
	assert_null(m->metrics[1]->dataset);
	assert_string_equal(m->params[0]->value, "q");
	assert_string_equal(m->tags[0]->key, "a");
}

static void workspaces_and_texts(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(parse(f, VW_SHAPE_WORKSPACES,
			       "{\"workspaces\":[{\"name\":\"default\"},{\"name\":\"team-a\"},{\"name\":\"\"},{}]}"),
			 0);
	assert_int_equal(f->answer.count, 2);
	assert_string_equal(f->answer.texts[1], "team-a");
	assert_int_equal(f->answer.malformed, 2);
	assert_int_equal(parse(f, VW_SHAPE_TEXT, "\n 3.17.2 \nmore"), 0);
	assert_string_equal(f->answer.texts[0], "3.17.2");
	assert_int_equal(parse(f, VW_SHAPE_TEXT, "  \n"), VW_EINVAL);
	assert_int_equal(parse(f, VW_SHAPE_TEXT, "<!doctype html>"), VW_EINVAL);
	assert_int_equal(parse(f, VW_SHAPE_TEXT, "1.\x1b[31m0"), 0);
	assert_null(strchr(f->answer.texts[0], '\x1b')); /* a terminal must not see it */
}

static void what_cannot_be_named_is_counted(void **state)
{
	struct fixture *f = *state;
	char name[VW_MAX_NAME + 2];
	struct vw_buffer json;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	vw_buffer_init(&json, 0);
	vw_buffer_printf(&json,
			 "{\"model_versions\":[{\"name\":\"a\"},{\"version\":\"1\"},{\"name\":\"\",\"version\":\"1\"}"
			 ",5,null,\"x\",[],"
			 "{\"name\":[],\"version\":\"1\"},{\"name\":\"%s\",\"version\":\"1\"},"
			 "{\"name\":\"good\",\"version\":\"1\"}]}",
			 name);
	assert_int_equal(parse(f, VW_SHAPE_VERSIONS, vw_buffer_text(&json)), 0);
	assert_int_equal(f->answer.count, 1);
	assert_string_equal(f->answer.versions[0]->name, "good");
	assert_int_equal(f->answer.malformed, 9);
	vw_buffer_reset(&json);
}

/* S12.1: an object that has its key is given back whatever else is wrong with it. */
static void a_broken_object_spoils_itself_only(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(parse(f, VW_SHAPE_VERSIONS,
			       "{\"model_versions\":[{\"name\":\"one\",\"version\":\"1\",\"version\":\"2\"},"
			       "{\"name\":\"two\",\"version\":\"1\",\"tags\":\"none\",\"creation_timestamp\":{},"
			       "\"description\":true},"
			       "{\"name\":\"three\",\"version\":\"1\",\"tags\":[{\"value\":\"no "
			       "key\"},7,{\"key\":\"k\",\"value\":[1]},"
			       "{\"key\":\"fine\",\"value\":\"v\"}]},{\"name\":\"four\",\"version\":\"1\",,},"
			       "{\"name\":\"five\",\"version\":\"1\"}]}"),
			 0);
	assert_int_equal(f->answer.count, 3);
	assert_int_equal(f->answer.malformed, 2); /* a key twice; no JSON */
	assert_string_equal(f->answer.versions[0]->name, "two");
	assert_int_equal(f->answer.versions[0]->n_tags, 0);
	assert_false(f->answer.versions[0]->has_creation_timestamp);
	assert_int_equal(vw_mlflow_flaws(&f->answer, f->answer.versions[0]), VW_FLAW_UNREADABLE);
	assert_int_equal(f->answer.versions[1]->n_tags, 1);
	assert_string_equal(f->answer.versions[1]->tags[0]->key, "fine");
	assert_int_equal(vw_mlflow_flaws(&f->answer, f->answer.versions[1]), VW_FLAW_UNREADABLE);
	assert_int_equal(vw_mlflow_flaws(&f->answer, f->answer.versions[2]), 0);
}

/* Some databases store U+0000; one such tag must not hide a page of models. */
static void escapes_that_no_text_can_hold(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(parse(f, VW_SHAPE_MODELS,
			       "{\"registered_models\":[{\"name\":\"zero\\u0000\",\"description\":\"\\\\u0000 "
			       "\\ud800x \\udc00 \\ud83d\\ude00 \\ud800\\ud800\"},"
			       "{\"name\":\"b\",\"description\":\"\\ud83d\"}]}"),
			 0);
	assert_int_equal(f->answer.count, 2);
	assert_int_equal(f->answer.malformed, 0);
	assert_string_equal(f->answer.models[0]->name, "zero\xef\xbf\xbd");
	assert_string_equal(f->answer.models[0]->description,
			    "\\u0000 \xef\xbf\xbdx \xef\xbf\xbd \xf0\x9f\x98\x80 \xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(f->answer.models[1]->description, "\xef\xbf\xbd");
}

static void values_over_the_cap_are_left_out(void **state)
{
	struct fixture *f = *state;
	struct vw_buffer json;
	vw_buffer_init(&json, 0);
	vw_buffer_puts(&json, "{\"registered_models\":[{\"name\":\"m\",\"tags\":[{\"key\":\"big\",\"value\":\"");
	for (size_t i = 0; i <= VW_MAX_VALUE; i++)
		vw_buffer_putc(&json, 'x');
	vw_buffer_puts(&json, "\"},{\"key\":\"small\",\"value\":\"v\"}]},{\"name\":\"n\",\"tags\":[");
	for (int i = 0; i <= VW_MAX_ENTRIES; i++)
		vw_buffer_printf(&json, "%s{\"key\":\"k%d\",\"value\":\"\"}", i ? "," : "", i);
	vw_buffer_puts(&json, "]}]}");
	assert_int_equal(parse(f, VW_SHAPE_MODELS, vw_buffer_text(&json)), 0);
	assert_int_equal(f->answer.count, 2);
	assert_int_equal(f->answer.models[0]->n_tags, 1);
	assert_string_equal(f->answer.models[0]->tags[0]->key, "small");
	assert_int_equal(f->answer.models[1]->n_tags, VW_MAX_ENTRIES);
	assert_int_equal(vw_mlflow_flaws(&f->answer, f->answer.models[0]), VW_FLAW_CUT);
	assert_int_equal(vw_mlflow_flaws(&f->answer, f->answer.models[1]), VW_FLAW_CUT);
	vw_buffer_reset(&json);
}

/* Two million empty objects would be gigabytes of jansson's values. */
static void an_object_of_too_many_values_is_not_built(void **state)
{
	struct fixture *f = *state;
	struct vw_buffer json;
	vw_buffer_init(&json, 0);
	vw_buffer_puts(&json, "{\"runs\":[{\"info\":{\"run_id\":\"r\"},\"x\":[0");
	for (int i = 0; i < 1000000; i++)
		vw_buffer_puts(&json, ",{}");
	vw_buffer_puts(&json, "]},{\"info\":{\"run_id\":\"s\"}}]}");
	assert_int_equal(parse(f, VW_SHAPE_RUNS, vw_buffer_text(&json)), 0);
	assert_int_equal(f->answer.malformed, 1);
	assert_int_equal(f->answer.count, 1);
	vw_buffer_reset(&json);
}

static void broken_envelopes(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = {
	    "",
	    "[]",
	    "null",
	    "<html>",
	    "{\"runs\":[",
	    "{\"runs\":[{}",
	    "{\"runs\":[{}]",
	    "{\"runs\":[{}]} x",
	    "{\"runs\":[{},]}",
	    "{\"runs\":{}}",
	    "{\"runs\":\"\"}",
	    "{\"runs\":[],\"runs\":[]}",
	    "{\"runs\" []}",
	    "{runs:[]}",
	    "{\"runs\":[],}",
	    "{\"next_page_token\":}",
	    "{\"status\":\"ok\"}", /* somebody else's JSON is no empty registry */
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		f->err.message[0] = '\0';
		assert_int_equal(parse(f, VW_SHAPE_RUNS, texts[i]), VW_EINVAL);
		assert_non_null(strstr(f->err.message, "a/call"));
		assert_int_equal(f->answer.count, 0);
		assert_null(f->answer.runs);
	}
}

static void every_truncation_is_noticed(void **state)
{
	struct fixture *f = *state;
	const char *text =
	    "{\"registered_models\":[{\"name\":\"a\",\"tags\":[{\"key\":\"k\",\"value\":\"\\u00e4\\\\\"}]},"
	    "{\"name\":\"b\"}],\"next_page_token\":\"t\"}";
	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(parse_bytes(f, VW_SHAPE_MODELS, text, len), VW_EINVAL);
	assert_int_equal(parse(f, VW_SHAPE_MODELS, text), 0);
}

static void empty_lists(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = {"{}", " { } ", "{\"runs\":[]}", "{\"runs\":null}",
					    "{\"next_page_token\":\"t\"}"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(parse(f, VW_SHAPE_RUNS, texts[i]), 0);
		assert_int_equal(f->answer.count, 0);
	}
	assert_string_equal(f->answer.next_page_token, "t"); /* a page may be empty and not the last */
}

static void a_single_object_must_be_there(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = {
	    "{}",           "{\"run\":null}", "{\"run\":{}}",
	    "{\"run\":[]}", "{\"runs\":[]}",  "{\"run\":{\"info\":{\"run_id\":\"\"}}}"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(parse(f, VW_SHAPE_RUN, texts[i]), VW_EINVAL);
}

static void page_tokens(void **state)
{
	struct fixture *f = *state;
	struct vw_buffer json;
	assert_int_equal(parse(f, VW_SHAPE_RUNS, "{\"next_page_token\":17}"), 0);
	assert_string_equal(f->answer.next_page_token, "17");
	assert_int_equal(parse(f, VW_SHAPE_RUNS, "{\"next_page_token\":null}"), 0);
	assert_null(f->answer.next_page_token);
	vw_buffer_init(&json, 0);
	vw_buffer_puts(&json, "{\"next_page_token\":\"");
	for (int i = 0; i < 20000; i++)
		vw_buffer_putc(&json, 't');
	vw_buffer_puts(&json, "\"}");
	assert_int_equal(parse(f, VW_SHAPE_RUNS, vw_buffer_text(&json)), VW_ELIMIT);
	vw_buffer_reset(&json);
}

static void an_arena_at_its_cap(void **state)
{
	(void)state;
	struct vw_arena *arena = vw_arena_open(1024);
	struct vw_mlflow_answer answer = {.count = 0};
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer json;
	vw_buffer_init(&json, 0);
	vw_buffer_puts(&json, "{\"experiments\":[");
	for (int i = 0; i < 100; i++)
		vw_buffer_printf(&json, "%s{\"experiment_id\":\"%d\"}", i ? "," : "", i);
	vw_buffer_puts(&json, "]}");
	assert_int_equal(vw_mlflow_parse(VW_SHAPE_EXPERIMENTS, json.data, json.len, "x", arena, &answer, &err),
			 VW_ELIMIT);
	assert_non_null(strstr(err.message, "VW_MAX_ARENA"));
	assert_int_equal(answer.count, 0);
	vw_buffer_reset(&json);
	vw_arena_close(arena);
}

static const char *error_text(struct fixture *f, const char *body)
{
	return vw_mlflow_parse_error(body, strlen(body), f->arena);
}

static void error_answers(void **state)
{
	struct fixture *f = *state;
	assert_string_equal(
	    error_text(f, "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"Run 'x' not found\"}"),
	    "RESOURCE_DOES_NOT_EXIST: Run 'x' not found");
	assert_string_equal(error_text(f, "{\"message\":\"a\\nb\"}"), "a");
	assert_string_equal(error_text(f, "{\"error_code\":\"X\"}"), "X");
	assert_string_equal(error_text(f, "Permission denied\nmore"), "Permission denied");
	assert_string_equal(error_text(f, "\n\n<!doctype html>\n<html>"), "(a web page)");
	assert_string_equal(error_text(f, ""), "");
	assert_null(strchr(error_text(f, "bad \x1b[2J thing"), '\x1b'));
	char longer[4000];
	memset(longer, 'e', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_true(strlen(error_text(f, longer)) < 500);
}

static void server_info(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool enabled;
	} cases[] = {{"{\"workspaces_enabled\":true}", true},
		     {"{\"workspaces_enabled\":false}", false},
		     {"{\"workspaces_enabled\":\"true\"}", false},
		     {"{\"store_type\":\"SqlStore\"}", false},
		     {"[]", false},
		     {"<html>", false},
		     {"", false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(vw_mlflow_parse_workspaces_enabled(cases[i].text, strlen(cases[i].text)),
				 cases[i].enabled);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(registered_models),
	    TEST(missing_is_not_empty),
	    TEST(model_versions),
	    TEST(runs),
	    TEST(experiments_and_logged_models),
	    TEST(workspaces_and_texts),
	    TEST(what_cannot_be_named_is_counted),
	    TEST(a_broken_object_spoils_itself_only),
	    TEST(escapes_that_no_text_can_hold),
	    TEST(values_over_the_cap_are_left_out),
	    TEST(an_object_of_too_many_values_is_not_built),
	    TEST(broken_envelopes),
	    TEST(every_truncation_is_noticed),
	    TEST(empty_lists),
	    TEST(a_single_object_must_be_there),
	    TEST(page_tokens),
	    TEST(an_arena_at_its_cap),
	    TEST(error_answers),
	    TEST(server_info),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
