/* kill -9 at a hundred random points of a loop of writes. Each time what was reported as committed is there, each transaction is
 * there as a whole or not at all, and the chain verifies. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLS  100
#define IN_ONE 3 /* entries of one transaction */

struct step {
	struct vw_store *store;
	int number;
};

static int append_some(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct step *s = arg;
	char version[16];
	snprintf(version, sizeof(version), "%d", 1 + s->number % 50);
	struct seen seen = {.model = "m", .version = version, .padding = 100 + (size_t)s->number % 5000, .at = 1};
	int rc = append_version(txn, s->store, &seen, NULL, err);
	for (int i = 1; rc == 0 && i < IN_ONE; i++)
		rc = append_audit(txn, s->store, version, err);
	return rc;
}

/* Reports each committed head; ends only by being killed. */
static void write_on(const char *dir, int report)
{
	struct vw_error err = VW_ERROR_INIT;
	struct step s = {.number = (int)getpid()};
	if (vw_store_open(dir, VW_KV_WRITE, &s.store, &err) != 0)
		_exit(1);
	for (;; s.number++) {
		struct vw_txn *view;
		struct vw_ledger_head head;
		if (vw_kv_write(vw_store_kv(s.store), append_some, &s, &err) != 0 ||
		    vw_txn_begin_read(vw_store_kv(s.store), &view, &err) != 0 ||
		    vw_store_head(view, &head, &err) != 0)
			_exit(2);
		vw_txn_end(view);
		if (write(report, &head, sizeof(head)) != sizeof(head))
			_exit(3);
	}
}

static void wait_a_little(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	struct timespec t = {0, (long)(*seed >> 8) % 12 * 1000000 + (long)(*seed >> 16) % 1000000};
	nanosleep(&t, NULL);
}

/* The last head that was reported, zeroed if none was. */
static struct vw_ledger_head run_and_kill(const char *dir, uint32_t *seed)
{
	struct vw_ledger_head head, last = {0};
	int fds[2], status;
	assert_int_equal(pipe(fds), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) > 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_on(dir, fds[1]);
	close(fds[1]);
	wait_a_little(seed);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(fds[0], &head, sizeof(head)) == sizeof(head))
		last = head;
	close(fds[0]);
	return last;
}

static void test_kill_at_any_time_loses_nothing(void **in)
{
	uint32_t seed = 7;
	uint64_t before = 0;
	unsigned written = 0;
	char *dir = make_dir();
	(void)in;
	for (int i = 0; i < KILLS; i++) {
		struct vw_error err = VW_ERROR_INIT;
		struct vw_store *store;
		struct vw_ledger_check check;
		struct vw_ledger_head last = run_and_kill(dir, &seed);
		assert_ok(vw_store_open(dir, VW_KV_WRITE, &store, &err), err);
		assert_ok(vw_store_verify(store, &check, NULL, NULL, &err), err);
		vw_store_close(store);
		if (check.first_bad != 0)
			fail_msg("run %d: entry %d: %s", i, (int)check.first_bad, check.reason);
		uint64_t least = last.sequence ? last.sequence : before;
		/* what was committed but not yet reported is there too */
		assert_true(check.head.sequence == least || check.head.sequence == least + IN_ONE);
		if (check.head.sequence == last.sequence)
			assert_memory_equal(check.head.hash, last.hash, sizeof(last.hash));
		written += check.head.sequence > before;
		before = check.head.sequence;
	}
	assert_true(written > KILLS / 4); /* it was not only killed while opening */
	drop_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill_at_any_time_loses_nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
