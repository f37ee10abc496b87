/* damage.h: what is said and done when the data file is not what we wrote. Private to storage. */
#ifndef STORAGE_DAMAGE_H
#define STORAGE_DAMAGE_H

#include "storage/kv.h"

/* VW_ECORRUPT: "state database PATH is damaged (...); " and the way out. */
int vw_damage_error(struct vw_error *err, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A key for such messages: a number if it is 8 bytes, else text with dots for what cannot be printed, cut to `size`. Returns `out`. */
const char *vw_damage_key(struct vw_bytes key, char *out, size_t size);

/* Prints that message for the guarded path and ends the process with VW_EXIT_DAMAGED. Safe in a signal handler. */
_Noreturn void vw_damage_exit(const char *why);

/* From now on a page of the map that cannot be read (a failing disk, a file cut while it is open: SIGBUS) ends the
 * process by vw_damage_exit() instead of a crash. Process-wide; the last path given counts. */
void vw_damage_guard(const char *path);

#endif
