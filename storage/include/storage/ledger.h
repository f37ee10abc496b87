/* ledger.h: one sequence, one chain.
 *
 *	h(n) = SHA-256( lp("verifywise.ledger.v1") ‖ lp(organization) ‖ lp(agent) ‖ u64(epoch) ‖ u64(n) ‖ h(n-1) ‖ SHA-256(payload) )
 *
 * lp(x) is u32 length and bytes, integers are big-endian, h(0) is 32 zero bytes, the first entry is n = 1. The payload is a
 * packed Entry (proto/verifywise/v1/audit.proto).
 *
 * A chain begins under the organization "", the agent's first id and epoch 1. An EpochStarted entry names another owner: it is itself
 * the first entry that is chained under that one. Sequence and h(n-1) go on. What all of this does not protect against, alone: root on this host rewriting the whole
 * chain, or cutting off its end; docs/threat-model.md says what does. */
#ifndef STORAGE_LEDGER_H
#define STORAGE_LEDGER_H

#include "storage/kv.h"

#include "base/arena.h"
#include "proto/model.h"

#define VW_LEDGER_DOMAIN "verifywise.ledger.v1"
#define VW_LEDGER_HASH   32 /* bytes */

#define VW_LEDGER_EPOCH_FIRST 1
#define VW_LEDGER_EPOCH_LAST  INT64_MAX /* what JSON readers and databases can hold */

/* Of an owner that an entry names; with the terminating zero. */
#define VW_LEDGER_ORGANIZATION_MAX 16 /* decimal or empty */
#define VW_LEDGER_AGENT_MAX        37 /* a UUID */

/* Who the chain belongs to; borrowed for the call. */
struct vw_ledger_owner {
	const char *organization; /* "" until enrolled */
	const char *agent;
	uint64_t epoch;
};

struct vw_ledger_head {
	uint64_t sequence; /* 0 for an empty ledger */
	uint8_t hash[VW_LEDGER_HASH];
};

/* h(n) from h(n-1). Pure. */
void vw_ledger_hash(const struct vw_ledger_owner *owner, uint64_t sequence, const uint8_t previous[VW_LEDGER_HASH],
		    const void *payload, size_t len, uint8_t out[VW_LEDGER_HASH]);

/* Takes a value of the ledger's table apart: a packed ChainedEntry with exactly a payload and 32 bytes of hash, in this order. Both
 * point into `stored`. False for anything else. Pure. */
bool vw_ledger_open_value(struct vw_bytes stored, struct vw_bytes *out_payload, const uint8_t **out_hash);

/* Which kinds of entries a walk wants: bits of the Entry's body. */
enum vw_ledger_kind { VW_LEDGER_VERSION = 1, VW_LEDGER_REMOVAL = 2, VW_LEDGER_AUDIT = 4, VW_LEDGER_ALL = 7 };
/* The one bit that says which body an entry has; 0 for none. */
unsigned vw_ledger_kind_of(const vw_entry *entry);

/* Whether the chain has a new owner from this entry on: 1 and who, borrowed from the entry; 0 when it says no such thing; VW_EINVAL when
 * it says so badly: the kind without the message or the message without the kind, a field missing or over its size, an epoch that
 * cannot be a later one. Whether it is one more than before is for the caller to ask. Pure. */
int vw_ledger_epoch_of(const vw_entry *entry, const vw_epoch_started **out);

#endif
