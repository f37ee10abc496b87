#include "keys.h"

#include "storage/store.h"

#include "base/digest.h"

#include <string.h>

#define NAME_PART 255 /* bytes of a name in the key, as it is */
#define HASH_PART 8   /* bytes that tell longer names apart */

_Static_assert(VW_STORE_WORKSPACE_MAX + 1 + NAME_PART + 1 + HASH_PART + sizeof(uint64_t) <= VW_KEY_MAX,
	       "the longest key has room");

struct vw_bytes vw_key_bytes(const struct vw_key *key)
{
	return (struct vw_bytes){key->bytes, key->len};
}

static void add(struct vw_key *key, const void *bytes, size_t len)
{
	memcpy(key->bytes + key->len, bytes, len);
	key->len += len;
}

static void add_number(struct vw_key *key, uint64_t number)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		key->bytes[key->len++] = (uint8_t)(number >> shift);
}

static uint64_t number_at(const uint8_t *bytes)
{
	uint64_t number = 0;
	for (size_t i = 0; i < sizeof(number); i++)
		number = number << 8 | bytes[i];
	return number;
}

int vw_key_object(const char *workspace, const char *name, struct vw_key *out, struct vw_error *err)
{
	uint8_t digest[VW_SHA256_SIZE];
	struct vw_sha256 sha;
	const char *space = workspace ? workspace : "";
	if (!name || !*name)
		return vw_error_set(err, VW_EINVAL, "an object without a name cannot be stored");
	size_t space_len = strlen(space), name_len = strlen(name);
	if (space_len > VW_STORE_WORKSPACE_MAX)
		return vw_error_set(err, VW_ELIMIT,
				    "the workspace of '%.64s' has a name of more than %d bytes "
				    "(VW_STORE_WORKSPACE_MAX)",
				    name, VW_STORE_WORKSPACE_MAX);
	vw_sha256_init(&sha);
	vw_sha256_update(&sha, space, space_len + 1);
	vw_sha256_update(&sha, name, name_len);
	vw_sha256_final(&sha, digest);
	out->len = 0;
	add(out, space, space_len + 1);
	add(out, name, name_len < NAME_PART ? name_len : NAME_PART);
	add(out, "", 1);
	add(out, digest, HASH_PART);
	return 0;
}

/* The one decimal form of a uint64: no sign, no leading zero, so that two texts are never one key. */
static bool read_version(const char *text, uint64_t *out)
{
	uint64_t value = 0;
	if (!text || !*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(unsigned char)*text - '0';
		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

int vw_key_version(const char *workspace, const char *model, const char *version, struct vw_key *out,
		   struct vw_error *err)
{
	uint64_t number;
	int rc = vw_key_object(workspace, model, out, err);
	if (rc < 0)
		return rc;
	if (!read_version(version, &number))
		return vw_error_set(err, VW_EINVAL, "model '%.256s': version '%.64s' is not a version number", model,
				    version ? version : "");
	add_number(out, number);
	return 0;
}

const char *vw_key_workspace(struct vw_bytes key)
{
	return memchr(key.data, 0, key.len) ? key.data : NULL;
}

void vw_key_sequence(uint64_t sequence, struct vw_key *out)
{
	out->len = 0;
	add_number(out, sequence);
}

bool vw_key_read_sequence(struct vw_bytes key, uint64_t *out)
{
	if (key.len != sizeof(*out))
		return false;
	*out = number_at(key.data);
	return true;
}

void vw_key_kind(unsigned kind, uint64_t sequence, struct vw_key *out)
{
	out->len = 0;
	out->bytes[out->len++] = (uint8_t)kind;
	add_number(out, sequence);
}

bool vw_key_read_kind(struct vw_bytes key, unsigned *out_kind, uint64_t *out_sequence)
{
	const uint8_t *bytes = key.data;
	if (key.len != 1 + sizeof(*out_sequence))
		return false;
	*out_kind = bytes[0];
	*out_sequence = number_at(bytes + 1);
	return true;
}

void vw_key_text(const char *text, struct vw_key *out)
{
	out->len = 0;
	add(out, text, strlen(text));
}
