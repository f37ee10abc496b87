/* kill -9 in the middle of ingest, again and again: what was acknowledged is there, once; a batch is there as a whole or not at all; rows, events and counters
 * agree with the ledger. */
#include "suite.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLS    25
#define SENDERS  3
#define IN_BATCH 7

static const char *const agents[SENDERS] = {AGENT_A, AGENT_B, "33333333-3333-4333-8333-333333333333"};

struct word {
	int sender;
	uint64_t sequence;
};

struct sender {
	pthread_t thread;
	struct vw_fleet_store *store;
	int number;
	int report;
	struct vw_chain chain; /* as stored */
};

/* One batch of new entries behind what is stored: versions that come again and again, so that rows are replaced, and one removal. */
static vw_entry_batch *make_batch(struct vw_arena *arena, struct ledger *l, int number)
{
	vw_entry_batch *batch = batch_of(arena, l->chain.head.sequence + 1, 0);
	for (int i = 0; i < IN_BATCH - 1; i++) {
		uint64_t n = l->chain.head.sequence % 20 + 1;
		struct seen seen = {.model = vw_arena_printf(arena, "model of %d", number),
				    .version = vw_arena_printf(arena, "%d", (int)n),
				    .padding = (size_t)(100 * n),
				    .gap = n % 2 ? "owner:high" : NULL,
				    .event = "Staging",
				    .at = NOW};
		batch_add(arena, batch, ledger_version(l, &seen));
	}
	batch_add(arena, batch, ledger_removal(l, NULL, vw_arena_printf(arena, "model of %d", number), "1", NOW));
	return batch;
}

static void *send_on(void *arg)
{
	struct sender *s = arg;
	struct vw_arena *arena = vw_arena_open(0);
	for (;;) {
		struct ledger l = {.arena = arena, .chain = s->chain};
		struct vw_ingest_result r;
		struct vw_ingest_batch b = {.organization = ORG,
					    .agent_id = agents[s->number],
					    .session_id = "s",
					    .batch = make_batch(arena, &l, s->number),
					    .now = NOW};
		if (vw_fleet_ingest(s->store, arena, &b, &r, NULL) != 0 || r.outcome != VW_INGEST_STORED ||
		    r.stored != IN_BATCH)
			_exit(2);
		s->chain = r.chain;
		struct word w = {s->number, r.chain.head.sequence};
		if (write(s->report, &w, sizeof(w)) != sizeof(w))
			_exit(3);
		vw_arena_reset(arena);
	}
	return NULL;
}

/* Ends only by being killed. */
static void run_senders(const struct vw_fleet_store_settings *settings, int report)
{
	static struct sender senders[SENDERS];
	struct vw_fleet_store *store;
	struct vw_arena *arena = vw_arena_open(0);
	if (vw_fleet_store_open(settings, &store, NULL) != 0)
		_exit(1);
	for (int i = 0; i < SENDERS; i++) {
		vw_agent *agent;
		if (vw_fleet_agent_get(store, arena, ORG, agents[i], &agent, NULL) != 0)
			_exit(4);
		senders[i] = (struct sender){.store = store, .number = i, .report = report};
		vw_chain_begin(&senders[i].chain, agents[i]);
		senders[i].chain.head.sequence = agent->sequence;
		if (agent->sequence > 0)
			memcpy(senders[i].chain.head.hash, agent->chain_sha256.data, VW_LEDGER_HASH);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_create(&senders[i].thread, NULL, send_on, &senders[i]);
	for (;;)
		pause();
}

static void wait_a_little(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	struct timespec t = {0, 5000000 + (long)(*seed >> 8) % 60 * 1000000 + (long)(*seed >> 16) % 1000000};
	nanosleep(&t, NULL);
}

/* The last sequence that each sender was told is durable. */
static void run_and_kill(struct shop *s, uint32_t *seed, uint64_t acknowledged[SENDERS])
{
	struct vw_fleet_store_settings settings = place_settings(s->place);
	struct word w;
	int fds[2], status;
	assert_int_equal(pipe(fds), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) > 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_senders(&settings, fds[1]);
	close(fds[1]);
	/* most times once it is at work, however long a store takes to open */
	struct pollfd at_work = {.fd = fds[0], .events = POLLIN};
	if (*seed / 256 % 4)
		poll(&at_work, 1, 10000);
	wait_a_little(seed);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(fds[0], &w, sizeof(w)) == sizeof(w))
		acknowledged[w.sender] = w.sequence;
	close(fds[0]);
}

/* Follows the whole ledger as an auditor would. */
static void check_ledger(struct shop *s, const char *agent_id, uint64_t sequence)
{
	struct vw_chain chain;
	vw_chained_entry **entries;
	size_t count;
	vw_chain_begin(&chain, agent_id);
	while (chain.head.sequence < sequence) {
		struct vw_arena *arena = vw_arena_open(0);
		shop_ok(s, vw_fleet_ledger_read(s->store, arena, ORG, agent_id, chain.head.sequence + 1, 500,
						&entries, &count, &s->err));
		assert_true(count > 0);
		for (size_t i = 0; i < count; i++) {
			vw_entry *entry;
			shop_ok(s, vw_chain_follow(&chain, entries[i], "1", agent_id, arena, &entry, &s->err));
		}
		vw_arena_close(arena);
	}
	shop_ok(s,
		vw_fleet_ledger_read(s->store, s->arena, ORG, agent_id, sequence + 1, 1, &entries, &count, &s->err));
	assert_int_equal(count, 0);
}

/* Counters and rows say the same. */
static void check_rows(struct shop *s, uint64_t entries)
{
	struct vw_version_query q = {.order = VW_BY_NAME};
	struct vw_page page = {.limit = VW_MAX_PAGE};
	vw_version_row **rows;
	size_t count, with_gaps = 0;
	char *cursor;
	struct vw_fleet_counts c;
	shop_ok(s, vw_fleet_version_list(s->store, s->arena, ORG, &q, &page, &rows, &count, &cursor, &s->err));
	assert_null(cursor);
	for (size_t i = 0; i < count; i++)
		with_gaps += rows[i]->gaps[VW_SEVERITY_HIGH - 1] > 0;
	shop_ok(s, vw_fleet_count(s->store, ORG, &c, &s->err));
	assert_int_equal(c.entries, entries);
	assert_int_equal(c.versions, count);
	assert_int_equal(c.versions_with_gaps, with_gaps);
	assert_int_equal(c.gaps[VW_SEVERITY_HIGH - 1], with_gaps);
}

static uint64_t stored(struct shop *s)
{
	uint64_t all = 0;
	for (int i = 0; i < SENDERS; i++)
		all += get_agent(s, ORG, agents[i])->sequence;
	return all;
}

/* A database server ends a transaction that it was sent whole, also when its client is dead: a moment after. */
static void wait_settled(struct shop *s)
{
	const struct timespec moment = {0, 200000000};
	uint64_t before, after = stored(s);
	do {
		before = after;
		nanosleep(&moment, NULL);
		after = stored(s);
	} while (before != after);
}

static void killed_again_and_again(void **state)
{
	struct shop *s = shop_of(state);
	uint64_t acknowledged[SENDERS] = {0}, all = 0;
	uint32_t seed = 1;
	add_agent(s, ORG, agents[2], "0000000000000001");
	for (int kills = 0; kills < KILLS; kills++) {
		vw_fleet_store_close(s->store);
		s->store = NULL;
		run_and_kill(s, &seed, acknowledged);
		struct vw_fleet_store_settings settings = place_settings(s->place);
		shop_ok(s, vw_fleet_store_open(&settings, &s->store, &s->err));
		if (strncmp(settings.url, "lmdb:", 5) != 0)
			wait_settled(s);
		all = 0;
		for (int i = 0; i < SENDERS; i++) {
			uint64_t sequence = get_agent(s, ORG, agents[i])->sequence;
			assert_true(sequence >= acknowledged[i]);
			assert_int_equal(sequence % IN_BATCH, 0);
			all += sequence;
		}
		check_rows(s, all);
	}
	for (int i = 0; i < SENDERS; i++)
		check_ledger(s, agents[i], get_agent(s, ORG, agents[i])->sequence);
	assert_true(all > KILLS * IN_BATCH); /* it was at work */
}

int main(void)
{
	const struct CMUnitTest tests[] = {suite_test_agents(killed_again_and_again)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
