#include "base/file.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int fail(struct vw_error *err, const char *verb, const char *path)
{
	int number = errno;
	int code = VW_EIO;
	if (number == ENOENT || number == ENOTDIR)
		code = VW_ENOTFOUND;
	if (number == ENOSPC || number == EDQUOT)
		code = VW_EFULL;
	if (number == ENOMEM)
		code = VW_ENOMEM;
	return vw_error_set(err, code, "cannot %s %s: %s", verb, path, strerror(number));
}

/* Appends at most `cap` bytes; one byte more is asked for, to know whether there is one. */
static int read_all(int fd, const char *path, size_t cap, struct vw_buffer *out, struct vw_error *err)
{
	char bytes[8192];
	int rc = 0;
	for (size_t total = 0;;) {
		ssize_t n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = fail(err, "read", path);
		if (n <= 0)
			break;
		if ((size_t)n > cap - total) {
			rc = vw_error_set(err, VW_ELIMIT, "%s is larger than the %zu bytes allowed", path, cap);
			break;
		}
		total += (size_t)n;
		vw_buffer_append(out, bytes, (size_t)n);
	}
	/* the file may be a secret */
	vw_wipe(bytes, sizeof(bytes));
	if (!rc && vw_buffer_error(out))
		rc = vw_error_set(err, vw_buffer_error(out), "cannot read %s: no room for it", path);
	return rc;
}

int vw_file_read(const char *path, size_t cap, struct vw_buffer *out, struct vw_error *err)
{
	/* without O_NONBLOCK a FIFO would hold us here */
	VW_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fail(err, "open", path);
	struct stat st;
	if (fstat(fd, &st) != 0)
		return fail(err, "read", path);
	if (!S_ISREG(st.st_mode))
		return vw_error_set(err, VW_EIO, "cannot read %s: not a regular file", path);
	return read_all(fd, path, cap, out, err);
}

uint64_t vw_file_fingerprint(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return 0;
	const uint64_t parts[] = {(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
				  (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec};
	uint64_t h = UINT64_C(0xCBF29CE484222325);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		/* splitmix64's finalizer: every bit of a part reaches every bit of the result */
		h ^= parts[i];
		h = (h ^ (h >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
		h = (h ^ (h >> 27)) * UINT64_C(0x94D049BB133111EB);
		h ^= h >> 31;
	}
	return h ? h : 1;
}

static int check_private(const char *path, bool folder, struct vw_error *err)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return fail(err, "use", path);
	if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return vw_error_set(err, VW_ECONFIG, "%s is not a %s", path, folder ? "folder" : "regular file");
	if (st.st_uid != geteuid())
		return vw_error_set(err, VW_ECONFIG, "%s belongs to user %u, not to user %u that runs this; chown it",
				    path, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & 077)
		return vw_error_set(err, VW_ECONFIG, "%s is open to other users; run: chmod %s %s", path,
				    folder ? "700" : "600", path);
	return 0;
}

int vw_file_check_private(const char *path, struct vw_error *err)
{
	return check_private(path, false, err);
}

int vw_dir_make_private(const char *path, struct vw_error *err)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof(part))
		return vw_error_set(err, VW_ECONFIG, "a folder's path must have 1 to %zu bytes", sizeof(part) - 1);
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST && access(part, F_OK) != 0)
			return fail(err, "make the folder", part);
		part[i] = path[i];
	}
	return check_private(path, true, err);
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The rename itself is on disk only when the folder is. */
static int sync_parent(const char *path)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	if (!slash)
		strcpy(parent, ".");
	else if (slash == path)
		strcpy(parent, "/");
	else
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	VW_AUTO(close_fd) int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -1 : fsync(fd);
}

int vw_file_write(const char *path, const void *bytes, size_t len, unsigned mode, struct vw_error *err)
{
	char temporary[PATH_MAX];
	int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return vw_error_set(err, VW_ECONFIG, "a file's path must be shorter than %zu bytes",
				    sizeof(temporary) - 8);
	VW_AUTO(close_fd) int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return fail(err, "write", path);
	if (write_all(fd, bytes, len) != 0 || fchmod(fd, mode) != 0 || fsync(fd) != 0 ||
	    rename(temporary, path) != 0) {
		int rc = fail(err, "write", path);
		unlink(temporary);
		return rc;
	}
	if (sync_parent(path) != 0)
		return fail(err, "write", path);
	return 0;
}

/* The XDG specification: a path that is not absolute counts as unset. */
static char *xdg_folder(struct vw_arena *arena, const char *variable, const char *below_home)
{
	const char *folder = getenv(variable);
	if (folder && folder[0] == '/')
		return vw_arena_strdup(arena, folder);
	const char *home = getenv("HOME");
	if (!home || !home[0])
		return NULL;
	return vw_arena_printf(arena, "%s/%s", home, below_home);
}

char *vw_dir_state_home(struct vw_arena *arena)
{
	return xdg_folder(arena, "XDG_STATE_HOME", ".local/state");
}

char *vw_dir_config_home(struct vw_arena *arena)
{
	return xdg_folder(arena, "XDG_CONFIG_HOME", ".config");
}

bool vw_dir_is_network(const char *path)
{
	/* linux/magic.h, and where it is silent, statfs(2) */
	static const uint32_t network[] = {
	    0x00006969, /* NFS */
	    0x0000517B, /* SMB */
	    0xFF534D42, /* CIFS */
	    0xFE534D42, /* SMB2 */
	    0x5346414F, /* AFS */
	    0x6B414653, /* AFS in the kernel */
	    0x00C36400, /* Ceph */
	    0x01021997, /* 9P */
	    0x73757245, /* Coda */
	    0x0000564C, /* NCP */
	    0x0BD00BD0, /* Lustre */
	    0x47504653, /* GPFS */
	};
	struct statfs fs;
	if (statfs(path, &fs) != 0)
		return false;
	for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++) {
		if ((uint32_t)fs.f_type == network[i])
			return true;
	}
	return false;
}
