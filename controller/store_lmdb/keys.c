#include "keys.h"

#include "project.h"

#include "base/digest.h"

#include <assert.h>
#include <string.h>

#define NAME_PART      200 /* bytes of a name in a version's key, as it is */
#define WORKSPACE_PART 100
#define HASH_PART      8   /* bytes that tell longer ones apart */
#define SECRET_PART    255 /* longest name of a secret */

_Static_assert(VW_LMDB_ORGANIZATION + NAME_PART + 1 + 8 + WORKSPACE_PART + 1 + HASH_PART + VW_LMDB_ID + 8 <=
		   VW_KEY_MAX,
	       "the longest key, of a version's history, has room");
_Static_assert(1 + VW_LMDB_ORGANIZATION + VW_LMDB_ID + SECRET_PART <= VW_KEY_MAX, "a secret's key has room");

/* Kinds of the index table and of meta. */
enum { KIND_NAME = 'n', KIND_ORDER = 'c', KIND_OPEN = 'o', KIND_TRAIL = 'e', KIND_COUNTERS = 'c', KIND_SCHEMA = 's' };

static void add(struct vw_lmdb_key *key, const void *bytes, size_t len)
{
	assert(key->len + len <= sizeof(key->bytes));
	if (len > 0)
		memcpy(key->bytes + key->len, bytes, len);
	key->len += len;
}

static void add_number(struct vw_lmdb_key *key, uint64_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		key->bytes[key->len++] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
}

/* So that times before 1970 come first. */
static void add_time(struct vw_lmdb_key *key, int64_t ms)
{
	add_number(key, (uint64_t)ms ^ (uint64_t)INT64_MIN, 8);
}

static uint64_t number_at(const uint8_t *bytes)
{
	uint64_t number = 0;
	for (size_t i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

static void begin(struct vw_lmdb_key *key, int32_t organization)
{
	key->len = 0;
	add_number(key, (uint32_t)organization, VW_LMDB_ORGANIZATION);
}

static void begin_kind(struct vw_lmdb_key *key, int kind, int32_t organization)
{
	key->len = 0;
	add_number(key, (uint64_t)kind, 1);
	add_number(key, (uint32_t)organization, VW_LMDB_ORGANIZATION);
}

bool vw_lmdb_id(const char *text, uint8_t out[VW_LMDB_ID])
{
	char hex[2 * VW_LMDB_ID + 1];
	size_t len = 0;
	if (!text || !vw_agent_id_valid(text))
		return false;
	for (; *text; text++)
		if (*text != '-')
			hex[len++] = *text;
	hex[len] = 0;
	return vw_hex_decode(hex, out, VW_LMDB_ID);
}

static bool add_id(struct vw_lmdb_key *key, const char *id)
{
	uint8_t bytes[VW_LMDB_ID];
	if (!vw_lmdb_id(id, bytes))
		return false;
	add(key, bytes, sizeof(bytes));
	return true;
}

bool vw_lmdb_has_prefix(struct vw_bytes key, struct vw_bytes prefix)
{
	return prefix.len == 0 || (key.len >= prefix.len && memcmp(key.data, prefix.data, prefix.len) == 0);
}

/* ---- Organizations and bearers ---- */

void vw_lmdb_key_organization(int32_t organization, struct vw_lmdb_key *out)
{
	begin(out, organization);
}

/* Names are longer than a key: their hash is as good. */
void vw_lmdb_key_name(const char *name, struct vw_lmdb_key *out)
{
	uint8_t digest[VW_SHA256_SIZE];
	vw_sha256_of(name, strlen(name), digest);
	out->len = 0;
	add_number(out, KIND_NAME, 1);
	add(out, digest, sizeof(digest));
}

static bool add_public_id(struct vw_lmdb_key *key, const char *public_id)
{
	size_t len = public_id ? strnlen(public_id, 64) : 0;
	if (len == 0 || len == 64)
		return false;
	add(key, public_id, len);
	return true;
}

void vw_lmdb_key_bearers(enum vw_lmdb_bearer kind, int32_t organization, struct vw_lmdb_key *out)
{
	begin_kind(out, (int)kind, organization);
}

bool vw_lmdb_key_bearer(enum vw_lmdb_bearer kind, int32_t organization, const char *public_id,
			struct vw_lmdb_key *out)
{
	begin_kind(out, (int)kind, organization);
	return add_public_id(out, public_id);
}

bool vw_lmdb_key_bearer_index(enum vw_lmdb_bearer kind, const char *public_id, struct vw_lmdb_key *out)
{
	out->len = 0;
	add_number(out, kind, 1);
	return add_public_id(out, public_id);
}

/* ---- Agents and their ledgers ---- */

bool vw_lmdb_key_agent(int32_t organization, const char *agent_id, struct vw_lmdb_key *out)
{
	begin(out, organization);
	return add_id(out, agent_id);
}

bool vw_lmdb_key_entry(int32_t organization, const char *agent_id, uint64_t sequence, struct vw_lmdb_key *out)
{
	if (!vw_lmdb_key_agent(organization, agent_id, out))
		return false;
	add_number(out, sequence, 8);
	return true;
}

uint64_t vw_lmdb_key_sequence(struct vw_bytes key)
{
	return key.len < VW_LMDB_ORGANIZATION + 8 ? 0 : number_at((const uint8_t *)key.data + key.len - 8);
}

bool vw_lmdb_key_quarantine(int32_t organization, const char *agent_id, uint64_t sequence, const uint8_t hash[32],
			    struct vw_lmdb_key *out)
{
	if (!vw_lmdb_key_entry(organization, agent_id, sequence, out))
		return false;
	add(out, hash, 32);
	return true;
}

/* ---- Versions ---- */

static void add_cut(struct vw_lmdb_key *key, const char *text, size_t most)
{
	size_t len = strlen(text);
	add(key, text, len < most ? len : most);
	if (len <= most)
		add(key, "", 1);
}

void vw_lmdb_key_model(int32_t organization, const char *model, struct vw_lmdb_key *out)
{
	begin(out, organization);
	add_cut(out, model, NAME_PART);
}

static void add_hash(struct vw_lmdb_key *key, const char *workspace, const char *model)
{
	uint8_t digest[VW_SHA256_SIZE];
	struct vw_sha256 sha;
	vw_sha256_init(&sha);
	vw_sha256_update(&sha, workspace, strlen(workspace) + 1);
	vw_sha256_update(&sha, model, strlen(model));
	vw_sha256_final(&sha, digest);
	add(key, digest, HASH_PART);
}

bool vw_lmdb_key_version(int32_t organization, const struct vw_version_key *version, struct vw_lmdb_key *out)
{
	const char *workspace = version->workspace ? version->workspace : "";
	uint64_t number;
	if (!version->model || !vw_version_number(version->version, &number))
		return false;
	vw_lmdb_key_model(organization, version->model, out);
	add_number(out, number, 8);
	add_cut(out, workspace, WORKSPACE_PART);
	add_hash(out, workspace, version->model);
	return add_id(out, version->agent_id);
}

const uint8_t *vw_lmdb_key_version_agent(struct vw_bytes key)
{
	return key.len < VW_LMDB_ORGANIZATION + VW_LMDB_ID ? NULL : (const uint8_t *)key.data + key.len - VW_LMDB_ID;
}

void vw_lmdb_key_history(struct vw_bytes version, uint64_t sequence, struct vw_lmdb_key *out)
{
	out->len = 0;
	add(out, version.data, version.len);
	add_number(out, sequence, 8);
}

/* ---- Events ---- */

void vw_lmdb_key_event_time(int32_t organization, int64_t recorded_at, struct vw_lmdb_key *out)
{
	begin(out, organization);
	add_time(out, recorded_at);
}

bool vw_lmdb_key_event(const vw_event_row *event, struct vw_lmdb_key *out)
{
	vw_lmdb_key_event_time(event->organization, event->recorded_at, out);
	if (!add_id(out, event->agent_id))
		return false;
	add_number(out, event->sequence, 8);
	add_number(out, event->part, 4);
	return true;
}

int64_t vw_lmdb_key_event_at(struct vw_bytes key)
{
	if (key.len < VW_LMDB_ORGANIZATION + 8)
		return INT64_MIN;
	return (int64_t)(number_at((const uint8_t *)key.data + VW_LMDB_ORGANIZATION) ^ (uint64_t)INT64_MIN);
}

/* ---- Commands ---- */

bool vw_lmdb_key_command(int32_t organization, const char *id, struct vw_lmdb_key *out)
{
	begin(out, organization);
	return add_id(out, id);
}

void vw_lmdb_key_command_orders(int32_t organization, struct vw_lmdb_key *out)
{
	begin_kind(out, KIND_ORDER, organization);
}

bool vw_lmdb_key_command_order(const vw_stored_command *command, struct vw_lmdb_key *out)
{
	vw_lmdb_key_command_orders(command->organization, out);
	add_time(out, command->command->issued_at);
	return add_id(out, command->command->id);
}

bool vw_lmdb_key_commands_open(int32_t organization, const char *agent_id, struct vw_lmdb_key *out)
{
	begin_kind(out, KIND_OPEN, organization);
	return add_id(out, agent_id);
}

bool vw_lmdb_key_command_open(const vw_stored_command *command, struct vw_lmdb_key *out)
{
	if (!vw_lmdb_key_commands_open(command->organization, command->agent_id, out))
		return false;
	add_time(out, command->command->issued_at);
	return add_id(out, command->command->id);
}

bool vw_lmdb_key_command_of(struct vw_bytes index, int32_t organization, struct vw_lmdb_key *out)
{
	begin(out, organization);
	if (index.len < VW_LMDB_ID)
		return false;
	add(out, (const uint8_t *)index.data + index.len - VW_LMDB_ID, VW_LMDB_ID);
	return true;
}

/* ---- The rest ---- */

void vw_lmdb_key_file(int32_t organization, const uint8_t sha256[32], struct vw_lmdb_key *out)
{
	begin(out, organization);
	add(out, sha256, 32);
}

bool vw_lmdb_key_secret(int32_t organization, const char *agent_id, const char *name, struct vw_lmdb_key *out)
{
	size_t len = strnlen(name, SECRET_PART + 1);
	if (!vw_lmdb_key_agent(organization, agent_id, out) || len > SECRET_PART)
		return false;
	add(out, name, len);
	return true;
}

void vw_lmdb_key_trail(uint64_t id, struct vw_lmdb_key *out)
{
	out->len = 0;
	add_number(out, id, 8);
}

void vw_lmdb_key_trail_order(int32_t organization, uint64_t id, struct vw_lmdb_key *out)
{
	begin_kind(out, KIND_TRAIL, organization);
	add_number(out, id, 8);
}

void vw_lmdb_key_counters(int32_t organization, struct vw_lmdb_key *out)
{
	begin_kind(out, KIND_COUNTERS, organization);
}

void vw_lmdb_key_schema(struct vw_lmdb_key *out)
{
	out->len = 0;
	add_number(out, KIND_SCHEMA, 1);
}
