/* bearer.c: tokens of enrolment and users: who may come with what secret. Both are found by a public id without their organization being known, and
 * their secrets are here as hashes. */
#include "embedded.h"

#include "proto/message.h"

#include <inttypes.h>
#include <string.h>

struct kind {
	enum vw_lmdb_bearer bearer;
	const ProtobufCMessageDescriptor *type;
	const char *what;
};
static const struct kind token_kind = {VW_LMDB_TOKEN, &verifywise__v1__enrollment_token__descriptor, "such token"};
static const struct kind user_kind = {VW_LMDB_USER, &verifywise__v1__user__descriptor, "such user"};

/* ---- Rows of either kind ---- */

static int find(struct vw_txn *txn, struct vw_arena *arena, const struct kind *kind, const char *public_id,
		void **out, struct vw_error *err)
{
	struct vw_lmdb_key index, key;
	struct vw_bytes value;
	if (!vw_lmdb_key_bearer_index(kind->bearer, public_id, &index))
		return vw_lmdb_not_found(kind->what, err);
	int rc = vw_kv_get(txn, VW_LMDB_INDEX, vw_lmdb_bytes(&index), &value, err);
	if (rc == VW_ENOTFOUND)
		return vw_lmdb_not_found(kind->what, err);
	if (rc < 0)
		return rc;
	if (value.len > sizeof(key.bytes))
		return vw_error_set(err, VW_ECORRUPT, "the index of public ids leads nowhere");
	memcpy(key.bytes, value.data, value.len);
	key.len = value.len;
	return vw_lmdb_get(txn, arena, VW_LMDB_BEARERS, &key, kind->type, kind->what, out, err);
}

/* The row, if it is this organization's. */
static int find_own(struct vw_txn *txn, struct vw_arena *arena, const struct kind *kind, int32_t organization,
		    const char *public_id, void **out, struct vw_error *err)
{
	struct vw_lmdb_key key;
	if (!vw_lmdb_key_bearer(kind->bearer, organization, public_id, &key))
		return vw_lmdb_not_found(kind->what, err);
	return vw_lmdb_get(txn, arena, VW_LMDB_BEARERS, &key, kind->type, kind->what, out, err);
}

static int put(struct vw_lmdb_tx *tx, const struct kind *kind, int32_t organization, const char *public_id,
	       const ProtobufCMessage *row, struct vw_error *err)
{
	struct vw_lmdb_key key;
	if (!vw_lmdb_key_bearer(kind->bearer, organization, public_id, &key))
		return vw_lmdb_not_found(kind->what, err);
	return vw_lmdb_put(tx, VW_LMDB_BEARERS, &key, row, err);
}

struct creation {
	const struct kind *kind;
	int32_t organization;
	const char *public_id;
	const ProtobufCMessage *row;
};

static int create_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct creation *c = arg;
	struct vw_lmdb_key owner, index, key;
	vw_lmdb_key_organization(c->organization, &owner);
	int has = c->organization == 0 ? 1 : vw_lmdb_has(tx->txn, VW_LMDB_ORGANIZATIONS, &owner, err);
	if (has <= 0)
		return has < 0 ? has : vw_lmdb_not_found("such organization", err);
	if (!vw_lmdb_key_bearer_index(c->kind->bearer, c->public_id, &index) ||
	    !vw_lmdb_key_bearer(c->kind->bearer, c->organization, c->public_id, &key))
		return vw_error_set(err, VW_EINVAL, "a token needs a public id");
	has = vw_lmdb_has(tx->txn, VW_LMDB_INDEX, &index, err);
	if (has != 0)
		return has < 0 ? has : vw_error_set(err, VW_EBUSY, "this public id is given out already");
	int rc = vw_lmdb_put_bytes(tx, VW_LMDB_INDEX, &index, vw_lmdb_bytes(&key), err);
	return rc < 0 ? rc : vw_lmdb_put(tx, VW_LMDB_BEARERS, &key, c->row, err);
}

static int create(struct vw_fleet_store *base, const struct creation *c, const ProtobufCBinaryData *secret_sha256,
		  struct vw_error *err)
{
	if (!c->public_id || !*c->public_id || secret_sha256->len != 32)
		return vw_error_set(err, VW_EINVAL, "a token needs a public id and the SHA-256 of its secret");
	return vw_lmdb_write(vw_lmdb_of(base), create_step, (void *)c, err);
}

static int get(struct vw_fleet_store *base, struct vw_arena *arena, const struct kind *kind, const char *public_id,
	       void **out, struct vw_error *err)
{
	struct vw_txn *txn;
	int rc = vw_txn_begin_read(vw_lmdb_of(base)->kv, &txn, err);
	if (rc < 0)
		return rc;
	rc = find(txn, arena, kind, public_id, out, err);
	vw_txn_end(txn);
	return rc;
}

/* ---- Tokens ---- */

static int token_create(struct vw_fleet_store *base, const vw_enrollment_token *token, struct vw_error *err)
{
	const struct creation c = {&token_kind, token->organization, token->public_id, &token->base};
	if (token->organization < 1)
		return vw_lmdb_not_found("such organization", err);
	return create(base, &c, &token->secret_sha256, err);
}

static int token_get(struct vw_fleet_store *base, struct vw_arena *arena, const char *public_id,
		     vw_enrollment_token **out, struct vw_error *err)
{
	void *found;
	int rc = get(base, arena, &token_kind, public_id, &found, err);
	if (rc == 0)
		*out = found;
	return rc;
}

static int token_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization,
		      vw_enrollment_token ***out, size_t *out_count, struct vw_error *err)
{
	struct vw_lmdb_rows rows = {.arena = arena};
	struct vw_lmdb_key prefix;
	vw_lmdb_key_bearers(VW_LMDB_TOKEN, organization, &prefix);
	int rc = vw_lmdb_list(vw_lmdb_of(base), VW_LMDB_BEARERS, &prefix, token_kind.type, &rows, err);
	if (rc < 0)
		return rc;
	*out = (vw_enrollment_token **)rows.items;
	*out_count = rows.count;
	return 0;
}

struct revocation {
	struct vw_arena *arena;
	int32_t organization;
	const char *public_id;
	int64_t at;
};

static int token_revoke_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct revocation *r = arg;
	void *found;
	int rc = find_own(tx->txn, r->arena, &token_kind, r->organization, r->public_id, &found, err);
	if (rc < 0)
		return rc;
	vw_enrollment_token *token = found;
	if (token->has_revoked_at)
		return 0;
	VW_SET(token, revoked_at, r->at);
	return put(tx, &token_kind, r->organization, r->public_id, &token->base, err);
}

static int token_revoke(struct vw_fleet_store *base, int32_t organization, const char *public_id, int64_t at,
			struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct revocation r = {arena, organization, public_id, at};
	return arena ? vw_lmdb_write(vw_lmdb_of(base), token_revoke_step, &r, err) : vw_lmdb_no_memory(err);
}

int vw_lmdb_find_token(struct vw_txn *txn, struct vw_arena *arena, int32_t organization, const char *public_id,
		       vw_enrollment_token **out, struct vw_error *err)
{
	void *found;
	int rc = find_own(txn, arena, &token_kind, organization, public_id, &found, err);
	if (rc == 0)
		*out = found;
	return rc;
}

int vw_lmdb_use_token(struct vw_lmdb_tx *tx, vw_enrollment_token *token, struct vw_error *err)
{
	VW_SET(token, uses, token->uses + 1);
	return put(tx, &token_kind, token->organization, token->public_id, &token->base, err);
}

/* ---- Users ---- */

static int user_create(struct vw_fleet_store *base, const vw_user *user, struct vw_error *err)
{
	const struct creation c = {&user_kind, user->organization, user->public_id, &user->base};
	if (user->organization < 0)
		return vw_lmdb_not_found("such organization", err);
	return create(base, &c, &user->secret_sha256, err);
}

static int user_get(struct vw_fleet_store *base, struct vw_arena *arena, const char *public_id, vw_user **out,
		    struct vw_error *err)
{
	void *found;
	int rc = get(base, arena, &user_kind, public_id, &found, err);
	if (rc == 0)
		*out = found;
	return rc;
}

static int user_list(struct vw_fleet_store *base, struct vw_arena *arena, int32_t organization, vw_user ***out,
		     size_t *out_count, struct vw_error *err)
{
	struct vw_lmdb_rows rows = {.arena = arena};
	struct vw_lmdb_key prefix;
	vw_lmdb_key_bearers(VW_LMDB_USER, organization, &prefix);
	if (organization == 0)
		prefix.len = 1; /* of every one */
	int rc = vw_lmdb_list(vw_lmdb_of(base), VW_LMDB_BEARERS, &prefix, user_kind.type, &rows, err);
	if (rc < 0)
		return rc;
	*out = (vw_user **)rows.items;
	*out_count = rows.count;
	return 0;
}

static int user_revoke_step(struct vw_lmdb_tx *tx, void *arg, struct vw_error *err)
{
	const struct revocation *r = arg;
	void *found;
	int rc = find_own(tx->txn, r->arena, &user_kind, r->organization, r->public_id, &found, err);
	if (rc < 0)
		return rc;
	vw_user *user = found;
	if (user->has_revoked_at)
		return 0;
	VW_SET(user, revoked_at, r->at);
	return put(tx, &user_kind, r->organization, r->public_id, &user->base, err);
}

static int user_revoke(struct vw_fleet_store *base, int32_t organization, const char *public_id, int64_t at,
		       struct vw_error *err)
{
	VW_AUTO(vw_arena_cleanup) struct vw_arena *arena = vw_arena_open(0);
	struct revocation r = {arena, organization, public_id, at};
	return arena ? vw_lmdb_write(vw_lmdb_of(base), user_revoke_step, &r, err) : vw_lmdb_no_memory(err);
}

void vw_lmdb_bearer_ops(struct vw_fleet_ops *ops)
{
	ops->token_create = token_create;
	ops->token_get = token_get;
	ops->token_list = token_list;
	ops->token_revoke = token_revoke;
	ops->user_create = user_create;
	ops->user_get = user_get;
	ops->user_list = user_list;
	ops->user_revoke = user_revoke;
}
