/* enroll.h: the next certificates, for the enrolment key: also when the last one has expired (S4.1). */
#include "desk.h"

#include "base/limits.h"

static struct agent agent;

static int arrive(void **state)
{
	(void)state;
	new_agent(&agent);
	enrolled(&agent, new_token(desk.organization, 1, HOUR, NULL));
	return 0;
}

static int leave(void **state)
{
	(void)state;
	agent_close(&agent);
	return 0;
}

static vw_renew_body *renew_body(void)
{
	struct vw_bytes csr;
	vw_renew_body *body = vw_message_new(arena, &verifywise__v1__renew_body__descriptor);
	assert_ok(vw_csr_make(agent.stream, arena, &csr, &err), err);
	body->organization = vw_arena_printf(arena, "%d", (int)desk.organization);
	body->agent_id = agent.id;
	VW_SET_BYTES(body, csr, csr.data, csr.len);
	VW_SET(body, sent_at, desk.now);
	VW_SET(body, join_sequence, 0);
	return body;
}

static vw_renew_request *signed_by(const struct vw_key *key, const vw_renew_body *body, const char *domain)
{
	vw_renew_request *r = vw_message_new(arena, &verifywise__v1__renew_request__descriptor);
	uint8_t *signature = vw_arena_alloc(arena, VW_SIGNATURE_MAX);
	struct vw_bytes bytes = packed(&body->base), none = {NULL, 0};
	size_t len;
	assert_ok(vw_key_sign(key, domain, bytes, none, signature, &len, &err), err);
	VW_SET_BYTES(r, body, bytes.data, bytes.len);
	VW_SET_BYTES(r, signature, signature, len);
	return r;
}

static struct vw_bytes answer_to(const vw_renew_request *request)
{
	struct vw_bytes out;
	assert_ok(vw_enroll_renew(&desk.enroller, packed(&request->base), "192.0.2.1", desk.now, arena, &out, &err),
		  err);
	return out;
}

static vw_enroll_response *opened(struct vw_bytes out)
{
	void *response;
	assert_ok(vw_message_unpack(arena, &verifywise__v1__enroll_response__descriptor, out.data, out.len, "answer",
				    &response, &err),
		  err);
	return response;
}

static vw_enroll_response *renew(const vw_renew_body *body)
{
	return opened(answer_to(signed_by(agent.enrollment, body, "verifywise.renew.v1")));
}

static void set_status(vw_agent_status status)
{
	assert_ok(vw_fleet_agent_set_status(desk.store, desk.organization, agent.id, status, "because", "user:a",
					    desk.now, &err),
		  err);
}

static void join(const char *serial, uint64_t join_sequence)
{
	vw_agent *row;
	vw_hello hello = VERIFYWISE__V1__HELLO__INIT;
	struct vw_join asked = {.serial = serial, .hello = &hello, .now = desk.now};
	int rejection;
	VW_SET(&hello, join_sequence, join_sequence);
	assert_ok(vw_fleet_agent_join(desk.store, arena, desk.organization, agent.id, &asked, &row, &rejection, &err),
		  err);
	assert_int_equal(rejection, 0);
}

static void test_renewed(void **state)
{
	(void)state;
	char *first = row_of(&agent, desk.organization)->pending_serial;
	join(first, 0);
	vw_renew_body *body = renew_body();
	assert_issued(renew(body), &agent, desk.organization);
	/* the old one is in use until the new one is shown */
	vw_agent *row = row_of(&agent, desk.organization);
	assert_string_equal(row->serial, first);
	assert_string_not_equal(row->pending_serial, first);
	assert_int_equal(trail_count("certificate_renewed", agent.id, NULL), 1);
	/* an answer that was lost: asked again, there is another */
	assert_issued(renew(body), &agent, desk.organization);
	assert_string_equal(row_of(&agent, desk.organization)->serial, first);
}

/* Who is not there, and who is not who he says: one answer to the byte, after the same questions. */
static void test_strangers(void **state)
{
	struct agent other;
	struct vw_bytes out[6];
	vw_renew_body *body = renew_body();
	(void)state;
	new_agent(&other);
	out[0] = answer_to(signed_by(other.enrollment, body, "verifywise.renew.v1"));
	out[1] = answer_to(signed_by(agent.enrollment, body, "verifywise.enroll.v1"));
	vw_renew_request *r = signed_by(agent.enrollment, body, "verifywise.renew.v1");
	r->signature.len = 0;
	out[2] = answer_to(r);
	body->agent_id = other.id;
	desk_count();
	out[3] = answer_to(signed_by(agent.enrollment, body, "verifywise.renew.v1"));
	assert_int_equal(desk.counted.agents, 1);
	assert_int_equal(desk.counted.organizations, 0);
	body = renew_body();
	body->organization = vw_arena_printf(arena, "%d", (int)desk.other);
	out[4] = answer_to(signed_by(agent.enrollment, body, "verifywise.renew.v1"));
	body->organization = (char *)"2147483647";
	desk_count();
	out[5] = answer_to(signed_by(agent.enrollment, body, "verifywise.renew.v1"));
	assert_int_equal(desk.counted.agents, 1);
	for (int i = 0; i < 6; i++)
		assert_same(out[0], out[i]);
	assert_refused(opened(out[0]), VW_REJECTION_UNKNOWN_AGENT, "no such agent, or not its enrolment key");
	agent_close(&other);
}

static void test_malformed(void **state)
{
	static const char *const organizations[] = {"", "0", "-1", "x", "2147483648", "99999999999999999999"};
	struct vw_bytes csr;
	(void)state;
	vw_renew_body *body = renew_body();
	for (size_t i = 0; i < 6; i++) {
		body->organization = (char *)organizations[i];
		assert_refused(renew(body), VW_REJECTION_MALFORMED, "organization");
	}
	body->organization = NULL;
	assert_refused(renew(body), VW_REJECTION_MALFORMED, "organization");
	body = renew_body();
	body->agent_id = (char *)"x";
	assert_refused(renew(body), VW_REJECTION_MALFORMED, "agent_id");
	assert_ok(vw_csr_make(agent.stream, arena, &csr, &err), err);
	csr = with_flip(csr, csr.len - 5);
	body = renew_body();
	VW_SET_BYTES(body, csr, csr.data, csr.len);
	assert_refused(renew(body), VW_REJECTION_MALFORMED, "csr");
	vw_renew_request *r = signed_by(agent.enrollment, renew_body(), "verifywise.renew.v1");
	VW_SET_BYTES(r, body, (uint8_t *)"\xff\xff", 2);
	assert_refused(opened(answer_to(r)), VW_REJECTION_MALFORMED, "cannot be read");
	uint8_t *large = vw_arena_alloc(arena, VW_MAX_FLEET_HELLO);
	VW_SET_BYTES(r, signature, large, VW_MAX_FLEET_HELLO);
	assert_refused(opened(answer_to(r)), VW_REJECTION_MALFORMED, "cannot be read");
}

static void test_standing(void **state)
{
	(void)state;
	set_status(VW_AGENT_REVOKED);
	assert_refused(renew(renew_body()), VW_REJECTION_REVOKED, "revoked");
	set_status(VW_AGENT_QUARANTINED);
	assert_refused(renew(renew_body()), VW_REJECTION_DUPLICATE_INSTANCE, "quarantined");
	set_status(VW_AGENT_ACTIVE);
	assert_ok(vw_fleet_organization_disable(desk.store, desk.organization, true, &err), err);
	assert_refused(renew(renew_body()), VW_REJECTION_TENANT_DISABLED, "disabled");
	/* but this is told to the agent alone */
	struct agent other;
	new_agent(&other);
	assert_refused(opened(answer_to(signed_by(other.enrollment, renew_body(), "verifywise.renew.v1"))),
		       VW_REJECTION_UNKNOWN_AGENT, "no such agent");
	agent_close(&other);
	assert_ok(vw_fleet_organization_disable(desk.store, desk.organization, false, &err), err);
	assert_issued(renew(renew_body()), &agent, desk.organization);
}

static void test_clocks(void **state)
{
	static const int64_t off[] = {INT64_MIN, INT64_MAX, 0, -1};
	vw_renew_body *body = renew_body();
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		body->sent_at = off[i];
		assert_refused(renew(body), VW_REJECTION_CLOCK_SKEW, "five minutes");
	}
	body->sent_at = desk.now - 5 * 60000 - 1;
	assert_refused(renew(body), VW_REJECTION_CLOCK_SKEW, "five minutes");
	body->sent_at = desk.now + 5 * 60000 + 1;
	assert_refused(renew(body), VW_REJECTION_CLOCK_SKEW, "five minutes");
	body->sent_at = desk.now - 5 * 60000;
	assert_issued(renew(body), &agent, desk.organization);
	body->sent_at = desk.now + 5 * 60000;
	assert_issued(renew(body), &agent, desk.organization);
}

static void test_join_sequences(void **state)
{
	vw_renew_body *body = renew_body();
	(void)state;
	join(row_of(&agent, desk.organization)->pending_serial, 0); /* shown 0, was given 1 */
	assert_issued(renew(body), &agent, desk.organization);
	body->join_sequence = 1;
	assert_issued(renew(body), &agent, desk.organization);
	body->join_sequence = 2; /* later than all that is known: the store was put back */
	assert_issued(renew(body), &agent, desk.organization);
	join(row_of(&agent, desk.organization)->pending_serial, 1);
	body->join_sequence = 0; /* of an earlier time */
	assert_refused(renew(body), VW_REJECTION_DUPLICATE_INSTANCE, "join_sequence");
	/* once an operator has looked at it, it is taken as it comes: a certificate may have expired in quarantine */
	set_status(VW_AGENT_QUARANTINED);
	set_status(VW_AGENT_ACTIVE);
	assert_issued(renew(body), &agent, desk.organization);
	join(row_of(&agent, desk.organization)->pending_serial, 7);
	assert_refused(renew(body), VW_REJECTION_DUPLICATE_INSTANCE, "join_sequence");
}

#define with_agent(f) cmocka_unit_test_setup_teardown(f, arrive, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_agent(test_renewed),  with_agent(test_strangers), with_agent(test_malformed),
	    with_agent(test_standing), with_agent(test_clocks),    with_agent(test_join_sequences),
	};
	return cmocka_run_group_tests(tests, desk_open, desk_close);
}
