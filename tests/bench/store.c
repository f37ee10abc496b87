/* store.c: how fast kv.h takes values in, as the controller's ingest would give them: transactions of a batch each, with fsync.
 *
 *	bench_store FOLDER [VALUES [BYTES [BATCH]]]        default 100000 2048 500
 *
 * Three ways: appended alone; appended with a small row at a random key; the latter, with a reader beside it. The wall clock depends on
 * the disk; the processor time of the writing thread is what kv.h costs. The folder is made, and its content removed at the end. */
#include "base/limits.h"
#include "storage/kv.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LEDGER, ROWS };
static const char *const tables[] = {"ledger", "rows", NULL};

struct run {
	struct vw_kv *kv;
	uint64_t next;   /* key of the next value */
	uint64_t values; /* all of them */
	size_t len;
	uint64_t batch;
	bool rows;
	uint8_t *value;
	atomic_bool stop;
	atomic_ulong reads;
};

static void fail(const struct vw_error *err)
{
	fprintf(stderr, "bench_store: %s\n", err->message);
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void number_bytes(uint64_t n, uint8_t out[8])
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(n >> (56 - 8 * i));
}

/* Keys as of many models: spread, and coming again. */
static uint64_t spread(uint64_t n)
{
	n *= 0x9e3779b97f4a7c15U;
	return (n ^ n >> 29) % 20000;
}

static int one_batch(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct run *r = arg;
	int rc = 0;
	for (uint64_t n = r->next; rc == 0 && n < r->next + r->batch && n < r->values; n++) {
		uint8_t key[8], row[150] = {1};
		number_bytes(n + 1, key);
		memcpy(r->value, key, 8);
		rc = vw_kv_append(txn, LEDGER, (struct vw_bytes){key, 8}, (struct vw_bytes){r->value, r->len}, err);
		number_bytes(spread(n), key);
		if (rc == 0 && r->rows)
			rc =
			    vw_kv_put(txn, ROWS, (struct vw_bytes){key, 8}, (struct vw_bytes){row, sizeof(row)}, err);
	}
	return rc;
}

static void *read_beside(void *arg)
{
	struct run *r = arg;
	struct vw_error err = VW_ERROR_INIT;
	uint64_t n = 0;
	while (!r->stop) {
		struct vw_txn *view;
		struct vw_bytes value;
		uint8_t key[8];
		if (vw_txn_begin_read(r->kv, &view, &err) < 0)
			fail(&err);
		for (int i = 0; i < 100; i++) {
			number_bytes(spread(n++), key);
			vw_kv_get(view, ROWS, (struct vw_bytes){key, 8}, &value, &err);
			r->reads++;
		}
		vw_txn_end(view);
	}
	return NULL;
}

static void measure(const char *dir, const char *name, struct run r, bool reader)
{
	struct vw_error err = VW_ERROR_INIT;
	pthread_t thread;
	char path[4096];
	if (vw_kv_open(dir, tables, VW_KV_WRITE, &r.kv, &err) < 0)
		fail(&err);
	vw_kv_set_resident(r.kv, 64 * VW_MIB);
	if (reader)
		pthread_create(&thread, NULL, read_beside, &r);
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
	for (; r.next < r.values; r.next += r.batch)
		if (vw_kv_write(r.kv, one_batch, &r, &err) < 0)
			fail(&err);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
	r.stop = true;
	if (reader)
		pthread_join(thread, NULL);
	printf("%-28s %9.0f values/s by the clock, %9.0f by processor time (%.1f µs each)", name,
	       (double)r.values / wall, (double)r.values / cpu, cpu / (double)r.values * 1e6);
	if (reader)
		printf(", %.0f reads/s beside", (double)r.reads / wall);
	printf("\n");
	vw_kv_close(r.kv);
	static const char *const files[] = {"data.mdb", "lock.mdb", "writer.lock", "last-commit"};
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: bench_store FOLDER [VALUES [BYTES [BATCH]]]\n");
		return 2;
	}
	struct run r = {.values = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000,
			.len = argc > 3 ? strtoul(argv[3], NULL, 10) : 2048,
			.batch = argc > 4 ? strtoull(argv[4], NULL, 10) : 500};
	if (r.len < 8 || r.batch == 0) {
		fprintf(stderr, "bench_store: values of 8 bytes at least, one in a batch at least\n");
		return 2;
	}
	r.value = calloc(1, r.len);
	mkdir(argv[1], 0700);
	measure(argv[1], "appended", r, false);
	r.rows = true;
	measure(argv[1], "appended, and a row", r, false);
	measure(argv[1], "the same, and a reader", r, true);
	free(r.value);
	rmdir(argv[1]);
	return 0;
}
