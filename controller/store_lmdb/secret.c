/* secret.c: sealed secrets of agents, and the files that operators gave out. */
#include "embedded.h"

#include "base/limits.h"
#include "base/text.h"
#include "proto/message.h"

#include <inttypes.h>
#include <string.h>

struct putting {
	struct vw_arena *arena;
	const vw_stored_secret *secret;
};

static int count_one(struct vw_bytes key, struct vw_bytes value, void *arg, struct vw_error *err)
{
	(void)key;
	(void)value;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

static int check_room(struct vw_lmdb_tx *tx, const vw_stored_secret *secret, struct vw_error *err)
{
	struct vw_lmdb_key prefix;
	size_t count = 0;
	vw_lmdb_key_agent(secret->organization, secret->agent_id, &prefix);
	int rc = vw_lmdb_walk(tx->txn, VW_LMDB_SECRETS, vw_lmdb_bytes(&prefix), (struct vw_bytes){NULL, 0}, false,
			      count_one, &count, err);
	if (rc == 0 && count >= VW_MAX_SECRETS)
		rc =
		    vw_error_set(err, VW_ELIMIT, "the agent has %d secrets already (VW_MAX_SECRETS)", VW_MAX_SECRETS);
	return rc;
}

static int put_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct putting *p = arg;
	const vw_stored_secret *secret = p->secret;
	struct vw_lmdb_key key;
	vw_agent *agent;
	void *found;
	uint64_t version = 0;
	int rc = vw_lmdb_agent(tx->txn, p->arena, secret->organization, secret->agent_id, &agent, err);
	if (rc < 0)
		return rc;
	if (!vw_lmdb_key_secret(secret->organization, secret->agent_id, secret->secret->name, &key))
		return vw_error_set(err, VW_EINVAL, "the secret's name is too long");
	rc = vw_lmdb_get(tx->txn, p->arena, VW_LMDB_SECRETS, &key, &verifywise__v1__stored_secret__descriptor,
			 "secret", &found, err);
	if (rc == 0 && ((vw_stored_secret *)found)->secret)
		version = ((vw_stored_secret *)found)->secret->version;
	if (rc == VW_ENOTFOUND)
		rc = check_room(tx, secret, err);
	if (rc < 0)
		return rc;
	if (secret->secret->version != version + 1)
		return vw_error_set(err, VW_EBUSY, "secret %.64s is at version %" PRIu64 ", so the next is %" PRIu64,
				    secret->secret->name, version, version + 1);
	return vw_lmdb_put(tx, VW_LMDB_SECRETS, &key, &secret->base, err);
}

static int secret_put(struct vw_fleet_store *base, const vw_stored_secret *secret, struct vw_error *err)
{
	const vw_sealed_secret *sealed = secret->secret;
	if (!sealed || !sealed->name || !*sealed->name || !vw_utf8_valid(sealed->name, strlen(sealed->name)) ||
	    sealed->sealed.len == 0)
		return vw_error_set(err, VW_EINVAL, "a secret needs a name and what is sealed");
	if (sealed->sealed.len > VW_MAX_SEALED)
		return vw_error_set(err, VW_ELIMIT, "a sealed secret of %zu bytes (VW_MAX_SEALED)",
				    sealed->sealed.len);
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct putting p = {arena, secret};
	return arena ? vw_lmdb_write(vw_lmdb_of(base), put_step, &p, err) : vw_lmdb_no_memory(err);
}

static int delete_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct vw_lmdb_key *key = arg;
	int has = vw_lmdb_has(tx->txn, VW_LMDB_SECRETS, key, err);
	if (has <= 0)
		return has < 0 ? has : vw_lmdb_not_found("such secret", err);
	return vw_lmdb_delete(tx, VW_LMDB_SECRETS, key, err);
}

static int secret_delete(struct vw_fleet_store *base, int32_t organization, const char *agent_id, const char *name,
			 struct vw_error *err)
{
	struct vw_lmdb_key key;
	if (!name || !*name || !vw_lmdb_key_secret(organization, agent_id, name, &key))
		return vw_lmdb_not_found("such secret", err);
	return vw_lmdb_write(vw_lmdb_of(base), delete_step, &key, err);
}

static int secret_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
		       const char *agent_id, vw_stored_secret ***out, size_t *out_count, struct vw_error *err)
{
	struct vw_lmdb_rows rows = {.arena = arena};
	struct vw_lmdb_key prefix;
	if (!vw_lmdb_key_agent(organization, agent_id, &prefix))
		return vw_lmdb_not_found("such agent", err);
	int rc = vw_lmdb_list(vw_lmdb_of(base), VW_LMDB_SECRETS, &prefix, &verifywise__v1__stored_secret__descriptor,
			      &rows, err);
	if (rc < 0)
		return rc;
	*out = (vw_stored_secret **)rows.items;
	*out_count = rows.count;
	return 0;
}

/* ---- Files ---- */

static int file_get(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
		    const uint8_t sha256[32], vw_stored_file **out, struct vw_error *err)
{
	struct vw_lmdb_key key;
	void *found;
	vw_lmdb_key_file(organization, sha256, &key);
	int rc = vw_lmdb_read(vw_lmdb_of(base), arena, VW_LMDB_FILES, &key, &verifywise__v1__stored_file__descriptor,
			      "such file", &found, err);
	if (rc == 0)
		*out = found;
	return rc;
}

void vw_lmdb_secret_ops(struct vw_fleet_ops *ops)
{
	ops->secret_put = secret_put;
	ops->secret_delete = secret_delete;
	ops->secret_list = secret_list;
	ops->file_get = file_get;
}
