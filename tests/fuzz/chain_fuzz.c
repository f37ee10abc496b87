/* A batch of entries as a receiver follows it. The hashes are made right first, else no input would come past the first entry. */
#include "fleet/chain.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#define AGENT "0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8e"

/* h(n) under the owner that the entry names, or the one before. */
static void make_right(const struct vw_chain *chain, vw_chained_entry *entry, struct vw_arena *arena,
		       uint8_t hash[32])
{
	struct vw_ledger_owner owner = {chain->organization, chain->agent_id, chain->epoch};
	const vw_epoch_started *epoch;
	void *unpacked;
	if (vw_message_unpack(arena, &verifywise__v1__entry__descriptor, entry->payload.data, entry->payload.len,
			      "fuzz", &unpacked, NULL) == 0 &&
	    vw_ledger_epoch_of(unpacked, &epoch) == 1)
		owner = (struct vw_ledger_owner){epoch->organization, epoch->agent_id, epoch->epoch};
	vw_ledger_hash(&owner, chain->head.sequence + 1, chain->head.hash, entry->payload.data, entry->payload.len,
		       hash);
	VW_SET_BYTES(entry, chain_sha256, hash, VW_LEDGER_HASH);
}

static void follow(const vw_entry_batch *batch, struct vw_arena *arena)
{
	struct vw_error err = VW_ERROR_INIT;
	struct vw_chain chain, before;
	vw_chain_begin(&chain, AGENT);
	for (size_t i = 0; i < batch->n_entries; i++) {
		vw_chained_entry *entry = batch->entries[i];
		vw_entry *out;
		uint8_t hash[VW_LEDGER_HASH];
		before = chain;
		make_right(&chain, entry, arena, hash);
		entry->chain_sha256.data[0] ^= 1;
		if (vw_chain_follow(&chain, entry, "7", AGENT, arena, &out, &err) == 0)
			abort();
		entry->chain_sha256.data[0] ^= 1;
		if (vw_chain_follow(&chain, entry, "7", AGENT, arena, &out, &err) != 0) {
			if (memcmp(&before, &chain, sizeof(chain)) != 0)
				abort();
			continue;
		}
		if (chain.head.sequence != before.head.sequence + 1 || chain.epoch < before.epoch ||
		    chain.epoch > before.epoch + 1 || !vw_agent_id_valid(chain.agent_id) ||
		    strcmp(chain.organization, chain.epoch == 1 ? "" : "7") != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_error err = VW_ERROR_INIT;
	void *batch;
	if (arena &&
	    vw_message_unpack(arena, &verifywise__v1__entry_batch__descriptor, data, size, "fuzz", &batch, &err) == 0)
		follow(batch, arena);
	vw_arena_close(arena);
	return 0;
}
