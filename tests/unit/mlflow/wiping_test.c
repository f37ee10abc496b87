/* No copy of a secret is left in memory once a request is done, and none at all in the end (S4.2). */
#include "cmocka_all.h"

#include "base/secret.h"
#include "fault_server.h"
#include "mlflow/client.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_BYTES 24
#define LARGEST_MAP  ((size_t)64 << 20) /* sanitizers reserve far larger ones */

/* Byte number `i` of the secret. It is never put together here: neither the program's text nor a register saved
 * somewhere shall hold it. */
static char secret_byte(int i)
{
	return (char)('A' + (i * 7 + 3) % 26);
}

static int count_in(const char *bytes, size_t len)
{
	int found = 0;
	for (size_t at = 0; at + SECRET_BYTES <= len; at++) {
		int same = 0;
		while (same < SECRET_BYTES && bytes[at + (size_t)same] == secret_byte(same))
			same++;
		found += same == SECRET_BYTES;
	}
	return found;
}

/* In all memory of this process that can be written to. */
static int copies(void)
{
	char line[512], mode[8];
	unsigned long from, to;
	int found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY);

	assert_true(maps && memory >= 0);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || strncmp(mode, "rw", 2) != 0 ||
		    mode[3] != 'p' || to - from > LARGEST_MAP)
			continue;
		char *bytes = malloc(to - from);
		ssize_t got = pread(memory, bytes, to - from, (off_t)from);
		if (got > 0)
			found += count_in(bytes, (size_t)got);
		vw_wipe(bytes, to - from);
		free(bytes);
	}
	fclose(maps);
	close(memory);
	return found;
}

static bool good(int fd, int n, const char *request)
{
	(void)n;
	(void)request;
	return fault_answer(fd, 200, "", "{\"experiment\":{\"experiment_id\":\"1\"}}");
}

static void note(void *arg, const struct vw_mlflow_answer *answer)
{
	*(int *)arg += answer->code == 0;
}

static void write_secret(const char *path)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	for (int i = 0; i < SECRET_BYTES; i++) {
		char c = secret_byte(i);
		assert_int_equal(write(fd, &c, 1), 1);
	}
	close(fd);
}

struct fixture {
	char path[32];
	struct fault_server server;
	struct vw_credentials *credentials;
	struct vw_mlflow *client;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	fault_server_start(&f->server, good);
	strcpy(f->path, "/tmp/vw-wiping-XXXXXX");
	int fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	vw_mlflow_close(f->client);
	vw_credentials_close(f->credentials);
	fault_server_stop(&f->server);
	unlink(f->path);
	free(f);
	return 0;
}

static void a_token_leaves_no_copies(void **state)
{
	struct fixture *f = *state;
	struct vw_error err = VW_ERROR_INIT;
	int answers = 0;

	write_secret(f->path);
	assert_int_equal(copies(), 0);
	const struct vw_credential_settings from_file = {.token_file = f->path};
	const struct vw_mlflow_settings settings = {.tracking_uri = f->server.uri, .connections = 2};
	assert_int_equal(vw_credentials_open(&from_file, &f->credentials, &err), 0);
	assert_int_equal(copies(), 1); /* the one that is locked, and not dumped */
	assert_int_equal(vw_mlflow_open(&settings, f->credentials, NULL, &f->client, &err), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(vw_mlflow_get_experiment(f->client, "1", note, &answers), 0);
	assert_int_equal(vw_mlflow_run(f->client, &err), 0);
	assert_int_equal(answers, 5);
	assert_non_null(strstr(f->server.shared->log[0], "Authorization: Bearer "));
	assert_int_equal(copies(), 1);
	vw_mlflow_close(f->client);
	f->client = NULL;
	vw_credentials_close(f->credentials);
	f->credentials = NULL;
	assert_int_equal(copies(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_token_leaves_no_copies, setup, teardown)};
	unsetenv("http_proxy");
	unsetenv("HTTP_PROXY");
	unsetenv("MLFLOW_TRACKING_USERNAME");
	unsetenv("MLFLOW_TRACKING_PASSWORD");
	setenv("HOME", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
