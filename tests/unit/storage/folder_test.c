/* folder.h and what surrounds a database: other processes, files that are missing, torn or old. */
#include "fixture.h"

#include "base/digest.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **out)
{
	*out = make_dir();
	return 0;
}

static int teardown(void **in)
{
	drop_dir(*in);
	return 0;
}

static struct vw_store *open_store(const char *dir, enum vw_kv_mode mode)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	assert_ok(vw_store_open(dir, mode, &store, &err), err);
	return store;
}

static void make_store(const char *dir, int entries)
{
	struct vw_store *store = open_store(dir, VW_KV_WRITE);
	if (entries > 0)
		record_many(store, "m", 1, entries, 3000);
	vw_store_close(store);
}

static int refused(const char *dir, enum vw_kv_mode mode, struct vw_error *err)
{
	struct vw_store *store = NULL;
	int rc = vw_store_open(dir, mode, &store, err);
	assert_true(rc < 0);
	assert_null(store);
	return rc;
}

/* ---- Other processes ---- */

static int write_refused(void *arg)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	char pid[32];
	snprintf(pid, sizeof(pid), "process %ld ", (long)getppid());
	STEP(vw_store_open(arg, VW_KV_WRITE, &store, &err) == VW_EBUSY);
	STEP(strstr(err.message, pid));
	return 0;
}

static void test_one_writer_many_readers(void **in)
{
	char *dir = *in;
	struct vw_store *writer = open_store(dir, VW_KV_WRITE);
	record_many(writer, "m", 1, 10, 100);
	assert_went_well(in_child(read_whole_store, dir));
	assert_went_well(in_child(write_refused, dir));
	/* a second one in the same process is refused before LMDB could be confused by it */
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(refused(dir, VW_KV_WRITE, &err), VW_EBUSY);
	record_many(writer, "m", 11, 10, 100);
	vw_store_close(writer);
	assert_went_well(in_child(read_whole_store, dir));
}

struct watching {
	const char *dir;
	int started; /* a pipe: the reader writes when it has opened once */
};

/* Opens again and again until the writer's last entry is there. */
static int read_until_last(void *arg)
{
	const struct watching *w = arg;
	struct vw_ledger_head head = {0};
	while (head.sequence < 1050) {
		struct vw_error err = VW_ERROR_INIT;
		struct vw_store *store;
		struct vw_txn *view;
		STEP(vw_store_open(w->dir, VW_KV_READ, &store, &err) == 0);
		STEP(vw_txn_begin_read(vw_store_kv(store), &view, &err) == 0);
		STEP(vw_store_head(view, &head, &err) == 0);
		vw_txn_end(view);
		vw_store_close(store);
		STEP(write(w->started, "x", 1) == 1);
	}
	return read_whole_store((void *)w->dir);
}

/* Readers come and go, and check each page, while pages are freed and used again under a writer that does not wait. */
static void test_readers_open_during_writes(void **in)
{
	char *dir = *in, byte;
	struct vw_store *writer = open_store(dir, VW_KV_WRITE);
	int fds[2], status;
	record_many(writer, "m", 1, 50, 3000);
	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		alarm(120);
		struct watching w = {dir, fds[1]};
		_exit(read_until_last(&w));
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	for (int i = 0; i < 1000; i++)
		record_many(writer, "m", 1 + i % 40, 1, 300);
	while (read(fds[0], &byte, 1) == 1) { /* so that its pipe is never full */
	}
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	vw_store_close(writer);
}

static int die_reading(void *arg)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	struct vw_txn *view;
	STEP(vw_store_open(arg, VW_KV_READ, &store, &err) == 0);
	STEP(vw_txn_begin_read(vw_store_kv(store), &view, &err) == 0);
	raise(SIGKILL);
	return 1;
}

/* More than LMDB has places for; each keeps pages from being used again until it is cleared. */
static void test_dead_readers_are_cleared(void **in)
{
	char *dir = *in;
	make_store(dir, 5);
	int keep = open(dir, O_RDONLY | O_DIRECTORY);
	pid_t holder = fork(); /* a live reader, so that LMDB does not start the list of readers anew */
	assert_true(holder >= 0);
	if (holder == 0) {
		struct vw_store *store = open_store(dir, VW_KV_READ);
		(void)store;
		pause();
		_exit(0);
	}
	for (int i = 0; i < 140; i++)
		assert_int_equal(in_child(die_reading, dir).signal, SIGKILL);
	assert_went_well(in_child(read_whole_store, dir));
	struct vw_store *writer = open_store(dir, VW_KV_WRITE);
	struct vw_kv_stat before, after;
	struct vw_error err = VW_ERROR_INIT;
	record_many(writer, "m", 1, 5, 100);
	assert_ok(vw_kv_stat(vw_store_kv(writer), &before, &err), err);
	for (int i = 0; i < 50; i++)
		record_audit(writer, "x");
	assert_ok(vw_kv_stat(vw_store_kv(writer), &after, &err), err);
	assert_true(after.file_bytes < before.file_bytes + 256 * VW_KIB);
	vw_store_close(writer);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	close(keep);
}

static int die_writing(void *arg)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	STEP(vw_store_open(arg, VW_KV_WRITE, &store, &err) == 0);
	raise(SIGKILL);
	return 1;
}

static void test_dead_writer_holds_nothing(void **in)
{
	char *dir = *in;
	make_store(dir, 5);
	assert_int_equal(in_child(die_writing, dir).signal, SIGKILL);
	make_store(dir, 5);
}

/* A reader that was there before the writer made the database larger than the reader's map. */
static int grow_under_reader(void *arg)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	STEP(vw_store_open(arg, VW_KV_WRITE, &store, &err) == 0);
	record_many(store, "big", 1, 18, 15 * 1024 * 1024);
	vw_store_close(store);
	return 0;
}

static void test_reader_follows_growth(void **in)
{
	char *dir = *in;
	make_store(dir, 5);
	struct vw_store *reader = open_store(dir, VW_KV_READ);
	struct vw_error err = VW_ERROR_INIT;
	struct vw_txn *view;
	struct vw_ledger_head head;
	assert_went_well(in_child(grow_under_reader, dir));
	assert_ok(vw_txn_begin_read(vw_store_kv(reader), &view, &err), err);
	assert_ok(vw_store_head(view, &head, &err), err);
	assert_int_equal(head.sequence, 23);
	vw_txn_end(view);
	vw_store_close(reader);
}

/* ---- Files ---- */

static void test_nothing_there(void **in)
{
	char *dir = *in, *deeper = path_in(dir, "no/such");
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(refused(dir, VW_KV_READ, &err), VW_ENOTFOUND);
	assert_int_equal(refused(deeper, VW_KV_READ, &err), VW_ENOTFOUND);
	struct vw_store *store = open_store(deeper, VW_KV_WRITE); /* the writer makes it */
	struct stat st;
	vw_store_close(store);
	assert_int_equal(stat(deeper, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	free(deeper);
}

static void test_open_folder_is_refused(void **in)
{
	char *dir = *in;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(refused(dir, VW_KV_WRITE, &err), VW_ECONFIG);
	assert_int_equal(chmod(dir, 0700), 0);
}

/* Each beginning of a database file, and what it says. */
static void test_torn_file_is_damage(void **in)
{
	char *dir = *in, *path = path_in(dir, "data.mdb");
	uint8_t *bytes;
	size_t len;
	make_store(dir, 30);
	read_bytes(path, &bytes, &len);
	assert_true(len > 100000);
	for (size_t cut = 0; cut < len; cut += cut < 9000 ? 500 : 4096) {
		for (int mode = VW_KV_READ; mode <= VW_KV_WRITE; mode++) {
			struct vw_error err = VW_ERROR_INIT;
			write_bytes(path, bytes, cut);
			assert_int_equal(refused(dir, (enum vw_kv_mode)mode, &err), VW_ECORRUPT);
			assert_says(err, path);
			assert_says(err, "restore");
		}
	}
	write_bytes(path, bytes, len); /* and nothing was changed on the way */
	struct vw_store *store = open_store(dir, VW_KV_WRITE);
	vw_store_close(store);
	free(bytes);
	free(path);
}

static void test_garbage_is_damage(void **in)
{
	char *dir = *in, *path = path_in(dir, "data.mdb");
	struct vw_error err = VW_ERROR_INIT;
	uint8_t bytes[40000];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7919 >> 3);
	for (size_t len = 0; len <= sizeof(bytes); len += 10000) {
		write_bytes(path, bytes, len);
		assert_int_equal(refused(dir, VW_KV_WRITE, &err), VW_ECORRUPT);
		assert_says(err, path);
		memset(bytes, 0, len / 2);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(refused(dir, VW_KV_READ, &err), VW_ECORRUPT);
	assert_says(err, "no regular file");
	free(path);
}

static void test_lost_file_is_not_a_new_beginning(void **in)
{
	char *dir = *in, *path = path_in(dir, "data.mdb"), *mark = path_in(dir, "last-commit");
	struct vw_error err = VW_ERROR_INIT;
	make_store(dir, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(refused(dir, VW_KV_READ, &err), VW_ECORRUPT);
	assert_int_equal(refused(dir, VW_KV_WRITE, &err), VW_ECORRUPT);
	assert_says(err, "is missing");
	assert_says(err, mark);
	assert_int_equal(unlink(mark), 0); /* as the message says */
	make_store(dir, 1);
	free(path);
	free(mark);
}

static void test_unfinished_start_is_begun_again(void **in)
{
	char *dir = *in, *path = path_in(dir, "data.mdb"), *mark = path_in(dir, "last-commit");
	uint8_t *bytes;
	size_t len;
	make_store(dir, 0);
	read_bytes(path, &bytes, &len);
	/* what a crash in the middle of the very first write leaves */
	struct vw_error err = VW_ERROR_INIT;
	uint8_t sum[VW_SHA256_SIZE];
	char none[64] = "txn=00000000000000000000 sum=0000000000000000\n";
	write_bytes(path, bytes, 5000);
	write_bytes(mark, (uint8_t *)none, strlen(none));
	assert_int_equal(refused(dir, VW_KV_WRITE, &err), VW_ECORRUPT); /* a wrong sum is no word to rely on */
	vw_sha256_of(none, 24, sum);
	vw_hex_encode(sum, 8, none + 29);
	none[45] = '\n';
	write_bytes(mark, (uint8_t *)none, strlen(none));
	assert_int_equal(refused(dir, VW_KV_READ, &err), VW_ENOTFOUND);
	make_store(dir, 1);
	free(bytes);
	free(path);
	free(mark);
}

/* An older copy put back, and the one bit in a meta page that makes LMDB fall back to the transaction before. */
static void test_rollback_is_seen(void **in)
{
	char *dir = *in, *path = path_in(dir, "data.mdb"), *mark = path_in(dir, "last-commit");
	struct vw_error err = VW_ERROR_INIT;
	uint8_t *old;
	size_t len;
	make_store(dir, 3);
	read_bytes(path, &old, &len);
	make_store(dir, 3);
	make_store(dir, 3);
	write_bytes(path, old, len);
	assert_int_equal(refused(dir, VW_KV_READ, &err), VW_ECORRUPT);
	assert_int_equal(refused(dir, VW_KV_WRITE, &err), VW_ECORRUPT);
	assert_says(err, "older copy");
	assert_says(err, mark);
	assert_int_equal(unlink(mark), 0);
	struct vw_store *store = open_store(dir, VW_KV_WRITE);
	vw_store_close(store);
	free(old);
	free(path);
	free(mark);
}

/* A file that is cut while it is mapped. */
static int cut_under_reader(void *arg)
{
	const char *dir = arg;
	char *path = path_in(dir, "data.mdb");
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	struct vw_ledger_check check;
	STEP(vw_store_open(dir, VW_KV_READ, &store, &err) == 0);
	STEP(truncate(path, 8192) == 0);
	vw_store_verify(store, &check, NULL, NULL, &err);
	return 0;
}

static void test_file_cut_in_use_ends_with_a_message(void **in)
{
	char *dir = *in;
	make_store(dir, 30);
	struct ending end = in_child(cut_under_reader, dir);
	assert_int_equal(end.exit_code, VW_EXIT_DAMAGED);
	assert_non_null(strstr(end.said, "data.mdb is damaged"));
	assert_non_null(strstr(end.said, "restore"));
}

static void test_lock_file_may_hold_anything(void **in)
{
	char *dir = *in;
	static const char *const names[] = {"writer.lock", "lock.mdb", "last-commit"};
	uint8_t bytes[8192];
	memset(bytes, 0xa5, sizeof(bytes));
	make_store(dir, 1);
	for (size_t i = 0; i < 3; i++)
		for (size_t len = 0; len <= sizeof(bytes); len += 2048) {
			char *path = path_in(dir, names[i]);
			write_bytes(path, bytes, len);
			make_store(dir, 1);
			assert_went_well(in_child(read_whole_store, dir));
			free(path);
		}
}

int main(void)
{
#define WITH_DIR(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_DIR(test_one_writer_many_readers),
	    WITH_DIR(test_readers_open_during_writes),
	    WITH_DIR(test_dead_readers_are_cleared),
	    WITH_DIR(test_dead_writer_holds_nothing),
	    WITH_DIR(test_reader_follows_growth),
	    WITH_DIR(test_nothing_there),
	    WITH_DIR(test_open_folder_is_refused),
	    WITH_DIR(test_torn_file_is_damage),
	    WITH_DIR(test_garbage_is_damage),
	    WITH_DIR(test_lost_file_is_not_a_new_beginning),
	    WITH_DIR(test_unfinished_start_is_begun_again),
	    WITH_DIR(test_rollback_is_seen),
	    WITH_DIR(test_file_cut_in_use_ends_with_a_message),
	    WITH_DIR(test_lock_file_may_hold_anything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
