#include "base/secret.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/limits.h"

#include "cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_secret(struct vw_secret **secret)
{
	vw_secret_close(*secret);
}

static void keeps_and_compares(void **state)
{
	(void)state;
	VW_AUTO(close_secret) struct vw_secret *a = vw_secret_open("hunter2xyz", 7);
	VW_AUTO(close_secret) struct vw_secret *b = vw_secret_open("hunter2", 7);
	VW_AUTO(close_secret) struct vw_secret *c = vw_secret_open("hunter3", 7);
	VW_AUTO(close_secret) struct vw_secret *d = vw_secret_open("hunter", 6);
	assert_string_equal(vw_secret_text(a), "hunter2");
	assert_int_equal(vw_secret_length(a), 7);
	assert_true(vw_secret_equal(a, b));
	assert_false(vw_secret_equal(a, c));
	assert_false(vw_secret_equal(a, d));
	assert_false(vw_secret_equal(a, NULL));
	assert_false(vw_secret_equal(NULL, a));
	assert_true(vw_secret_equal(NULL, NULL));
	assert_null(vw_secret_text(NULL));
	assert_int_equal(vw_secret_length(NULL), 0);
	vw_secret_close(NULL);
}

static void sizes(void **state)
{
	(void)state;
	static char bytes[VW_MAX_SECRET_FILE + 1];
	memset(bytes, 's', sizeof(bytes));
	assert_null(vw_secret_open(bytes, sizeof(bytes)));
	VW_AUTO(close_secret) struct vw_secret *largest = vw_secret_open(bytes, sizeof(bytes) - 1);
	assert_int_equal(strlen(vw_secret_text(largest)), VW_MAX_SECRET_FILE);
	VW_AUTO(close_secret) struct vw_secret *empty = vw_secret_open(NULL, 0);
	assert_string_equal(vw_secret_text(empty), "");
}

/* The pages of a secret carry the kernel's "dd" flag: not in a core (S4.2). */
static void is_kept_out_of_cores(void **state)
{
	(void)state;
	VW_AUTO(close_secret) struct vw_secret *secret = vw_secret_open("hunter2", 7);
	uintptr_t where = (uintptr_t)vw_secret_text(secret);
	char line[512];
	bool inside = false, flagged = false;
	FILE *f = fopen("/proc/self/smaps", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long first, last;
		if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
			inside = where >= first && where < last;
		if (inside && strncmp(line, "VmFlags:", 8) == 0)
			flagged = strstr(line, " dd") != NULL;
	}
	fclose(f);
	assert_true(flagged);
}

static bool environ_file_contains(const char *text)
{
	static char bytes[200000];
	int fd = open("/proc/self/environ", O_RDONLY);
	assert_true(fd >= 0);
	ssize_t len = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_true(len > 0);
	return memmem(bytes, (size_t)len, text, strlen(text)) != NULL;
}

/* Run as a child with the variable in its first environment: only that block is what /proc shows. */
static int child_takes_env(void)
{
	if (!environ_file_contains("correct-horse") || !environ_file_contains("STAYS=here"))
		return 1;
	struct vw_secret *secret = vw_secret_take_env("VW_TEST_SECRET");
	if (!secret || strcmp(vw_secret_text(secret), "correct-horse") != 0)
		return 2;
	vw_secret_close(secret);
	if (environ_file_contains("correct-horse") || getenv("VW_TEST_SECRET"))
		return 3;
	if (!environ_file_contains("STAYS=here") || strcmp(getenv("STAYS"), "here") != 0)
		return 4;
	return vw_secret_take_env("VW_TEST_SECRET") ? 5 : 0;
}

/* S4.2: neither in /proc/PID/environ nor passed on. */
static void takes_from_the_environment(void **state)
{
	(void)state;
	pid_t child = fork();
	if (child == 0) {
		char program[] = "secret_test", word[] = "child";
		char once[] = "VW_TEST_SECRET=correct-horse", twice[] = "VW_TEST_SECRET=correct-horse-2";
		char stays[] = "STAYS=here", longer[] = "VW_TEST_SECRET_B=b";
		execve("/proc/self/exe", (char *[]){program, word, NULL},
		       (char *[]){once, stays, twice, longer, NULL});
		_exit(100);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void empty_variable_is_none(void **state)
{
	(void)state;
	unsetenv("VW_TEST_SECRET");
	assert_null(vw_secret_take_env("VW_TEST_SECRET"));
	setenv("VW_TEST_SECRET", "", 1);
	assert_null(vw_secret_take_env("VW_TEST_SECRET"));
	assert_null(getenv("VW_TEST_SECRET"));
}

static char path[] = "/tmp/vw_secret_test.XXXXXX";

static int make_file(void **state)
{
	(void)state;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static int read_back(const char *bytes, size_t len, struct vw_secret **out, struct vw_error *err)
{
	bool is_open = true;
	assert_int_equal(vw_file_write(path, bytes, len, 0600, NULL), 0);
	int rc = vw_secret_read_file(path, out, &is_open, err);
	assert_int_equal(is_open, rc != 0);
	return rc;
}

static void reads_a_files_first_line(void **state)
{
	(void)state;
	static const char *const files[] = {"hunter 2", "hunter 2\n", "hunter 2\r\n", "hunter 2\nsecond line\n"};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct vw_secret *secret = NULL;
		assert_int_equal(read_back(files[i], strlen(files[i]), &secret, NULL), 0);
		assert_string_equal(vw_secret_text(secret), "hunter 2");
		vw_secret_close(secret);
	}
}

static void refuses_files_without_a_secret(void **state)
{
	(void)state;
	struct vw_secret *secret = NULL;
	struct vw_error err = VW_ERROR_INIT;
	static char large[VW_MAX_SECRET_FILE + 1];
	memset(large, 'x', sizeof(large));
	assert_int_equal(read_back("", 0, &secret, &err), VW_ECONFIG);
	assert_int_equal(read_back("\r\nhunter2", 9, &secret, &err), VW_ECONFIG);
	assert_int_equal(read_back("hun\0ter2", 8, &secret, &err), VW_ECONFIG);
	assert_null(strstr(err.message, "hun"));
	assert_int_equal(read_back(large, sizeof(large), &secret, &err), VW_ELIMIT);
	assert_int_equal(vw_secret_read_file("/no/such/file", &secret, &(bool){0}, &err), VW_ENOTFOUND);
	assert_null(secret);
}

static void tells_when_others_may_read(void **state)
{
	(void)state;
	static const struct {
		mode_t mode;
		bool is_open;
	} cases[] = {{0600, false}, {0400, false}, {0440, false}, {0640, false},
		     {0660, true},  {0644, true},  {0604, true}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vw_secret *secret;
		bool is_open;
		assert_int_equal(vw_file_write(path, "s", 1, cases[i].mode, NULL), 0);
		assert_int_equal(vw_secret_read_file(path, &secret, &is_open, NULL), 0);
		assert_int_equal(is_open, cases[i].is_open);
		vw_secret_close(secret);
	}
}

static void wipes(void **state)
{
	(void)state;
	char bytes[8] = "secret!";
	vw_wipe(bytes, 6);
	assert_memory_equal(bytes, "\0\0\0\0\0\0!", 8);
}

static int child_hardens(void)
{
	struct rlimit limit;
	vw_process_harden();
	if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != 0 || limit.rlim_max != 0)
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
#if !defined(__SANITIZE_ADDRESS__)
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 3;
#endif
	return 0;
}

static void hardens_the_process(void **state)
{
	(void)state;
	pid_t child = fork();
	if (child == 0)
		_exit(child_hardens());
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "child") == 0)
		return child_takes_env();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keeps_and_compares),
	    cmocka_unit_test(sizes),
	    cmocka_unit_test(is_kept_out_of_cores),
	    cmocka_unit_test(takes_from_the_environment),
	    cmocka_unit_test(empty_variable_is_none),
	    cmocka_unit_test_setup_teardown(reads_a_files_first_line, make_file, remove_file),
	    cmocka_unit_test_setup_teardown(refuses_files_without_a_secret, make_file, remove_file),
	    cmocka_unit_test_setup_teardown(tells_when_others_may_read, make_file, remove_file),
	    cmocka_unit_test(wipes),
	    cmocka_unit_test(hardens_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
