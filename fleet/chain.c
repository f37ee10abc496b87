#include "fleet/chain.h"

#include "base/limits.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void vw_chain_begin(struct vw_chain *chain, const char *genesis_agent_id)
{
	memset(chain, 0, sizeof(*chain));
	snprintf(chain->agent_id, sizeof(chain->agent_id), "%s", genesis_agent_id);
	chain->epoch = 1;
}

static bool is_owner(const struct vw_chain *chain, const char *organization, const char *agent_id)
{
	return strcmp(chain->organization, organization) == 0 && strcmp(chain->agent_id, agent_id) == 0;
}

static int forbid(struct vw_error *err, const vw_epoch_started *epoch, const char *why)
{
	return vw_error_set(err, VW_EFORBIDDEN, "a new epoch, %" PRIu64 " of agent %.64s in organization %.32s: %s",
			    epoch->epoch, epoch->agent_id, epoch->organization, why);
}

/* An agent that was given a new id has the epochs of its former ones in its ledger, but none after its own. */
static int move_owner(struct vw_chain *chain, const vw_epoch_started *epoch, const char *organization,
		      const char *agent_id, struct vw_error *err)
{
	if (epoch->epoch != chain->epoch + 1)
		return forbid(err, epoch, "it is not one more than before");
	if (strcmp(epoch->organization, organization) != 0)
		return forbid(err, epoch, "the organization is not the sender's");
	if (!vw_agent_id_valid(epoch->agent_id))
		return forbid(err, epoch, "the agent's id is no UUID");
	if (strcmp(epoch->agent_id, agent_id) != 0 && is_owner(chain, organization, agent_id))
		return forbid(err, epoch, "the chain is the sender's already");
	snprintf(chain->organization, sizeof(chain->organization), "%s", epoch->organization);
	snprintf(chain->agent_id, sizeof(chain->agent_id), "%s", epoch->agent_id);
	chain->epoch = epoch->epoch;
	return 0;
}

static int unpack(const vw_chained_entry *entry, uint64_t sequence, struct vw_arena *arena, vw_entry **out,
		  struct vw_error *err)
{
	void *message;
	char what[48];
	if (!entry->has_payload || entry->payload.len == 0 || entry->payload.len > VW_MAX_ENTRY)
		return vw_error_set(err, VW_EINVAL,
				    "entry %" PRIu64 ": a payload of %zu bytes; 1 to %zu (VW_MAX_ENTRY)", sequence,
				    entry->payload.len, VW_MAX_ENTRY);
	if (!entry->has_chain_sha256 || entry->chain_sha256.len != VW_LEDGER_HASH)
		return vw_error_set(err, VW_EINVAL, "entry %" PRIu64 ": its hash does not have %d bytes", sequence,
				    VW_LEDGER_HASH);
	snprintf(what, sizeof(what), "entry %" PRIu64, sequence);
	int rc = vw_message_unpack(arena, &verifywise__v1__entry__descriptor, entry->payload.data, entry->payload.len,
				   what, &message, err);
	if (rc == VW_ECORRUPT) /* nothing of ours is damaged: these bytes are a peer's */
		rc = vw_error_set(err, VW_EINVAL, "%s", err ? err->message : "");
	if (rc)
		return rc;
	*out = message;
	return vw_ledger_kind_of(*out) ? 0 : vw_error_set(err, VW_EINVAL, "%s: without a body", what);
}

int vw_chain_follow(struct vw_chain *chain, const vw_chained_entry *entry, const char *organization,
		    const char *agent_id, struct vw_arena *arena, vw_entry **out_entry, struct vw_error *err)
{
	struct vw_chain next = *chain;
	const vw_epoch_started *epoch;
	vw_entry *unpacked = NULL;
	if (chain->head.sequence >= INT64_MAX) /* what readers of exports and databases can hold */
		return vw_error_set(err, VW_EINVAL, "the ledger has no number left for another entry");
	next.head.sequence++;
	int rc = unpack(entry, next.head.sequence, arena, &unpacked, err);
	if (rc)
		return rc;
	rc = vw_ledger_epoch_of(unpacked, &epoch);
	if (rc < 0)
		return vw_error_set(err, rc, "entry %" PRIu64 ": a new epoch that is not well-formed",
				    next.head.sequence);
	if (rc == 1)
		rc = move_owner(&next, epoch, organization, agent_id, err);
	if (rc)
		return rc;
	const struct vw_ledger_owner owner = {next.organization, next.agent_id, next.epoch};
	vw_ledger_hash(&owner, next.head.sequence, chain->head.hash, entry->payload.data, entry->payload.len,
		       next.head.hash);
	if (memcmp(next.head.hash, entry->chain_sha256.data, VW_LEDGER_HASH) != 0)
		return vw_error_set(err, VW_ECORRUPT,
				    "entry %" PRIu64 ": its hash does not follow from the entry before",
				    next.head.sequence);
	*chain = next;
	*out_entry = unpacked;
	return 0;
}
