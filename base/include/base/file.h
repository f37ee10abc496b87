/* file.h: small files read whole, private folders, and where the user's files belong. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends a regular file's bytes to `out`. VW_ENOTFOUND, VW_ELIMIT (more than `cap` bytes), VW_EIO. */
int vw_file_read(const char *path, size_t cap, struct vw_buffer *out, struct vw_error *err);

/* That `path` may hold a private key: a regular file, ours, and closed to others. VW_ECONFIG says what to chmod; VW_ENOTFOUND. */
int vw_file_check_private(const char *path, struct vw_error *err);

/* A number that changes when the file's content may have changed (device, inode, size, mtime); 0 when there is none. */
uint64_t vw_file_fingerprint(const char *path);

/* Makes `path` and missing parents, mode 0700; an existing one must be ours and closed to others
 * (VW_ECONFIG says what to chmod). */
int vw_dir_make_private(const char *path, struct vw_error *err);

/* Creates or replaces `path` by way of a temporary file, fsync and rename. */
int vw_file_write(const char *path, const void *bytes, size_t len, unsigned mode, struct vw_error *err);

/* XDG Base Directory: $XDG_STATE_HOME or ~/.local/state, $XDG_CONFIG_HOME or ~/.config; NULL without a HOME. In the arena. */
char *vw_dir_state_home(struct vw_arena *arena);
char *vw_dir_config_home(struct vw_arena *arena);

/* True on NFS, CIFS and other file systems that a memory map must not be put on. */
bool vw_dir_is_network(const char *path);

#endif
