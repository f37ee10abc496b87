/* Flipped bits in the database file. Each run ends with a right answer or with a clear refusal: never with a wrong one, a hang or
 * a signal, and never is an altered ledger called sound. VW_TEST_STEP=1 flips in every byte. */
#include "fixture.h"

#include "base/limits.h"
#include "proto/message.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PAGE 4096

/* How a child ends when all is well one way or the other. */
enum { SAME = 0, REFUSED = 10, FOUND = 11, WRONG_ANSWER = 20, WRONGLY_SOUND, UNCLEAR, NOT_SOUND_AFTERWARDS };

struct original {
	char *dir;
	uint8_t *bytes;
	size_t len;
	uint8_t digest[32];
};

static int put_objects(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	static char large[3000];
	struct vw_arena *arena = vw_arena_open(0);
	vw_registered_model model = VERIFYWISE__V1__REGISTERED_MODEL__INIT;
	vw_experiment experiment = VERIFYWISE__V1__EXPERIMENT__INIT;
	(void)arg;
	memset(large, 'd', sizeof(large) - 1);
	model.description = large;
	model.name = (char *)"large";
	vw_store_put_model(txn, arena, NULL, &model, NULL, err);
	model.description = (char *)"d";
	model.name = (char *)"small";
	vw_store_put_model(txn, arena, "w", &model, NULL, err);
	experiment.experiment_id = (char *)"1";
	vw_store_put_experiment(txn, arena, NULL, &experiment, NULL, err);
	vw_sync_state state = VERIFYWISE__V1__SYNC_STATE__INIT;
	VW_SET(&state, last_finished_at, 77);
	int rc = vw_store_put_sync_state(txn, arena, &state, err);
	vw_arena_close(arena);
	return rc;
}

/* All kinds of entries and objects, small and large, in several transactions, so that there are free pages too. */
static void make_original(struct original *o)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	char *path;
	o->dir = make_dir();
	assert_ok(vw_store_open(o->dir, VW_KV_WRITE, &store, &err), err);
	record_audit(store, "start");
	record_many(store, "m", 1, 8, 3000);
	record_many(store, "n", 1, 20, 100);
	record_many(store, "m", 2, 2, 6000);
	record_removal(store, NULL, "n", "3", 5);
	assert_ok(vw_kv_write(vw_store_kv(store), put_objects, NULL, &err), err);
	record_audit(store, "end");
	assert_ok(digest_store(store, o->digest, &err), err);
	vw_store_close(store);
	path = path_in(o->dir, "data.mdb");
	read_bytes(path, &o->bytes, &o->len);
	free(path);
	assert_true(o->len > 20 * PAGE);
}

/* ---- In the child ---- */

static int refuse(const struct vw_error *err, int code, int ending)
{
	fprintf(stderr, "%d: %s\n", code, err->message);
	bool clear = (code == VW_ECORRUPT || code == VW_ECONFIG) && strlen(err->message) > 20;
	return clear ? ending : UNCLEAR;
}

/* Models, experiments and the sync state are not what verify looks at. */
static bool is_beside_the_ledger(const struct vw_error *err)
{
	return strstr(err->message, "table models") || strstr(err->message, "table experiments") ||
	       strstr(err->message, "table meta");
}

static int read_it(const struct original *o, const char *dir)
{
	struct vw_error err = VW_ERROR_INIT, inner = VW_ERROR_INIT;
	struct vw_store *store;
	struct vw_ledger_check check;
	uint8_t digest[32];
	int rc = vw_store_open(dir, VW_KV_READ, &store, &err);
	if (rc < 0)
		return refuse(&err, rc, REFUSED);
	rc = digest_store(store, digest, &err);
	bool same = rc == 0 && memcmp(digest, o->digest, 32) == 0;
	int verified = vw_store_verify(store, &check, NULL, NULL, &inner);
	vw_store_close(store);
	if (rc == 0 && !same)
		return WRONG_ANSWER;
	if (verified == 0 && check.first_bad == 0)
		return same ? SAME : refuse(&err, rc, is_beside_the_ledger(&err) ? FOUND : WRONGLY_SOUND);
	if (verified == 0)
		snprintf(inner.message, sizeof(inner.message), "first bad entry: %d: %s", (int)check.first_bad,
			 check.reason);
	return refuse(&inner, VW_ECORRUPT, FOUND);
}

/* What passed for sound must also carry more. */
static int write_it(const char *dir)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_ledger_check check;
	struct vw_store *store;
	for (int i = 0; i < 2; i++) {
		if (vw_store_open(dir, VW_KV_WRITE, &store, &err) != 0)
			return refuse(&err, VW_EIO, UNCLEAR);
		record_many(store, i ? "m" : "new", 1, 3, 2500);
		if (vw_kv_write(vw_store_kv(store), put_objects, NULL, &err) != 0 ||
		    vw_store_verify(store, &check, NULL, NULL, &err) != 0 || check.first_bad != 0) {
			fprintf(stderr, "%s %s\n", err.message, check.reason);
			return NOT_SOUND_AFTERWARDS;
		}
		vw_store_close(store);
	}
	return SAME;
}

/* ---- Flipping ---- */

struct flip {
	size_t at;
	uint8_t mask;
	enum { BYTE, ZEROED_PAGE, NEIGHBOURS_PAGE, NOISY_PAGE } kind;
};

struct plan {
	const struct original *original;
	char *dir;
	struct flip *flips;
	size_t count, size;
	size_t next;        /* the first not done */
	int endings, said;  /* files: an int for each that was done; what the one at work said */
	unsigned tally[64]; /* by ending */
};

static void open_plan(struct plan *plan, const struct original *original)
{
	*plan = (struct plan){.original = original, .dir = make_dir()};
	char *endings = path_in(plan->dir, "endings"), *said = path_in(plan->dir, "said");
	plan->endings = open(endings, O_CREAT | O_RDWR | O_APPEND, 0600);
	plan->said = open(said, O_CREAT | O_RDWR | O_APPEND, 0600);
	assert_true(plan->endings >= 0 && plan->said >= 0);
	free(endings);
	free(said);
}

static void close_plan(struct plan *plan)
{
	close(plan->endings);
	close(plan->said);
	drop_dir(plan->dir);
	free(plan->flips);
}

static void add(struct plan *plan, struct flip flip)
{
	if (plan->count == plan->size) {
		plan->size = plan->size ? 2 * plan->size : 1024;
		plan->flips = realloc(plan->flips, plan->size * sizeof(*plan->flips));
		assert_non_null(plan->flips);
	}
	plan->flips[plan->count++] = flip;
}

/* What stands at flip->at afterwards; returns its length. */
static size_t altered(const struct original *o, const struct flip *flip, uint8_t out[PAGE])
{
	uint32_t noise = (uint32_t)flip->at + 1;
	out[0] = o->bytes[flip->at] ^ flip->mask;
	if (flip->kind == BYTE)
		return 1;
	memset(out, 0, PAGE);
	if (flip->kind == NEIGHBOURS_PAGE)
		memcpy(out, o->bytes + (flip->at + PAGE < o->len ? flip->at + PAGE : 2 * PAGE), PAGE);
	/* only behind the header, so that it looks like what it is not */
	for (size_t i = 0; flip->kind == NOISY_PAGE && i < PAGE; i++) {
		noise = noise * 1664525 + 1013904223;
		out[i] = i < 16 ? o->bytes[flip->at + i] : (uint8_t)(noise >> 24);
	}
	return PAGE;
}

static int flip_and_use(const struct plan *plan, const struct flip *flip)
{
	const struct original *o = plan->original;
	char *path = path_in(plan->dir, "data.mdb");
	uint8_t bytes[PAGE];
	ssize_t len = (ssize_t)altered(o, flip, bytes);
	copy_store(o->dir, plan->dir);
	int fd = open(path, O_WRONLY);
	if (fd < 0 || pwrite(fd, bytes, (size_t)len, (off_t)flip->at) != len)
		return UNCLEAR;
	close(fd);
	free(path);
	int rc = read_it(o, plan->dir);
	return rc == SAME ? write_it(plan->dir) : rc;
}

/* Many in one process, until one of them ends it or is not as it should be. */
static int run_from_next(void *arg)
{
	const struct plan *plan = arg;
	dup2(plan->said, STDERR_FILENO);
	for (size_t i = plan->next; i < plan->count; i++) {
		alarm(60);
		if (ftruncate(plan->said, 0) != 0)
			return UNCLEAR;
		int ending = flip_and_use(plan, &plan->flips[i]);
		if (write(plan->endings, &ending, sizeof(ending)) != sizeof(ending) || ending >= WRONG_ANSWER)
			return UNCLEAR;
	}
	return 0;
}

static void count_endings(struct plan *plan)
{
	int ending;
	assert_int_equal(lseek(plan->endings, 0, SEEK_SET), 0);
	for (; read(plan->endings, &ending, sizeof(ending)) == sizeof(ending); plan->next++)
		plan->tally[ending & 63]++;
	assert_int_equal(ftruncate(plan->endings, 0), 0);
}

static void fail_at(const struct plan *plan, size_t i, const struct ending *end)
{
	char said[1024];
	ssize_t n = pread(plan->said, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	fail_msg("byte %zu (page %zu + %zu) ^ %02x: exit %d, signal %d: %s", plan->flips[i].at,
		 plan->flips[i].at / PAGE, plan->flips[i].at % PAGE, plan->flips[i].mask, end->exit_code, end->signal,
		 said);
}

static void run(struct plan *plan)
{
	while (plan->next < plan->count) {
		size_t before = plan->next;
		struct ending end = in_child(run_from_next, plan);
		count_endings(plan);
		if (plan->tally[WRONG_ANSWER] + plan->tally[WRONGLY_SOUND] + plan->tally[UNCLEAR] +
			plan->tally[NOT_SOUND_AFTERWARDS] >
		    0)
			fail_at(plan, plan->next - 1, &end);
		if (end.exit_code == 0) {
			assert_int_equal(plan->next, plan->count);
			return;
		}
		if (end.exit_code != VW_EXIT_DAMAGED || before > plan->next)
			fail_at(plan, plan->next, &end);
		plan->tally[VW_EXIT_DAMAGED]++; /* it ended the process, as it says it does */
		plan->next++;
	}
}

static size_t step_of(size_t otherwise)
{
	const char *step = getenv("VW_TEST_STEP");
	return step && atoi(step) > 0 ? (size_t)atoi(step) : otherwise;
}

static void add_range(struct plan *plan, size_t from, size_t to, size_t step, const uint8_t *masks, size_t mask_count)
{
	for (size_t at = from; at < to && at < plan->original->len; at += step)
		for (size_t i = 0; i < mask_count; i++)
			add(plan, (struct flip){at, masks[i], BYTE});
}

static const uint8_t bits[] = {1, 2, 4, 8, 16, 32, 64, 128};

static int setup(void **out)
{
	struct original *o = calloc(1, sizeof(*o));
	make_original(o);
	*out = o;
	return 0;
}

static int teardown(void **in)
{
	struct original *o = *in;
	drop_dir(o->dir);
	free(o->bytes);
	free(o);
	return 0;
}

static void test_meta_pages(void **in)
{
	struct plan plan;
	open_plan(&plan, *in);
	for (size_t page = 0; page < 2; page++)
		add_range(&plan, page * PAGE, page * PAGE + 160, 1, bits, 8);
	run(&plan);
	assert_true(plan.tally[REFUSED] > 500);
	assert_true(plan.tally[SAME] > 500); /* the older of the two holds nothing any more */
	close_plan(&plan);
}

static void test_page_headers(void **in)
{
	const struct original *o = *in;
	struct plan plan;
	open_plan(&plan, o);
	for (size_t page = 2; page * PAGE < o->len; page++)
		add_range(&plan, page * PAGE, page * PAGE + 24, 1, (const uint8_t[]){1, 16, 255}, 3);
	run(&plan);
	assert_true(plan.tally[REFUSED] > 100);
	close_plan(&plan);
}

/* A page that was never written, or written to another's place, or overwritten by something else. */
static void test_whole_pages(void **in)
{
	const struct original *o = *in;
	struct plan plan;
	open_plan(&plan, o);
	for (size_t at = 0; at < o->len; at += PAGE) {
		add(&plan, (struct flip){at, 0, ZEROED_PAGE});
		add(&plan, (struct flip){at, 0, NEIGHBOURS_PAGE});
		add(&plan, (struct flip){at, 0, NOISY_PAGE});
	}
	run(&plan);
	assert_true(plan.tally[REFUSED] > 15);
	close_plan(&plan);
}

static void test_everywhere(void **in)
{
	const struct original *o = *in;
	struct plan plan;
	size_t step = step_of(61);
	open_plan(&plan, o);
	add_range(&plan, 2 * PAGE, o->len, step, (const uint8_t[]){255}, 1);
	add_range(&plan, 2 * PAGE + step / 2, o->len, step, (const uint8_t[]){1}, 1);
	add_range(&plan, 2 * PAGE + step / 3, o->len, step, (const uint8_t[]){64}, 1);
	run(&plan);
	printf("%zu runs: %u the same, %u refused at opening, %u found by reading\n", plan.count, plan.tally[SAME],
	       plan.tally[REFUSED], plan.tally[FOUND]);
	assert_true(plan.tally[SAME] > 0 && plan.tally[REFUSED] > 0 && plan.tally[FOUND] > 0);
	close_plan(&plan);
}

/* Where the record of m 1 begins, which is in entry 2, in pages of its own. Pages that are free may hold copies of others. */
static size_t place_of_entry_2(const struct original *o)
{
	static const uint8_t begins[] = {0x0a, 1, 'm', 0x12, 1, '1'};
	for (size_t page = 0; page < o->len; page += PAGE) {
		uint8_t *at = memmem(o->bytes + page, PAGE, begins, sizeof(begins));
		if (at && o->bytes[page + 10] == 4) /* MDB_page.mp_flags: a large value */
			return (size_t)(at - o->bytes);
	}
	fail_msg("entry 2 is not there");
	return 0;
}

/* A bit in the middle of a large value, which opening does not look at. */
static void test_verify_names_the_entry(void **in)
{
	const struct original *o = *in;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	struct vw_ledger_check check;
	char *dir = make_dir(), *path = path_in(dir, "data.mdb");
	uint8_t *bytes = malloc(o->len);
	memcpy(bytes, o->bytes, o->len);
	bytes[place_of_entry_2(o) + 100] ^= 4;
	copy_store(o->dir, dir);
	write_bytes(path, bytes, o->len);
	assert_ok(vw_store_open(dir, VW_KV_WRITE, &store, &err), err);
	assert_ok(vw_store_verify(store, &check, NULL, NULL, &err), err);
	assert_int_equal(check.first_bad, 2);
	assert_non_null(strstr(check.reason, "table ledger, key 2"));
	/* the others can still be read, this one cannot */
	struct vw_txn *view;
	struct vw_arena *arena = vw_arena_open(0);
	vw_entry *entry;
	assert_ok(vw_txn_begin_read(vw_store_kv(store), &view, &err), err);
	assert_ok(vw_store_entry(view, arena, 3, &entry, &err), err);
	assert_int_equal(vw_store_entry(view, arena, 2, &entry, &err), VW_ECORRUPT);
	assert_says(err, path);
	assert_says(err, "table ledger, key 2");
	assert_int_equal(vw_store_entry(view, arena, 3, &entry, &err), VW_ECORRUPT); /* and this sticks */
	vw_txn_end(view);
	vw_arena_close(arena);
	vw_store_close(store);
	free(bytes);
	free(path);
	drop_dir(dir);
}

/* The number of pages in front of a large value in the ledger: only looked at when the value is to be replaced. */
static int replace_large(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const uint8_t key[8] = {0, 0, 0, 0, 0, 0, 0, 2};
	return arg ? vw_kv_delete(txn, 1, (struct vw_bytes){key, 8}, err)
		   : vw_kv_put(txn, 1, (struct vw_bytes){key, 8}, text("new"), err);
}

static void test_large_header_is_checked_before_it_is_used(void **in)
{
	const struct original *o = *in;
	static const size_t fields[] = {0, 10, 12}; /* number, flags, pages */
	size_t page = place_of_entry_2(o) / PAGE * PAGE;
	char *dir = make_dir(), *path = path_in(dir, "data.mdb");
	uint8_t *bytes = malloc(o->len);
	for (size_t i = 0; i < 6; i++) {
		struct vw_error err = VW_ERROR_INIT;
		struct vw_store *store;
		memcpy(bytes, o->bytes, o->len);
		bytes[page + fields[i / 2]] ^= 16;
		copy_store(o->dir, dir);
		write_bytes(path, bytes, o->len);
		assert_ok(vw_store_open(dir, VW_KV_WRITE, &store, &err), err);
		int rc = vw_kv_write(vw_store_kv(store), replace_large, i % 2 ? path : NULL, &err);
		assert_int_equal(rc, VW_ECORRUPT);
		vw_store_close(store);
	}
	free(bytes);
	free(path);
	drop_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verify_names_the_entry),
	    cmocka_unit_test(test_large_header_is_checked_before_it_is_used),
	    cmocka_unit_test(test_meta_pages),
	    cmocka_unit_test(test_page_headers),
	    cmocka_unit_test(test_whole_pages),
	    cmocka_unit_test(test_everywhere),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
