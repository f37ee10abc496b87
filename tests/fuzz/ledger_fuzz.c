/* The ledger's reader: bytes as a stored value, and its payload, or the bytes themselves, as an Entry with its record. */
#include "storage/store.h"

#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

static void read_entry(struct vw_arena *arena, const void *bytes, size_t len)
{
	struct vw_error err = VW_ERROR_INIT;
	void *unpacked;
	vw_record *record;
	if (vw_message_unpack(arena, &verifywise__v1__entry__descriptor, bytes, len, "fuzz", &unpacked, &err) != 0)
		return;
	const vw_entry *entry = unpacked;
	if (vw_ledger_kind_of(entry) == VW_LEDGER_VERSION)
		vw_store_record(arena, entry->version, &record, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_arena *arena = vw_arena_open(0);
	struct vw_bytes payload;
	const uint8_t *hash;
	if (!arena)
		return 0;
	if (vw_ledger_open_value((struct vw_bytes){data, size}, &payload, &hash)) {
		const struct vw_ledger_owner owner = {"o", "a", 1};
		uint8_t next[VW_LEDGER_HASH];
		/* both lie inside, and there is one way only to write them */
		const uint8_t *start = payload.data;
		if (start < data || start + payload.len > hash || hash + VW_LEDGER_HASH != data + size)
			abort();
		vw_ledger_hash(&owner, 1, hash, payload.data, payload.len, next);
		Verifywise__V1__ChainedEntry chained = VERIFYWISE__V1__CHAINED_ENTRY__INIT;
		VW_SET_BYTES(&chained, payload, payload.data, payload.len);
		VW_SET_BYTES(&chained, chain_sha256, hash, VW_LEDGER_HASH);
		size_t len;
		const uint8_t *again = vw_message_pack(arena, &chained.base, &len);
		if (!again || len != size || memcmp(again, data, size) != 0)
			abort();
		read_entry(arena, payload.data, payload.len);
	}
	vw_arena_reset(arena);
	read_entry(arena, data, size);
	vw_arena_close(arena);
	return 0;
}
