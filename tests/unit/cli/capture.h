/* capture.h: what a function prints to standard output, as a file or as a terminal of a certain width gets it. */
#ifndef TEST_COMMANDS_CAPTURE_H
#define TEST_COMMANDS_CAPTURE_H

#include "../base/cmocka_all.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct capture {
	int kept;     /* the real standard output */
	int terminal; /* the near end; -1: a file */
	char *text;   /* after capture_end(); freed by the caller */
};

/* `columns` 0: a file, in which nothing is cut. A terminal holds a few KB: print no more than that. */
static inline struct capture capture_begin(unsigned short columns)
{
	struct capture c = {.terminal = -1};
	struct winsize size = {.ws_row = 50, .ws_col = columns};
	int far = -1;
	fflush(stdout);
	c.kept = dup(STDOUT_FILENO);
	if (columns)
		assert_int_equal(openpty(&c.terminal, &far, NULL, NULL, &size), 0);
	else
		far = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	assert_true(far >= 0);
	dup2(far, STDOUT_FILENO);
	close(far);
	return c;
}

static inline void capture_end(struct capture *c)
{
	const size_t size = 4 << 20;
	size_t len = 0;
	ssize_t n;
	fflush(stdout);
	c->text = calloc(1, size);
	int from = c->terminal >= 0 ? c->terminal : dup(STDOUT_FILENO);
	if (c->terminal < 0)
		lseek(from, 0, SEEK_SET);
	dup2(c->kept, STDOUT_FILENO);
	close(c->kept);
	while (len + 1 < size && (n = read(from, c->text + len, size - len - 1)) > 0)
		len += (size_t)n;
	close(from);
	char *out = c->text;
	for (const char *at = c->text; *at; at++) /* a terminal's line ends */
		if (*at != '\r' || c->terminal < 0)
			*out++ = *at;
	*out = '\0';
}

#endif
