#include "folder.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "damage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM_TO_OPEN ((uint64_t)256 * VW_KIB) /* LMDB's lock file, ours, the meta pages and a first small commit */
#define LMDB_LOCK    ((off_t)8 * 1024)        /* bytes of lock.mdb with LMDB's default number of readers */
#define MARK_SIZE    64                       /* bytes enough for last-commit */

static int set_paths(const char *dir, struct vw_folder *f, struct vw_error *err)
{
	int a = snprintf(f->data_path, sizeof(f->data_path), "%s/data.mdb", dir);
	int b = snprintf(f->lock_path, sizeof(f->lock_path), "%s/writer.lock", dir);
	int c = snprintf(f->commit_path, sizeof(f->commit_path), "%s/last-commit", dir);
	if (a >= PATH_MAX || b >= PATH_MAX || c >= PATH_MAX)
		return vw_error_set(err, VW_ECONFIG, "the path of the state folder is too long");
	return 0;
}

uint64_t vw_folder_room(const struct vw_folder *folder)
{
	struct statvfs st;
	if (fstatvfs(folder->dir_fd, &st) != 0)
		return UINT64_MAX;
	return (uint64_t)st.f_bavail * st.f_frsize;
}

static int busy(const struct vw_folder *f, int fd, struct vw_error *err)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;
	if (pid > 0)
		return vw_error_set(
		    err, VW_EBUSY, "the state folder is in use by process %ld (%s is locked); wait for it or stop it",
		    pid, f->lock_path);
	return vw_error_set(err, VW_EBUSY,
			    "the state folder is in use by another process (%s is locked); wait for it or stop it",
			    f->lock_path);
}

static int cannot_open(const char *path, struct vw_error *err)
{
	int e = errno;
	if (e == ENOSPC || e == EDQUOT)
		return vw_error_set(err, VW_EFULL, "no space left on the device to make %s; free some and run again",
				    path);
	const char *hint = e == EROFS ? "; the disk is read-only, choose another state folder or remount it" : "";
	return vw_error_set(err, VW_EIO, "cannot write %s: %s%s", path, strerror(e), hint);
}

/* Whose lock it is: only for the other one's message, so that a failure matters to nobody. 0 is nobody; fixed width,
 * so that nothing has to be cut. */
static void write_owner(int fd, pid_t pid)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%10ld\n", (long)pid);
	ssize_t ignored = pwrite(fd, text, (size_t)len, 0);
	(void)ignored;
}

static int lock_for_writing(struct vw_folder *f, struct vw_error *err)
{
	f->lock_fd = open(f->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->lock_fd < 0)
		return cannot_open(f->lock_path, err);
	if (flock(f->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? busy(f, f->lock_fd, err) : cannot_open(f->lock_path, err);
	write_owner(f->lock_fd, getpid());
	return 0;
}

/* A read-only mount of a folder that is written elsewhere: without LMDB's lock file a reader would be blind to the
 * writer's reuse of pages, so the two exclude each other by our own lock. */
static int lock_for_reading(struct vw_folder *f, struct vw_error *err)
{
	if (!f->read_only)
		return 0;
	f->lock_fd = open(f->lock_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (f->lock_fd >= 0 && flock(f->lock_fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return busy(f, f->lock_fd, err);
	return 0;
}

static int mark_text(uint64_t txn, char out[MARK_SIZE])
{
	uint8_t sum[VW_SHA256_SIZE];
	char hex[17];
	int len = snprintf(out, MARK_SIZE, "txn=%020" PRIu64, txn);
	vw_sha256_of(out, (size_t)len, sum);
	return len + snprintf(out + len, MARK_SIZE - (size_t)len, " sum=%s\n", vw_hex_encode(sum, 8, hex));
}

static void read_mark(struct vw_folder *f)
{
	char text[MARK_SIZE] = "", again[MARK_SIZE];
	int fd = open(f->commit_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	if (n < 4 || strncmp(text, "txn=", 4) != 0)
		return;
	uint64_t txn = strtoull(text + 4, NULL, 10);
	int len = mark_text(txn, again);
	if (n != len || memcmp(text, again, (size_t)len) != 0)
		return;
	f->marked = true;
	f->last_commit = txn;
}

void vw_folder_mark(struct vw_folder *folder, uint64_t txn)
{
	char text[MARK_SIZE];
	if (folder->commit_fd < 0)
		return;
	int len = mark_text(txn, text);
	if (pwrite(folder->commit_fd, text, (size_t)len, 0) == len) {
		folder->last_commit = txn;
		folder->marked = true;
	}
}

int vw_folder_reserve(const struct vw_folder *folder, struct vw_error *err)
{
	if (folder->read_only)
		return 0;
	int fd = openat(folder->dir_fd, "lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return cannot_open("lock.mdb in the state folder", err);
	int rc = posix_fallocate(fd, 0, LMDB_LOCK);
	close(fd);
	if (rc == ENOSPC || rc == EDQUOT)
		return vw_error_set(err, VW_EFULL, "no space left on the device of %s; free some and run again",
				    folder->data_path);
	return 0; /* a file system that cannot reserve: then it is not the kind that has holes to fill */
}

static int open_for_writing(struct vw_folder *f, struct vw_error *err)
{
	int rc = lock_for_writing(f, err);
	if (rc < 0)
		return rc;
	uint64_t room = vw_folder_room(f);
	if (room < ROOM_TO_OPEN)
		return vw_error_set(err, VW_EFULL,
				    "only %" PRIu64 " bytes are free on the device of %s; free some and run again",
				    room, f->data_path);
	read_mark(f);
	f->commit_fd = open(f->commit_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->commit_fd < 0)
		return cannot_open(f->commit_path, err);
	return 0;
}

static int open_for_reading(struct vw_folder *f, struct vw_error *err)
{
	read_mark(f);
	return lock_for_reading(f, err);
}

int vw_folder_open(const char *dir, enum vw_kv_mode mode, struct vw_folder *out, struct vw_error *err)
{
	memset(out, 0, sizeof(*out));
	out->dir_fd = out->lock_fd = out->commit_fd = -1;
	int rc = set_paths(dir, out, err);
	if (rc < 0)
		return rc;
	out->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->dir_fd < 0)
		return vw_error_set(err, errno == ENOENT ? VW_ENOTFOUND : VW_EIO,
				    "cannot open the state folder %s: %s", dir, strerror(errno));
	if (vw_dir_is_network(dir)) {
		rc = vw_error_set(err, VW_ECONFIG,
				  "the state folder %s is on a network file system, where a memory map is not safe; "
				  "choose a folder on a local disk",
				  dir);
	} else {
		struct statvfs st;
		out->read_only = fstatvfs(out->dir_fd, &st) == 0 && (st.f_flag & ST_RDONLY);
		rc = mode == VW_KV_WRITE ? open_for_writing(out, err) : open_for_reading(out, err);
	}
	if (rc < 0)
		vw_folder_close(out);
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vw_folder_close(struct vw_folder *folder)
{
	if (folder->commit_fd >= 0 && folder->lock_fd >= 0)
		write_owner(folder->lock_fd, 0);
	close_fd(&folder->commit_fd);
	close_fd(&folder->lock_fd);
	close_fd(&folder->dir_fd);
}
