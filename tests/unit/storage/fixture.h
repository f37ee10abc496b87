/* fixture.h: what the storage tests share: folders to throw away, steps in a process of their own, entries to append. */
#ifndef TEST_STORAGE_FIXTURE_H
#define TEST_STORAGE_FIXTURE_H

#include "storage/store.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A new private folder, in memory if there is such a place; removed with everything in it by drop_dir(). */
char *make_dir(void);
void drop_dir(char *dir);
char *path_in(const char *dir, const char *name); /* malloced */

/* How a step in a process of its own ended. */
struct ending {
	int exit_code; /* -1 when a signal ended it */
	int signal;
	char said[2048]; /* on standard error */
};
struct ending in_child(int (*step)(void *arg), void *arg);

void read_bytes(const char *path, uint8_t **out, size_t *out_len);
void write_bytes(const char *path, const uint8_t *bytes, size_t len);
void copy_store(const char *from, const char *to); /* all files of the folder */

/* Fails the test with the message when rc is not 0. */
#define assert_ok(rc, err)                                                                                           \
	do {                                                                                                         \
		int rc_ = (rc);                                                                                      \
		if (rc_ != 0)                                                                                        \
			fail_msg("%d: %s", rc_, (err).message);                                                      \
	} while (0)
#define assert_says(err, part)                                                                                       \
	do {                                                                                                         \
		if (!strstr((err).message, (part)))                                                                  \
			fail_msg("'%s' does not say '%s'", (err).message, (part));                                   \
	} while (0)

static inline struct vw_bytes text(const char *s)
{
	return (struct vw_bytes){s, strlen(s)};
}

/* ---- In a process of its own ---- */

/* A step's own assertion, where cmocka's would not be heard; `err` is the step's. */
#define STEP(condition)                                                                                              \
	do {                                                                                                         \
		if (!(condition)) {                                                                                  \
			fprintf(stderr, "%s:%d: %s; %s\n", __FILE__, __LINE__, #condition, err.message);             \
			return 1;                                                                                    \
		}                                                                                                    \
	} while (0)

#define assert_went_well(end)                                                                                        \
	do {                                                                                                         \
		struct ending end_ = (end);                                                                          \
		if (end_.exit_code != 0)                                                                             \
			fail_msg("exit %d, signal %d: %s", end_.exit_code, end_.signal, end_.said);                  \
	} while (0)

/* Such a step: opens the folder `arg` to read, and verifies a ledger with at least one entry. */
int read_whole_store(void *arg);

/* What a walk saw, as text; it stops after so many (0: not). */
struct listing {
	char text[512];
	int stop_after;
};

/* ---- A store with something in it ---- */

/* One version to be recorded; zeroed fields are left out. */
struct seen {
	const char *workspace;
	const char *model;
	const char *version;
	const char *owner; /* what changes when the record changes */
	size_t padding;    /* bytes of description */
	int64_t at;        /* recorded_at, first_seen_at, created_at */
	int64_t life;
};

/* Each in a transaction of its own; they fail the test when it does not commit. Return the sequence. */
uint64_t record_version(struct vw_store *store, const struct seen *seen);
uint64_t record_removal(struct vw_store *store, const char *workspace, const char *model, const char *version,
			int64_t at);
uint64_t record_audit(struct vw_store *store, const char *said);
/* The same without commit, for steps that do more. */
int append_version(struct vw_txn *txn, struct vw_store *store, const struct seen *seen, uint64_t *out_sequence,
		   struct vw_error *err);
int append_audit(struct vw_txn *txn, struct vw_store *store, const char *said, struct vw_error *err);

/* Appends a step's worth: `count` versions of one model, numbered from `first`. */
void record_many(struct vw_store *store, const char *model, int first, int count, size_t padding);

/* SHA-256 over all that can be read from a store: every table's every value, by way of the store's own functions. Returns 0 or
 * the failure. */
int digest_store(struct vw_store *store, uint8_t out[32], struct vw_error *err);

/* Exports the ledger as `vw-agent audit export` does and gives it to docs/verify_ledger.py: 0 when that calls it sound, else 1. */
int python_verifies(struct vw_store *store);

#endif
