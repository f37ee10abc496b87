/* fixture.h: what the fleet's tests share: a folder to work in, openssl to make what we would never make, keys and certificates. */
#ifndef TEST_FLEET_FIXTURE_H
#define TEST_FLEET_FIXTURE_H

#include "base/arena.h"
#include "fleet/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY  INT64_C(86400000)      /* ms */
#define NOON INT64_C(1772366400000) /* 2026-03-01T12:00:00Z */

#define DOMAIN   "fleet.example"
#define AGENT    "0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8e"
#define AGENT_ID "spiffe://" DOMAIN "/org/7/agent/" AGENT

/* Group setup and teardown: the test works in an empty folder, with an arena. */
int enter_folder(void **state);
int leave_folder(void **state);
extern struct vw_arena *arena;

/* Runs a shell command that must succeed; its output is shown when it does not. */
void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Whether it succeeds. */
bool sh_says(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct vw_bytes slurp(const char *path); /* in the arena */
void spill(const char *path, struct vw_bytes bytes);
struct vw_bytes bytes_of(const char *text);
bool same_bytes(struct vw_bytes a, struct vw_bytes b);
/* A copy with one byte changed; one that is cut or longer. In the arena. */
struct vw_bytes with_flip(struct vw_bytes bytes, size_t at);
struct vw_bytes with_tail(struct vw_bytes bytes, const char *tail);

/* An authority of ours, valid for ten years from NOON. */
struct authority {
	struct vw_key *key;
	struct vw_bytes der;
};
void make_authority(const char *name, struct authority *out);
/* A certificate of it for a new key, for a day from NOON; `out_key` may be NULL. */
struct vw_bytes issue(const struct authority *ca, enum vw_certificate_use use, struct vw_key **out_key);

/* Fails the test with the message when rc is not 0. */
#define assert_ok(rc, err)                                                                                           \
	do {                                                                                                         \
		int rc_ = (rc);                                                                                      \
		if (rc_ != 0)                                                                                        \
			fail_msg("%d: %s", rc_, (err).message);                                                      \
	} while (0)
/* Fails the test when the code is another, or the message lacks the part. */
#define assert_fails(rc, expected, err, part)                                                                        \
	do {                                                                                                         \
		int rc_ = (rc);                                                                                      \
		if (rc_ != (expected) || !strstr((err).message, (part)))                                             \
			fail_msg("%d: '%s', and not %d with '%s'", rc_, (err).message, (expected), (part));          \
	} while (0)

#endif
