/* enroll.h: the first certificate, for a token: whom it is given to and whom not (S4.1). */
#include "desk.h"

#include "base/limits.h"

#include <pthread.h>

static struct agent agent;

static int arrive(void **state)
{
	(void)state;
	new_agent(&agent);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	agent_close(&agent);
	return 0;
}

static void test_enrolled(void **state)
{
	char id[VW_TOKEN_ID_MAX];
	const char *text = NULL;
	const char *token = new_token(desk.organization, 3, HOUR, id);
	(void)state;
	assert_issued(enroll(enroll_request(&agent, token)), &agent, desk.organization);
	assert_int_equal(uses_of(id), 1);
	vw_agent *row = row_of(&agent, desk.organization);
	assert_int_equal(row->status, VW_AGENT_ACTIVE);
	assert_string_equal(row->hostname, "host");
	assert_string_equal(row->enrollment_token, id);
	assert_int_equal(row->enrolled_at, desk.now);
	assert_memory_equal(row->sealing_key.data, agent.sealing, 32);
	assert_null(row->serial);
	assert_int_equal(trail_count("agent_enrolled", agent.id, &text), 1);
	assert_non_null(strstr(text, id));
	assert_non_null(strstr(text, "192.0.2.1"));
	/* the token's secret is nowhere */
	assert_null(strstr(text, token));
	assert_false(sh_says("grep -qF '%s' store/data.mdb", strchr(token + 5, '.') + 1));
}

/* Whatever is wrong with a token, it is the same answer to the byte, and the store is asked the same questions. */
static void test_tokens_that_are_not_valid(void **state)
{
	char used[VW_TOKEN_ID_MAX], revoked[VW_TOKEN_ID_MAX], disabled[VW_TOKEN_ID_MAX];
	struct agent first;
	struct vw_bytes one = {NULL, 0};
	const char *tokens[7];
	int64_t now = desk.now;
	(void)state;
	new_agent(&first);
	tokens[0] = new_token(desk.organization, 1, HOUR, used);
	assert_issued(enroll(enroll_request(&first, tokens[0])), &first, desk.organization);
	tokens[1] = new_token(desk.organization, 1, HOUR, revoked);
	assert_ok(vw_fleet_token_revoke(desk.store, desk.organization, revoked, desk.now, &err), err);
	tokens[2] = new_token(desk.organization, 1, 0, NULL); /* expires now */
	tokens[3] = new_token(desk.other, 1, HOUR, disabled);
	assert_ok(vw_fleet_organization_disable(desk.store, desk.other, true, &err), err);
	/* a wrong secret, an unknown id */
	char *wrong = vw_arena_strdup(arena, new_token(desk.organization, 1, HOUR, NULL));
	wrong[25] = wrong[25] == 'A' ? 'B' : 'A';
	tokens[4] = wrong;
	char *unknown = vw_arena_strdup(arena, tokens[0]);
	memcpy(unknown + 5, "0123456789abcdef", 16);
	tokens[5] = unknown;
	/* a good secret under another's id */
	char *mixed = vw_arena_strdup(arena, tokens[0]);
	memcpy(mixed + 5, disabled, 16);
	tokens[6] = mixed;
	for (size_t i = 0; i < 7; i++) {
		struct vw_bytes out, request = packed(&enroll_request(&agent, tokens[i])->base);
		desk_count();
		assert_ok(vw_enroll(&desk.enroller, request, "192.0.2.1", now, arena, &out, &err), err);
		assert_true(i == 0 || same_bytes(one, out));
		one = out;
		assert_int_equal(desk.counted.tokens, 1);
		assert_int_equal(desk.counted.organizations, 1);
		assert_int_equal(desk.counted.agents, 1);
		assert_int_equal(desk.counted.enrolments, 0);
		assert_refused(enroll_bytes(request), VW_REJECTION_TOKEN, "the token is not valid");
	}
	assert_ok(vw_fleet_organization_disable(desk.store, desk.other, false, &err), err);
	vw_agent *row;
	assert_int_equal(vw_fleet_agent_get(desk.store, arena, desk.organization, agent.id, &row, &err),
			 VW_ENOTFOUND);
	assert_int_equal(uses_of(used), 1);
	assert_int_equal(uses_of(revoked), 0);
	agent_close(&first);
}

static void test_what_is_no_token(void **state)
{
	static const char user[] = "vwu1.0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	(void)state;
	const char *good = new_token(desk.organization, 1, HOUR, NULL);
	const char *bad[] = {NULL,
			     "",
			     "x",
			     user,
			     vw_arena_printf(arena, "%s ", good),
			     vw_arena_printf(arena, "%sA", good),
			     vw_arena_strndup(arena, good, strlen(good) - 1)};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(enroll(enroll_request(&agent, bad[i])), VW_REJECTION_TOKEN, "the token is not valid");
}

/* ---- requests that are wrong ---- */

static void test_malformed(void **state)
{
	struct vw_bytes other_key;
	char id[VW_TOKEN_ID_MAX];
	struct agent other;
	const char *token = new_token(desk.organization, 1, HOUR, id);
	vw_enroll_request *r;
	(void)state;
	new_agent(&other);
	static const char *const ids[] = {"", "x", "0B5C1F5E-7F6E-4D0A-9F0E-3D2C1B0A9F8E",
					  "0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8e/../x"};
	for (size_t i = 0; i < 4; i++) {
		r = enroll_request(&agent, token);
		r->agent_id = (char *)ids[i];
		sign_again(&agent, r);
		assert_refused(enroll(r), VW_REJECTION_MALFORMED, "agent_id");
	}
	r = enroll_request(&agent, token);
	r->agent_id = NULL;
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "agent_id");
	r = enroll_request(&agent, token);
	r->sealing_key.len = 31;
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "sealing_key");
	r->has_sealing_key = 0;
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "sealing_key");
	r = enroll_request(&agent, token);
	r->hostname = memset(vw_arena_alloc(arena, 257), 'h', 256);
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "hostname");
	r->hostname = (char *)"\xff";
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "hostname");
	/* signed by another enrolment key, over another id, over another CSR */
	r = enroll_request(&agent, token);
	sign_again(&other, r);
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "enrollment_signature");
	r = enroll_request(&other, token);
	r->agent_id = agent.id;
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "enrollment_signature");
	r = enroll_request(&agent, token);
	r->csr = enroll_request(&other, token)->csr;
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "enrollment_signature");
	r = enroll_request(&agent, token);
	r->enrollment_signature.len = 0;
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "enrollment_signature");
	/* a key that is none, or is followed by something */
	assert_ok(vw_key_public(agent.enrollment, arena, &other_key, &err), err);
	struct vw_bytes longer = with_tail(other_key, "x");
	r = enroll_request(&agent, token);
	VW_SET_BYTES(r, enrollment_key, longer.data, longer.len);
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "enrollment_signature");
	r->enrollment_key.len = 0;
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "enrollment_signature");
	assert_int_equal(uses_of(id), 0);
	agent_close(&other);
}

static vw_enroll_request *with_csr(struct vw_bytes csr, const char *token)
{
	vw_enroll_request *r = enroll_request(&agent, token);
	VW_SET_BYTES(r, csr, csr.data, csr.len);
	sign_again(&agent, r);
	return r;
}

static void test_requests_for_certificates(void **state)
{
	char id[VW_TOKEN_ID_MAX];
	const char *token = new_token(desk.organization, 1, HOUR, id);
	struct vw_bytes csr;
	(void)state;
	assert_ok(vw_csr_make(agent.stream, arena, &csr, &err), err);
	assert_refused(enroll(with_csr(with_flip(csr, csr.len - 5), token)), VW_REJECTION_MALFORMED, "csr");
	assert_refused(enroll(with_csr(with_tail(csr, "x"), token)), VW_REJECTION_MALFORMED, "csr");
	assert_refused(enroll(with_csr((struct vw_bytes){csr.data, csr.len - 1}, token)), VW_REJECTION_MALFORMED,
		       "csr");
	assert_refused(enroll(with_csr(bytes_of("garbage"), token)), VW_REJECTION_MALFORMED, "csr");
	struct vw_bytes huge = {vw_arena_alloc(arena, VW_MAX_CSR + 1), VW_MAX_CSR + 1};
	assert_refused(enroll(with_csr(huge, token)), VW_REJECTION_MALFORMED, "csr");
	sh("openssl req -new -newkey rsa:2048 -nodes -keyout rsa.key -subj /CN=x -outform DER -out rsa.csr");
	assert_refused(enroll(with_csr(slurp("rsa.csr"), token)), VW_REJECTION_MALFORMED, "csr");
	assert_int_equal(uses_of(id), 0);
}

/* Names and uses that a request asks for are not looked at: the certificate has the one name that the controller's records say. */
static void test_a_request_with_names_of_its_own(void **state)
{
	const char *token = new_token(desk.organization, 1, HOUR, NULL);
	(void)state;
	assert_ok(vw_key_write(agent.stream, "stream.key", &err), err);
	sh("openssl req -new -key stream.key -subj '/CN=controller' -addext "
	   "'subjectAltName=URI:spiffe://" DOMAIN "/controller,URI:spiffe://" DOMAIN
	   "/org/%d/agent/%s,DNS:controller.example' "
	   "-addext basicConstraints=CA:true -addext extendedKeyUsage=serverAuth -outform DER -out "
	   "names.csr",
	   (int)desk.other, AGENT);
	vw_enroll_response *response = enroll(with_csr(slurp("names.csr"), token));
	assert_issued(response, &agent, desk.organization);
	struct vw_bytes der = {response->issued->certificates[0].data, response->issued->certificates[0].len};
	assert_ok(vw_certificates_write_file("names.pem", &der, 1, 0644, &err), err);
	sh("openssl x509 -in names.pem -noout -ext subjectAltName,extendedKeyUsage,basicConstraints >names.txt && "
	   "! grep -q controller names.txt && ! grep -q DNS names.txt && ! grep -q 'CA:TRUE' names.txt && "
	   "! grep -q Server names.txt && [ $(grep -o spiffe names.txt | wc -l) = 1 ]");
}

static void test_oversized_and_garbage(void **state)
{
	char id[VW_TOKEN_ID_MAX];
	const char *token = new_token(desk.organization, 1, HOUR, id);
	(void)state;
	vw_enroll_request *r = enroll_request(&agent, token);
	r->agent_version = memset(vw_arena_alloc(arena, VW_MAX_FLEET_HELLO + 1), 'v', VW_MAX_FLEET_HELLO);
	assert_refused(enroll(r), VW_REJECTION_MALFORMED, "cannot be read");
	assert_refused(enroll_bytes(bytes_of("\xff\xff\xff garbage")), VW_REJECTION_MALFORMED, "cannot be read");
	assert_refused(enroll_bytes((struct vw_bytes){"", 0}), VW_REJECTION_MALFORMED, "agent_id");
	struct vw_bytes whole = packed(&enroll_request(&agent, token)->base);
	/* its last twenty bytes need not be there: version, host name and time */
	for (size_t len = 0; len < whole.len - 20; len += 7)
		assert_int_equal(enroll_bytes((struct vw_bytes){whole.data, len})->answer_case,
				 VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_REJECTION);
	assert_int_equal(uses_of(id), 0);
	/* what a newer agent may add passes */
	assert_issued(enroll_bytes(with_tail(whole, "\xa2\x06\x01x")), &agent, desk.organization);
}

/* ---- ids that are there ---- */

static void test_taken(void **state)
{
	char id[VW_TOKEN_ID_MAX];
	struct agent thief;
	const char *token = new_token(desk.organization, 5, HOUR, id);
	(void)state;
	enrolled(&agent, token);
	new_agent(&thief);
	strcpy(thief.id, agent.id);
	assert_refused(enroll(enroll_request(&thief, token)), VW_REJECTION_TAKEN, "another key");
	assert_int_equal(uses_of(id), 1);
	/* of another organization it is another agent */
	assert_issued(enroll(enroll_request(&thief, new_token(desk.other, 1, HOUR, NULL))), &thief, desk.other);
	agent_close(&thief);
}

/* What an operator revoked, a token does not bring back. */
static void test_revoked(void **state)
{
	char id[VW_TOKEN_ID_MAX];
	const char *token = new_token(desk.organization, 5, HOUR, id);
	(void)state;
	enrolled(&agent, token);
	assert_ok(vw_fleet_agent_set_status(desk.store, desk.organization, agent.id, VW_AGENT_REVOKED, "stolen",
					    "user:a", desk.now, &err),
		  err);
	assert_refused(enroll(enroll_request(&agent, token)), VW_REJECTION_REVOKED, "an operator has to let it in");
	assert_int_equal(row_of(&agent, desk.organization)->status, VW_AGENT_REVOKED);
	assert_int_equal(uses_of(id), 1);
	assert_ok(vw_fleet_agent_set_status(desk.store, desk.organization, agent.id, VW_AGENT_ACTIVE, "", "user:a",
					    desk.now, &err),
		  err);
	enrolled(&agent, token);
}

static void test_an_answer_that_was_lost(void **state)
{
	char id[VW_TOKEN_ID_MAX];
	const char *token = new_token(desk.organization, 1, HOUR, id);
	(void)state;
	struct vw_bytes first = enrolled(&agent, token), second = enrolled(&agent, token);
	assert_false(same_bytes(first, second));
	assert_int_equal(uses_of(id), 1);
	assert_int_equal(trail_count("agent_enrolled", agent.id, NULL), 2);
	/* nobody else has a part in that use */
	struct agent other;
	new_agent(&other);
	assert_refused(enroll(enroll_request(&other, token)), VW_REJECTION_TOKEN, "not valid");
	strcpy(other.id, agent.id);
	assert_refused(enroll(enroll_request(&other, token)), VW_REJECTION_TOKEN, "not valid");
	agent_close(&other);
	/* once it is revoked, not that one either */
	assert_ok(vw_fleet_token_revoke(desk.store, desk.organization, id, desk.now, &err), err);
	assert_refused(enroll(enroll_request(&agent, token)), VW_REJECTION_TOKEN, "not valid");
}

/* ---- many at once ---- */

struct comer {
	pthread_t thread;
	struct agent agent;
	struct vw_bytes request;
	struct vw_arena *arena;
	int code;
	bool issued;
};

static void *come(void *arg)
{
	struct comer *c = arg;
	struct vw_error e = VW_ERROR_INIT;
	struct vw_bytes out;
	void *response = NULL;
	c->code = vw_enroll(&desk.enroller, c->request, "192.0.2.1", desk.now, c->arena, &out, &e);
	if (c->code == 0)
		c->code = vw_message_unpack(c->arena, &verifywise__v1__enroll_response__descriptor, out.data, out.len,
					    "answer", &response, &e);
	c->issued = c->code == 0 &&
		    ((vw_enroll_response *)response)->answer_case == VERIFYWISE__V1__ENROLL_RESPONSE__ANSWER_ISSUED;
	return NULL;
}

/* Six come with a token for two: two are let in, whoever they are. */
static void test_all_at_once(void **state)
{
	char id[VW_TOKEN_ID_MAX];
	struct comer comers[6];
	int issued = 0;
	const char *token = new_token(desk.organization, 2, HOUR, id);
	(void)state;
	for (int i = 0; i < 6; i++) {
		new_agent(&comers[i].agent);
		comers[i].request = packed(&enroll_request(&comers[i].agent, token)->base);
		comers[i].arena = vw_arena_open(0);
	}
	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&comers[i].thread, NULL, come, &comers[i]), 0);
	for (int i = 0; i < 6; i++) {
		pthread_join(comers[i].thread, NULL);
		assert_int_equal(comers[i].code, 0);
		issued += comers[i].issued;
		vw_arena_close(comers[i].arena);
		agent_close(&comers[i].agent);
	}
	assert_int_equal(issued, 2);
	assert_int_equal(uses_of(id), 2);
}

/* ---- tokens ---- */

static void test_tokens_are_stored_hashed(void **state)
{
	uint8_t pin[32];
	char id[VW_TOKEN_ID_MAX];
	struct vw_token token;
	vw_enrollment_token *row;
	const char *line = new_token(desk.organization, 4, HOUR, id);
	(void)state;
	assert_ok(vw_token_parse(line, strlen(line), &token, &err), err);
	assert_int_equal(token.kind, VW_TOKEN_ENROLLMENT);
	assert_string_equal(token.public_id, id);
	vw_authority_pin(desk.authority, pin);
	assert_memory_equal(token.pin, pin, 32);
	assert_ok(vw_fleet_token_get(desk.store, arena, id, &row, &err), err);
	assert_true(vw_token_matches(&token, row->secret_sha256.data));
	assert_int_equal(row->uses_allowed, 4);
	assert_int_equal(row->expires_at, desk.now + HOUR);
	assert_string_equal(row->created_by, "local:tester");
	assert_string_equal(row->label, "label");
	struct vw_secret *none = NULL;
	assert_int_equal(vw_enroll_token(&desk.enroller, 9999, NULL, desk.now, 1, "x", desk.now, &none, id, &err),
			 VW_ENOTFOUND);
	assert_null(none);
}

#define with_agent(f) cmocka_unit_test_setup_teardown(f, arrive, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_agent(test_enrolled),
	    with_agent(test_tokens_that_are_not_valid),
	    with_agent(test_what_is_no_token),
	    with_agent(test_malformed),
	    with_agent(test_requests_for_certificates),
	    with_agent(test_a_request_with_names_of_its_own),
	    with_agent(test_oversized_and_garbage),
	    with_agent(test_taken),
	    with_agent(test_revoked),
	    with_agent(test_an_answer_that_was_lost),
	    cmocka_unit_test(test_all_at_once),
	    cmocka_unit_test(test_tokens_are_stored_hashed),
	};
	return cmocka_run_group_tests(tests, desk_open, desk_close);
}
