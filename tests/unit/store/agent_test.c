/* Agents: enrolled, listed, stopped; who is connected. */
#include "suite.h"

static int enroll(struct shop *s, const char *token, int64_t now, const vw_agent *agent)
{
	return vw_fleet_agent_enroll(s->store, token, now, agent, &s->err);
}

static vw_enrollment_token *get_token(struct shop *s, const char *public_id)
{
	vw_enrollment_token *token;
	shop_ok(s, vw_fleet_token_get(s->store, s->arena, public_id, &token, &s->err));
	return token;
}

static void enrolled(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_fleet_counts c;
	vw_agent *a = get_agent(s, ORG, AGENT_A);
	assert_int_equal(a->organization, ORG);
	assert_string_equal(a->agent_id, AGENT_A);
	assert_int_equal(a->status, VW_AGENT_ACTIVE);
	assert_string_equal(a->hostname, "host");
	assert_int_equal(a->enrolled_at, NOW);
	assert_string_equal(a->enrollment_token, "0000000000000001");
	assert_int_equal(a->enrollment_key.len, 64);
	assert_int_equal(a->sealing_key.len, 32);
	assert_null(a->serial);
	assert_string_equal(a->pending_serial, "aa");
	assert_int_equal(a->pending_not_after, NOW + 1000);
	assert_int_equal(a->sequence, 0);
	assert_int_equal(get_token(s, "0000000000000001")->uses, 2);
	shop_ok(s, vw_fleet_count(s->store, ORG, &c, &s->err));
	assert_int_equal(c.organizations, 1);
	assert_int_equal(c.agents, 2);
	shop_ok(s, vw_fleet_count(s->store, 0, &c, &s->err));
	assert_int_equal(c.organizations, 2);
	assert_int_equal(c.agents, 4);
	shop_ok(s, vw_fleet_count(s->store, 99, &c, &s->err));
	assert_int_equal(c.organizations, 0);
	assert_int_equal(c.agents, 0);
}

static void tokens_that_are_not_valid(void **state)
{
	struct shop *s = shop_of(state);
	vw_agent *agent = new_agent(s, ORG, AGENT_C, "cc", 9);
	vw_enrollment_token t = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
	uint8_t digest[32] = {0};
	t.public_id = (char *)"00000000000000aa";
	VW_SET(&t, organization, ORG);
	VW_SET_BYTES(&t, secret_sha256, digest, sizeof(digest));
	VW_SET(&t, uses_allowed, 1);
	VW_SET(&t, expires_at, NOW + 10);
	shop_ok(s, vw_fleet_token_create(s->store, &t, &s->err));
	shop_fails(s, enroll(s, "00000000000000ff", NOW, agent), VW_EAUTH);      /* unknown */
	shop_fails(s, enroll(s, "0000000000000002", NOW, agent), VW_EAUTH);      /* of another organization */
	shop_fails(s, enroll(s, "00000000000000aa", NOW + 10, agent), VW_EAUTH); /* expired */
	assert_int_equal(get_token(s, "00000000000000aa")->uses, 0);
	shop_ok(s, enroll(s, "00000000000000aa", NOW + 9, agent));
	agent->agent_id = (char *)GENESIS;
	shop_fails(s, enroll(s, "00000000000000aa", NOW, agent), VW_EAUTH); /* used up */
	shop_ok(s, vw_fleet_token_revoke(s->store, ORG, "0000000000000001", NOW, &s->err));
	shop_fails(s, enroll(s, "0000000000000001", NOW, agent), VW_EAUTH);
	vw_agent *got;
	shop_fails(s, vw_fleet_agent_get(s->store, s->arena, ORG, GENESIS, &got, &s->err), VW_ENOTFOUND);
	agent->organization = OTHER;
	shop_ok(s, vw_fleet_organization_disable(s->store, OTHER, true, &s->err));
	shop_fails(s, enroll(s, "0000000000000002", NOW, agent), VW_EAUTH);
}

static void the_same_agent_again(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_fleet_counts c;
	vw_agent *agent = new_agent(s, ORG, AGENT_A, "bb", 7);
	agent->hostname = (char *)"new host";
	agent->sealing_key.data = vw_arena_alloc(s->arena, 32);
	shop_ok(s, enroll(s, "0000000000000001", NOW + 5, agent));
	vw_agent *a = get_agent(s, ORG, AGENT_A);
	assert_string_equal(a->pending_serial, "bb");
	assert_string_equal(a->hostname, "new host");
	assert_int_equal(a->sealing_key.data[0], 0);
	assert_int_equal(a->enrolled_at, NOW);
	assert_int_equal(get_token(s, "0000000000000001")->uses, 3);
	shop_ok(s, vw_fleet_count(s->store, ORG, &c, &s->err));
	assert_int_equal(c.agents, 2);
	/* its id with another key is not the same agent, and costs the token nothing */
	agent = new_agent(s, ORG, AGENT_A, "ee", 8);
	shop_fails(s, enroll(s, "0000000000000001", NOW, agent), VW_EBUSY);
	assert_string_equal(get_agent(s, ORG, AGENT_A)->pending_serial, "bb");
	assert_int_equal(get_token(s, "0000000000000001")->uses, 3);
}

static void a_lost_answer_costs_no_second_use(void **state)
{
	struct shop *s = shop_of(state);
	vw_agent *agent = new_agent(s, ORG, AGENT_C, "c1", 9);
	vw_enrollment_token t = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
	uint8_t digest[32] = {0};
	t.public_id = (char *)"00000000000000aa";
	VW_SET(&t, organization, ORG);
	VW_SET_BYTES(&t, secret_sha256, digest, sizeof(digest));
	VW_SET(&t, uses_allowed, 1);
	VW_SET(&t, expires_at, NOW + 10);
	shop_ok(s, vw_fleet_token_create(s->store, &t, &s->err));
	shop_ok(s, enroll(s, "00000000000000aa", NOW, agent));
	agent->pending_serial = (char *)"c2";
	shop_ok(s, enroll(s, "00000000000000aa", NOW, agent));
	assert_string_equal(get_agent(s, ORG, AGENT_C)->pending_serial, "c2");
	assert_int_equal(get_token(s, "00000000000000aa")->uses, 1);
	/* by the same token and keys alone, while the token lives */
	shop_fails(s, enroll(s, "00000000000000aa", NOW + 10, agent), VW_EAUTH);
	vw_agent *other = new_agent(s, ORG, AGENT_C, "c3", 9);
	other->sealing_key.data = vw_arena_alloc(s->arena, 32);
	shop_fails(s, enroll(s, "00000000000000aa", NOW, other), VW_EAUTH);
	shop_fails(s, enroll(s, "00000000000000aa", NOW, new_agent(s, ORG, AGENT_C, "c3", 8)), VW_EAUTH);
	shop_fails(s, enroll(s, "00000000000000aa", NOW, new_agent(s, ORG, GENESIS, "c3", 9)), VW_EAUTH);
	/* the way from a revocation back is no token that was used up */
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_C, VW_AGENT_REVOKED, "x", "y", NOW, &s->err));
	shop_fails(s, enroll(s, "00000000000000aa", NOW, agent), VW_EAUTH);
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_C, VW_AGENT_ACTIVE, "x", "y", NOW, &s->err));
	/* once its certificate was shown the answer was heard */
	assert_int_equal(joined(s, ORG, AGENT_C, "c2", hello_of(s, NULL, 0)), 0);
	shop_fails(s, enroll(s, "00000000000000aa", NOW, agent), VW_EAUTH);
	assert_int_equal(get_token(s, "00000000000000aa")->uses, 1);
	shop_ok(s, vw_fleet_token_revoke(s->store, ORG, "00000000000000aa", NOW, &s->err));
}

static void a_revoked_one_comes_with_a_token(void **state)
{
	struct shop *s = shop_of(state);
	vw_agent *agent = new_agent(s, ORG, AGENT_A, "bb", 7);
	shop_ok(s,
		vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_REVOKED, "gone", "user:a", NOW, &s->err));
	agent->status = VW_AGENT_REVOKED;
	shop_ok(s, enroll(s, "0000000000000001", NOW, agent));
	assert_int_equal(get_agent(s, ORG, AGENT_A)->status, VW_AGENT_REVOKED);
	agent->status = VW_AGENT_ACTIVE;
	shop_ok(s, enroll(s, "0000000000000001", NOW, agent));
	assert_int_equal(get_agent(s, ORG, AGENT_A)->status, VW_AGENT_ACTIVE);
	/* a quarantine is for an operator to end */
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_QUARANTINED, "forked: x", "user:a", NOW,
					     &s->err));
	shop_ok(s, enroll(s, "0000000000000001", NOW, agent));
	assert_int_equal(get_agent(s, ORG, AGENT_A)->status, VW_AGENT_QUARANTINED);
}

static void agents_that_are_none(void **state)
{
	struct shop *s = shop_of(state);
	vw_agent *agent = new_agent(s, ORG, "no id", "bb", 7);
	shop_fails(s, enroll(s, "0000000000000001", NOW, agent), VW_EINVAL);
	agent->agent_id = NULL;
	shop_fails(s, enroll(s, "0000000000000001", NOW, agent), VW_EINVAL);
	agent->agent_id = (char *)"CCCCCCCC-CCCC-4CCC-8CCC-CCCCCCCCCCCC";
	shop_fails(s, enroll(s, "0000000000000001", NOW, agent), VW_EINVAL);
	agent = new_agent(s, ORG, AGENT_C, NULL, 7);
	shop_fails(s, enroll(s, "0000000000000001", NOW, agent), VW_EINVAL);
	agent = new_agent(s, ORG, AGENT_C, "bb", 7);
	agent->enrollment_key.len = 0;
	shop_fails(s, enroll(s, "0000000000000001", NOW, agent), VW_EINVAL);
	assert_int_equal(get_token(s, "0000000000000001")->uses, 2);
}

static void status(void **state)
{
	struct shop *s = shop_of(state);
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_REVOKED, "stolen", "user:alice",
					     NOW + 1, &s->err));
	vw_agent *a = get_agent(s, ORG, AGENT_A);
	assert_int_equal(a->status, VW_AGENT_REVOKED);
	assert_string_equal(a->status_reason, "stolen");
	assert_string_equal(a->status_by, "user:alice");
	assert_int_equal(a->status_at, NOW + 1);
	assert_int_equal(get_agent(s, OTHER, AGENT_A)->status, VW_AGENT_ACTIVE);
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_A, VW_AGENT_ACTIVE, NULL, "user:bob", NOW + 2,
					     &s->err));
	a = get_agent(s, ORG, AGENT_A);
	assert_int_equal(a->status, VW_AGENT_ACTIVE);
	assert_null(a->status_reason);
	shop_fails(s,
		   vw_fleet_agent_set_status(s->store, ORG, AGENT_C, VW_AGENT_REVOKED, "x", "user:a", NOW, &s->err),
		   VW_ENOTFOUND);
	shop_fails(s,
		   vw_fleet_agent_set_status(s->store, ORG, AGENT_A, (vw_agent_status)9, "x", "user:a", NOW, &s->err),
		   VW_EINVAL);
}

static void a_pending_serial(void **state)
{
	struct shop *s = shop_of(state);
	shop_ok(s, vw_fleet_agent_set_pending_serial(s->store, ORG, AGENT_A, "bb", NOW + 7, &s->err));
	vw_agent *a = get_agent(s, ORG, AGENT_A);
	assert_string_equal(a->pending_serial, "bb");
	assert_int_equal(a->pending_not_after, NOW + 7);
	shop_fails(s, vw_fleet_agent_set_pending_serial(s->store, ORG, AGENT_C, "bb", NOW, &s->err), VW_ENOTFOUND);
	shop_fails(s, vw_fleet_agent_set_pending_serial(s->store, ORG, AGENT_A, "", NOW, &s->err), VW_EINVAL);
}

/* ---- Presence ---- */

static vw_agent_presence presence_of(const char *agent_id, const char *replica, bool connected)
{
	vw_agent_presence p = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
	VW_SET(&p, organization, ORG);
	p.agent_id = (char *)agent_id;
	p.replica = (char *)replica;
	p.hostname = (char *)"gpu-17";
	p.source_uri = (char *)"http://mlflow.example";
	VW_SET(&p, connected, connected);
	VW_SET(&p, last_seen_at, NOW);
	return p;
}

static vw_agent_presence *get_presence(struct shop *s, const char *agent_id)
{
	vw_agent_presence *p;
	shop_ok(s, vw_fleet_presence_get(s->store, s->arena, ORG, agent_id, &p, &s->err));
	return p;
}

static int64_t connected(struct shop *s, int32_t organization)
{
	struct vw_fleet_counts c;
	shop_ok(s, vw_fleet_count(s->store, organization, &c, &s->err));
	return c.agents_connected;
}

static void presences(void **state)
{
	struct shop *s = shop_of(state);
	vw_agent_presence p = presence_of(AGENT_A, "r1", true), *got;
	vw_health health = VERIFYWISE__V1__HEALTH__INIT;
	shop_fails(s, vw_fleet_presence_get(s->store, s->arena, ORG, AGENT_A, &got, &s->err), VW_ENOTFOUND);
	VW_SET(&health, versions, 12);
	p.health = &health;
	shop_ok(s, vw_fleet_presence_put(s->store, &p, &s->err));
	got = get_presence(s, AGENT_A);
	assert_true(got->connected);
	assert_string_equal(got->replica, "r1");
	assert_int_equal(got->health->versions, 12);
	p.connected = false;
	p.health = NULL;
	shop_ok(s, vw_fleet_presence_put(s->store, &p, &s->err));
	assert_false(get_presence(s, AGENT_A)->connected);
	assert_null(get_presence(s, AGENT_A)->health);
	p = presence_of(AGENT_C, "r1", true);
	shop_fails(s, vw_fleet_presence_put(s->store, &p, &s->err), VW_ENOTFOUND);
	p = presence_of("no id", "r1", true);
	shop_fails(s, vw_fleet_presence_put(s->store, &p, &s->err), VW_ENOTFOUND);
}

static void a_replica_is_gone(void **state)
{
	struct shop *s = shop_of(state);
	vw_agent_presence a = presence_of(AGENT_A, "r1", true), b = presence_of(AGENT_B, "r2", true),
			  c = presence_of(AGENT_A, "r1", true);
	c.organization = OTHER;
	shop_ok(s, vw_fleet_presence_put(s->store, &a, &s->err));
	shop_ok(s, vw_fleet_presence_put(s->store, &b, &s->err));
	shop_ok(s, vw_fleet_presence_put(s->store, &c, &s->err));
	assert_int_equal(connected(s, ORG), 2);
	assert_int_equal(connected(s, OTHER), 1);
	assert_int_equal(connected(s, 0), 3);
	shop_ok(s, vw_fleet_presence_clear(s->store, "r1", &s->err));
	assert_false(get_presence(s, AGENT_A)->connected);
	assert_string_equal(get_presence(s, AGENT_A)->hostname, "gpu-17");
	assert_true(get_presence(s, AGENT_B)->connected);
	assert_int_equal(connected(s, 0), 1);
	shop_ok(s, vw_fleet_presence_clear(s->store, "r3", &s->err));
	assert_int_equal(connected(s, 0), 1);
}

static void presences_outlive_the_process(void **state)
{
	struct shop *s = shop_of(state);
	vw_agent_presence a = presence_of(AGENT_A, "r1", true);
	shop_ok(s, vw_fleet_presence_put(s->store, &a, &s->err));
	shop_reopen(s);
	assert_true(get_presence(s, AGENT_A)->connected);
	assert_int_equal(connected(s, ORG), 1);
	shop_ok(s, vw_fleet_presence_clear(s->store, "r1", &s->err));
	shop_reopen(s);
	assert_false(get_presence(s, AGENT_A)->connected);
}

/* ---- Listing ---- */

static size_t list(struct shop *s, const struct vw_agent_query *query, vw_agent ***out,
		   vw_agent_presence ***out_presences)
{
	size_t count;
	shop_ok(s, vw_fleet_agent_list(s->store, s->arena, ORG, query, out, out_presences, &count, &s->err));
	return count;
}

static void listed(void **state)
{
	struct shop *s = shop_of(state);
	vw_agent_presence p = presence_of(AGENT_B, "r1", true), **presences;
	struct vw_agent_query q = {.limit = 10};
	vw_agent_status revoked = VW_AGENT_REVOKED;
	bool yes = true, no = false;
	vw_agent **agents;
	size_t count;
	shop_ok(s, vw_fleet_presence_put(s->store, &p, &s->err));
	assert_int_equal(list(s, &q, &agents, &presences), 2);
	assert_string_equal(agents[0]->agent_id, AGENT_A);
	assert_false(presences[0]->connected);
	assert_null(presences[0]->agent_id); /* never connected */
	assert_string_equal(agents[1]->agent_id, AGENT_B);
	assert_true(presences[1]->connected);
	q.limit = 1;
	assert_int_equal(list(s, &q, &agents, &presences), 1);
	q.after = AGENT_A;
	assert_int_equal(list(s, &q, &agents, &presences), 1);
	assert_string_equal(agents[0]->agent_id, AGENT_B);
	q.after = GENESIS; /* it need not be there */
	assert_int_equal(list(s, &q, &agents, &presences), 1);
	assert_string_equal(agents[0]->agent_id, AGENT_A);
	q = (struct vw_agent_query){.limit = 10, .connected = &yes};
	assert_int_equal(list(s, &q, &agents, &presences), 1);
	assert_string_equal(agents[0]->agent_id, AGENT_B);
	q.connected = &no;
	assert_int_equal(list(s, &q, &agents, &presences), 1);
	q = (struct vw_agent_query){.limit = 10, .status = &revoked};
	assert_int_equal(list(s, &q, &agents, &presences), 0);
	q = (struct vw_agent_query){.limit = 10, .text = "HOST"};
	assert_int_equal(list(s, &q, &agents, &presences), 2);
	q.text = "GPU-17";
	assert_int_equal(list(s, &q, &agents, &presences), 1);
	q.text = "mlflow.example";
	assert_int_equal(list(s, &q, &agents, &presences), 1);
	q.text = "22222222-";
	assert_int_equal(list(s, &q, &agents, &presences), 1);
	q.text = "%";
	assert_int_equal(list(s, &q, &agents, &presences), 0);
	q.text = "host_";
	assert_int_equal(list(s, &q, &agents, &presences), 0);
	q.limit = 0;
	shop_fails(s, vw_fleet_agent_list(s->store, s->arena, ORG, &q, &agents, &presences, &count, &s->err),
		   VW_EINVAL);
	q.limit = VW_MAX_PAGE + 1;
	shop_fails(s, vw_fleet_agent_list(s->store, s->arena, ORG, &q, &agents, &presences, &count, &s->err),
		   VW_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(enrolled),
	    suite_test_agents(tokens_that_are_not_valid),
	    suite_test_agents(the_same_agent_again),
	    suite_test_agents(a_lost_answer_costs_no_second_use),
	    suite_test_agents(a_revoked_one_comes_with_a_token),
	    suite_test_agents(agents_that_are_none),
	    suite_test_agents(status),
	    suite_test_agents(a_pending_serial),
	    suite_test_agents(presences),
	    suite_test_agents(a_replica_is_gone),
	    suite_test_agents(presences_outlive_the_process),
	    suite_test_agents(listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
