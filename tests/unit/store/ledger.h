/* ledger.h: an agent's ledger as its tests need it: entries of every kind, chained as an agent chains them. */
#ifndef TEST_STORE_LEDGER_H
#define TEST_STORE_LEDGER_H

#include "base/arena.h"
#include "fleet/chain.h"
#include "proto/message.h"
#include "proto/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

#define AGENT_A "11111111-1111-4111-8111-111111111111"
#define AGENT_B "22222222-2222-4222-8222-222222222222"
#define AGENT_C "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
#define GENESIS "00000000-0000-4000-8000-000000000000"

/* Where the agent's chain stands. Entries go into the arena. */
struct ledger {
	struct vw_arena *arena;
	struct vw_chain chain;
};
/* Empty, as before enrolment. */
void ledger_begin(struct ledger *ledger, struct vw_arena *arena, const char *genesis_agent_id);

/* One version as it is recorded; zeroed fields are left out. */
struct seen {
	const char *workspace, *model, *version;
	const char *owner, *description, *stage, *risk;
	int64_t at;         /* recorded_at, first_seen_at */
	int64_t updated_at; /* MLflow's */
	size_t padding;     /* bytes of a tag, for size */
	const char *gap;    /* rules with an open finding, "owner:high owner2:low" */
	const char *event;  /* of a deployment event lifecycle_stage to this */
	bool partial;
};
/* Each gives the entry and moves the chain. */
vw_chained_entry *ledger_version(struct ledger *ledger, const struct seen *seen);
vw_chained_entry *ledger_removal(struct ledger *ledger, const char *workspace, const char *model, const char *version,
				 int64_t at);
vw_chained_entry *ledger_audit(struct ledger *ledger, const char *text);
vw_chained_entry *ledger_epoch(struct ledger *ledger, const char *organization, const char *agent_id, uint64_t epoch);
/* Any entry; any bytes. */
vw_chained_entry *ledger_entry(struct ledger *ledger, const vw_entry *entry);
vw_chained_entry *ledger_bytes(struct ledger *ledger, const void *payload, size_t len);

/* What an Entry is, without a chain. */
vw_entry *version_entry(struct vw_arena *arena, const struct seen *seen);
vw_entry *removal_entry(struct vw_arena *arena, const char *workspace, const char *model, const char *version,
			int64_t at);

/* A batch of `count` entries; its list is the arena's. */
vw_entry_batch *batch_of(struct vw_arena *arena, uint64_t first, size_t count, ...);
/* With `entry` at its end. */
void batch_add(struct vw_arena *arena, vw_entry_batch *batch, vw_chained_entry *entry);

#endif
