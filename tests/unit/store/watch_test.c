/* What changes is told, once it is committed. */
#include "suite.h"

#include <pthread.h>
#include <time.h>

struct heard {
	pthread_mutex_t lock;
	pthread_cond_t came;
	struct vw_change changes[256];
	size_t count;
};

static void hear(const struct vw_change *change, void *arg)
{
	struct heard *h = arg;
	pthread_mutex_lock(&h->lock);
	if (h->count < sizeof(h->changes) / sizeof(h->changes[0]))
		h->changes[h->count++] = *change;
	pthread_cond_broadcast(&h->came);
	pthread_mutex_unlock(&h->lock);
}

static bool has(const struct heard *h, enum vw_change_kind kind, int32_t organization, const char *agent_id)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->changes[i].kind == kind && h->changes[i].organization == organization &&
		    strcmp(h->changes[i].agent_id, agent_id) == 0)
			return true;
	return false;
}

/* Within five seconds. What came is forgotten then. */
static void assert_heard(struct heard *h, enum vw_change_kind kind, int32_t organization, const char *agent_id)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5;
	pthread_mutex_lock(&h->lock);
	while (!has(h, kind, organization, agent_id))
		if (pthread_cond_timedwait(&h->came, &h->lock, &until) != 0)
			break;
	bool came = has(h, kind, organization, agent_id);
	h->count = 0;
	pthread_mutex_unlock(&h->lock);
	if (!came)
		fail_msg("no change of kind %d", (int)kind);
}

static size_t heard_count(struct heard *h)
{
	pthread_mutex_lock(&h->lock);
	size_t count = h->count;
	pthread_mutex_unlock(&h->lock);
	return count;
}

static void begin(struct heard *h, struct shop *s)
{
	memset(h, 0, sizeof(*h));
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->came, NULL);
	vw_fleet_watch(s->store, hear, h);
}

static void changes_are_told(void **state)
{
	struct shop *s = shop_of(state);
	struct heard h;
	struct ledger l;
	vw_agent_presence p = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
	begin(&h, s);
	shop_ok(s, vw_fleet_agent_set_status(s->store, ORG, AGENT_B, VW_AGENT_REVOKED, "x", "user:a", NOW, &s->err));
	assert_heard(&h, VW_CHANGE_AGENT, ORG, AGENT_B);
	shop_ok(s, vw_fleet_organization_disable(s->store, OTHER, true, &s->err));
	assert_heard(&h, VW_CHANGE_ORGANIZATION, OTHER, "");
	assert_int_equal(joined(s, ORG, AGENT_A, "aa", hello_of(s, NULL, 0)), 0);
	assert_heard(&h, VW_CHANGE_AGENT, ORG, AGENT_A); /* another serial is in use */
	ledger_begin(&l, s->arena, AGENT_A);
	ingest_versions(s, ORG, AGENT_A, &l, "m", 1, 1);
	assert_heard(&h, VW_CHANGE_RECORDS, ORG, AGENT_A);
	VW_SET(&p, organization, ORG);
	p.agent_id = (char *)AGENT_A;
	p.replica = (char *)"r";
	VW_SET(&p, connected, true);
	shop_ok(s, vw_fleet_presence_put(s->store, &p, &s->err));
	assert_heard(&h, VW_CHANGE_PRESENCE, ORG, AGENT_A);
	shop_ok(s, vw_fleet_presence_clear(s->store, "r", &s->err));
	assert_heard(&h, VW_CHANGE_PRESENCE, ORG, AGENT_A);
	vw_fleet_watch(s->store, NULL, NULL);
	shop_ok(s, vw_fleet_organization_disable(s->store, OTHER, false, &s->err));
	assert_int_equal(heard_count(&h), 0);
}

static void commands_are_told(void **state)
{
	struct shop *s = shop_of(state);
	struct heard h;
	vw_command inner = VERIFYWISE__V1__COMMAND__INIT;
	vw_stored_command c = VERIFYWISE__V1__STORED_COMMAND__INIT;
	vw_command_update u = VERIFYWISE__V1__COMMAND_UPDATE__INIT;
	inner.id = u.id = (char *)"dddddddd-dddd-4ddd-8ddd-000000000001";
	VW_SET(&inner, kind, VW_COMMAND_SYNC);
	VW_SET(&inner, issued_at, NOW);
	VW_SET(&c, organization, ORG);
	c.agent_id = (char *)AGENT_A;
	c.command = &inner;
	VW_SET(&u, state, VW_COMMAND_STATE_DONE);
	begin(&h, s);
	shop_ok(s, vw_fleet_command_create(s->store, &c, &s->err));
	assert_heard(&h, VW_CHANGE_COMMAND, ORG, AGENT_A);
	shop_ok(s, vw_fleet_command_update(s->store, ORG, AGENT_A, &u, &s->err));
	assert_heard(&h, VW_CHANGE_COMMAND, ORG, AGENT_A);
	vw_fleet_watch(s->store, NULL, NULL);
}

/* What failed, and what changed nothing, is no change. */
static void nothing_is_told_of_nothing(void **state)
{
	struct shop *s = shop_of(state);
	struct heard h;
	vw_agent_presence p = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
	VW_SET(&p, organization, ORG);
	p.agent_id = (char *)AGENT_A;
	VW_SET(&p, connected, true);
	begin(&h, s);
	shop_ok(s, vw_fleet_presence_put(s->store, &p, &s->err));
	assert_heard(&h, VW_CHANGE_PRESENCE, ORG, AGENT_A);
	shop_ok(s, vw_fleet_presence_put(s->store, &p, &s->err)); /* a heartbeat */
	shop_fails(s,
		   vw_fleet_agent_set_status(s->store, ORG, AGENT_C, VW_AGENT_REVOKED, "x", "user:a", NOW, &s->err),
		   VW_ENOTFOUND);
	ingest(s, ORG, AGENT_A, batch_of(s->arena, 1, 0));
	assert_int_equal(joined(s, ORG, AGENT_B, "zz", hello_of(s, NULL, 0)), VW_REJECTION_REVOKED);
	shop_ok(s, vw_fleet_organization_disable(s->store, OTHER, true, &s->err)); /* behind them all */
	pthread_mutex_lock(&h.lock);
	while (!has(&h, VW_CHANGE_ORGANIZATION, OTHER, ""))
		pthread_cond_wait(&h.came, &h.lock);
	assert_int_equal(h.count, 1);
	pthread_mutex_unlock(&h.lock);
	vw_fleet_watch(s->store, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(changes_are_told),
	    suite_test_agents(commands_are_told),
	    suite_test_agents(nothing_is_told_of_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
