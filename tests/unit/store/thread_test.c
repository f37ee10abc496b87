/* Many threads at one store: nothing is lost, nothing is there twice, and readers see whole transactions. */
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 8

struct worker {
	pthread_t thread;
	struct shop *shop;
	const char *agent_id;
	struct ledger ledger;
	vw_entry_batch **batches;
	int batch_count;
	struct vw_arena *arena;
	atomic_bool *stop;
	size_t stored, duplicates, gaps;
	struct vw_error err;
	int rc;
};

static void begin(struct worker *w, struct shop *s, const char *agent_id)
{
	memset(w, 0, sizeof(*w));
	w->shop = s;
	w->agent_id = agent_id;
	w->arena = vw_arena_open(0);
	ledger_begin(&w->ledger, w->arena, agent_id);
}

static void start(struct worker *w, void *(*work)(void *))
{
	assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

static void join(struct worker *w)
{
	assert_int_equal(pthread_join(w->thread, NULL), 0);
	if (w->rc != 0)
		fail_msg("%d: %s", w->rc, w->err.message);
	vw_arena_close(w->arena);
}

/* `count` batches of `size` entries, made before any thread starts. */
static void make_batches(struct worker *w, int count, int size)
{
	w->batches = vw_arena_array(w->arena, (size_t)count, sizeof(vw_entry_batch *));
	w->batch_count = count;
	for (int i = 0; i < count; i++) {
		w->batches[i] = batch_of(w->arena, w->ledger.chain.head.sequence + 1, 0);
		for (int j = 0; j < size; j++) {
			struct seen seen = {.model = "m",
					    .version = vw_arena_printf(w->arena, "%d", 1 + (i * size + j) % 40),
					    .gap = j % 2 ? "owner:high" : NULL,
					    .event = "Staging",
					    .at = NOW + i * size + j};
			batch_add(w->arena, w->batches[i], ledger_version(&w->ledger, &seen));
		}
	}
}

static int send(struct worker *w, vw_entry_batch *batch, struct vw_ingest_result *out)
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_ingest_batch b = {
	    .organization = ORG, .agent_id = w->agent_id, .session_id = "s", .batch = batch, .now = NOW};
	int rc = vw_fleet_ingest(w->shop->store, arena, &b, out, &w->err);
	vw_arena_close(arena);
	return rc;
}

/* All batches, each as often as it takes. */
static void *send_all(void *arg)
{
	struct worker *w = arg;
	for (int i = 0; w->rc == 0 && i < w->batch_count;) {
		struct vw_ingest_result r;
		w->rc = send(w, w->batches[i], &r);
		if (w->rc == 0 && r.outcome == VW_INGEST_GAP) {
			w->gaps++;
			continue;
		}
		if (w->rc == 0 && r.outcome != VW_INGEST_STORED)
			w->rc = vw_error_set(&w->err, VW_EINVAL, "outcome %d: %s", (int)r.outcome, r.reason);
		w->stored += w->rc == 0 ? r.stored : 0;
		w->duplicates += w->rc == 0 ? r.duplicates : 0;
		i++;
	}
	return NULL;
}

/* Two streams of one agent, an old one that is not gone yet and a new one, send the same. */
static void one_agent_twice(void **state)
{
	struct shop *s = shop_of(state);
	struct worker w[2];
	struct vw_fleet_counts c;
	begin(&w[0], s, AGENT_A);
	begin(&w[1], s, AGENT_A);
	make_batches(&w[0], 30, 20);
	w[1].batches = w[0].batches;
	w[1].batch_count = w[0].batch_count;
	struct vw_chain head = w[0].ledger.chain;
	start(&w[0], send_all);
	start(&w[1], send_all);
	pthread_join(w[1].thread, NULL);
	join(&w[0]);
	assert_int_equal(w[1].rc, 0);
	vw_arena_close(w[1].arena);
	assert_int_equal(w[0].stored + w[1].stored, 600);
	assert_int_equal(w[0].duplicates + w[1].duplicates, 600);
	vw_agent *agent = get_agent(s, ORG, AGENT_A);
	assert_int_equal(agent->sequence, 600);
	assert_memory_equal(agent->chain_sha256.data, head.head.hash, VW_LEDGER_HASH);
	shop_ok(s, vw_fleet_count(s->store, ORG, &c, &s->err));
	assert_int_equal(c.entries, 600);
	assert_int_equal(c.versions, 40);
	assert_int_equal(c.versions_with_gaps, 20);
}

static const char *agent_number(struct shop *s, int number)
{
	return vw_arena_printf(s->arena, "aaaaaaaa-aaaa-4aaa-8aaa-%012d", number);
}

/* What a reader sees is whole: the counters, the agent's row and the ledger are of one transaction each. */
static void *read_on(void *arg)
{
	struct worker *w = arg;
	while (w->rc == 0 && !atomic_load(w->stop)) {
		struct vw_arena *arena = vw_arena_open(0);
		vw_agent *agent;
		vw_chained_entry **entries = NULL;
		size_t count = 0;
		struct vw_version_query q = {.order = VW_BY_RECORDED, .descending = true};
		struct vw_page page = {.limit = 50};
		vw_version_row **rows;
		char *cursor;
		w->rc = vw_fleet_agent_get(w->shop->store, arena, ORG, w->agent_id, &agent, &w->err);
		if (w->rc == 0 && agent->sequence > 0)
			w->rc = vw_fleet_ledger_read(w->shop->store, arena, ORG, w->agent_id, agent->sequence, 1,
						     &entries, &count, &w->err);
		if (w->rc == 0 && agent->sequence > 0 &&
		    (count != 1 ||
		     memcmp(entries[0]->chain_sha256.data, agent->chain_sha256.data, VW_LEDGER_HASH) != 0))
			w->rc = vw_error_set(&w->err, VW_ECORRUPT, "an agent's head is not its last entry");
		if (w->rc == 0)
			w->rc = vw_fleet_version_list(w->shop->store, arena, ORG, &q, &page, &rows, &count, &cursor,
						      &w->err);
		vw_arena_close(arena);
	}
	return NULL;
}

static void many_agents(void **state)
{
	struct shop *s = shop_of(state);
	struct worker w[THREADS], reader;
	atomic_bool stop = false;
	struct vw_fleet_counts c;
	for (int i = 0; i < THREADS; i++) {
		const char *id = agent_number(s, i);
		add_agent(s, ORG, id, "0000000000000001");
		begin(&w[i], s, id);
		make_batches(&w[i], 25, 20);
	}
	begin(&reader, s, w[0].agent_id);
	reader.stop = &stop;
	start(&reader, read_on);
	for (int i = 0; i < THREADS; i++)
		start(&w[i], send_all);
	for (int i = 0; i < THREADS; i++) {
		struct vw_chain head = w[i].ledger.chain;
		join(&w[i]);
		vw_agent *agent = get_agent(s, ORG, w[i].agent_id);
		assert_int_equal(agent->sequence, 500);
		assert_memory_equal(agent->chain_sha256.data, head.head.hash, VW_LEDGER_HASH);
	}
	atomic_store(&stop, true);
	join(&reader);
	shop_ok(s, vw_fleet_count(s->store, ORG, &c, &s->err));
	assert_int_equal(c.entries, THREADS * 500);
	assert_int_equal(c.versions, THREADS * 40);
	assert_int_equal(c.versions_with_gaps, THREADS * 20);
	assert_int_equal(c.gaps[VW_SEVERITY_HIGH - 1], THREADS * 20);
	struct vw_event_query q = {0};
	struct vw_page page = {.limit = VW_MAX_PAGE};
	vw_event_row **rows;
	size_t count, events = 0;
	do {
		char *cursor;
		shop_ok(s, vw_fleet_event_list(s->store, s->arena, ORG, &q, &page, &rows, &count, &cursor, &s->err));
		events += count;
		page.cursor = cursor;
	} while (page.cursor);
	assert_int_equal(events, THREADS * 500);
}

/* One caller's failure is its own. */
static void *fail_on(void *arg)
{
	struct worker *w = arg;
	while (!atomic_load(w->stop)) {
		struct vw_error err = VW_ERROR_INIT;
		struct vw_arena *arena = vw_arena_open(0);
		vw_organization *o;
		if (vw_fleet_agent_set_status(w->shop->store, ORG, AGENT_C, VW_AGENT_REVOKED, "x", "user:a", NOW,
					      &err) != VW_ENOTFOUND ||
		    vw_fleet_organization_create(w->shop->store, arena, ORG, "one", &o, &err) != VW_EBUSY)
			w->rc = vw_error_set(&w->err, VW_EINVAL, "no failure: %s", err.message);
		vw_arena_close(arena);
	}
	return NULL;
}

static void failures_beside_ingest(void **state)
{
	struct shop *s = shop_of(state);
	struct worker a, b, failing;
	atomic_bool stop = false;
	begin(&a, s, AGENT_A);
	begin(&b, s, AGENT_B);
	begin(&failing, s, AGENT_C);
	failing.stop = &stop;
	make_batches(&a, 30, 10);
	make_batches(&b, 30, 10);
	start(&failing, fail_on);
	start(&a, send_all);
	start(&b, send_all);
	join(&a);
	join(&b);
	atomic_store(&stop, true);
	join(&failing);
	assert_int_equal(get_agent(s, ORG, AGENT_A)->sequence, 300);
	assert_int_equal(get_agent(s, ORG, AGENT_B)->sequence, 300);
}

/* Enrolments by one token: as many as it has uses. */
static void *enroll(void *arg)
{
	struct worker *w = arg;
	vw_agent agent = VERIFYWISE__V1__AGENT__INIT;
	uint8_t key[64] = {1};
	VW_SET(&agent, organization, ORG);
	VW_SET(&agent, status, VW_AGENT_ACTIVE);
	agent.agent_id = (char *)w->agent_id;
	agent.pending_serial = (char *)"aa";
	VW_SET_BYTES(&agent, enrollment_key, key, sizeof(key));
	VW_SET_BYTES(&agent, sealing_key, key, 32);
	w->rc = vw_fleet_agent_enroll(w->shop->store, "00000000000000aa", NOW, &agent, &w->err);
	return NULL;
}

static void a_token_with_three_uses(void **state)
{
	struct shop *s = shop_of(state);
	struct worker w[THREADS];
	vw_enrollment_token token = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
	uint8_t digest[32] = {0};
	int enrolled = 0;
	token.public_id = (char *)"00000000000000aa";
	VW_SET(&token, organization, ORG);
	VW_SET_BYTES(&token, secret_sha256, digest, sizeof(digest));
	VW_SET(&token, uses_allowed, 3);
	shop_ok(s, vw_fleet_token_create(s->store, &token, &s->err));
	for (int i = 0; i < THREADS; i++) {
		begin(&w[i], s, agent_number(s, i));
		start(&w[i], enroll);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		vw_arena_close(w[i].arena);
		enrolled += w[i].rc == 0;
		assert_true(w[i].rc == 0 || w[i].rc == VW_EAUTH);
	}
	assert_int_equal(enrolled, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(one_agent_twice),
	    suite_test_agents(many_agents),
	    suite_test_agents(failures_beside_ingest),
	    suite_test_agents(a_token_with_three_uses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
