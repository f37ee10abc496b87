/* Group commit: what comes while the disk is waited for goes into one transaction; one caller's failure is its own. */
#include "embedded.h"
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define WRITERS 12

/* A step that holds the writer up until the test lets it go. */
struct gate {
	atomic_bool entered, open;
};

struct write {
	pthread_t thread;
	struct vw_lmdb_store *store;
	vw_lmdb_step step;
	void *arg;
	char name[16];
	int runs;
	struct vw_error err;
	int rc;
};

static struct vw_lmdb_store *lmdb(struct shop *s)
{
	return vw_lmdb_of(s->store);
}

static void *do_write(void *arg)
{
	struct write *w = arg;
	w->rc = vw_lmdb_write(w->store, w->step, w->arg, &w->err);
	return NULL;
}

static void start(struct write *w, struct shop *s, vw_lmdb_step step, void *arg)
{
	w->store = lmdb(s);
	w->step = step;
	w->arg = arg;
	assert_int_equal(pthread_create(&w->thread, NULL, do_write, w), 0);
}

static int wait_at_gate(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct gate *gate = arg;
	(void)tx;
	(void)err;
	atomic_store(&gate->entered, true);
	while (!atomic_load(&gate->open))
		usleep(1000);
	return 0;
}

static void close_gate(struct shop *s, struct gate *gate, struct write *w)
{
	atomic_store(&gate->entered, false);
	atomic_store(&gate->open, false);
	start(w, s, wait_at_gate, gate);
	while (!atomic_load(&gate->entered))
		usleep(1000);
}

/* Behind it, those who started are in the queue. */
static void open_gate(struct gate *gate)
{
	usleep(100000);
	atomic_store(&gate->open, true);
}

static struct vw_lmdb_key key_of(const char *name)
{
	struct vw_lmdb_key key;
	vw_lmdb_key_name(name, &key);
	return key;
}

static int put_name(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct write *w = arg;
	struct vw_lmdb_key key = key_of(w->name);
	w->runs++;
	vw_lmdb_change(tx, VW_CHANGE_ORGANIZATION, (int32_t)strlen(w->name), NULL);
	return vw_lmdb_put_bytes(tx, VW_LMDB_INDEX, &key, (struct vw_bytes){"", 0}, err);
}

static int put_and_fail(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	int rc = put_name(tx, arg, err);
	return rc < 0 ? rc : vw_error_set(err, VW_ECANCELLED, "half-way");
}

static int fail_at_once(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct write *w = arg;
	(void)tx;
	w->runs++;
	return vw_error_set(err, VW_ENOTFOUND, "at once");
}

/* More than a value may have: the transaction itself goes wrong. */
static int put_too_much(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	struct vw_lmdb_key key = key_of(((struct write *)arg)->name);
	return vw_lmdb_put_bytes(tx, VW_LMDB_INDEX, &key, (struct vw_bytes){"", VW_MAX_ENTRY + VW_MIB}, err);
}

static bool is_there(struct shop *s, const char *name)
{
	struct vw_lmdb_key key = key_of(name);
	struct vw_txn *txn;
	shop_ok(s, vw_txn_begin_read(lmdb(s)->kv, &txn, &s->err));
	int has = vw_lmdb_has(txn, VW_LMDB_INDEX, &key, &s->err);
	vw_txn_end(txn);
	return has == 1;
}

static uint64_t transactions(struct shop *s)
{
	struct vw_kv_stat stat;
	shop_ok(s, vw_kv_stat(lmdb(s)->kv, &stat, &s->err));
	return stat.last_txn;
}

static void many_in_one(void **state)
{
	struct shop *s = shop_of(state);
	struct write w[WRITERS], first = {.rc = 1};
	struct gate gate;
	memset(w, 0, sizeof(w));
	close_gate(s, &gate, &first);
	uint64_t before = transactions(s);
	for (int i = 0; i < WRITERS; i++) {
		snprintf(w[i].name, sizeof(w[i].name), "name %d", i);
		start(&w[i], s, put_name, &w[i]);
	}
	open_gate(&gate);
	pthread_join(first.thread, NULL);
	assert_int_equal(first.rc, 0);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].rc, 0);
		assert_int_equal(w[i].runs, 1);
		assert_true(is_there(s, w[i].name));
	}
	assert_int_equal(transactions(s) - before, 1); /* the gate's changed nothing, and is none */
}

static atomic_int told[32];

static void hear(const struct vw_change *change, void *arg)
{
	(void)arg;
	if (change->kind == VW_CHANGE_ORGANIZATION)
		atomic_fetch_add(&told[change->organization], 1);
}

/* `bad` between two that are good, all in one group. */
static void beside(struct shop *s, vw_lmdb_step bad, int code, const char *said, bool good_ones_run_again)
{
	struct write w[3], first = {.rc = 1};
	struct gate gate;
	memset(w, 0, sizeof(w));
	for (int i = 0; i < 32; i++)
		atomic_store(&told[i], 0);
	vw_fleet_watch(s->store, hear, NULL);
	snprintf(w[0].name, sizeof(w[0].name), "a");
	snprintf(w[1].name, sizeof(w[1].name), "bb");
	snprintf(w[2].name, sizeof(w[2].name), "ccc");
	close_gate(s, &gate, &first);
	start(&w[0], s, put_name, &w[0]);
	usleep(20000);
	start(&w[1], s, bad, &w[1]);
	usleep(20000);
	start(&w[2], s, put_name, &w[2]);
	open_gate(&gate);
	pthread_join(first.thread, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(w[i].thread, NULL);
	assert_int_equal(w[0].rc, 0);
	assert_int_equal(w[1].rc, code);
	assert_says(w[1].err, said);
	assert_int_equal(w[2].rc, 0);
	assert_true(is_there(s, "a"));
	assert_false(is_there(s, "bb"));
	assert_true(is_there(s, "ccc"));
	assert_int_equal(w[0].runs, good_ones_run_again ? 2 : 1);
	vw_fleet_watch(s->store, NULL, NULL);
	assert_int_equal(atomic_load(&told[1]), 1);
	assert_int_equal(atomic_load(&told[2]), 0); /* what is not committed is not told */
	assert_int_equal(atomic_load(&told[3]), 1);
}

static void one_fails_before_it_wrote(void **state)
{
	beside(shop_of(state), fail_at_once, VW_ENOTFOUND, "at once", false);
}

static void one_fails_half_way(void **state)
{
	beside(shop_of(state), put_and_fail, VW_ECANCELLED, "half-way", true);
}

static void one_spoils_the_transaction(void **state)
{
	beside(shop_of(state), put_too_much, VW_ELIMIT, "VW_MAX_ENTRY", true);
}

static void one_alone_fails(void **state)
{
	struct shop *s = shop_of(state);
	struct write w = {.name = "x"};
	shop_fails(s, vw_lmdb_write(lmdb(s), put_and_fail, &w, &s->err), VW_ECANCELLED);
	assert_false(is_there(s, "x"));
	assert_int_equal(vw_lmdb_write(lmdb(s), put_and_fail, &w, NULL), VW_ECANCELLED);
	shop_ok(s, vw_lmdb_write(lmdb(s), put_name, &w, &s->err));
	assert_true(is_there(s, "x"));
}

/* More than one transaction takes of them are written all the same. */
static void many_presences(void **state)
{
	struct shop *s = shop_of(state);
	struct vw_fleet_counts c;
	const int many = 1300;
	for (int i = 0; i < many; i++) {
		struct vw_arena *kept = s->arena;
		s->arena = vw_arena_open(0);
		const char *id = vw_arena_printf(s->arena, "aaaaaaaa-aaaa-4aaa-8aaa-%012d", i);
		vw_agent_presence p = VERIFYWISE__V1__AGENT_PRESENCE__INIT;
		vw_agent *agent = new_agent(s, ORG, id, "aa", 7);
		shop_ok(s, i < 900 ? vw_fleet_agent_enroll(s->store, "0000000000000001", NOW, agent, &s->err)
				   : vw_fleet_agent_enroll(s->store, "0000000000000003", NOW, agent, &s->err));
		VW_SET(&p, organization, ORG);
		p.agent_id = (char *)id;
		VW_SET(&p, connected, true);
		shop_ok(s, vw_fleet_presence_put(s->store, &p, &s->err));
		vw_arena_close(s->arena);
		s->arena = kept;
		if (i == 800)
			add_token(s, ORG, "0000000000000003");
	}
	vw_fleet_presence_clear(s->store, "no replica", &s->err);
	shop_reopen(s);
	shop_ok(s, vw_fleet_count(s->store, ORG, &c, &s->err));
	assert_int_equal(c.agents_connected, many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    suite_test(many_in_one),     suite_test(one_fails_before_it_wrote),  suite_test(one_fails_half_way),
	    suite_test(one_alone_fails), suite_test(one_spoils_the_transaction), suite_test_agents(many_presences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
