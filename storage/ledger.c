#include "storage/ledger.h"

#include "base/digest.h"

#include <string.h>

/* Fields of ChainedEntry (audit.proto) on the wire: number << 3 | 2, length, bytes. */
#define TAG_PAYLOAD 0x0a
#define TAG_HASH    0x12

static void add_number(struct vw_sha256 *sha, uint64_t number, size_t bytes)
{
	uint8_t big_endian[sizeof(number)];
	for (size_t i = 0; i < bytes; i++)
		big_endian[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
	vw_sha256_update(sha, big_endian, bytes);
}

static void add_text(struct vw_sha256 *sha, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	add_number(sha, len, sizeof(uint32_t));
	vw_sha256_update(sha, text, len);
}

void vw_ledger_hash(const struct vw_ledger_owner *owner, uint64_t sequence, const uint8_t previous[VW_LEDGER_HASH],
		    const void *payload, size_t len, uint8_t out[VW_LEDGER_HASH])
{
	uint8_t digest[VW_SHA256_SIZE];
	struct vw_sha256 sha;
	vw_sha256_of(payload, len, digest);
	vw_sha256_init(&sha);
	add_text(&sha, VW_LEDGER_DOMAIN);
	add_text(&sha, owner->organization);
	add_text(&sha, owner->agent);
	add_number(&sha, owner->epoch, sizeof(uint64_t));
	add_number(&sha, sequence, sizeof(uint64_t));
	vw_sha256_update(&sha, previous, VW_LEDGER_HASH);
	vw_sha256_update(&sha, digest, sizeof(digest));
	vw_sha256_final(&sha, out);
}

/* A length in its shortest form, as protobuf-c packs it. */
static bool read_length(const uint8_t **at, const uint8_t *end, size_t *out)
{
	size_t value = 0;
	for (unsigned shift = 0; shift < 35 && *at < end; shift += 7) {
		uint8_t byte = *(*at)++;
		value |= (size_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		*out = value;
		return byte != 0 || shift == 0;
	}
	return false;
}

static bool read_field(const uint8_t **at, const uint8_t *end, uint8_t tag, struct vw_bytes *out)
{
	size_t len;
	if (*at == end || *(*at)++ != tag || !read_length(at, end, &len) || len > (size_t)(end - *at))
		return false;
	*out = (struct vw_bytes){*at, len};
	*at += len;
	return true;
}

bool vw_ledger_open_value(struct vw_bytes stored, struct vw_bytes *out_payload, const uint8_t **out_hash)
{
	struct vw_bytes payload, hash;
	const uint8_t *at = stored.data;
	if (stored.len == 0)
		return false;
	const uint8_t *end = at + stored.len;
	if (!read_field(&at, end, TAG_PAYLOAD, &payload) || !read_field(&at, end, TAG_HASH, &hash) || at != end ||
	    hash.len != VW_LEDGER_HASH)
		return false;
	*out_payload = payload;
	*out_hash = hash.data;
	return true;
}

unsigned vw_ledger_kind_of(const vw_entry *entry)
{
	switch (entry->body_case) {
	case VERIFYWISE__V1__ENTRY__BODY_VERSION:
		return entry->version ? VW_LEDGER_VERSION : 0;
	case VERIFYWISE__V1__ENTRY__BODY_REMOVAL:
		return entry->removal ? VW_LEDGER_REMOVAL : 0;
	case VERIFYWISE__V1__ENTRY__BODY_AUDIT:
		return entry->audit ? VW_LEDGER_AUDIT : 0;
	default:
		return 0;
	}
}

static bool fits(const char *text, size_t size)
{
	return text && strnlen(text, size) < size;
}

int vw_ledger_epoch_of(const vw_entry *entry, const vw_epoch_started **out)
{
	if (vw_ledger_kind_of(entry) != VW_LEDGER_AUDIT)
		return 0;
	const vw_epoch_started *epoch = entry->audit->epoch;
	bool said = entry->audit->has_kind && entry->audit->kind == VW_AUDIT_EPOCH_STARTED;
	if (!said && !epoch)
		return 0;
	if (!said || !epoch || !epoch->has_epoch || epoch->epoch <= VW_LEDGER_EPOCH_FIRST ||
	    epoch->epoch > VW_LEDGER_EPOCH_LAST || !fits(epoch->organization, VW_LEDGER_ORGANIZATION_MAX) ||
	    !fits(epoch->agent_id, VW_LEDGER_AGENT_MAX) || epoch->agent_id[0] == '\0')
		return VW_EINVAL;
	*out = epoch;
	return 1;
}
