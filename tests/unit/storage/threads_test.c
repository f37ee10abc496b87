/* kv.h from many threads: each view is one moment, no write is lost, and the map grows between them. What a thread finds is
 * counted and asserted by the one that runs the test. */
#include "fixture.h"

#include "base/limits.h"
#include "kv_private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const tables[] = {"counters", "rows", NULL};
enum { COUNTERS, ROWS };

#define READERS 4
#define WRITERS 3

struct state {
	char *dir;
	struct vw_kv *kv;
	struct vw_error err;
};

static int setup(void **out)
{
	struct state *s = calloc(1, sizeof(*s));
	s->dir = make_dir();
	assert_ok(vw_kv_open(s->dir, tables, VW_KV_WRITE, &s->kv, &s->err), s->err);
	*out = s;
	return 0;
}

static int teardown(void **in)
{
	struct state *s = *in;
	vw_kv_close(s->kv);
	drop_dir(s->dir);
	free(s);
	return 0;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void number_key(uint64_t n, uint8_t out[8])
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(n >> (56 - 8 * i));
}

/* ---- One step: two counters and a row that must agree ---- */

static uint64_t counter(struct vw_txn *txn, const char *name, struct vw_error *err)
{
	struct vw_bytes value;
	uint64_t n = 0;
	if (vw_kv_get(txn, COUNTERS, text(name), &value, err) == 0 && value.len == sizeof(n))
		memcpy(&n, value.data, sizeof(n));
	return n;
}

static int count_up(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	uint64_t n = counter(txn, "x", err) + 1;
	uint8_t key[8];
	char row[300];
	(void)arg;
	memset(row, (int)n, sizeof(row));
	number_key(n, key);
	vw_kv_put(txn, COUNTERS, text("x"), (struct vw_bytes){&n, sizeof(n)}, err);
	vw_kv_append(txn, ROWS, (struct vw_bytes){key, 8}, (struct vw_bytes){row, sizeof(row)}, err);
	return vw_kv_put(txn, COUNTERS, text("y"), (struct vw_bytes){&n, sizeof(n)}, err);
}

/* More than the map has room for. */
static int fill_up(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	size_t len = 16 * VW_MIB;
	char *bytes = calloc(1, len);
	int rc = 0;
	(void)arg;
	for (int i = 0; rc == 0 && i < 17; i++) {
		char key[16];
		snprintf(key, sizeof(key), "large %d", i);
		rc = vw_kv_put(txn, COUNTERS, text(key), (struct vw_bytes){bytes, len}, err);
	}
	free(bytes);
	return rc;
}

struct crowd {
	struct vw_kv *kv;
	atomic_bool stop;
	atomic_int wrong; /* answers that cannot be */
	atomic_int views;
	int steps; /* of each writer */
};

static bool view_is_one_moment(struct vw_kv *kv)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *view;
	struct vw_cursor *cursor = NULL;
	struct vw_bytes key, value;
	uint8_t last[8];
	uint64_t rows = 0;
	if (vw_txn_begin_read(kv, &view, &err) != 0)
		return false;
	uint64_t x = counter(view, "x", &err);
	number_key(x, last);
	bool right = vw_kv_count(view, ROWS, &rows, &err) == 0 && rows == x;
	if (right && vw_cursor_open(view, ROWS, (struct vw_bytes){NULL, 0}, true, &cursor, &err) == 0) {
		int rc = vw_cursor_next(cursor, &key, &value, &err);
		right = x == 0 ? rc == 0
			       : rc == 1 && memcmp(key.data, last, 8) == 0 && value.len == 300 &&
				     ((const uint8_t *)value.data)[299] == (uint8_t)x;
	}
	right = right && counter(view, "y", &err) == x;
	vw_cursor_close(cursor);
	vw_txn_end(view);
	return right;
}

static void *read_on(void *arg)
{
	struct crowd *c = arg;
	while (!c->stop) {
		if (!view_is_one_moment(c->kv))
			c->wrong++;
		c->views++;
	}
	return NULL;
}

static void *write_on(void *arg)
{
	struct crowd *c = arg;
	struct vw_error err = VW_ERROR_INIT;
	for (int i = 0; i < c->steps; i++)
		if (vw_kv_write(c->kv, count_up, NULL, &err) != 0)
			c->wrong++;
	return NULL;
}

static void test_readers_beside_writers(void **in)
{
	struct state *s = *in;
	struct crowd crowd = {.kv = s->kv, .steps = 200};
	pthread_t readers[READERS], writers[WRITERS];
	struct vw_txn *view;
	struct vw_kv_stat stat;
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_on, &crowd);
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&writers[i], NULL, write_on, &crowd);
	assert_ok(vw_kv_write(s->kv, fill_up, NULL, &s->err), s->err); /* the map moves under all of them */
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	crowd.stop = true;
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(crowd.wrong, 0);
	assert_true(crowd.views > READERS);
	assert_ok(vw_kv_stat(s->kv, &stat, &s->err), s->err);
	assert_int_equal(stat.map_bytes, 2 * VW_STORE_MAP_INITIAL);
	assert_ok(vw_txn_begin_read(s->kv, &view, &s->err), s->err);
	assert_int_equal(counter(view, "x", &s->err), WRITERS * 200); /* no step was lost */
	vw_txn_end(view);
}

/* ---- The map waits for views ---- */

struct holder {
	struct vw_kv *kv;
	long held_ms; /* 0: until it may end */
	atomic_bool may_end;
	bool again;        /* begins a second view while the first is open */
	atomic_bool holds; /* the first view is open */
	atomic_int failed;
};

static void *hold_view(void *arg)
{
	struct holder *h = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *view, *second = NULL;
	h->failed += vw_txn_begin_read(h->kv, &view, &err) != 0;
	h->holds = true;
	pause_ms(h->held_ms);
	while (h->held_ms == 0 && !h->may_end)
		pause_ms(1);
	if (h->again)
		h->failed += vw_txn_begin_read(h->kv, &second, &err) != 0;
	vw_txn_end(second);
	vw_txn_end(view);
	return NULL;
}

static void start_holding(struct holder *h, pthread_t *out)
{
	pthread_create(out, NULL, hold_view, h);
	while (!h->holds)
		pause_ms(1);
}

static void test_map_grows_when_the_last_view_ends(void **in)
{
	struct state *s = *in;
	for (int again = 0; again < 2; again++) {
		struct holder h = {.kv = s->kv, .held_ms = 300, .again = again};
		pthread_t thread;
		s->kv->grow_patience = 60000;
		start_holding(&h, &thread);
		assert_ok(vw_kv_write(s->kv, fill_up, NULL, &s->err), s->err);
		pthread_join(thread, NULL);
		assert_int_equal(h.failed, 0);
		struct vw_kv_stat stat;
		assert_ok(vw_kv_stat(s->kv, &stat, &s->err), s->err);
		assert_int_equal(stat.map_bytes, 2 * VW_STORE_MAP_INITIAL);
		vw_kv_close(s->kv); /* and from the start again */
		drop_dir(s->dir);
		s->dir = make_dir();
		assert_ok(vw_kv_open(s->dir, tables, VW_KV_WRITE, &s->kv, &s->err), s->err);
	}
}

static void test_map_does_not_wait_for_ever(void **in)
{
	struct state *s = *in;
	struct holder h = {.kv = s->kv};
	pthread_t thread;
	s->kv->grow_patience = 100;
	start_holding(&h, &thread);
	assert_int_equal(vw_kv_write(s->kv, fill_up, NULL, &s->err), VW_EFULL);
	assert_says(s->err, "cannot grow while it is being read");
	assert_true(view_is_one_moment(s->kv)); /* others are let in again */
	h.may_end = true;
	pthread_join(thread, NULL);
	assert_ok(vw_kv_write(s->kv, fill_up, NULL, &s->err), s->err);
}

struct late {
	struct vw_kv *kv;
	atomic_bool begun;
	atomic_bool done;
	struct vw_kv_stat stat;
};

static void *look_late(void *arg)
{
	struct late *l = arg;
	struct vw_error err = VW_ERROR_INIT;
	l->begun = true;
	vw_kv_stat(l->kv, &l->stat, &err);
	l->done = true;
	return NULL;
}

static void *fill_up_now(void *arg)
{
	struct vw_error err = VW_ERROR_INIT;
	vw_kv_write(arg, fill_up, NULL, &err);
	return NULL;
}

static void test_no_view_begins_while_the_map_waits(void **in)
{
	struct state *s = *in;
	struct vw_txn *view;
	struct late late = {.kv = s->kv};
	pthread_t writer, reader;
	bool waiting = false;
	s->kv->grow_patience = 60000;
	assert_ok(vw_txn_begin_read(s->kv, &view, &s->err), s->err);
	pthread_create(&writer, NULL, fill_up_now, s->kv);
	while (!waiting) {
		pause_ms(1);
		pthread_mutex_lock(&s->kv->gate.lock);
		waiting = s->kv->gate.cleared;
		pthread_mutex_unlock(&s->kv->gate.lock);
	}
	pthread_create(&reader, NULL, look_late, &late);
	while (!late.begun)
		pause_ms(1);
	pause_ms(100);
	assert_false(late.done);
	vw_txn_end(view);
	pthread_join(writer, NULL);
	pthread_join(reader, NULL);
	assert_int_equal(late.stat.map_bytes, 2 * VW_STORE_MAP_INITIAL);
}

/* ---- A thread that looks and writes at once ---- */

struct both {
	struct vw_kv *kv;
	pthread_t thread;
	int rc;
};

static void *look_and_write(void *arg)
{
	struct both *b = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *view;
	vw_txn_begin_read(b->kv, &view, &err);
	b->rc = vw_kv_write(b->kv, count_up, NULL, &err);
	vw_txn_end(view);
	return NULL;
}

static bool someone_waits(struct vw_kv *kv)
{
	pthread_mutex_lock(&kv->gate.lock);
	bool waits = kv->gate.next_turn - kv->gate.turn > 1;
	pthread_mutex_unlock(&kv->gate.lock);
	return waits;
}

static int fill_up_beside(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct both *b = arg;
	pthread_create(&b->thread, NULL, look_and_write, b);
	while (!someone_waits(b->kv))
		pause_ms(1);
	return fill_up(txn, NULL, err);
}

/* Its view would end only after its turn, and its turn would come only after the view: nobody waits for that. */
static void test_view_of_a_waiting_writer_is_not_waited_for(void **in)
{
	struct state *s = *in;
	struct both both = {.kv = s->kv, .rc = -1};
	s->kv->grow_patience = 60000;
	int64_t began = now_ms();
	assert_int_equal(vw_kv_write(s->kv, fill_up_beside, &both, &s->err), VW_EFULL);
	pthread_join(both.thread, NULL);
	assert_int_equal(both.rc, 0);
	assert_true(now_ms() - began < 50000);
	assert_true(view_is_one_moment(s->kv));
	assert_ok(vw_kv_write(s->kv, fill_up, NULL, &s->err), s->err);
}

/* ---- Another process makes it larger ---- */

static int grow_elsewhere(const char *dir, int wait_for, int say)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_kv *kv;
	char byte = 0;
	STEP(vw_kv_open(dir, tables, VW_KV_WRITE, &kv, &err) == 0);
	STEP(vw_kv_write(kv, count_up, NULL, &err) == 0);
	STEP(write(say, &byte, 1) == 1);
	STEP(read(wait_for, &byte, 1) == 1); /* the others are there */
	STEP(vw_kv_write(kv, fill_up, NULL, &err) == 0);
	for (int i = 0; i < 20; i++)
		STEP(vw_kv_write(kv, count_up, NULL, &err) == 0);
	vw_kv_close(kv);
	return 0;
}

static void test_readers_follow_another_process(void **in)
{
	struct state *s = *in;
	int to_child[2], from_child[2], status;
	char byte = 0;
	vw_kv_close(s->kv);
	s->kv = NULL;
	assert_int_equal(pipe(to_child) + pipe(from_child), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(grow_elsewhere(s->dir, to_child[0], from_child[1]));
	assert_int_equal(read(from_child[0], &byte, 1), 1);
	assert_ok(vw_kv_open(s->dir, tables, VW_KV_READ, &s->kv, &s->err), s->err);
	struct crowd crowd = {.kv = s->kv};
	pthread_t readers[READERS];
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_on, &crowd);
	assert_int_equal(write(to_child[1], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	pause_ms(50);
	crowd.stop = true;
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(crowd.wrong, 0);
	struct vw_kv_stat stat;
	assert_ok(vw_kv_stat(s->kv, &stat, &s->err), s->err);
	assert_int_equal(stat.map_bytes, 2 * VW_STORE_MAP_INITIAL); /* once, not once for each thread */
	for (int i = 0; i < 2; i++) {
		close(to_child[i]);
		close(from_child[i]);
	}
}

int main(void)
{
#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_STORE(test_readers_beside_writers),
	    WITH_STORE(test_map_grows_when_the_last_view_ends),
	    WITH_STORE(test_map_does_not_wait_for_ever),
	    WITH_STORE(test_no_view_begins_while_the_map_waits),
	    WITH_STORE(test_view_of_a_waiting_writer_is_not_waited_for),
	    WITH_STORE(test_readers_follow_another_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
