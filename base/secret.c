#include "base/secret.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/limits.h"

#include <errno.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pages of their own: advice and locks count in pages. */
struct vw_secret {
	size_t mapped;
	size_t len;
	char bytes[];
};

void vw_wipe(void *bytes, size_t len)
{
	explicit_bzero(bytes, len);
}

struct vw_secret *vw_secret_open(const char *bytes, size_t len)
{
	if (len > VW_MAX_SECRET_FILE)
		return NULL;
	size_t mapped = sizeof(struct vw_secret) + len + 1;
	struct vw_secret *secret = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret == MAP_FAILED)
		return NULL;
	/* Both are best effort: RLIMIT_MEMLOCK may be small, and a secret is still better held than not. */
	(void)madvise(secret, mapped, MADV_DONTDUMP);
	(void)mlock(secret, mapped);
	secret->mapped = mapped;
	secret->len = len;
	if (len)
		memcpy(secret->bytes, bytes, len);
	return secret;
}

void vw_secret_close(struct vw_secret *secret)
{
	if (!secret)
		return;
	size_t mapped = secret->mapped;
	vw_wipe(secret, mapped);
	munmap(secret, mapped);
}

const char *vw_secret_text(const struct vw_secret *secret)
{
	return secret ? secret->bytes : NULL;
}

size_t vw_secret_length(const struct vw_secret *secret)
{
	return secret ? secret->len : 0;
}

bool vw_secret_equal(const struct vw_secret *a, const struct vw_secret *b)
{
	if (!a || !b)
		return a == b;
	return a->len == b->len && memeql_sec(a->bytes, b->bytes, a->len);
}

struct vw_secret *vw_secret_take_env(const char *name)
{
	const char *value = getenv(name);
	struct vw_secret *secret = value && value[0] ? vw_secret_open(value, strlen(value)) : NULL;
	/* The block may hold a name twice, and unsetenv only forgets pointers. */
	size_t len = strlen(name);
	for (char **e = environ; e && *e; e++) {
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			vw_wipe(*e + len + 1, strlen(*e + len + 1));
	}
	unsetenv(name);
	return secret;
}

static void wipe_buffer(struct vw_buffer *buf)
{
	vw_buffer_wipe(buf);
}

/* The first line of what was read; `name` says where from. */
static int first_line(const struct vw_buffer *buf, const char *name, struct vw_secret **out, struct vw_error *err)
{
	const char *text = vw_buffer_text(buf);
	size_t len = strcspn(text, "\n");
	if (len < buf->len && text[len] != '\n')
		return vw_error_set(err, VW_ECONFIG, "%s holds a zero byte where a secret is expected", name);
	if (len && text[len - 1] == '\r')
		len--;
	if (!len)
		return vw_error_set(err, VW_ECONFIG, "%s: its first line is empty, a secret is expected there", name);
	struct vw_secret *secret = vw_secret_open(text, len);
	if (!secret)
		return vw_error_set(err, VW_ENOMEM, "no memory for the secret in %s", name);
	*out = secret;
	return 0;
}

int vw_secret_read_file(const char *path, struct vw_secret **out, bool *out_open, struct vw_error *err)
{
	VW_AUTO(wipe_buffer) struct vw_buffer buf;
	vw_buffer_init_secret(&buf, VW_MAX_SECRET_FILE);
	int rc = vw_file_read(path, VW_MAX_SECRET_FILE, &buf, err);
	if (rc)
		return rc;
	struct stat st;
	if (stat(path, &st) != 0)
		return vw_error_set(err, VW_EIO, "%s went away while it was read", path);
	rc = first_line(&buf, path, out, err);
	if (rc == 0)
		*out_open = st.st_mode & (S_IRWXO | S_IWGRP);
	return rc;
}

int vw_secret_read_input(struct vw_secret **out, struct vw_error *err)
{
	VW_AUTO(wipe_buffer) struct vw_buffer buf;
	vw_buffer_init_secret(&buf, VW_MAX_SECRET_FILE);
	char c;
	ssize_t got;
	/* one by one: what stands behind the line belongs to whoever reads on */
	while ((got = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		vw_buffer_putc(&buf, c);
	if (got < 0)
		return vw_error_set(err, VW_EIO, "cannot read standard input: %s", strerror(errno));
	if (vw_buffer_error(&buf))
		return vw_error_set(err, vw_buffer_error(&buf),
				    "the line on standard input is too long for a secret");
	return first_line(&buf, "standard input", out, err);
}

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif

void vw_process_harden(void)
{
	const struct rlimit none = {0, 0};
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef UNDER_SANITIZER /* the leak checker traces the process, which must be dumpable for that */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
