/* ingest.c: how fast a store of the controller takes ledgers in, and lists what it took: without the network, with all of the verification.
 *
 *	bench_ingest URL [AGENTS [ENTRIES [BATCH]]]        default 2 agents of 50000 entries in batches of 500
 *
 * The store must not be there yet (lmdb:FOLDER) or be an empty schema. Entries are recorded versions of about 2 KB, one in four with open findings, each agent's in a thread
 * of its own. They are made before the clock starts. Lists are timed afterwards, each the best of three. */
#include "entries.h"

#include "base/limits.h"
#include "fleet/chain.h"
#include "proto/message.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOW ((int64_t)1700000000000)

struct sender {
	pthread_t thread;
	struct vw_fleet_store *store;
	char agent_id[VW_AGENT_ID_MAX];
	struct vw_arena *arena; /* of the entries */
	vw_entry_batch **batches;
	size_t batch_count;
	size_t bytes;
};

static void fail(const struct vw_error *err)
{
	fprintf(stderr, "bench_ingest: %s\n", err->message);
	exit(1);
}

static void *new (struct vw_arena *arena, const ProtobufCMessageDescriptor *type)
{
	void *message = vw_message_new(arena, type);
	if (!message)
		abort();
	return message;
}

static double seconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void make_batches(struct sender *s, size_t entries, size_t batch)
{
	struct vw_arena *scratch = vw_arena_open(0);
	struct vw_chain chain;
	vw_chain_begin(&chain, s->agent_id);
	s->batches = vw_arena_array(s->arena, entries / batch + 1, sizeof(vw_entry_batch *));
	for (size_t n = 0; n < entries;) {
		vw_entry_batch *b = s->batches[s->batch_count++] =
		    new (s->arena, &verifywise__v1__entry_batch__descriptor);
		VW_SET(b, first_sequence, n + 1);
		b->entries = vw_arena_array(s->arena, batch, sizeof(vw_chained_entry *));
		for (; n < entries && b->n_entries < batch; n++)
			s->bytes +=
			    (b->entries[b->n_entries++] = bench_entry(s->arena, &chain, scratch, n))->payload.len;
	}
	vw_arena_close(scratch);
}

/* ---- Ingest ---- */

static void *send_all(void *arg)
{
	struct sender *s = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_arena *arena = vw_arena_open(0);
	for (size_t i = 0; i < s->batch_count; i++) {
		struct vw_ingest_batch b = {.organization = 1,
					    .agent_id = s->agent_id,
					    .session_id = "s",
					    .batch = s->batches[i],
					    .now = NOW};
		struct vw_ingest_result r;
		if (vw_fleet_ingest(s->store, arena, &b, &r, &err) < 0)
			fail(&err);
		if (r.outcome != VW_INGEST_STORED) {
			vw_error_set(&err, VW_EINVAL, "outcome %d: %s", (int)r.outcome, r.reason);
			fail(&err);
		}
		vw_arena_reset(arena);
	}
	vw_arena_close(arena);
	return NULL;
}

static void enroll(struct vw_fleet_store *store, struct vw_arena *arena, const char *agent_id)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_agent *agent = new (arena, &verifywise__v1__agent__descriptor);
	uint8_t key[64] = {1};
	VW_SET(agent, organization, 1);
	VW_SET(agent, status, VW_AGENT_ACTIVE);
	agent->agent_id = (char *)agent_id;
	agent->pending_serial = (char *)"aa";
	VW_SET_BYTES(agent, enrollment_key, key, sizeof(key));
	VW_SET_BYTES(agent, sealing_key, key, 32);
	if (vw_fleet_agent_enroll(store, "0000000000000001", NOW, agent, &err) < 0)
		fail(&err);
}

static void set_up(struct vw_fleet_store *store, struct vw_arena *arena)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_organization *organization;
	vw_enrollment_token token = VERIFYWISE__V1__ENROLLMENT_TOKEN__INIT;
	uint8_t digest[32] = {1};
	token.public_id = (char *)"0000000000000001";
	VW_SET(&token, organization, 1);
	VW_SET_BYTES(&token, secret_sha256, digest, sizeof(digest));
	VW_SET(&token, uses_allowed, 1000000);
	if (vw_fleet_organization_create(store, arena, 1, "bench", &organization, &err) < 0 ||
	    vw_fleet_token_create(store, &token, &err) < 0)
		fail(&err);
}

/* ---- Lists ---- */

static double time_versions(struct vw_fleet_store *store, const struct vw_version_query *query, size_t *out_count)
{
	double best = 1e9;
	for (int i = 0; i < 3; i++) {
		struct vw_error err = VW_ERROR_INIT;
		struct vw_arena *arena = vw_arena_open(0);
		struct vw_page page = {.limit = 50};
		vw_version_row **rows;
		char *cursor;
		double begun = seconds(CLOCK_MONOTONIC);
		if (vw_fleet_version_list(store, arena, 1, query, &page, &rows, out_count, &cursor, &err) < 0)
			fail(&err);
		double took = seconds(CLOCK_MONOTONIC) - begun;
		best = took < best ? took : best;
		vw_arena_close(arena);
	}
	return best * 1000;
}

static double time_gaps(struct vw_fleet_store *store, const struct vw_gap_query *query, size_t *out_count)
{
	double best = 1e9;
	for (int i = 0; i < 3; i++) {
		struct vw_error err = VW_ERROR_INIT;
		struct vw_arena *arena = vw_arena_open(0);
		struct vw_page page = {.limit = 50};
		vw_gap_row **rows;
		char *cursor;
		double begun = seconds(CLOCK_MONOTONIC);
		if (vw_fleet_gap_list(store, arena, 1, query, &page, &rows, out_count, &cursor, &err) < 0)
			fail(&err);
		double took = seconds(CLOCK_MONOTONIC) - begun;
		best = took < best ? took : best;
		vw_arena_close(arena);
	}
	return best * 1000;
}

static void time_lists(struct vw_fleet_store *store)
{
	const struct {
		const char *name;
		struct vw_version_query query;
	} lists[] = {{"by name", {0}},
		     {"one model", {.model = "team-3/model-000100"}},
		     {"newest first", {.order = VW_BY_RECORDED, .descending = true}},
		     {"worst first", {.order = VW_BY_SEVERITY, .descending = true}},
		     {"a word, newest first", {.order = VW_BY_RECORDED, .descending = true, .text = "model-000777"}},
		     {"a word that nothing has", {.text = "nothing-has-this"}},
		     {"an owner that nothing has", {.owner = "nobody"}}};
	const struct {
		const char *name;
		struct vw_gap_query query;
	} gaps[] = {{"gaps", {0}},
		    {"gaps of one rule", {.rule = "owner"}},
		    {"gaps of a rule that none has", {.rule = "none"}}};
	size_t count;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		double ms = time_versions(store, &lists[i].query, &count);
		printf("%-32s %8.2f ms, %zu rows\n", lists[i].name, ms, count);
	}
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		double ms = time_gaps(store, &gaps[i].query, &count);
		printf("%-32s %8.2f ms, %zu rows\n", gaps[i].name, ms, count);
	}
}

/* ---- The whole ---- */

static size_t number_of(int argc, char **argv, int at, size_t otherwise)
{
	return argc > at ? strtoul(argv[at], NULL, 10) : otherwise;
}

static void run(struct vw_fleet_store *store, struct sender *senders, size_t count)
{
	size_t bytes = 0, entries = 0;
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < count; i++) {
		senders[i].store = store;
		if (pthread_create(&senders[i].thread, NULL, send_all, &senders[i]) != 0)
			abort();
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(senders[i].thread, NULL);
		bytes += senders[i].bytes;
		for (size_t j = 0; j < senders[i].batch_count; j++)
			entries += senders[i].batches[j]->n_entries;
	}
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%zu entries of %zu bytes: %.2f s, %.0f entries/s; %.2f s of processors, %.1f us each\n", entries,
	       bytes / entries, wall, (double)entries / wall, cpu, cpu * 1e6 / (double)entries);
}

int main(int argc, char **argv)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_fleet_store *store;
	struct vw_arena *arena = vw_arena_open(0);
	size_t agents = number_of(argc, argv, 2, 2), entries = number_of(argc, argv, 3, 50000),
	       batch = number_of(argc, argv, 4, 500);
	struct sender *senders = calloc(agents, sizeof(*senders));
	if (argc < 2 || !senders || agents == 0 || agents > 10000 || entries == 0 || batch == 0 ||
	    batch > VW_MAX_BATCH_ENTRIES) {
		fprintf(stderr, "usage: bench_ingest URL [AGENTS [ENTRIES [BATCH]]]\n");
		return 2;
	}
	struct vw_fleet_store_settings settings = {.url = argv[1], .create = true};
	if (vw_fleet_store_open(&settings, &store, &err) < 0)
		fail(&err);
	set_up(store, arena);
	for (size_t i = 0; i < agents; i++) {
		snprintf(senders[i].agent_id, sizeof(senders[i].agent_id), "aaaaaaaa-aaaa-4aaa-8aaa-%012u",
			 (unsigned)i);
		senders[i].arena = vw_arena_open(0);
		enroll(store, arena, senders[i].agent_id);
		make_batches(&senders[i], entries, batch);
	}
	run(store, senders, agents);
	time_lists(store);
	vw_fleet_store_close(store);
	for (size_t i = 0; i < agents; i++)
		vw_arena_close(senders[i].arena);
	vw_arena_close(arena);
	free(senders);
	return 0;
}
