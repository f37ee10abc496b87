/* Full disks and read-only ones, on file systems mounted for the purpose. */
#include "fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
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

/* Runs in a mount namespace of its own, so that nothing stays behind. As root a failure to mount is a failure. */
static bool mount_small(const char *dir, const char *options)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", dir, "tmpfs", 0, options) == 0;
}

#define NEEDS_ROOT()                                                                                                 \
	do {                                                                                                         \
		if (geteuid() != 0)                                                                                  \
			skip();                                                                                      \
	} while (0)

struct batch {
	struct vw_store *store;
	int first;
};

static int append_batch(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	const struct batch *b = arg;
	for (int i = 0; i < 20; i++) {
		char number[16];
		snprintf(number, sizeof(number), "%d", b->first + i);
		struct seen seen = {.model = "m", .version = number, .owner = "o", .padding = 3000, .at = 1};
		int rc = append_version(txn, b->store, &seen, NULL, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Writes until the disk is full; then everything committed is there, and after room was made it goes on. */
static int fill_disk(void *arg)
{
	const char *dir = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	struct vw_ledger_check check;
	char ballast[PATH_MAX];
	STEP(mount_small(dir, "size=3m,mode=0700"));
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
	int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
	STEP(fd >= 0 && posix_fallocate(fd, 0, 1024 * 1024) == 0);
	close(fd);
	STEP(vw_store_open(dir, VW_KV_WRITE, &store, &err) == 0);
	int rc = 0, committed = 0;
	for (int i = 0; i < 100 && rc == 0; i++) {
		struct batch b = {store, 1 + committed};
		rc = vw_kv_write(vw_store_kv(store), append_batch, &b, &err);
		committed += rc == 0 ? 20 : 0;
	}
	STEP(rc == VW_EFULL && committed > 0);
	STEP(strstr(err.message, "no space left") && strstr(err.message, "free some"));
	STEP(vw_store_verify(store, &check, NULL, NULL, &err) == 0 && check.first_bad == 0);
	STEP(check.entries == (uint64_t)committed);
	vw_store_close(store);
	STEP(unlink(ballast) == 0);
	STEP(vw_store_open(dir, VW_KV_WRITE, &store, &err) == 0);
	struct batch b = {store, 1 + committed};
	STEP(vw_kv_write(vw_store_kv(store), append_batch, &b, &err) == 0);
	STEP(vw_store_verify(store, &check, NULL, NULL, &err) == 0 && check.first_bad == 0);
	STEP(check.entries == (uint64_t)committed + 20);
	vw_store_close(store);
	return 0;
}

static void test_full_disk_loses_nothing(void **in)
{
	NEEDS_ROOT();
	assert_went_well(in_child(fill_disk, *in));
}

static int start_on_full_disk(void *arg)
{
	const char *dir = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	char ballast[PATH_MAX];
	STEP(mount_small(dir, "size=1m,mode=0700"));
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
	int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
	STEP(fd >= 0);
	for (off_t size = 1024 * 1024; size >= 0; size -= 4096) {
		/* from no room at all, page by page, to enough */
		STEP(ftruncate(fd, size) == 0);
		STEP(size == 0 || posix_fallocate(fd, 0, size) == 0);
		int rc = vw_store_open(dir, VW_KV_WRITE, &store, &err);
		if (rc == 0) {
			vw_store_close(store);
			close(fd);
			return 0;
		}
		STEP(rc == VW_EFULL && strstr(err.message, "free"));
	}
	return 1;
}

static void test_no_room_to_begin_with(void **in)
{
	NEEDS_ROOT();
	assert_went_well(in_child(start_on_full_disk, *in));
}

static int on_read_only(void *arg)
{
	const char *dir = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store;
	STEP(mount_small(dir, "mode=0700"));
	STEP(vw_store_open(dir, VW_KV_WRITE, &store, &err) == 0);
	record_many(store, "m", 1, 20, 3000);
	vw_store_close(store);
	STEP(mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	STEP(vw_store_open(dir, VW_KV_WRITE, &store, &err) == VW_EIO);
	STEP(strstr(err.message, "read-only"));
	return read_whole_store(arg);
}

static void test_read_only_disk_can_be_read(void **in)
{
	NEEDS_ROOT();
	assert_went_well(in_child(on_read_only, *in));
}

/* The same folder, writable in one place and read-only in another, as in a container: the reader cannot register. */
static int on_read_only_view(void *arg)
{
	const char *dir = arg;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_store *store, *other;
	char rw[PATH_MAX], ro[PATH_MAX];
	STEP(mount_small(dir, "mode=0700"));
	snprintf(rw, sizeof(rw), "%s/rw", dir);
	snprintf(ro, sizeof(ro), "%s/ro", dir);
	STEP(mkdir(ro, 0700) == 0);
	STEP(vw_store_open(rw, VW_KV_WRITE, &store, &err) == 0);
	record_many(store, "m", 1, 20, 3000);
	STEP(mount(rw, ro, NULL, MS_BIND, NULL) == 0);
	STEP(mount(NULL, ro, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
	STEP(vw_store_open(ro, VW_KV_READ, &other, &err) == VW_EBUSY);
	vw_store_close(store);
	return read_whole_store(ro);
}

static void test_read_only_view_waits_for_the_writer(void **in)
{
	NEEDS_ROOT();
	assert_went_well(in_child(on_read_only_view, *in));
}

int main(void)
{
#define WITH_DIR(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_DIR(test_full_disk_loses_nothing),
	    WITH_DIR(test_no_room_to_begin_with),
	    WITH_DIR(test_read_only_disk_can_be_read),
	    WITH_DIR(test_read_only_view_waits_for_the_writer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
