/* kv.h: order, checksums, failures that stick, growth. */
#include "fixture.h"

#include "base/limits.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *const tables[] = {"a", "b", NULL};
enum { A, B };

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

static void reopen(struct state *s, enum vw_kv_mode mode)
{
	vw_kv_close(s->kv);
	s->kv = NULL;
	assert_ok(vw_kv_open(s->dir, tables, mode, &s->kv, &s->err), s->err);
}

struct pair {
	int table;
	const char *key;
	const char *value; /* NULL: delete */
};

static int put_pair(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct pair *p = arg;
	if (!p->value)
		return vw_kv_delete(txn, p->table, text(p->key), err);
	return vw_kv_put(txn, p->table, text(p->key), text(p->value), err);
}

static void put(struct state *s, int table, const char *key, const char *value)
{
	struct pair p = {table, key, value};
	assert_ok(vw_kv_write(s->kv, put_pair, &p, &s->err), s->err);
}

/* "" when it is not there */
static const char *get(struct state *s, int table, const char *key)
{
	static char value[256];
	struct vw_txn *view;
	struct vw_bytes got = {"", 0};
	assert_ok(vw_txn_begin_read(s->kv, &view, &s->err), s->err);
	int rc = vw_kv_get(view, table, text(key), &got, &s->err);
	assert_true(rc == 0 || rc == VW_ENOTFOUND);
	snprintf(value, sizeof(value), "%.*s", (int)got.len, (const char *)got.data);
	vw_txn_end(view);
	return value;
}

static void test_values_survive_reopening(void **in)
{
	struct state *s = *in;
	put(s, A, "k", "one");
	put(s, B, "k", "two");
	put(s, B, "empty", "");
	put(s, A, "k", "three");
	reopen(s, VW_KV_WRITE);
	assert_string_equal(get(s, A, "k"), "three");
	assert_string_equal(get(s, B, "k"), "two");
	put(s, B, "k", NULL);
	put(s, B, "k", NULL); /* absent is fine */
	reopen(s, VW_KV_READ);
	assert_string_equal(get(s, B, "k"), "");
	struct vw_txn *view;
	struct vw_bytes value = {NULL, 99};
	uint64_t count;
	assert_ok(vw_txn_begin_read(s->kv, &view, &s->err), s->err);
	assert_ok(vw_kv_get(view, B, text("empty"), &value, &s->err), s->err);
	assert_int_equal(value.len, 0);
	assert_ok(vw_kv_count(view, A, &count, &s->err), s->err);
	assert_int_equal(count, 1);
	assert_int_equal(vw_kv_get(view, A, text("no"), &value, &s->err), VW_ENOTFOUND);
	assert_ok(vw_kv_get(view, A, text("k"), &value, &s->err), s->err); /* still usable */
	vw_txn_end(view);
}

static void test_files_are_private(void **in)
{
	struct state *s = *in;
	static const char *const names[] = {"data.mdb", "lock.mdb", "writer.lock", "last-commit"};
	for (size_t i = 0; i < 4; i++) {
		struct stat st;
		char *path = path_in(s->dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		free(path);
	}
}

static void walk(struct state *s, const char *from, bool backwards, const char *expected)
{
	struct vw_txn *view;
	struct vw_cursor *cursor;
	struct vw_bytes key, value;
	char seen[64] = "";
	assert_ok(vw_txn_begin_read(s->kv, &view, &s->err), s->err);
	assert_ok(vw_cursor_open(view, A, text(from), backwards, &cursor, &s->err), s->err);
	int rc;
	while ((rc = vw_cursor_next(cursor, &key, &value, &s->err)) == 1) {
		assert_int_equal(key.len, 1);
		strncat(seen, key.data, 1);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(vw_cursor_next(cursor, &key, &value, &s->err), 0); /* stays at the end */
	vw_cursor_close(cursor);
	vw_txn_end(view);
	assert_string_equal(seen, expected);
}

static void test_cursor_walks_both_ways(void **in)
{
	struct state *s = *in;
	walk(s, "", false, "");
	walk(s, "", true, "");
	walk(s, "b", true, "");
	put(s, A, "f", "");
	put(s, A, "b", "");
	put(s, A, "d", "");
	put(s, B, "z", "");
	walk(s, "", false, "bdf");
	walk(s, "", true, "fdb");
	walk(s, "d", false, "df");
	walk(s, "c", false, "df");
	walk(s, "g", false, "");
	walk(s, "d", true, "db");
	walk(s, "e", true, "db");
	walk(s, "a", true, "");
	walk(s, "z", true, "fdb");
}

static int bad_then_good(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct vw_error inner = VW_ERROR_INIT;
	(void)arg;
	int rc = vw_kv_put(txn, A, text("before"), text("x"), err);
	assert_int_equal(rc, 0);
	assert_int_equal(vw_kv_put(txn, A, text(""), text("no key"), &inner), VW_EINVAL);
	/* all that follows gives the same answer and does nothing */
	struct vw_bytes value;
	struct vw_cursor *cursor;
	uint64_t count;
	assert_int_equal(vw_kv_put(txn, A, text("after"), text("x"), err), VW_EINVAL);
	assert_int_equal(vw_kv_append(txn, A, text("z"), text("x"), err), VW_EINVAL);
	assert_int_equal(vw_kv_delete(txn, A, text("before"), err), VW_EINVAL);
	assert_int_equal(vw_kv_get(txn, A, text("before"), &value, err), VW_EINVAL);
	assert_int_equal(vw_kv_count(txn, A, &count, err), VW_EINVAL);
	assert_int_equal(vw_cursor_open(txn, A, text(""), false, &cursor, err), VW_EINVAL);
	assert_string_equal(err->message, inner.message);
	return 0; /* a step that did not look */
}

static void test_first_failure_sticks(void **in)
{
	struct state *s = *in;
	assert_int_equal(vw_kv_write(s->kv, bad_then_good, NULL, &s->err), VW_EINVAL);
	assert_says(s->err, "1 to 511 bytes");
	assert_string_equal(get(s, A, "before"), "");
	char key[VW_KEY_MAX + 2];
	memset(key, 'k', sizeof(key));
	key[VW_KEY_MAX + 1] = '\0';
	struct pair p = {A, key, "v"};
	assert_int_equal(vw_kv_write(s->kv, put_pair, &p, &s->err), VW_EINVAL);
	key[VW_KEY_MAX] = '\0';
	put(s, A, key, "v");
	assert_string_equal(get(s, A, key), "v");
}

static int put_and_refuse(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	int rc = put_pair(txn, arg, err);
	return rc < 0 ? rc : vw_error_set(err, VW_ECANCELLED, "no");
}

static void test_negative_step_aborts(void **in)
{
	struct state *s = *in;
	struct pair p = {A, "k", "v"};
	struct vw_kv_stat before, after;
	assert_ok(vw_kv_stat(s->kv, &before, &s->err), s->err);
	assert_int_equal(vw_kv_write(s->kv, put_and_refuse, &p, &s->err), VW_ECANCELLED);
	assert_string_equal(s->err.message, "no");
	assert_string_equal(get(s, A, "k"), "");
	assert_ok(vw_kv_stat(s->kv, &after, &s->err), s->err);
	assert_int_equal(after.last_txn, before.last_txn);
}

static int append_pair(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct pair *p = arg;
	return vw_kv_append(txn, p->table, text(p->key), text(p->value), err);
}

static int add_pair(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct pair *p = arg;
	return vw_kv_add(txn, p->table, text(p->key), text(p->value), err);
}

static void test_add_wants_a_new_key(void **in)
{
	struct state *s = *in;
	struct vw_txn *view;
	struct vw_bytes value;
	struct pair p = {A, "m", "1"};
	assert_ok(vw_kv_write(s->kv, add_pair, &p, &s->err), s->err);
	p.value = "2";
	assert_int_equal(vw_kv_write(s->kv, add_pair, &p, &s->err), VW_ECORRUPT);
	assert_says(s->err, "already has key m");
	p.key = "a"; /* a lower one is fine */
	assert_ok(vw_kv_write(s->kv, add_pair, &p, &s->err), s->err);
	assert_ok(vw_txn_begin_read(s->kv, &view, &s->err), s->err);
	assert_ok(vw_kv_get(view, A, text("m"), &value, &s->err), s->err);
	assert_memory_equal(value.data, "1", 1);
	vw_txn_end(view);
}

static void test_append_wants_the_highest_key(void **in)
{
	struct state *s = *in;
	struct pair p = {A, "m", "v"};
	assert_ok(vw_kv_write(s->kv, append_pair, &p, &s->err), s->err);
	assert_int_equal(vw_kv_write(s->kv, append_pair, &p, &s->err), VW_ECORRUPT);
	assert_says(s->err, "table a already goes beyond key m");
	p.key = "n";
	assert_ok(vw_kv_write(s->kv, append_pair, &p, &s->err), s->err);
}

static int nothing(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	(void)txn;
	(void)arg;
	(void)err;
	return 0;
}

/* The numbers to hold: a sync with nothing changed writes no byte (S9.1). */
static void test_nothing_written_is_no_transaction(void **in)
{
	struct state *s = *in;
	struct vw_kv_stat before, after;
	put(s, A, "k", "v");
	assert_ok(vw_kv_stat(s->kv, &before, &s->err), s->err);
	assert_ok(vw_kv_write(s->kv, nothing, NULL, &s->err), s->err);
	reopen(s, VW_KV_WRITE);
	assert_ok(vw_kv_stat(s->kv, &after, &s->err), s->err);
	assert_int_equal(after.last_txn, before.last_txn);
	assert_int_equal(after.file_bytes, before.file_bytes);
	assert_int_equal(after.used_bytes, before.used_bytes);
	assert_true(before.used_bytes <= before.file_bytes);
	assert_int_equal(after.map_bytes, VW_STORE_MAP_INITIAL);
}

struct large {
	size_t len;
	int count;
	int runs;
};

static int put_large(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct large *l = arg;
	char *bytes = malloc(l->len);
	memset(bytes, 'x', l->len);
	l->runs++;
	for (int i = 0; i < l->count; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%08d", i);
		vw_kv_put(txn, B, text(key), (struct vw_bytes){bytes, l->len}, err);
	}
	free(bytes);
	return 0;
}

static void test_full_map_grows_and_runs_the_step_again(void **in)
{
	struct state *s = *in;
	struct large l = {.len = 16 * VW_MIB, .count = 17};
	struct vw_kv_stat stat;
	put(s, A, "k", "v");
	assert_ok(vw_kv_write(s->kv, put_large, &l, &s->err), s->err);
	assert_int_equal(l.runs, 2);
	assert_ok(vw_kv_stat(s->kv, &stat, &s->err), s->err);
	assert_int_equal(stat.map_bytes, 2 * VW_STORE_MAP_INITIAL);
	assert_string_equal(get(s, A, "k"), "v");
	reopen(s, VW_KV_READ); /* and one who comes later maps all of it */
	assert_string_equal(get(s, A, "k"), "v");
}

static void test_map_stays_while_it_is_read(void **in)
{
	struct state *s = *in;
	struct large l = {.len = 16 * VW_MIB, .count = 17};
	struct vw_txn *view;
	struct vw_bytes value;
	put(s, A, "k", "v");
	assert_ok(vw_txn_begin_read(s->kv, &view, &s->err), s->err);
	assert_ok(vw_kv_get(view, A, text("k"), &value, &s->err), s->err);
	assert_int_equal(vw_kv_write(s->kv, put_large, &l, &s->err), VW_EFULL);
	assert_says(s->err, "cannot grow while it is being read");
	assert_memory_equal(value.data, "v", 1);
	vw_txn_end(view);
	assert_ok(vw_kv_write(s->kv, put_large, &l, &s->err), s->err);
}

static void test_too_large_a_value_is_refused(void **in)
{
	struct state *s = *in;
	struct large l = {.len = VW_MAX_ENTRY + VW_MIB, .count = 1};
	assert_int_equal(vw_kv_write(s->kv, put_large, &l, &s->err), VW_ELIMIT);
	assert_says(s->err, "VW_MAX_ENTRY");
}

/* Twice in one transaction, shorter the second time: LMDB would keep the longer place. */
static int put_twice(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct large l = {.len = 40000, .count = 3};
	(void)arg;
	put_large(txn, &l, err);
	l.len = 9000;
	put_large(txn, &l, err);
	l.len = 10;
	l.count = 1;
	return put_large(txn, &l, err);
}

static void test_large_values_are_replaced(void **in)
{
	struct state *s = *in;
	struct large l = {.len = 50000, .count = 8};
	for (int i = 0; i < 20; i++) {
		assert_ok(vw_kv_write(s->kv, put_twice, NULL, &s->err), s->err);
		reopen(s, VW_KV_WRITE); /* looks at every page */
		assert_ok(vw_kv_write(s->kv, put_large, &l, &s->err), s->err);
		reopen(s, VW_KV_WRITE);
		put(s, B, "00000001", NULL);
		put(s, A, "k", "v");
	}
}

/* Bytes of files that this process has in memory. */
static size_t resident(void)
{
	char line[256];
	size_t kib, sum = 0;
	FILE *f = fopen("/proc/self/status", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "RssFile: %zu", &kib) == 1 || sscanf(line, "RssShmem: %zu", &kib) == 1)
			sum += kib * VW_KIB;
	fclose(f);
	return sum;
}

/* Walks through B; how much more is in memory at most. */
static size_t most_resident(struct state *s)
{
	struct vw_txn *view;
	struct vw_cursor *cursor;
	struct vw_bytes key, value;
	size_t before = resident(), most = before, count = 0;
	assert_ok(vw_txn_begin_read(s->kv, &view, &s->err), s->err);
	assert_ok(vw_cursor_open(view, B, text(""), false, &cursor, &s->err), s->err);
	while (vw_cursor_next(cursor, &key, &value, &s->err) == 1) {
		size_t now = resident();
		count++;
		most = now > most ? now : most;
	}
	assert_int_equal(count, 4000);
	vw_cursor_close(cursor);
	vw_txn_end(view);
	return most - before;
}

/* The number to hold: memory that does not grow with the database. */
static void test_walk_leaves_little_in_memory(void **in)
{
	struct state *s = *in;
	struct large l = {.len = 20000, .count = 4000};
	assert_ok(vw_kv_write(s->kv, put_large, &l, &s->err), s->err);
	reopen(s, VW_KV_READ);
	assert_true(most_resident(s) < 12 * VW_MIB);
	reopen(s, VW_KV_READ);
	vw_kv_set_resident(s->kv, VW_MAX_BUFFER);
	assert_true(most_resident(s) > 50 * VW_MIB);
	reopen(s, VW_KV_READ);
	vw_kv_set_resident(s->kv, 0); /* after each read */
	assert_true(most_resident(s) < 2 * VW_MIB);
}

int main(void)
{
#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_STORE(test_values_survive_reopening),
	    WITH_STORE(test_files_are_private),
	    WITH_STORE(test_cursor_walks_both_ways),
	    WITH_STORE(test_first_failure_sticks),
	    WITH_STORE(test_negative_step_aborts),
	    WITH_STORE(test_add_wants_a_new_key),
	    WITH_STORE(test_append_wants_the_highest_key),
	    WITH_STORE(test_nothing_written_is_no_transaction),
	    WITH_STORE(test_full_map_grows_and_runs_the_step_again),
	    WITH_STORE(test_map_stays_while_it_is_read),
	    WITH_STORE(test_too_large_a_value_is_refused),
	    WITH_STORE(test_large_values_are_replaced),
	    WITH_STORE(test_walk_leaves_little_in_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
