/* A database that goes away: between transactions and in them. */
#include "suite.h"

#include "server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static void pause_ms(long ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	nanosleep(&time, NULL);
}

static struct shop *there(void **state)
{
	struct shop *shop = *state;
	if (!shop->place)
		skip();
	return shop;
}

static int get_organization(struct shop *shop)
{
	vw_organization *organization;
	return vw_fleet_organization_get(shop->store, shop->arena, ORG, &organization, &shop->err);
}

/* Within ten seconds of its return everything works again. */
static void works_again(struct shop *shop)
{
	int rc = 0;
	for (int i = 0; i < 200; i++) {
		rc = get_organization(shop);
		if (rc == 0)
			return;
		assert_int_equal(rc, VW_EAGAIN);
		pause_ms(50);
	}
	fail_msg("%d: %s", rc, shop->err.message);
}

static void away_and_back(void **state)
{
	struct shop *shop = there(state);
	struct ledger ledger;
	ledger_begin(&ledger, shop->arena, AGENT_A);
	ingest_versions(shop, ORG, AGENT_A, &ledger, "churn", 1, 3);
	server_kill();
	shop_fails(shop, get_organization(shop), VW_EAGAIN);
	shop_fails(shop, vw_fleet_store_ping(shop->store, &shop->err), VW_EAGAIN);
	struct seen seen = {.model = "churn", .version = "4", .at = NOW};
	vw_entry_batch *batch = batch_of(shop->arena, 4, 1, ledger_version(&ledger, &seen));
	struct vw_ingest_batch b = {
	    .organization = ORG, .agent_id = AGENT_A, .session_id = "s", .batch = batch, .now = NOW};
	struct vw_ingest_result result;
	shop_fails(shop, vw_fleet_ingest(shop->store, shop->arena, &b, &result, &shop->err), VW_EAGAIN);
	server_start();
	works_again(shop);
	assert_int_equal(get_agent(shop, ORG, AGENT_A)->sequence, 3);
	result = ingest(shop, ORG, AGENT_A, batch);
	assert_int_equal(result.outcome, VW_INGEST_STORED);
	assert_int_equal(result.stored, 1);
}

/* Connections that a restart has ended are replaced without anybody being bothered. */
static void a_restart_is_not_noticed(void **state)
{
	struct shop *shop = there(state);
	for (int i = 0; i < 3; i++) {
		shop_ok(shop, get_organization(shop));
		server_restart();
		shop_ok(shop, get_organization(shop));
	}
}

/* While it is away nobody waits for one attempt after another. */
static void many_callers_are_told_at_once(void **state)
{
	struct shop *shop = there(state);
	struct timespec begin, end;
	server_kill();
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < 2000; i++)
		shop_fails(shop, get_organization(shop), VW_EAGAIN);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - begin.tv_sec < 10);
	server_start();
	works_again(shop);
}

/* ---- kill -9 in the middle ---- */

#define KILLS 12

struct worker {
	struct vw_fleet_store *store;
	struct vw_arena *arena; /* of what it sends */
	const char *agent_id;
	struct ledger ledger;
	uint64_t acknowledged, duplicates, again;
	int failed;
};
static atomic_bool over;

/* Stores batch after batch; on VW_EAGAIN the same one again. */
static void *store_batches(void *arg)
{
	struct worker *w = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_arena *scratch = vw_arena_open(0);
	vw_entry_batch *entries = NULL;
	while (!atomic_load(&over) && !w->failed) {
		struct vw_ingest_result result;
		if (!entries) {
			entries = batch_of(w->arena, w->ledger.chain.head.sequence + 1, 0);
			for (int i = 0; i < 8; i++) {
				struct seen seen = {.model = "churn",
						    .version = vw_arena_printf(w->arena, "%d", i),
						    .at = NOW + (int64_t)w->ledger.chain.head.sequence,
						    .gap = "owner:high",
						    .event = "Production"};
				batch_add(w->arena, entries, ledger_version(&w->ledger, &seen));
			}
		}
		struct vw_ingest_batch batch = {
		    .organization = ORG, .agent_id = w->agent_id, .session_id = "s", .batch = entries, .now = NOW};
		vw_arena_reset(scratch);
		int rc = vw_fleet_ingest(w->store, scratch, &batch, &result, &err);
		if (rc == VW_EAGAIN) {
			w->again++;
			pause_ms(5);
			continue;
		}
		w->failed = rc != 0 || result.outcome != VW_INGEST_STORED ||
			    result.chain.head.sequence != w->ledger.chain.head.sequence;
		if (w->failed)
			fprintf(stderr, "%d: %s %s\n", rc, err.message, rc == 0 ? result.reason : "");
		w->acknowledged = result.chain.head.sequence;
		w->duplicates += result.duplicates;
		entries = NULL;
	}
	vw_arena_close(scratch);
	return NULL;
}

static void check_ledger(struct shop *shop, const struct worker *w)
{
	struct vw_chain chain;
	vw_chained_entry **entries;
	vw_entry *entry;
	size_t count;
	uint64_t sequence = 0;
	vw_chain_begin(&chain, w->agent_id);
	do {
		shop_ok(shop, vw_fleet_ledger_read(shop->store, shop->arena, ORG, w->agent_id, sequence + 1, 500,
						   &entries, &count, &shop->err));
		for (size_t i = 0; i < count; i++)
			shop_ok(shop, vw_chain_follow(&chain, entries[i], "1", w->agent_id, shop->arena, &entry,
						      &shop->err));
		sequence += count;
	} while (count > 0);
	assert_true(sequence >= w->acknowledged);
	assert_int_equal(get_agent(shop, ORG, w->agent_id)->sequence, sequence);
}

static void killed_in_transactions_nothing_is_lost_or_invented(void **state)
{
	struct shop *shop = there(state);
	struct worker workers[2] = {{.agent_id = AGENT_A}, {.agent_id = AGENT_B}};
	pthread_t threads[2];
	atomic_store(&over, false);
	for (size_t i = 0; i < 2; i++) {
		workers[i].store = shop->store;
		workers[i].arena = vw_arena_open(0);
		ledger_begin(&workers[i].ledger, workers[i].arena, workers[i].agent_id);
		assert_int_equal(pthread_create(&threads[i], NULL, store_batches, &workers[i]), 0);
	}
	for (int i = 0; i < KILLS; i++) {
		pause_ms(150 + 37 * i % 100);
		server_kill();
		server_start();
	}
	pause_ms(500);
	atomic_store(&over, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	works_again(shop);
	for (size_t i = 0; i < 2; i++) {
		assert_false(workers[i].failed);
		assert_true(workers[i].again > 0);
		assert_true(workers[i].acknowledged > 0);
		check_ledger(shop, &workers[i]);
		vw_arena_close(workers[i].arena);
	}
}

/* ---- What is said of a commit whose answer was lost ---- */

struct maker {
	struct vw_fleet_store *store;
	int organizations[4096]; /* what was said of each: 1 made, 0 not, -1 not known */
	int count, failed;
};

static void *make_organizations(void *arg)
{
	struct maker *m = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_arena *arena = vw_arena_open(0);
	while (!atomic_load(&over) && !m->failed && m->count < 4096) {
		vw_organization *made;
		char name[32];
		vw_arena_reset(arena);
		snprintf(name, sizeof(name), "made %d", m->count);
		int rc = vw_fleet_organization_create(m->store, arena, 1000 + m->count, name, &made, &err);
		m->failed = rc != 0 && rc != VW_EAGAIN;
		if (m->failed)
			fprintf(stderr, "%d: %s\n", rc, err.message);
		m->organizations[m->count++] = rc == 0 ? 1 : (strstr(err.message, "cannot be said") ? -1 : 0);
		if (rc != 0)
			pause_ms(20);
	}
	vw_arena_close(arena);
	return NULL;
}

static void success_and_failure_are_both_true(void **state)
{
	struct shop *shop = there(state);
	struct maker maker = {.store = shop->store};
	pthread_t thread;
	int made = 0, unknown = 0;
	atomic_store(&over, false);
	assert_int_equal(pthread_create(&thread, NULL, make_organizations, &maker), 0);
	for (int i = 0; i < KILLS; i++) {
		pause_ms(100 + 53 * i % 100);
		server_kill();
		server_start();
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	works_again(shop);
	assert_false(maker.failed);
	for (int i = 0; i < maker.count; i++) {
		vw_organization *organization;
		int rc = vw_fleet_organization_get(shop->store, shop->arena, 1000 + i, &organization, &shop->err);
		made += rc == 0;
		unknown += maker.organizations[i] < 0;
		if (maker.organizations[i] >= 0)
			assert_int_equal(rc, maker.organizations[i] == 1 ? 0 : VW_ENOTFOUND);
	}
	assert_true(made > KILLS);
	assert_int_equal(unknown, 0);
}

/* ---- A small pool ---- */

static void *ask_often(void *arg)
{
	struct vw_fleet_store *store = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_arena *arena = vw_arena_open(0);
	int failed = 0;
	for (int i = 0; i < 100; i++) {
		vw_organization *organization;
		vw_arena_reset(arena);
		failed += vw_fleet_organization_get(store, arena, ORG, &organization, &err) != 0;
	}
	vw_arena_close(arena);
	return (void *)(intptr_t)failed;
}

static void more_threads_than_connections(void **state)
{
	struct shop *shop = there(state);
	struct vw_fleet_store_settings settings = place_settings(shop->place);
	struct vw_fleet_store *store;
	pthread_t threads[8];
	settings.connections = 2;
	shop_ok(shop, vw_fleet_store_open(&settings, &store, &shop->err));
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, store), 0);
	for (size_t i = 0; i < 8; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		assert_int_equal((intptr_t)failed, 0);
	}
	vw_fleet_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(away_and_back),
	    suite_test_agents(a_restart_is_not_noticed),
	    suite_test_agents(many_callers_are_told_at_once),
	    suite_test_agents(killed_in_transactions_nothing_is_lost_or_invented),
	    suite_test_agents(success_and_failure_are_both_true),
	    suite_test_agents(more_threads_than_connections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
