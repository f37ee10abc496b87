/* founding.h: authorities in folders of the test's own. */
#ifndef TEST_AUTHORITY_FOUNDING_H
#define TEST_AUTHORITY_FOUNDING_H

#include "fixture.h"

#include "base/clock.h"
#include "identity/authority.h"

#define HOUR INT64_C(3600000) /* ms */

extern struct vw_error err;

/* Settings of an authority in `folder`, for DOMAIN and the hosts localhost and 127.0.0.1. */
struct vw_authority_settings settings_of(const char *folder);
/* Made with these settings, and open. */
struct vw_authority *found(const struct vw_authority_settings *settings);
/* Open again after a change of its files. */
struct vw_authority *reopen(const struct vw_authority_settings *settings);

/* An operator's authority in the current folder: root.key, root.pem (RSA), ca.key, ca.pem (P-256, issued by it), chain.pem (both). */
void make_corporation(void);
/* A CA of ours with these times: NAME.key, NAME.pem in `folder`. */
void write_ca(const char *folder, int64_t from, int64_t until);

/* A certificate for an agent; its key is dropped. */
struct vw_bytes issue_agent(struct vw_authority *authority, int64_t now);
/* Fails the test when `file` of the folder is not as it was, or is. */
struct vw_bytes content(const char *folder, const char *file);
#define assert_same(a, b) assert_true(same_bytes(a, b))

#endif
