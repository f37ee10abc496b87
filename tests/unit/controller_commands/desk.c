#include "desk.h"

#include "../cli/capture.h"

#include <ftw.h>
#include <stdarg.h>
#include <sys/stat.h>

#define WORDS_MAX 32

char desk_folder[64];
struct told told;
unsigned short desk_columns;
const char *desk_input;

int desk_open(void **state)
{
	extern char **environ;
	(void)state;
	strcpy(desk_folder, "/tmp/vw_controller_test.XXXXXX");
	if (!mkdtemp(desk_folder))
		return -1;
	for (char **at = environ; *at;) {
		char name[64];
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*at, "="), *at);
		bool ours =
		    strncmp(name, "VW_", 3) == 0 || strncmp(name, "XDG_", 4) == 0 || strcmp(name, "COLUMNS") == 0;
		if (ours)
			unsetenv(name);
		at = ours ? environ : at + 1;
	}
	setenv("HOME", desk_folder, 1);
	setenv("TERM", "xterm", 1);
	return 0;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(name);
}

int desk_close(void **state)
{
	(void)state;
	free(told.out);
	free(told.err);
	return nftw(desk_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *desk_path(const char *name)
{
	static char paths[8][256];
	static int next;
	char *path = paths[next++ % 8];
	snprintf(path, sizeof(paths[0]), "%s/%s", desk_folder, name);
	return path;
}

void desk_write(const char *name, const char *text, unsigned mode)
{
	FILE *f = fopen(desk_path(name), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(desk_path(name), mode), 0);
}

static char *read_back(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)len + 1);
	assert_int_equal(pread(fd, text, (size_t)len, 0), len);
	close(fd);
	return text;
}

static int put_input(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	if (desk_input)
		assert_int_equal(write(fd, desk_input, strlen(desk_input)), (ssize_t)strlen(desk_input));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* One of the standard streams is another until it is put back. */
static int swap(int stream, int with)
{
	int kept = dup(stream);
	dup2(with, stream);
	return kept;
}

static void put_back(int stream, int kept)
{
	dup2(kept, stream);
	close(kept);
}

int run(const char *first, ...)
{
	char *argv[WORDS_MAX + 1] = {(char *)"vw-controller", (char *)first};
	int argc = 2, errors = open("/tmp", O_TMPFILE | O_RDWR, 0600), input = put_input();
	va_list ap;
	va_start(ap, first);
	while (argc < WORDS_MAX && (argv[argc] = va_arg(ap, char *)))
		argc++;
	va_end(ap);
	free(told.out);
	free(told.err);
	fflush(stderr);
	int in = swap(STDIN_FILENO, input), err = swap(STDERR_FILENO, errors);
	struct capture c = capture_begin(desk_columns);
	told.code = vw_cli_main(&controller_program, argc, argv);
	fflush(stderr);
	capture_end(&c);
	put_back(STDIN_FILENO, in);
	put_back(STDERR_FILENO, err);
	close(input);
	told.out = c.text;
	told.err = read_back(errors);
	return told.code;
}
