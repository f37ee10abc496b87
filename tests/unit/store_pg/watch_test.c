/* Changes, told to every replica; and what two replicas do at the same time. */
#include "suite.h"

#include "server.h"

#include <pthread.h>
#include <time.h>

#define WAIT_MS 10000

/* What a watcher was told. */
static struct {
	pthread_mutex_t mutex;
	struct vw_change changes[256];
	size_t count;
} told = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void pause_ms(long ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	nanosleep(&time, NULL);
}

static void note(const struct vw_change *change, void *arg)
{
	assert_ptr_equal(arg, &told);
	pthread_mutex_lock(&told.mutex);
	if (told.count < sizeof(told.changes) / sizeof(told.changes[0]))
		told.changes[told.count++] = *change;
	pthread_mutex_unlock(&told.mutex);
}

static size_t count_told(enum vw_change_kind kind, int32_t organization, const char *agent_id)
{
	size_t count = 0;
	pthread_mutex_lock(&told.mutex);
	for (size_t i = 0; i < told.count; i++)
		count += told.changes[i].kind == kind && told.changes[i].organization == organization &&
			 strcmp(told.changes[i].agent_id, agent_id) == 0;
	pthread_mutex_unlock(&told.mutex);
	return count;
}

static bool comes(enum vw_change_kind kind, int32_t organization, const char *agent_id)
{
	for (int i = 0; i < WAIT_MS / 10; i++) {
		if (count_told(kind, organization, agent_id) > 0)
			return true;
		pause_ms(10);
	}
	return false;
}

static void forget(void)
{
	pthread_mutex_lock(&told.mutex);
	told.count = 0;
	pthread_mutex_unlock(&told.mutex);
}

/* A second replica, which is watched; the first one changes things. */
struct pair {
	struct shop *shop;
	struct vw_fleet_store *other;
};

static struct pair open_pair(void **state)
{
	struct pair pair = {.shop = *state};
	if (!pair.shop->place)
		skip();
	struct vw_fleet_store_settings settings = place_settings(pair.shop->place);
	shop_ok(pair.shop, vw_fleet_store_open(&settings, &pair.other, &pair.shop->err));
	forget();
	vw_fleet_watch(pair.other, note, &told);
	return pair;
}

static void each_kind_of_change_is_told(void **state)
{
	struct pair pair = open_pair(state);
	struct shop *shop = pair.shop;
	struct ledger ledger;
	struct seen seen = {.model = "churn", .version = "1", .at = NOW};
	shop_ok(shop, vw_fleet_agent_set_status(shop->store, ORG, AGENT_B, VW_AGENT_REVOKED, "lost", "user:alice",
						NOW, &shop->err));
	assert_true(comes(VW_CHANGE_AGENT, ORG, AGENT_B));
	ledger_begin(&ledger, shop->arena, AGENT_A);
	ingest_one(shop, ORG, AGENT_A, &ledger, &seen);
	assert_true(comes(VW_CHANGE_RECORDS, ORG, AGENT_A));
	shop_ok(shop, vw_fleet_organization_disable(shop->store, OTHER, true, &shop->err));
	assert_true(comes(VW_CHANGE_ORGANIZATION, OTHER, ""));
	vw_stored_command command = VERIFYWISE__V1__STORED_COMMAND__INIT;
	vw_command inner = VERIFYWISE__V1__COMMAND__INIT;
	VW_SET(&command, organization, ORG);
	command.agent_id = (char *)AGENT_A;
	command.command = &inner;
	inner.id = (char *)"99999999-9999-4999-8999-999999999999";
	VW_SET(&inner, kind, VW_COMMAND_SYNC);
	VW_SET(&inner, issued_at, NOW);
	shop_ok(shop, vw_fleet_command_create(shop->store, &command, &shop->err));
	assert_true(comes(VW_CHANGE_COMMAND, ORG, AGENT_A));
	vw_fleet_store_close(pair.other);
}

static void presence_is_told_when_it_changes(void **state)
{
	struct pair pair = open_pair(state);
	struct shop *shop = pair.shop;
	vw_agent_presence presence = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
	vw_agent_presence *read;
	VW_SET(&presence, organization, ORG);
	presence.agent_id = (char *)AGENT_A;
	presence.session_id = (char *)"s1";
	presence.replica = (char *)"replica-1";
	VW_SET(&presence, connected, true);
	shop_ok(shop, vw_fleet_presence_put(shop->store, &presence, &shop->err));
	assert_true(comes(VW_CHANGE_PRESENCE, ORG, AGENT_A));
	forget();
	for (int i = 0; i < 5; i++) {
		VW_SET(&presence, last_seen_at, NOW + i);
		shop_ok(shop, vw_fleet_presence_put(shop->store, &presence, &shop->err));
	}
	/* another replica's agents stay */
	shop_ok(shop, vw_fleet_presence_clear(shop->store, "replica-2", &shop->err));
	shop_ok(shop, vw_fleet_organization_disable(shop->store, OTHER, true, &shop->err));
	assert_true(comes(VW_CHANGE_ORGANIZATION, OTHER, ""));
	assert_int_equal(count_told(VW_CHANGE_PRESENCE, ORG, AGENT_A), 0);
	shop_ok(shop, vw_fleet_presence_clear(shop->store, "replica-1", &shop->err));
	assert_true(comes(VW_CHANGE_PRESENCE, ORG, AGENT_A));
	shop_ok(shop, vw_fleet_presence_get(pair.other, shop->arena, ORG, AGENT_A, &read, &shop->err));
	assert_false(read->connected);
	assert_int_equal(read->last_seen_at, NOW + 4);
	vw_fleet_store_close(pair.other);
}

static void a_listener_that_was_away_says_so(void **state)
{
	struct pair pair = open_pair(state);
	server_restart();
	assert_true(comes(VW_CHANGE_LOST, 0, ""));
	forget();
	shop_ok(pair.shop, vw_fleet_organization_disable(pair.shop->store, OTHER, true, &pair.shop->err));
	assert_true(comes(VW_CHANGE_ORGANIZATION, OTHER, ""));
	server_kill();
	server_start();
	assert_true(comes(VW_CHANGE_LOST, 0, ""));
	vw_fleet_store_close(pair.other);
}

static void what_others_send_is_no_change(void **state)
{
	static const char *const payloads[] = {"",
					       "x",
					       "0",
					       "0 1",
					       "9 1 ",
					       "-1 1 ",
					       "5 1 ",
					       "0 -1 ",
					       "0 0 ",
					       "0 1 not-an-agent",
					       ("0 1 " AGENT_A "x"),
					       ("0 99999999999999999999 " AGENT_A)};
	struct pair pair = open_pair(state);
	char sql[256], url[SERVER_URL_MAX];
	struct vw_fleet_store_settings settings = place_settings(pair.shop->place);
	snprintf(url, sizeof(url), "%s", settings.url);
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		PGconn *connection = PQconnectdb(url);
		snprintf(sql, sizeof(sql), "SELECT pg_notify('verifywise_fleet', '%s')", payloads[i]);
		PQclear(PQexec(connection, sql));
		PQfinish(connection);
	}
	shop_ok(pair.shop, vw_fleet_organization_disable(pair.shop->store, OTHER, true, &pair.shop->err));
	assert_true(comes(VW_CHANGE_ORGANIZATION, OTHER, ""));
	pthread_mutex_lock(&told.mutex);
	size_t count = told.count;
	pthread_mutex_unlock(&told.mutex);
	assert_int_equal(count, 1);
	vw_fleet_store_close(pair.other);
}

static void an_ended_watch_tells_nothing(void **state)
{
	struct pair pair = open_pair(state);
	vw_fleet_watch(pair.other, NULL, NULL);
	shop_ok(pair.shop, vw_fleet_organization_disable(pair.shop->store, OTHER, true, &pair.shop->err));
	pause_ms(200);
	assert_int_equal(count_told(VW_CHANGE_ORGANIZATION, OTHER, ""), 0);
	vw_fleet_watch(pair.other, note, &told);
	vw_fleet_watch(pair.other, note, &told);
	shop_ok(pair.shop, vw_fleet_organization_disable(pair.shop->store, OTHER, false, &pair.shop->err));
	assert_true(comes(VW_CHANGE_ORGANIZATION, OTHER, ""));
	pause_ms(100);
	assert_int_equal(count_told(VW_CHANGE_ORGANIZATION, OTHER, ""), 1);
	vw_fleet_store_close(pair.other);
}

/* ---- Two replicas at once ---- */

#define BATCHES 20
#define ENTRIES 25

struct sender {
	struct vw_fleet_store *store;
	vw_entry_batch *batches[BATCHES];
	size_t stored, duplicates, again;
	int failed;
};

/* As a replica whose agent came from another one: it sends everything, and on a gap it goes back. */
static void *send_all(void *arg)
{
	struct sender *s = arg;
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	for (size_t i = 0; i < BATCHES && !s->failed;) {
		struct vw_ingest_batch batch = {
		    .organization = ORG, .agent_id = AGENT_A, .session_id = "s", .batch = s->batches[i], .now = NOW};
		struct vw_ingest_result result;
		vw_arena_reset(arena);
		int rc = vw_fleet_ingest(s->store, arena, &batch, &result, &err);
		if (rc == VW_EAGAIN) {
			s->again++;
			continue;
		}
		s->failed = rc != 0 || result.outcome != VW_INGEST_STORED;
		s->stored += result.stored;
		s->duplicates += result.duplicates;
		i++;
	}
	vw_arena_close(arena);
	return NULL;
}

static void two_replicas_store_each_entry_once(void **state)
{
	struct pair pair = open_pair(state);
	struct shop *shop = pair.shop;
	struct sender senders[2] = {{.store = shop->store}, {.store = pair.other}};
	struct ledger ledger;
	pthread_t threads[2];
	vw_chained_entry **entries;
	size_t count = 0, read;
	ledger_begin(&ledger, shop->arena, AGENT_A);
	for (int b = 0; b < BATCHES; b++) {
		vw_entry_batch *batch = batch_of(shop->arena, ledger.chain.head.sequence + 1, 0);
		for (int e = 0; e < ENTRIES; e++) {
			struct seen seen = {
			    .model = "churn", .version = vw_arena_printf(shop->arena, "%d", e), .at = NOW};
			batch_add(shop->arena, batch, ledger_version(&ledger, &seen));
		}
		senders[0].batches[b] = senders[1].batches[b] = batch;
	}
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_false(senders[0].failed || senders[1].failed);
	assert_int_equal(senders[0].stored + senders[1].stored, (size_t)BATCHES * ENTRIES);
	assert_int_equal(senders[0].duplicates + senders[1].duplicates, (size_t)BATCHES * ENTRIES);
	for (uint64_t from = 1;; from += read) {
		shop_ok(shop, vw_fleet_ledger_read(pair.other, shop->arena, ORG, AGENT_A, from, 100, &entries, &read,
						   &shop->err));
		if (read == 0)
			break;
		count += read;
	}
	assert_int_equal(count, (size_t)BATCHES * ENTRIES);
	assert_memory_equal(get_agent(shop, ORG, AGENT_A)->chain_sha256.data, ledger.chain.head.hash, VW_LEDGER_HASH);
	vw_fleet_store_close(pair.other);
}

struct enroller {
	struct vw_fleet_store *store;
	const char *agent_id;
	int rc;
};

static void *enroll_one(void *arg)
{
	struct enroller *e = arg;
	struct vw_error err = VW_ERROR_INIT;
	uint8_t key[64] = {9};
	vw_agent agent = VERIFYWISE__V1__AGENT__INIT;
	VW_SET(&agent, organization, ORG);
	agent.agent_id = (char *)e->agent_id;
	VW_SET(&agent, status, VW_AGENT_ACTIVE);
	VW_SET_BYTES(&agent, enrollment_key, key, sizeof(key));
	VW_SET_BYTES(&agent, sealing_key, key, 32);
	agent.pending_serial = (char *)"bb";
	VW_SET(&agent, pending_not_after, NOW);
	e->rc = vw_fleet_agent_enroll(e->store, "00000000000000bb", NOW, &agent, &err);
	return NULL;
}

/* A token of one use, two agents, two replicas: one of them gets it. */
static void a_token_is_used_once(void **state)
{
	struct pair pair = open_pair(state);
	struct shop *shop = pair.shop;
	struct enroller e[2] = {{shop->store, "33333333-3333-4333-8333-333333333333", 0},
				{pair.other, "44444444-4444-4444-8444-444444444444", 0}};
	vw_enrollment_token token = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
	pthread_t threads[2];
	uint8_t digest[32] = {1};
	token.public_id = (char *)"00000000000000bb";
	VW_SET(&token, organization, ORG);
	VW_SET_BYTES(&token, secret_sha256, digest, sizeof(digest));
	VW_SET(&token, uses_allowed, 1);
	shop_ok(shop, vw_fleet_token_create(shop->store, &token, &shop->err));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, enroll_one, &e[i]), 0);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_true((e[0].rc == 0 && e[1].rc == VW_EAUTH) || (e[0].rc == VW_EAUTH && e[1].rc == 0));
	vw_fleet_store_close(pair.other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test_agents(each_kind_of_change_is_told),
	    suite_test_agents(presence_is_told_when_it_changes),
	    suite_test_agents(a_listener_that_was_away_says_so),
	    suite_test_agents(what_others_send_is_no_change),
	    suite_test_agents(an_ended_watch_tells_nothing),
	    suite_test_agents(two_replicas_store_each_entry_once),
	    suite_test_agents(a_token_is_used_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
