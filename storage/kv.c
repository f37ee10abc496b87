#include "kv_private.h"

#include "base/file.h"
#include "base/limits.h"
#include "damage.h"
#include "pages.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM_THAT_IS_NONE ((uint64_t)64 * VW_KIB) /* a short write with no more free than this is a full disk */
#define SNAPSHOT_TRIES    100                     /* a writer may overtake us that often while we open */
#define GROW_PATIENCE     10000                   /* milliseconds */
#define READ_BRINGS       (64 * VW_KIB)           /* into memory, at most: the kernel maps what is around a page */
#define RESIDENT_DEFAULT  (4 * VW_MIB)
#define PAGE_MIN          4096 /* bytes; a file without two of them was never finished */

static bool disk_is_full(const struct vw_kv *kv, int rc)
{
	if (rc == ENOSPC || rc == EDQUOT || rc == EFBIG)
		return true;
	return rc == EIO && vw_folder_room(&kv->folder) <= ROOM_THAT_IS_NONE; /* LMDB's word for a short write */
}

int vw_kv_error(const struct vw_kv *kv, int rc, const char *doing, struct vw_error *err)
{
	const char *path = kv->folder.data_path;
	if (disk_is_full(kv, rc))
		return vw_error_set(
		    err, VW_EFULL,
		    "no space left on the device of %s; free some and run again (all that was committed "
		    "before is kept)",
		    path);
	switch (rc) {
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_CURSOR_FULL:
		return vw_damage_error(err, path, "%s: %s", doing, mdb_strerror(rc));
	case MDB_MAP_FULL:
		return vw_error_set(err, VW_EFULL, "%s: the map of %s is full", doing, path);
	case MDB_TXN_FULL:
		return vw_error_set(err, VW_ELIMIT, "%s: too much for one transaction of %s", doing, path);
	case MDB_READERS_FULL:
		return vw_error_set(err, VW_EBUSY, "%s: too many readers of %s", doing, path);
	case MDB_BAD_VALSIZE:
		return vw_error_set(err, VW_EINVAL, "%s: a key of %s must have 1 to %d bytes", doing, path,
				    VW_KEY_MAX);
	case ENOMEM:
		return vw_error_set(err, VW_ENOMEM, "%s: no memory for %s", doing, path);
	default:
		return vw_error_set(err, VW_EIO, "%s: %s: %s", doing, path, mdb_strerror(rc));
	}
}

/* LMDB's assertions are about its file, not about our code. */
static void on_assert(MDB_env *env, const char *message)
{
	(void)env;
	vw_damage_exit(message);
}

static int no_file(const struct vw_kv *kv, struct vw_error *err)
{
	const struct vw_folder *f = &kv->folder;
	if (f->last_commit > 0)
		return vw_error_set(
		    err, VW_ECORRUPT,
		    "state database %s is missing, but %" PRIu64
		    " transactions were committed to it; restore it from a backup, or remove %s to begin anew",
		    f->data_path, f->last_commit, f->commit_path);
	if (kv->mode == VW_KV_READ)
		return vw_error_set(err, VW_ENOTFOUND, "there is no state in %s yet", f->data_path);
	return 0;
}

/* The remains of a first start that did not get as far as a commit: nothing is lost with them. */
static bool never_finished(const struct vw_folder *f, off_t size)
{
	return f->marked && f->last_commit == 0 && size < 2 * PAGE_MIN;
}

static int read_head(const struct vw_kv *kv, int fd, struct vw_pages_head *out, struct vw_error *err)
{
	int rc = VW_ECORRUPT;
	/* a reader may meet a meta page half written, but not three times */
	for (int i = 0; rc == VW_ECORRUPT && i < 3; i++)
		rc = vw_pages_head(fd, kv->folder.data_path, out, err);
	return rc;
}

/* Looks at the file before LMDB does. `out` stays zeroed when a new one has to be made. */
static int look(struct vw_kv *kv, struct vw_pages_head *out, struct vw_error *err)
{
	const char *path = kv->folder.data_path;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return no_file(kv, err);
	if (fd < 0 || fstat(fd, &st) != 0) {
		int rc = vw_error_set(err, VW_EIO, "cannot open %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	int rc;
	if (!S_ISREG(st.st_mode))
		rc = vw_damage_error(err, path, "it is no regular file");
	else if (!never_finished(&kv->folder, st.st_size))
		rc = read_head(kv, fd, out, err);
	else if (kv->mode == VW_KV_WRITE && unlink(path) != 0)
		rc = vw_error_set(err, VW_EIO, "cannot remove %s: %s", path, strerror(errno));
	else
		rc = no_file(kv, err);
	close(fd);
	return rc;
}

static int open_env(struct vw_kv *kv, const char *dir, const struct vw_pages_head *head, struct vw_error *err)
{
	uint64_t used = (head->last_page + 1) * head->page_size, size = VW_STORE_MAP_INITIAL;
	while (size < used)
		size *= 2;
	unsigned flags = MDB_NOTLS;
	if (kv->mode == VW_KV_READ)
		flags |= MDB_RDONLY;
	if (kv->folder.read_only)
		flags |= MDB_NOLOCK;
	int cleared, rc = mdb_env_create(&kv->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(kv->env, VW_TABLES_MAX);
	if (rc == 0)
		rc = mdb_env_set_mapsize(kv->env, size);
	if (rc == 0)
		rc = mdb_env_set_assert(kv->env, on_assert);
	if (rc == 0)
		rc = mdb_env_open(kv->env, dir, flags, 0600);
	if (rc == 0 && kv->mode == VW_KV_WRITE)
		rc = mdb_reader_check(kv->env, &cleared); /* of processes that died */
	return rc == 0 ? 0 : vw_kv_error(kv, rc, "opening", err);
}

/* Checks the newest snapshot, and that it is not behind what was committed. */
static int check_snapshot(struct vw_kv *kv, struct vw_error *err)
{
	const struct vw_folder *f = &kv->folder;
	uint64_t id = 0;
	int fd, rc = VW_EAGAIN;
	mdb_env_get_fd(kv->env, &fd);
	for (int i = 0; rc == VW_EAGAIN && i < SNAPSHOT_TRIES; i++) {
		struct vw_txn *view;
		rc = vw_txn_begin_read(kv, &view, err);
		if (rc < 0)
			return rc;
		id = mdb_txn_id(view->txn);
		rc = vw_pages_check(fd, f->data_path, id, kv->tables, vw_value_sound, err);
		vw_txn_end(view);
	}
	if (rc == VW_EAGAIN)
		return vw_error_set(err, VW_EBUSY, "%s is being written too fast to be read; try again",
				    f->data_path);
	if (rc < 0)
		return rc;
	if (id < f->last_commit)
		return vw_error_set(
		    err, VW_ECORRUPT,
		    "state database %s ends with transaction %" PRIu64 ", but %" PRIu64
		    " was committed: it is damaged or an older copy; restore the newest, or remove %s to "
		    "go on with this one",
		    f->data_path, id, f->last_commit, f->commit_path);
	if (id > f->last_commit)
		vw_folder_mark(&kv->folder, id);
	return 0;
}

/* A step of vw_kv_write(): opens the tables, makes those that are not there, ours first: once something is written, the number
 * is right again. */
static int make_tables(struct vw_txn *txn, void *arg, struct vw_error *err)
{
	struct vw_kv *kv = arg;
	for (int i = kv->table_count; i >= 0; i--) {
		int rc = mdb_dbi_open(txn->txn, kv->tables[i], 0, &kv->handles[i]);
		if (rc == MDB_NOTFOUND && (i < kv->table_count || mdb_txn_id(txn->txn) == 1)) {
			rc = mdb_dbi_open(txn->txn, kv->tables[i], MDB_CREATE, &kv->handles[i]);
			txn->changed = true;
		}
		if (rc != 0)
			return vw_txn_fail(txn, rc, "opening the tables", err);
		if (!txn->changed && i == kv->table_count && (rc = vw_txn_check(txn, err)) < 0)
			return rc;
	}
	return 0;
}

static int find_tables(struct vw_kv *kv, struct vw_error *err)
{
	struct vw_txn *view;
	int rc = vw_txn_begin_read(kv, &view, err);
	if (rc < 0)
		return rc;
	int found = 0;
	for (int i = 0; found == 0 && i <= kv->table_count; i++) {
		found = mdb_dbi_open(view->txn, kv->tables[i], 0, &kv->handles[i]);
		if (found == MDB_NOTFOUND && i < kv->table_count) {
			kv->handles[i] = VW_NO_TABLE; /* of a later version than the one that wrote last */
			found = 0;
		}
	}
	if (found == MDB_NOTFOUND) /* made a moment ago, by a writer that is not there yet */
		rc = vw_error_set(err, VW_ENOTFOUND, "there is no state in %s yet", kv->folder.data_path);
	else
		rc = found == 0 ? vw_txn_check(view, err) : vw_kv_error(kv, found, "opening the tables", err);
	if (rc == 0) {
		mdb_txn_commit(view->txn); /* of a view that is: so that the handles stay */
		view->txn = NULL;
	}
	vw_txn_end(view);
	return rc;
}

static void name_tables(struct vw_kv *kv, const char *const *names)
{
	for (; names[kv->table_count]; kv->table_count++) {
		assert(kv->table_count < VW_TABLES_MAX - 1);
		kv->tables[kv->table_count] = names[kv->table_count];
	}
	kv->tables[kv->table_count] = VW_TABLE_COMMIT;
}

static int open_all(struct vw_kv *kv, const char *dir, struct vw_error *err)
{
	struct vw_pages_head head = {0};
	MDB_stat st;
	int rc = look(kv, &head, err);
	if (rc == 0)
		rc = vw_folder_reserve(&kv->folder, err);
	if (rc < 0)
		return rc;
	if (head.page_size == 0)
		vw_folder_mark(&kv->folder, 0);
	vw_damage_guard(kv->folder.data_path);
	rc = open_env(kv, dir, &head, err);
	if (rc < 0)
		return rc;
	mdb_env_stat(kv->env, &st);
	kv->page_size = st.ms_psize;
	rc = check_snapshot(kv, err);
	if (rc == 0)
		rc = kv->mode == VW_KV_WRITE ? vw_kv_write(kv, make_tables, kv, err) : find_tables(kv, err);
	return rc == 0 ? vw_kv_find_map(kv, err) : rc;
}

int vw_kv_open(const char *dir, const char *const *tables, enum vw_kv_mode mode, struct vw_kv **out,
	       struct vw_error *err)
{
	struct vw_kv *kv = calloc(1, sizeof(*kv));
	if (!kv)
		return vw_error_set(err, VW_ENOMEM, "no memory for the store");
	kv->mode = mode;
	kv->grow_patience = GROW_PATIENCE;
	vw_kv_set_resident(kv, RESIDENT_DEFAULT);
	vw_kv_gate_init(&kv->gate);
	name_tables(kv, tables);
	int rc = vw_folder_open(dir, mode, &kv->folder, err);
	if (rc == 0)
		rc = open_all(kv, dir, err);
	if (rc < 0) {
		vw_kv_close(kv);
		return rc;
	}
	*out = kv;
	return 0;
}

void vw_kv_close(struct vw_kv *kv)
{
	if (!kv)
		return;
	if (kv->env)
		mdb_env_close(kv->env);
	vw_folder_close(&kv->folder);
	vw_kv_gate_destroy(&kv->gate);
	free(kv);
}

void vw_kv_set_resident(struct vw_kv *kv, size_t bytes)
{
	size_t reads = bytes / READ_BRINGS;
	kv->reads_resident = reads == 0 ? 1 : reads > UINT_MAX ? UINT_MAX : (unsigned)reads;
}

int vw_kv_stat(struct vw_kv *kv, struct vw_kv_stat *out, struct vw_error *err)
{
	struct vw_txn *view;
	struct stat file;
	MDB_envinfo info;
	int fd, rc = vw_txn_begin_read(kv, &view, err);
	if (rc < 0)
		return rc;
	uint64_t pages = 2;
	/* 0 and 1 are LMDB's own: the free list and the list of tables */
	for (int i = -2; rc == 0 && i <= kv->table_count; i++) {
		MDB_stat st;
		if (i >= 0 && kv->handles[i] == VW_NO_TABLE)
			continue;
		rc = mdb_stat(view->txn, i < 0 ? (MDB_dbi)(i + 2) : kv->handles[i], &st);
		pages += rc == 0 ? st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages : 0;
	}
	mdb_env_info(kv->env, &info);
	mdb_env_get_fd(kv->env, &fd);
	if (rc == 0 && fstat(fd, &file) != 0)
		rc = errno;
	if (rc == 0)
		*out = (struct vw_kv_stat){.file_bytes = (uint64_t)file.st_size,
					   .used_bytes = pages * kv->page_size,
					   .map_bytes = info.me_mapsize,
					   .last_txn = info.me_last_txnid};
	vw_txn_end(view);
	return rc == 0 ? 0 : vw_kv_error(kv, rc, "counting", err);
}

const char *vw_kv_version(void)
{
	return mdb_version(NULL, NULL, NULL);
}
