/* folder.h: the state folder around LMDB's two files: who may write, what was committed, is there room. Private.
 *
 *	writer.lock   locked (flock) by the one writer, holds its process id
 *	last-commit   the number of the last committed transaction. LMDB falls back to the one before when the newest
 *	              meta page looks older by a flipped bit: then, or when an old copy of data.mdb was put back, the
 *	              database is behind this number, and we say so instead of going on with less than was promised. */
#ifndef STORAGE_FOLDER_H
#define STORAGE_FOLDER_H

#include "storage/kv.h"

#include <limits.h>

struct vw_folder {
	char data_path[PATH_MAX];   /* of data.mdb */
	char lock_path[PATH_MAX];   /* of writer.lock */
	char commit_path[PATH_MAX]; /* of last-commit */
	int dir_fd;
	int lock_fd;          /* -1 for a reader */
	int commit_fd;        /* -1 for a reader */
	bool read_only;       /* the file system is: LMDB's own lock file cannot be used */
	bool marked;          /* last-commit is there and readable */
	uint64_t last_commit; /* what it says */
};

/* VW_EBUSY names the other writer. VW_ECONFIG: a network file system. VW_EFULL: no room to begin with. */
int vw_folder_open(const char *dir, enum vw_kv_mode mode, struct vw_folder *out, struct vw_error *err);
void vw_folder_close(struct vw_folder *folder);

/* Gives LMDB's lock file its blocks: LMDB maps it and writes there, and on a full disk a hole would be a SIGBUS. */
int vw_folder_reserve(const struct vw_folder *folder, struct vw_error *err);

/* Notes that transaction `txn` is on the disk. Failures do not matter: the number then only says less. */
void vw_folder_mark(struct vw_folder *folder, uint64_t txn);
/* Bytes that can still be written here; UINT64_MAX when unknown. */
uint64_t vw_folder_room(const struct vw_folder *folder);

#endif
