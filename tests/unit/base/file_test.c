#include "base/file.h"

#include "base/limits.h"

#include "cmocka_all.h"

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static const char *at(const char *name)
{
	static char path[4][300];
	static int next;
	char *out = path[next++ % 4];
	snprintf(out, sizeof(path[0]), "%s/%s", folder, name);
	return out;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/vw_file_test.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void assert_content(const char *path, const void *bytes, size_t len)
{
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	assert_int_equal(vw_file_read(path, VW_MIB, &buf, NULL), 0);
	assert_int_equal(buf.len, len);
	assert_memory_equal(vw_buffer_text(&buf), bytes, len);
	vw_buffer_reset(&buf);
}

static unsigned mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static int entries(void)
{
	int count = 0;
	char command[128];
	snprintf(command, sizeof(command), "ls -A %s | wc -l", folder);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &count), 1);
	pclose(f);
	return count;
}

static void writes_and_reads(void **state)
{
	(void)state;
	static char large[100000];
	memset(large, 'x', sizeof(large));
	assert_int_equal(vw_file_write(at("a"), "one\0two", 7, 0600, NULL), 0);
	assert_content(at("a"), "one\0two", 7);
	assert_int_equal(mode_of(at("a")), 0600);
	umask(077);
	assert_int_equal(vw_file_write(at("a"), large, sizeof(large), 0644, NULL), 0);
	assert_content(at("a"), large, sizeof(large));
	assert_int_equal(mode_of(at("a")), 0644);
	assert_int_equal(vw_file_write(at("a"), NULL, 0, 0600, NULL), 0);
	assert_content(at("a"), "", 0);
	assert_int_equal(entries(), 1);
}

static void a_bare_name_is_in_the_working_folder(void **state)
{
	(void)state;
	char *before = getcwd(NULL, 0);
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(vw_file_write("bare", "x", 1, 0600, NULL), 0);
	assert_content("bare", "x", 1);
	assert_int_equal(chdir(before), 0);
	free(before);
}

static void reading_appends(void **state)
{
	(void)state;
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	vw_buffer_puts(&buf, "before ");
	assert_int_equal(vw_file_write(at("a"), "after", 5, 0600, NULL), 0);
	assert_int_equal(vw_file_read(at("a"), 5, &buf, NULL), 0);
	assert_string_equal(vw_buffer_text(&buf), "before after");
	vw_buffer_reset(&buf);
}

static void reading_fails_with_the_right_code(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	assert_int_equal(vw_file_read(at("none"), 10, &buf, &err), VW_ENOTFOUND);
	assert_non_null(strstr(err.message, at("none")));
	assert_int_equal(vw_file_write(at("a"), "0123456789", 10, 0600, NULL), 0);
	assert_int_equal(vw_file_read(at("a/b"), 10, &buf, &err), VW_ENOTFOUND);
	assert_int_equal(vw_file_read(at("a"), 9, &buf, &err), VW_ELIMIT);
	assert_non_null(strstr(err.message, "9 bytes"));
	assert_int_equal(vw_file_read(folder, 10, &buf, &err), VW_EIO);
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_int_equal(vw_file_read(at("fifo"), 10, &buf, &err), VW_EIO); /* and does not wait */
	vw_buffer_reset(&buf);
	vw_buffer_init(&buf, 5);
	assert_int_equal(vw_file_read(at("a"), 10, &buf, &err), VW_ELIMIT);
	vw_buffer_reset(&buf);
}

static void writing_fails_and_leaves_the_old_file(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_file_write(at("no/such"), "x", 1, 0600, &err), VW_ENOTFOUND);
	assert_int_equal(mkdir(at("dir"), 0700), 0);
	assert_int_equal(vw_file_write(at("dir"), "x", 1, 0600, &err), VW_EIO);
	assert_int_equal(entries(), 1);
	char path[5000];
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vw_file_write(path, "x", 1, 0600, &err), VW_ECONFIG);
}

/* A write that stops half-way, by a limit on a file's size in a child. */
static void a_torn_write_leaves_the_old_file(void **state)
{
	(void)state;
	assert_int_equal(vw_file_write(at("a"), "old", 3, 0600, NULL), 0);
	pid_t child = fork();
	if (child == 0) {
		static char bytes[100000];
		const struct rlimit small = {1000, 1000};
		sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
		setrlimit(RLIMIT_FSIZE, &small);
		_exit(vw_file_write(at("a"), bytes, sizeof(bytes), 0600, NULL) == VW_EIO ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_content(at("a"), "old", 3);
	assert_int_equal(entries(), 1);
}

/* In a mount namespace of a child's own; skipped where that is not allowed. */
static int child_fills_a_disk(void)
{
	static char bytes[1 << 20];
	struct vw_buffer buf;
	vw_buffer_init(&buf, 0);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, "size=64k") != 0)
		return 77;
	if (vw_file_write(at("a"), "old", 3, 0600, NULL) != 0)
		return 1;
	if (vw_file_write(at("a"), bytes, sizeof(bytes), 0600, NULL) != VW_EFULL)
		return 2;
	if (vw_file_read(at("a"), 3, &buf, NULL) != 0 || strcmp(vw_buffer_text(&buf), "old") != 0)
		return 3;
	vw_buffer_reset(&buf);
	return entries() == 1 ? 0 : 4;
}

static void a_full_disk_leaves_the_old_file(void **state)
{
	(void)state;
	pid_t child = fork();
	if (child == 0)
		_exit(child_fills_a_disk());
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void fingerprint_follows_the_content(void **state)
{
	(void)state;
	assert_int_equal(vw_file_fingerprint(at("a")), 0);
	assert_int_equal(vw_file_write(at("a"), "one", 3, 0600, NULL), 0);
	uint64_t one = vw_file_fingerprint(at("a"));
	assert_true(one != 0);
	assert_true(one == vw_file_fingerprint(at("a")));
	assert_int_equal(vw_file_write(at("a"), "two", 3, 0600, NULL), 0);
	assert_true(one != vw_file_fingerprint(at("a")));
	/* same file, same size, another time */
	uint64_t two = vw_file_fingerprint(at("a"));
	const struct timespec times[2] = {{1, 0}, {1, 1}};
	assert_int_equal(utimensat(AT_FDCWD, at("a"), times, 0), 0);
	assert_true(two != vw_file_fingerprint(at("a")));
}

static void makes_private_folders(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	umask(022);
	assert_int_equal(vw_dir_make_private(at("x/y//z/"), &err), 0);
	assert_int_equal(mode_of(at("x")), 0700);
	assert_int_equal(mode_of(at("x/y/z")), 0700);
	assert_int_equal(vw_dir_make_private(at("x/y/z"), &err), 0);
	/* parents may be open, the folder itself not */
	assert_int_equal(chmod(at("x"), 0755), 0);
	assert_int_equal(vw_dir_make_private(at("x/y/z"), &err), 0);
	assert_int_equal(chmod(at("x/y/z"), 0750), 0);
	assert_int_equal(vw_dir_make_private(at("x/y/z"), &err), VW_ECONFIG);
	assert_non_null(strstr(err.message, "chmod 700"));
}

static void refuses_what_is_no_private_folder(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_file_write(at("file"), "x", 1, 0600, NULL), 0);
	assert_int_equal(vw_dir_make_private(at("file"), &err), VW_ECONFIG);
	assert_int_not_equal(vw_dir_make_private(at("file/below"), &err), 0);
	assert_int_equal(vw_dir_make_private("", &err), VW_ECONFIG);
	if (geteuid() == 0) {
		assert_int_equal(mkdir(at("theirs"), 0700), 0);
		assert_int_equal(chown(at("theirs"), 12345, 12345), 0);
		assert_int_equal(vw_dir_make_private(at("theirs"), &err), VW_ECONFIG);
		assert_non_null(strstr(err.message, "12345"));
	}
	char path[5000];
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vw_dir_make_private(path, &err), VW_ECONFIG);
}

static void a_private_file_is_ours_and_closed(void **state)
{
	(void)state;
	struct vw_error err = VW_ERROR_INIT;
	assert_int_equal(vw_file_check_private(at("key"), &err), VW_ENOTFOUND);
	assert_int_equal(vw_file_write(at("key"), "k", 1, 0600, &err), 0);
	assert_int_equal(vw_file_check_private(at("key"), &err), 0);
	assert_int_equal(chmod(at("key"), 0400), 0);
	assert_int_equal(vw_file_check_private(at("key"), &err), 0);
	static const unsigned open_modes[] = {0640, 0620, 0604, 0610};
	for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
		assert_int_equal(chmod(at("key"), open_modes[i]), 0);
		assert_int_equal(vw_file_check_private(at("key"), &err), VW_ECONFIG);
		assert_non_null(strstr(err.message, "chmod 600"));
	}
	assert_int_equal(vw_file_check_private(folder, &err), VW_ECONFIG);
	assert_non_null(strstr(err.message, "not a regular file"));
	if (geteuid() == 0) {
		assert_int_equal(chown(at("key"), 65534, 65534), 0);
		assert_int_equal(vw_file_check_private(at("key"), &err), VW_ECONFIG);
		assert_non_null(strstr(err.message, "chown"));
	}
}

static void finds_the_users_folders(void **state)
{
	(void)state;
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	setenv("HOME", "/home/ada", 1);
	setenv("XDG_STATE_HOME", "/var/state", 1);
	unsetenv("XDG_CONFIG_HOME");
	assert_string_equal(vw_dir_state_home(arena), "/var/state");
	assert_string_equal(vw_dir_config_home(arena), "/home/ada/.config");
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("XDG_CONFIG_HOME", "/etc/x", 1);
	assert_string_equal(vw_dir_state_home(arena), "/home/ada/.local/state");
	assert_string_equal(vw_dir_config_home(arena), "/etc/x");
	unsetenv("HOME");
	assert_null(vw_dir_state_home(arena));
	setenv("HOME", "", 1);
	assert_null(vw_dir_state_home(arena));
	assert_false(vw_arena_failed(arena));
}

static void local_folders_are_no_network(void **state)
{
	(void)state;
	assert_false(vw_dir_is_network("/proc"));
	assert_false(vw_dir_is_network("/no/such/folder"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(writes_and_reads, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(a_bare_name_is_in_the_working_folder, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(reading_appends, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(reading_fails_with_the_right_code, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(writing_fails_and_leaves_the_old_file, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(a_torn_write_leaves_the_old_file, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_old_file, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(fingerprint_follows_the_content, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(makes_private_folders, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(refuses_what_is_no_private_folder, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(a_private_file_is_ours_and_closed, make_folder, remove_folder),
	    cmocka_unit_test(finds_the_users_folders),
	    cmocka_unit_test(local_folders_are_no_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
