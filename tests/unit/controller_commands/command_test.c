/* operator.c, fleet.c: what each command asks of the interface, and what it does with files, secrets and signals. */
#include "client.h"

#include "desk.h"
#include "stand_in.h"

#include "base/digest.h"
#include "fleet/seal.h"

#include <signal.h>
#include <sodium.h>

static int forget(void **state)
{
	(void)state;
	forget_answers();
	vw_cli_cancelled = 0;
	desk_input = NULL;
	return 0;
}

static void asks(int at, const char *what)
{
	assert_true(asked_count > at);
	assert_string_equal(asked[at], what);
}

/* ---- each is one request ---- */

static void test_requests(void **state)
{
	static const struct {
		const char *words[12];
		const char *asked;
	} cases[] = {
	    {{"org", "create", "ACME Bank"}, "POST /api/v1/organizations {\"name\":\"ACME Bank\"}"},
	    {{"org", "create", "ACME", "--id", "7"}, "POST /api/v1/organizations {\"name\":\"ACME\",\"id\":7}"},
	    {{"org", "disable", "7"}, "POST /api/v1/organizations/7/disable "},
	    {{"org", "enable", "7"}, "POST /api/v1/organizations/7/enable "},
	    {{"token", "create"}, "POST /api/v1/tokens {}"},
	    {{"token", "create", "--label", "x", "--expires-in", "90m", "--uses", "20", "--organization", "7"},
	     "POST /api/v1/tokens?organization=7 {\"label\":\"x\",\"expires_in_s\":5400,\"uses\":20}"},
	    {{"token", "list", "--organization", "7"}, "GET /api/v1/tokens?organization=7 "},
	    {{"token", "revoke", "1f2e", "--organization", "7"}, "DELETE /api/v1/tokens/1f2e?organization=7 "},
	    {{"users", "create", "audit", "--organization", "7"},
	     "POST /api/v1/users?organization=7 {\"name\":\"audit\",\"role\":\"auditor\"}"},
	    {{"users", "create", "op", "--role", "admin", "--all-organizations", "--expires-in", "90d"},
	     "POST /api/v1/users "
	     "{\"name\":\"op\",\"role\":\"admin\",\"all_organizations\":true,\"expires_in_s\":7776000}"},
	    {{"users", "list"}, "GET /api/v1/users "},
	    {{"users", "revoke", "1f2e"}, "DELETE /api/v1/users/1f2e "},
	    {{"trail", "--organization", "7"}, "GET /api/v1/trail?organization=7 "},
	    {{"agents", "revoke", "a", "--reason", "stolen"}, "POST /api/v1/agents/a/revoke {\"reason\":\"stolen\"}"},
	    {{"agents", "activate", "a"}, "POST /api/v1/agents/a/activate {}"},
	    {{"agents", "commands"}, "GET /api/v1/commands "},
	    {{"agents", "commands", "a"}, "GET /api/v1/agents/a/commands "},
	    {{"agents", "command", "a", "sync", "--depth", "full", "--model", "m"},
	     "POST /api/v1/agents/a/commands {\"kind\":\"sync\",\"depth\":\"full\",\"model\":\"m\"}"},
	    {{"agents", "command", "a", "resend", "--from", "12"},
	     "POST /api/v1/agents/a/commands {\"kind\":\"resend\",\"from_sequence\":12}"},
	    {{"records", "--model", "m", "--severity", "high", "--all"},
	     "GET /api/v1/records?model=m&severity=high&with_removed=true "},
	    {{"secrets", "list", "a"}, "GET /api/v1/agents/a/secrets "},
	    {{"secrets", "delete", "a", "mlflow.token"}, "DELETE /api/v1/agents/a/secrets/mlflow.token "},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const *w = cases[i].words;
		forget_answers();
		will_answer("{'items': [], 'next': null, 'token': 'vwt1.x', 'public_id': 'x'}");
		run(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], NULL);
		if (told.code != 0 || asked_count != 1 || strcmp(asked[0], cases[i].asked) != 0)
			fail_msg("%s %s: %d, %s\n%s", w[0], w[1] ? w[1] : "", told.code, asked[0], told.err);
	}
}

static void test_what_is_not_asked_at_all(void **state)
{
	static const char *const lines[][6] = {
	    {"org", "create", "x", "--id", "0"},
	    {"org", "create", "\xff"},
	    {"token", "create", "--uses", "0"},
	    {"token", "create", "--uses", "many"},
	    {"token", "create", "--expires-in", "soon"},
	    {"token", "create", "--expires-in", "0s"},
	    {"token", "create", "--label", "\xc3"},
	    {"users", "create", "x", "--role", "king"},
	    {"users", "create", "\xff"},
	    {"agents", "command", "a", "resend", "--from", "0"},
	    {"agents", "command", "a", "\xff"},
	    {"agents", "revoke", "a", "--reason", "\xff"},
	    {"agents", "show"},
	    {"agents"},
	    {"org", "list", "--format", "xml"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		forget_answers();
		run(lines[i][0], lines[i][1], lines[i][2], lines[i][3], lines[i][4], NULL);
		if (told.code != VW_CLI_EXIT_USAGE || asked_count != 0 || !told.err[0])
			fail_msg("%s %s: %d %s", lines[i][0], lines[i][1] ? lines[i][1] : "", told.code, told.err);
	}
}

/* ---- tokens ---- */

static void test_a_token_alone_on_standard_output(void **state)
{
	(void)state;
	will_answer("{'public_id': '1f2e3d4c5b6a7988', 'token': 'vwt1.1f2e3d4c5b6a7988.secret.pin', 'expires_at': "
		    "'2026-03-01T12:00:00.000Z'}");
	assert_exit(0, "token", "create");
	assert_string_equal(told.out, "vwt1.1f2e3d4c5b6a7988.secret.pin\n");
	assert_says(told.err, "1f2e3d4c5b6a7988, until 2026-03-01");
	assert_null(strstr(told.err, "secret"));
	assert_exit(0, "token", "create", "--format", "json");
	assert_says(told.out, "\"token\": \"vwt1.1f2e3d4c5b6a7988.secret.pin\"");
	assert_string_equal(told.err, "");
	assert_exit(0, "users", "create", "x");
	assert_string_equal(told.out, "vwt1.1f2e3d4c5b6a7988.secret.pin\n");
}

/* ---- files ---- */

static void test_a_file_for_a_command(void **state)
{
	(void)state;
	will_answer("{'id': 'i'}");
	desk_write("policy.yaml", "rules: []\n# \xc3\xa9\n", 0644);
	assert_exit(0, "agents", "command", "a", "set_policy", "--file", desk_path("policy.yaml"));
	asks(0, "POST /api/v1/agents/a/commands {\"kind\":\"set_policy\",\"content\":\"rules: []\\n# \xc3\xa9\\n\"}");
	desk_write("empty", "", 0644);
	assert_exit(0, "agents", "command", "a", "set_policy", "--file", desk_path("empty"));
	asks(1, "POST /api/v1/agents/a/commands {\"kind\":\"set_policy\",\"content\":\"\"}");
	desk_write("latin", "\xe9\n", 0644);
	assert_exit(VW_CLI_EXIT_CONFIG, "agents", "command", "a", "set_policy", "--file", desk_path("latin"));
	assert_exit(VW_CLI_EXIT_CONFIG, "agents", "command", "a", "set_policy", "--file", "/nowhere");
	assert_says(told.err, "/nowhere");
	assert_exit(VW_CLI_EXIT_CONFIG, "agents", "command", "a", "set_policy", "--file", "/");
	assert_int_equal(asked_count, 2);
}

/* ---- waiting ---- */

static void test_waited_for(void **state)
{
	(void)state;
	will_answer("{'id': 'c1', 'state': 'queued'}");
	will_answer("{'id': 'c1', 'state': 'running', 'update': {'text': 'half\\u001b[2J', 'done': 1}}");
	will_answer("{'id': 'c1', 'state': 'running', 'update': {'text': 'half\\u001b[2J', 'done': 1}}");
	will_answer("{'id': 'c1', 'state': 'done', 'update': {'text': 'all'}}");
	assert_exit(0, "agents", "command", "a", "sync", "--wait", "--organization", "7");
	asks(1, "GET /api/v1/commands/c1?organization=7 ");
	assert_int_equal(asked_count, 4);
	assert_says(told.err, "running: half");
	assert_null(strchr(told.err, '\x1b'));
	assert_null(strstr(strstr(told.err, "running") + 1, "running")); /* once */
	assert_says(told.out, "update.text                all");
}

static void test_waited_for_in_vain(void **state)
{
	static const char *const ends[] = {"failed", "refused", "expired", "unsupported"};
	(void)state;
	for (int i = 0; i < 4; i++) {
		char answer[64];
		forget_answers();
		snprintf(answer, sizeof(answer), "{'id': 'c1', 'state': '%s'}", ends[i]);
		will_answer(answer);
		assert_exit(VW_CLI_EXIT_FAILED, "agents", "command", "a", "sync", "--wait");
	}
	forget_answers();
	will_answer("{'id': 'c1', 'state': 'queued'}");
	will_fail(VW_EAGAIN, "gone");
	assert_exit(EXIT_STORE, "agents", "command", "a", "sync", "--wait");
}

static void interrupt(void)
{
	if (asked_count == 3)
		raise(SIGINT);
}

static void test_waiting_is_cancelled(void **state)
{
	(void)state;
	will_answer("{'id': 'c1', 'state': 'running'}");
	on_question = interrupt;
	assert_exit(VW_CLI_EXIT_CANCELLED, "agents", "command", "a", "sync", "--wait");
	assert_int_equal(asked_count, 3);
	assert_says(told.err, "the command goes on");
	assert_says(told.err, "c1");
}

/* ---- ledgers ---- */

static void test_a_broken_ledger(void **state)
{
	(void)state;
	will_answer("{'sound': true, 'entries': 4}");
	assert_exit(0, "ledger", "verify", "a");
	asks(0, "GET /api/v1/agents/a/ledger/verify ");
	forget_answers();
	will_answer("{'sound': false, 'reason': 'entry 3'}");
	assert_exit(EXIT_CHAIN, "ledger", "verify", "a");
	assert_says(told.out, "entry 3");
	forget_answers();
	will_answer("{'a': 1}");
	assert_exit(0, "ledger", "export", "a");
	assert_string_equal(told.out, "{\"a\": 1}");
	forget_answers();
	will_fail(VW_EAGAIN, "cut off");
	assert_exit(EXIT_STORE, "ledger", "export");
}

/* ---- secrets: what leaves this process only the agent can open (S4.5, S11.1) ---- */

static struct vw_sealing_key *key;

static void offer_key(void)
{
	static const char hex_digits[] = "0123456789abcdef";
	char answer[128] = "{'sealing_key_hex': '", *at = answer + strlen(answer);
	const uint8_t *public = vw_sealing_key_public(key);
	for (int i = 0; i < 32; i++) {
		*at++ = hex_digits[public[i] >> 4];
		*at++ = hex_digits[public[i] & 15];
	}
	strcpy(at, "'}");
	will_answer(answer);
	will_answer("{'name': 'mlflow.token', 'version': 1}");
}

static void opens_as(const char *text)
{
	uint8_t bytes[512];
	struct vw_secret *secret;
	struct vw_error err = VW_ERROR_INIT;
	const char *sealed = strstr(asked[1], "\"sealed\":\"");
	assert_non_null(sealed);
	sealed += strlen("\"sealed\":\"");
	size_t len = 0;
	assert_int_equal(sodium_base642bin(bytes, sizeof(bytes), sealed, strcspn(sealed, "\""), NULL, &len, NULL,
					   sodium_base64_VARIANT_ORIGINAL),
			 0);
	assert_int_equal(vw_seal_open(key, (struct vw_bytes){bytes, len}, &secret, &err), 0);
	assert_string_equal(vw_secret_text(secret), text);
	vw_secret_close(secret);
}

static void test_secrets(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	assert_int_equal(vw_sealing_key_generate(&key, &err), 0);
	/* from a pipe: its first line */
	offer_key();
	desk_input = "hunter2 is it\nand this is not\n";
	assert_exit(0, "secrets", "put", "a", "mlflow.token", "--organization", "7");
	asks(0, "GET /api/v1/agents/a?organization=7 ");
	assert_int_equal(strncmp(asked[1], "PUT /api/v1/agents/a/secrets/mlflow.token?organization=7 {", 58), 0);
	opens_as("hunter2 is it");
	assert_null(strstr(asked[1], "hunter2"));
	assert_null(strstr(told.out, "hunter2"));
	/* from a file; one that others can read is said to be */
	forget_answers();
	offer_key();
	desk_write("secret", "from the file\n", 0600);
	assert_exit(0, "secrets", "put", "a", "mlflow.token", "--file", desk_path("secret"));
	opens_as("from the file");
	assert_string_equal(told.err, "");
	forget_answers();
	offer_key();
	desk_write("open", "from the file\n", 0644);
	assert_exit(0, "secrets", "put", "a", "mlflow.token", "--file", desk_path("open"));
	assert_says(told.err, "others can read");
	vw_sealing_key_close(key);
}

static void test_no_secret(void **state)
{
	struct vw_error err = VW_ERROR_INIT;
	(void)state;
	assert_int_equal(vw_sealing_key_generate(&key, &err), 0);
	offer_key();
	desk_input = "";
	assert_exit(VW_CLI_EXIT_CONFIG, "secrets", "put", "a", "mlflow.token");
	assert_int_equal(asked_count, 1);
	forget_answers();
	offer_key();
	assert_exit(VW_CLI_EXIT_CONFIG, "secrets", "put", "a", "mlflow.token", "--file", "/nowhere");
	forget_answers();
	will_answer("{'sealing_key_hex': 'short'}");
	desk_input = "x\n";
	assert_exit(EXIT_REFUSED, "secrets", "put", "a", "mlflow.token");
	assert_int_equal(asked_count, 1);
	forget_answers();
	will_fail(VW_ENOTFOUND, "no such agent");
	assert_exit(EXIT_REFUSED, "secrets", "put", "a", "mlflow.token");
	vw_sealing_key_close(key);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, forget)
	const struct CMUnitTest tests[] = {
	    TEST(test_requests),
	    TEST(test_what_is_not_asked_at_all),
	    TEST(test_a_token_alone_on_standard_output),
	    TEST(test_a_file_for_a_command),
	    TEST(test_waited_for),
	    TEST(test_waited_for_in_vain),
	    TEST(test_waiting_is_cancelled),
	    TEST(test_a_broken_ledger),
	    TEST(test_secrets),
	    TEST(test_no_secret),
	};
	return cmocka_run_group_tests(tests, desk_open, desk_close);
}
