/* secret.h: bytes that must not be seen: kept out of cores and swap, wiped when closed.
 *
 * A secret's text is reachable only through vw_secret_text(), so that a grep for that name lists all
 * places where one can leak. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct vw_secret;

/* Copies `len` bytes and does not touch the original. At most VW_MAX_SECRET_FILE. */
struct vw_secret *vw_secret_open(const char *bytes, size_t len);
void vw_secret_close(struct vw_secret *secret);             /* wipes; NULL is fine */
const char *vw_secret_text(const struct vw_secret *secret); /* zero-terminated; NULL for NULL */
size_t vw_secret_length(const struct vw_secret *secret);
bool vw_secret_equal(const struct vw_secret *a, const struct vw_secret *b); /* in constant time */

/* Takes an environment variable: copies its value and overwrites it where it stands, so that it is neither
 * in /proc/PID/environ nor passed on. NULL when unset or empty. */
struct vw_secret *vw_secret_take_env(const char *name);
/* A file's first line without its line end; VW_ECONFIG when that is empty. The file should not be readable by others:
 * *out_open tells, true when others may read it or its group may write it. */
int vw_secret_read_file(const char *path, struct vw_secret **out, bool *out_open, struct vw_error *err);

/* The first line of standard input; for what must not stand on a command line. */
int vw_secret_read_input(struct vw_secret **out, struct vw_error *err);

/* memset that the compiler keeps. */
void vw_wipe(void *bytes, size_t len);

/* For the whole process, once, first thing in main: no core files, not dumpable (so /proc is closed to others), no new privileges. */
void vw_process_harden(void);

#endif
