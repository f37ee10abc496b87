/* pages.h: what LMDB wrote is never called damaged. Random transactions of all sizes, a reopening (which checks every page)
 * after each, and a model to compare with. Failed ones abort in between. */
#include "fixture.h"

#include "base/limits.h"

static const char *const tables[] = {"a", "b", NULL};

#define KEYS 400 /* different keys in each table */

struct model {
	uint32_t seed;
	unsigned transactions;
	size_t len[2][KEYS]; /* of the value, + 1; 0: absent */
	uint8_t fill[2][KEYS];
};

static uint32_t next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static struct vw_bytes key_of(unsigned k, char out[600])
{
	/* some long, so that branch pages are many */
	int len = snprintf(out, 600, "%0*u", k % 7 == 0 ? 300 : 12, k);
	return (struct vw_bytes){out, (size_t)len};
}

static size_t any_length(uint32_t *seed)
{
	static const size_t ranges[] = {40, 400, 2100, 9000, 60000};
	return next(seed) % ranges[next(seed) % 5];
}

static int change(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct model *m = arg;
	unsigned changes = next(&m->seed) % 60;
	bool mostly_delete = next(&m->seed) % 4 == 0;
	for (unsigned i = 0; i < changes; i++) {
		int table = (int)(next(&m->seed) % 2);
		unsigned k = next(&m->seed) % KEYS;
		char key[600];
		if (next(&m->seed) % 10 < (mostly_delete ? 9 : 3)) {
			vw_kv_delete(txn, table, key_of(k, key), err);
			m->len[table][k] = 0;
			continue;
		}
		size_t len = any_length(&m->seed);
		uint8_t *value = malloc(len + 1);
		m->len[table][k] = len + 1;
		m->fill[table][k] = (uint8_t)next(&m->seed);
		memset(value, m->fill[table][k], len + 1);
		vw_kv_put(txn, table, key_of(k, key), (struct vw_bytes){value, len}, err);
		free(value);
	}
	return next(&m->seed) % 16 == 0 ? VW_ECANCELLED : 0;
}

static void compare(struct vw_kv *kv, const struct model *m)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *view;
	assert_ok(vw_txn_begin_read(kv, &view, &err), err);
	for (int table = 0; table < 2; table++)
		for (unsigned k = 0; k < KEYS; k++) {
			struct vw_bytes value;
			char key[600];
			int rc = vw_kv_get(view, table, key_of(k, key), &value, &err);
			assert_int_equal(rc, m->len[table][k] ? 0 : VW_ENOTFOUND);
			if (rc == 0) {
				assert_int_equal(value.len, m->len[table][k] - 1);
				assert_true(value.len == 0 ||
					    ((const uint8_t *)value.data)[value.len - 1] == m->fill[table][k]);
			}
		}
	vw_txn_end(view);
}

static void test_sound_files_pass(void **in)
{
	struct model m = {.seed = 20260301};
	const char *seed = getenv("VW_TEST_SEED"), *rounds = getenv("VW_TEST_ROUNDS");
	unsigned total = rounds ? (unsigned)atoi(rounds) : 300;
	char *dir = make_dir();
	(void)in;
	if (seed)
		m.seed = (uint32_t)atoi(seed);
	for (unsigned round = 0; round < total; round++) {
		struct vw_error err = VW_ERROR_INIT;
		struct vw_kv *kv;
		assert_ok(vw_kv_open(dir, tables, VW_KV_WRITE, &kv, &err), err);
		for (unsigned i = next(&m.seed) % 4; i > 0; i--) {
			struct model before = m;
			int rc = vw_kv_write(kv, change, &m, &err);
			if (rc == VW_ECANCELLED) {
				uint32_t now = m.seed;
				m = before;
				m.seed = now;
			} else {
				assert_ok(rc, err);
			}
		}
		compare(kv, &m);
		vw_kv_close(kv);
	}
	drop_dir(dir);
}

/* ---- Ledgers of several agents in one table ---- */

#define LEDGERS 3
#define ENTRIES 5
#define VALUE   3000 /* bytes: in pages of its own */

static struct vw_bytes ledger_key(unsigned ledger, unsigned entry, uint8_t out[12])
{
	/* a prefix of four bytes that occurs nowhere else, then the number */
	const uint8_t key[12] = {0xab, 0xcd, 0xef, (uint8_t)(ledger * 16), 0, 0, 0, 0, 0, 0, 0, (uint8_t)entry};
	memcpy(out, key, sizeof(key));
	return (struct vw_bytes){out, sizeof(key)};
}

static int put_ledgers(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	static uint8_t value[VALUE];
	uint8_t key[12];
	int rc = 0;
	(void)arg;
	for (unsigned l = 0; l < LEDGERS; l++)
		for (unsigned e = 1; rc == 0 && e <= ENTRIES; e++) {
			memset(value, (int)(l * 16 + e), sizeof(value));
			rc = vw_kv_add(txn, 0, ledger_key(l, e, key), (struct vw_bytes){value, sizeof(value)}, err);
		}
	return rc;
}

static int opens(const char *dir)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_kv *kv;
	int rc = vw_kv_open(dir, tables, VW_KV_WRITE, &kv, &err);
	if (rc == 0)
		vw_kv_close(kv);
	return rc;
}

/* What comes of a file with one bit of one of those keys, or of one value, turned over. */
static void assert_flip(const char *dir, uint8_t *bytes, size_t len, size_t at, unsigned bit, int expected)
{
	char *path = path_in(dir, "data.mdb");
	bytes[at] ^= (uint8_t)(1 << bit);
	write_bytes(path, bytes, len);
	bytes[at] ^= (uint8_t)(1 << bit);
	int rc = opens(dir);
	if (rc != expected)
		fail_msg("bit %u of byte %zu: %d", bit, at, rc);
	free(path);
}

/* Opening reads the first value behind each prefix alone; still no key can be changed unseen. */
static void test_keys_that_count_behind_a_prefix(void **in)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_kv *kv;
	char *dir = make_dir(), *path = path_in(dir, "data.mdb");
	uint8_t *bytes, key[12], value[64];
	size_t len;
	(void)in;
	assert_ok(vw_kv_open(dir, tables, VW_KV_WRITE, &kv, &err), err);
	assert_ok(vw_kv_write(kv, put_ledgers, NULL, &err), err);
	vw_kv_close(kv);
	read_bytes(path, &bytes, &len);
	for (unsigned l = 0; l < LEDGERS; l++)
		for (unsigned e = 1; e <= ENTRIES; e++) {
			struct vw_bytes k = ledger_key(l, e, key);
			const uint8_t *at = memmem(bytes, len, k.data, k.len);
			assert_non_null(at);
			for (unsigned bit = 0; bit < 8 * sizeof(key); bit++)
				assert_flip(dir, bytes, len, (size_t)(at - bytes) + bit / 8, bit % 8, VW_ECORRUPT);
			memset(value, (int)(l * 16 + e), sizeof(value));
			at = memmem(bytes, len, value, sizeof(value));
			assert_non_null(at);
			assert_flip(dir, bytes, len, (size_t)(at - bytes) + 40, 3, e == 1 ? VW_ECORRUPT : 0);
			write_bytes(path, bytes, len);
		}
	free(bytes);
	free(path);
	drop_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sound_files_pass),
					   cmocka_unit_test(test_keys_that_count_behind_a_prefix)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
